//! The crate's own backends under test.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catamaran::model::{
    ContainerName, ContainerRef, ContainerSpec, ContainerState, ExecOptions, ImageRef, KillOptions,
    ListOptions, Mount, NetworkRef, NetworkSpec, RemoveOptions, RemoveVolumeOptions, Resources,
    StopOptions, UpdateOptions, VolumeName, VolumeSpec, WaitOptions,
};
use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, ErrorKind, HybridBackend,
    Result,
};

use crate::calls::{
    Answer, Call, Client, Failure, RUN, STOP_SECONDS, Setting, TALLY, TOKEN, Told, WORKER,
};
use crate::options::ClientChoice;

pub struct Crate {
    backend: Arc<dyn ContainerBackend>,
    setting: Setting,
}

impl Crate {
    pub fn new(
        choice: ClientChoice,
        config: &Config,
        deadline: Duration,
        setting: Setting,
    ) -> Result<Self> {
        let backend: Arc<dyn ContainerBackend> = match choice {
            ClientChoice::Async => Arc::new(AsyncEngine::new(config)?),
            ClientChoice::Blocking => Arc::new(BlockingEngine::new(config)?),
            ClientChoice::Hybrid | ClientChoice::NaiveRetry | ClientChoice::Naive => {
                Arc::new(HybridBackend::new(config)?)
            }
        };
        // `wait` has no deadline but this one.
        let backend = backend.with_context(CallContext::new().with_timeout(deadline));
        Ok(Self { backend, setting })
    }

    async fn ask(&self, call: &Call) -> Result<Answer> {
        let container = |id: &String| ContainerRef::new(id);
        let backend = &self.backend;
        let done = |(): ()| Answer::Done;
        match call {
            Call::Create {
                name,
                token,
                worker,
                program,
            } => {
                let mut spec = ContainerSpec::untrusted(ImageRef::new(&self.setting.image)?)
                    .with_command(["sh", "-c", &program.line(token)])
                    .with_mount(Mount::volume(VolumeName::new(&self.setting.tally)?, TALLY))
                    .with_label(RUN, &self.setting.run)?
                    .with_label(TOKEN, token)?
                    .with_label(WORKER, worker.to_string())?;
                spec.name = name.as_ref().map(ContainerName::new).transpose()?;
                let created = backend.create(&spec).await?;
                Ok(Answer::Made(created.id.as_str().to_owned()))
            }
            Call::Start(id) => backend.start(&container(id)?).await.map(|_| Answer::Done),
            Call::Stop(id) => {
                let timeout = Duration::from_secs(STOP_SECONDS.into());
                let options = StopOptions::default().with_timeout(timeout);
                let stopped = backend.stop(&container(id)?, &options).await;
                stopped.map(|_| Answer::Done)
            }
            Call::Kill(id) => {
                let killed = backend.kill(&container(id)?, &KillOptions::default()).await;
                killed.map(done)
            }
            Call::Pause(id) => backend.pause(&container(id)?).await.map(done),
            Call::Unpause(id) => backend.unpause(&container(id)?).await.map(done),
            Call::Rename(id, name) => {
                let name = ContainerName::new(name)?;
                backend.rename(&container(id)?, &name).await.map(done)
            }
            Call::Update(id, shares) => {
                let resources = Resources::default().with_cpu_shares(*shares);
                let options = UpdateOptions::default().with_resources(resources);
                let updated = backend.update(&container(id)?, &options).await;
                updated.map(|_| Answer::Done)
            }
            Call::Remove(id) => {
                let options = RemoveOptions::force();
                backend.remove(&container(id)?, &options).await.map(done)
            }
            Call::Exec(id, command) => {
                let options = ExecOptions::new(["sh", "-c", &command.line()]);
                let ran = backend.exec(&container(id)?, &options).await?;
                Ok(Answer::Code(ran.exit_code))
            }
            Call::Wait(id) => {
                let waited = backend.wait(&container(id)?, &WaitOptions::default()).await;
                waited.map(|ended| Answer::Code(ended.exit_code))
            }
            Call::Inspect(id) => {
                let shown = backend.inspect(&container(id)?).await?;
                let ended = shown.state.status == ContainerState::Exited;
                Ok(Answer::Shown {
                    name: shown.name,
                    ended_with: shown.state.exit_code.filter(|_| ended),
                })
            }
            Call::List(worker) => {
                let options = ListOptions::all()
                    .with_label(label(RUN)?, self.setting.run.clone())
                    .with_label(label(WORKER)?, worker.to_string());
                let listed = backend.list(&options).await?.into_iter();
                let ids = listed.map(|shown| shown.id.as_str().to_owned());
                Ok(Answer::Listed(ids.collect()))
            }
            Call::CreateNetwork { name, token } => {
                let spec = NetworkSpec::new(NetworkRef::new(name)?)
                    .with_label(RUN, &self.setting.run)?
                    .with_label(TOKEN, token)?;
                let created = backend.create_network(&spec).await?;
                Ok(Answer::Made(created.id.as_str().to_owned()))
            }
            Call::RemoveNetwork(name) => {
                let network = NetworkRef::new(name)?;
                backend.remove_network(&network).await.map(done)
            }
            Call::CreateVolume { name, token } => {
                let spec = match name {
                    Some(name) => VolumeSpec::named(VolumeName::new(name)?),
                    None => VolumeSpec::new(),
                };
                let spec = spec
                    .with_label(RUN, &self.setting.run)?
                    .with_label(TOKEN, token)?;
                let created = backend.create_volume(&spec).await?;
                Ok(Answer::Made(created.name))
            }
            Call::RemoveVolume(name) => {
                let volume = VolumeName::new(name)?;
                let options = RemoveVolumeOptions::default();
                backend.remove_volume(&volume, &options).await.map(done)
            }
        }
    }
}

fn label(key: &str) -> Result<catamaran::model::LabelKey> {
    catamaran::model::LabelKey::new(key)
}

#[async_trait]
impl Client for Crate {
    async fn call(&self, call: &Call) -> Told {
        self.ask(call).await.map_err(|error| Failure {
            effect: error.effect(),
            not_found: error.kind() == ErrorKind::NotFound,
            text: format!("{error:#}"),
        })
    }
}
