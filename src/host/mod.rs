//! What becomes of a host's containers when the host dies.

mod heir;
mod keeper;
mod labels;
mod lease;
mod options;
mod own;
mod removals;
mod renewal;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch as state;

use crate::backend::{CallContext, ContainerBackend};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::lock::lock;
use crate::model::{ContainerDetails, ContainerRef, ContainerSpec, LabelKey};
use keeper::Keeper;
pub use labels::{Fate, Orphan};
pub(crate) use labels::{HOST as HOST_LABEL, INSTANCE as INSTANCE_LABEL, OWN as OWN_LABELS};
use lease::{Instance, Lease};
pub use options::HostOptions;
use own::Own;

/// This process as one that has containers: what it makes is labelled with its instance and with what shall become of it
/// when the process dies, and what others of its name have left behind is found.
///
/// # Leases
/// While it lives, an instance holds a *lease*: an empty volume of the engine, which is made anew every third of
/// [`lease`](HostOptions::lease). One that stays as it is for a whole lease, as seen by another instance of the same name
/// whose own looks succeed all the while, is dead. One of the others then takes its place, exclusively: what is labelled
/// [`Fate::Remove`] is removed, what is labelled [`Fate::Adopt`] is [offered](Self::orphans). Nobody's clock is compared
/// with another's, nothing is kept outside of the engine, and containers of another name, of an instance that lives, or
/// whose labels can't be read are never touched.
///
/// An instance that was silent for a lease although it lived (it was stopped, or cut off from the engine) labels and adopts
/// nothing any more. Once it reaches the engine again it goes on as before, where nobody has taken its place; or it
/// [tells](Self::lost) that it was replaced, and goes on under a new id: what it had belongs to another.
///
/// Whoever may create containers and volumes at the engine is trusted, and labels of images are their containers': images that
/// aren't are for handles that are [hosted](crate::HybridBackend::hosted), whose labels win.
///
/// This is kept up by a thread of its own, over connections of its own: an event loop that stalls loses no lease.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
/// use catamaran::{ContainerBackend, Fate, Host, HostOptions, HybridBackend};
/// use catamaran::model::{ContainerSpec, ImageRef};
///
/// # async fn example() -> catamaran::Result<()> {
/// let backend = HybridBackend::from_env()?;
/// let host = Host::start(Arc::new(backend.clone()), HostOptions::new("notebooks")?).await?;
/// // Scratch containers go when this process dies, sessions stay.
/// let scratch = backend.hosted(&host, Fate::Remove);
/// let sessions = backend.hosted(&host, Fate::Adopt);
/// sessions.create(&ContainerSpec::untrusted(ImageRef::new("busybox")?)).await?;
///
/// host.recovered().await?;
/// for orphan in host.orphans() {
///     println!("{} was left by {}", orphan.container.id, orphan.instance);
///     host.adopt(&orphan.container.id).await?;
/// }
/// # drop(scratch);
/// host.end(std::time::Duration::from_secs(20)).await
/// # }
/// ```
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    backend: Arc<dyn ContainerBackend>,
    name: String,
    own: Arc<Own>,
    seen: state::Receiver<Seen>,
    /// With the instance that this one was then.
    adopted: Mutex<BTreeMap<ContainerRef, Instance>>,
    /// Set where it ends in order; dropped, the thread ends and the lease runs out.
    ends: state::Sender<bool>,
}

/// What the thread tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// All that could be dead at the beginning has been looked at for long enough, and dealt with.
    recovered: bool,
    orphans: Vec<Orphan>,
    /// To whom they are offered.
    to: Option<Instance>,
    /// Their ids.
    offered: HashSet<ContainerRef>,
    /// Instances whose containers are served by others than this one.
    others: BTreeSet<String>,
    /// Dead ones for whom this one stands.
    estates: BTreeSet<String>,
    /// The thread has ended: whether all went as it should.
    ended: Option<Result<()>>,
}

impl Seen {
    /// Whether what was left behind at the beginning has been found.
    pub(crate) fn is_recovered(&self) -> bool {
        self.recovered
    }
}

impl Host {
    /// Takes a lease, and begins to look for those who have lost theirs.
    ///
    /// # Errors
    /// As [`ContainerBackend::create_volume`], where the lease can't be made; `Host` where no thread can.
    ///
    /// # Cancel safety
    /// Dropped before its end, a volume may stay behind, which the next instance removes.
    pub async fn start(backend: Arc<dyn ContainerBackend>, options: HostOptions) -> Result<Self> {
        options.check()?;
        let (lease, sent) = (
            Lease::first(&options.name, &Instance::new())?,
            Instant::now(),
        );
        let books = backend.with_context(CallContext::new().keeping_books());
        lease.make(&*books).await?;
        let own = Arc::new(Own::new(lease, sent, options.lease));
        let (seen, seen_by) = state::channel(Seen::default());
        let (ends, ended_by) = state::channel(false);
        let name = options.name.clone();
        let keeper = Keeper {
            backend: backend.detached(),
            options,
            own: Arc::clone(&own),
            seen,
            ends: ended_by,
        };
        keeper.start()?;
        Ok(Self(Arc::new(Inner {
            backend,
            name,
            own,
            seen: seen_by,
            adopted: Mutex::default(),
            ends,
        })))
    }

