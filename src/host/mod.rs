//! What becomes of a host's containers when the host dies.

mod keeper;
mod labels;
mod lease;
mod options;
mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch as state;

use crate::backend::ContainerBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::model::{ContainerDetails, ContainerRef, ContainerSpec};
use keeper::Keeper;
pub(crate) use labels::OWN as OWN_LABELS;
pub use labels::{Fate, Orphan};
use lease::Instance;
pub use options::HostOptions;

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
/// An instance that was silent for a lease although it lived (it was stopped, or cut off from the engine) finds that it has
/// been replaced, says so in the log, and goes on under a new instance id: what it had belongs to another.
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
    options: HostOptions,
    instance: Arc<Mutex<Instance>>,
    seen: state::Receiver<Seen>,
    adopted: Mutex<BTreeSet<ContainerRef>>,
    /// Set where it ends in order; dropped, the thread ends and the lease runs out.
    ends: state::Sender<bool>,
}

/// What the thread tells.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// All that could be dead at the beginning has been looked at for long enough, and dealt with.
    recovered: bool,
    orphans: Vec<Orphan>,
    /// The thread has ended: whether all went as it should.
    ended: Option<Result<()>>,
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
        let instance = Instance::new();
        let lease = lease::Lease::first(&options.name, &instance)?;
        lease.take(&*backend).await?;
        let instance = Arc::new(Mutex::new(instance));
        let (seen, seen_by) = state::channel(Seen::default());
        let (ends, ended_by) = state::channel(false);
        let keeper = Keeper {
            backend: backend.detached(),
            options: options.clone(),
            current: Arc::clone(&instance),
            lease,
            seen,
            ends: ended_by,
        };
        keeper.start()?;
        Ok(Self(Arc::new(Inner {
            backend,
            options,
            instance,
            seen: seen_by,
            adopted: Mutex::default(),
            ends,
        })))
    }

    /// The id of this instance, as its containers bear it.
    #[must_use]
    pub fn instance(&self) -> String {
        lock(&self.0.instance).to_string()
    }

    /// The spec with the labels of this instance. [`HybridBackend::hosted`](crate::HybridBackend::hosted) does it for all that is
    /// created; this is for other backends.
    ///
    /// # Errors
    /// None as yet: labels that were checked stay valid.
    pub fn label(&self, spec: &ContainerSpec, fate: Fate) -> Result<ContainerSpec> {
        let mut labelled = spec.clone();
        let instance = lock(&self.0.instance).clone();
        labels::put(&mut labelled.labels, &self.0.options.name, &instance, fate)?;
        Ok(labelled)
    }

    /// Waits until all that was left behind when this instance began has been found: `remove` ones are gone, `adopt` ones
    /// are [offered](Self::orphans), or another instance that lives was quicker: then they are offered to that one. It takes
    /// a lease's time at least, which those who live have to show it.
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
    /// instance is offered them, as long as it lives.
    #[must_use]
    pub fn orphans(&self) -> Vec<Orphan> {
        let mut orphans = self.0.seen.borrow().orphans.clone();
        let adopted = lock(&self.0.adopted);
        orphans.retain(|orphan| !adopted.contains(&orphan.container.id));
        orphans
    }

    /// Takes an orphan over: it isn't offered any more, and this instance's lease stands for it.
    ///
    /// # Errors
    /// `NotFound` where it isn't offered, or is gone by now.
    ///
    /// # Cancel safety
    /// Safe: it is adopted, or it isn't.
    pub async fn adopt(&self, container: &ContainerRef) -> Result<ContainerDetails> {
        let offered = self.orphans();
        let Some(orphan) = offered.iter().find(|orphan| orphan.is(container)) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                "no such container is offered to this instance",
            )
            .with_subject(container.to_string()));
        };
        let details = self.0.backend.inspect(&orphan.container.id).await?;
        lock(&self.0.adopted).insert(details.id.clone());
        Ok(details)
    }

    /// Ends this instance: its own containers that are labelled [`Fate::Remove`] are removed, the others are offered to the
    /// next one, and its lease is given back.
    ///
    /// # Errors
    /// `Timeout` where that takes longer, and goes on; or the failure of a removal: the next instance does what is left.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    pub async fn end(&self, within: Duration) -> Result<()> {
        self.0.ends.send_replace(true);
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
            .field("name", &self.0.options.name)
            .field("instance", &self.instance())
            .finish_non_exhaustive()
    }
}
