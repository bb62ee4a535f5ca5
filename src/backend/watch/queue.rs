//! What was read and not yet taken: so much, and no more.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::error::Error;
use crate::model::{Event, Gap, GapReason, Queued, Watched};

/// The room for all, in units of a KiB: 16 MiB.
const ROOM: u32 = 16 << 10;
/// What an item takes at least: no more than 1,024 of them fit.
const LEAST: u32 = ROOM / 1024;

pub(super) struct Queue {
    items: UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    /// What didn't fit.
    missed: Option<Gap>,
    last: Option<SystemTime>,
}

impl Queue {
    pub(super) fn new() -> (Self, UnboundedReceiver<Queued>) {
        let (items, taken) = mpsc::unbounded_channel();
        let queue = Self {
            items,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            missed: None,
            last: None,
        };
        (queue, taken)
    }

    /// Puts an event in, or notes that it is missed.
    pub(super) fn event(&mut self, event: Event) {
        let (size, time) = (event.size(), event.time);
        if self.missed.is_none() && self.put(Watched::Event(event), size) {
            self.last = time.or(self.last);
            return;
        }
        let from = self.last;
        let missed = self.missed.get_or_insert(Gap {
            from,
            to: None,
            reason: GapReason::SlowReader,
        });
        missed.to = time.or(missed.to);
    }

    /// Puts a gap in; where there is one to be told, that is the longer for it.
    pub(super) fn gap(&mut self, gap: Gap) {
        if let Some(missed) = &mut self.missed {
            missed.to = None;
        } else if !self.put(Watched::Gap(gap.clone()), 0) {
            self.missed = Some(Gap {
                reason: GapReason::SlowReader,
                ..gap
            });
        }
    }

    /// Puts word of the connection in, unless there is no room for it: then there is worse to be told.
    pub(super) fn status(&mut self, status: Watched) {
        if self.missed.is_none() {
            self.put(status, 0);
        }
    }

    /// The last word, for which there is always room.
    pub(super) fn end(mut self, error: Option<Error>) {
        self.tell_missed();
        if let Some(error) = error {
            let _ = self.items.send((Err(error), None));
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        self.missed.is_some()
    }

    /// Waits until the reader has taken half of what there was, or is gone.
    pub(super) async fn room(&self) {
        let half = self.room.acquire_many(ROOM / 2);
        tokio::select! {
            _ = half => {}
            () = self.items.closed() => {}
        }
    }

    /// Tells what was missed.
    pub(super) fn tell_missed(&mut self) {
        if let Some(gap) = self.missed.take() {
            self.last = gap.to.or(self.last);
            let _ = self.items.send((Ok(Watched::Gap(gap)), None));
        }
    }

    fn put(&self, item: Watched, size: usize) -> bool {
        let units = u32::try_from(size.div_ceil(1024))
            .unwrap_or(ROOM)
            .clamp(LEAST, ROOM);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(units) else {
            return false;
        };
        // Where nobody takes it any more, the reading is about to end.
        let _ = self.items.send((Ok(item), Some(room)));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use futures::FutureExt;

    use super::*;
    use crate::model::{EventAction, EventAttributes, EventKind};

    fn event(second: u64, size: usize) -> Event {
        Event::new(EventKind::Container, EventAction::Start, "a")
            .with_time(UNIX_EPOCH + Duration::from_secs(second))
            .with_attributes(EventAttributes::from([("filler", "x".repeat(size))]))
    }

    fn second(second: u64) -> Option<SystemTime> {
        event(second, 0).time
    }

    #[test]
    fn what_does_not_fit_becomes_one_gap() {
        for (size, fit) in [(0, 1024), (1 << 20, 15)] {
            let (mut queue, mut taken) = Queue::new();
            for number in 1..=2000 {
                queue.event(event(number, size));
            }
            queue.status(Watched::Reconnected);
            assert!(queue.is_missing() && queue.room().now_or_never().is_none());
            let mut count = 0;
            while queue.room().now_or_never().is_none() {
                let (item, _room) = taken.try_recv().expect("an item");
                let Ok(Watched::Event(_)) = item else {
                    panic!("{item:?} instead of an event")
                };
                count += 1;
            }
            assert!(count <= fit / 2 + 1, "half of them: {count}");
            queue.tell_missed();
            queue.event(event(3000, size));
            let rest: Vec<_> = std::iter::from_fn(|| taken.try_recv().ok()).collect();
            count += rest.len() - 2;
            assert_eq!(count, fit, "of {size} bytes");
            let [.., (Ok(Watched::Gap(gap)), _), (Ok(Watched::Event(_)), _)] = &rest[..] else {
                panic!("{rest:?}")
            };
            let expected = Gap {
                from: second(fit as u64),
                to: second(2000),
                reason: GapReason::SlowReader,
            };
            assert_eq!(*gap, expected);
        }
    }

    #[test]
    fn the_last_word_always_fits() {
        let (mut queue, mut taken) = Queue::new();
        for number in 1..=2000 {
            queue.event(event(number, 0));
        }
        queue.end(Some(Error::answered(400, "no")));
        let all: Vec<_> = std::iter::from_fn(|| taken.try_recv().ok()).collect();
        let [.., (Ok(Watched::Gap(_)), _), (Err(_), _)] = &all[..] else {
            panic!("{} items", all.len())
        };
        assert_eq!(all.len(), 1024 + 2);
    }
}
