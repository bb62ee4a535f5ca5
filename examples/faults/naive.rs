//! What many do: a client, and each error tried again. It is here to be found out.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, HostConfig, NetworkCreateRequest, VolumeCreateRequest,
};
use bollard::query_parameters as query;
use bollard::{API_DEFAULT_VERSION, Docker};
use catamaran::{Effect, Endpoint};
use futures::{StreamExt, TryStreamExt};

use crate::Outcome;
use crate::calls::{
    Answer, Call, Client, Failure, RUN, STOP_SECONDS, Setting, TALLY, TOKEN, Told, WORKER,
};

/// How often it is tried, all in all.
const TRIES: u32 = 6;

pub struct NaiveRetry {
    docker: Docker,
    deadline: Duration,
    setting: Setting,
}

impl NaiveRetry {
    pub fn new(endpoint: &Endpoint, deadline: Duration, setting: Setting) -> Outcome<Self> {
        let Endpoint::Unix { path } = endpoint else {
            return Err("the proxy is at a unix socket".into());
        };
        // So that there is time to try again.
        let each = (deadline / 4).as_secs().max(1);
        let path = path.to_string_lossy();
        let docker = Docker::connect_with_unix(&path, each, API_DEFAULT_VERSION)?;
        Ok(Self {
            docker,
            deadline,
            setting,
        })
    }

    fn labels(&self, token: &str) -> HashMap<String, String> {
        let labels = [(RUN, self.setting.run.as_str()), (TOKEN, token)];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        labels.into()
    }

    async fn ask(&self, call: &Call) -> Result<Answer, Error> {
        let docker = &self.docker;
        let done = |(): ()| Answer::Done;
        match call {
            Call::Create {
                name,
                token,
                worker,
                program,
            } => {
                let mut labels = self.labels(token);
                labels.insert(WORKER.to_owned(), worker.to_string());
                let body = ContainerCreateBody {
                    image: Some(self.setting.image.clone()),
                    cmd: Some(words(&program.line(token))),
                    labels: Some(labels),
                    host_config: Some(HostConfig {
                        network_mode: Some("none".to_owned()),
                        binds: Some(vec![format!("{}:{TALLY}", self.setting.tally)]),
                        init: Some(true),
                        ..HostConfig::default()
                    }),
                    ..ContainerCreateBody::default()
                };
                let options = name.as_ref().map(|name| {
                    let builder = query::CreateContainerOptionsBuilder::new();
                    builder.name(name).build()
                });
                let created = docker.create_container(options, body).await?;
                Ok(Answer::Made(created.id))
            }
            Call::Start(id) => docker.start_container(id, None).await.map(done),
            Call::Stop(id) => {
                let builder = query::StopContainerOptionsBuilder::new();
                let options = builder.t(STOP_SECONDS.into()).build();
                docker.stop_container(id, Some(options)).await.map(done)
            }
            Call::Kill(id) => {
                let builder = query::KillContainerOptionsBuilder::new();
                let options = builder.signal("SIGKILL").build();
                docker.kill_container(id, Some(options)).await.map(done)
            }
            Call::Pause(id) => docker.pause_container(id).await.map(done),
            Call::Unpause(id) => docker.unpause_container(id).await.map(done),
            Call::Rename(id, name) => {
                let builder = query::RenameContainerOptionsBuilder::new();
                let options = builder.name(name).build();
                docker.rename_container(id, options).await.map(done)
            }
            Call::Update(id, shares) => {
                let body = ContainerUpdateBody {
                    cpu_shares: Some((*shares).into()),
                    ..ContainerUpdateBody::default()
                };
                docker.update_container(id, body).await.map(done)
            }
            Call::Remove(id) => {
                let builder = query::RemoveContainerOptionsBuilder::new();
                let options = builder.force(true).v(true).build();
                docker.remove_container(id, Some(options)).await.map(done)
            }
            Call::Exec(id, command) => self.exec(id, words(&command.line())).await,
            Call::Wait(id) => {
                let mut ends = Box::pin(docker.wait_container(id, None));
                match ends.next().await {
                    Some(Ok(ended)) => Ok(Answer::Code(ended.status_code)),
                    Some(Err(Error::DockerContainerWaitError { code, .. })) => {
                        Ok(Answer::Code(code))
                    }
                    Some(Err(error)) => Err(error),
                    None => Err(Error::RequestTimeoutError),
                }
            }
            Call::Inspect(id) => {
                let shown = docker.inspect_container(id, None).await?;
                let state = shown.state.unwrap_or_default();
                let ended = state
                    .status
                    .is_some_and(|status| status.as_ref() == "exited");
                Ok(Answer::Shown {
                    name: shown
                        .name
                        .unwrap_or_default()
                        .trim_start_matches('/')
                        .to_owned(),
                    ended_with: state.exit_code.filter(|_| ended),
                })
            }
            Call::List(worker) => {
                let labels = vec![
                    format!("{RUN}={}", self.setting.run),
                    format!("{WORKER}={worker}"),
                ];
                let builder = query::ListContainersOptionsBuilder::new().all(true);
                let options = builder.filters(&HashMap::from([("label", labels)])).build();
                let listed = docker.list_containers(Some(options)).await?;
                let ids = listed.into_iter().filter_map(|shown| shown.id);
                Ok(Answer::Listed(ids.collect()))
            }
            Call::CreateNetwork { name, token } => {
                let body = NetworkCreateRequest {
                    name: name.clone(),
                    labels: Some(self.labels(token)),
                    ..NetworkCreateRequest::default()
                };
                Ok(Answer::Made(docker.create_network(body).await?.id))
            }
            Call::RemoveNetwork(name) => docker.remove_network(name).await.map(done),
            Call::CreateVolume { name, token } => {
                let body = VolumeCreateRequest {
                    name: name.clone(),
                    labels: Some(self.labels(token)),
                    ..VolumeCreateRequest::default()
                };
                Ok(Answer::Made(docker.create_volume(body).await?.name))
            }
            Call::RemoveVolume(name) => {
                let options = None::<query::RemoveVolumeOptions>;
                docker.remove_volume(name, options).await.map(done)
            }
        }
    }

