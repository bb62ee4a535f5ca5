//! Whether a container answers with a page.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{CONNECTION, HOST, USER_AGENT};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::HttpReady;
use super::board::Place;
use super::pauses::Pauses;
use super::probe::{Context, Found};
use super::routes::{Address, own, published, wrong};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(2);
/// What an answer's head may take of memory.
const HEAD: usize = 16 << 10;

/// Waits until it answers with a status that counts.
pub(super) async fn answers(context: Context<'_>, page: &HttpReady, place: Place<'_>) -> Found {
    // An answer is nobody's but the program's, so that the published port, which is surely its own, comes first.
    let addresses = [published(&context, page.port), own(&context, page.port)].concat();
    if addresses.is_empty() {
        place.found("it is neither published nor on a network of this host");
    }
    let mut pauses = Pauses::default();
    loop {
        let mut found = Vec::new();
        for address in &addresses {
            let tried = tokio::time::timeout(TRY, status(address, page)).await;
            match tried {
                Ok(Ok(status)) if page.status.contains(&status) => {
                    place.done();
                    return Ok(());
                }
                Ok(Ok(status)) => found.push(format!("status {status}")),
                Ok(Err(wrong)) => found.push(wrong),
                Err(_) => found.push("no answer in time".to_owned()),
            }
        }
        found.dedup();
        if !found.is_empty() {
            place.found(found.join(", "));
        }
        pauses.quick().await;
    }
}

/// Asks once, and reads the status alone.
async fn status(address: &Address, page: &HttpReady) -> Result<u16, String> {
    let stream = address.connect().await.map_err(|error| wrong(&error))?;
    let mut client = http1::Builder::new();
    let client = client.max_buf_size(HEAD);
    let shaken = client.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let host = page.host.clone().unwrap_or_else(|| address.authority());
    let request = http::Request::get(&page.path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("catamaran/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    // Nothing is spawned: the connection is driven here, and closed with this.
    let answer = match select(pin!(sender.send_request(request)), pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    };
    match answer {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(format!("no answer: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Asks a peer that says this and goes, and gives back what it was asked too.
    async fn ask(page: &HttpReady, says: &[u8]) -> (Result<u16, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = Address {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().expect("an address").port(),
        };
        let peer = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.expect("a request"));
            }
            // Who has read enough is gone.
            let _ = stream.write_all(says).await;
            String::from_utf8(asked).expect("text")
        };
        tokio::join!(status(&address, page), peer)
    }

    #[tokio::test]
    async fn asks_for_the_page_and_reads_the_status_alone() {
        let page = HttpReady::new(80, "/a?b=c").with_host("app".to_owned());
        let endless = [
            &b"HTTP/1.1 503 Busy\r\ncontent-length: 9999999\r\n\r\n"[..],
            &[b'x'; 100_000],
        ];
        let (status, asked) = ask(&page, &endless.concat()).await;
        assert_eq!(status, Ok(503));
        assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("host: app\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn an_answer_at_the_end_of_a_connection_counts() {
        let page = HttpReady::new(80, "/");
        for answer in [
            "HTTP/1.0 204 None\r\n\r\n",
            "HTTP/1.1 204 None\r\nconnection: close\r\n\r\n",
        ] {
            assert_eq!(ask(&page, answer.as_bytes()).await.0, Ok(204));
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_none() {
        let page = HttpReady::new(80, "/");
        let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(100_000));
        for answer in ["", "SSH-2.0-x\r\n", &long] {
            let status = ask(&page, answer.as_bytes()).await.0;
            assert!(status.is_err(), "{status:?}");
        }
    }
}
