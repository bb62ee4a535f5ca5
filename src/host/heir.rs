//! Looks for those who are dead, and stands in for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as state;
use tokio::time::{Instant, MissedTickBehavior};

use super::labels::{self, Fate, Orphan};
use super::lease::{self, Instance, Lease};
use super::own::Own;
use super::removals::{self, Removals};
use super::watch::Watch;
use super::{HostOptions, Seen};
use crate::backend::ContainerBackend;
use crate::error::Result;
use crate::model::ContainerRef;

/// So long a creation that was sent before its host died may still come to something.
const GRACE: Duration = Duration::from_secs(60);
/// How often it is looked for what nobody expects: instances without a lease, new containers of one long dead.
const RARELY: Duration = Duration::from_secs(30);

pub(super) struct Heir {
    /// For looks and leases.
    quick: Arc<dyn ContainerBackend>,
    /// For what takes its time.
    backend: Arc<dyn ContainerBackend>,
    host: String,
    own: Arc<Own>,
    watch: Watch,
    estates: BTreeMap<Instance, Estate>,
    removals: Removals,
    looked_at_all: Option<Instant>,
    /// Whose containers, as seen then, are to go with them.
    removable: BTreeSet<Instance>,
    began: Instant,
    seen: state::Sender<Seen>,
}

/// What a dead instance has left.
struct Estate {
    lease: Lease,
    since: Instant,
    /// When it was looked at, and found that nothing was left to remove.
    clean: Option<Instant>,
    orphans: Vec<Orphan>,
    unwanted: Vec<ContainerRef>,
}

impl Heir {
    pub(super) fn new(
        quick: Arc<dyn ContainerBackend>,
        backend: Arc<dyn ContainerBackend>,
        options: &HostOptions,
        own: Arc<Own>,
        seen: state::Sender<Seen>,
    ) -> Self {
        Self {
            quick,
            removals: Removals::new(Arc::clone(&backend)),
            backend,
            host: options.name.clone(),
            watch: Watch::new(&options.name, own.instance(), options.lease),
            own,
            estates: BTreeMap::new(),
            looked_at_all: None,
            removable: BTreeSet::new(),
            began: Instant::now(),
            seen,
        }
    }

