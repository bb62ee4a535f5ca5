//! What was told, so that the next connection goes on there.
//!
//! Docker stamps events before it keeps them, and keeps them before it tells them: between two events the
//! order may differ by a moment, and one that came at the beginning of a connection may come twice.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::backend::reconnect::{OVERLAP, after};
use crate::model::Event;

/// How many events are known again. Docker keeps 256.
const REMEMBERED: usize = 1024;

type Fingerprint = [u8; 32];

/// The last events.
#[derive(Default)]
pub(super) struct Seen {
    window: VecDeque<(SystemTime, Fingerprint)>,
    earliest: Option<SystemTime>,
    last: Option<SystemTime>,
    /// The latest time of those that aren't known again.
    forgotten: Option<SystemTime>,
}

impl Seen {
    /// The time of the last.
    pub(super) fn last(&self) -> Option<SystemTime> {
        self.last
    }

    /// From when on everything that was told is known again; `None` before the first.
    pub(super) fn since(&self) -> Option<SystemTime> {
        let overlap = self.last?.checked_sub(OVERLAP).unwrap_or(UNIX_EPOCH);
        let forgotten = self.forgotten.and_then(after);
        Some(overlap).max(self.earliest).max(forgotten)
    }

    /// Whether it was told: the same to the nanosecond and in every word. Of what has no time nobody
    /// can say.
    pub(super) fn knows(&self, event: &Event) -> bool {
        let same_time = |time| self.window.iter().any(|(known, _)| *known == time);
        event.time.is_some_and(same_time) && {
            let fingerprint = fingerprint(event);
            self.window.iter().any(|(_, known)| *known == fingerprint)
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        let Some(time) = event.time else { return };
        self.last = Some(time);
        self.earliest = Some(self.earliest.map_or(time, |earliest| earliest.min(time)));
        self.window.push_back((time, fingerprint(event)));
        if self.window.len() > REMEMBERED
            && let Some((time, _)) = self.window.pop_front()
        {
            self.forgotten = self.forgotten.max(Some(time));
        }
    }
}

/// An event in so many bytes that no two have the same.
fn fingerprint(event: &Event) -> Fingerprint {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update(text.len().to_le_bytes());
        digest.update(text);
    };
    let time = event
        .time
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    add(&time.map_or_else(String::new, |time| time.as_nanos().to_string()));
    add(event.kind.as_str());
    add(event.action.as_str());
    add(event.detail.as_deref().unwrap_or_default());
    add(event.scope.as_deref().unwrap_or_default());
    add(&event.actor);
    for (key, value) in event.attributes.iter() {
        add(key);
        add(value);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{EventAction, EventAttributes, EventKind};

    fn at(millis: u64) -> Event {
        Event::new(EventKind::Container, EventAction::Start, "a")
            .with_time(UNIX_EPOCH + Duration::from_millis(millis))
    }

    #[test]
    fn an_event_is_known_by_all_of_it() {
        let mut seen = Seen::default();
        let event = at(5).with_detail("x".to_owned());
        seen.note(&event);
        assert!(seen.knows(&event));
        let attributes = EventAttributes::from([("n", "1")]);
        for other in [
            at(5),
            at(6).with_detail("x".to_owned()),
            event.clone().with_scope("swarm".to_owned()),
            event.clone().with_attributes(attributes),
            event.with_time(None),
        ] {
            assert!(!seen.knows(&other), "{other:?}");
        }
    }

    #[test]
    fn nothing_is_told_again_that_is_not_known_again() {
        let mut seen = Seen::default();
        assert_eq!(seen.since(), None);
        seen.note(&at(10_000));
        assert_eq!(seen.since(), at(10_000).time, "the first");
        seen.note(&at(10_500));
        assert_eq!(seen.since(), at(10_000).time, "not before the first");
        seen.note(&at(20_000));
        assert_eq!(seen.since(), at(19_000).time, "a second before the last");
        for _ in 0..REMEMBERED {
            seen.note(&at(20_001));
        }
        let after = at(20_000).time.map(|time| time + Duration::from_nanos(1));
        assert_eq!(seen.since(), after, "after what is forgotten");
        assert!(!seen.knows(&at(20_000)));
    }
}
