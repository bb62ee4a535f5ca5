//! Which alerts there are: what is told of a change, and what isn't.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::alert::{Alert, AlertKind, AlertState};
use super::options::AlertOptions;

/// So many are told apart. What is more of a kind is one alert without a subject, which ends as what merely happens does.
const MOST: usize = 1_000;

/// An alert to be told, and how many of its kind there are then.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) alert: Alert,
    pub(super) active: usize,
}

/// Whether it lasts until it recovers, or merely happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    Lasts,
    Happens,
}

#[derive(Debug)]
struct Entry {
    alert: Alert,
    told: Instant,
    /// When it is over by itself.
    ends: Option<Instant>,
}

/// By subject; without one it is the empty one's.
type Subjects = HashMap<String, Entry>;

#[derive(Debug)]
pub(super) struct Active {
    repeat: Option<Duration>,
    event_window: Duration,
    kinds: BTreeMap<AlertKind, Subjects>,
    /// Before this nothing ends or is told again.
    due: Option<Instant>,
    told: Vec<Told>,
}

impl Active {
    pub(super) fn new(options: &AlertOptions) -> Self {
        Self {
            repeat: options.repeat(),
            event_window: options.event_window(),
            kinds: BTreeMap::new(),
            due: None,
            told: Vec::new(),
        }
    }

    pub(super) fn raise(
        &mut self,
        kind: AlertKind,
        subject: String,
        message: String,
        nature: Nature,
    ) {
        let now = Instant::now();
        // What has ended by now isn't what is raised: that begins anew.
        self.pass(now);
        let (subject, nature) = if self.has_room(kind, &subject) {
            (subject, nature)
        } else {
            (String::new(), Nature::Happens)
        };
        // An end beyond all time is none.
        let ends = match nature {
            Nature::Lasts => None,
            Nature::Happens => now.checked_add(self.event_window),
        };
        let of = self.kinds.entry(kind).or_default();
        let count = of.len();
        let entry = of
            .entry(subject)
            .and_modify(|entry| {
                entry.alert.count = entry.alert.count.saturating_add(1);
                entry.alert.at = clock();
                entry.alert.message.clone_from(&message);
                // What lasts doesn't end by itself because it happens, too.
                entry.ends = entry.ends.and(ends);
            })
            .or_insert_with_key(|subject| Entry {
                alert: raised(kind, subject, message),
                told: now,
                ends,
            });
        let active = count + usize::from(entry.alert.count == 0);
        if entry.alert.count == 0 || past(entry.told, self.repeat, now) {
            entry.told = now;
            self.told.push(Told {
                alert: entry.alert.clone(),
                active,
            });
        }
        let due = entry.due(self.repeat);
        self.due = earlier(self.due, due);
    }

    /// Whether it is told apart: it is already, or there are fewer than may be.
    fn has_room(&self, kind: AlertKind, subject: &str) -> bool {
        let known = |of: &Subjects| of.contains_key(subject);
        subject.is_empty()
            || self.kinds.get(&kind).is_some_and(known)
            || self.kinds.values().map(Subjects::len).sum::<usize>() < MOST
    }

    /// Whether there is anything to do for a recovery of this kind.
    pub(super) fn concerns(&self, kind: AlertKind) -> bool {
        self.kinds.contains_key(&kind) || self.due.is_some_and(|due| due <= Instant::now())
    }

    pub(super) fn recover(&mut self, kind: AlertKind, subject: &str, message: String) {
        self.pass(Instant::now());
        let Some(of) = self.kinds.get_mut(&kind) else {
            return;
        };
        if let Some(entry) = of.remove(subject) {
            self.told.push(recovered(entry.alert, message, of.len()));
        }
        if of.is_empty() {
            self.kinds.remove(&kind);
        }
    }

    /// It isn't so at the moment: it is over unless it is raised again within the window.
    pub(super) fn subside(&mut self, kind: AlertKind, subject: &str) {
        let now = Instant::now();
        self.pass(now);
        let of = self.kinds.get_mut(&kind);
        if let Some(entry) = of.and_then(|of| of.get_mut(subject))
            && entry.ends.is_none()
        {
            entry.ends = now.checked_add(self.event_window);
            self.due = earlier(self.due, entry.ends);
        }
    }

    /// Ends what is over by now, and reminds of what lasts.
    pub(super) fn pass(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        let window = humantime::format_duration(self.event_window);
        let (told, repeat) = (&mut self.told, self.repeat);
        self.kinds.retain(|_, of| {
            let mut left = of.len();
            for (_, entry) in of.extract_if(|_, entry| entry.ends.is_some_and(|ends| ends <= now)) {
                left -= 1;
                let message = format!("it hasn't happened again for {window}");
                told.push(recovered(entry.alert, message, left));
            }
            for entry in of.values_mut() {
                if entry.ends.is_none() && past(entry.told, repeat, now) {
                    entry.told = now;
                    told.push(Told {
                        alert: entry.alert.clone(),
                        active: left,
                    });
                }
                self.due = earlier(self.due, entry.due(repeat));
            }
            left > 0
        });
    }

    /// What is to be told of what has changed since this was asked last, in order.
    pub(super) fn take(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// The most urgent first.
    pub(super) fn all(&self) -> Vec<Alert> {
        let entries = self.kinds.values().flat_map(HashMap::values);
        let mut all: Vec<_> = entries.map(|entry| entry.alert.clone()).collect();
        all.sort_by(|a, b| {
            let by = |alert: &Alert| (Reverse(alert.severity), alert.kind);
            by(a).cmp(&by(b)).then_with(|| a.subject.cmp(&b.subject))
        });
        all
    }
}

impl Entry {
    /// When there is something to do about it without anybody's saying so.
    fn due(&self, repeat: Option<Duration>) -> Option<Instant> {
        self.ends
            .or_else(|| repeat.and_then(|repeat| self.told.checked_add(repeat)))
    }
}

fn past(told: Instant, repeat: Option<Duration>, now: Instant) -> bool {
    repeat.is_some_and(|repeat| now.saturating_duration_since(told) >= repeat)
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

fn raised(kind: AlertKind, subject: &str, message: String) -> Alert {
    let at = clock();
    Alert {
        kind,
        severity: kind.severity(),
        subject: Some(subject.to_owned()).filter(|subject| !subject.is_empty()),
        state: AlertState::Raised,
        message,
        advice: kind.advice(),
        since: at,
        at,
        count: 0,
    }
}

fn recovered(mut alert: Alert, message: String, active: usize) -> Told {
    alert.state = AlertState::Recovered;
    alert.message = message;
    alert.at = clock();
    Told { alert, active }
}

/// RFC 3339 has no time before 1970, whatever this machine's clock says.
fn clock() -> SystemTime {
    SystemTime::now().max(UNIX_EPOCH)
}
