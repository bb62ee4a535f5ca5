//! The manager: sessions by their keys.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::builder::{SessionManagerBuilder, Settings};
use super::close::close;
use super::handle::{ScopedSession, Session};
use super::info::SessionInfo;
use super::key::SessionKey;
use super::looks::Looks;
use super::managed::Managed;
use super::notice::{Change, Notices, SessionEvent, SessionEvents};
use super::open::open;
use super::pool::{PoolOptions, PoolStatus, Pools};
use super::pulse;
use super::pulse::Pulse;
use super::ready::Reach;
use super::roster::{Entry, Roster};
use super::shutdown::{self, Shutdown};
use super::spec::SessionSpec;
use super::upkeep::{self, ReapOptions, ReapReport};
use super::verified::Verified;
use crate::backend::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::host::{HOST_LABEL, Host};
use crate::model::{ContainerSummary, LabelKey, ListOptions};
use crate::telemetry::SessionsHealth;

/// From one look at the warm pools to the next.
const WARMS: Duration = Duration::from_millis(20);

/// A container for each user, job or agent that asks for one: ready in milliseconds, there after the host's death, and gone
/// when nobody needs it.
///
/// # What it keeps
/// Nothing outside of the engine: what a session is stands in its container's labels, whose it is in its name, and that this
/// process looks after it in a [`Host`]'s lease. A process that is killed finds its sessions again when it is started anew:
/// after a lease's time all that it had acknowledged is [adopted](Self::recovered), and what it hadn't is removed: opens that
/// nobody got the answer of, and the warm pool. Containers of others, and those whose labels can't be read, are never touched.
///
/// # Guarantees
/// - A key has one session. Opened twice, at once, or after a crash, it is the same; an instance that lives serves it alone.
/// - A session is hardened unless its spec [allows](SessionSpec::allowing) a weakness by name, and fails where an engine makes
///   something weaker of it.
/// - An open that fails, or whose caller goes away, leaves nothing. What is idle, too old, or was left behind goes by itself.
///
/// Clones are handles to the same manager. It works as long as one of them lives, on the runtime that it was started on;
/// [`shutdown`](Self::shutdown) ends it in order.
///
/// ```no_run
/// use std::sync::Arc;
/// use catamaran::HybridBackend;
/// use catamaran::model::{ExecOptions, ImageRef};
/// use catamaran::session::{PoolOptions, SessionKey, SessionManager, SessionSpec};
///
/// # async fn example() -> catamaran::Result<()> {
/// let spec = SessionSpec::new(ImageRef::new("python:3")?).with_command(["sleep", "infinity"]);
/// let manager = SessionManager::builder("notebooks")?
///     .with_pool(spec.clone(), PoolOptions::new(4, 16))?
///     .start(Arc::new(HybridBackend::from_env()?))
///     .await?;
/// let session = manager.open(&SessionKey::new("alice", "demo")?, &spec).await?;
/// let ran = session.exec(&ExecOptions::new(["python3", "-c", "print(6 * 7)"])).await?;
/// println!("{} in {:?}", String::from_utf8_lossy(&ran.stdout), session.opening().timings.total);
/// session.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SessionManager {
    pub(super) shared: Arc<Shared>,
    /// Who asks through this handle.
    pub(super) actor: Option<Arc<str>>,
    _last: Arc<Last>,
}

/// Dropped with the last handle: nothing is looked after any more.
struct Last(Arc<Shared>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0
            .pools
            .close()
            .iter()
            .for_each(|pool| drop(pool.close()));
        self.0.end();
        // Handles of sessions may live on: the next instance has them all the same.
        self.0.host.let_go();
    }
}

