//! Opens a session: finds it, claims one that is warm, or makes one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::{OpenFailure, Phase};
use super::key::SessionKey;
use super::making::{Made, wait_ready};
use super::managed::{Life, Managed, SessionState};
use super::manager::Shared;
use super::notice::{Change, SessionEvent};
use super::opening::{Opening, Origin, Timings};
use super::roster::Entry;
use super::session::Session;
use super::spec::SessionSpec;
use super::written::Written;
use crate::backend::ContainerBackend;
use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::flight::{Flight, Flights};
use crate::host::{HOST_LABEL, INSTANCE_LABEL};
use crate::model::{ContainerDetails, ContainerRef};

/// Which manager, whose session, and what it shall be.
type Asked = (u64, SessionKey, String);
type Opened = (Arc<Entry>, Opening);

static FLIGHTS: Flights<Asked, Opened> = Flights::new();

/// From one look at who serves a session to the next.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the name is given to another in between, until it is told.
const TRIES: usize = 3;

pub(super) async fn open(
    shared: &Arc<Shared>,
    key: &SessionKey,
    spec: &SessionSpec,
) -> Result<Session> {
    let began = Instant::now();
    shared.is_open()?;
    spec.validate()?;
    let hash = spec.hash()?;
    let asked = (shared.number, key.clone(), hash.clone());
    let (entry, mut opening) = match up(shared, key, &hash)? {
        Some(there) => there,
        None => {
            let opener = Opener {
                shared,
                key,
                spec,
                hash: &hash,
                began,
            };
            Flight::join(&FLIGHTS, asked).outcome(opener.open()).await?
        }
    };
    entry.managed.touch();
    opening.timings.total = began.elapsed();
    Ok(Session::opened(shared, entry, opening))
}

/// The session that is there and can be used as it is.
fn up(shared: &Shared, key: &SessionKey, hash: &str) -> Result<Option<Opened>> {
    let Some(entry) = shared.roster.get(key).filter(|entry| entry.managed.is_up()) else {
        return Ok(None);
    };
    entry.is_of(hash)?;
    let opening = Opening {
        origin: Origin::Existing,
        timings: Timings::default(),
    };
    Ok(Some((entry, opening)))
}

impl Entry {
    /// Whether it is what is asked for.
    fn is_of(&self, hash: &str) -> Result<()> {
        if self.managed.written.what.spec == hash {
            return Ok(());
        }
        let message = format!("session {} is there with another spec", self.key);
        Err(Error::new(ErrorKind::Conflict, message)
            .with_effect(Effect::NotSent)
            .with_subject(self.key.to_string())
            .with_advice("close it first, or open it as it is"))
    }
}

struct Opener<'a> {
    shared: &'a Arc<Shared>,
    key: &'a SessionKey,
    spec: &'a SessionSpec,
    hash: &'a str,
    began: Instant,
}

