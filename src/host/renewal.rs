//! Keeps the instance alive in the eyes of others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::lease::{self, Instance, Lease};
use super::own::Own;
use crate::backend::ContainerBackend;
use crate::error::Result;

pub(super) struct Renewal {
    pub(super) backend: Arc<dyn ContainerBackend>,
    pub(super) own: Arc<Own>,
}

impl Renewal {
    fn every(&self) -> Duration {
        self.own.lasts / 3
    }

    pub(super) async fn go_on(&self) {
        let begin = tokio::time::Instant::now() + self.every();
        let mut ticks = tokio::time::interval_at(begin, self.every());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            ticks.tick().await;
            let renewed = self.renew().await;
            if let (Err(error), false) = (&renewed, failed) {
                tracing::warn!(%error, "the host's lease couldn't be renewed: it is tried again");
            }
            failed = renewed.is_err();
            if failed {
                ticks.reset_after(self.every() / 4);
                continue;
            }
            // It mustn't be in the way of the next renewal; what it leaves, the next one does.
            let tidied = tokio::time::timeout(self.every() / 2, self.tidy()).await;
            if let Ok(Err(error)) = tidied {
                tracing::debug!(%error, "older leases couldn't be given back: that is tried again");
            }
        }
    }

    async fn renew(&self) -> Result<()> {
        let last = self.own.lease();
        // Whoever took its place has made the next one first, and has removed this one; and may be gone since.
        if self.own.may_be_lost() && !self.all(&last).await?.contains(&last) {
            return self.begin_anew(&last).await;
        }
        let (next, sent) = (last.next(&last.holder), Instant::now());
        if !next.make(&*self.backend).await? {
            return self.begin_anew(&last).await;
        }
        self.own.renewed(next, sent);
        Ok(())
    }

    async fn all(&self, of: &Lease) -> Result<Vec<Lease>> {
        lease::all(&*self.backend, &of.host).await
    }

    /// Gives back what came before, and looks whether there is something after.
    async fn tidy(&self) -> Result<()> {
        let lease = self.own.lease();
        let all = self.all(&lease).await?;
        if all.iter().any(|other| lease.is_before(other)) {
            return self.begin_anew(&lease).await;
        }
        for older in all.iter().filter(|other| other.is_before(&lease)) {
            older.give_back(&*self.backend).await?;
        }
        Ok(())
    }

    /// Goes on as another instance: this one's place is taken.
    async fn begin_anew(&self, lost: &Lease) -> Result<()> {
        if self.own.lose() {
            tracing::error!(
                host = %lost.host, instance = %lost.instance,
                "this host was silent for longer than its lease and has been replaced: its containers are another's"
            );
        }
        let (another, sent) = (Lease::first(&lost.host, &Instance::new())?, Instant::now());
        if another.make(&*self.backend).await? {
            tracing::info!(host = %lost.host, instance = %another.instance, "the host goes on as another instance");
            self.own.renewed(another, sent);
        }
        Ok(())
    }
}
