//! Where records go.

use std::io;

use super::head::AuditHead;

/// Where a log's records go. [`AuditFile`](super::AuditFile) is the one that is given; a service that ships its records
/// elsewhere has its own.
///
/// It is called on the log's own thread, one call at a time, and may block there: what it does holds up the calls that are
/// to be recorded, not the event loop. A panic is a failure.
///
/// ```
/// use std::io;
/// use std::sync::{Arc, Mutex};
/// use catamaran::telemetry::audit::{AuditLog, AuditOptions, AuditSink};
///
/// struct Memory(Arc<Mutex<Vec<u8>>>);
///
/// impl AuditSink for Memory {
///     fn append(&mut self, lines: &[u8]) -> io::Result<()> {
///         let mut kept = self.0.lock().map_err(|_| io::Error::other("poisoned"))?;
///         kept.extend_from_slice(lines);
///         Ok(())
///     }
/// }
///
/// let kept = Arc::default();
/// let log = AuditLog::new(Memory(Arc::clone(&kept)), AuditOptions::default())?;
/// # let _ = log;
/// # Ok::<(), catamaran::Error>(())
/// ```
pub trait AuditSink: Send {
    /// Takes one or several whole lines, each with its end, all or none: once it returns `Ok` they are acknowledged, and
    /// after an error it is given the same bytes again, perhaps with more behind them in a later call.
    ///
    /// # Errors
    /// Whatever keeps it from taking them. Its text is shown in [`AuditStatus::failing`](super::AuditStatus::failing), so
    /// it mustn't hold a secret.
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;

    /// The record that the log goes on after; asked for once, before anything else. `None`, unless it is overridden: a new
    /// chain begins.
    fn head(&mut self) -> Option<AuditHead> {
        None
    }
}