impl Opener<'_> {
    async fn open(self) -> Result<Opened> {
        self.try_open()
            .await
            .map_err(|failure| failure.into_error(self.key))
    }

    async fn try_open(&self) -> std::result::Result<Opened, OpenFailure> {
        let failed = |phase| move |error| OpenFailure::new(phase, error);
        let _turn = self.shared.roster.wait_turn(self.key).await;
        let backend = self.shared.backend_for(self.key.shared_owner());
        for _ in 0..TRIES {
            let found = self
                .find(&backend)
                .await
                .map_err(failed(Phase::Admission))?;
            if let Some(entry) = found {
                if let Some(opened) = self.take_up(&backend, entry).await? {
                    return Ok(opened);
                }
                // It was too old, and is gone.
                continue;
            }
            if let Some(opened) = self.make(&backend).await? {
                return Ok(opened);
            }
        }
        let message = "another instance opens and closes it at the same time";
        Err(OpenFailure::new(
            Phase::Confirm,
            Error::new(ErrorKind::Conflict, message),
        ))
    }

    /// The session, where there is one; waits until it is known who serves it.
    async fn find(&self, backend: &Arc<dyn ContainerBackend>) -> Result<Option<Arc<Entry>>> {
        let name = ContainerRef::from(self.key.container_name(&self.shared.name)?);
        // Nobody shows what it has after a death in less than that.
        let until = Instant::now() + 4 * self.shared.settings.lease;
        loop {
            if let Some(entry) = self.shared.roster.get(self.key) {
                entry.is_of(self.hash)?;
                return Ok(Some(entry));
            }
            let holder = match backend.inspect(&name).await {
                Ok(holder) => holder,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            self.may_be_ours(&holder)?;
            if Instant::now() > until {
                let message = format!("who serves session {} isn't known yet", self.key);
                return Err(Error::new(ErrorKind::Unavailable, message).with_advice(
                    "an instance that had it is dead, and isn't replaced yet: ask again",
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether the container that has its name may come to be this manager's.
    fn may_be_ours(&self, holder: &ContainerDetails) -> Result<()> {
        let conflict = |message: String, advice: &str| {
            Error::new(ErrorKind::Conflict, message)
                .with_effect(Effect::NotSent)
                .with_subject(holder.id.to_string())
                .with_advice(advice)
        };
        let host = holder.labels.get(HOST_LABEL);
        let written = Written::read(&holder.labels);
        let instance = holder.labels.get(INSTANCE_LABEL);
        let (Some(instance), Some(_), true) = (instance, written, host == Some(&self.shared.name))
        else {
            let message = format!(
                "a container that is no session has the name {}",
                holder.name
            );
            return Err(conflict(message, "rename or remove it"));
        };
        match self.shared.host.is_anothers(instance) {
            true => {
                let message = format!(
                    "session {} is served by another instance of this host, {instance}, which lives",
                    self.key
                );
                Err(conflict(
                    message,
                    "ask that one: route a session's calls to the process that has it",
                ))
            }
            false => Ok(()),
        }
    }

    /// Uses one that is there: as it is, or started again. Nothing where it was too old for that.
    async fn take_up(
        &self,
        backend: &Arc<dyn ContainerBackend>,
        entry: Arc<Entry>,
    ) -> std::result::Result<Option<Opened>, OpenFailure> {
        let mut timings = Timings {
            admission: self.began.elapsed(),
            ..Timings::default()
        };
        let managed = &entry.managed;
        if managed.is_up() {
            let origin = Origin::Existing;
            return Ok(Some((entry, Opening { origin, timings })));
        }
        let resumable = managed.life().is_resumable(Instant::now());
        if !resumable {
            let closed = super::close::close_held(self.shared, &entry);
            closed
                .await
                .map_err(|error| OpenFailure::new(Phase::Admission, error))?;
            return Ok(None);
        }
        resume(self.shared, backend, &entry, &mut timings).await?;
        self.shared.tell_all(managed, vec![Change::Resumed]);
        let origin = Origin::Resumed;
        Ok(Some((entry, Opening { origin, timings })))
    }

    /// Makes one, or claims one that is warm. Nothing where another instance was quicker.
    async fn make(
        &self,
        backend: &Arc<dyn ContainerBackend>,
    ) -> std::result::Result<Option<Opened>, OpenFailure> {
        let failed = |phase| move |error| OpenFailure::new(phase, error);
        let (owner, mut timings) = (self.key.shared_owner(), Timings::default());
        let admitted = self
            .shared
            .admission
            .admit(owner, self.spec.needs(), Deadline::none());
        let place = admitted.await.map_err(failed(Phase::Admission))?;
        let claiming = Instant::now();
        let claimed = self
            .shared
            .pools
            .claim(self.shared, backend, self.hash)
            .await;
        let (origin, made) = match claimed {
            Some(made) => {
                timings.admission = claiming.duration_since(self.began);
                timings.claim = claiming.elapsed();
                (Origin::Warm, made)
            }
            None => {
                let turn = self.shared.admission.turn(owner, Deadline::none());
                let _turn = turn.await.map_err(failed(Phase::Admission))?;
                timings.admission = self.began.elapsed();
                let made = Made::new(self.shared, backend, self.spec, &mut timings).await?;
                (Origin::Cold, made)
            }
        };
        let began = Instant::now();
        if let Err(error) = made.set_up(backend, &self.spec.setup).await {
            return Err(made.fail(self.shared, Phase::Setup, error).await);
        }
        timings.setup = began.elapsed();
        let began = Instant::now();
        match self.confirm(backend, &made).await {
            Ok(true) => {}
            Ok(false) => {
                made.discard(self.shared).await;
                return Ok(None);
            }
            Err(error) => return Err(made.fail(self.shared, Phase::Confirm, error).await),
        }
        timings.confirm = began.elapsed();
        let opening = Opening { origin, timings };
        let managed = made.keep();
        let entry = Arc::new(Entry::new(self.key, managed, opening, place));
        self.shared.roster.insert(Arc::clone(&entry));
        let change = Change::Opened { origin };
        let container = entry.managed.container.clone();
        self.shared
            .tell(SessionEvent::now(self.key.clone(), container, change));
        Ok(Some((entry, opening)))
    }

    /// Gives the container its session's name, which one alone can have; false where another has it.
    async fn confirm(&self, backend: &Arc<dyn ContainerBackend>, made: &Made) -> Result<bool> {
        let name = self.key.container_name(&self.shared.name)?;
        // What happens to it from here on is told.
        made.managed.give(self.key);
        if let Err(error) = backend.rename(made.container(), &name).await {
            // Podman says 500 where Docker says 409: who has the name decides.
            let holder = backend.inspect(&ContainerRef::from(&name)).await;
            return match holder {
                Ok(holder) if holder.id != *made.container() => Ok(false),
                _ => Err(error),
            };
        }
        // Silent for too long in between, this one may have been replaced, and the container with it.
        self.shared
            .host
            .holds(made.container(), &made.managed.instance)?;
        // It may have ended since it was ready.
        let life = made.managed.life().clone();
        match life.state {
            SessionState::Stopped | SessionState::Gone => {
                let error =
                    super::failure::container_failed("it ended just when it was ready".to_owned());
                Err(error.with_exit_code(life.exit_code))
            }
            _ => Ok(true),
        }
    }
}

/// Starts a session that has stopped, and waits until it is ready.
pub(super) async fn resume(
    shared: &Arc<Shared>,
    backend: &Arc<dyn ContainerBackend>,
    entry: &Entry,
    timings: &mut Timings,
) -> std::result::Result<(), OpenFailure> {
    let managed = &entry.managed;
    let (before, began) = (managed.life().clone(), Instant::now());
    managed.starts();
    let _undo = Undo { managed, before };
    let started = backend.start(&managed.container).await;
    started.map_err(|error| OpenFailure::new(Phase::Start, error))?;
    timings.start = began.elapsed();
    let began = Instant::now();
    if let Err(not_ready) = wait_ready(shared, backend, managed).await {
        let (exit_code, oom_killed) = (not_ready.exit_code, not_ready.oom_killed);
        let cause = super::making::not_ready(not_ready);
        let log = super::making::last_log(&**backend, &managed.container).await;
        return Err(OpenFailure::with_end(
            Phase::Ready,
            cause,
            exit_code,
            oom_killed,
            log,
        ));
    }
    timings.ready = began.elapsed();
    managed.is_ready();
    Ok(())
}

/// A start that didn't come to its end leaves a session as it was.
struct Undo<'a> {
    managed: &'a Managed,
    before: Life,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        let mut life = self.managed.life();
        if life.state == SessionState::Starting {
            *life = self.before.clone();
        }
    }
}