/// What the manager's parts have in common.
pub(super) struct Shared {
    /// By which opens are told from those of other managers.
    pub(super) number: u64,
    pub(super) backend: Arc<dyn ContainerBackend>,
    pub(super) host: Host,
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) reach: Reach,
    pub(super) admission: Admission,
    pub(super) roster: Roster,
    pub(super) notices: Notices,
    pub(super) pools: Pools,
    /// Whether what earlier hosts left has been seen to.
    pub(super) recovered: watch::Sender<bool>,
    pub(super) closed: AtomicBool,
    /// How many opens are under way.
    pub(super) opens: AtomicUsize,
    pub(super) looks: Looks,
    pub(super) verified: Verified,
    /// Asks for a comparison with what there is.
    pub(super) compare: Notify,
    pub(super) pulse: Pulse,
    /// On which it was started, and works.
    pub(super) runtime: Handle,
    /// Ends its tasks.
    pub(super) ends: CancellationToken,
}

impl Shared {
    /// A handle for the calls of a session, which leave room for those of other owners, and which its owner has asked for unless
    /// somebody else has, or the backend knows better.
    pub(super) fn backend_for(
        &self,
        key: &SessionKey,
        actor: Option<&Arc<str>>,
    ) -> Arc<dyn ContainerBackend> {
        let owner = Arc::clone(key.shared_owner());
        let mut context = key.context().with_key(Arc::clone(&owner));
        let owned = || self.backend.context().actor.is_none().then_some(&owner);
        if let Some(actor) = actor.or_else(owned) {
            context = context.with_actor(Arc::clone(actor));
        }
        self.backend.with_context(context)
    }

    /// Whether a container is this manager's: nobody can have replaced it since.
    pub(super) fn holds(&self, managed: &Managed) -> Result<()> {
        self.host.holds(&managed.container, &managed.instance)
    }

    /// Ends what it does by itself, and what it tells.
    pub(super) fn end(&self) {
        self.ends.cancel();
        self.notices.end();
    }

    /// Tells what is new of a container, where it is a session's.
    pub(super) fn tell_all(&self, managed: &Managed, changes: Vec<Change>) {
        if let (Some(entry), false) = (self.roster.entry_of(managed), changes.is_empty()) {
            self.tell_each(&entry, changes);
        }
    }

    /// Its session is over: whoever is told of it doesn't find it any more.
    pub(super) fn is_over(&self, entry: &Entry, changes: Vec<Change>) {
        self.roster.remove(entry);
        self.tell_each(entry, changes);
    }

    pub(super) fn tell_each(&self, entry: &Entry, changes: Vec<Change>) {
        for change in changes {
            let (key, container) = (entry.key.clone(), entry.managed.container.clone());
            let event = SessionEvent::now(key, container, change);
            super::log::told(&event);
            self.pulse.told(&event);
            self.notices.tell(event);
        }
    }

    /// All containers of this host, of whichever instance.
    pub(super) async fn containers(&self) -> Result<Vec<ContainerSummary>> {
        let of_this = LabelKey::new(HOST_LABEL)?;
        let all = ListOptions::all().with_label(of_this, self.name.clone());
        self.backend.list(&all).await
    }

    pub(super) fn is_open(&self) -> Result<()> {
        match self.closed.load(Ordering::SeqCst) {
            false => Ok(()),
            true => {
                let message = "the session manager is being shut down";
                let error = Error::new(ErrorKind::Cancelled, message);
                Err(error.with_effect(Effect::NotSent))
            }
        }
    }
}

impl SessionManager {
    /// The manager of a service of this name: its processes find each other's sessions after a death.
    ///
    /// # Errors
    /// `InvalidInput` for a name that no [host](crate::HostOptions) may have, or that is too long for containers' names.
    pub fn builder(name: impl Into<String>) -> Result<SessionManagerBuilder> {
        SessionManagerBuilder::new(name)
    }

