//! The users: each opens a session, holds it, closes it, and opens the next, until all have been opened.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::args::Options;
use crate::modes::{How, Opener};

const BAR: &str = "{elapsed_precise} {bar:40} {pos} of {len} sessions";
/// How often the progress is told: on a terminal, and elsewhere.
const TOLD: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What came of all sessions.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub ok: u64,
    pub failed: u64,
    pub warm: Vec<Duration>,
    pub cold: Vec<Duration>,
    pub closes: Vec<Duration>,
    /// What the phases of the cold ones took in sum.
    pub phases: BTreeMap<&'static str, Duration>,
    /// What was said, and how often.
    pub errors: BTreeMap<String, u64>,
    /// From the first opening to the last closing.
    pub elapsed: Duration,
}

impl Tally {
    fn opened(&mut self, took: Duration, how: Option<&How>) {
        if how.is_some_and(|how| how.warm) {
            self.warm.push(took);
            return;
        }
        self.cold.push(took);
        for (phase, took) in how.into_iter().flat_map(|how| &how.phases) {
            *self.phases.entry(phase).or_default() += *took;
        }
    }

    fn failed(&mut self, error: &dyn std::fmt::Display) {
        self.failed += 1;
        *self.errors.entry(alike(&error.to_string())).or_default() += 1;
    }
}

/// A message without its numbers and ids, which differ each time.
fn alike(message: &str) -> String {
    let numbered = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    let pieces = message.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let plain = |piece: &str| match piece.strip_suffix(|c: char| !c.is_ascii_alphanumeric()) {
        Some(word) if numbered(word) => format!("#{}", &piece[word.len()..]),
        None if numbered(piece) => "#".to_owned(),
        _ => piece.to_owned(),
    };
    pieces.map(plain).collect()
}

struct Drive {
    opener: Arc<dyn Opener>,
    sessions: u64,
    hold: Duration,
    stop: CancellationToken,
    next: AtomicU64,
    done: AtomicU64,
    tally: Mutex<Tally>,
}

/// Has the users do it on the service's runtime, and tells of it on this one.
pub async fn drive(
    options: &Options,
    opener: Arc<dyn Opener>,
    service: &Handle,
    stop: &CancellationToken,
) -> Outcome<Tally> {
    let drive = Arc::new(Drive {
        opener,
        sessions: options.sessions,
        hold: options.hold,
        stop: stop.clone(),
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        tally: Mutex::default(),
    });
    let mut users = JoinSet::new();
    let began = Instant::now();
    for user in 0..options.users {
        users.spawn_on(Arc::clone(&drive).be(user, began), service);
    }
    let bar = ProgressBar::new(options.sessions);
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    let mut told = tokio::time::interval(if bar.is_hidden() { TOLD.1 } else { TOLD.0 });
    told.tick().await;
    loop {
        tokio::select! {
            user = users.join_next() => match user {
                Some(user) => user?,
                None => break,
            },
            _ = told.tick() => {
                let done = drive.done.load(Ordering::Relaxed);
                bar.set_position(done);
                if bar.is_hidden() {
                    eprintln!("{done} of {} sessions", options.sessions);
                }
            }
        }
    }
    let elapsed = began.elapsed();
    bar.finish_and_clear();
    let mut tally = drive.tally().clone();
    tally.elapsed = elapsed;
    Ok(tally)
}

impl Drive {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One user, who wants a session from then on.
    async fn be(self: Arc<Self>, user: u64, mut asked: Instant) {
        while !self.stop.is_cancelled() {
            arrive().await;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.sessions {
                return;
            }
            match self.session(user, number, asked).await {
                Ok(()) => self.tally().ok += 1,
                Err(error) => self.tally().failed(&error),
            }
            self.done.fetch_add(1, Ordering::Relaxed);
            asked = Instant::now();
        }
    }

    async fn session(&self, user: u64, number: u64, asked: Instant) -> Outcome<()> {
        let opened = self.opener.open(user, number).await?;
        self.tally().opened(asked.elapsed(), opened.how.as_ref());
        if !self.hold.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(self.hold) => {}
                () = self.stop.cancelled() => {}
            }
        }
        let asked = Instant::now();
        arrive().await;
        self.opener.close(opened).await?;
        self.tally().closes.push(asked.elapsed());
        Ok(())
    }
}

/// A request comes to its handler by way of the event loop, behind those that came before it. What it waits there its user
/// waits too.
async fn arrive() {
    tokio::task::yield_now().await;
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::modes::Opened;

    /// Every third fails to open, every fifth to close; every second is warm.
    #[derive(Default)]
    struct Toy {
        seen: Mutex<Vec<u64>>,
    }

    #[async_trait]
    impl Opener for Toy {
        async fn open(&self, user: u64, number: u64) -> Outcome<Opened> {
            assert!(user < 3);
            self.seen.lock().unwrap().push(number);
            if number % 3 == 2 {
                return Err("no".into());
            }
            let phases = vec![("start", Duration::from_millis(10))];
            let warm = number % 2 == 1;
            Ok(Opened {
                handle: number.to_string(),
                how: Some(How { warm, phases }),
            })
        }

        async fn close(&self, opened: Opened) -> Outcome<()> {
            match opened.handle.parse::<u64>()? % 5 {
                4 => Err("stuck".into()),
                _ => Ok(()),
            }
        }

        async fn end(&self) -> Outcome<()> {
            Ok(())
        }
    }

    fn driven(stop: &CancellationToken) -> (Tally, Vec<u64>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let toy = Arc::new(Toy::default());
        let options = Options {
            users: 3,
            sessions: 30,
            ..Options::default()
        };
        let driven = drive(&options, toy.clone(), runtime.handle(), stop);
        let tally = runtime.block_on(driven).unwrap();
        let mut seen = toy.seen.lock().unwrap().clone();
        seen.sort_unstable();
        (tally, seen)
    }

    #[test]
    fn each_session_is_opened_once_and_counted_once() {
        let (tally, seen) = driven(&CancellationToken::new());
        assert_eq!(seen, (0..30).collect::<Vec<_>>());
        // Ten don't open; 4, 9, 19 and 24 don't close.
        assert_eq!((tally.ok, tally.failed), (16, 14));
        assert_eq!(
            tally.errors,
            [("no".to_owned(), 10), ("stuck".to_owned(), 4)].into()
        );
        assert_eq!((tally.warm.len(), tally.cold.len()), (10, 10));
        assert_eq!(tally.closes.len(), 16);
        assert_eq!(tally.phases["start"], Duration::from_millis(100));
    }

    #[test]
    fn messages_that_differ_by_a_number_are_alike() {
        let message = "start: user-1/session-22: 30f1f9d23c9c: no answer within 19.99s (async)";
        let expected = "start: user-#/session-#: #: no answer within #.# (async)";
        assert_eq!(alike(message), expected);
        assert_eq!(alike("ends with 7"), "ends with #");
        assert_eq!(alike("ünnamed – 1é"), "ünnamed – #é");
    }

    #[test]
    fn nobody_begins_once_it_is_stopped() {
        let stop = CancellationToken::new();
        stop.cancel();
        let (tally, seen) = driven(&stop);
        assert_eq!((tally.ok, tally.failed, seen.len()), (0, 0, 0));
    }
}
