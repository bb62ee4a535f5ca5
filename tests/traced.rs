//! A call is a span, and its attempts are within it. In a process of its own, one test after the other: `tracing` remembers for the
//! whole process who wants which spans.

#[allow(dead_code, reason = "other tests take more of it")]
#[path = "telemetry/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use catamaran::testing::{Fault, Hold, Rule};
use catamaran::{AsyncEngine, BlockingEngine, CallContext, ContainerBackend, HybridBackend};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Instrument, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use stage::*;

/// Held by the test that runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A span as it was when it ended.
#[derive(Debug, Clone, Default)]
struct Span {
    name: &'static str,
    within: Option<u64>,
    fields: BTreeMap<&'static str, String>,
}

#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<u64, Span>>>);

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        self.0
            .insert(field.name(), value.trim_matches('"').to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut span = Span {
            name: attributes.metadata().name(),
            within: context
                .span(id)
                .and_then(|span| Some(span.parent()?.id().into_u64())),
            ..Span::default()
        };
        attributes.record(&mut Fields(&mut span.fields));
        self.0.lock().expect("no panic").insert(id.into_u64(), span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _context: Context<'_, S>) {
        if let Some(span) = self.0.lock().expect("no panic").get_mut(&id.into_u64()) {
            values.record(&mut Fields(&mut span.fields));
        }
    }
}

impl Spans {
    fn named(&self, name: &str) -> Vec<(u64, Span)> {
        let spans = self.0.lock().expect("no panic");
        let named = spans.iter().filter(|(_, span)| span.name == name);
        named.map(|(id, span)| (*id, span.clone())).collect()
    }
}

#[tokio::test]
async fn a_call_that_falls_back_shows_both_attempts_within_the_callers_own_span() {
    let _alone = ALONE.lock().await;
    let (engine, gone) = (engine().await, engine().await);
    let proxy = proxy(&gone).await;
    let dead = AsyncEngine::new(&proxy.config().expect("one")).expect("an engine");
    let live = BlockingEngine::new(&engine.config().expect("one")).expect("an engine");
    proxy.disconnect();
    let backend = HybridBackend::over(Arc::new(dead), Arc::new(live));
    let created = direct(&engine)
        .create(&spec("one"))
        .await
        .expect("it is made");
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    let _taken = tracing::subscriber::set_default(subscriber);
    let context = CallContext::new().with_session("alice/demo");
    let backend = backend.with_context(context);
    let asked = async { backend.inspect(&created.id).await.expect("it is there") };
    asked.instrument(tracing::info_span!("request")).await;

    let [(request, _)] = &spans.named("request")[..] else {
        panic!("one");
    };
    let [(id, call)] = &spans.named("call")[..] else {
        panic!("one: {:?}", spans.named("call"));
    };
    assert_eq!(call.within, Some(*request), "the caller's context is kept");
    for (field, value) in [
        ("operation", "inspect"),
        ("session", "alice/demo"),
        ("subject", created.id.as_str()),
        ("engine", "blocking"),
        ("attempts", "2"),
        ("outcome", "ok"),
    ] {
        assert_eq!(call.fields[field], value, "{call:?}");
    }
    let attempts = spans.named("attempt");
    let all: Vec<_> = (attempts.iter())
        .map(|(_, one)| (&*one.fields["engine"], &*one.fields["outcome"], one.within))
        .collect();
    assert_eq!(
        all,
        [
            ("async", "connect", Some(*id)),
            ("blocking", "ok", Some(*id))
        ]
    );
    assert_eq!(attempts[0].1.fields["effect"], "not_sent", "{attempts:?}");
}

#[tokio::test]
async fn a_caller_that_goes_away_shows_in_both_spans() {
    let _alone = ALONE.lock().await;
    let engine = engine().await;
    let backend = direct(&engine);
    let hold = Hold::new();
    let held = Fault::HoldAnswerUntil(hold.clone());
    let rule = (engine.faults()).add(Rule::new("GET", "/version", held));
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    let _taken = tracing::subscriber::set_default(subscriber);
    tokio::select! {
        _ = backend.version() => panic!("nobody answers"),
        () = engine.faults().until(rule, |count| count.matched > 0) => {}
    }
    for name in ["call", "attempt"] {
        let [(_, span)] = &spans.named(name)[..] else {
            panic!("one: {:?}", spans.named(name));
        };
        assert_eq!(span.fields["outcome"], "cancelled", "{span:?}");
        assert_eq!(span.fields["engine"], "async", "{span:?}");
    }
    hold.release();
}

/// A subscriber that wants less than debug: the callers' own spans stay as they made them.
#[tokio::test]
async fn where_debug_is_off_the_callers_span_is_left_alone() {
    let _alone = ALONE.lock().await;
    let engine = engine().await;
    let backend = direct(&engine);
    let spans = Spans::default();
    let info = tracing_subscriber::filter::LevelFilter::INFO;
    let subscriber = tracing_subscriber::registry().with(spans.clone().with_filter(info));
    let _taken = tracing::subscriber::set_default(subscriber);
    let request = tracing::info_span!(
        "request",
        outcome = tracing::field::Empty,
        engine = tracing::field::Empty,
        attempts = tracing::field::Empty,
        queue_ms = tracing::field::Empty,
    );
    let asked = async { backend.version().await.expect("an answer") };
    asked.instrument(request).await;
    let [(_, request)] = &spans.named("request")[..] else {
        panic!("one");
    };
    assert!(request.fields.is_empty(), "{request:?}");
    assert!(spans.named("call").is_empty());
}
