//! A blocking client: plain HTTP/1.0 over a socket of the standard library, a connection for each request. The mode
//! `naive` calls it on the event loop; what is left at the end is counted with it, past everything that is under test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use catamaran::Endpoint;
use serde_json::{Value, json};

use crate::{Outcome, PATIENCE};

#[derive(Debug, Clone)]
pub struct Wire(Endpoint);

pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
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

    pub fn json(&self) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl Wire {
    pub fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }

    /// Asks, and blocks until the answer is there.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Outcome<Reply> {
        let body = body.map_or_else(String::new, Value::to_string);
        self.send(method, path, "application/json", body.as_bytes())
    }

    /// The same with a body of that kind.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Outcome<Reply> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n",
        );
        let request = [head.as_bytes(), body].concat();
        match &self.0 {
            Endpoint::Unix { path: socket } => {
                let stream = UnixStream::connect(socket)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                exchange(stream, &request)
            }
            Endpoint::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                exchange(stream, &request)
            }
            other => Err(format!("{other}: a plaintext way to the engine is needed").into()),
        }
    }

    pub fn get(&self, path: &str) -> Outcome<Value> {
        self.ask("GET", path, None)?.done()?.json()
    }

    /// What a list has with this label, by the field that names each.
    pub fn labelled(&self, kind: Kind, label: &str) -> Outcome<Vec<String>> {
        let filters = json!({"label": [label]}).to_string();
        let filters: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (list, name) = match kind {
            Kind::Containers => ("/containers/json?all=1&", "Id"),
            Kind::Volumes => ("/volumes?", "Name"),
            Kind::Networks => ("/networks?", "Id"),
        };
        let mut found = self.get(&format!("{list}filters={filters}"))?;
        if let Some(volumes) = found.get_mut("Volumes") {
            found = volumes.take();
        }
        let found = found.as_array().into_iter().flatten();
        let names = found.filter_map(|one| one[name].as_str().map(str::to_owned));
        Ok(names.collect())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Containers,
    Volumes,
    Networks,
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Outcome<Reply> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("an answer without a head")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or("an answer without a status")?;
    Ok(Reply { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, and an answer.
    struct Script {
        asked: Vec<u8>,
        answer: &'static [u8],
    }

    impl Script {
        fn new(answer: &'static [u8]) -> Self {
            Self {
                asked: Vec::new(),
                answer,
            }
        }
    }

    impl Read for &mut Script {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.answer.read(into)
        }
    }

    impl Write for &mut Script {
        fn write(&mut self, from: &[u8]) -> std::io::Result<usize> {
            self.asked.write(from)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_exchange_is_one_request_and_one_answer() {
        let mut script =
            Script::new(b"HTTP/1.0 201 Created\r\nApi-Version: 1.41\r\n\r\n{\"Id\":\"c0ffee\"}");
        let reply = exchange(&mut script, b"POST / HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!(
            (reply.status, reply.json().unwrap()),
            (201, json!({"Id": "c0ffee"}))
        );
        assert_eq!(script.asked, b"POST / HTTP/1.0\r\n\r\n");
        assert!(reply.done().is_ok());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for answer in [&b""[..], b"HTTP/1.0", b"nonsense\r\n\r\n"] {
            let mut script = Script::new(answer);
            assert!(exchange(&mut script, b"").is_err(), "{answer:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_engines_words() {
        let mut script = Script::new(b"HTTP/1.0 409 Conflict\r\n\r\n{\"message\":\"taken\"}\n");
        let reply = exchange(&mut script, b"").unwrap();
        let error = reply.done().err().unwrap().to_string();
        assert!(error.contains("409") && error.contains("taken"), "{error}");
    }
}
