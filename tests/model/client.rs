//! What is asked, by whom, and what a caller is told.

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{
    ContainerName, ContainerRef, ContainerSpec, ExecOptions, ImageRef, KillOptions, ListOptions,
    NetworkRef, NetworkSpec, RemoveOptions, RemoveVolumeOptions, Resources, RestartOptions, Signal,
    StartOutcome, StopOptions, StopOutcome, UpdateOptions, VolumeName, VolumeSpec, WaitOptions,
};
use catamaran::{
    AsyncEngine, BreakerState, CallContext, Config, ContainerBackend, Endpoint, EngineKind, Error,
    ErrorKind, HybridBackend, Mode, Result, RetryOptions,
};

use crate::clock::Clock;
use crate::steps::Verb;

/// Tells one creation from every other.
pub const TOKEN: &str = "model.token";

/// A call, with what it is about.
#[derive(Clone, Debug)]
pub struct Asked {
    pub verb: Verb,
    /// An id, or a volume's name.
    pub target: String,
    /// What the target is called in the call.
    pub called: String,
    pub name: String,
    pub token: String,
    /// With which the program or the command ends; a program without one runs on.
    pub code: Option<i64>,
}

#[derive(Debug, PartialEq)]
pub enum Answer {
    Did,
    /// It was so already.
    Was,
    Made(String),
    Code(i64),
    Shown(String, String),
    Listed(Vec<String>),
}

/// What a call came to; `None` where its caller went away.
pub type Told = Option<Result<Answer>>;

impl Asked {
    fn program(&self) -> [String; 3] {
        let line = match self.code {
            None => "exec sleep 100000000".to_owned(),
            // The token is told along with the command.
            Some(code) => format!(": {}; exit {code}", self.token),
        };
        ["sh".to_owned(), "-c".to_owned(), line]
    }

    async fn create(&self, by: &dyn ContainerBackend) -> Result<Answer> {
        let mut spec = ContainerSpec::untrusted(ImageRef::new("busybox")?)
            .with_label(TOKEN, &self.token)?
            .with_command(self.program());
        if self.verb == Verb::CreateNamed {
            spec.name = Some(ContainerName::new(&self.name)?);
        }
        let made = by.create(&spec).await?;
        Ok(Answer::Made(made.id.as_str().to_owned()))
    }

    async fn thing(&self, by: &dyn ContainerBackend) -> Result<Answer> {
        let volume = match self.verb {
            Verb::CreateNetwork => {
                let spec = NetworkSpec::new(NetworkRef::new(&self.name)?);
                let made = by
                    .create_network(&spec.with_label(TOKEN, &self.token)?)
                    .await?;
                return Ok(Answer::Made(made.id.as_str().to_owned()));
            }
            Verb::CreateVolume => VolumeSpec::new(),
            _ => VolumeSpec::named(VolumeName::new(&self.name)?),
        };
        let made = by
            .create_volume(&volume.with_label(TOKEN, &self.token)?)
            .await?;
        Ok(Answer::Made(made.name))
    }
}

async fn perform(by: &dyn ContainerBackend, asked: &Asked) -> Result<Answer> {
    if asked.verb.makes() {
        return match asked.verb {
            Verb::Create | Verb::CreateNamed => asked.create(by).await,
            _ => asked.thing(by).await,
        };
    }
    let container = || ContainerRef::new(&asked.called);
    let done = match asked.verb {
        Verb::Start => match by.start(&container()?).await? {
            StartOutcome::AlreadyRunning => return Ok(Answer::Was),
            _ => Ok(()),
        },
        Verb::Stop => {
            let options = StopOptions::default().with_timeout(Duration::ZERO);
            match by.stop(&container()?, &options).await? {
                StopOutcome::AlreadyStopped => return Ok(Answer::Was),
                _ => Ok(()),
            }
        }
        Verb::Restart => {
            let options = RestartOptions::default().with_timeout(Duration::ZERO);
            by.restart(&container()?, &options).await
        }
        Verb::Kill => by.kill(&container()?, &KillOptions::default()).await,
        Verb::Signal => {
            let options = KillOptions::default().with_signal(Signal::new("CONT")?);
            by.kill(&container()?, &options).await
        }
        Verb::Pause => by.pause(&container()?).await,
        Verb::Unpause => by.unpause(&container()?).await,
        Verb::Rename => {
            by.rename(&container()?, &ContainerName::new(&asked.name)?)
                .await
        }
        Verb::Update => {
            let resources = Resources::default().with_pids(77_u32);
            let options = UpdateOptions::default().with_resources(resources);
            by.update(&container()?, &options).await.map(drop)
        }
        Verb::Remove => by.remove(&container()?, &RemoveOptions::force()).await,
        Verb::RemoveNetwork => by.remove_network(&NetworkRef::new(&asked.called)?).await,
        Verb::RemoveVolume => {
            let options = RemoveVolumeOptions::default();
            by.remove_volume(&VolumeName::new(&asked.called)?, &options)
                .await
        }
        Verb::Wait => {
            let ended = by.wait(&container()?, &WaitOptions::default()).await?;
            return Ok(Answer::Code(ended.exit_code));
        }
        Verb::Exec => {
            let ended = by
                .exec(&container()?, &ExecOptions::new(asked.program()))
                .await?;
            return Ok(Answer::Code(ended.exit_code));
        }
        Verb::Inspect => {
            let shown = by.inspect(&container()?).await?;
            let status = shown.state.status.as_str().to_owned();
            return Ok(Answer::Shown(shown.name, status));
        }
        _ => {
            let listed = by.list(&ListOptions::all()).await?.into_iter();
            let ids = listed.map(|one| one.id.as_str().to_owned());
            return Ok(Answer::Listed(ids.collect()));
        }
    };
    done.map(|()| Answer::Did)
}

