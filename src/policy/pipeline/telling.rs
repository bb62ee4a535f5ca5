//! Who is told how a call has ended: its span, the counts, the host's observers, and the audit.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{Span, record_all};

use super::Run;
use crate::engine_kind::EngineKind;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::hybrid::{CallReport, Reason};
use crate::operation::Operation;
use crate::policy::Pipeline;
use crate::telemetry::Called;
use crate::telemetry::audit::{AuditEntry, AuditLimits, AuditLog, AuditOutcome, AuditReason};
use crate::telemetry::metrics;

impl Pipeline {
    /// Where such a call is put on record.
    pub(crate) fn audit_of(&self, operation: Operation) -> Option<&AuditLog> {
        let audit = self.telemetry.audit_of(operation);
        audit.filter(|_| !self.context.keeps_books)
    }
}

impl<'a> Run<'a> {
    /// Whether it may be done as far as the audit goes, which hears of it even where the caller goes away.
    pub(super) async fn admit(&mut self) -> Result<()> {
        let pipeline: &'a Pipeline = self.pipeline;
        let Some(audit) = pipeline.audit_of(self.call.operation) else {
            return Ok(());
        };
        // What was made without a record of it can only be removed.
        if !pipeline.cleans_up {
            let admitted = self.deadline.bound(audit.admit()).await;
            let named = |error: Error| {
                pipeline.telemetry.judge();
                let error = error.with_effect(Effect::NotSent);
                error.with_operation(self.call.operation)
            };
            admitted.and_then(|admitted| admitted).map_err(named)?;
        }
        self.audit = Some(audit);
        Ok(())
    }

    /// The blocking engine is about to be asked in the async one's place: that is told once a call.
    pub(super) fn takes_over(&mut self) {
        let reason = match &self.reason {
            _ if self.taken_over || self.next != EngineKind::Blocking => return,
            Reason::Breaker => "breaker",
            Reason::Fallback { kind, .. } => kind.as_str(),
            Reason::Mode | Reason::Rollout => return,
        };
        self.taken_over = true;
        self.pipeline.telemetry.fell_back(reason);
    }

    /// Tells whoever wants to know how it has ended; what it gives back waits until it is on record, within the call's time.
    pub(super) fn end<T>(&mut self, result: &Result<T>) -> impl Future<Output = ()> + use<T> {
        self.tell(result);
        let outcome = AuditOutcome::of(result);
        // It has its place from here on.
        let record = |audit: &AuditLog| audit.append(self.entry().with_outcome(outcome));
        let recorded = self.audit.map(record);
        // What cleans up has nobody who would wait, and may hold somebody else's place.
        let recorded = recorded.filter(|_| !self.pipeline.cleans_up);
        let deadline = self.deadline;
        async move {
            if let Some(recorded) = recorded {
                let _ = deadline.bound(recorded).await;
            }
        }
    }

    fn tell<T>(&mut self, result: &Result<T>) {
        self.ended = true;
        let pipeline = self.pipeline;
        told(self.span, result);
        record_all!(
            self.span,
            engine = self.next.as_str(),
            reason = %self.reason,
            attempts = self.attempts,
        );
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
            let ended = self.answered.unwrap_or_else(Instant::now);
            let elapsed = ended - self.began;
            let failure = result.as_ref().err().map(Error::kind);
            pipeline.telemetry.called(&Called {
                call: &self.call,
                engine: self.next,
                reason: &self.reason,
                ended,
                elapsed,
                failure,
            });
            self.report(elapsed, failure);
        }
    }

    /// Its caller has gone away.
    fn abandoned(&mut self) {
        let gone = Err::<(), _>(Error::new(ErrorKind::Cancelled, "the caller has gone away"));
        if let Some(span) = self.under_way.take() {
            told(&span, &gone);
            let outcome = ("outcome", ErrorKind::Cancelled.as_str());
            let labels = [("engine", self.next.as_str()), outcome];
            metrics::count(metrics::ATTEMPTS, &labels);
        }
        self.tell(&gone);
        if let Some(audit) = self.audit {
            // It has its place at once; nobody waits until it is written.
            drop(audit.append(self.entry().with_outcome(AuditOutcome::Abandoned)));
        }
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
            .with_object(owned(self.call.object))
            .with_attempts(self.attempts)
            .with_elapsed(self.began.elapsed())
            .with_reason(match &self.reason {
                Reason::Mode => AuditReason::Mode,
                Reason::Rollout => AuditReason::Rollout,
                Reason::Breaker => AuditReason::Breaker,
                Reason::Fallback { kind, effect, .. } => AuditReason::Fallback {
                    kind: *kind,
                    effect: *effect,
                },
            });
        let Some(made) = self.call.made else {
            return known;
        };
        let known = known.with_spec(made.spec.clone());
        let known = match made.name.get() {
            Some(name) => known.with_subject(name.clone()),
            None => known,
        };
        match made.seen.get() {
            Some(seen) => known
                .with_subject(seen.id.to_string())
                .with_image(seen.image_id.clone())
                .with_limits(AuditLimits::from(&seen.resources)),
            None => known,
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.abandoned();
        }
    }
}

/// Notes on a span how it has ended.
pub(super) fn told<T>(span: &Span, result: &Result<T>) {
    match result {
        Ok(_) => {
            span.record("outcome", "ok");
        }
        Err(error) => {
            let (outcome, effect) = (error.kind().as_str(), error.effect().as_str());
            record_all!(span, outcome = outcome, effect = effect);
        }
    }
}
