//! Redirections.

use std::sync::Arc;

use super::super::errno::{Errno, Result as FileResult};
use super::super::files::Opened;
use super::super::io::Open;
use super::super::node::Body;
use super::syntax::{Redirection, Target};
use super::{Jump, Shell};

impl Shell {
    /// Whether all could be opened.
    pub(super) async fn redirect(&mut self, redirections: &[Redirection]) -> Result<bool, Jump> {
        for redirection in redirections {
            let number = redirection.number;
            let (word, told) = match &redirection.to {
                Target::Read(word) => (word, "open"),
                Target::Write(word) | Target::Append(word) | Target::Both(word) => (word, "create"),
                Target::Same(word) | Target::Text(word) => (word, ""),
            };
            let text = self.text(word).await?;
            let opened = match &redirection.to {
                Target::Read(_) => self.open_read(&text),
                Target::Write(_) => self.open_write(&text, true, false),
                Target::Append(_) => self.open_write(&text, false, true),
                Target::Both(_) => self.open_write(&text, false, false),
                Target::Text(_) => Ok(Open::file(Body::sealed(text.clone().into_bytes()), false)),
                Target::Same(_) if text == "-" => {
                    self.context.files.close(number);
                    continue;
                }
                Target::Same(_) => match text.parse() {
                    Ok(other) => self.context.files.get(other).cloned(),
                    Err(_) => Err(Errno::BadFile),
                },
            };
            match opened {
                Ok(open) => self.context.files.set(number, open),
                Err(errno) => {
                    let why = match (errno, told) {
                        (Errno::NoEntry, "open") => "no such file".to_owned(),
                        (Errno::NoEntry, _) => "nonexistent directory".to_owned(),
                        (errno, _) => errno.to_string(),
                    };
                    let told = if told.is_empty() {
                        String::new()
                    } else {
                        format!("can't {told} ")
                    };
                    self.complain(&format!("{told}{text}: {why}")).await;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn open_read(&self, path: &str) -> FileResult<Arc<Open>> {
        Ok(
            match self.context.view().readable(&self.context.cwd, path)? {
                Opened::File(body) => Open::file(body, false),
                Opened::Device(device) => Open::device(device),
                Opened::Directory => Open::directory(),
            },
        )
    }

    fn open_write(&self, path: &str, truncate: bool, append: bool) -> FileResult<Arc<Open>> {
        let mode = 0o666 & !self.umask;
        Ok(
            match self
                .context
                .view()
                .writable(&self.context.cwd, path, mode)?
            {
                Opened::File(body) => {
                    if truncate {
                        body.truncate();
                    }
                    Open::file(body, append)
                }
                Opened::Device(device) => Open::device(device),
                Opened::Directory => return Err(Errno::IsDirectory),
            },
        )
    }
}
