//! Warm pools: containers that are ready before anybody asks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::making::Made;
use super::manager::Shared;
use super::refill;
use super::spec::SessionSpec;
use crate::backend::ContainerBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::lock;
use crate::model::{ContainerState, HealthStatus, setters};
use crate::telemetry::metrics;

/// How many a pool may hold.
const MOST: usize = 1_024;

/// How many containers of a spec are kept ready.
///
/// They are made in the background, while no open makes one itself, and when nobody has claimed one for a second, or less than a
/// quarter is left: a pool doesn't take from those who wait. One is looked at
/// before it is given away, and given away once; what is left in a pool belongs to nobody, counts for no quota, and goes with
/// the manager, or with the next instance where the process is killed.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOptions {
    /// So many are kept ready.
    pub min: usize,
    /// So many at most: each open that finds none raises what is kept by one, and each minute without lowers it by one.
    pub max: usize,
    /// One that nobody has claimed for so long is replaced; half an hour unless set.
    pub max_age: Duration,
    /// So many are made at once, 1 to 16; 1 unless set.
    pub at_once: usize,
}

impl PoolOptions {
    /// A pool of `min` to `max` containers.
    ///
    /// ```
    /// use catamaran::session::PoolOptions;
    ///
    /// let options = PoolOptions::new(4, 16).with_at_once(2usize);
    /// assert_eq!((options.min, options.max), (4, 16));
    /// ```
    #[must_use]
    pub fn new(min: usize, max: usize) -> Self {
        Self {
            min,
            max,
            max_age: Duration::from_secs(1_800),
            at_once: 1,
        }
    }

    setters! {
        /// Sets when one that nobody has claimed is replaced.
        with_max_age(max_age: Duration);
        /// Sets how many are made at once.
        with_at_once(at_once: usize);
    }

    pub(super) fn validate(&self, spec: &SessionSpec) -> Result<()> {
        spec.validate()?;
        if !spec.setup.is_empty() {
            let message = "is each open's own: a pool's containers are nobody's yet";
            return Err(Error::invalid("setup", message));
        }
        if self.max == 0 || self.min > self.max || self.max > MOST {
            let message = format!("isn't 1 to {MOST} with a min of at most that");
            return Err(Error::invalid("pool.max", message));
        }
        if !(1..=16).contains(&self.at_once) {
            return Err(Error::invalid("pool.at_once", "isn't 1 to 16"));
        }
        if self.max_age < Duration::from_secs(1) {
            return Err(Error::invalid("pool.max_age", "is less than 1 s"));
        }
        Ok(())
    }
}

/// How a warm pool is.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    /// A hash of its spec.
    pub spec: String,
    /// The image.
    pub image: String,
    /// How many are ready.
    pub ready: usize,
    /// How many are being made.
    pub starting: usize,
    /// How many are meant to be ready.
    pub target: usize,
    /// How many were given away.
    pub hits: u64,
    /// How many opens found none.
    pub misses: u64,
    /// How many were given up: they had ended, were unhealthy, or too old.
    pub discarded: u64,
    /// Why the last one couldn't be made, where none has been since.
    pub last_error: Option<String>,
}

pub(super) struct Pool {
    pub(super) spec: SessionSpec,
    hash: String,
    pub(super) state: Mutex<State>,
    /// There may be something to do.
    pub(super) changed: Notify,
}

pub(super) struct State {
    pub(super) options: PoolOptions,
    pub(super) ready: VecDeque<Warm>,
    pub(super) starting: usize,
    pub(super) target: usize,
    pub(super) claimed: Option<Instant>,
    pub(super) missed: Instant,
    hits: u64,
    misses: u64,
    pub(super) discarded: u64,
    pub(super) last_error: Option<String>,
    /// Nothing comes in any more.
    pub(super) closed: bool,
}

pub(super) struct Warm {
    pub(super) made: Made,
    pub(super) since: Instant,
}

/// Those of a manager, by the hash of their spec.
#[derive(Default)]
pub(super) struct Pools(Mutex<HashMap<String, Arc<Pool>>>);

impl Pools {
    pub(super) fn set(
        &self,
        shared: &Arc<Shared>,
        pools: impl IntoIterator<Item = (SessionSpec, PoolOptions)>,
    ) -> Result<()> {
        let mut wanted = HashMap::new();
        for (spec, options) in pools {
            options.validate(&spec)?;
            wanted.insert(spec.hash()?, (spec, options));
        }
        let mut there = lock(&self.0);
        let gone = there.extract_if(|hash, _| !wanted.contains_key(hash));
        let gone: Vec<_> = gone.collect();
        for (hash, (spec, options)) in wanted {
            match there.get(&hash) {
                Some(pool) => pool.change(options),
                None => {
                    let pool = Pool::start(shared, spec, options, hash.clone());
                    there.insert(hash, pool);
                }
            }
        }
        drop(there);
        gone.into_iter().for_each(|(_, pool)| drop(pool.close()));
        Ok(())
    }

