//! The sorts of problems that there are, and which one an error of the crate is.

use std::time::Duration;

use axum::http::StatusCode;
use catamaran::session::OpenFailure;
use catamaran::{Error, ErrorKind};
use serde::{Serialize, Serializer};

/// A sort of problems.
#[derive(Debug, Serialize)]
pub struct Sort {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "number")]
    pub status: StatusCode,
    /// What is said where there is nothing better.
    #[serde(skip)]
    pub usual: &'static str,
    /// When it is worth another try.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

fn number<S: Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    status.as_u16().serialize(to)
}

macro_rules! sorts {
    ($($name:ident: $kind:literal, $status:ident, $title:literal, $usual:literal, $retry_after:expr;)*) => {
        $(pub static $name: Sort = Sort {
            kind: concat!("urn:session-service:problem:", $kind),
            title: $title,
            status: StatusCode::$status,
            usual: $usual,
            retry_after: $retry_after,
        };)*
    };
}

const SOON: Option<Duration> = Some(Duration::from_secs(1));
const LATER: Option<Duration> = Some(Duration::from_secs(5));

sorts! {
    INVALID: "invalid-input", BAD_REQUEST, "The request can't be right",
        "Something in it can't be as it is.", None;
    UNAUTHORIZED: "unauthorized", UNAUTHORIZED, "Who are you?",
        "Send a token that is somebody's: Authorization: Bearer …", None;
    FORBIDDEN: "forbidden", FORBIDDEN, "This isn't yours to do",
        "It takes the token of an operator of this service.", None;
    NO_ROUTE: "no-route", NOT_FOUND, "There is no such path",
        "Nothing is served at this path.", None;
    NO_METHOD: "no-method", METHOD_NOT_ALLOWED, "There is no such method",
        "This path isn't served by this method.", None;
    NO_SESSION: "no-session", NOT_FOUND, "There is no such session",
        "You have no session of this name.", None;
    NOT_FOUND: "not-found", NOT_FOUND, "There is no such thing",
        "The session, or what was asked for in it, isn't there.", None;
    CONFLICT: "conflict", CONFLICT, "The session is in another state",
        "The state that the session is in doesn't allow this.", None;
    TOO_LARGE: "too-large", PAYLOAD_TOO_LARGE, "It is too large",
        "It has more bytes than this service handles.", None;
    MEDIA_TYPE: "media-type", UNSUPPORTED_MEDIA_TYPE, "It isn't JSON",
        "Send JSON: Content-Type: application/json", None;
    SATURATED: "saturated", TOO_MANY_REQUESTS, "There is no room",
        "There is no room; try again later, or close a session.", LATER;
    BUSY: "busy", SERVICE_UNAVAILABLE, "The service is busy",
        "Too many requests are under way; try again in a moment.", SOON;
    RECOVERING: "recovering", SERVICE_UNAVAILABLE, "The service has just begun",
        "It isn't known yet which sessions there are; try again in a moment.", SOON;
    STOPPING: "stopping", SERVICE_UNAVAILABLE, "The service stops",
        "The service is being stopped.", LATER;
    UNAVAILABLE: "unavailable", SERVICE_UNAVAILABLE, "No container engine",
        "The container engine can't be reached.", LATER;
    TIMEOUT: "timeout", GATEWAY_TIMEOUT, "It took too long",
        "It wasn't done in time, and may have happened: look before you repeat it.", None;
    CONTAINER: "container", BAD_GATEWAY, "The container failed",
        "The container ended or failed while it was needed.", None;
    WEAKENED: "weakened", BAD_GATEWAY, "No safe container",
        "The container engine doesn't give the protection that this service wants.", None;
    ENGINE: "engine", BAD_GATEWAY, "The container engine failed",
        "The container engine has refused it, or failed.", None;
    UNSUPPORTED: "unsupported", NOT_IMPLEMENTED, "It can't be done here",
        "The container engine can't do this.", None;
    INTERNAL: "internal", INTERNAL_SERVER_ERROR, "The service has failed",
        "The service has failed; its log says more.", None;
}

impl Sort {
    pub fn of(error: &Error) -> &'static Self {
        use ErrorKind as K;
        let opening = OpenFailure::of(error).is_some();
        match error.kind() {
            // What an open lacks, such as its image, is no fault of its caller's.
            K::InvalidInput if opening => &INTERNAL,
            K::NotFound | K::Unsupported | K::TooLarge if opening => &ENGINE,
            K::InvalidInput => &INVALID,
            K::NotFound => &NOT_FOUND,
            K::Conflict => &CONFLICT,
            K::TooLarge => &TOO_LARGE,
            K::Saturated => &SATURATED,
            K::Connect | K::Transport | K::Unavailable => &UNAVAILABLE,
            K::Timeout => &TIMEOUT,
            K::Container => &CONTAINER,
            K::Weakened => &WEAKENED,
            K::Denied | K::Refused | K::Engine | K::Decode | K::OutputLost | K::Unsafe => &ENGINE,
            K::Unsupported => &UNSUPPORTED,
            K::Cancelled => &STOPPING,
            _ => &INTERNAL,
        }
    }
}
