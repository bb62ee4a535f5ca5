//! What is a label of the metrics is called there as it is in JSON.

use std::fmt::Debug;

use catamaran::session::{Origin, Phase, SessionState};
use catamaran::telemetry::alerts::{AlertKind, AlertSeverity};
use catamaran::{BreakerState, Effect, EngineKind, ErrorKind, Operation};
use serde::Serialize;

fn named<T: Serialize + Debug + Copy>(all: &[T], name: impl Fn(T) -> &'static str) {
    for one in all {
        let json = serde_json::to_value(one).expect("JSON");
        assert_eq!(json, name(*one), "{one:?}");
    }
}

#[test]
fn each_variant_has_one_name() {
    use ErrorKind as K;
    named(AlertKind::ALL, AlertKind::as_str);
    named(Operation::ALL, Operation::as_str);
    named(
        &[
            AlertSeverity::Info,
            AlertSeverity::Warning,
            AlertSeverity::Critical,
        ],
        AlertSeverity::as_str,
    );
    named(
        &[
            BreakerState::Closed,
            BreakerState::Open,
            BreakerState::Probing,
        ],
        BreakerState::as_str,
    );
    named(
        &[EngineKind::Async, EngineKind::Blocking],
        EngineKind::as_str,
    );
    named(
        &[
            Effect::NotSent,
            Effect::Rejected,
            Effect::Unknown,
            Effect::Done,
        ],
        Effect::as_str,
    );
    named(
        &[
            SessionState::Starting,
            SessionState::Ready,
            SessionState::Unhealthy,
            SessionState::Paused,
            SessionState::Stopped,
            SessionState::Gone,
        ],
        SessionState::as_str,
    );
    named(
        &[
            Origin::Cold,
            Origin::Warm,
            Origin::Existing,
            Origin::Resumed,
            Origin::Adopted,
        ],
        Origin::as_str,
    );
    named(
        &[
            Phase::Admission,
            Phase::Image,
            Phase::Create,
            Phase::Start,
            Phase::Ready,
            Phase::Setup,
            Phase::Confirm,
        ],
        Phase::as_str,
    );
    named(
        &[
            K::InvalidInput,
            K::Config,
            K::Unsupported,
            K::Connect,
            K::Transport,
            K::Timeout,
            K::Saturated,
            K::Unavailable,
            K::OutputLost,
            K::Decode,
            K::TooLarge,
            K::NotFound,
            K::Conflict,
            K::Denied,
            K::Refused,
            K::Engine,
            K::Weakened,
            K::Container,
            K::Unsafe,
            K::Host,
            K::Cancelled,
        ],
        K::as_str,
    );
}
