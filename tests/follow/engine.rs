//! An engine that answers by script, byte by byte: its connections end where they are told to.

use std::sync::{Arc, Mutex, PoisonError};

use catamaran::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// An answer as it goes over the socket.
#[derive(Debug, Clone)]
pub struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

/// What comes after an answer's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Close,
    /// The connection stays, and nothing comes.
    Silence,
    /// The last so many bytes are said again and again.
    Repeat(usize),
}

impl Answer {
    /// A body and its end.
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut answer = Self::open("application/json", body);
        answer.bytes = [
            &head(status, "application/json")[..],
            &chunk(body),
            b"0\r\n\r\n",
        ]
        .concat();
        answer.then = Then::Close;
        answer
    }

    /// A stream that has said so much, and goes on.
    pub fn open(content_type: &str, body: &[u8]) -> Self {
        Self {
            bytes: [head(200, content_type), chunk(body)].concat(),
            then: Then::Silence,
        }
    }

    /// A stream that has said so much, and ends.
    pub fn ended(content_type: &str, body: &[u8]) -> Self {
        let mut answer = Self::open(content_type, body);
        answer.bytes.extend(b"0\r\n\r\n");
        answer.then = Then::Close;
        answer
    }

    /// A stream that says this again and again.
    pub fn endless(content_type: &str, body: &[u8]) -> Self {
        let piece = chunk(body).len();
        Self {
            then: Then::Repeat(piece),
            ..Self::open(content_type, body)
        }
    }

    /// The connection ends after so many bytes, wherever that is.
    pub fn cut(mut self, after: usize) -> Self {
        self.bytes.truncate(after);
        self.then = Then::Close;
        self
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

fn head(status: u16, content_type: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n"
    )
    .into_bytes()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// How the engine answers: told the target of the request, without the version.
type Script = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// The engine; it ends when it is dropped.
pub struct Engine {
    directory: tempfile::TempDir,
    shared: Arc<Shared>,
    server: AbortHandle,
}

struct Shared {
    script: Mutex<Script>,
    asked: Mutex<Vec<String>>,
    /// How much was written of what repeats.
    written: watch::Sender<usize>,
    /// How many connections stay.
    open: watch::Sender<usize>,
}

impl Engine {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("sock")).expect("a socket");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(|_: &str| Answer::new(500, "{}"))),
            asked: Mutex::default(),
            written: watch::Sender::new(0),
            open: watch::Sender::new(0),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Self {
            directory,
            shared,
            server,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(self.directory.path().join("sock"))
    }

    /// Answers so from now on, and forgets what was asked.
    pub fn follow(&self, script: impl Fn(&str) -> Answer + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
        lock(&self.shared.asked).clear();
    }

    /// What was asked since then.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }

    /// How much is written of what repeats.
    pub fn written(&self) -> watch::Receiver<usize> {
        self.shared.written.subscribe()
    }

    /// How many connections stay open.
    pub fn open(&self) -> watch::Receiver<usize> {
        self.shared.open.subscribe()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: UnixListener, shared: Arc<Shared>) {
    // Connections end with the accepting task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A client that goes away is no failure of the engine.
            let _ = answer(stream, &shared).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(mut stream: UnixStream, shared: &Shared) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let target = request
        .split(|byte| *byte == b' ')
        .nth(1)
        .unwrap_or_default();
    let target = String::from_utf8_lossy(target);
    let target = target.trim_start_matches("/v1.40").to_owned();
    let script = Arc::clone(&lock(&shared.script));
    let answer = script(&target);
    lock(&shared.asked).push(target);
    stream.write_all(&answer.bytes).await?;
    match answer.then {
        Then::Close => stream.shutdown().await,
        Then::Silence => {
            shared.open.send_modify(|open| *open += 1);
            // Until the client goes.
            while stream
                .read_buf(&mut request)
                .await
                .is_ok_and(|read| read > 0)
            {}
            shared.open.send_modify(|open| *open -= 1);
            Ok(())
        }
        Then::Repeat(length) => {
            let piece = &answer.bytes[answer.bytes.len() - length..];
            loop {
                stream.write_all(piece).await?;
                shared.written.send_modify(|written| *written += length);
            }
        }
    }
}

/// The value of a parameter of the query.
pub fn parameter<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = target.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A time of the query in nanoseconds.
pub fn nanoseconds(target: &str, name: &str) -> Option<u64> {
    let (seconds, nanos) = parameter(target, name)?.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    Some(seconds * 1_000_000_000 + nanos.parse::<u64>().ok()?)
}
