//! Opens a session: finds it, claims one that is warm, or makes one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::failure::{OpenFailure, Phase};
use super::find::{find, find_own};
use super::handle::Session;
use super::key::SessionKey;
use super::making::Made;
use super::managed::Managed;
use super::manager::Shared;
use super::notice::Change;
use super::opening::{Opening, Origin, Timings};
use super::resume::resume;
use super::roster::Entry;
use super::spec::SessionSpec;
use crate::backend::ContainerBackend;
use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::flight::{Flight, Flights};
use crate::model::ContainerRef;

/// Which manager, whose session, and what it shall be.
type Asked = (u64, SessionKey, String);
type Opened = (Arc<Entry>, Opening);

static FLIGHTS: Flights<Asked, Opened> = Flights::new();

/// How often the name is given to another in between, until it is told.
const TRIES: usize = 3;

pub(super) async fn open(
    shared: &Arc<Shared>,
    key: &SessionKey,
    spec: &SessionSpec,
    actor: Option<&Arc<str>>,
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
                actor,
                began,
            };
            // Whatever fails, fails for all who wait.
            let flight = Flight::join(&FLIGHTS, asked);
            let own = |kind| kind == ErrorKind::Cancelled;
            flight.outcome_unless(own, opener.open()).await?
        }
    };
    entry.managed.touch();
    opening.timings.total = began.elapsed();
    Ok(Session::opened(shared, entry, opening, actor))
}

/// The session that is there and can be used as it is.
fn up(shared: &Shared, key: &SessionKey, hash: &str) -> Result<Option<Opened>> {
    let Some(entry) = shared.roster.get(key).filter(|one| one.managed.is_up()) else {
        return Ok(None);
    };
    entry.is_of(hash)?;
    shared.holds(&entry.managed)?;
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
            .with_advice("close it first, or take it as it is: SessionManager::get"))
    }
}

/// An open that is under way, as long as it isn't dropped: a shutdown waits for it.
pub(super) struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Opener<'a> {
    shared: &'a Arc<Shared>,
    key: &'a SessionKey,
    spec: &'a SessionSpec,
    hash: &'a str,
    actor: Option<&'a Arc<str>>,
    began: Instant,
}