    async fn exec(&self, id: &str, words: Vec<String>) -> Result<Answer, Error> {
        let options = CreateExecOptions {
            cmd: Some(words),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = self.docker.create_exec(id, options).await?.id;
        if let StartExecResults::Attached { mut output, .. } =
            self.docker.start_exec(&exec, None).await?
        {
            while output.try_next().await?.is_some() {}
        }
        let shown = self.docker.inspect_exec(&exec).await?;
        Ok(Answer::Code(shown.exit_code.unwrap_or_default()))
    }

    async fn again_and_again(&self, call: &Call) -> Told {
        let mut pause = Duration::from_millis(20);
        let mut tries = 1;
        loop {
            match self.ask(call).await {
                Ok(answer) => return Ok(answer),
                Err(_) if tries < TRIES => {
                    tokio::time::sleep(pause).await;
                    (tries, pause) = (tries + 1, pause * 2);
                }
                Err(error) => return Err(failure(&error)),
            }
        }
    }
}

/// A line of shell.
fn words(line: &str) -> Vec<String> {
    ["sh", "-c", line].map(str::to_owned).into()
}

/// A caller takes an answer of the engine for a no.
fn failure(error: &Error) -> Failure {
    let status = match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    };
    Failure {
        effect: status.map_or(Effect::Unknown, |_| Effect::Rejected),
        not_found: status == Some(404),
        text: error.to_string(),
    }
}

#[async_trait]
impl Client for NaiveRetry {
    async fn call(&self, call: &Call) -> Told {
        let tried = tokio::time::timeout(self.deadline, self.again_and_again(call));
        tried.await.unwrap_or_else(|_| {
            Err(Failure {
                effect: Effect::Unknown,
                not_found: false,
                text: "no answer in time".to_owned(),
            })
        })
    }
}
