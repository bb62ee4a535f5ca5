//! How files go into a container and come out of it.

use serde::Serialize;

use crate::error::{Error, Result};

/// Who owns a file, by number.
///
/// ```
/// use catamaran::model::Owner;
/// assert_eq!(Owner::new(1000, 1000).to_string(), "1000:1000");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Owner {
    /// The superuser and its group.
    pub const ROOT: Self = Self::new(0, 0);

    /// This user and group.
    #[must_use]
    pub const fn new(uid: u32, gid: u32) -> Self {
        Self { uid, gid }
    }

    /// Of a container's user, where it is given by number.
    pub(crate) fn of_user(user: &str) -> Option<Self> {
        let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
        // Its files are the user's whatever the group.
        Some(Self::new(uid.parse().ok()?, gid.parse().unwrap_or(0)))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// How much an archive may hold. What could become more than was sent (sparse files, compression) is refused by
/// name, so that what is received bounds what is written: no ratio needs a limit.
///
/// ```
/// use catamaran::model::ArchiveLimits;
///
/// let small = ArchiveLimits::default().with_max_bytes(16u64 << 20).with_max_entries(1000u64);
/// assert_eq!(small.max_file_bytes, ArchiveLimits::default().max_file_bytes);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// The bytes of all files together; 1 GiB by default.
    pub max_bytes: u64,
    /// How many files, directories and links there may be; 100,000 by default.
    pub max_entries: u64,
    /// The bytes of one file; 1 GiB by default.
    pub max_file_bytes: u64,
    /// How many names a path may consist of; 64 by default.
    pub max_depth: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            max_entries: 100_000,
            max_file_bytes: 1 << 30,
            max_depth: 64,
        }
    }
}

impl ArchiveLimits {
    setters! {
        /// Sets how many bytes all files may have together.
        with_max_bytes(max_bytes: u64);
        /// Sets how many files, directories and links there may be.
        with_max_entries(max_entries: u64);
        /// Sets how many bytes one file may have.
        with_max_file_bytes(max_file_bytes: u64);
        /// Sets how many names a path may consist of.
        with_max_depth(max_depth: usize);
    }
}

/// What becomes of devices, pipes and sockets.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpecialFiles {
    /// The copy fails.
    #[default]
    Refuse,
    /// They are left out, and counted.
    Skip,
}

/// What becomes of links that lead, or could lead, out of the directory that is written.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutwardLinks {
    /// The copy fails.
    #[default]
    Refuse,
    /// They are left out, and counted.
    Skip,
    /// They are made as they are. Nothing is written through them, but who reads the copy later may be led
    /// anywhere.
    Keep,
}

/// How an archive is unpacked in a container.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadOptions {
    /// Who owns the files; `None` is the container's user where it has one by number, and root elsewhere.
    pub owner: Option<Owner>,
    /// How much it may hold.
    pub limits: ArchiveLimits,
    /// What becomes of devices and pipes.
    pub special: SpecialFiles,
}

impl UploadOptions {
    setters! {
        /// Sets who owns the files.
        with_owner(owner: Option<Owner>);
        /// Sets how much the archive may hold.
        with_limits(limits: ArchiveLimits);
        /// Sets what becomes of devices and pipes.
        with_special(special: SpecialFiles);
    }
}

/// How an archive is read out of a container.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadOptions {
    /// How many bytes the archive may have; 1 GiB by default.
    pub max_bytes: u64,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self { max_bytes: 1 << 30 }
    }
}

impl DownloadOptions {
    setters! {
        /// Sets how many bytes the archive may have.
        with_max_bytes(max_bytes: u64);
    }
}

/// How one file is written in a container.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteFileOptions {
    /// Its permission bits, `0o644` by default; those above `0o777` are refused.
    pub mode: u32,
    /// Who owns it; as in [`UploadOptions::owner`].
    pub owner: Option<Owner>,
}

impl Default for WriteFileOptions {
    fn default() -> Self {
        Self {
            mode: 0o644,
            owner: None,
        }
    }
}

impl WriteFileOptions {
    setters! {
        /// Sets the permission bits.
        with_mode(mode: u32);
        /// Sets who owns it.
        with_owner(owner: Option<Owner>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.mode > 0o777 {
            return Err(Error::invalid(
                "mode",
                format!("{:o} isn't made of permission bits (0 to 777)", self.mode),
            ));
        }
        Ok(())
    }
}

/// How files are copied between the host and a container.
///
/// ```
/// use catamaran::model::{ArchiveLimits, CopyOptions, OutwardLinks, SpecialFiles};
///
/// let options = CopyOptions::default()
///     .with_limits(ArchiveLimits::default().with_max_bytes(64u64 << 20))
///     .with_special(SpecialFiles::Skip)
///     .with_outward_links(OutwardLinks::Skip);
/// # let _ = options;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyOptions {
    /// How much it may be.
    pub limits: ArchiveLimits,
    /// What becomes of devices, pipes and sockets.
    pub special: SpecialFiles,
    /// What becomes, on the host, of links that lead out of the copy.
    pub outward_links: OutwardLinks,
    /// Who owns the files in the container; as in [`UploadOptions::owner`]. On the host they are the
    /// process's own.
    pub owner: Option<Owner>,
}

impl CopyOptions {
    setters! {
        /// Sets how much it may be.
        with_limits(limits: ArchiveLimits);
        /// Sets what becomes of devices, pipes and sockets.
        with_special(special: SpecialFiles);
        /// Sets what becomes of links that lead out of the copy.
        with_outward_links(outward_links: OutwardLinks);
        /// Sets who owns the files in the container.
        with_owner(owner: Option<Owner>);
    }
}

/// What was copied.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CopyReport {
    /// How many files, directories and links.
    pub entries: u64,
    /// How many bytes the files have together.
    pub bytes: u64,
    /// How many were left out, as the options say.
    pub skipped: u64,
}
