//! The last child closes all: nothing is left.

use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use super::line::{Bad, Line, Times};
use super::stage::Stage;
use crate::Outcome;

/// What nobody has is looked at for two minutes before it is removed.
const STRAYS: Duration = Duration::from_secs(180);

impl Run<'_> {
    /// What there is when all work has ended is opened once more; then the manager closes it all, and nothing is left.
    pub(super) async fn last(&mut self, child: u64, set: u64) -> Outcome<()> {
        self.stage.order(child, "rest").await?;
        self.stage.until(child, |child| child.rests).await?;
        self.stage.ledger.check();
        self.stage.order(child, "check").await?;
        self.stage.until(child, |child| child.checked).await?;
        self.stuck = self.stage.ledger.stuck().len();
        for held in self.stage.ledger.stuck() {
            eprintln!("it can't be opened any more: {held:?}");
        }
        let listed = self.stage.child(child)?.listed;
        self.stage.order(child, &format!("list {set}")).await?;
        self.stage
            .until(child, |child| child.listed > listed)
            .await?;
        for (bad, what) in self.stage.ledger.missing(child, set) {
            self.stage.wrongs.note(bad, what);
        }
        self.stage.judge().await?;
        let patience = Instant::now() + STRAYS;
        let mut told = 0;
        loop {
            let strays = self.stage.looker.found().await?.strays();
            self.stage.order(child, "strays").await?;
            self.stage
                .until(child, |child| child.strays.is_some())
                .await?;
            let known = self.stage.child(child)?.strays.clone().unwrap_or_default();
            if told != strays.len() + known.len() {
                told = strays.len() + known.len();
                eprintln!(
                    "{} strays, {} of them known to the manager",
                    strays.len(),
                    known.len()
                );
            }
            if told == 0 || Instant::now() > patience {
                break;
            }
            self.stage
                .listen(Instant::now() + Duration::from_secs(1))
                .await?;
        }
        self.stage.end(child).await?;
        for (bad, what) in self.stage.looker.audit_foreign(self.stage.must_run).await? {
            self.stage.wrongs.note(bad, what);
        }
        for left in self.stage.looker.found().await?.all() {
            self.stage.wrongs.note(
                Bad::LeftOver,
                format!("all was closed, and there is {left}"),
            );
        }
        Ok(())
    }

    /// Counts all, and removes what there is.
    pub(super) async fn finish(
        self,
        ended: Outcome<()>,
        kills: u64,
        began: Instant,
    ) -> Outcome<Line> {
        let Stage {
            looker,
            ledger,
            wrongs,
            unavailable,
            ..
        } = self.stage;
        if ended.is_err() {
            eprintln!("cleaning up");
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        looker.clean_up().await?;
        ended?;
        Ok(Line {
            kills,
            opened: ledger.opens,
            closed: ledger.closes,
            adopted: ledger.adopted,
            resumed: ledger.resumed,
            lost: wrongs.count(Bad::Lost),
            doubled: wrongs.count(Bad::Doubled),
            left_over: wrongs.count(Bad::LeftOver),
            foreign_touched: wrongs.count(Bad::ForeignTouched),
            wrong_session: wrongs.count(Bad::WrongSession),
            failed_calls: wrongs.count(Bad::FailedCall),
            stuck: self.stuck,
            unavailable,
            recovery_ms: Times::of(self.recoveries),
            seconds: (began.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            calls_may_fail: self.options.kill_engine > 0,
        })
    }
}
