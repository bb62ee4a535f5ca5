//! The one encoding: our model to Docker's requests, and Docker's answers to our model, for both engines.
//!
//! A [`Call`] is a request as data. [`Command`]s are the calls whose only answer is a status; they stay
//! typed, so that an engine whose client has a sound method for them can use it.

mod command;
mod decode;
mod encode;
mod events;
mod exec;
mod fault;
mod files;
mod host;
mod image;
mod inspect;
mod lines;
mod networks;
mod nullable;
mod prune;
mod pull;
mod query;
mod stats;
mod streams;
mod usage;
mod volumes;

use bytes::Bytes;
use http::{HeaderValue, Method};

pub use command::Command;
pub(crate) use decode::*;
pub(crate) use encode::*;
pub(crate) use events::{events, told_events};
pub(crate) use exec::*;
pub(crate) use files::*;
pub(crate) use host::clean;
pub(crate) use image::*;
pub(crate) use inspect::{details, signal_name};
pub(crate) use networks::*;
pub(crate) use prune::*;
pub(crate) use pull::{pull_events, pull_refusal};
pub(crate) use stats::{samples, stats as container_stats};
pub(crate) use streams::{Framing, log_chunks, whole};
pub(crate) use usage::*;
pub(crate) use volumes::*;

use crate::endpoint::ApiVersion;
use crate::error::{Error, Result};
use crate::model::TarArchive;

/// How much of an answer's body is read into memory: a list of 10,000 containers is some 20 MB.
const MAX_ANSWER: usize = 64 << 20;
/// How much is read of what is one sentence or number: an error, the outcome of a wait.
pub(crate) const MAX_SMALL_BODY: usize = 64 << 10;
/// How much of an error's message is kept.
const MAX_MESSAGE: usize = 2048;

/// The engine's words, cut to what a log line has room for.
pub(crate) fn brief(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// A request's body.
#[derive(Debug)]
pub enum Body {
    Empty,
    Json(Bytes),
    Tar(TarArchive),
}

impl Body {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            // Podman refuses a POST without one.
            Self::Empty | Self::Json(_) => "application/json",
            Self::Tar(_) => "application/x-tar",
        }
    }
}

/// A request as data. The path holds the query, and no version.
#[derive(Debug)]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Body,
    /// The value of `X-Registry-Auth`, marked as a secret.
    pub(crate) registry_auth: Option<HeaderValue>,
}

/// What asks the engine to hand its connection over; it answers 101.
pub(crate) const TAKE_OVER: [(&str, &str); 2] = [("connection", "Upgrade"), ("upgrade", "tcp")];

/// The header of a registry's credentials.
pub(crate) const REGISTRY_AUTH: &str = "x-registry-auth";

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: Body::Empty,
            registry_auth: None,
        }
    }

    fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    fn with_json(mut self, body: &impl serde::Serialize) -> Result<Self> {
        // Our models have string keys and finite numbers; this can't fail, but need not be trusted to.
        let json = serde_json::to_vec(body).map_err(|error| {
            Error::invalid("body", "can't be written as JSON").with_source(error)
        })?;
        self.body = Body::Json(json.into());
        Ok(self)
    }
}

/// The longest path that the `http` crate takes, by whichever of its ways.
const LONGEST_PATH: usize = u16::MAX as usize - 1;

/// The path with its version, as it goes out.
pub(crate) fn versioned(path: &str, version: Option<ApiVersion>) -> Result<String> {
    let path = match version {
        Some(version) => format!("/v{version}{path}"),
        None => path.to_owned(),
    };
    match path.len() {
        ..=LONGEST_PATH => Ok(path),
        _ => Err(Error::invalid("path", "is no URL: it is too long")),
    }
}

/// An answer's status and headers.
#[derive(Debug)]
pub struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

/// Headers as the client has them: few are read of those that an engine sends with each answer.
#[derive(Debug)]
pub(crate) enum Headers {
    Hyper1(http::HeaderMap),
    Hyper014(hyper014::HeaderMap),
}

impl From<http::response::Parts> for Head {
    fn from(parts: http::response::Parts) -> Self {
        Self {
            status: parts.status.as_u16(),
            headers: Headers::Hyper1(parts.headers),
        }
    }
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        match &self.headers {
            Headers::Hyper1(headers) => headers.get(name)?.to_str().ok(),
            Headers::Hyper014(headers) => headers.get(name)?.to_str().ok(),
        }
    }

    /// How much of the body is read.
    pub(crate) fn body_bound(&self) -> usize {
        if self.is_success() {
            MAX_ANSWER
        } else {
            MAX_SMALL_BODY
        }
    }

    /// Whether the body is what was asked for.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error that an answer of this status is, with the engine's own words where there are some.
    pub(crate) fn into_error(self, body: &[u8]) -> Error {
        let retry_after = self
            .header("retry-after")
            .and_then(|text| text.trim().parse().ok())
            .map(std::time::Duration::from_secs);
        fault::refusal(self.status, body).with_retry_after(retry_after)
    }
}
