//! What is drawn at random: calls, what goes wrong on their way, and when callers go away.

use std::time::Duration;

use catamaran::Mode;
use catamaran::testing::{Fault, Hold, Personality};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Create,
    CreateNamed,
    Start,
    Stop,
    Restart,
    Kill,
    /// A signal that nobody can see.
    Signal,
    Pause,
    Unpause,
    Rename,
    Update,
    Remove,
    Inspect,
    List,
    Wait,
    Exec,
    CreateNetwork,
    RemoveNetwork,
    CreateVolume,
    CreateVolumeNamed,
    RemoveVolume,
}

use Verb as V;

impl Verb {
    pub fn makes(self) -> bool {
        let volume = matches!(self, V::CreateVolume | V::CreateVolumeNamed);
        volume || matches!(self, V::Create | V::CreateNamed | V::CreateNetwork)
    }

    pub fn names(self) -> bool {
        let volume = self == V::CreateVolumeNamed;
        volume || matches!(self, V::CreateNamed | V::CreateNetwork | V::Rename)
    }

    /// Whether it takes a container that runs.
    pub fn needs_life(self) -> bool {
        let ends = matches!(self, V::Stop | V::Kill | V::Signal);
        ends || matches!(self, V::Pause | V::Unpause | V::Exec)
    }
}

/// When a caller goes away.
#[derive(Clone, Copy, Debug)]
pub enum Leave {
    /// After so many polls of its future.
    Polls(u16),
    /// After so many hundredths of the deadline.
    After(u32),
    /// When so many requests of the step were seen.
    Seen(u64),
}

#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub verb: Verb,
    /// To what: the so-manieth from the last.
    pub slot: usize,
    /// The name to give, or the exit code.
    pub other: usize,
    pub leave: Option<Leave>,
}

#[derive(Clone, Debug)]
pub struct Trouble {
    /// Which request of the step.
    pub nth: u64,
    /// Its times are as if the deadline were a second.
    fault: Fault,
    /// A creation that is held up arrives after all steps.
    pub late: bool,
}

impl Trouble {
    /// Whether the request may arrive when its caller is gone. With a latency it goes along with its connection, but that
    /// of a blocking attempt that was given up is open until its lane has had some turns.
    pub fn delays(&self) -> bool {
        let fault = &self.fault;
        let latency = matches!(fault, Fault::Latency(_));
        latency || matches!(fault, Fault::DelayRequest(_) | Fault::DelayRequestUntil(_))
    }

    /// Whether something on the way answers in the engine's place.
    pub fn lies(&self) -> bool {
        let fault = &self.fault;
        let later = matches!(fault, Fault::StatusAfter(_));
        later || matches!(fault, Fault::Status(_) | Fault::RetryAfter(..))
    }

    /// The fault for calls with this deadline, held up until that is released.
    pub fn fault(&self, deadline: Duration, hold: &Hold) -> Fault {
        let part = |of: &Duration| of.mul_f64(deadline.as_secs_f64());
        match &self.fault {
            Fault::HoldAnswer(of) => Fault::HoldAnswer(part(of)),
            Fault::DelayRequest(of) => Fault::DelayRequest(part(of)),
            Fault::Latency(of) => Fault::Latency(part(of)),
            Fault::Drip(bytes, of) => Fault::Drip(*bytes, part(of)),
            Fault::HoldAnswerUntil(_) => Fault::HoldAnswerUntil(hold.clone()),
            Fault::DelayRequestUntil(_) => Fault::DelayRequestUntil(hold.clone()),
            fault => fault.clone(),
        }
    }
}

/// What happens while calls are under way, after so many hundredths of the deadline.
#[derive(Clone, Copy, Debug)]
pub enum Weather {
    /// No way to the engine, for so many hundredths of the deadline.
    Outage(u32, u32),
    /// The clock is so much further: a machine that slept.
    Jump(u32, u32),
    /// Calls that begin now go another way.
    Switch(u32, Mode),
}

#[derive(Clone, Debug)]
pub struct Step {
    pub callers: Vec<Caller>,
    pub troubles: Vec<Trouble>,
    pub weather: Option<Weather>,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub personality: Personality,
    pub deadline: usize,
    pub mode: Mode,
    pub steps: Vec<Step>,
}

