//! What is counted, and told at the end.

use serde::Serialize;

pub const HELP: &str = "\
With --kill-host a process that embeds the crate makes, starts, uses and removes containers of both fates from several tasks,
and is killed (SIGKILL) 0 to 1.5 s after its first creation began, some before they can have found what the one before them
has left, some while they take their lease. The next one is started at once, adopts what it is offered, and removes some of
it later. A host of another name lives all the while, and from the middle on one of the same name. All say what they are about
to ask and what they were told; what there is, is read past them.

  kills, made, adoptions what was done: containers acknowledged to a process, and times that one was adopted
  remove_left            containers to be removed, of a dead host, 10 s after the start of the next one that isn't killed
                         before; or of one that has ended in order
  adopt_lost             containers to be adopted that are gone or stopped though nobody asked for it, or that no living host
                         has been offered by then
  wrongly_offered        offered to two at once, or while their host lives, or though they are to be removed
  told_too_early         what was still to be removed or offered when `Host::recovered` had returned
  told_too_late          times that it hadn't 10 s after the next start, though nothing was left
  living_touched         containers of living hosts that are gone or stopped
  foreign_deleted, duplicates, lost
                         as above
  leases_left            leases once all hosts have ended in order
  failed_calls           calls of a process that failed, though nothing stood in their way
  recovery_ms_p99        from the next one's start until all is removed or offered

The exit status is 1 where any count from remove_left to failed_calls isn't 0.
";

/// The last line.
#[derive(Debug, Serialize)]
pub struct Line {
    pub kills: u64,
    /// Containers that a child was told were made.
    pub made: u64,
    /// Times that one was adopted.
    pub adoptions: u64,
    pub remove_left: u64,
    pub adopt_lost: u64,
    pub wrongly_offered: u64,
    pub told_too_early: u64,
    pub told_too_late: u64,
    pub living_touched: u64,
    pub foreign_deleted: u64,
    pub duplicates: u64,
    pub lost: u64,
    pub leases_left: u64,
    pub failed_calls: u64,
    pub recovery_ms_p99: f64,
    pub seconds: f64,
}

impl Line {
    pub fn is_good(&self) -> bool {
        let bad = [
            self.remove_left,
            self.adopt_lost,
            self.wrongly_offered,
            self.told_too_early,
            self.told_too_late,
            self.living_touched,
            self.foreign_deleted,
            self.duplicates,
            self.lost,
            self.leases_left,
            self.failed_calls,
        ];
        bad.iter().sum::<u64>() == 0
    }
}
