//! Requests as they were sent, and what is answered.

use std::io;

use bytes::Bytes;
use futures::Stream;
use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::upgrade::OnUpgrade;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::time::Time;
use crate::testing::serve::Body;

/// A request, taken apart.
pub(super) struct Request {
    pub(super) method: Method,
    /// The path without its version, in parts.
    pub(super) parts: Vec<String>,
    /// Major and minor; the engine's own where none was asked for.
    pub(super) version: (u32, u32),
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) upgrade: Option<OnUpgrade>,
}

impl Request {
    /// The body as JSON; `null` where there is none.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|error| Refusal::new(400, error.to_string()))
    }

    /// Whether the connection is to be handed over.
    pub(super) fn upgrades(&self) -> bool {
        self.headers.contains_key(http::header::UPGRADE)
    }
}

/// What stands after the question mark.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(pairs.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// As Docker reads a truth.
    pub(super) fn is(&self, name: &str) -> bool {
        let value = self.get(name).unwrap_or_default();
        !matches!(value, "" | "0" | "false" | "False" | "no" | "none")
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// `filters`, in both of its shapes: lists, and maps to truths.
    pub(super) fn filters(&self) -> Result<Filters, Refusal> {
        let text = self.get("filters").unwrap_or_default();
        if text.is_empty() {
            return Ok(Filters::default());
        }
        let bad = |_| Refusal::new(400, "invalid filter");
        let value: Value = serde_json::from_str(text).map_err(bad)?;
        let mut filters = Vec::new();
        for (name, values) in value.as_object().into_iter().flatten() {
            match values {
                Value::Array(values) => {
                    let texts = values.iter().filter_map(Value::as_str);
                    filters.extend(texts.map(|text| (name.clone(), text.to_owned())));
                }
                Value::Object(values) => {
                    filters.extend(values.keys().map(|text| (name.clone(), text.clone())));
                }
                _ => return Err(Refusal::new(400, "invalid filter")),
            }
        }
        Ok(Filters(filters))
    }
}

/// Filters by name, with all their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Filters(Vec<(String, String)>);

impl Filters {
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether one of a filter's values fits; where it isn't asked for, anything does.
    pub(super) fn any(&self, name: &str, fits: impl Fn(&str) -> bool) -> bool {
        !self.has(name) || self.all(name).any(fits)
    }

    /// Whether labels are as `label` and `label!` ask.
    pub(super) fn labels(&self, labels: &Value) -> bool {
        let is = |wanted: &str| match wanted.split_once('=') {
            Some((key, value)) => labels[key].as_str() == Some(value),
            None => !labels[wanted].is_null(),
        };
        self.all("label").all(is) && !self.all("label!").any(is)
    }

    /// `until`, where it is a time.
    pub(super) fn until(&self) -> Option<Time> {
        Time::parse(self.all("until").next()?)
    }
}

/// Whether a name fits a filter, which is a regular expression of Docker's: anchors and escapes are known here.
pub(super) fn fits(name: &str, filter: &str) -> bool {
    let (begins, rest) = match filter.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, filter),
    };
    let (ends, rest) = match rest.strip_suffix('$') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let plain = rest.replace('\\', "");
    match (begins, ends) {
        (true, true) => name == plain,
        (true, false) => name.starts_with(&plain),
        (false, true) => name.ends_with(&plain),
        (false, false) => name.contains(&plain),
    }
}

/// What an engine refuses, and why.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(super) fn no_container(name: &str) -> Self {
        Self::new(404, format!("No such container: {name}"))
    }
}

/// What is answered.
pub(super) struct Answer(pub(super) Response<Body>);

pub(super) type Answered = Result<Answer, Refusal>;

impl Answer {
    fn new(status: u16, body: Body) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        Self(response)
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::bytes(status, Bytes::new())
    }

    pub(super) fn bytes(status: u16, bytes: impl Into<Bytes>) -> Self {
        let body = Full::new(bytes.into()).map_err(|never| match never {});
        Self::new(status, body.boxed_unsync())
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        let mut bytes = value.to_string();
        bytes.push('\n');
        Self::bytes(status, bytes).with_header("content-type", "application/json")
    }

    pub(super) fn stream(
        status: u16,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let frames = pieces.map(|piece| piece.map(Frame::data));
        Self::new(status, StreamBody::new(frames).boxed_unsync())
    }

    pub(super) fn refusal(refusal: &Refusal, podman: bool) -> Self {
        let message = &refusal.message;
        let value = match podman {
            true => json!({"cause": message, "message": message, "response": refusal.status}),
            false => json!({"message": message}),
        };
        Self::json(refusal.status, &value)
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            let headers = self.0.headers_mut();
            headers.insert(HeaderName::from_static(name), value);
        }
        self
    }
}