impl Opener<'_> {
    async fn open(self) -> Result<Opened> {
        let opened = self.try_open().await;
        opened.map_err(|failure| failure.into_error(self.key))
    }

    async fn try_open(&self) -> std::result::Result<Opened, OpenFailure> {
        let failed = |phase| move |error| OpenFailure::new(phase, error);
        let _under_way = UnderWay::begin(&self.shared.opens);
        let _turn = self.shared.roster.wait_turn(self.key).await;
        let backend = self.shared.backend_for(self.key, self.actor);
        for tried in 0..TRIES {
            self.shared.is_open().map_err(failed(Phase::Admission))?;
            let known = self.shared.roster.get(self.key).is_some();
            let found = match tried {
                0 => find_own(self.shared, &backend, self.key).await,
                // Somebody else had the name.
                _ => find(self.shared, &backend, self.key).await,
            };
            let opened = match found.map_err(failed(Phase::Admission))? {
                Some(entry) => self.take_up(&backend, entry, known).await?,
                None => self.make(&backend).await?,
            };
            if let Some(opened) = opened {
                return Ok(opened);
            }
            // It was too old and is gone, or another instance was quicker.
        }
        let message = "another instance opens and closes it at the same time";
        let error = Error::new(ErrorKind::Conflict, message);
        Err(OpenFailure::new(Phase::Confirm, error))
    }

    /// Uses one that is there: as it is, or started again. Nothing where it was too old for that.
    async fn take_up(
        &self,
        backend: &Arc<dyn ContainerBackend>,
        entry: Arc<Entry>,
        known: bool,
    ) -> std::result::Result<Option<Opened>, OpenFailure> {
        let failed = |error| OpenFailure::new(Phase::Admission, error);
        let managed = &entry.managed;
        entry.is_of(self.hash).map_err(failed)?;
        self.shared.holds(managed).map_err(failed)?;
        let mut timings = Timings::default();
        if managed.runs() {
            // Nobody else does anything to it now: whatever it was asked for came to nothing.
            managed.let_be();
            timings.admission = self.began.elapsed();
            let origin = match known {
                true => Origin::Existing,
                false => Origin::Adopted,
            };
            return Ok(Some((entry, Opening { origin, timings })));
        }
        if !managed.life().is_resumable(Instant::now()) {
            let closed = super::close::close_held(self.shared, backend, &entry).await;
            closed.map_err(failed)?;
            return Ok(None);
        }
        let turn = (self.shared.admission).turn(self.key.shared_owner(), Deadline::none());
        let _turn = turn.await.map_err(failed)?;
        timings.admission = self.began.elapsed();
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
        let admission = &self.shared.admission;
        let admitted = admission.admit(owner, self.spec.needs(), Deadline::none());
        let place = admitted.await.map_err(failed(Phase::Admission))?;
        self.shared.is_open().map_err(failed(Phase::Admission))?;
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
                let turn = admission.turn(owner, Deadline::none()).await;
                let _turn = turn.map_err(failed(Phase::Admission))?;
                self.shared.is_open().map_err(failed(Phase::Admission))?;
                timings.admission = self.began.elapsed();
                let made = Made::new(self.shared, backend, self.spec, None, &mut timings);
                (Origin::Cold, made.await?)
            }
        };
        let began = Instant::now();
        if let Err(error) = made.set_up(backend, &self.spec.setup).await {
            return Err(made.fail(self.shared, backend, Phase::Setup, error).await);
        }
        timings.setup = began.elapsed();
        let began = Instant::now();
        let Some(managed) = made.confirm(self.shared, backend, self.key).await? else {
            return Ok(None);
        };
        timings.confirm = began.elapsed();
        let opening = Opening { origin, timings };
        let entry = Arc::new(Entry::new(self.key, managed, opening, place));
        self.shared.roster.insert(Arc::clone(&entry));
        if entry.managed.was_passed_over() {
            // What happened to it before it was anybody's was told to nobody.
            self.shared.looks.ask(&entry.managed.container);
        }
        self.shared
            .tell_each(&entry, vec![Change::Opened { origin }]);
        Ok(Some((entry, opening)))
    }
}

impl Made {
    /// Gives the container its session's name, which one alone can have; nothing where another has it.
    ///
    /// # Cancel safety
    /// Safe: dropped, it goes, unless it may be another instance's by now.
    async fn confirm(
        self,
        shared: &Arc<Shared>,
        backend: &Arc<dyn ContainerBackend>,
        key: &SessionKey,
    ) -> std::result::Result<Option<Arc<Managed>>, OpenFailure> {
        let failed = |error| OpenFailure::new(Phase::Confirm, error);
        let name = key.container_name(&shared.name).map_err(failed)?;
        let managed = Arc::clone(&self.managed);
        // From here on whoever stands in for this instance may take it for acknowledged.
        let mut named = Named {
            made: Some(self),
            shared,
        };
        let renamed = backend.rename(&managed.container, &name).await;
        let holder = match &renamed {
            Ok(()) => None,
            // Podman says 500 where Docker says 409: who has the name decides.
            Err(_) => backend.inspect(&ContainerRef::from(&name)).await.ok(),
        };
        // Silent for too long in between, this one may have been replaced, and the container is another's.
        shared.holds(&managed).map_err(failed)?;
        let Some(made) = named.made.take() else {
            return Ok(None);
        };
        match renamed {
            Ok(()) => {
                managed.give(key);
                Ok(Some(made.keep()))
            }
            Err(_) if holder.is_some_and(|holder| holder.id != managed.container) => {
                made.discard(shared).await;
                Ok(None)
            }
            Err(error) => Err(made.fail(shared, backend, Phase::Confirm, error).await),
        }
    }
}

/// One that has its session's name, or may: where this instance was replaced, it is its heir's.
struct Named<'a> {
    made: Option<Made>,
    shared: &'a Shared,
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if let Some(made) = self.made.take()
            && self.shared.holds(&made.managed).is_err()
        {
            self.shared.roster.forget(made.container());
            drop(made.keep());
        }
    }
}
