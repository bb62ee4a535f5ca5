//! The engine itself, asked past the proxy and without any client's code: plain HTTP/1.0.

use std::time::{Duration, Instant};

use catamaran::Endpoint;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::Outcome;

const PATIENCE: Duration = Duration::from_secs(60);

/// How long between two looks at an engine that is away.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub struct Wire {
    pub endpoint: Endpoint,
    /// Whether looks wait for an engine that is away.
    pub patient: bool,
}

pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The same where the engine did it, or had done it.
    pub fn done(self) -> Outcome<Self> {
        match self.status {
            200..=304 => Ok(self),
            status => {
                let said = String::from_utf8_lossy(&self.body);
                Err(format!("the engine answered {status}: {}", said.trim()).into())
            }
        }
    }
}

impl Wire {
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Outcome<Reply> {
        let asked = async {
            match &self.endpoint {
                Endpoint::Unix { path: socket } => {
                    exchange(UnixStream::connect(socket).await?, method, path, body).await
                }
                Endpoint::Tcp { host, port } => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    exchange(stream, method, path, body).await
                }
                other => Err(format!("{other}: a plaintext way to the engine is needed").into()),
            }
        };
        tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| format!("{method} {path}: the engine doesn't answer"))?
    }

    /// The answer to a GET; `None` where there is no such thing.
    pub async fn get(&self, path: &str) -> Outcome<Option<Value>> {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.look(path).await {
                Err(_) if self.patient && Instant::now() < patience => {
                    tokio::time::sleep(PAUSE).await;
                }
                looked => return looked,
            }
        }
    }

    async fn look(&self, path: &str) -> Outcome<Option<Value>> {
        let reply = self.ask("GET", path, None).await?;
        match reply.status {
            404 => Ok(None),
            _ => reply.done()?.json().map(Some),
        }
    }

    /// What a list has with this label.
    pub async fn labelled(&self, list: &str, label: &str) -> Outcome<Vec<Value>> {
        let filters = format!(r#"{{"label":["{label}"]}}"#);
        let encoded: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut found = self.get(&format!("{list}filters={encoded}")).await?;
        if list.starts_with("/volumes") {
            found = found.map(|mut found| found["Volumes"].take());
        }
        match found {
            Some(Value::Array(found)) => Ok(found),
            Some(Value::Null) => Ok(Vec::new()),
            other => Err(format!("{list}: no list: {other:?}").into()),
        }
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Outcome<Reply> {
    let body = body.map_or_else(String::new, |body| body.to_string());
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("an answer without a head")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok(Reply {
        status: status.ok_or("an answer without a status")?,
        body: answer.split_off(end + 4),
    })
}
