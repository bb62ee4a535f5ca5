//! A pull's answer: a stream of messages that may hold an error under its status 200.

use bytes::Bytes;
use futures::stream::{BoxStream, Stream};
use serde::Deserialize;
use serde_json::Number;

use super::brief;
use super::lines::messages;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{PullEvent, PullStatus};

#[derive(Deserialize)]
struct Progress {
    current: Option<Number>,
    total: Option<Number>,
    /// What is counted, where it isn't bytes: seconds, in Docker's containerd image store.
    units: Option<String>,
}

#[derive(Deserialize)]
struct Detail {
    code: Option<Number>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    status: Option<String>,
    #[serde(rename = "progressDetail")]
    progress: Option<Progress>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    detail: Option<Detail>,
}

impl Message {
    /// What it says; `None` where that is nothing to anybody but clients of one engine (`aux`).
    fn read(self) -> Result<Option<PullEvent>> {
        let told = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (code, message) = self
            .detail
            .map_or((None, None), |detail| (detail.code, detail.message));
        // Podman sends `error` alone, Docker both, and what stands before one perhaps the other.
        if let Some(message) = told(message).or(told(self.error)) {
            return Err(failed(code.and_then(|code| code.as_u64()), message));
        }
        let Some(status) = told(self.status) else {
            return Ok(None);
        };
        // Docker counts to -1 where it doesn't know.
        let count = |number: Option<Number>| number.and_then(|number| number.as_u64());
        let bytes = |progress: &Progress| progress.units.as_ref().is_none_or(String::is_empty);
        let progress = self.progress.filter(bytes);
        let (current, total) = progress.map_or((None, None), |progress| {
            (count(progress.current), count(progress.total))
        });
        Ok(Some(
            PullEvent::new(PullStatus::from(status))
                .with_id(told(self.id))
                .with_current(current)
                .with_total(total.filter(|total| *total > 0)),
        ))
    }
}

/// What the engine passes on of a registry's refusal.
fn failed(code: Option<u64>, message: String) -> Error {
    let kind = match code {
        Some(401 | 403) => ErrorKind::Denied,
        Some(404) => ErrorKind::NotFound,
        _ => meaning(&message),
    };
    advised(Error::new(kind, brief(message)).with_effect(Effect::Rejected))
}

/// The kind that a registry's refusal has in the engine's words; most engines give it no code.
fn meaning(message: &str) -> ErrorKind {
    const DENIED: [&str; 6] = [
        "access denied",
        "resource is denied",
        "unauthorized",
        "authentication required",
        "no basic auth",
        "403 forbidden",
    ];
    const ABSENT: [&str; 3] = ["manifest unknown", "name unknown", "not found"];
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&DENIED) {
        ErrorKind::Denied
    } else if says(&ABSENT) {
        ErrorKind::NotFound
    } else {
        ErrorKind::Engine
    }
}

fn advised(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Denied => error.with_advice("give the registry's credentials, or others"),
        ErrorKind::NotFound => {
            error.with_advice("see that the name is right; where it is private, give credentials")
        }
        _ => error,
    }
}

/// A refusal before the stream began, for what the engine passes on under 500 as well.
pub(crate) fn pull_refusal(error: Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::Engine => meaning(error.message()),
        kind => kind,
    };
    advised(error.with_kind(kind))
}

/// Takes a pull's body apart into events; it ends after the first error.
pub(crate) fn pull_events(
    body: BoxStream<'static, Result<Bytes>>,
) -> impl Stream<Item = Result<PullEvent>> + Send + 'static {
    messages(body, "a progress message", Message::read)
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    async fn read(text: &str) -> Vec<Result<PullEvent>> {
        let body = futures::stream::iter([Ok(Bytes::from(text.to_owned()))]);
        pull_events(body.boxed()).collect().await
    }

    #[tokio::test]
    async fn what_is_new_or_unknown_is_kept() {
        let events = read(concat!(
            r#"{"status":"Pulling from library/x","id":"latest"}"#,
            "\r\n",
            r#"{"status":"Downloading","progressDetail":{"current":5,"total":-1},"id":"a1","progress":"[>"}"#,
            "\n",
            r#"{"status":"Defragmenting","progressDetail":{"current":1.5,"units":"s"},"id":"a1","new":[1]}"#,
            r#"{"status":"Extracting","progressDetail":{"current":3,"units":"s"},"id":"a1"}"#,
            r#"{"status":"Pull complete","progressDetail":{},"id":"a1"}{"aux":{"ID":"x"}}"#,
        ));
        let events: Result<Vec<_>> = events.await.into_iter().collect();
        let event = |status: &str| PullEvent::new(status).with_id("a1".to_owned());
        assert_eq!(
            events.expect("sound messages"),
            [
                PullEvent::new("Pulling from library/x").with_id("latest".to_owned()),
                event("Downloading").with_current(5),
                event("Defragmenting"),
                // Seconds are no bytes.
                event("Extracting"),
                event("Pull complete"),
            ]
        );
    }

    #[tokio::test]
    async fn an_error_under_status_200_is_found_in_each_shape() {
        for (message, kind) in [
            (r#"{"error":"no space left on device"}"#, ErrorKind::Engine),
            (
                r#"{"error":"open /x: permission denied"}"#,
                ErrorKind::Engine,
            ),
            (
                r#"{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}"#,
                ErrorKind::NotFound,
            ),
            (
                r#"{"errorDetail":{"code":401,"message":"no"}}"#,
                ErrorKind::Denied,
            ),
            (
                r#"{"error":"denied: requested access to the resource is denied"}"#,
                ErrorKind::Denied,
            ),
        ] {
            let events = read(&format!(
                "{{\"status\":\"x\"}}\n{message}\n{{\"status\":\"y\"}}"
            ))
            .await;
            assert_eq!(events.len(), 2, "nothing follows an error");
            let error = events[1].as_ref().expect_err(message);
            assert_eq!((error.kind(), error.effect()), (kind, Effect::Rejected));
        }
    }

    #[tokio::test]
    async fn what_is_no_message_ends_it() {
        for text in ["{\"status\":\"x", "nonsense", "[1]", "{\"status\":1}"] {
            let events = read(text).await;
            let error = events[0].as_ref().expect_err(text);
            assert_eq!((events.len(), error.kind()), (1, ErrorKind::Decode));
        }
    }
}
