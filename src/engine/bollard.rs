//! The async engine's client: the one file that names bollard.
//!
//! Commands, whose answer is a status, go through bollard's own methods. Questions and streams go around
//! them on the same connections, since bollard logs their bodies, reads them without bound, and fails on
//! states that it doesn't know.

use std::sync::Arc;

use bollard::query_parameters as query;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker, body_full, body_try_stream};
use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;

pub(crate) use bollard::models;

use super::carrier::{Answer, Carrier, Envelope, Handover, OpenAnswer, Status, broken};
use super::transport::{Link, Pieces, Transport};
use super::wire::{self, Body, Call, Command, Head};
use crate::config::Config;
use crate::engine_kind::EngineKind;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ContainerRef, TarArchive};
use crate::policy::Permit;

/// bollard's request body, which it doesn't name.
type BollardBody = <BollardRequest as IntoBody>::Body;

/// Names a request's body type.
trait IntoBody {
    type Body;
}

impl<B> IntoBody for Request<B> {
    type Body = B;
}

tokio::task_local! {
    /// What goes along with a command through bollard's own method.
    static ENVELOPE: Envelope;
}

/// bollard wants some authority; our transport leaves it out.
const AUTHORITY: &str = "http://localhost";
/// bollard's timeout keeps whole seconds and covers the head alone; ours does the work.
const NO_TIMEOUT: u64 = 365 * 86_400;

/// bollard over our pooled transport.
pub struct BollardCarrier {
    docker: Docker,
    transport: Arc<Transport<BollardBody>>,
}

/// A call as bollard's connections take it.
fn request(call: Call, envelope: Envelope) -> Result<Request<BollardBody>> {
    let content_type = HeaderValue::from_static(call.body.content_type());
    let body = match call.body {
        Body::Empty => body_full(Bytes::new()),
        Body::Json(json) => body_full(json),
        Body::Tar(TarArchive::Bytes(bytes)) => body_full(bytes),
        Body::Tar(TarArchive::Stream(pieces)) => body_try_stream(pieces),
    };
    let mut request = Request::new(body);
    *request.method_mut() = call.method;
    *request.uri_mut() = target(&call.path, envelope)?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    if let Some(auth) = call.registry_auth {
        headers.insert(wire::REGISTRY_AUTH, auth);
    }
    Ok(request)
}

/// A path with the version that is spoken.
fn target(path: &str, envelope: Envelope) -> Result<Uri> {
    let target = wire::versioned(path, envelope.version)?;
    target.try_into().map_err(|error: http::uri::InvalidUri| {
        Error::invalid("path", "is no URL").with_source(error)
    })
}

impl BollardCarrier {
    async fn send(
        &self,
        call: Call,
        envelope: Envelope,
    ) -> Result<(Head, Incoming, Link<BollardBody>)> {
        let request = request(call, envelope)?;
        let (response, link) = self.transport.send(request, envelope.deadline).await?;
        let (head, body) = response.into_parts();
        Ok((head.into(), body, link))
    }
}

/// Carries one of bollard's commands: puts the version back into its path, and reads a refusal itself,
/// since bollard would read it without bound and lose its headers.
async fn command(
    transport: Arc<Transport<BollardBody>>,
    mut request: BollardRequest,
) -> std::result::Result<http::Response<Incoming>, bollard::errors::Error> {
    let send = async {
        let envelope = ENVELOPE
            .try_with(|envelope| *envelope)
            .map_err(|_| Error::new(ErrorKind::Config, "a command came without its envelope"))?;
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        *request.uri_mut() = target(path, envelope)?;
        let (response, mut link) = transport.send(request, envelope.deadline).await?;
        let status = response.status();
        let unchanged = status == http::StatusCode::NOT_MODIFIED;
        if unchanged || status.is_success() {
            // Nobody reads a body here: bollard drops the answer at once.
            transport.keep(link);
            return if unchanged {
                Err(Refusal::Unchanged)
            } else {
                Ok(response)
            };
        }
        let (head, body) = response.into_parts();
        let pieces = Pieces::new(body, &mut link);
        let refused = Answer::read(head.into(), pieces, envelope.deadline).await?;
        transport.keep(link);
        Err(Refusal::Failed(refused.head.into_error(&refused.body)))
    };
    // bollard's error has room for ours in its I/O variant; `outcome` takes it out again.
    send.await
        .map_err(|refusal: Refusal| bollard::errors::Error::IOError {
            err: std::io::Error::other(refusal),
        })
}

