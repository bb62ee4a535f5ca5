//! Who is woken for a connection that is driven by whoever waits for its answer.
//!
//! Handing hyper a request, or an answer to who waits for it, wakes who last polled the other side: here that is the
//! same task, in the middle of its poll. tokio would poll it once more, and call another worker for it besides. So a
//! connection has a waker of its own, by which a wake during a poll is only noted.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::lock::lock;

/// How often a poll is repeated for what came during it; then the task is woken, so that others have their turn.
const REPEATS: usize = 2;

pub(super) struct Wakes {
    state: Arc<State>,
    waker: Waker,
}

struct State(Mutex<Waits>);

enum Waits {
    /// Nobody does. Whoever comes polls first, so there is nothing to note.
    Nobody,
    /// Somebody polls just now; whether there was a wake since it began.
    Polls { again: bool },
    /// This task, until it is woken.
    Task(Waker),
}

impl Default for Wakes {
    fn default() -> Self {
        let state = Arc::new(State(Mutex::new(Waits::Nobody)));
        let waker = Waker::from(Arc::clone(&state));
        Self { state, waker }
    }
}

impl Wakes {
    /// Polls with this waker; what it is woken for after that wakes the caller's task.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut own = Context::from_waker(&self.waker);
        for _ in 0..=REPEATS {
            self.state.set(Waits::Polls { again: false });
            let polled = poll(&mut own);
            if polled.is_ready() {
                self.state.set(Waits::Nobody);
                return polled;
            }
            if self.state.wait(cx.waker()) {
                return Poll::Pending;
            }
        }
        self.state.set(Waits::Nobody);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl State {
    fn set(&self, waits: Waits) {
        *lock(&self.0) = waits;
    }

    /// Leaves the task to be woken, unless there was a wake in the meantime.
    fn wait(&self, task: &Waker) -> bool {
        let mut waits = lock(&self.0);
        let woken = matches!(*waits, Waits::Polls { again: true });
        if !woken {
            *waits = Waits::Task(task.clone());
        }
        !woken
    }
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut waits = lock(&self.0);
        match &mut *waits {
            Waits::Nobody => {}
            Waits::Polls { again } => *again = true,
            Waits::Task(_) => {
                let task = std::mem::replace(&mut *waits, Waits::Nobody);
                // A waker is free to do what it likes, but not under the lock.
                drop(waits);
                if let Waits::Task(task) = task {
                    task.wake();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    #[test]
    fn a_wake_during_a_poll_repeats_it_and_wakes_nobody() {
        let (wakes, mut polls) = (Wakes::default(), 0);
        let mut task = task::spawn(poll_fn(|cx| {
            wakes.poll(cx, |cx| {
                polls += 1;
                if polls == 1 {
                    cx.waker().wake_by_ref();
                }
                Poll::<()>::Pending
            })
        }));
        assert_pending!(task.poll());
        assert!(!task.is_woken());
        drop(task);
        assert_eq!(polls, 2);
    }

    #[test]
    fn who_polled_last_is_woken_for_what_comes_later() {
        let wakes = Wakes::default();
        let waits = || poll_fn(|cx| wakes.poll(cx, |_| Poll::<()>::Pending));
        let (mut first, mut second) = (task::spawn(waits()), task::spawn(waits()));
        assert_pending!(first.poll());
        assert_pending!(second.poll());
        wakes.waker.wake_by_ref();
        assert!(second.is_woken() && !first.is_woken());
        // Once: whatever else comes before the next poll wakes nobody.
        assert!(matches!(*lock(&wakes.state.0), Waits::Nobody));
    }

    #[test]
    fn a_poll_that_wakes_itself_without_end_leaves_others_their_turn() {
        let (wakes, mut polls) = (Wakes::default(), 0);
        let mut task = task::spawn(poll_fn(|cx| {
            wakes.poll(cx, |cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            })
        }));
        assert_pending!(task.poll());
        assert!(task.is_woken());
        drop(task);
        assert_eq!(polls, REPEATS + 1);
        assert!(matches!(*lock(&wakes.state.0), Waits::Nobody));
    }

    #[test]
    fn what_has_come_wakes_nobody_any_more() {
        let wakes = Wakes::default();
        let mut task = task::spawn(poll_fn(|cx| {
            wakes.poll(cx, |cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            })
        }));
        assert_ready!(task.poll());
        wakes.waker.wake_by_ref();
        assert!(!task.is_woken());
    }
}
