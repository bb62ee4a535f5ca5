//! The secrets, the forms in which they could be told, and the log that takes everything.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

pub const ENV: &str = "canaryEnvQ7wZ3kV9";
pub const ARGUMENT: &str = "canaryArgumentX2mJ8pT5";
pub const AUTH: &str = "canaryAuthL4nB6rC1";
pub const CONTENT: &str = "canaryContentH9dF3sG7";
pub const OPTION: &str = "canaryOptionP5vY2tK8";
pub const LABEL: &str = "canaryLabelD8sW4xM2";

const ALL: &[&str] = &[ENV, ARGUMENT, AUTH, CONTENT, OPTION, LABEL];

/// As it is, as bytes, in hexadecimal, and in Base64 wherever in a longer text it may begin.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let list: Vec<_> = bytes.iter().map(u8::to_string).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned(), list.join(", "), hex];
    for before in 0..3 {
        let mut text = vec![b'x'; before];
        text.extend(bytes);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&text);
            // What is mixed with the letters beside it differs.
            let sure = if before == 0 { 0 } else { 4 }..bytes.len() / 3 * 4;
            forms.push(encoded[sure].to_owned());
        }
    }
    forms
}

/// Fails where a secret is told, without telling it.
pub fn assert_silent(place: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for secret in ALL {
        for form in forms(secret) {
            if let Some(at) = text.find(&form) {
                let (before, after) = (&text[..at], &text[at + form.len()..]);
                let before: String = before.chars().rev().take(300).collect();
                let before: String = before.chars().rev().collect();
                let after: String = after.chars().take(100).collect();
                panic!("{secret} is told in {place}: …{before}<HERE>{after}…");
            }
        }
    }
}

/// The log of this process, of `tracing` and of `log`, from the lowest level on.
#[derive(Clone, Default)]
pub struct Taken(Arc<Mutex<Vec<u8>>>);

impl Taken {
    pub fn everything() -> Self {
        let taken = Self::default();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(taken.clone())
            .init();
        tracing::trace!("control of tracing");
        log::trace!("control of log");
        taken
    }

    pub fn log(&self) -> Vec<u8> {
        self.0.lock().expect("no panic while writing").clone()
    }
}

impl Write for Taken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = self.0.lock().expect("no panic while writing");
        taken.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Taken {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
