//! What an engine does and answers, and that each effect is there as often as was asked.

use std::collections::BTreeMap;

use crate::client::Asked;
use crate::engine::{Moment, World};
use crate::model::{Call, Ended, Fate, Judged, bad};
use crate::steps::{Verb, Verb as V};

/// What an engine answers in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Does,
    Already,
    Refuses,
}

pub fn wanted(asked: &Asked, world: &World) -> Want {
    let does = |does: bool| if does { Want::Does } else { Want::Refuses };
    match asked.verb {
        V::CreateNamed => return does(!world.holds(&asked.name)),
        V::CreateNetwork => return does(!world.networks.values().any(|name| *name == asked.name)),
        V::RemoveNetwork => return does(world.networks.contains_key(&asked.target)),
        V::RemoveVolume => return does(world.volumes.contains(&asked.target)),
        // Who asks for a volume that is there gets it.
        V::Create | V::List | V::CreateVolume | V::CreateVolumeNamed => return Want::Does,
        _ => {}
    }
    let Some(one) = world.containers.get(&asked.target) else {
        return Want::Refuses;
    };
    let (runs, paused) = (one.state == "running", one.state == "paused");
    match asked.verb {
        V::Start if runs => Want::Already,
        V::Stop if !runs && !paused => Want::Already,
        V::Start => does(!paused),
        V::Kill | V::Signal => does(runs || paused),
        V::Pause | V::Exec => does(runs),
        V::Unpause => does(paused),
        V::Rename => does(!world.holds(&asked.name)),
        _ => Want::Does,
    }
}

/// The events by which a call's effect is told: its own first, and those that come along.
fn effects(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::Start => &["start"],
        Verb::Stop => &["stop"],
        Verb::Restart => &["restart", "start", "stop"],
        Verb::Kill => &["kill 9"],
        Verb::Signal => &["kill 18"],
        Verb::Pause => &["pause"],
        Verb::Unpause => &["unpause"],
        Verb::Rename => &["rename"],
        Verb::Update => &["update"],
        Verb::Remove => &["destroy", "kill 9"],
        Verb::RemoveNetwork | Verb::RemoveVolume => &["destroy"],
        _ => &[],
    }
}

/// Whether a second attempt, or a look, may find that it is so: not since when, and not whose effect that is.
pub fn finds(verb: Verb, many: bool) -> bool {
    match verb {
        V::Stop | V::Remove | V::RemoveNetwork | V::RemoveVolume => true,
        V::Kill | V::Pause | V::Unpause | V::Rename => many,
        _ => false,
    }
}

/// What may come twice: an update is sent again without a look. The others are sent again where they aren't seen to have
/// happened, and another caller may have undone them meanwhile. So is the removal of a volume, which has no id: another of its
/// name that is made within the same second is the same to a look.
fn may_come_again(action: &str, many: bool) -> bool {
    action == "update"
        || many && matches!(action, "stop" | "pause" | "unpause" | "rename" | "destroy")
}

/// `given` is what callers were given: what they weren't goes in the background.
pub fn judge(ended: &Ended, given: impl Fn(&String) -> bool) -> Judged {
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in ended.moments.iter().filter(|one| given(&one.actor)) {
        *seen.entry((&one.actor, &one.action)).or_default() += 1;
    }
    for (&(actor, action), &count) in &seen {
        not_too_often(ended, actor, action, count)?;
    }
    let done = |actor: &str, action: &str| seen.contains_key(&(actor, action));
    ended
        .calls
        .iter()
        .try_for_each(|call| match call.asked.verb {
            Verb::Exec => ran(ended, call),
            _ => is_done(ended, call, done),
        })
}

fn not_too_often(ended: &Ended, actor: &str, action: &str, count: usize) -> Judged {
    const TOLD: [&str; 8] = [
        "start", "restart", "stop", "pause", "unpause", "rename", "update", "destroy",
    ];
    if !TOLD.contains(&action) && !matches!(action, "kill 9" | "kill 18") {
        return Ok(());
    }
    let asked = ended
        .calls
        .iter()
        .filter(|call| call.asked.target == actor && effects(call.asked.verb).contains(&action));
    let (no, may): (Vec<_>, Vec<_>) = asked.partition(|call| call.fate() == Fate::No);
    // Who removes one that is started again meanwhile kills it again.
    let removes = action == "kill 9" && may.iter().any(|call| call.asked.verb == Verb::Remove);
    let again = ended.troubled && may_come_again(action, ended.calls.len() > 1) || removes;
    match may.len() {
        0 if no.is_empty() => bad("LOST: nobody asked for it", (actor, action)),
        0 => bad("EFFECT: said not to be done, and was", no),
        most if count > most && !again => bad("TWICE: done more than once", (action, may)),
        _ => Ok(()),
    }
}

fn ran(ended: &Ended, call: &Call) -> Judged {
    let line = format!(" {};", call.asked.token);
    let its = |one: &&Moment| one.action == "exec_start" && one.detail.contains(&line);
    match (call.fate(), ended.moments.iter().filter(its).count()) {
        (_, 2..) => bad("TWICE: a command ran more than once", call),
        (Fate::No, 1) => bad("EFFECT: said not to be done, and was", call),
        (Fate::Did, 0) => bad("LOST: said to be done, and wasn't", call),
        _ => Ok(()),
    }
}

fn is_done(ended: &Ended, call: &Call, done: impl Fn(&str, &str) -> bool) -> Judged {
    let verb = call.asked.verb;
    let own = match verb {
        // Another's start is its own for all that a look can see.
        Verb::Restart if ended.troubled && ended.calls.len() > 1 => Some("start"),
        verb => effects(verb).first().copied(),
    };
    let (Fate::Did, Some(own)) = (call.fate(), own) else {
        return Ok(());
    };
    let was_so = |world| wanted(&call.asked, world) != Want::Does;
    let found = ended.troubled && finds(verb, ended.calls.len() > 1) && ended.worlds().any(was_so);
    match found || done(&call.asked.target, own) {
        true => Ok(()),
        false => bad("LOST: said to be done, and wasn't", call),
    }
}
