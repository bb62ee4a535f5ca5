//! Who is told how a call has ended: its span, the counts, the host's observers, and the audit.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::Span;
use tracing::field::display;

use super::Run;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::hybrid::CallReport;
use crate::telemetry::audit::{AuditEntry, AuditOutcome};
use crate::telemetry::{Abandoned, Called, entry};

impl Run<'_> {
    /// Whether it may be done as far as the audit goes, which hears of it even where the caller goes away.
    pub(super) async fn admit(&self) -> Result<Option<Abandoned>> {
        let telemetry = &self.pipeline.telemetry;
        let Some(audit) = telemetry.audit_of(self.call.operation) else {
            return Ok(None);
        };
        if self.pipeline.cleans_up {
            // What was made without a record of it can only be removed.
            return Ok(Some(Abandoned::new(audit, self.entry())));
        }
        let admitted = self.deadline.bound(audit.admit()).await;
        let named = |error: Error| {
            telemetry.judge();
            let error = error.with_effect(Effect::NotSent);
            error.with_operation(self.call.operation)
        };
        admitted.and_then(|admitted| admitted).map_err(named)?;
        Ok(Some(Abandoned::new(audit, self.entry())))
    }

    /// Tells whoever wants to know how it has ended, and gives back what waits until it is on record.
    pub(super) fn end<T>(
        &self,
        abandoned: Option<Abandoned>,
        result: &Result<T>,
    ) -> Option<BoxFuture<'static, ()>> {
        let pipeline = self.pipeline;
        told(&self.span, result);
        self.span.record("engine", self.next.as_str());
        self.span.record("reason", display(&self.reason));
        self.span.record("attempts", self.attempts);
        if let Err(error) = result
            && error.effect() == Effect::Unknown
            && !pipeline.looks
        {
            tracing::warn!(
                operation = %self.call.operation,
                error = format_args!("{error:#}"),
                "nobody knows what became of a call"
            );
        }
        if !pipeline.looks {
            let elapsed = self.began.elapsed();
            let failure = result.as_ref().err().map(Error::kind);
            pipeline.telemetry.called(&Called {
                call: &self.call,
                engine: self.next,
                reason: &self.reason,
                elapsed,
                failure,
            });
            self.report(elapsed, failure);
        }
        let abandoned = abandoned?;
        let entry = self.entry().with_outcome(AuditOutcome::of(result));
        Some(abandoned.ended(entry).boxed())
    }

    fn report(&self, elapsed: Duration, failure: Option<ErrorKind>) {
        if self.pipeline.observers.is_empty() {
            return;
        }
        let report = CallReport {
            operation: self.call.operation,
            subject: self.call.subject.map(str::to_owned),
            engine: self.next,
            reason: self.reason.clone(),
            attempts: self.attempts,
            elapsed,
            failure,
        };
        for observer in &self.pipeline.observers {
            observer.on_call(&report);
        }
    }

    /// What the audit keeps of it.
    fn entry(&self) -> AuditEntry {
        let context = &self.pipeline.context;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let known = AuditEntry::new(self.call.operation, self.next)
            .with_actor(owned(context.actor.as_deref()))
            .with_session(owned(context.session.as_deref()))
            .with_subject(owned(self.call.subject))
            .with_attempts(self.attempts)
            .with_elapsed(self.began.elapsed());
        entry(known, &self.reason, self.call.made)
    }
}

/// Notes on a span how it has ended.
pub(super) fn told<T>(span: &Span, result: &Result<T>) {
    match result {
        Ok(_) => {
            span.record("outcome", "ok");
        }
        Err(error) => {
            span.record("outcome", error.kind().as_str());
            span.record("effect", error.effect().as_str());
        }
    }
}
