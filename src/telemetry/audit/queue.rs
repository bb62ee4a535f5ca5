//! What the callers and the writer's thread have in common: the records that wait, and how it goes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::{oneshot, watch};

use super::head::AuditHead;
use super::options::{AuditOptions, AuditPolicy};
use super::record::AuditEntry;
use super::status::{Appended, AuditStatus};
use crate::lock::lock;
use crate::telemetry::metrics;

/// A record that waits.
pub(super) struct Waiting {
    pub(super) entry: AuditEntry,
    pub(super) time: SystemTime,
    /// So many were dropped just before it.
    pub(super) lost: u64,
    pub(super) done: Done,
}

/// Who waits to be told what has become of a record, until it is told.
pub(super) struct Done(Option<oneshot::Sender<Appended>>);

impl Done {
    pub(super) fn tell(&mut self, appended: Appended) {
        if let Some(done) = self.0.take() {
            // Nobody may listen any more.
            let _ = done.send(appended);
        }
    }
}

pub(super) struct Queue {
    pub(super) options: AuditOptions,
    pub(super) state: Mutex<State>,
    /// For the writer: there is something to do.
    pub(super) wake: Condvar,
    /// For those who wait for the writer: it has done something.
    pub(super) changed: watch::Sender<()>,
    failing: watch::Sender<Option<String>>,
}

#[derive(Default)]
pub(super) struct State {
    waiting: VecDeque<Waiting>,
    /// What the writer has in hand, and whether the sink has it.
    in_hand: usize,
    pub(super) writing: bool,
    /// How often the sink was tried, and up to which number it is to be tried at once.
    pub(super) tries: u64,
    pub(super) asked: u64,
    /// When the sink has come back last, with whatever result.
    came_back: Option<Instant>,
    pub(super) failing: Option<String>,
    /// It fails since it doesn't come back.
    pub(super) stuck: bool,
    written: u64,
    dropped: u64,
    /// Of the dropped ones, those that no record tells of yet.
    lost: u64,
    head: Option<AuditHead>,
    pub(super) closing: bool,
    /// Whether the last try began when the log was closing: there is no other.
    last: bool,
    ended: bool,
}

impl State {
    pub(super) fn pending(&self) -> usize {
        self.waiting.len() + self.in_hand
    }
}

impl Queue {
    pub(super) fn new(options: AuditOptions, head: Option<AuditHead>) -> Self {
        Self {
            options,
            state: Mutex::new(State {
                head,
                ..State::default()
            }),
            wake: Condvar::new(),
            changed: watch::Sender::new(()),
            failing: watch::Sender::new(None),
        }
    }

    pub(super) fn status(&self) -> AuditStatus {
        let state = lock(&self.state);
        AuditStatus {
            written: state.written,
            dropped: state.dropped,
            pending: state.pending(),
            failing: state.failing.clone(),
            head: state.head,
        }
    }

    #[cfg(test)]
    pub(super) fn failing(&self) -> watch::Receiver<Option<String>> {
        self.failing.subscribe()
    }

    /// Puts it behind those that wait; what comes of it is told.
    pub(super) fn push(&self, entry: AuditEntry) -> oneshot::Receiver<Appended> {
        let (done, told) = oneshot::channel();
        let mut done = Done(Some(done));
        let mut state = lock(&self.state);
        let full = self.options.policy == AuditPolicy::Drop
            && state.pending() >= self.options.pending.max(1);
        if full || state.closing {
            state.dropped += 1;
            state.lost += 1;
            metrics::count(metrics::AUDIT_RECORDS, &[("outcome", "dropped")]);
            if !state.closing && state.failing.is_none() {
                let text = "records are dropped: more come than it takes";
                self.fail(&mut state, text.to_owned());
                drop(state);
                self.changed.send_replace(());
            }
            done.tell(Appended::Dropped);
            return told;
        }
        if state.failing.is_some() {
            done.tell(Appended::Pending);
        }
        let lost = std::mem::take(&mut state.lost);
        state.waiting.push_back(Waiting {
            entry,
            time: SystemTime::now(),
            lost,
            done,
        });
        drop(state);
        self.wake.notify_one();
        told
    }