fn caller() -> impl Strategy<Value = Caller> {
    let acts = [
        V::Start,
        V::Stop,
        V::Restart,
        V::Kill,
        V::Signal,
        V::Pause,
        V::Unpause,
    ];
    let things = [
        V::CreateNetwork,
        V::RemoveNetwork,
        V::CreateVolume,
        V::CreateVolumeNamed,
    ];
    let verb = prop_oneof![
        6 => select(&[V::Create, V::CreateNamed][..]),
        8 => select(acts.to_vec()),
        3 => select(&[V::Rename, V::Update, V::Remove][..]),
        4 => select(&[V::Exec, V::Exec, V::Signal][..]),
        3 => select(&[V::Inspect, V::List, V::Wait][..]),
        4 => select(things.to_vec()),
        1 => Just(V::RemoveVolume),
    ];
    let leave = prop_oneof![
        (1..60_u16).prop_map(Leave::Polls),
        (0..100_u32).prop_map(Leave::After),
        (1..6_u64).prop_map(Leave::Seen),
    ];
    let all = (verb, 0..4_usize, 0..4_usize, weighted(0.2, leave));
    all.prop_map(|(verb, slot, other, leave)| Caller {
        verb,
        slot,
        other,
        leave,
    })
}

/// Every fault there is. An answer that the engine alone gives (404, 409) is no fault of the way: who believes it isn't
/// wrong. Nor is a 500 of an engine that has acted: where nobody can look it is taken at its word, as is documented.
fn fault() -> impl Strategy<Value = Fault> {
    let bytes = || select(&[0_u64, 1, 20][..]);
    let part = || (10..150_u64).prop_map(|of| Duration::from_millis(of * 10));
    let little = (0..200_u64).prop_map(Duration::from_millis);
    prop_oneof![
        3 => Just(Fault::DropAnswer),
        1 => Just(Fault::Refuse),
        1 => Just(Fault::Malformed),
        1 => Just(Fault::HoldAnswerUntil(Hold::new())),
        2 => Just(Fault::DelayRequestUntil(Hold::new())),
        1 => bytes().prop_map(Fault::ResetRequest),
        1 => bytes().prop_map(Fault::Truncate),
        2 => part().prop_map(Fault::HoldAnswer),
        1 => part().prop_map(Fault::DelayRequest),
        1 => part().prop_map(Fault::Latency),
        1 => (1..50_usize, little).prop_map(|(bytes, time)| Fault::Drip(bytes, time)),
        1 => select(&[429, 500, 502, 503, 504][..]).prop_map(Fault::Status),
        1 => (select(&[429, 503][..]), 0..2_u64).prop_map(|(as_, after)| Fault::RetryAfter(as_, after)),
        2 => select(&[502, 503, 504][..]).prop_map(Fault::StatusAfter),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let nth = prop_oneof![4 => Just(1_u64), 3 => 2..=3_u64, 1 => 4..=8_u64];
    let trouble = (nth, fault(), any::<bool>());
    let trouble = trouble.prop_map(|(nth, fault, late)| Trouble { nth, fault, late });
    let modes = select(&[Mode::Async, Mode::Blocking, Mode::Auto][..]);
    let weather = prop_oneof![
        (0..100_u32, 10..200_u32).prop_map(|(after, long)| Weather::Outage(after, long)),
        (0..100_u32, 10..400_u32).prop_map(|(after, by)| Weather::Jump(after, by)),
        (0..50_u32, modes).prop_map(|(after, mode)| Weather::Switch(after, mode)),
    ];
    let callers = prop_oneof![3 => vec(caller(), 1), 1 => vec(caller(), 2..=3)];
    let troubles = prop_oneof![2 => Just(Vec::new()), 4 => vec(trouble, 1..=2)];
    let all = (callers, any::<bool>(), troubles, weighted(0.15, weather));
    all.prop_map(|(mut callers, meet, mut troubles, weather)| {
        let slot = callers.first().map_or(0, |first| first.slot);
        callers
            .iter_mut()
            .filter(|_| meet)
            .for_each(|caller| caller.slot = slot);
        // A request that arrives seconds after its connection broke is beyond what is promised (docs/policies.md): an
        // engine acts at once on what it has got.
        if matches!(weather, Some(Weather::Outage(..))) {
            troubles.retain(|trouble| !trouble.delays());
        }
        Step {
            callers,
            troubles,
            weather,
        }
    })
}

pub fn case() -> impl Strategy<Value = Case> {
    let modes = select(&[Mode::Async, Mode::Blocking, Mode::Auto, Mode::Auto][..]);
    let engine = prop_oneof![Just(Personality::Docker28), select(&Personality::ALL[..])];
    let all = (engine, 0..4_usize, modes, vec(step(), 1..=10));
    all.prop_map(|(personality, deadline, mode, steps)| Case {
        personality,
        deadline,
        mode,
        steps,
    })
}
