//! Who is measured: the clients as they come, this crate's backends, and the floor below them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bollard::API_DEFAULT_VERSION;
use bollard::query_parameters::{ListContainersOptions, ListContainersOptionsBuilder};
use catamaran::ContainerBackend;
use catamaran::model::{LabelKey, ListOptions};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shiplift::builder::{ContainerFilter, ContainerListOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::fixture::Target;

/// What is asked: an answer without a body, one of one container, and one with all of its details.
#[derive(Clone, Copy)]
pub enum Operation {
    Ping,
    List,
    Inspect,
}

impl Operation {
    pub const ALL: [Self; 3] = [Self::Ping, Self::List, Self::Inspect];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::List => "list",
            Self::Inspect => "inspect",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// What the engine is asked for, by those who write their own requests.
    pub fn path(self, target: &Target) -> String {
        match self {
            Self::Ping => "/_ping".to_owned(),
            Self::List => {
                let (key, value) = &target.label;
                let filters = format!(r#"{{"label":["{key}={value}"]}}"#);
                let filters = utf8_percent_encode(&filters, NON_ALPHANUMERIC);
                format!("/containers/json?all=true&filters={filters}")
            }
            Self::Inspect => format!("/containers/{}/json", target.id),
        }
    }
}

/// One way of asking. A call that fails panics, since what it took would mean nothing.
#[async_trait]
pub trait Client: Send + Sync + 'static {
    async fn call(&self, operation: Operation);
}

/// Any backend of this crate.
#[async_trait]
impl Client for (Arc<dyn ContainerBackend>, Target) {
    async fn call(&self, operation: Operation) {
        let (backend, Target { id, label, .. }) = self;
        match operation {
            Operation::Ping => drop(backend.ping().await.expect("a ping")),
            Operation::List => {
                let key = LabelKey::new(label.0).expect("a label");
                let options = ListOptions::all().with_label(key, label.1.clone());
                let found = backend.list(&options).await.expect("a list");
                assert_eq!(found.len(), self.1.listed);
            }
            Operation::Inspect => drop(backend.inspect(id).await.expect("details")),
        }
    }
}

/// bollard, as it comes unless it was tuned.
pub struct Bollard {
    docker: bollard::Docker,
    target: Target,
}

impl Bollard {
    pub fn new(docker: bollard::Docker, target: &Target) -> Self {
        Self {
            docker,
            target: target.clone(),
        }
    }

    pub fn unix(socket: &str, target: &Target) -> Result<Self, bollard::errors::Error> {
        let docker = bollard::Docker::connect_with_unix(socket, 30, API_DEFAULT_VERSION)?;
        Ok(Self::new(docker, target))
    }

    fn list_options(&self) -> ListContainersOptions {
        let (key, value) = &self.target.label;
        let filters = HashMap::from([("label", vec![format!("{key}={value}")])]);
        ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build()
    }
}

#[async_trait]
impl Client for Bollard {
    async fn call(&self, operation: Operation) {
        let (docker, id) = (&self.docker, self.target.id.as_str());
        match operation {
            Operation::Ping => drop(docker.ping().await.expect("a ping")),
            Operation::List => {
                let listed = docker.list_containers(Some(self.list_options()));
                assert_eq!(listed.await.expect("a list").len(), self.target.listed);
            }
            Operation::Inspect => {
                drop(docker.inspect_container(id, None).await.expect("details"));
            }
        }
    }
}

/// shiplift as it comes, made blocking in the usual way: it is async itself, so a runtime of its own has
/// to drive its connections while a blocking thread waits.
pub struct Shiplift {
    docker: shiplift::Docker,
    runtime: tokio::runtime::Handle,
    target: Target,
}

impl Shiplift {
    pub fn new(socket: &str, target: &Target, runtime: &tokio::runtime::Handle) -> Self {
        Self {
            docker: shiplift::Docker::unix(socket),
            runtime: runtime.clone(),
            target: target.clone(),
        }
    }
}

#[async_trait]
impl Client for Shiplift {
    async fn call(&self, operation: Operation) {
        let (docker, target) = (self.docker.clone(), self.target.clone());
        let answered = async move {
            match operation {
                Operation::Ping => drop(docker.ping().await.expect("a ping")),
                Operation::List => {
                    let label = ContainerFilter::Label(target.label.0.to_owned(), target.label.1);
                    let options = ContainerListOptions::builder()
                        .all()
                        .filter(vec![label])
                        .build();
                    let listed = docker.containers().list(&options).await;
                    assert_eq!(listed.expect("a list").len(), target.listed);
                }
                Operation::Inspect => {
                    let container = docker.containers().get(target.id.as_str());
                    drop(container.inspect().await.expect("details"));
                }
            }
        };
        let runtime = self.runtime.clone();
        tokio::task::spawn_blocking(move || runtime.block_on(answered))
            .await
            .expect("an answer");
    }
}

/// As little as a client can do: kept connections, one for each caller, requests written before, and answers
/// read to their end but not understood.
pub struct Floor<S> {
    idle: Mutex<Vec<(S, Vec<u8>)>>,
    ping: String,
    list: String,
    inspect: String,
}

impl<S> Floor<S> {
    pub fn new(connections: impl IntoIterator<Item = S>, target: &Target) -> Self {
        let get = |operation: Operation| {
            let path = operation.path(target);
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        };
        let connections = connections.into_iter();
        Self {
            idle: Mutex::new(connections.map(|stream| (stream, Vec::new())).collect()),
            ping: get(Operation::Ping),
            list: get(Operation::List),
            inspect: get(Operation::Inspect),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(S, Vec<u8>)>> {
        self.idle.lock().expect("no caller has failed")
    }
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Client for Floor<S> {
    async fn call(&self, operation: Operation) {
        let request = match operation {
            Operation::Ping => &self.ping,
            Operation::List => &self.list,
            Operation::Inspect => &self.inspect,
        };
        let taken = self.idle().pop();
        let (mut stream, mut answer) = taken.expect("one for each caller");
        answer.clear();
        stream.write_all(request.as_bytes()).await.expect("a write");
        stream.flush().await.expect("a write");
        while !is_whole(&answer) {
            assert_ne!(stream.read_buf(&mut answer).await.expect("an answer"), 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
        self.idle().push((stream, answer));
    }
}

/// Whether an answer's end has come, by its length or its last chunk. JSON has no bare `\r`, so nothing
/// within it looks like that chunk.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = (&answer[..end], &answer[end + 4..]);
    let length = String::from_utf8_lossy(head).lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().expect("a length"))
    });
    length.map_or(body.ends_with(b"\r\n0\r\n\r\n"), |length| {
        body.len() >= length
    })
}
