//! What goes wrong with files and processes, in the C library's words.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errno {
    NoEntry,
    NotDirectory,
    IsDirectory,
    Exists,
    Access,
    ReadOnly,
    NoSpace,
    NotEmpty,
    Loop,
    BadFile,
    Pipe,
    Invalid,
    NotExecutable,
    Again,
    Busy,
    NoMemory,
    NameTooLong,
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEntry => "No such file or directory",
            Self::NotDirectory => "Not a directory",
            Self::IsDirectory => "Is a directory",
            Self::Exists => "File exists",
            Self::Access => "Permission denied",
            Self::ReadOnly => "Read-only file system",
            Self::NoSpace => "No space left on device",
            Self::NotEmpty => "Directory not empty",
            Self::Loop => "Symbolic link loop",
            Self::BadFile => "Bad file descriptor",
            Self::Pipe => "Broken pipe",
            Self::Invalid => "Invalid argument",
            Self::NotExecutable => "Exec format error",
            Self::Again => "Resource temporarily unavailable",
            Self::Busy => "Resource busy",
            Self::NoMemory => "Cannot allocate memory",
            Self::NameTooLong => "File name too long",
        })
    }
}

pub(crate) type Result<T> = std::result::Result<T, Errno>;
