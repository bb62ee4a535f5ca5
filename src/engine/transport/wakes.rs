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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn wakes(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn task() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn a_wake_during_a_poll_repeats_it_and_wakes_nobody() {
        let (count, task) = task();
        let wakes = Wakes::default();
        let mut polls = 0;
        let polled = wakes.poll(&mut Context::from_waker(&task), |cx| {
            polls += 1;
            if polls == 1 {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((polls, count.wakes()), (2, 0));
    }

    #[test]
    fn who_polled_last_is_woken_once_for_what_comes_later() {
        let ((first, first_task), (second, second_task)) = (task(), task());
        let wakes = Wakes::default();
        for task in [&first_task, &second_task] {
            let polled = wakes.poll(&mut Context::from_waker(task), |_| Poll::<()>::Pending);
            assert!(polled.is_pending());
        }
        wakes.waker.wake_by_ref();
        wakes.waker.wake_by_ref();
        assert_eq!((first.wakes(), second.wakes()), (0, 1));
    }

    #[test]
    fn a_poll_that_wakes_itself_without_end_leaves_others_their_turn() {
        let (count, task) = task();
        let wakes = Wakes::default();
        let mut polls = 0;
        let polled = wakes.poll(&mut Context::from_waker(&task), |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
        assert_eq!((polls, count.wakes()), (REPEATS + 1, 1));
    }

    #[test]
    fn what_has_come_wakes_nobody_any_more() {
        let (count, task) = task();
        let wakes = Wakes::default();
        let polled = wakes.poll(&mut Context::from_waker(&task), |cx| {
            cx.waker().wake_by_ref();
            Poll::Ready(())
        });
        assert!(polled.is_ready());
        wakes.waker.wake_by_ref();
        assert_eq!(count.wakes(), 0);
    }
}
