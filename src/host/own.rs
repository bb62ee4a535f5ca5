//! What an instance knows of itself: its lease, and since when nobody can have taken its place.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::watch as state;

use super::lease::{Instance, Lease};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::lock::lock;

#[derive(Debug)]
pub(super) struct Own {
    /// How long a lease stands.
    pub(super) lasts: Duration,
    state: Mutex<State>,
    losses: state::Sender<u64>,
}

#[derive(Debug)]
struct State {
    lease: Lease,
    /// When the renewal was sent that made it; nothing where it has been lost.
    sent: Option<Instant>,
    ended: bool,
}

impl State {
    fn may_be_lost(&self, lasts: Duration) -> bool {
        self.sent.is_none_or(|sent| sent.elapsed() > lasts)
    }
}

impl Own {
    pub(super) fn new(lease: Lease, sent: Instant, lasts: Duration) -> Self {
        Self {
            lasts,
            state: Mutex::new(State {
                lease,
                sent: Some(sent),
                ended: false,
            }),
            losses: state::Sender::new(0),
        }
    }

    pub(super) fn lease(&self) -> Lease {
        lock(&self.state).lease.clone()
    }

    pub(super) fn instance(&self) -> Instance {
        lock(&self.state).lease.instance.clone()
    }

    /// Whether another may have taken its place: it has been silent for long enough.
    pub(super) fn may_be_lost(&self) -> bool {
        lock(&self.state).may_be_lost(self.lasts)
    }

    /// The instance, while nobody can have taken its place.
    pub(super) fn held(&self) -> Result<Instance> {
        let refused =
            |kind, message: String| Error::new(kind, message).with_effect(Effect::NotSent);
        let state = lock(&self.state);
        if state.ended {
            return Err(refused(
                ErrorKind::Cancelled,
                "the host has ended".to_owned(),
            ));
        }
        if state.may_be_lost(self.lasts) {
            let message = format!(
                "the host's lease couldn't be renewed for {:?}: another instance may have taken its place",
                self.lasts
            );
            return Err(refused(ErrorKind::Unavailable, message).with_advice(
                "see that the engine is well; the lease comes back by itself, or the host goes on as another instance",
            ));
        }
        Ok(state.lease.instance.clone())
    }

    pub(super) fn renewed(&self, lease: Lease, sent: Instant) {
        let mut state = lock(&self.state);
        state.lease = lease;
        state.sent = Some(sent);
    }

    /// Another has taken its place; false where that was known.
    pub(super) fn lose(&self) -> bool {
        let lost = lock(&self.state).sent.take().is_some();
        if lost {
            self.losses.send_modify(|losses| *losses += 1);
        }
        lost
    }

    pub(super) fn losses(&self) -> state::Receiver<u64> {
        self.losses.subscribe()
    }

    pub(super) fn end(&self) {
        lock(&self.state).ended = true;
    }
}