/// What our transport tells through bollard, which takes 304 for 204.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("unchanged")]
    Unchanged,
    #[error(transparent)]
    Failed(#[from] Error),
}

fn outcome(sent: std::result::Result<(), bollard::errors::Error>) -> Result<Status> {
    match sent {
        Ok(()) => Ok(Status::Done),
        Err(bollard::errors::Error::IOError { err }) => match err.downcast::<Refusal>() {
            Ok(Refusal::Unchanged) => Ok(Status::Unchanged),
            Ok(Refusal::Failed(error)) => Err(error),
            Err(error) => Err(Error::new(ErrorKind::Transport, "").with_source(error)),
        },
        Err(other) => Err(Error::new(ErrorKind::Transport, "").with_source(other)),
    }
}

fn pieces(body: Incoming) -> impl Stream<Item = Result<Bytes>> + Send + Unpin + 'static {
    body.into_data_stream().map(|piece| piece.map_err(broken))
}

impl Carrier for BollardCarrier {
    const KIND: EngineKind = EngineKind::Async;

    fn new(config: &Config) -> Result<Self> {
        let transport = Arc::new(Transport::new(config)?);
        let shared = Arc::clone(&transport);
        let docker = Docker::connect_with_custom_transport(
            move |request| command(Arc::clone(&shared), request),
            Some(AUTHORITY),
            NO_TIMEOUT,
            API_DEFAULT_VERSION,
        )
        .map_err(|error| {
            Error::new(ErrorKind::Config, "bollard can't be set up").with_source(error)
        })?;
        Ok(Self { docker, transport })
    }

    async fn ask(&self, call: Call, envelope: Envelope, _permit: Permit) -> Result<Answer> {
        let (head, body, mut link) = self.send(call, envelope).await?;
        let pieces = Pieces::new(body, &mut link);
        let answer = Answer::read(head, pieces, envelope.deadline).await?;
        self.transport.keep(link);
        Ok(answer)
    }

    async fn open(&self, call: Call, envelope: Envelope) -> Result<OpenAnswer> {
        let (head, body, link) = self.send(call, envelope).await?;
        let body = Pieces::new(body, Some(link)).boxed();
        Ok(OpenAnswer { head, body })
    }

    async fn take_over(&self, call: Call, envelope: Envelope) -> Result<Handover> {
        let mut request = request(call, envelope)?;
        for (name, value) in wire::TAKE_OVER {
            let value = HeaderValue::from_static(value);
            request.headers_mut().insert(name, value);
        }
        let deadline = envelope.deadline;
        match self.transport.take_over(request, deadline).await? {
            Ok(taken) => Ok(Handover::Taken(Box::new(taken))),
            Err(response) => {
                let (head, body) = response.into_parts();
                let (head, body) = (head.into(), pieces(body).boxed());
                Ok(Handover::Answered(OpenAnswer { head, body }))
            }
        }
    }

    async fn command(
        &self,
        container: &ContainerRef,
        command: Command,
        envelope: Envelope,
        _permit: Permit,
    ) -> Result<Status> {
        let (docker, id) = (&self.docker, container.as_str());
        let sent = ENVELOPE.scope(envelope, async move {
            match command {
                Command::Start => docker.start_container(id, None).await,
                Command::Stop { seconds } => {
                    // Without a time there is no query; bollard would send an empty one.
                    let options = seconds.map(|seconds| query::StopContainerOptions {
                        t: Some(seconds),
                        ..Default::default()
                    });
                    docker.stop_container(id, options).await
                }
                Command::Restart { seconds } => {
                    let options = seconds.map(|seconds| query::RestartContainerOptions {
                        t: Some(seconds),
                        ..Default::default()
                    });
                    docker.restart_container(id, options).await
                }
                Command::Kill { signal } => {
                    let options = query::KillContainerOptions {
                        signal: signal.to_string(),
                    };
                    docker.kill_container(id, Some(options)).await
                }
                Command::Pause => docker.pause_container(id).await,
                Command::Unpause => docker.unpause_container(id).await,
                Command::Rename { name } => {
                    let options = query::RenameContainerOptions {
                        name: name.to_string(),
                    };
                    docker.rename_container(id, options).await
                }
                Command::Remove { force, volumes } => {
                    let options = query::RemoveContainerOptions {
                        v: volumes,
                        force,
                        link: false,
                    };
                    docker.remove_container(id, Some(options)).await
                }
            }
        });
        outcome(sent.await)
    }
}
