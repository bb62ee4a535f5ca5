//! What the log says of alerts, and what becomes of them where it can't be written.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::{Alert, AlertKind, Alerts};
use crate::lock::lock;

use AlertKind::{AuditFailing, OrphansFound, SlowEngine};

/// Each line as its level and its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "advice" {
            self.0.push_str(&format!(" {field}={value:?}"));
        }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        lock(&self.0).push(fields.0);
    }
}

/// A log that can't be written.
struct Full;

impl<S: Subscriber> Layer<S> for Full {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        panic!("no space left");
    }
}

#[test]
fn each_that_is_told_is_a_line_of_its_severity() {
    let (alerts, lines) = (Alerts::default(), Lines::default());
    subscriber::with_default(registry().with(lines.clone()), || {
        alerts.raise(SlowEngine, Some("async"), "3 s");
        alerts.raise(SlowEngine, Some("async"), "4 s");
        alerts.raise(AuditFailing, None, "full");
        alerts.event(OrphansFound, None, "2 of them");
        alerts.recover(SlowEngine, Some("async"), "1 s");
    });
    let expected = [
        r#"WARN message=3 s alert="slow_engine" subject="async" count=0"#,
        r#"ERROR message=full alert="audit_failing" count=0"#,
        r#"INFO message=2 of them alert="orphans_found" count=0"#,
        r#"INFO message=recovered: 1 s alert="slow_engine" subject="async" count=1"#,
    ];
    assert_eq!(*lock(&lines.0), expected);
}

#[test]
fn what_can_not_be_logged_does_not_silence_the_rest() {
    let alerts = Alerts::default();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&told);
    alerts.on_alert(Arc::new(move |alert: &Alert| {
        lock(&seen).push(alert.to_string());
    }));
    let raised = subscriber::with_default(registry().with(Full), || {
        catch_unwind(AssertUnwindSafe(|| alerts.raise(SlowEngine, None, "slow")))
    });
    assert!(raised.is_err(), "the log panics");
    alerts.raise(AuditFailing, None, "full");
    assert_eq!(*lock(&told), ["critical audit_failing: full"]);
}