    /// The id of this instance, as its containers bear it.
    #[must_use]
    pub fn instance(&self) -> String {
        self.0.own.instance().to_string()
    }

    /// The spec with the labels of this instance. [`HybridBackend::hosted`](crate::HybridBackend::hosted) does it for all that is
    /// created; this is for other backends.
    ///
    /// # Errors
    /// `Unavailable` where the lease couldn't be renewed in time: what is created then would be another's. `Cancelled` after
    /// the [end](Self::end).
    ///
    /// ```no_run
    /// # use catamaran::{AsyncEngine, ContainerBackend, Fate, Host, model::ContainerSpec};
    /// # async fn example(host: &Host, engine: &AsyncEngine, spec: &ContainerSpec) -> catamaran::Result<()> {
    /// engine.create(&host.label(spec, Fate::Remove)?).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn label(&self, spec: &ContainerSpec, fate: Fate) -> Result<ContainerSpec> {
        let instance = self.0.own.held()?;
        let mut labelled = spec.clone();
        labels::put(&mut labelled.labels, &self.0.name, &instance, fate)?;
        Ok(labelled)
    }

    /// The labels of this instance, for what isn't a container.
    pub(crate) fn labels(&self, fate: Fate) -> Result<BTreeMap<LabelKey, String>> {
        let (instance, mut labels) = (self.0.own.held()?, BTreeMap::new());
        labels::put(&mut labels, &self.0.name, &instance, fate)?;
        Ok(labels)
    }

    /// Whether a container is this instance's: it has made it, or adopted it, and nobody can have replaced it since.
    pub(crate) fn holds(&self, container: &ContainerRef, instance: &str) -> Result<()> {
        let own = self.0.own.held()?;
        let adopted = lock(&self.0.adopted).get(container) == Some(&own);
        if adopted || own.to_string() == instance {
            return Ok(());
        }
        let message = "this host was replaced: the container is another instance's";
        Err(Error::new(ErrorKind::Conflict, message)
            .with_effect(Effect::NotSent)
            .with_subject(container.to_string()))
    }

    /// Whether what that instance has made is served by another than this one, beyond doubt.
    pub(crate) fn is_anothers(&self, instance: &str) -> bool {
        self.0.seen.borrow().others.contains(instance)
    }

    /// Whether that instance is dead, and this one stands for it.
    pub(crate) fn stands_for(&self, instance: &str) -> bool {
        self.0.own.held().is_ok() && self.0.seen.borrow().estates.contains(instance)
    }

    /// Whether the container is offered still: then it is this instance's from now on.
    ///
    /// # Errors
    /// `Unavailable` where this instance may have been replaced.
    pub(crate) fn take(&self, container: &ContainerRef) -> Result<bool> {
        let own = self.0.own.held()?;
        let seen = self.0.seen.borrow();
        let offered = seen.to.as_ref() == Some(&own) && seen.offered.contains(container);
        drop(seen);
        if offered {
            lock(&self.0.adopted).insert(container.clone(), own);
        }
        Ok(offered)
    }

    /// Whether this instance has adopted it.
    pub(crate) fn has_adopted(&self, container: &ContainerRef) -> bool {
        let own = self.0.own.held().ok();
        own.is_some() && lock(&self.0.adopted).get(container) == own.as_ref()
    }

    /// Whether nobody can have taken its place.
    pub(crate) fn holds_lease(&self) -> bool {
        self.0.own.held().is_ok()
    }

    /// How often it was replaced, as that changes.
    pub(crate) fn losses(&self) -> state::Receiver<u64> {
        self.0.own.losses()
    }

    /// How often it was replaced.
    pub(crate) fn lost_so_far(&self) -> u64 {
        *self.0.own.losses().borrow()
    }

    /// Ends it in order, in the background.
    pub(crate) fn let_go(&self) {
        self.0.own.end();
        self.0.ends.send_replace(true);
    }

    /// What is offered, as it changes.
    pub(crate) fn offers(&self) -> state::Receiver<Seen> {
        self.0.seen.clone()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Result<()> {
        let mut seen = self.0.seen.clone();
        let _ = seen.wait_for(|seen| seen.ended.is_some()).await;
        Err(Error::new(ErrorKind::Cancelled, "the host has ended"))
    }

    /// Waits until this instance has been replaced by another since it was silent for too long: what it had then is that
    /// one's, and must no longer be served. It goes on under a new id.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends. A replacement between two calls isn't seen; hold the future.
    ///
    /// ```no_run
    /// # async fn example(host: &catamaran::Host) {
    /// host.lost().await;
    /// eprintln!("this process was silent for too long: its sessions are another's");
    /// # }
    /// ```
    pub async fn lost(&self) {
        let mut losses = self.0.own.losses();
        // The sender lives as long as this does.
        let _ = losses.changed().await;
    }

    /// Waits until all that was left behind when this instance began has been found: `remove` ones are gone, `adopt` ones
    /// are [offered](Self::orphans), or another instance that lives was quicker: then they are offered to that one. It takes
    /// a lease's time, which those who live have to show it, unless there is nothing of others, or they have ended in order.
    ///
    /// # Errors
    /// `Cancelled` where the host has ended.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    pub async fn recovered(&self) -> Result<()> {
        let mut seen = self.0.seen.clone();
        let told = seen.wait_for(|seen| seen.recovered || seen.ended.is_some());
        match told.await.is_ok_and(|seen| seen.recovered) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Cancelled, "the host has ended")),
        }
    }

    /// The containers of dead instances that are there for this one to adopt, those excepted that it has adopted. Only this
    /// instance is offered them, as long as it lives; none, while it may have been replaced.
    #[must_use]
    pub fn orphans(&self) -> Vec<Orphan> {
        self.offered().unwrap_or_default()
    }

    /// As [`orphans`](Self::orphans); an error where it isn't known, since this instance may have been replaced, or has just come
    /// back as another.
    pub(crate) fn offered(&self) -> Result<Vec<Orphan>> {
        let own = self.0.own.held()?;
        let seen = self.0.seen.borrow();
        if seen.to.as_ref() != Some(&own) {
            let message = "what is left of others hasn't been looked at yet";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let mut orphans = seen.orphans.clone();
        drop(seen);
        let adopted = lock(&self.0.adopted);
        orphans.retain(|orphan| adopted.get(&orphan.container.id) != Some(&own));
        Ok(orphans)
    }

    /// Takes an orphan over, by its id or a name: it isn't offered any more, and this instance's lease stands for it.
    ///
    /// # Errors
    /// `NotFound` where it isn't offered, or is gone by now; `Unavailable` where this instance may have been replaced.
    ///
    /// # Cancel safety
    /// Safe: it is adopted, or it isn't.
    pub async fn adopt(&self, container: &ContainerRef) -> Result<ContainerDetails> {
        let own = self.0.own.held()?;
        let offered = self.orphans();
        let not_offered = || {
            let message = "no such container is offered to this instance";
            Error::new(ErrorKind::NotFound, message).with_subject(container.to_string())
        };
        let orphan = offered.iter().find(|orphan| orphan.is(container));
        let orphan = orphan.ok_or_else(not_offered)?;
        let details = self.0.backend.inspect(&orphan.container.id).await?;
        // What was offered a moment ago may be another's by now.
        let leases = lease::all(&*self.0.backend, &self.0.name).await?;
        let of = |lease: &&Lease| lease.instance.to_string() == orphan.instance;
        let latest = leases.iter().filter(of).max_by_key(|lease| lease.number);
        if latest.is_none_or(|lease| lease.holder != own) || self.0.own.held()? != own {
            return Err(not_offered());
        }
        lock(&self.0.adopted).insert(details.id.clone(), own);
        Ok(details)
    }

    /// Ends this instance: its own containers that are labelled [`Fate::Remove`] are removed, the others are offered to the
    /// next one at once, and its lease is given back; where others are left, an empty volume says that they are nobody's.
    ///
    /// # Errors
    /// `Timeout` where that takes longer, and goes on; or the failure of a removal: the next instance does what is left.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    pub async fn end(&self, within: Duration) -> Result<()> {
        // Nothing new is this instance's.
        self.let_go();
        let mut seen = self.0.seen.clone();
        let ended = seen.wait_for(|seen| seen.ended.is_some());
        let ended = tokio::time::timeout(within, ended).await.map_err(|_| {
            let message = format!("the host hasn't ended within {within:?}");
            Error::new(ErrorKind::Timeout, message).with_advice(
                "it goes on in the background; what is left then, the next instance removes",
            )
        })?;
        match ended {
            Ok(seen) => seen.ended.clone().unwrap_or(Ok(())),
            Err(_) => Err(Error::new(
                ErrorKind::Cancelled,
                "the host's thread has ended before its time",
            )),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.0.name)
            .field("instance", &self.instance())
            .finish_non_exhaustive()
    }
}