    /// A record has taken too long. Where the sink has been silent since, nobody waits for it until it comes back; one that is
    /// merely slow goes on.
    pub(super) fn lose_patience(&self) {
        let mut state = lock(&self.state);
        let slow = (state.came_back).is_some_and(|at| at.elapsed() < self.options.patience);
        if state.failing.is_none() && state.pending() > 0 && !slow {
            let text = format!("it has taken nothing for {:?}", self.options.patience);
            self.fail(&mut state, text);
            state.stuck = true;
            drop(state);
            self.changed.send_replace(());
        }
    }

    fn fail(&self, state: &mut State, text: String) {
        if state.failing.is_none() {
            tracing::error!(error = text, "the audit log can't be written");
        }
        self.tell(state, Some(text));
        for waiting in &mut state.waiting {
            waiting.done.tell(Appended::Pending);
        }
    }

    fn tell(&self, state: &mut State, failing: Option<String>) {
        let changed = state.failing != failing;
        state.failing = failing;
        if changed {
            self.failing.send_replace(state.failing.clone());
        }
    }

    /// No more are taken; what waits is tried once more.
    pub(super) fn close(&self) {
        lock(&self.state).closing = true;
        self.wake.notify_one();
        self.changed.send_replace(());
    }

    /// Waits until the writer has ended; how many records were left then.
    pub(super) async fn ended(&self) -> usize {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let left = {
                let state = lock(&self.state);
                state.ended.then(|| state.pending())
            };
            match left {
                Some(left) => return left,
                None => _ = changed.changed().await,
            }
        }
    }
}

/// The writer's side.
impl Queue {
    /// Waits until there is something to write, up to so many records; none where all is done and the log is closed.
    pub(super) fn take(&self, most: usize) -> Vec<Waiting> {
        let mut state = lock(&self.state);
        while state.waiting.is_empty() {
            if state.closing {
                return Vec::new();
            }
            state = (self.wake.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
        let count = most.min(state.waiting.len());
        let taken: Vec<_> = state.waiting.drain(..count).collect();
        state.in_hand = taken.len();
        taken
    }

    /// A record can't be put into words, and isn't written.
    pub(super) fn give_up(&self, mut waiting: Waiting) {
        let mut state = lock(&self.state);
        state.in_hand = state.in_hand.saturating_sub(1);
        state.dropped += 1;
        state.lost += 1 + waiting.lost;
        metrics::count(metrics::AUDIT_RECORDS, &[("outcome", "dropped")]);
        drop(state);
        waiting.done.tell(Appended::Dropped);
    }

    pub(super) fn begin(&self) {
        let mut state = lock(&self.state);
        (state.writing, state.last) = (true, state.closing);
    }

    /// The sink has taken so many of those in hand.
    pub(super) fn wrote(&self, count: usize, head: Option<AuditHead>) {
        let mut state = lock(&self.state);
        state.written += count as u64;
        metrics::count_many(
            metrics::AUDIT_RECORDS,
            &[("outcome", "written")],
            count as u64,
        );
        state.in_hand = state.in_hand.saturating_sub(count);
        state.head = head;
        self.tried(&mut state);
        if state.failing.is_some() {
            tracing::info!("the audit log is written again");
        }
        self.tell(&mut state, None);
        drop(state);
        self.changed.send_replace(());
    }

    /// The sink has refused it.
    pub(super) fn failed(&self, text: String) {
        let mut state = lock(&self.state);
        self.tried(&mut state);
        self.fail(&mut state, text);
        drop(state);
        self.changed.send_replace(());
    }

    /// Waits until it is to be tried again; false is never.
    pub(super) fn rest(&self) -> bool {
        let mut state = lock(&self.state);
        if state.last {
            return false;
        }
        let from = Instant::now();
        loop {
            let left = self.options.pause.saturating_sub(from.elapsed());
            // Before it ends it is tried once more.
            if state.closing || state.asked > state.tries || left.is_zero() {
                return true;
            }
            let woken = self.wake.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn tried(&self, state: &mut State) {
        state.tries += 1;
        state.came_back = Some(Instant::now());
        (state.writing, state.stuck) = (false, false);
    }

    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        (state.closing, state.ended) = (true, true);
        let left = state.pending();
        // They are counted, but nobody is left to write them: who waits for one is told that it is lost.
        state.in_hand = left;
        for mut waiting in std::mem::take(&mut state.waiting) {
            waiting.done.tell(Appended::Dropped);
        }
        drop(state);
        if left > 0 {
            tracing::error!(
                records = left,
                "the audit log ends with records that couldn't be written"
            );
        }
        self.changed.send_replace(());
    }
}
