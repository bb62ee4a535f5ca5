//! How a log works, and what it does when it can't be written.

use std::time::Duration;

use crate::model::setters;

/// What becomes of calls while the sink fails.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditPolicy {
    /// Nothing is done that can't be recorded. While the sink fails, each call is refused before anything is sent
    /// ([`Host`](crate::ErrorKind::Host), [`NotSent`](crate::Effect::NotSent)), after one more try to write what waits. The
    /// records of calls that were under way are kept in their order, and written when the sink works again.
    #[default]
    Block,
    /// Calls go on. While the sink fails, records wait as long as there is room
    /// ([`AuditOptions::pending`]); the others are dropped and counted, and the next record that is written says how many
    /// were dropped before it ([`AuditRecord::lost`](super::AuditRecord::lost)).
    Drop,
}

/// How a log works.
///
/// ```
/// use std::time::Duration;
/// use catamaran::telemetry::audit::{AuditOptions, AuditPolicy};
///
/// let options = AuditOptions::default()
///     .with_policy(AuditPolicy::Drop)
///     .with_pending(100_000usize)
///     .with_patience(Duration::from_secs(1));
/// # let _ = options;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOptions {
    /// What becomes of calls while the sink fails; [`Block`](AuditPolicy::Block) unless set.
    pub policy: AuditPolicy,
    /// So many records may wait, at least 1; 4096 unless set. One takes up to a few kilobytes. Under
    /// [`Block`](AuditPolicy::Block) no call begins while so many wait, and those of calls that have begun come on top.
    pub pending: usize,
    /// A sink that holds a record for longer than this fails, and nobody waits for it any more; 5 s unless set.
    pub patience: Duration,
    /// After this a sink that fails is tried again, though nobody asks for it; 1 s unless set.
    pub pause: Duration,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            policy: AuditPolicy::Block,
            pending: 4096,
            patience: Duration::from_secs(5),
            pause: Duration::from_secs(1),
        }
    }
}

impl AuditOptions {
    setters! {
        /// Sets what becomes of calls while the sink fails.
        with_policy(policy: AuditPolicy);
        /// Sets how many records may wait.
        with_pending(pending: usize);
        /// Sets how long a record may take.
        with_patience(patience: Duration);
        /// Sets after which time a sink that fails is tried again.
        with_pause(pause: Duration);
    }
}

/// What an acknowledged record survives.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the process, by SIGKILL too: it was handed to the kernel. A crash of the machine may take the last ones.
    #[default]
    Process,
    /// A crash of the machine: it was written to the disk (`fdatasync`), as far as the disk tells. Calls wait for that.
    Disk,
}

/// How a log's file is kept.
///
/// ```
/// use catamaran::telemetry::audit::{AuditFileOptions, Durability};
///
/// let options = AuditFileOptions::default()
///     .with_max_bytes(8u32 << 20)
///     .with_keep(100u32)
///     .with_durability(Durability::Disk);
/// # let _ = options;
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFileOptions {
    /// A file that would grow past so many bytes is rotated before; 64 MiB unless set. One write, of up to 144 KiB, goes
    /// into one file.
    pub max_bytes: u64,
    /// So many rotated files are kept, and the oldest deleted: 16 unless set, at least 1, `u32::MAX` for all.
    pub keep: u32,
    /// What an acknowledged record survives; the end of the process unless set.
    pub durability: Durability,
}

impl Default for AuditFileOptions {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            keep: 16,
            durability: Durability::Process,
        }
    }
}

impl AuditFileOptions {
    setters! {
        /// Sets the size at which a file is rotated, in bytes.
        with_max_bytes(max_bytes: u64);
        /// Sets how many rotated files are kept.
        with_keep(keep: u32);
        /// Sets what an acknowledged record survives.
        with_durability(durability: Durability);
    }
}