    pub(super) async fn go_on(&mut self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            ticks.tick().await;
            let looked = self.look().await;
            if let (Err(error), false) = (&looked, failed) {
                tracing::warn!(%error, host = %self.host, "what dead instances have left couldn't be looked at");
            }
            failed = looked.is_err();
        }
    }

    async fn look(&mut self) -> Result<()> {
        self.watch.become_another(self.own.instance());
        let due = |at: Instant| at.elapsed() > RARELY;
        let recovers = !self.seen.borrow().recovered;
        if recovers || self.looked_at_all.is_none_or(due) {
            self.look_at_all().await?;
        }
        let leases = lease::all(&*self.quick, &self.host).await?;
        self.watch.saw(&leases);
        if self.own.may_be_lost() {
            // Who may be dead itself stands in for nobody.
            return Ok(());
        }
        self.keep_estates(&leases).await?;
        let mut taken = true;
        for dead in self.watch.dead() {
            taken &= dead.next.take(&*self.quick).await?;
            tracing::info!(
                host = %self.host, dead = %dead.instance, taken,
                "an instance of this host is dead: what it has left is looked after"
            );
        }
        // What was taken is seen in the next look.
        let over = self.watch.is_over() && taken && self.watch.dead().is_empty();
        let held = self.watch.estates();
        self.estates
            .retain(|instance, _| held.iter().any(|lease| lease.instance == *instance));
        for lease in held {
            self.sweep(lease, &leases).await?;
        }
        let unwanted: Vec<_> = (self.estates.values())
            .flat_map(|estate| estate.unwanted.iter().cloned())
            .collect();
        let clean = !self.removals.want(&unwanted);
        // Another one that has taken over may still be about to remove what there is.
        let others = self
            .removable
            .iter()
            .filter(|one| !self.estates.contains_key(*one));
        let all_clean = clean && others.into_iter().all(|one| self.watch.lives(one));
        self.tell(over && all_clean);
        Ok(())
    }

    async fn look_at_all(&mut self) -> Result<()> {
        let all = self.quick.list(&labels::of(&self.host, None)?).await?;
        let named: Vec<_> = (all.iter())
            .filter_map(|container| labels::read(&self.host, container))
            .collect();
        let removable = named.iter().filter(|(_, fate)| *fate == Fate::Remove);
        self.removable = removable.map(|(instance, _)| instance.clone()).collect();
        let bearers = named.into_iter().map(|(instance, _)| instance);
        self.watch.saw_bearers(bearers.collect());
        self.looked_at_all = Some(Instant::now());
        Ok(())
    }

    /// Somebody may have pruned volumes: what is held is taken again before anybody can count it as nobody's.
    async fn keep_estates(&self, leases: &[Lease]) -> Result<()> {
        let own = self.own.instance();
        for estate in self.estates.values() {
            let gone = !(leases.iter()).any(|lease| lease.instance == estate.lease.instance);
            if gone && estate.lease.holder == own {
                estate.lease.next(&own).make(&*self.quick).await?;
            }
        }
        Ok(())
    }

    /// Looks at what a dead instance has left, where it is time to.
    async fn sweep(&mut self, lease: Lease, leases: &[Lease]) -> Result<()> {
        let now = Instant::now();
        let known = self.estates.get(&lease.instance);
        let since = known.map_or(now, |estate| estate.since);
        let late = now.duration_since(since) > GRACE;
        let clean = known.and_then(|estate| estate.clean);
        if late && clean.is_some_and(|at| now.duration_since(at) < RARELY) {
            return Ok(());
        }
        let left = labels::of(&self.host, Some(&lease.instance))?;
        let left = self.quick.list(&left).await?;
        let (mut orphans, mut unwanted) = (Vec::new(), Vec::new());
        for container in left {
            // Where it can't be read whose that is, and what shall become of it, nothing does.
            match labels::read(&self.host, &container) {
                Some((instance, _)) if instance != lease.instance => {}
                Some((_, Fate::Remove)) => unwanted.push(container.id),
                Some((instance, Fate::Adopt)) => orphans.push(Orphan {
                    container,
                    instance: instance.to_string(),
                }),
                None => {}
            }
        }
        for older in leases.iter().filter(|other| other.is_before(&lease)) {
            older.give_back(&*self.quick).await?;
        }
        if late && orphans.is_empty() && unwanted.is_empty() {
            lease.give_back(&*self.quick).await?;
            self.estates.remove(&lease.instance);
            return Ok(());
        }
        let estate = Estate {
            since,
            clean: unwanted.is_empty().then_some(now),
            orphans,
            unwanted,
            lease: lease.clone(),
        };
        self.estates.insert(lease.instance, estate);
        Ok(())
    }

    fn tell(&self, recovered: bool) {
        let orphans: Vec<_> = (self.estates.values())
            .flat_map(|estate| estate.orphans.iter().cloned())
            .collect();
        let ids = |orphans: &[Orphan]| -> Vec<_> {
            orphans.iter().map(|one| one.container.id.clone()).collect()
        };
        self.seen.send_if_modified(|seen| {
            let waited = self.began.elapsed() > GRACE + self.own.lasts;
            if !seen.recovered && !recovered && waited {
                tracing::error!(
                    host = %self.host,
                    "what dead instances have left can't be settled: it is looked after in the background"
                );
            }
            let recovered = seen.recovered || recovered || waited;
            let changed = recovered != seen.recovered || ids(&orphans) != ids(&seen.orphans);
            (seen.recovered, seen.orphans) = (recovered, orphans);
            changed
        });
    }

    /// Removes this instance's own containers that nobody shall have after it.
    pub(super) async fn remove_own(&self) -> Result<()> {
        let own = self.own.instance();
        let all = self
            .backend
            .list(&labels::of(&self.host, Some(&own))?)
            .await?;
        let unwanted = all.into_iter().filter(|container| {
            labels::read(&self.host, container) == Some((own.clone(), Fate::Remove))
        });
        let unwanted: Vec<_> = unwanted.map(|container| container.id).collect();
        removals::all(&*self.backend, &unwanted).await
    }

    /// Gives back what this instance holds, and tells how it has ended.
    pub(super) async fn end(&self, removed: Result<()>) {
        let own = self.own.instance();
        let given_back = async {
            for lease in lease::all(&*self.backend, &self.host).await? {
                if lease.holder == own {
                    lease.give_back(&*self.backend).await?;
                }
            }
            Ok(())
        };
        let given_back = given_back.await;
        let ended = removed.and(given_back);
        self.seen.send_modify(|seen| seen.ended = Some(ended));
    }
}
