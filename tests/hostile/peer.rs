//! A peer that means harm: it answers a ping as it should, and everything else with the bytes that it was told, from a
//! thread of its own. How much of them was taken is counted.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use catamaran::Endpoint;

const PING: &[u8] =
    b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nOstype: linux\r\nContent-Length: 2\r\n\r\nOK";

/// What is answered: a beginning, and what comes again and again after it, so often at most.
#[derive(Clone, Default)]
pub struct Answer {
    pub first: Vec<u8>,
    pub again: Vec<u8>,
    pub times: u64,
    /// Whether the connection stays open for another request.
    pub stays: bool,
}

impl Answer {
    pub fn of(first: impl Into<Vec<u8>>) -> Self {
        Self {
            first: first.into(),
            ..Self::default()
        }
    }

    /// A head, and a body in chunks.
    pub fn endless(content_type: &str, piece: &[u8], times: u64) -> Self {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        Self {
            first: head.into_bytes(),
            again: chunk,
            times,
            stays: false,
        }
    }

    /// A whole answer with its length.
    pub fn whole(status: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self::of([head.as_bytes(), body].concat())
    }

    pub fn staying(mut self) -> Self {
        self.stays = true;
        self
    }
}

/// The peer; it ends with the test's process.
pub struct Hostile {
    directory: tempfile::TempDir,
    written: Arc<AtomicU64>,
    /// Connections that are being answered or read from.
    open: Arc<AtomicU64>,
    closes: bool,
    ended: Arc<AtomicBool>,
}

impl Hostile {
    pub fn start(answer: Answer) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("sock")).expect("a socket");
        let (written, ended) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, over) = (Arc::clone(&written), Arc::clone(&ended));
        let open = Arc::new(AtomicU64::new(0));
        let (opened, closes) = (Arc::clone(&open), !answer.stays);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (answer, count) = (answer.clone(), Arc::clone(&count));
                let open = Arc::clone(&opened);
                open.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || {
                    converse(stream, &answer, &count);
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self {
            directory,
            written,
            open,
            closes,
            ended,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::unix(self.directory.path().join("sock"))
    }

    /// Waits until the peer has closed what it closes, and the client's runtime has had its turns to notice.
    pub async fn settled(&self) {
        while self.closes && self.open.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        // A runtime of tokio looks at its sockets every 61 turns.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// Bytes of answers that the client's side took, the system's buffer included.
    pub fn taken(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The listener is woken to see it.
        let _ = UnixStream::connect(self.directory.path().join("sock"));
    }
}

fn converse(stream: UnixStream, answer: &Answer, written: &AtomicU64) {
    let mut writer = stream.try_clone().expect("a handle");
    let mut reader = BufReader::new(stream);
    while let Some(line) = request(&mut reader) {
        if line.contains("/_ping") {
            if writer.write_all(PING).is_err() {
                return;
            }
            continue;
        }
        let pieces = (0..answer.times).map(|_| &answer.again);
        for piece in std::iter::once(&answer.first).chain(pieces) {
            // A client that has seen enough closes the connection.
            if writer.write_all(piece).is_err() {
                return;
            }
            written.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        if !answer.stays {
            return;
        }
    }
}

/// Reads one request, and gives its first line.
fn request(reader: &mut BufReader<UnixStream>) -> Option<String> {
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        first.get_or_insert_with(|| line.to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    first
}
