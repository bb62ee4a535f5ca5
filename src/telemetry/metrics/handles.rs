//! The recorder's numbers that a thread has looked up lately.
//!
//! A recorder finds a number by a key with labels, which is made for that: some ten times of what it takes to count. But a number that
//! is kept counts for nobody once an exporter has forgotten what was idle (`idle_timeout`); so none is kept for longer than a moment.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use rapidhash::fast::GlobalState;

use super::Labels;

/// Less than anybody takes a number for idle after, and more than it takes to look them all up again.
const A_MOMENT: Duration = Duration::from_secs(1);

/// More than any number has: a test sees to it.
pub(super) const MOST_LABELS: usize = 4;

type HashMap = std::collections::HashMap<Name, Number, GlobalState>;

/// What happens to a number, which says of which kind it is.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Count(u64),
    Set(f64),
    Add(f64),
    Took(Duration),
}

#[derive(Clone)]
enum Number {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Number {
    fn change(&self, change: Change) {
        match (self, change) {
            (Self::Counter(counter), Change::Count(count)) => counter.increment(count),
            (Self::Gauge(gauge), Change::Set(value)) => gauge.set(value),
            (Self::Gauge(gauge), Change::Add(value)) => gauge.increment(value),
            (Self::Histogram(times), Change::Took(took)) => times.record(took.as_secs_f64()),
            // No name is of two kinds.
            _ => {}
        }
    }
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

#[derive(Default)]
struct Kept {
    /// Until then.
    until: Option<Instant>,
    numbers: HashMap,
}

impl Kept {
    fn look_at_the_clock(&mut self, now: Instant) {
        if self.until.is_none_or(|until| now > until) {
            *self = Self {
                until: now.checked_add(A_MOMENT),
                ..Self::default()
            };
        }
    }
}

/// A number's name and the values of its labels, told apart by where they are and not by what they say.
#[derive(PartialEq, Eq)]
struct Name([*const str; 1 + MOST_LABELS]);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // All in one piece.
        self.0.map(|part| part.cast::<u8>().addr()).hash(state);
    }
}

impl Name {
    fn new(name: &'static str, labels: Labels<'_>) -> Self {
        let mut parts = [std::ptr::from_ref(""); 1 + MOST_LABELS];
        parts[0] = name;
        for (place, (_, value)) in parts[1..].iter_mut().zip(labels) {
            *place = *value;
        }
        Self(parts)
    }
}

/// Changes a number. A recorder is free to count with us while it is asked: nothing is borrowed then. A thread that ends keeps nothing.
pub(super) fn change(now: Instant, name: &'static str, with: Labels<'_>, change: Change) {
    let key = Name::new(name, with);
    let kept = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        kept.look_at_the_clock(now);
        kept.numbers.get(&key).cloned()
    });
    match kept {
        Ok(Some(number)) => number.change(change),
        _ => {
            let number = look_up(name, with, change);
            number.change(change);
            let _ = KEPT.try_with(|kept| kept.borrow_mut().numbers.insert(key, number));
        }
    }
}

/// Asks the recorder.
#[cold]
fn look_up(name: &'static str, with: Labels<'_>, change: Change) -> Number {
    let labels = super::labels(with);
    match change {
        Change::Count(_) => Number::Counter(counter!(name, labels)),
        Change::Set(_) | Change::Add(_) => Number::Gauge(gauge!(name, labels)),
        Change::Took(_) => Number::Histogram(histogram!(name, labels)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_number_is_told_apart_by_its_name_and_each_label() {
        let names = [
            Name::new("one", &[]),
            Name::new("another", &[]),
            Name::new("one", &[("of", "a")]),
            Name::new("one", &[("of", "b")]),
            Name::new("one", &[("of", "a"), ("by", "b")]),
            Name::new("one", &[("of", "b"), ("by", "a")]),
        ];
        let count = names.len();
        assert_eq!(names.into_iter().collect::<HashSet<_>>().len(), count);
        assert!(Name::new("one", &[("of", "a")]) == Name::new("one", &[("of", "a")]));
    }

    #[test]
    fn none_is_kept_for_longer_than_a_moment() {
        let began = Instant::now();
        let mut kept = Kept::default();
        kept.look_at_the_clock(began);
        (kept.numbers).insert(Name::new("one", &[]), Number::Counter(Counter::noop()));
        kept.look_at_the_clock(began + A_MOMENT);
        assert_eq!(kept.numbers.len(), 1);
        kept.look_at_the_clock(began + A_MOMENT + Duration::from_nanos(1));
        assert!(kept.numbers.is_empty());
    }

    #[test]
    fn no_number_has_more_labels_than_are_told_apart() {
        for metric in super::super::ALL {
            assert!(
                metric.labels.split(',').count() <= MOST_LABELS,
                "{}",
                metric.name
            );
        }
    }
}
