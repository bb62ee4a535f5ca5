//! Plain bollard, as a service would call it: what can be got out of the engine.

use async_trait::async_trait;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters as query;
use bollard::{API_DEFAULT_VERSION, Docker};
use catamaran::Endpoint;

use super::{Opened, Opener};
use crate::body::{self, STOP_SECONDS};
use crate::{Outcome, PATIENCE};

pub struct Bollard {
    docker: Docker,
    body: ContainerCreateBody,
}

impl Bollard {
    pub async fn connect(way: &Endpoint, run: &str) -> Outcome<Self> {
        let seconds = PATIENCE.as_secs();
        let docker = match way {
            Endpoint::Unix { path } => {
                Docker::connect_with_unix(&path.to_string_lossy(), seconds, API_DEFAULT_VERSION)?
            }
            Endpoint::Tcp { host, port } => {
                let address = format!("tcp://{host}:{port}");
                Docker::connect_with_http(&address, seconds, API_DEFAULT_VERSION)?
            }
            other => return Err(format!("{other}: a plaintext way to the engine is needed").into()),
        };
        Ok(Self {
            docker: docker.negotiate_version().await?,
            body: serde_json::from_value(body::create(run))?,
        })
    }

    async fn begin(&self, id: &str) -> Outcome<()> {
        self.docker.start_container(id, None).await?;
        let shown = self.docker.inspect_container(id, None).await?;
        match shown.state.and_then(|state| state.running) {
            Some(true) => Ok(()),
            _ => Err(format!("{id} isn't running").into()),
        }
    }

    async fn remove(&self, id: &str) -> Outcome<()> {
        let options = query::RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        Ok(self.docker.remove_container(id, Some(options)).await?)
    }
}

#[async_trait]
impl Opener for Bollard {
    async fn open(&self, _: u64, _: u64) -> Outcome<Opened> {
        let options = None::<query::CreateContainerOptions>;
        let created = self
            .docker
            .create_container(options, self.body.clone())
            .await?;
        if let Err(error) = self.begin(&created.id).await {
            self.remove(&created.id).await?;
            return Err(error);
        }
        Ok(Opened {
            handle: created.id,
            how: None,
        })
    }

    async fn close(&self, opened: Opened) -> Outcome<()> {
        let options = query::StopContainerOptionsBuilder::new()
            .t(STOP_SECONDS)
            .build();
        self.docker
            .stop_container(&opened.handle, Some(options))
            .await?;
        self.remove(&opened.handle).await
    }

    async fn end(&self) -> Outcome<()> {
        Ok(())
    }
}
