//! Redirections.

use super::super::errno::Errno;
use super::super::files::Writing;
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
            let (view, cwd) = (self.context.view(), &self.context.cwd);
            let mode = 0o666 & !self.umask;
            let opened = match &redirection.to {
                Target::Read(_) => view.open(cwd, &text),
                Target::Write(_) => view.create(cwd, &text, mode, Writing::Truncate),
                Target::Append(_) => view.create(cwd, &text, mode, Writing::Append),
                Target::Both(_) => view.create(cwd, &text, mode, Writing::Over),
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
}
