//! The audit log: who had what done to which container, by which engine and why, and how it ended.
//!
//! | To | take |
//! |---|---|
//! | write a log | [`AuditLog`], [`AuditFile`] for how its file is kept, [`AuditOptions`] for what happens when it can't be |
//! | write it somewhere else | [`AuditSink`] |
//! | read it again | [`read()`], which gives [`AuditRecord`]s |
//! | see whether it is as it was written | [`verify()`], or `cargo run --example audit_verify -- PATH` |
//! | add what a service does by itself | [`AuditEntry`] |
//!
//! # A record
//! One line, one JSON object; what isn't known isn't there:
//!
//! ```json
//! {"v":1,"seq":7,"time":"2026-01-01T12:00:00.000000Z","actor":"user-17","operation":"create","subject":"notebook-17",
//!  "engine":"blocking","reason":"fallback","path_failure":"connect","path_effect":"not_sent","attempts":2,
//!  "spec":"9f…","image":"sha256:…","limits":{"memory":268435456,"cpus":1.0,"pids":128},
//!  "outcome":"ok","elapsed_ms":412.7,"prev":"3b…","hash":"a1…"}
//! ```
//!
//! There is no field for an environment, a command, a file, a credential or an error's message: a spec is told by its hash, a
//! failure by its kind. An actor, a session and a subject are written as they are given, up to 256 characters.
//!
//! # The chain
//! `prev` is the `hash` of the record before it; zeros in the first. `hash` is the SHA-256 of the line up to the comma before
//! `"hash"`, so that anybody can make it again:
//!
//! ```text
//! sed -n 7p audit.jsonl | sed 's/,"hash":"[0-9a-f]*"}$//' | tr -d '\n' | sha256sum
//! ```
//!
//! The numbers and the chain go on from file to file when the log is rotated, and from process to process. So a byte that was
//! flipped, a line that was removed, and one that was put elsewhere are each found. (Each file begins with a line that says
//! with which record, so that the first ones can't go unseen.)
//!
//! What a chain can't show by itself: whoever can write the files can make them all anew, hashes included, or cut off
//! their end. Keep [heads](AuditLog::head) where the writer can't reach them (another machine, a ticket, a mail) and hold the
//! log against them ([`VerifyOptions::expecting`]): then neither is possible up to the last head that was kept. When old
//! files are deleted, the report says with which record the rest begins.
//!
//! # What isn't lost
//! A record is *acknowledged* when its bytes were handed to the kernel, or, with [`Durability::Disk`], written to the disk. A
//! SIGKILL loses none that was acknowledged, and tears no chain: what it leaves of an unfinished line is cut off when the log
//! is opened again. A thread of its own writes, many records at once where many wait; the event loop never does. Calls that
//! end while a process is killed may have happened without a record: they weren't acknowledged.
//!
//! # When it can't be written
//! The disk is full, the sink fails, or is silent for [`patience`](AuditOptions::patience). The [`AuditPolicy`] says what
//! becomes of calls then:
//!
//! | | [`Block`](AuditPolicy::Block) | [`Drop`](AuditPolicy::Drop) |
//! |---|---|---|
//! | a call that would begin | is refused, nothing is sent; the sink is tried once more before | goes on |
//! | a call that was under way | ends as it ends; its record waits ([`Appended::Pending`]) | its record waits, or is dropped where too many do |
//! | when the sink works again | what waits is written, in order, and calls go on | what waits is written; the next record says how many were `lost` |
//! | what is lost | nothing, as long as the process lives; what waits, when it is killed | the same, and what was dropped |
//!
//! Either way [`AuditStatus`] says that it fails and why. It is tried again by itself every
//! [`pause`](AuditOptions::pause).

mod admission;
mod chain;
mod fault;
mod file;
mod head;
mod kin;
mod log;
mod options;
mod queue;
mod read;
mod record;
mod sink;
mod status;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use fault::{AuditFault, AuditProblem};
pub use file::AuditFile;
pub use head::{AuditHash, AuditHead};
pub use log::AuditLog;
pub use options::{AuditFileOptions, AuditOptions, AuditPolicy, Durability};
pub use read::{AuditReader, read};
pub use record::{AuditEntry, AuditLimits, AuditOutcome, AuditReason, AuditRecord};
pub use sink::AuditSink;
pub use status::{Appended, AuditStatus};
pub use verify::{AuditReport, VerifyOptions, verify};
