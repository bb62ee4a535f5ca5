//! What engines say where they refuse or fail.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::brief;
use crate::error::{Error, ErrorKind};

/// Podman's words for a name or a state that is in the way; it says them under 500.
const CONFLICTS: [&str; 5] = [
    "that name is already in use",
    "container already exists",
    "pod already exists",
    // A rename to a name that is taken, from 5.0 on.
    "UNIQUE constraint failed: ContainerConfig.Name",
    "container is stopped",
];

#[derive(Deserialize)]
struct Fault {
    message: String,
    /// Podman's: the last words of the message, those that aren't about this case alone.
    #[serde(default)]
    cause: Value,
    /// Podman's: the status.
    #[serde(default)]
    response: Value,
}

impl Fault {
    fn into_error(self, status: u16) -> Error {
        let cause = self.cause.as_str().unwrap_or_default();
        let conflicts = CONFLICTS.iter().any(|words| cause.ends_with(words));
        let error = answered(status, self.message);
        match error.kind() {
            ErrorKind::Engine if conflicts => error.with_kind(ErrorKind::Conflict),
            _ => error,
        }
    }
}

/// The error of a status, in the engine's own words where it has some. An answer to a HEAD has none.
fn answered(status: u16, message: String) -> Error {
    let code = StatusCode::from_u16(status).ok();
    let message = match code.and_then(|code| code.canonical_reason()) {
        Some(reason) if message.is_empty() => reason.to_owned(),
        _ => message,
    };
    Error::answered(status, brief(message))
}

/// The error that an answer of this status and body is.
pub(super) fn refusal(status: u16, body: &[u8]) -> Error {
    match serde_json::from_slice::<Fault>(body) {
        Ok(fault) => fault.into_error(status),
        Err(_) => answered(status, String::from_utf8_lossy(body).trim().to_owned()),
    }
}

/// The error that stands where an answer should: Podman writes its own under status 200 once it has begun to answer.
pub(super) fn told(body: &[u8]) -> Option<Error> {
    let fault: Fault = serde_json::from_slice(body).ok()?;
    let status = u16::try_from(fault.response.as_u64()?).ok()?;
    (400..600)
        .contains(&status)
        .then(|| fault.into_error(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Effect;

    const TAKEN: &str = r#"{"cause":"that name is already in use","message":"creating container storage: the container name \"x\" is already in use by 4b22. You have to remove that container to be able to reuse that name: that name is already in use","response":500}"#;

    fn kind_and_words(status: u16, body: &str) -> (ErrorKind, String) {
        let error = refusal(status, body.as_bytes());
        assert_eq!(
            (error.status(), error.effect()),
            (Some(status), Effect::Rejected)
        );
        (error.kind(), error.message().to_owned())
    }

    #[test]
    fn what_is_in_the_way_is_a_conflict_whatever_podmans_status() {
        let podman = |cause: &str, message: &str| {
            serde_json::json!({"cause": cause, "message": message, "response": 500}).to_string()
        };
        for cause in CONFLICTS {
            let (kind, words) = kind_and_words(500, &podman(cause, &format!("x: {cause}")));
            assert_eq!((kind, words), (ErrorKind::Conflict, format!("x: {cause}")));
        }
        let (kind, words) = kind_and_words(500, TAKEN);
        assert_eq!(kind, ErrorKind::Conflict);
        assert!(words.starts_with("creating container storage"), "{words}");
        // Words of the case, which may be anybody's, decide nothing, and Podman's own change no other status.
        let quoting = "mkdir /that name is already in use";
        for (status, body, kind) in [
            (
                500,
                podman("no space left on device", quoting),
                ErrorKind::Engine,
            ),
            (
                500,
                format!(r#"{{"message":"{quoting}"}}"#),
                ErrorKind::Engine,
            ),
            (500, quoting.to_owned(), ErrorKind::Engine),
            (
                404,
                podman("container is stopped", "x"),
                ErrorKind::NotFound,
            ),
            (400, podman("pod already exists", "x"), ErrorKind::Refused),
        ] {
            assert_eq!(kind_and_words(status, &body).0, kind, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_without_words_has_those_of_its_status() {
        for (status, body, kind, words) in [
            (404, "", ErrorKind::NotFound, "Not Found"),
            (409, "", ErrorKind::Conflict, "Conflict"),
            (500, " \n", ErrorKind::Engine, "Internal Server Error"),
            (
                500,
                r#"{"message":""}"#,
                ErrorKind::Engine,
                "Internal Server Error",
            ),
            (499, "", ErrorKind::Refused, ""),
            // No words of the engine's: what there is, as it is.
            (
                502,
                "<html>no</html>\n",
                ErrorKind::Engine,
                "<html>no</html>",
            ),
            (
                400,
                r#"{"message":7}"#,
                ErrorKind::Refused,
                r#"{"message":7}"#,
            ),
            (
                400,
                r#"{"message":"m","cause":[1],"response":"x"}"#,
                ErrorKind::Refused,
                "m",
            ),
        ] {
            assert_eq!(
                kind_and_words(status, body),
                (kind, words.to_owned()),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn an_error_in_an_answers_place_is_one() {
        let stopped =
            r#"{"cause":"container is stopped","message":"container is stopped","response":500}"#;
        let error = told(stopped.as_bytes()).expect("an error");
        assert_eq!(
            (error.kind(), error.status(), error.effect()),
            (ErrorKind::Conflict, Some(500), Effect::Rejected)
        );
        let missing = told(br#"{"cause":"c","message":"m","response":404}"#).expect("an error");
        assert_eq!(
            (missing.kind(), missing.message()),
            (ErrorKind::NotFound, "m")
        );
        for none in [
            "",
            "{}",
            "[]",
            r#"{"message":"m"}"#,
            r#"{"message":"m","response":200}"#,
            r#"{"message":"m","response":70000}"#,
            r#"{"cause":"c","response":500}"#,
        ] {
            assert!(told(none.as_bytes()).is_none(), "{none}");
        }
    }
}