/// What many do: each failure is tried again, whatever it says. It is here to be found out.
async fn naive(by: &AsyncEngine, asked: &Asked, deadline: Duration) -> Result<Answer> {
    let tried = async {
        let mut last = perform(by, asked).await;
        for _ in 1..3 {
            if last.is_err() {
                last = perform(by, asked).await;
            }
        }
        last
    };
    let tried = tokio::time::timeout(deadline, tried).await;
    tried.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "three tries took too long")))
}

/// More than callers at once, so that nobody waits for a turn.
pub const PERMITS: usize = 4;

#[derive(Clone)]
pub enum Client {
    Hybrid(Box<HybridBackend>),
    Naive(Arc<AsyncEngine>),
}

fn config(endpoint: &Endpoint, timeout: Duration) -> Config {
    let config = Config::builder()
        .endpoint(endpoint.clone())
        .pool_size(PERMITS);
    config
        .operation_timeout(timeout)
        .build()
        .expect("a configuration")
}

impl Client {
    /// The crate's own. Where the clock is paused, both places are an async engine's: what the blocking one waits in has
    /// a clock of its own.
    pub fn hybrid(endpoint: &Endpoint, deadline: Duration, clock: Clock, mode: Mode) -> Self {
        // The hybrid's is the deadline, where a caller has no other.
        let config = config(endpoint, Duration::from_secs(30));
        let engine = || Arc::new(AsyncEngine::new(&config).expect("an engine"));
        let hybrid = match clock {
            Clock::Paused => HybridBackend::over(engine(), engine()),
            Clock::Real => HybridBackend::new(&config).expect("a backend"),
        };
        // The janitor is one for all cases: it isn't held up by what it left undone at engines that are gone.
        let quick = Duration::from_millis(2);
        let retry = RetryOptions::default().with_pauses(quick, quick * 10);
        let hybrid = hybrid.with_mode(mode).with_retry(retry);
        Self::Hybrid(Box::new(hybrid.with_operation_timeout(deadline)))
    }

    /// So that there is time for all tries.
    pub fn naive(endpoint: &Endpoint, deadline: Duration) -> Self {
        let engine = AsyncEngine::new(&config(endpoint, deadline / 4));
        Self::Naive(Arc::new(engine.expect("an engine")))
    }

    pub async fn ask(&self, asked: &Asked, deadline: Duration) -> Result<Answer> {
        match self {
            Self::Hybrid(hybrid) => {
                // It holds for a wait, too.
                let bounded = CallContext::new().with_timeout(deadline);
                perform(&*hybrid.with_context(bounded), asked).await
            }
            Self::Naive(engine) => naive(engine, asked, deadline).await,
        }
    }

    pub fn set_mode(&self, mode: Mode) {
        if let Self::Hybrid(hybrid) = self {
            hybrid.set_mode(mode);
        }
    }

    /// Whether no path is left alone.
    pub fn is_well(&self) -> bool {
        let Self::Hybrid(hybrid) = self else {
            return true;
        };
        let mut engines = [EngineKind::Async, EngineKind::Blocking].into_iter();
        engines.all(|engine| hybrid.breaker(engine) == BreakerState::Closed)
    }
}
