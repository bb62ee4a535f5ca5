//! Who lives and who is dead, by what an instance has seen itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::lease::{Instance, Lease};

/// What was seen of the instances of one host.
#[derive(Debug)]
pub(super) struct Watch {
    host: String,
    own: Instance,
    lease: Duration,
    latest: BTreeMap<Instance, Latest>,
    /// Seen on containers.
    bearers: BTreeSet<Instance>,
    /// Since when looks have succeeded without a gap, and the last one.
    looks: Option<(Instant, Instant)>,
}

#[derive(Debug)]
struct Latest {
    /// None where there is no lease.
    lease: Option<Lease>,
    /// Since when it is so.
    since: Instant,
    /// Whether there was another before it.
    renewed: bool,
}

/// An instance whose containers are nobody's.
#[derive(Debug)]
pub(super) struct Dead {
    pub(super) instance: Instance,
    /// What is taken to stand in for it.
    pub(super) next: Lease,
}

impl Watch {
    pub(super) fn new(host: &str, own: Instance, lease: Duration) -> Self {
        Self {
            host: host.to_owned(),
            own,
            lease,
            latest: BTreeMap::new(),
            bearers: BTreeSet::new(),
            looks: None,
        }
    }

    /// Goes on as another instance.
    pub(super) fn become_another(&mut self, own: Instance) {
        self.own = own;
    }

    /// Whether whoever could be dead at the beginning has had its time, and none is in doubt: who lives renews its lease far
    /// sooner than it must.
    pub(super) fn is_over(&self) -> bool {
        let enough =
            (self.looks).is_some_and(|(began, last)| last.duration_since(began) > self.lease);
        let mut others = (self.latest.iter()).filter(|(instance, _)| **instance != self.own);
        self.looks.is_some()
            && others.all(|(instance, latest)| {
                let holder = Self::holder(instance, latest);
                let shows = holder != instance || self.silence(latest) < self.lease / 2;
                *holder == self.own || (enough && shows)
            })
    }

    /// For how long there has been nothing new of it.
    fn silence(&self, latest: &Latest) -> Duration {
        let last = self
            .looks
            .map(|(_, last)| last.duration_since(latest.since));
        last.unwrap_or_default()
    }

    /// Instances that containers name, whether they have a lease or not.
    pub(super) fn saw_bearers(&mut self, bearers: BTreeSet<Instance>) {
        self.bearers = bearers;
    }

    /// Takes note of all leases that there are now.
    pub(super) fn saw(&mut self, leases: &[Lease]) {
        let now = Instant::now();
        let began = match self.looks {
            Some((began, last)) if now.duration_since(last) <= self.lease / 2 => began,
            // Nothing could be seen for a while: whoever lives has the whole time again to show it.
            _ => {
                for latest in self.latest.values_mut() {
                    latest.since = now;
                }
                now
            }
        };
        self.looks = Some((began, now));
        let mut highest: BTreeMap<&Instance, &Lease> = BTreeMap::new();
        for lease in leases {
            let known = highest.entry(&lease.instance).or_insert(lease);
            if known.number < lease.number {
                *known = lease;
            }
        }
        let known = |instance: &Instance| highest.get(instance).copied();
        self.latest
            .retain(|instance, _| known(instance).is_some() || self.bearers.contains(instance));
        let seen: BTreeSet<_> = highest
            .keys()
            .copied()
            .chain(&self.bearers)
            .cloned()
            .collect();
        for instance in seen {
            let lease = known(&instance).cloned();
            let latest = self.latest.entry(instance).or_insert_with(|| Latest {
                lease: lease.clone(),
                since: now,
                renewed: false,
            });
            if latest.lease != lease {
                let renewed = latest.lease.is_some();
                *latest = Latest {
                    lease,
                    since: now,
                    renewed,
                };
            }
        }
    }

    /// Those whose containers are served by others: they have renewed their lease since it was first seen, or whoever stands in
    /// for them has its own.
    pub(super) fn others(&self) -> BTreeSet<String> {
        let renewed = |instance: &Instance| {
            let latest = self.latest.get(instance);
            latest.is_some_and(|latest| latest.renewed && self.silence(latest) <= self.lease)
        };
        let others = (self.latest.iter()).filter(|(instance, latest)| {
            let holder = Self::holder(instance, latest);
            *holder != self.own && renewed(holder)
        });
        others.map(|(instance, _)| instance.to_string()).collect()
    }

