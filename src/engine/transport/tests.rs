use std::sync::Mutex;

use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::endpoint::Endpoint;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

/// An engine that ends each connection after so many answers, and counts those it has open.
struct Engine {
    directory: tempfile::TempDir,
    open: Arc<Mutex<(usize, usize)>>,
}

impl Engine {
    fn new(answers: usize) -> Self {
        let (directory, listener) = socket();
        let open = Arc::new(Mutex::new((0, 0)));
        let counts = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counts = Arc::clone(&counts);
                tokio::spawn(async move {
                    counts.lock().expect("counts").0 += 1;
                    counts.lock().expect("counts").1 += 1;
                    for _ in 0..answers {
                        let mut request = [0; 1024];
                        match stream.read(&mut request).await {
                            Ok(length) if length > 0 => {}
                            _ => break,
                        }
                        stream.write_all(ANSWER).await.expect("an answer");
                    }
                    counts.lock().expect("counts").1 -= 1;
                });
            }
        });
        Self { directory, open }
    }

    fn transport(&self, idle: Duration) -> Transport<Empty<Bytes>> {
        transport(self.directory.path(), idle)
    }

    /// How many connections there were, and how many there are.
    fn connections(&self) -> (usize, usize) {
        *self.open.lock().expect("counts")
    }
}

/// Where a peer listens, as long as the directory is there.
fn socket() -> (tempfile::TempDir, UnixListener) {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
    (directory, listener)
}

fn transport<B: RequestBody>(directory: &std::path::Path, idle: Duration) -> Transport<B> {
    let config = Config::builder()
        .endpoint(Endpoint::unix(directory.join("socket")))
        .idle_timeout(idle);
    Transport::new(&config.build().expect("a configuration")).expect("a transport")
}

async fn call(transport: &Transport<Empty<Bytes>>) {
    let request = Request::get("/_ping")
        .body(Empty::new())
        .expect("a request");
    let deadline = Deadline::new(Some(Duration::from_secs(10)), None);
    let (response, link) = transport.send(request, deadline).await.expect("an answer");
    let body = response.into_body().collect().await.expect("a body");
    assert_eq!(body.to_bytes(), "OK");
    transport.keep(link);
}

#[tokio::test]
async fn calls_share_a_connection_while_it_is_open() {
    let engine = Engine::new(3);
    let transport = engine.transport(Duration::from_secs(5));
    for _ in 0..9 {
        call(&transport).await;
    }
    assert_eq!(engine.connections().0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_once_have_a_connection_each_and_keep_it() {
    let engine = Engine::new(usize::MAX);
    let transport = Arc::new(engine.transport(Duration::from_secs(60)));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let transport = Arc::clone(&transport);
            tokio::spawn(async move {
                for _ in 0..100 {
                    call(&transport).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
    let (ever, open) = engine.connections();
    assert!(ever <= 8 && open == ever, "{ever} connections, {open} open");
}

/// A body without end, and whether anybody still has it.
fn endless() -> (Upload, Arc<()>) {
    let held = Arc::new(());
    let piece = Bytes::from_static(&[0; 65_536]);
    let pieces = futures::stream::repeat_with({
        let held = Arc::clone(&held);
        move || {
            let _ = &held;
            Ok(Frame::data(piece.clone()))
        }
    });
    (BodyExt::boxed(StreamBody::new(pieces)), held)
}

type Upload = BoxBody<Bytes, std::convert::Infallible>;

async fn upload(
    transport: &Transport<Upload>,
    body: Upload,
    patience: Duration,
) -> Result<(Response<Incoming>, Link<Upload>)> {
    let request = Request::put("/upload").body(body).expect("a request");
    let deadline = Deadline::new(Some(patience), None);
    transport.send(request, deadline).await
}

#[tokio::test]
async fn a_stuck_engine_keeps_nothing_of_what_was_given_up() {
    // It accepts by its backlog alone, and reads nothing.
    let (directory, _stuck) = socket();
    let transport = transport(directory.path(), Duration::from_secs(60));
    let (body, held) = endless();
    let given_up = upload(&transport, body, Duration::from_millis(50)).await;
    let error = given_up.err().expect("no answer");
    assert_eq!(error.effect(), Effect::Unknown);
    assert_eq!(Arc::strong_count(&held), 1, "the body is kept");
}

#[tokio::test]
async fn a_connection_is_kept_whose_answer_has_no_body() {
    let (directory, listener) = socket();
    let answers = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        assert!(stream.read(&mut [0; 1024]).await.expect("a request") > 0);
        let done = b"HTTP/1.1 204 No Content\r\n\r\n";
        stream.write_all(done).await.expect("an answer");
        stream
    });
    let transport = transport::<Empty<Bytes>>(directory.path(), Duration::from_secs(60));
    let request = Request::post("/start").body(Empty::new());
    let deadline = Deadline::new(Some(Duration::from_secs(10)), None);
    let sent = transport.send(request.expect("a request"), deadline);
    let (_response, link) = sent.await.expect("an answer");
    transport.keep(link);
    assert_eq!(transport.pool.idle.count(), 1);
    answers.await.expect("a peer");
}

#[tokio::test]
async fn a_connection_isnt_kept_before_all_was_sent() {
    let (directory, listener) = socket();
    let refuses = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.read_exact(&mut [0; 1024]).await.expect("a request");
        stream.write_all(ANSWER).await.expect("an answer");
        stream
    });
    let transport = transport(directory.path(), Duration::from_secs(60));
    let (body, held) = endless();
    let answered = upload(&transport, body, Duration::from_secs(10)).await;
    let (response, link) = answered.expect("an answer before the end");
    drop(response);
    transport.keep(link);
    assert_eq!(Arc::strong_count(&held), 1, "the body is kept");
    assert_eq!(transport.pool.idle.count(), 0);
    refuses.await.expect("a peer");
}

#[test]
fn what_closed_while_the_runtime_slept_isnt_used() {
    use std::io::{Read, Write};
    let directory = tempfile::tempdir().expect("a directory");
    let listener = std::os::unix::net::UnixListener::bind(directory.path().join("socket"));
    let listener = listener.expect("a socket");
    let ((take, taken), (tell, told)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let peer = std::thread::spawn(move || {
        for () in taken {
            let (mut stream, _) = listener.accept().expect("a connection");
            assert!(stream.read(&mut [0; 1024]).expect("a request") > 0);
            stream.write_all(ANSWER).expect("an answer");
            tell.send(stream).expect("a test");
        }
    });
    let transport = transport(directory.path(), Duration::from_secs(60));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for _ in 0..3 {
        take.send(()).expect("a peer");
        runtime.block_on(call(&transport));
        // Nobody drives the runtime when the peer's end closes.
        drop(told.recv().expect("a stream"));
        let since = Instant::now();
        while since.elapsed() <= A_MOMENT {
            std::thread::yield_now();
        }
    }
    drop(take);
    peer.join().expect("a peer");
}

#[tokio::test]
async fn idle_connections_end_though_nobody_calls() {
    let engine = Engine::new(usize::MAX);
    let transport = engine.transport(Duration::from_millis(50));
    call(&transport).await;
    assert_eq!(engine.connections(), (1, 1));
    let ended = async {
        while engine.connections() != (1, 0) {
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    ended.expect("it ends in time");
    call(&transport).await;
    assert_eq!(engine.connections(), (2, 1));
}
