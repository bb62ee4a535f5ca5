//! What goes wrong, as callers are told it: `application/problem+json` (RFC 9457).

pub mod sorts;

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use catamaran::Error;
use catamaran::session::{OpenFailure, Phase};
use serde::{Serialize, Serializer};
use serde_json::Value;

use sorts::Sort;

/// A failure, with nothing in it that callers have no business with: what the engine said, and where it is, stands in the
/// log alone.
#[derive(Debug)]
pub struct Problem(Box<Fields>);

#[derive(Debug, Serialize)]
struct Fields {
    #[serde(flatten)]
    sort: &'static Sort,
    detail: String,
    /// At which step the opening of a session failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_of_memory: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    retry_after: Option<Duration>,
    #[serde(skip)]
    challenge: Option<&'static str>,
}

/// In whole seconds, and never at once.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0 || time.is_zero())
}

fn seconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(whole_seconds).serialize(to)
}

impl Problem {
    /// A problem of this sort, in its own words.
    pub fn new(sort: &'static Sort) -> Self {
        Self::saying(sort, sort.usual)
    }

    fn saying(sort: &'static Sort, detail: impl Into<String>) -> Self {
        Self(Box::new(Fields {
            sort,
            detail: detail.into(),
            phase: None,
            exit_code: None,
            out_of_memory: None,
            retry_after: sort.retry_after,
            challenge: None,
        }))
    }

    /// A request that can't be right, and why.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::saying(&sorts::INVALID, detail)
    }

    /// Nobody's request, or one with a token that isn't anybody's.
    pub fn unauthorized(has_token: bool) -> Self {
        let mut problem = Self::new(&sorts::UNAUTHORIZED);
        problem.0.challenge = Some(match has_token {
            false => "Bearer",
            true => r#"Bearer error="invalid_token""#,
        });
        problem
    }

    pub fn is_unauthorized(&self) -> bool {
        self.0.challenge.is_some()
    }

    /// As part of a stream, whose status has been sent already.
    pub fn into_value(self) -> Value {
        serde_json::to_value(self.0).unwrap_or_default()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let sort = Sort::of(&error);
        // All of it for those who run the service; the request's id leads from one to the other. What a container does wrong
        // is mostly its owner's affair.
        if sort.status.is_server_error() && !std::ptr::eq(sort, &sorts::CONTAINER) {
            tracing::error!("{error:#}");
        } else {
            tracing::debug!("{error:#}");
        }
        let mut problem = match error.field() {
            // In the crate's own words, about what the caller has sent.
            Some(field) if std::ptr::eq(sort, &sorts::INVALID) => {
                Self::invalid(format!("{field}: {}", error.message()))
            }
            _ => Self::new(sort),
        };
        problem.0.exit_code = error.exit_code();
        problem.0.retry_after = error.retry_after().or(sort.retry_after);
        if let Some(failure) = OpenFailure::of(&error) {
            problem.0.phase = Some(failure.phase());
            problem.0.exit_code = failure.exit_code();
            problem.0.out_of_memory = failure.oom_killed().then_some(true);
        }
        problem
    }
}

/// What axum refuses before a handler sees it.
macro_rules! rejections {
    ($($rejection:ty),*) => {
        $(impl From<$rejection> for Problem {
            fn from(rejection: $rejection) -> Self {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Self::new(&sorts::TOO_LARGE),
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(&sorts::MEDIA_TYPE),
                    status if status.is_server_error() => Self::new(&sorts::INTERNAL),
                    _ => Self::invalid(rejection.body_text()),
                }
            }
        })*
    };
}

rejections!(JsonRejection, QueryRejection, PathRejection, BytesRejection);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Fields {
            sort,
            retry_after,
            challenge,
            ..
        } = *self.0;
        let mut response = (sort.status, Json(&self.0)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        if let Some(time) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(time)));
        }
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
