//! The recorder's numbers that a thread has looked up lately.
//!
//! A recorder finds a number by a key with labels, which is made for that: some ten times of what it takes to count. But a number that
//! is kept counts for nobody once an exporter has forgotten what was idle (`idle_timeout`); so none is kept for longer than a moment.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram};
use rapidhash::fast::GlobalState;

use super::Labels;

/// Less than anybody takes a number for idle after, and more than it takes to look them all up again.
const A_MOMENT: Duration = Duration::from_secs(1);

/// More than any number has: a test sees to it.
pub(super) const MOST_LABELS: usize = 4;

type HashMap<N> = std::collections::HashMap<Name, N, GlobalState>;

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

#[derive(Default)]
struct Kept {
    /// Until then.
    until: Option<Instant>,
    counters: HashMap<Counter>,
    gauges: HashMap<Gauge>,
    histograms: HashMap<Histogram>,
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

pub(super) fn counter(now: Instant, name: &'static str, with: Labels<'_>) -> Counter {
    let look_up = |labels| counter!(name, labels);
    find(|kept| &mut kept.counters, now, (name, with), look_up)
}

pub(super) fn gauge(now: Instant, name: &'static str, with: Labels<'_>) -> Gauge {
    let look_up = |labels| gauge!(name, labels);
    find(|kept| &mut kept.gauges, now, (name, with), look_up)
}

pub(super) fn histogram(now: Instant, name: &'static str, with: Labels<'_>) -> Histogram {
    let look_up = |labels| histogram!(name, labels);
    find(|kept| &mut kept.histograms, now, (name, with), look_up)
}

/// A recorder is free to count with us while it is asked: nothing is borrowed then. A thread that ends keeps nothing.
fn find<N: Clone>(
    numbers: impl Fn(&mut Kept) -> &mut HashMap<N>,
    now: Instant,
    (name, with): (&'static str, Labels<'_>),
    look_up: impl FnOnce(Vec<Label>) -> N,
) -> N {
    let key = Name::new(name, with);
    let kept = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        kept.look_at_the_clock(now);
        numbers(&mut kept).get(&key).cloned()
    });
    if let Ok(Some(number)) = kept {
        return number;
    }
    let number = look_up(super::labels(with));
    let _ = KEPT.try_with(|kept| numbers(&mut kept.borrow_mut()).insert(key, number.clone()));
    number
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
        (kept.counters).insert(Name::new("one", &[]), Counter::noop());
        kept.look_at_the_clock(began + A_MOMENT);
        assert_eq!(kept.counters.len(), 1);
        kept.look_at_the_clock(began + A_MOMENT + Duration::from_nanos(1));
        assert!(kept.counters.is_empty());
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
