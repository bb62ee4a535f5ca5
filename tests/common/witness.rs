//! The engine's own word, asked without any of the crate's code: a plain HTTP/1.0 request on a socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use catamaran::Endpoint;
use serde_json::Value;

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// The answer to a GET, as JSON.
pub fn get(endpoint: &Endpoint, path: &str) -> Value {
    let patience = Some(Duration::from_secs(30));
    let mut stream: Box<dyn Stream> = match endpoint {
        Endpoint::Unix { path } => {
            let stream = UnixStream::connect(path).expect("a connection");
            stream.set_read_timeout(patience).expect("a timeout");
            Box::new(stream)
        }
        Endpoint::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).expect("a connection");
            stream.set_read_timeout(patience).expect("a timeout");
            Box::new(stream)
        }
        other => panic!("the witness doesn't speak to {other}"),
    };
    write!(stream, "GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.expect("a head") + 4);
    let head = String::from_utf8_lossy(head);
    assert!(head.contains(" 200 OK\r\n"), "GET {path}: {head}");
    serde_json::from_slice(body).expect("JSON")
}

/// The containers, whatever their state, the networks and the volumes with this label and value.
pub fn labelled(endpoint: &Endpoint, label: &str, value: &str) -> Vec<Value> {
    let filters = format!(r#"{{"label":["{label}={value}"]}}"#);
    let encoded: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut found = Vec::new();
    for path in ["/containers/json?all=1&", "/networks?", "/volumes?"] {
        let mut answer = get(endpoint, &format!("{path}filters={encoded}"));
        if path == "/volumes?" {
            answer = answer["Volumes"].take();
        }
        match answer {
            Value::Array(some) => found.extend(some),
            Value::Null => {}
            other => panic!("{path}: no list: {other}"),
        }
    }
    found
}
