//! What the engine says happened: its events, read from a connection of our own as they come.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use catamaran::Endpoint;
use serde_json::Value;

/// A listener on a thread of its own: the engine drops what a slow reader doesn't take.
pub struct Events {
    connection: UnixStream,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Events {
    /// Hears from now on; `None` where the engine isn't on a unix socket.
    pub fn listen(endpoint: &Endpoint) -> Option<Self> {
        let Endpoint::Unix { path } = endpoint else {
            return None;
        };
        let mut connection = UnixStream::connect(path).expect("a connection");
        write!(connection, "GET /events HTTP/1.0\r\nHost: engine\r\n\r\n").expect("a request");
        let mut answer = BufReader::new(connection.try_clone().expect("a handle"));
        let mut head = String::new();
        // The head comes when the engine listens, not with the first event.
        while !head.ends_with("\r\n\r\n") {
            assert!(answer.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        assert!(head.contains(" 200 OK\r\n"), "{head}");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in answer.lines() {
                let Ok(line) = line else { return };
                kept.lock().expect("no panic while keeping").push(line);
            }
        });
        Some(Self {
            connection,
            lines,
            reader,
        })
    }

    /// Whether something was heard in which all of these words are.
    pub fn heard(&self, words: &[&str]) -> bool {
        let lines = self.lines.lock().expect("no panic while keeping");
        let fits = |line: &String| words.iter().all(|word| line.contains(word));
        lines.iter().rev().any(fits)
    }

    /// Ends the listening, and gives what was heard.
    pub fn end(self) -> Vec<Value> {
        let end = self.connection.shutdown(std::net::Shutdown::Both);
        end.expect("an open connection");
        self.reader.join().expect("a reader");
        let lines = self.lines.lock().expect("no panic while keeping");
        let event = |line: &String| serde_json::from_str(line).expect("an event");
        lines.iter().map(event).collect()
    }
}