    /// One that is ready, and nobody else's from now on; nothing where there is none.
    ///
    /// # Cancel safety
    /// Safe: dropped, the one that is being looked at goes.
    pub(super) async fn claim(
        &self,
        shared: &Shared,
        backend: &Arc<dyn ContainerBackend>,
        hash: &str,
    ) -> Option<Made> {
        let pool = lock(&self.0).get(hash).cloned()?;
        while let Some(warm) = pool.pop() {
            match is_well(shared, &**backend, &warm.made).await {
                Some(true) => {
                    pool.hit();
                    return Some(warm.made);
                }
                Some(false) => {
                    tracing::debug!(container = %warm.made.container(), "one of the warm pool isn't well: it is discarded");
                    pool.discard(shared, warm);
                }
                // Nobody can say how any of them is.
                None => {
                    pool.put_back(warm);
                    break;
                }
            }
        }
        pool.miss();
        None
    }

    pub(super) fn status(&self) -> Vec<PoolStatus> {
        let pools: Vec<_> = lock(&self.0).values().cloned().collect();
        pools.iter().map(|pool| pool.status()).collect()
    }

    /// Closes all of them.
    pub(super) fn close(&self) -> Vec<Arc<Pool>> {
        let pools = std::mem::take(&mut *lock(&self.0));
        pools.into_values().collect()
    }

    /// What was in them before so many losses is another instance's to remove.
    pub(super) fn lose(&self, losses: u64) {
        for pool in lock(&self.0).values() {
            let mut state = lock(&pool.state);
            let ready = std::mem::take(&mut state.ready).into_iter();
            let (lost, kept): (Vec<_>, Vec<_>) =
                ready.partition(|warm| warm.made.managed.losses < losses);
            state.ready = kept.into();
            drop(state);
            lost.into_iter().for_each(|warm| drop(warm.made.keep()));
        }
    }
}

impl Pool {
    fn start(
        shared: &Arc<Shared>,
        spec: SessionSpec,
        options: PoolOptions,
        hash: String,
    ) -> Arc<Self> {
        let pool = Arc::new(Self {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                starting: 0,
                target: options.min,
                options,
                claimed: None,
                missed: Instant::now(),
                hits: 0,
                misses: 0,
                discarded: 0,
                last_error: None,
                closed: false,
            }),
            spec,
            hash,
            changed: Notify::new(),
        });
        let refill = refill::go_on(Arc::clone(shared), Arc::clone(&pool));
        shared.runtime.spawn(refill);
        pool
    }

    fn pop(&self) -> Option<Warm> {
        lock(&self.state).ready.pop_front()
    }

    fn put_back(&self, warm: Warm) {
        let mut state = lock(&self.state);
        if !state.closed {
            state.ready.push_front(warm);
        }
    }

    fn discard(&self, shared: &Shared, warm: Warm) {
        lock(&self.state).discarded += 1;
        shared.roster.forget(warm.made.container());
    }

    fn change(&self, options: PoolOptions) {
        let mut state = lock(&self.state);
        state.target = state.target.clamp(options.min, options.max);
        state.options = options;
        drop(state);
        self.changed.notify_one();
    }

    fn hit(&self) {
        let mut state = lock(&self.state);
        state.hits += 1;
        metrics::count(metrics::POOL_CLAIMS, &[("outcome", "hit")]);
        state.claimed = Some(Instant::now());
        drop(state);
        self.changed.notify_one();
    }

    fn miss(&self) {
        let mut state = lock(&self.state);
        state.misses += 1;
        metrics::count(metrics::POOL_CLAIMS, &[("outcome", "miss")]);
        state.missed = Instant::now();
        state.target = (state.target + 1).min(state.options.max);
        drop(state);
        self.changed.notify_one();
    }

    /// Takes all out of it. What is being made is let be made, and goes then: one whose creation is dropped must be looked for.
    pub(super) fn close(&self) -> Vec<Made> {
        let mut state = lock(&self.state);
        state.closed = true;
        let ready = std::mem::take(&mut state.ready);
        drop(state);
        self.changed.notify_one();
        ready.into_iter().map(|warm| warm.made).collect()
    }

    /// How many are being made.
    pub(super) fn starting(&self) -> usize {
        lock(&self.state).starting
    }

    fn status(&self) -> PoolStatus {
        let state = lock(&self.state);
        PoolStatus {
            spec: self.hash.clone(),
            image: self.spec.container.image.to_string(),
            ready: state.ready.len(),
            starting: state.starting,
            target: state.target,
            hits: state.hits,
            misses: state.misses,
            discarded: state.discarded,
            last_error: state.last_error.clone(),
        }
    }
}

/// Whether one can be given away: it is this instance's, runs, isn't unhealthy, and is limited as it was. Nothing where the
/// engine doesn't say.
async fn is_well(shared: &Shared, backend: &dyn ContainerBackend, made: &Made) -> Option<bool> {
    if !made.managed.is_up() || shared.holds(&made.managed).is_err() {
        return Some(false);
    }
    let details = match backend.inspect(made.container()).await {
        Ok(details) => details,
        Err(error) if error.kind() == ErrorKind::NotFound => return Some(false),
        Err(_) => return None,
    };
    let health = details.state.health.as_ref().map(|health| &health.status);
    let limits = made.managed.written.what.limits;
    let well = details.state.status == ContainerState::Running
        && health != Some(&HealthStatus::Unhealthy)
        && limits.weakened(&details.resources).is_empty();
    Some(well)
}
