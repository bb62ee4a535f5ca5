//! A call that the audit is to hear of, however it ends.

use std::future::Future;

use futures::FutureExt;

use super::audit::{AuditEntry, AuditLog, AuditOutcome, AuditReason};
use crate::hybrid::Reason;
use crate::policy::Made;

/// Dropped before the call's end (its caller has gone away), it is on record as abandoned.
#[derive(Debug)]
pub(crate) struct Abandoned {
    audit: AuditLog,
    entry: Option<AuditEntry>,
}

impl Abandoned {
    pub(crate) fn new(audit: &AuditLog, entry: AuditEntry) -> Self {
        Self {
            audit: audit.clone(),
            entry: Some(entry.with_outcome(AuditOutcome::Abandoned)),
        }
    }

    /// It has ended: whoever asked is told once it is on record.
    pub(crate) fn ended(mut self, entry: AuditEntry) -> impl Future<Output = ()> + Send + 'static {
        self.entry = None;
        self.audit.append(entry).map(drop)
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            // It has its place at once; nobody waits until it is written.
            drop(self.audit.append(entry));
        }
    }
}

/// What the audit keeps of why an engine was asked, and of what was made.
pub(crate) fn entry(entry: AuditEntry, reason: &Reason, made: Option<&Made>) -> AuditEntry {
    let entry = entry.with_reason(match reason {
        Reason::Mode => AuditReason::Mode,
        Reason::Rollout => AuditReason::Rollout,
        Reason::Breaker => AuditReason::Breaker,
        Reason::Fallback { kind, effect, .. } => AuditReason::Fallback {
            kind: *kind,
            effect: *effect,
        },
    });
    let Some(made) = made else {
        return entry;
    };
    let entry = entry.with_spec(made.spec.clone());
    match made.seen.get() {
        Some(seen) => entry
            .with_subject(seen.id.to_string())
            .with_image(seen.image_id.clone())
            .with_limits(super::audit::AuditLimits::from(&seen.resources)),
        None => entry,
    }
}
