//! Every operation that changes something × every fault × each mode: what was asked happens once or not at all, and the
//! caller is told which. What has happened is counted by the engine's own events, out of band.

#[path = "../common/mod.rs"]
mod common;
mod operations;
mod real;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use catamaran::model::EventsOptions;
use catamaran::testing::{FakeEngine, Fault, Faults, Hold, Rule, When};
use catamaran::{
    AsyncEngine, CallContext, Config, ContainerBackend, Effect, Error, HybridBackend, Mode, Result,
};
use futures::{StreamExt, TryStreamExt};

use operations::{ALL, Operation, Things};

/// How long a call may take: a look that waits for a request to settle takes five seconds of it, and a start on a busy engine some more.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than any attempt waits.
const LONG: Duration = Duration::from_secs(3600);
const MODES: [Mode; 3] = [Mode::Async, Mode::Blocking, Mode::Auto];

/// What goes wrong with the first request of an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Refuse,
    ResetRequest,
    DropAnswer,
    Truncate,
    Malformed,
    Unavailable,
    RetryAfter,
    BadGateway,
    HoldAnswer,
    DelayRequest,
}

const WRONG: [Wrong; 10] = [
    Wrong::Refuse,
    Wrong::ResetRequest,
    Wrong::DropAnswer,
    Wrong::Truncate,
    Wrong::Malformed,
    Wrong::Unavailable,
    Wrong::RetryAfter,
    Wrong::BadGateway,
    Wrong::HoldAnswer,
    Wrong::DelayRequest,
];

impl Wrong {
    fn fault(self, hold: &Hold) -> Fault {
        match self {
            Self::Refuse => Fault::Refuse,
            Self::ResetRequest => Fault::ResetRequest(1),
            Self::DropAnswer => Fault::DropAnswer,
            Self::Truncate => Fault::Truncate(1),
            Self::Malformed => Fault::Malformed,
            Self::Unavailable => Fault::Status(503),
            Self::RetryAfter => Fault::RetryAfter(429, 1),
            Self::BadGateway => Fault::StatusAfter(502),
            Self::HoldAnswer => Fault::HoldAnswer(LONG),
            Self::DelayRequest => Fault::DelayRequestUntil(hold.clone()),
        }
    }

    /// Whether a request goes on although its caller has given up: nobody can say then that it won't happen.
    fn lingers(self) -> bool {
        matches!(self, Self::DelayRequest)
    }
}

/// What an engine is seen to have done, by its own account.
async fn count(witness: &dyn ContainerBackend, operation: &Operation, since: SystemTime) -> usize {
    let options = EventsOptions::default()
        .with_since(Some(since))
        .with_until(Some(SystemTime::now()));
    let events = witness.events(&options).await.expect("events");
    let events: Vec<_> = events.try_collect().await.expect("events");
    let (kind, action) = operation.effect;
    let told = |event: &&catamaran::model::Event| {
        event.kind.as_str() == kind && event.action.as_str() == action
    };
    events.iter().filter(told).count()
}

/// What the caller was told, against what has happened.
fn judge(told: &Result<()>, done: usize) -> std::result::Result<(), &'static str> {
    match told.as_ref().map_err(Error::effect) {
        _ if done > 1 => Err("it happened twice"),
        Ok(()) if done == 0 => Err("it is said to be done, and isn't"),
        Err(Effect::Done) if done == 0 => Err("it is said to have happened, and hasn't"),
        Err(Effect::NotSent | Effect::Rejected) if done > 0 => {
            Err("it is said not to have happened, and has")
        }
        _ => Ok(()),
    }
}

struct Case<'a> {
    operation: &'a Operation,
    wrong: Wrong,
    mode: Mode,
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} × {:?} × {}",
            self.operation.name, self.wrong, self.mode
        )
    }
}

impl Case<'_> {
    /// Whether the call must succeed: the fault comes once, and a second attempt or a look is all it takes.
    fn must_succeed(&self) -> bool {
        match self.wrong {
            Wrong::Unavailable | Wrong::RetryAfter | Wrong::BadGateway => !self.operation.once,
            // It hasn't happened when the call ends, and may yet: only what can be sent again without harm is.
            Wrong::DelayRequest => self.operation.resent,
            _ => !self.operation.once,
        }
    }

    /// Runs one call with one fault; what it makes is counted, then gone with the engine.
    async fn run(&self) -> std::result::Result<(), String> {
        let engine = FakeEngine::start().await.expect("a fake engine");
        let config = engine.config().expect("a configuration");
        let witness = AsyncEngine::new(&config).expect("an engine");
        let things = Things::make(&witness, self.operation).await;
        let since = SystemTime::now();
        let faults = engine.faults();
        let told = self.call(&config, faults, &things).await;
        let done = count(&witness, self.operation, since).await;
        judge(&told, done).map_err(|wrong| format!("{self}: {wrong}: {told:?}, {done} times"))?;
        if told.is_err() && self.must_succeed() {
            return Err(format!("{self}: it need not fail: {told:?}"));
        }
        Ok(())
    }

    async fn call(&self, config: &Config, faults: &Faults, things: &Things) -> Result<()> {
        let hold = Hold::new();
        let backend = HybridBackend::new(config).expect("a backend");
        // What the version is has been learnt before anything goes wrong.
        backend.ping().await.expect("a pong");
        let rule = Rule::new(
            self.operation.method,
            self.operation.path,
            self.wrong.fault(&hold),
        );
        let rule = faults.add(rule.when(When::First(1)));
        let bounded = CallContext::new().with_timeout(PATIENCE);
        let backend = backend.with_mode(self.mode).with_context(bounded);
        let told = (self.operation.act)(Arc::clone(&backend), things.clone()).await;
        let count = faults.count(rule);
        assert_eq!(count.faulted, 1, "{self}: the fault is met");
        if self.wrong.lingers() {
            hold.release();
            faults.until(rule, |count| count.acted == 1).await;
        }
        faults.clear();
        told
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_has_one_effect_whatever_goes_wrong() {
    let mut cases = Vec::new();
    for operation in ALL {
        for wrong in WRONG {
            for mode in MODES {
                cases.push(Case {
                    operation,
                    wrong,
                    mode,
                });
            }
        }
    }
    let all = cases.len();
    let ran = futures::stream::iter(&cases).map(Case::run);
    let ran: Vec<_> = ran.buffer_unordered(24).collect().await;
    let wrong: Vec<_> = ran
        .into_iter()
        .filter_map(std::result::Result::err)
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The judge finds what it is there for.
#[test]
fn the_judge_can_say_no() {
    let unknown = || Err(Error::new(catamaran::ErrorKind::Timeout, ""));
    let refused = || Err(Error::new(catamaran::ErrorKind::Conflict, ""));
    for (told, done, fine) in [
        (Ok(()), 1, true),
        (Ok(()), 0, false),
        (Ok(()), 2, false),
        (unknown(), 0, true),
        (unknown(), 1, true),
        (unknown(), 2, false),
        (refused(), 0, true),
        (refused(), 1, false),
    ] {
        assert_eq!(judge(&told, done).is_ok(), fine, "{told:?} {done}");
    }
}
