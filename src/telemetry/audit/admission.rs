//! Whether a call may begin.

use super::options::AuditPolicy;
use super::queue::Queue;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::lock::lock;

impl Queue {
    /// Waits until calls may begin.
    pub(super) async fn admit(&self) -> Result<()> {
        let mut goal = None;
        match self.gate(&mut goal) {
            Some(settled) => settled,
            None => {
                let mut changed = self.changed.subscribe();
                let opened = async {
                    loop {
                        changed.borrow_and_update();
                        if let Some(settled) = self.gate(&mut goal) {
                            return settled;
                        }
                        // It can't fail: the sender is ours.
                        let _ = changed.changed().await;
                    }
                };
                match tokio::time::timeout(self.options.patience, opened).await {
                    Ok(settled) => settled,
                    Err(_) => Err(refused("too many records wait for the sink")),
                }
            }
        }
    }

    /// Whether a call may begin; `None` is not known yet. Where the sink fails, the goal is the number of the try that decides.
    fn gate(&self, goal: &mut Option<u64>) -> Option<Result<()>> {
        if self.options.policy == AuditPolicy::Drop {
            return Some(Ok(()));
        }
        let mut state = lock(&self.state);
        if state.closing {
            let closed = Error::new(ErrorKind::Cancelled, "the audit log is closed");
            return Some(Err(closed.with_effect(Effect::NotSent)));
        }
        match (&state.failing, *goal) {
            (None, _) => (state.pending() < self.options.pending.max(1)).then_some(Ok(())),
            (Some(why), _) if state.stuck => Some(Err(refused(why))),
            (Some(why), Some(goal)) if state.tries >= goal => Some(Err(refused(why))),
            (Some(_), Some(_)) => None,
            (Some(_), None) => {
                // One that is under way may have begun to fail before we came.
                let number = state.tries + 1 + u64::from(state.writing);
                *goal = Some(number);
                state.asked = state.asked.max(number);
                drop(state);
                self.wake.notify_one();
                None
            }
        }
    }
}

fn refused(why: &str) -> Error {
    let message = format!("nothing is done that can't be recorded, and the audit log fails: {why}");
    let error = Error::new(ErrorKind::Host, message).with_effect(Effect::NotSent);
    error.with_advice(
        "make the log's place writable (is the disk full?): the next call tries it again",
    )
}