    /// A manager over a [`HybridBackend`](crate::HybridBackend), both as the process's environment says: see
    /// [`SessionManagerBuilder::from_env`].
    ///
    /// # Errors
    /// As [`Config::from_env`](crate::Config::from_env), [`SessionManagerBuilder::from_env`] and
    /// [`SessionManagerBuilder::start`].
    ///
    /// # Cancel safety
    /// As [`SessionManagerBuilder::start`].
    pub async fn from_env() -> Result<Self> {
        let config = crate::Config::from_env()?;
        let backend = Arc::new(crate::HybridBackend::new(&config)?);
        let builder = SessionManagerBuilder::from_env()?.reaching(config.endpoint());
        builder.start(backend).await
    }

    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let last = Arc::new(Last(Arc::clone(&shared)));
        Self {
            shared,
            actor: None,
            _last: last,
        }
    }

    /// A handle to the same manager for what somebody else than a session's owner asks for: what is opened, done and closed through
    /// it, and through the sessions that it gives, the audit knows as theirs
    /// ([`CallContext::with_actor`](crate::CallContext::with_actor)). What waits for the same session is done for whoever asked first.
    ///
    /// ```no_run
    /// # use catamaran::session::{SessionKey, SessionManager};
    /// # async fn example(manager: SessionManager, key: SessionKey) -> catamaran::Result<()> {
    /// manager.on_behalf_of("admin@example.org").close(&key).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_behalf_of(&self, actor: impl Into<Arc<str>>) -> Self {
        Self {
            actor: Some(actor.into()),
            ..self.clone()
        }
    }

    /// Opens the session of that key: the one that is there, running or stopped; one of the warm pool whose spec is the same;
    /// or a new one. It is ready when this returns.
    ///
    /// Those who open the same key at the same time get the same session, and the same failure. After the death of the host an
    /// open waits until it is known who serves the session.
    ///
    /// # Errors
    /// [`OpenFailure::of`](super::OpenFailure::of) the error says in which phase it failed, with the exit code, whether memory was
    /// short, and the last the container has written. Nothing is left of an open that failed.
    /// - `InvalidInput`, before anything is sent, where the spec can't be right or is weaker than it says.
    /// - `Conflict` where the session is there with another spec, or another instance that lives serves it.
    /// - `Saturated` where a quota is used up, or its turn didn't come in time.
    /// - `Container` where its program ended before it was ready, or a command of its setup failed; `Timeout` where it wasn't
    ///   ready in time; `Weakened` where the engine doesn't hold it to what was asked for.
    /// - `Unavailable` where the host's lease can't be renewed; `Cancelled` where the manager is being shut down.
    /// - As the backend's calls elsewhere.
    ///
    /// # Cancel safety
    /// Safe: dropped, the next who waits for the same session takes over; where nobody does, what there was goes.
    pub async fn open(&self, key: &SessionKey, spec: &SessionSpec) -> Result<Session> {
        let opened = open(&self.shared, key, spec, self.actor.as_ref());
        self.shared.pulse.open(opened).await
    }

    /// As [`open`](Self::open); the session is closed when what this gives goes out of scope, however that ends.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Cancel safety
    /// As [`open`](Self::open).
    ///
    /// ```no_run
    /// # use catamaran::session::{SessionKey, SessionManager, SessionSpec};
    /// # async fn example(manager: &SessionManager, spec: &SessionSpec) -> catamaran::Result<()> {
    /// let session = manager.open_scoped(&SessionKey::new("alice", "job-1")?, spec).await?;
    /// session.write_file(&"/tmp/input".parse()?, "1 2 3").await?;
    /// session.end().await // or by the drop
    /// # }
    /// ```
    pub async fn open_scoped(&self, key: &SessionKey, spec: &SessionSpec) -> Result<ScopedSession> {
        Ok(ScopedSession::new(self.open(key, spec).await?))
    }

    /// The session of that key, where this manager has one; whether it runs, [`SessionInfo::state`] says.
    #[must_use]
    pub fn get(&self, key: &SessionKey) -> Option<Session> {
        let entry = self.shared.roster.get(key)?;
        let (opening, actor) = (entry.opening, self.actor.as_ref());
        Some(Session::opened(&self.shared, entry, opening, actor))
    }

    /// All sessions that this manager has, in the order of their keys.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let entries = self.shared.roster.sessions();
        entries.iter().map(|entry| SessionInfo::of(entry)).collect()
    }

    /// Closes a session: its program is asked to end and, after the spec's time, killed; its container goes, and so do its own
    /// volumes and network. False where there was none. After the death of the host it waits, as an open does.
    ///
    /// # Errors
    /// As [`remove`](ContainerBackend::remove): the session is still there then, and closing it again is safe. `Conflict` and
    /// `Unavailable` as [`open`](Self::open).
    ///
    /// # Cancel safety
    /// Dropped before its end, the session may have stopped; it is closed in the background.
    pub async fn close(&self, key: &SessionKey) -> Result<bool> {
        let backend = self.shared.backend_for(key, self.actor.as_ref());
        close(&self.shared, &backend, key).await
    }

    /// What happens to sessions from now on.
    #[must_use]
    pub fn subscribe(&self) -> SessionEvents {
        self.shared.notices.subscribe()
    }

    /// Waits until what earlier hosts of this name have left has been seen to: their sessions are adopted, what nobody had got
    /// is gone. It takes a lease's time, unless they had ended in order or left nothing.
    ///
    /// # Errors
    /// `Cancelled` where the host has ended.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    pub async fn recovered(&self) -> Result<()> {
        let mut recovered = self.shared.recovered.subscribe();
        tokio::select! {
            // The sender lives as long as this does.
            _ = recovered.wait_for(|recovered| *recovered) => Ok(()),
            ended = self.shared.host.ended() => ended,
        }
    }

    /// Whether what earlier hosts have left has been [seen to](Self::recovered): until then a session that isn't here may be there.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        *self.shared.recovered.borrow()
    }

    /// Stops and removes now what is due, as it happens every now and then by itself; or says what would be.
    ///
    /// # Errors
    /// As [`list`](ContainerBackend::list) and its kin, where what was left behind can't be looked for. What fails of the rest is
    /// in the report.
    ///
    /// # Cancel safety
    /// Safe: what is left is done later.
    pub async fn reap(&self, options: &ReapOptions) -> Result<ReapReport> {
        upkeep::reap(&self.shared, options).await
    }

    /// The warm pools, as they are.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolStatus> {
        self.shared.pools.status()
    }

    /// Waits until every warm pool holds as many as it is meant to.
    ///
    /// # Cancel safety
    /// Safe: only the waiting ends.
    pub async fn warm(&self) {
        let is_full = |pool: &PoolStatus| pool.ready >= pool.target;
        while !self.pools().iter().all(is_full) {
            tokio::time::sleep(WARMS).await;
        }
    }

    /// Has these warm pools from now on: of a spec that is no longer among them, the containers that nobody has are removed, and
    /// new ones are filled.
    ///
    /// # Errors
    /// `InvalidInput` for a spec or options that can't be right; the pools are as before then.
    pub fn set_pools(
        &self,
        pools: impl IntoIterator<Item = (SessionSpec, PoolOptions)>,
    ) -> Result<()> {
        self.shared.is_open()?;
        self.shared.pools.set(&self.shared, pools)
    }

    /// How many sessions there are, how many opens run and how many wait.
    #[must_use]
    pub fn usage(&self) -> super::Usage {
        self.shared.admission.usage()
    }

    /// How the sessions are, for a report of [health](crate::HybridBackend::health).
    #[must_use]
    pub fn health(&self) -> SessionsHealth {
        pulse::health(&self.shared)
    }

    /// The host whose lease stands for the sessions.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.shared.host
    }

    /// Ends it: nothing new is opened, the warm pool goes, and with the sessions it is as `how` says. The lease is given back, so
    /// that the next instance adopts what is left at once.
    ///
    /// # Errors
    /// `Timeout` where that takes longer: what is left is the next instance's. As [`close`](Self::close), where sessions couldn't
    /// be closed.
    ///
    /// # Cancel safety
    /// Dropped before its end, the manager stays closed; what is left is the next instance's.
    pub async fn shutdown(&self, how: Shutdown, within: Duration) -> Result<()> {
        shutdown::shutdown(&self.shared, how, within).await
    }
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager")
            .field("name", &self.shared.name)
            .field("sessions", &self.shared.roster.len())
            .finish_non_exhaustive()
    }
}