    pub(super) fn lives(&self, instance: &Instance) -> bool {
        *instance == self.own
            || self.latest.get(instance).is_some_and(|latest| {
                let holds = |lease: &Lease| lease.holder == *instance;
                // Without a lease as well it has its time to make one.
                latest.lease.as_ref().is_none_or(holds) && self.silence(latest) <= self.lease
            })
    }

    /// Who stands for an instance: itself, or whoever has taken its place.
    fn holder<'a>(instance: &'a Instance, latest: &'a Latest) -> &'a Instance {
        latest
            .lease
            .as_ref()
            .map_or(instance, |lease| &lease.holder)
    }

    /// Whose containers are nobody's. Who was taken over by one whom nobody has seen with a lease, has had that time, too.
    pub(super) fn dead(&self) -> Vec<Dead> {
        let abandoned = self.latest.iter().filter(|(instance, latest)| {
            let holder = Self::holder(instance, latest);
            let silent = self.silence(latest) > self.lease && !self.lives(holder);
            silent || *holder == Instance::nobody()
        });
        let dead = abandoned.map(|(instance, latest)| Dead {
            instance: instance.clone(),
            next: match &latest.lease {
                Some(lease) => lease.next(&self.own),
                None => Lease {
                    host: self.host.clone(),
                    instance: instance.clone(),
                    number: 1,
                    holder: self.own.clone(),
                },
            },
        });
        dead.collect()
    }

    /// Those for whom this one stands, by their latest leases.
    pub(super) fn estates(&self) -> Vec<Lease> {
        let leases = self
            .latest
            .values()
            .filter_map(|latest| latest.lease.as_ref());
        leases
            .filter(|lease| lease.holder == self.own && lease.instance != self.own)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(6);

    fn first() -> Lease {
        Lease::first("h", &Instance::new()).expect("a lease")
    }

    /// Looks once a second for so long at what there is.
    async fn look(watch: &mut Watch, seconds: u64, mut leases: impl FnMut(u64) -> Vec<Lease>) {
        for second in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            watch.saw(&leases(second));
        }
    }

    fn watch() -> Watch {
        Watch::new("h", Instance::new(), LEASE)
    }

    #[tokio::test(start_paused = true)]
    async fn who_renews_lives() {
        let (mut watch, mut lease) = (watch(), first());
        look(&mut watch, 60, |second| {
            if second % 5 == 0 {
                lease = lease.next(&lease.holder.clone());
            }
            vec![lease.clone()]
        })
        .await;
        assert!(watch.dead().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_is_dead_after_its_time() {
        let (mut watch, lease) = (watch(), first());
        look(&mut watch, 7, |_| vec![lease.clone()]).await;
        assert!(watch.dead().is_empty());
        look(&mut watch, 1, |_| vec![lease.clone()]).await;
        let dead = watch.dead();
        assert_eq!(dead.len(), 1);
        assert_eq!((dead[0].next.number, &dead[0].next.holder), (2, &watch.own));
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_see_declares_nobody_dead() {
        let (mut watch, lease) = (watch(), first());
        look(&mut watch, 5, |_| vec![lease.clone()]).await;
        tokio::time::advance(Duration::from_secs(100)).await;
        look(&mut watch, 6, |_| vec![lease.clone()]).await;
        assert!(watch.dead().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_named_on_a_container_has_time_to_show_a_lease() {
        let mut watch = watch();
        let instance = Instance::new();
        watch.saw_bearers(BTreeSet::from([instance.clone()]));
        look(&mut watch, 7, |_| Vec::new()).await;
        assert!(watch.dead().is_empty());
        look(&mut watch, 1, |_| Vec::new()).await;
        let dead = watch.dead();
        assert_eq!((&dead[0].instance, dead[0].next.number), (&instance, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_living_one_has_taken_over_is_its_own() {
        let (mut watch, mut heir) = (watch(), first());
        let taken = first().next(&heir.holder);
        look(&mut watch, 30, |_| {
            heir = heir.next(&heir.holder.clone());
            vec![heir.clone(), taken.clone()]
        })
        .await;
        assert!(watch.dead().is_empty());
        // Both are dead, once it is.
        look(&mut watch, 8, |_| vec![heir.clone(), taken.clone()]).await;
        assert_eq!(watch.dead().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_has_taken_over_is_its_estate() {
        let mut watch = watch();
        let taken = first().next(&watch.own.clone());
        look(&mut watch, 30, |_| vec![taken.clone()]).await;
        assert!(watch.dead().is_empty());
        assert_eq!(watch.estates(), [taken]);
    }
}
