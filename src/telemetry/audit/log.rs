//! The log as a service has it.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
use tokio::sync::watch;

use super::file::AuditFile;
use super::head::AuditHead;
use super::options::{AuditFileOptions, AuditOptions};
use super::queue::Queue;
use super::record::AuditEntry;
use super::sink::AuditSink;
use super::status::{Appended, AuditStatus};
use super::writer::Writer;
use crate::error::{Effect, Error, ErrorKind, Result};

/// An audit log that is written. Clones share it; when the last one is dropped, what waits is written, and it ends.
///
/// What it promises, and what it can't, is told at its [module](super).
///
/// ```no_run
/// use catamaran::telemetry::audit::{Appended, AuditEntry, AuditLog};
/// use catamaran::{EngineKind, Operation};
///
/// # async fn example() -> catamaran::Result<()> {
/// let log = AuditLog::open("/var/log/notebooks/audit.jsonl")?;
/// let entry = AuditEntry::new(Operation::Kill, EngineKind::Async).with_actor("user-17".to_owned());
/// if let Appended::Written { seq } = log.append(entry).await {
///     println!("record {seq} outlives this process");
/// }
/// log.close(std::time::Duration::from_secs(5)).await
/// # }
/// ```
#[derive(Clone)]
pub struct AuditLog(Arc<Handle>);

/// Closes the log when it goes.
struct Handle(Arc<Queue>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditLog").field(&self.status()).finish()
    }
}

impl AuditLog {
    /// A log in this file, with all options as they are by default. [`new`](Self::new) takes others.
    ///
    /// # Errors
    /// As [`AuditFile::open`] and [`new`](Self::new).
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let file = AuditFile::open(path, AuditFileOptions::default())?;
        Self::new(file, AuditOptions::default())
    }

    /// A log in this sink, which goes on after the sink's [head](AuditSink::head).
    ///
    /// # Errors
    /// `Host` where no thread can be made.
    pub fn new(mut sink: impl AuditSink + 'static, options: AuditOptions) -> Result<Self> {
        let head = sink.head();
        let queue = Arc::new(Queue::new(options, head));
        let writer = Writer {
            queue: Arc::clone(&queue),
            sink: Box::new(sink),
            head,
        };
        writer.start()?;
        Ok(Self(Arc::new(Handle(queue))))
    }

    /// Waits until a call may begin, as the [policy](super::AuditPolicy) says: ask before anything is sent.
    ///
    /// Under [`Block`](super::AuditPolicy::Block), a sink that fails is tried once more, and where too many records wait
    /// their turn is waited for, both for [`patience`](AuditOptions::patience) at most. A sink that has been silent for so
    /// long isn't waited for again. Under [`Drop`](super::AuditPolicy::Drop) every call may begin.
    ///
    /// # Errors
    /// `Host` where the sink fails, `Cancelled` where the log is closed; both with [`Effect::NotSent`].
    ///
    /// # Cancel safety
    /// It may be dropped at any time.
    pub async fn admit(&self) -> Result<()> {
        self.0.0.admit().await
    }

    /// Records a call that has ended. The record has its place, before all later ones, once this *returns*; the future waits
    /// until it is acknowledged, for [`patience`](AuditOptions::patience) at most, and not at all while the sink fails.
    ///
    /// Where calls may begin only if they are [admitted](Self::admit), no record is ever dropped before the log is closed:
    /// what can't be written waits, in its order.
    ///
    /// # Cancel safety
    /// The future may be dropped, or never be polled: the record is written all the same.
    pub fn append(&self, entry: AuditEntry) -> impl Future<Output = Appended> + Send + use<> {
        let queue = Arc::clone(&self.0.0);
        let told = queue.push(entry);
        async move {
            match tokio::time::timeout(queue.options.patience, told).await {
                Ok(Ok(appended)) => appended,
                // The log has ended without having written it.
                Ok(Err(_)) => Appended::Dropped,
                Err(_) => {
                    queue.lose_patience();
                    Appended::Pending
                }
            }
        }
    }

    /// How it does.
    #[must_use]
    pub fn status(&self) -> AuditStatus {
        self.0.0.status()
    }

    /// The last record that was written: its hash stands for all before it. Kept where whoever can write the log can't, it
    /// lets [`verify`](super::verify) find a log that was rewritten or cut off.
    #[must_use]
    pub fn head(&self) -> Option<AuditHead> {
        self.status().head
    }

    /// Ends it: takes no more records, writes those that wait, and gives the file free. A sink that fails is tried once
    /// more.
    ///
    /// # Errors
    /// `Host` where records couldn't be written, or not in that time.
    ///
    /// # Cancel safety
    /// It may be dropped: the log ends all the same.
    pub async fn close(&self, patience: Duration) -> Result<()> {
        let queue = &self.0.0;
        queue.close();
        let message = match tokio::time::timeout(patience, queue.ended()).await {
            Ok(0) => return Ok(()),
            Ok(left) => format!("{left} records of the audit log couldn't be written"),
            Err(_) => "the audit log's sink didn't come back in time".to_owned(),
        };
        Err(Error::new(ErrorKind::Host, message).with_effect(Effect::NotSent))
    }

    /// Why the sink fails, and when it works again: each change of [`AuditStatus::failing`].
    #[cfg(test)]
    pub(crate) fn failing(&self) -> watch::Receiver<Option<String>> {
        self.0.0.failing()
    }
}
