//! Output as JSON can hold it: text where it is UTF-8, base64 elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes, BytesMut};
use serde_json::{Map, Value};

/// One stream's pieces. A character that a piece breaks off in is held until the next one.
#[derive(Default)]
pub struct Text {
    held: BytesMut,
}

impl Text {
    /// What can be told with this piece: by its name, or by `<name>_base64`.
    pub fn push(&mut self, name: &str, piece: Bytes) -> Option<Map<String, Value>> {
        let mut bytes = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            self.held.split().freeze()
        };
        if let Err(error) = std::str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            self.held
                .extend_from_slice(&bytes.split_off(error.valid_up_to()));
        }
        encode(name, &bytes)
    }

    /// What is held, at the end.
    pub fn finish(&mut self, name: &str) -> Option<Map<String, Value>> {
        let held = self.held.split();
        encode(name, held.chunk())
    }
}

fn encode(name: &str, bytes: &[u8]) -> Option<Map<String, Value>> {
    if bytes.is_empty() {
        return None;
    }
    let (name, value) = match std::str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), text.to_owned()),
        Err(_) => (format!("{name}_base64"), STANDARD.encode(bytes)),
    };
    Some(Map::from_iter([(name, Value::String(value))]))
}
