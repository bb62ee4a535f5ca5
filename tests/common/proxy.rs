//! A road to the real engine that fails as it is told to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use catamaran::{Config, Endpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::AbortHandle;

/// What becomes of a request, or of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: both pass.
    None,
    /// The request passes; the connection ends after so many bytes of the answer.
    Cut(usize),
    /// The request passes; its answer comes so much later.
    Late(Duration),
    /// The request is swallowed.
    Silent,
}

type Faults = Arc<dyn Fn(&str) -> Fault + Send + Sync>;

/// The proxy; it ends when it is dropped.
pub struct Proxy {
    directory: tempfile::TempDir,
    server: AbortHandle,
}

impl Proxy {
    /// Starts on the current runtime, on the way to the engine that the environment names. The faults are
    /// asked with each request's method and target.
    pub fn start(faults: impl Fn(&str) -> Fault + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("sock")).expect("a socket");
        let server = tokio::spawn(serve(listener, Arc::new(faults))).abort_handle();
        Self { directory, server }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(self.directory.path().join("sock"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: UnixListener, faults: Faults) {
    let config = Config::from_env().expect("a configuration");
    let Endpoint::Unix { path } = config.endpoint().clone() else {
        panic!("the proxy needs an engine at a unix socket");
    };
    // Connections end with the accepting task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let engine = UnixStream::connect(&path).await.expect("the engine");
        connections.spawn(pass(client, engine, Arc::clone(&faults)));
    }
}

async fn pass(mut client: UnixStream, mut engine: UnixStream, faults: Faults) -> io::Result<()> {
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let (mut fault, mut passed) = (Fault::None, 0);
    loop {
        tokio::select! {
            count = client.read(&mut request) => {
                let request = &request[..count?];
                if request.is_empty() {
                    return Ok(());
                }
                if let Some(line) = request_line(request) {
                    (fault, passed) = (faults(&line), 0);
                }
                if fault != Fault::Silent {
                    engine.write_all(request).await?;
                }
            }
            count = engine.read(&mut answer) => {
                let answer = &answer[..count?];
                match fault {
                    _ if answer.is_empty() => return Ok(()),
                    Fault::Cut(after) if after <= passed + answer.len() => {
                        return client.write_all(&answer[..after - passed]).await;
                    }
                    Fault::Late(time) => tokio::time::sleep(time).await,
                    Fault::Cut(_) | Fault::None | Fault::Silent => {}
                }
                passed += answer.len();
                client.write_all(answer).await?;
            }
        }
    }
}

/// Method and target, where a request begins here.
fn request_line(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_suffix(" HTTP/1.1").map(str::to_owned)
}
