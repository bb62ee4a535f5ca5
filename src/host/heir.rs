//! Looks for those who are dead, and stands in for them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::watch as state;
use tokio::time::{Instant, MissedTickBehavior};

use super::labels::{self, Fate, Orphan};
use super::lease::{self, Instance, Lease};
use super::own::Own;
use super::removals::{self, Removals};
use super::watch::{Dead, Watch};
use super::{HostOptions, Seen};
use crate::backend::{CallContext, ContainerBackend};
use crate::error::Result;
use crate::model::{ContainerRef, ContainerSummary};

/// So long a creation that was sent before its host died may still come to something.
const GRACE: Duration = Duration::from_secs(60);
/// How often it is looked for what nobody expects: instances without a lease, new containers of one long dead.
const RARELY: Duration = Duration::from_secs(30);

/// For so many times as long as a list took there is no other.
const RESTS: u32 = 5;
/// Leases that are taken or given back at once.
const AT_ONCE: usize = 8;

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
    /// How long that took.
    look_took: Duration,
    /// Whose containers, as seen then, are to go with them.
    removable: BTreeSet<Instance>,
    began: Instant,
    seen: state::Sender<Seen>,
}

/// What a dead instance has left.
struct Estate {
    lease: Lease,
    since: Instant,
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
            look_took: Duration::ZERO,
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
            tokio::select! {
                _ = ticks.tick() => {}
                // What they have left to see is seen at once.
                () = self.removals.ended() => {}
            }
            let looked = match self.look().await {
                // What was taken over is looked at, at once.
                Ok(true) => self.look().await,
                looked => looked,
            };
            if let (Err(error), false) = (&looked, failed) {
                tracing::warn!(%error, host = %self.host, "what dead instances have left couldn't be looked at");
            }
            failed = looked.is_err();
        }
    }

    /// Whether something was taken over, which the next look sees.
    async fn look(&mut self) -> Result<bool> {
        self.watch.become_another(self.own.instance());
        // One list for all: were there one for each estate, the looks of whoever has many would be too far apart.
        let all = match self.is_list_due() {
            true => Some(self.list().await?),
            false => None,
        };
        let leases = lease::all(&*self.quick, &self.host).await?;
        self.watch.saw(&leases);
        if self.own.may_be_lost() {
            // Who may be dead itself stands in for nobody.
            return Ok(false);
        }
        let kept = self.keep_estates(&leases).await?;
        let dead = self.watch.dead();
        let taken = self.take_over(&dead).await?;
        let over = self.watch.is_over() && taken && dead.is_empty();
        if over && all.is_none() && !self.seen.borrow().recovered {
            // Only a list of now says that nothing is left.
            self.looked_at_all = None;
            return Ok(true);
        }
        let held = self.watch.estates();
        let is_held = |one: &Instance| held.iter().any(|lease| lease.instance == *one);
        self.estates
            .retain(|instance, _| kept.contains(instance) || is_held(instance));
        let mut spent = Vec::new();
        for lease in held.into_iter().filter(|_| all.is_some()) {
            let of = |other: &&Lease| other.is_before(&lease);
            spent.extend(leases.iter().filter(of).cloned());
            spent.extend(self.sweep(lease, all.as_deref().unwrap_or_default()));
        }
        let unwanted: Vec<_> = (self.estates.values())
            .flat_map(|estate| estate.unwanted.iter().cloned())
            .collect();
        let clean = !self.removals.want(&unwanted);
        // Another one that has taken over may still be about to remove what there is.
        let mut others = (self.removable.iter()).filter(|one| !self.estates.contains_key(*one));
        let all_clean = clean && others.all(|one| self.watch.lives(one));
        self.tell(over && all_clean);
        let given_back = spent.iter().map(|lease| lease.give_back(&*self.quick));
        let given_back = futures::stream::iter(given_back).buffer_unordered(AT_ONCE);
        given_back.try_collect::<()>().await?;
        Ok(taken && !dead.is_empty())
    }

    fn is_list_due(&self) -> bool {
        let Some(since) = self.looked_at_all.map(|at| at.elapsed()) else {
            return true;
        };
        let may_change =
            |estate: &Estate| !estate.unwanted.is_empty() || estate.since.elapsed() <= GRACE;
        let soon = !self.seen.borrow().recovered || self.estates.values().any(may_change);
        // A list of many takes the engine a while, in which it should do something else.
        since > RARELY || soon && since >= self.look_took * RESTS
    }

    /// All containers of this host that say whose they are.
    async fn list(&mut self) -> Result<Vec<(Instance, Fate, ContainerSummary)>> {
        let began = Instant::now();
        let all = self.quick.list(&labels::of(&self.host, None)?).await?;
        self.look_took = began.elapsed();
        let named = all.into_iter().filter_map(|container| {
            let (instance, fate) = labels::read(&self.host, &container)?;
            Some((instance, fate, container))
        });
        let named: Vec<_> = named.collect();
        let removable = named.iter().filter(|(_, fate, _)| *fate == Fate::Remove);
        self.removable = removable.map(|(instance, ..)| instance.clone()).collect();
        let bearers = named.iter().map(|(instance, ..)| instance.clone());
        self.watch.saw_bearers(bearers.collect());
        self.looked_at_all = Some(Instant::now());
        Ok(named)
    }

    /// Whether all of them are this one's now.
    async fn take_over(&mut self, dead: &[Dead]) -> Result<bool> {
        if !dead.is_empty() {
            // In the next look the leases that are taken now are seen, and so is what they stand for.
            self.looked_at_all = None;
        }
        let taken = dead.iter().map(|dead| async {
            let taken = dead.next.take(&*self.quick).await?;
            tracing::info!(
                host = %self.host, dead = %dead.instance, taken,
                "an instance of this host is dead: what it has left is looked after"
            );
            Ok(taken)
        });
        let taken = futures::stream::iter(taken).buffer_unordered(AT_ONCE);
        taken
            .try_fold(true, |all, one| async move { Ok(all & one) })
            .await
    }

    /// Somebody may have pruned volumes: what is held is taken again before anybody can count it as nobody's. These are seen
    /// in the next look.
    async fn keep_estates(&mut self, leases: &[Lease]) -> Result<BTreeSet<Instance>> {
        let own = self.own.instance();
        let mut kept = BTreeSet::new();
        for (instance, estate) in &mut self.estates {
            let gone = !leases.iter().any(|lease| lease.instance == *instance);
            if !gone || estate.lease.holder != own {
                continue;
            }
            let next = estate.lease.next(&own);
            if next.make(&*self.quick).await? {
                estate.lease = next;
                kept.insert(instance.clone());
            }
        }
        Ok(kept)
    }

    /// Sorts what a dead instance has left. Its lease comes back where nothing is left, and nothing can come any more.
    fn sweep(&mut self, lease: Lease, all: &[(Instance, Fate, ContainerSummary)]) -> Option<Lease> {
        let now = Instant::now();
        let known = self.estates.get(&lease.instance);
        let since = known.map_or(now, |estate| estate.since);
        let (mut orphans, mut unwanted) = (Vec::new(), Vec::new());
        for (instance, fate, container) in all {
            match fate {
                _ if *instance != lease.instance => {}
                Fate::Remove => unwanted.push(container.id.clone()),
                Fate::Adopt => orphans.push(Orphan {
                    container: container.clone(),
                    instance: instance.to_string(),
                }),
            }
        }
        if now.duration_since(since) > GRACE && orphans.is_empty() && unwanted.is_empty() {
            self.estates.remove(&lease.instance);
            return Some(lease);
        }
        let estate = Estate {
            since,
            orphans,
            unwanted,
            lease: lease.clone(),
        };
        self.estates.insert(lease.instance, estate);
        None
    }

    fn tell(&self, recovered: bool) {
        let orphans: Vec<_> = (self.estates.values())
            .flat_map(|estate| estate.orphans.iter().cloned())
            .collect();
        let ids = orphans.iter().map(|one| one.container.id.clone());
        let offered: HashSet<_> = ids.collect();
        self.seen.send_if_modified(|seen| {
            let waited = self.began.elapsed() > GRACE + self.own.lasts;
            if !seen.recovered && !recovered && waited {
                tracing::error!(
                    host = %self.host,
                    "what dead instances have left can't be settled: it is looked after in the background"
                );
            }
            let recovered = seen.recovered || recovered || waited;
            let changed = recovered != seen.recovered || offered != seen.offered;
            seen.to = Some(self.own.instance());
            seen.offered = offered;
            seen.estates = self.estates.keys().map(ToString::to_string).collect();
            (seen.recovered, seen.orphans) = (recovered, orphans);
            seen.others = self.watch.others();
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

    /// Where something is left, whoever comes next needn't wait to know that it is nobody's.
    async fn give_all_back(&self) -> Result<()> {
        let own = self.own.instance();
        let all = self.backend.list(&labels::of(&self.host, None)?).await?;
        let left = all.iter().filter_map(|one| labels::read(&self.host, one));
        let left: BTreeSet<_> = left.map(|(instance, _)| instance).collect();
        let books = self
            .backend
            .with_context(CallContext::new().keeping_books());
        let leases = lease::all(&*books, &self.host).await?;
        let held = leases.iter().filter(|lease| lease.holder == own);
        for lease in held {
            let last = !leases.iter().any(|other| lease.is_before(other));
            if last && left.contains(&lease.instance) {
                lease.next(&Instance::nobody()).make(&*books).await?;
            }
            lease.give_back(&*books).await?;
        }
        Ok(())
    }

    /// Gives back what this instance holds, and tells how it has ended.
    pub(super) async fn end(&self, removed: Result<()>) {
        let given_back = self.give_all_back().await;
        let ended = removed.and(given_back);
        self.seen.send_modify(|seen| seen.ended = Some(ended));
    }
}
