//! A peer in a process of its own that gives each question the same answer, in one write: what is measured is the client.
//! The answers are those that an engine gave, as tests/replay has recorded them.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use catamaran::Endpoint;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// The word by which a bench runs as that process.
const CHILD: &str = "canned-engine";
/// What it says once it listens.
const READY: &str = "ready";
/// A client on an emulated processor needs a while until it waits.
const LATE: Duration = Duration::from_millis(3);

/// How the peer answers.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// At once, a list by so many containers.
    Prompt { listed: usize },
    /// The same after a while, when a client has begun to wait for sure.
    Late { listed: usize },
    /// Not at all.
    Silent,
}

/// The peer; it ends when it is dropped.
pub struct Canned {
    child: Child,
    directory: tempfile::TempDir,
}

impl Canned {
    pub fn start(manner: Manner) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (listed, delay) = match manner {
            Manner::Prompt { listed } => (listed.to_string(), Duration::ZERO),
            Manner::Late { listed } => (listed.to_string(), LATE),
            Manner::Silent => (String::new(), Duration::ZERO),
        };
        let mut child = Command::new(std::env::current_exe()?)
            .args([CHILD, &listed, &delay.as_micros().to_string()])
            .arg(socket(directory.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let said = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        BufReader::new(said).read_line(&mut line)?;
        match line.trim() {
            READY => Ok(Self { child, directory }),
            _ => Err(io::Error::other("the canned engine doesn't listen")),
        }
    }

    pub fn socket(&self) -> PathBuf {
        socket(self.directory.path())
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(self.socket())
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("engine.sock")
}

/// Runs as that process where the arguments say so, to its end.
pub fn run_as_child() -> bool {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [word, listed, delay, socket, ..] = &words[..] else {
        return false;
    };
    if word != CHILD {
        return false;
    }
    let delay = Duration::from_micros(delay.parse().expect("a time"));
    let answers = listed.parse().ok().map(Answers::recorded).map(Arc::new);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = UnixListener::bind(socket).expect("a socket");
        tokio::spawn(serve(listener, answers, delay));
        println!("{READY}");
        io::stdout().flush().expect("a reader");
        let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        ended.await.expect("a thread").expect("an input");
    });
    true
}

async fn serve(listener: UnixListener, answers: Option<Arc<Answers>>, delay: Duration) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(stream, answers.clone(), delay));
    }
}

async fn talk(
    mut stream: UnixStream,
    answers: Option<Arc<Answers>>,
    delay: Duration,
) -> io::Result<()> {
    let mut asked = Vec::new();
    loop {
        let Some(end) = whole(&asked) else {
            if stream.read_buf(&mut asked).await? == 0 {
                return Ok(());
            }
            continue;
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match &answers {
            Some(answers) => stream.write_all(answers.to(&asked)).await?,
            // Until the client goes away.
            None => {
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
                return Ok(());
            }
        }
        asked.drain(..end);
    }
}

/// Where a request ends that has come whole: its body has a length.
fn whole(asked: &[u8]) -> Option<usize> {
    let head = asked.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&asked[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a length"));
    (asked.len() >= head + length).then_some(head + length)
}

/// Whole answers, heads and all.
struct Answers {
    ping: Vec<u8>,
    version: Vec<u8>,
    list: Vec<u8>,
    inspect: Vec<u8>,
    create: Vec<u8>,
    missing: Vec<u8>,
}

impl Answers {
    fn recorded(listed: usize) -> Self {
        let list = recorded("list");
        let one = &list["messages"][0][0];
        let summaries = (0..listed).map(|number| {
            let mut summary = one.clone();
            summary["Id"] = format!("{number:064x}").into();
            summary["Names"] = vec![format!("/catamaran-bench-{number}")].into();
            summary
        });
        let all = Value::from_iter(summaries);
        let message = |name: &str| recorded(name)["messages"][0].to_string();
        Self {
            ping: answer("200 OK", "text/plain; charset=utf-8", "OK"),
            version: json("200 OK", &message("version")),
            list: json("200 OK", &all.to_string()),
            inspect: json("200 OK", &message("inspect-running")),
            create: json("201 Created", &message("create")),
            missing: json("404 Not Found", r#"{"message":"page not found"}"#),
        }
    }

    fn to(&self, asked: &[u8]) -> &[u8] {
        let line = asked.split(|byte| *byte == b'\r').next();
        let line = String::from_utf8_lossy(line.unwrap_or_default());
        let mut words = line.split(' ');
        let (method, path) = (words.next(), words.next().unwrap_or_default());
        let path = path.split('?').next().unwrap_or_default();
        // Whatever version it is asked by.
        match (method, path.rsplit('/').next()) {
            (_, Some("_ping")) => &self.ping,
            (_, Some("version")) => &self.version,
            (_, Some("create")) => &self.create,
            _ if path.ends_with("/containers/json") => &self.list,
            (Some("GET"), Some("json")) => &self.inspect,
            _ => &self.missing,
        }
    }
}

fn recorded(name: &str) -> Value {
    let path = format!("tests/replay/docker-20.10-1.41/{name}.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(path).expect("a recording");
    serde_json::from_str(&text).expect("JSON")
}

fn json(status: &str, body: &str) -> Vec<u8> {
    answer(status, "application/json", body)
}

fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    // As Docker does: what is more than its buffer goes as one chunk.
    let (framing, body) = match length {
        0..=2048 => (format!("Content-Length: {length}"), body.to_owned()),
        _ => (
            "Transfer-Encoding: chunked".to_owned(),
            format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nContent-Type: {kind}\r\nDocker-Experimental: false\r\nOstype: linux\r\n\
         Server: Docker/20.10.24 (linux)\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n{framing}\r\n\r\n"
    );
    [head, body].concat().into_bytes()
}
