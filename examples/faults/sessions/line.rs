//! What is counted, and told at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::report::{milliseconds, p99};

pub const HELP: &str = "\
With --sessions the processes that are killed have a session manager each, with a warm pool: several tasks open, use and close
sessions, some with volumes and networks of their own, some opened by two at once, some by callers that go away. The next
process opens some of the keys before it can know what was left. In every fourth round two live side by side, and one of them
is killed: the other adopts what it had. Counted by what was acknowledged and what there is at the engine:

  kills, opened, closed, adopted, resumed
                         what was done: opens and closes acknowledged, times that a session was adopted or started again
  lost                   sessions acknowledged as open that are gone or stopped, or that the next manager hasn't got once it
                         has recovered
  doubled                names or session ids that two containers have, and sessions whose container hasn't their name
  left_over              containers and volumes of sessions acknowledged as closed; containers of dead instances that nobody
                         got, a lease and 10 s after the death; what is there of the host once the last one has closed all
  foreign_touched        somebody else's containers, volumes and networks that are gone or changed
  wrong_session          opens of a key that is open that gave another session or container, or gave one that was closed
  failed_calls           calls that failed, though nothing stood in their way. Not bad where the engine is killed
  stuck                  sessions that are there and can't be opened in the end. Not bad where the engine is killed: see below
  unavailable            calls refused as such, since the process was too slow to renew its lease or to find out who is dead, or
                         the engine was away; and times that a living process was replaced. Not bad
  recovery_ms            from the next one's start until it has recovered, and nothing of the dead is left that nobody got

With --kill-engine and --sessions one manager works over a daemon of our own, which is killed again and again; its containers go
on, or with --no-live-restore are stopped by the next daemon (SIGTERM: exit code 143), and started again when they are opened:
they are kept then. recovery_ms is from the daemon's return until the next open is acknowledged. What such a daemon forgets:
commands that run in containers, and a start that it had begun: the container counts as never started, or as stopped, and starting
it again fails, for its task is there, until the daemon is started anew. Both are calls that fail. An open that fails so leaves
nothing; one of a session that had stopped leaves that stuck, until the daemon is started anew or the session is closed. What the
daemon had acknowledged as made, named, started or removed, it hadn't forgotten.

The exit status is 1 where any count from lost to wrong_session isn't 0, or failed_calls or stuck where no engine was killed.
";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bad {
    Lost,
    Doubled,
    LeftOver,
    ForeignTouched,
    WrongSession,
    FailedCall,
}

/// How many of each kind are told word by word.
const TOLD: usize = 8;

/// What went wrong, each thing once.
#[derive(Debug, Default)]
pub struct Wrongs(BTreeMap<Bad, BTreeSet<String>>);

impl Wrongs {
    pub fn note(&mut self, bad: Bad, what: String) {
        let all = self.0.entry(bad).or_default();
        if all.len() < TOLD && !all.contains(&what) {
            eprintln!("{bad:?}: {what}");
        }
        all.insert(what);
    }

    pub fn count(&self, bad: Bad) -> usize {
        self.0.get(&bad).map_or(0, BTreeSet::len)
    }
}

#[derive(Debug, Serialize)]
pub struct Times {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Times {
    pub fn of(mut times: Vec<Duration>) -> Self {
        let p99 = p99(&mut times);
        let middle = times.get(times.len() / 2).copied();
        Self {
            p50: milliseconds(middle.unwrap_or_default()),
            p99: milliseconds(p99),
            max: milliseconds(times.last().copied().unwrap_or_default()),
        }
    }
}

/// The last line.
#[derive(Debug, Serialize)]
pub struct Line {
    pub kills: u64,
    pub opened: u64,
    pub closed: u64,
    pub adopted: u64,
    pub resumed: u64,
    pub lost: usize,
    pub doubled: usize,
    pub left_over: usize,
    pub foreign_touched: usize,
    pub wrong_session: usize,
    pub failed_calls: usize,
    pub stuck: usize,
    pub unavailable: u64,
    pub recovery_ms: Times,
    pub seconds: f64,
    #[serde(skip)]
    pub calls_may_fail: bool,
}

impl Line {
    pub fn is_good(&self) -> bool {
        let bad =
            self.lost + self.doubled + self.left_over + self.foreign_touched + self.wrong_session;
        bad == 0 && (self.calls_may_fail || self.failed_calls + self.stuck == 0)
    }
}
