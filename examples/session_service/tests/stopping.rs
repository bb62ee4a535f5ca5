//! How the service ends, on real connections.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::shutdown;

/// The service at a port of loopback.
struct Listening {
    served: Served,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<()>,
}

async fn listening(more: &[(&str, &str)]) -> Listening {
    let served = served(more).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, asked) = oneshot::channel();
    let (app, routes) = (served.app.clone(), served.routes.clone());
    let ended = tokio::spawn(async move {
        let asked = async { drop(asked.await) };
        let ended = shutdown::serve(app, routes, listener, asked).await;
        ended.expect("it serves").expect("the sessions are seen to");
    });
    Listening {
        served,
        address,
        stop: Some(stop),
        ended,
    }
}

impl Listening {
    async fn connect(&self, request: &str, body: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let head = format!(
            "{request} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {ALICE}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection
            .write_all(head.as_bytes())
            .await
            .expect("it is sent");
        connection
    }

    fn stop(&mut self) {
        drop(self.stop.take());
    }

    async fn ended(self) -> Served {
        timeout(LONG, self.ended)
            .await
            .expect("an end in time")
            .expect("no panic");
        self.served
    }
}

async fn until(connection: &mut TcpStream, what: &str) -> String {
    let mut text = Vec::new();
    let read = timeout(LONG, async {
        while !String::from_utf8_lossy(&text).contains(what) {
            let mut piece = [0; 4096];
            let length = connection.read(&mut piece).await.expect("a piece");
            assert!(
                length > 0,
                "no {what} in {}",
                String::from_utf8_lossy(&text)
            );
            text.extend_from_slice(&piece[..length]);
        }
    });
    read.await.expect("in time");
    String::from_utf8_lossy(&text).into_owned()
}

async fn rest(mut connection: TcpStream) -> String {
    let mut text = String::new();
    let read = timeout(LONG, connection.read_to_string(&mut text)).await;
    read.expect("an end in time").expect("text");
    text
}

#[tokio::test]
async fn what_is_under_way_is_done_and_the_sessions_go_on() {
    let mut service = listening(&[("ON_SHUTDOWN", "leave"), ("LEASE", "3s")]).await;
    service.served.open(ALICE, "demo").await;
    let mut events = service.connect("GET /events", "").await;
    until(&mut events, "200 OK").await;
    let body = r#"{"command":["sh","-c","echo begun; sleep 0.3; echo done"]}"#;
    let mut exec = service.connect("POST /sessions/demo/exec", body).await;
    until(&mut exec, "begun").await;

    service.stop();
    let told = rest(exec).await;
    assert!(
        told.contains("done") && told.contains(r#""exit_code":0"#),
        "{told}"
    );
    rest(events).await; // it has ended too
    let address = service.address;
    let served = service.ended().await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    assert_eq!(served.engine.containers()[0].state, "running");

    // The next one finds it.
    let next = app(&served.engine, &[("LEASE", "3s")]).await;
    let next = Served {
        routes: routes::router(&next),
        app: next,
        engine: served.engine,
    };
    eventually("it is adopted", || next.app.is_recovered()).await;
    assert_eq!(
        next.get(ALICE, "/sessions/demo").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn sessions_are_closed_where_that_is_wanted() {
    let mut service = listening(&[("ON_SHUTDOWN", "close")]).await;
    service.served.open(ALICE, "one").await;
    service.served.open(BOB, "two").await;
    service.stop();
    let served = service.ended().await;
    assert!(
        served.engine.containers().is_empty(),
        "{:?}",
        served.engine.containers()
    );
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_cut_off() {
    let mut service = listening(&[("DRAIN", "200ms"), ("ON_SHUTDOWN", "leave")]).await;
    service.served.open(ALICE, "demo").await;
    let body = r#"{"command":["sh","-c","echo begun; sleep 600"]}"#;
    let mut exec = service.connect("POST /sessions/demo/exec", body).await;
    until(&mut exec, "begun").await;
    service.stop();
    let told = rest(exec).await;
    assert!(
        told.contains("urn:session-service:problem:stopping"),
        "{told}"
    );
    service.ended().await;
}

#[tokio::test]
async fn draining_serves_those_who_are_there() {
    let mut service = listening(&[("ON_SHUTDOWN", "drain")]).await;
    service.served.open(ALICE, "demo").await;
    service.stop();
    let asked = service.served.app.stopping.asked.clone();
    timeout(LONG, asked.cancelled()).await.expect("it stops");
    let ready = until(&mut service.connect("GET /ready", "").await, "}").await;
    assert!(
        ready.contains("503") && ready.contains("it is being stopped"),
        "{ready}"
    );
    let refused = until(
        &mut service.connect("POST /sessions", r#"{"name":"x"}"#).await,
        "}",
    )
    .await;
    assert!(refused.contains("503"), "{refused}");
    let closed = until(
        &mut service.connect("DELETE /sessions/demo", "").await,
        "\r\n\r\n",
    )
    .await;
    assert!(closed.contains("204"), "{closed}");
    let served = service.ended().await;
    assert!(served.engine.containers().is_empty());
}
