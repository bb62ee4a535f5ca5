//! The thread that renews the lease, looks for those who are dead, and deals with what they have left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::watch as state;
use tokio::time::{Instant, MissedTickBehavior};

use super::labels::{self, Fate, Orphan};
use super::lease::{self, Instance, Lease};
use super::watch::Watch;
use super::{HostOptions, Seen};
use crate::backend::{CallContext, ContainerBackend};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::model::{ContainerSummary, RemoveOptions};

/// Removals at once.
const AT_ONCE: usize = 8;
/// So long a creation that was sent before its host died may still come to something.
const GRACE: Duration = Duration::from_secs(60);
/// How often it is looked for what nobody expects: instances without a lease, new containers of one long dead.
const RARELY: Duration = Duration::from_secs(30);

pub(super) struct Keeper {
    pub(super) backend: Arc<dyn ContainerBackend>,
    pub(super) options: HostOptions,
    pub(super) current: Arc<Mutex<Instance>>,
    pub(super) lease: Lease,
    pub(super) seen: state::Sender<Seen>,
    pub(super) ends: state::Receiver<bool>,
}

impl Keeper {
    pub(super) fn start(self) -> Result<()> {
        let failed = |error| {
            Error::new(
                ErrorKind::Host,
                "no thread can be made that keeps the lease",
            )
            .with_source(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        std::thread::Builder::new()
            .name("catamaran-host".to_owned())
            .spawn(move || runtime.block_on(self.keep()))
            .map_err(failed)?;
        Ok(())
    }

    async fn keep(self) {
        let Self {
            backend,
            options,
            current,
            lease,
            seen,
            mut ends,
        } = self;
        // What a slow engine does to a look mustn't take a lease's time.
        let quick = CallContext::new().with_timeout(options.lease / 3);
        let renewal = Renewal {
            backend: backend.with_context(quick.clone()),
            current: Arc::clone(&current),
            every: options.lease / 3,
            lease: Mutex::new(lease),
        };
        let mut heir = Heir {
            quick: backend.with_context(quick),
            backend,
            watch: Watch::new(&options.name, lock(&current).clone(), options.lease),
            host: options.name,
            current: Arc::clone(&current),
            estates: BTreeMap::new(),
            looked_at_all: None,
            removable: BTreeSet::new(),
            seen,
        };
        let orderly = tokio::select! {
            ended = ends.wait_for(|ends| *ends) => ended.is_ok(),
            () = renewal.go_on() => true,
            () = heir.go_on(options.lease / 6) => true,
        };
        if orderly {
            let lease = lock(&renewal.lease).clone();
            let ended = heir.end(&lease).await;
            heir.seen.send_modify(|seen| seen.ended = Some(ended));
        }
    }
}

/// Keeps the instance alive in the eyes of others.
struct Renewal {
    backend: Arc<dyn ContainerBackend>,
    current: Arc<Mutex<Instance>>,
    every: Duration,
    lease: Mutex<Lease>,
}

impl Renewal {
    async fn go_on(&self) {
        let mut failed = false;
        loop {
            // Sooner again where it has failed.
            let pause = if failed { self.every / 4 } else { self.every };
            tokio::time::sleep(pause).await;
            let renewed = self.renew().await;
            if let (Err(error), false) = (&renewed, failed) {
                tracing::warn!(%error, "the host's lease couldn't be renewed: it is tried again");
            }
            failed = renewed.is_err();
        }
    }

    async fn renew(&self) -> Result<()> {
        let last = lock(&self.lease).clone();
        let next = last.next(&last.holder);
        if next.take(&*self.backend).await? {
            lock(&self.lease).clone_from(&next);
            return last.give_back(&*self.backend).await;
        }
        let another = Lease::first(&last.host, &Instance::new())?;
        if another.take(&*self.backend).await? {
            tracing::error!(
                host = %last.host, lost = %last.instance, now = %another.instance,
                "this host was silent for longer than its lease and has been replaced: its containers are another's; what \
                 it creates from now on is its own again"
            );
            lock(&self.current).clone_from(&another.instance);
            *lock(&self.lease) = another;
        }
        Ok(())
    }
}

/// Stands in for those who are dead.
struct Heir {
    /// For looks.
    quick: Arc<dyn ContainerBackend>,
    /// For removals, which take their time.
    backend: Arc<dyn ContainerBackend>,
    host: String,
    current: Arc<Mutex<Instance>>,
    watch: Watch,
    estates: BTreeMap<Instance, Estate>,
    looked_at_all: Option<Instant>,
    /// Whose containers, as seen then, are to go with them.
    removable: BTreeSet<Instance>,
    seen: state::Sender<Seen>,
}

/// What a dead instance has left.
struct Estate {
    since: Instant,
    /// When it was looked at, and whether nothing was left to remove.
    swept: Option<(Instant, bool)>,
    orphans: Vec<Orphan>,
}

impl Heir {
    async fn go_on(&mut self, every: Duration) {
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
        self.watch.become_another(lock(&self.current).clone());
        let due = |at: Instant| at.elapsed() > RARELY;
        let recovers = !self.seen.borrow().recovered;
        if recovers || self.looked_at_all.is_none_or(due) {
            let all = self.quick.list(&labels::of(&self.host, None)?).await?;
            let named: Vec<_> = all.iter().filter_map(labels::read).collect();
            let removable = named.iter().filter(|(_, fate)| *fate == Fate::Remove);
            self.removable = removable.map(|(instance, _)| instance.clone()).collect();
            let bearers = named.into_iter().map(|(instance, _)| instance);
            self.watch.saw_bearers(bearers.collect());
            self.looked_at_all = Some(Instant::now());
        }
        self.watch.saw(&lease::all(&*self.quick, &self.host).await?);
        let mut taken = true;
        for dead in self.watch.dead() {
            taken &= dead.next.take(&*self.quick).await?;
            tracing::info!(
                host = %self.host, dead = %dead.instance, taken,
                "an instance of this host is dead: what it has left is looked after"
            );
        }
        // The leases that were taken are seen in the next look.
        let over = self.watch.is_over() && taken && self.watch.dead().is_empty();
        let leases = self.watch.estates();
        self.estates
            .retain(|instance, _| leases.iter().any(|lease| lease.instance == *instance));
        let mut clean = true;
        for lease in leases {
            clean &= self.sweep(&lease).await?;
        }
        let orphans: Vec<_> = (self.estates.values())
            .flat_map(|estate| estate.orphans.iter().cloned())
            .collect();
        // Another one that has taken over may still be about to remove what there is.
        let all_clean = clean && self.removable.iter().all(|one| self.watch.lives(one));
        self.seen.send_if_modified(|seen| {
            let recovered = seen.recovered || (over && all_clean);
            let ids = |orphans: &[Orphan]| -> Vec<_> {
                orphans.iter().map(|one| one.container.id.clone()).collect()
            };
            let changed = recovered != seen.recovered || ids(&orphans) != ids(&seen.orphans);
            (seen.recovered, seen.orphans) = (recovered, orphans);
            changed
        });
        Ok(())
    }

    /// Deals with what a dead instance has left, where it is time to; whether nothing is left to remove.
    async fn sweep(&mut self, lease: &Lease) -> Result<bool> {
        let now = Instant::now();
        let estate = self.estates.get(&lease.instance);
        if let Some(estate) = estate
            && let Some((swept, true)) = estate.swept
            && now.duration_since(estate.since) > GRACE
            && now.duration_since(swept) < RARELY
        {
            return Ok(true);
        }
        let since = estate.map_or(now, |estate| estate.since);
        let left = labels::of(&self.host, Some(&lease.instance))?;
        let left = self.quick.list(&left).await?;
        let (mut orphans, mut unwanted) = (Vec::new(), Vec::new());
        for container in left {
            match labels::read(&container) {
                Some((instance, fate)) if instance == lease.instance => match fate {
                    Fate::Remove => unwanted.push(container),
                    Fate::Adopt => orphans.push(Orphan {
                        container,
                        instance: instance.to_string(),
                    }),
                },
                // Whose that is, and what shall become of it, can't be read.
                _ => {}
            }
        }
        let clean = unwanted.is_empty();
        if clean && orphans.is_empty() && now.duration_since(since) > GRACE {
            lease.give_back(&*self.quick).await?;
        } else {
            self.give_back_older(lease).await?;
        }
        let estate = Estate {
            since,
            swept: Some((now, clean)),
            orphans,
        };
        self.estates.insert(lease.instance.clone(), estate);
        // What couldn't be removed is seen again in the next look.
        if let Err(error) = self.remove(unwanted).await {
            tracing::warn!(%error, "what a dead instance has left couldn't be removed: it is tried again");
        }
        Ok(clean)
    }

    async fn give_back_older(&self, lease: &Lease) -> Result<()> {
        for older in lease::all(&*self.quick, &self.host).await? {
            if older.instance == lease.instance && older.number < lease.number {
                older.give_back(&*self.quick).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, containers: Vec<ContainerSummary>) -> Result<()> {
        let removals = containers.into_iter().map(|container| async move {
            match self.backend.remove(&container.id, &RemoveOptions::force()).await {
                Ok(()) => {
                    tracing::info!(container = %container.id, "a dead instance's container is removed");
                    Ok(())
                }
                // Gone, or just going.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => Ok(()),
                Err(error) => Err(error),
            }
        });
        let removals = futures::stream::iter(removals).buffer_unordered(AT_ONCE);
        // Each is tried, whatever becomes of another.
        let ended: Vec<_> = removals.collect().await;
        futures::stream::iter(ended).try_collect().await
    }

    /// The instance ends in order: what nobody shall have after it is removed, and what it held is given back.
    async fn end(&self, own: &Lease) -> Result<()> {
        let own_ones = labels::of(&self.host, Some(&own.instance))?;
        let all = self.backend.list(&own_ones).await?;
        let is_unwanted = |container: &ContainerSummary| {
            labels::read(container)
                .is_some_and(|(instance, fate)| instance == own.instance && fate == Fate::Remove)
        };
        self.remove(all.into_iter().filter(is_unwanted).collect())
            .await?;
        for lease in lease::all(&*self.backend, &self.host).await? {
            if lease.holder == own.instance {
                lease.give_back(&*self.backend).await?;
            }
        }
        Ok(())
    }
}
