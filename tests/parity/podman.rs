//! What Podman says otherwise than Docker means the same, through both engines.

use std::sync::Arc;

use catamaran::model::{
    ContainerName, ContainerPath, ContainerRef, ContainerSpec, ImageRef, WaitOptions,
};
use catamaran::{ApiVersion, Effect, ErrorKind, Operation};
use serde_json::json;

use crate::Fixture;
use crate::calls::{Call, Failure};
use crate::common::peer::{Answer, Script};

fn fixture() -> Fixture {
    Fixture::new(&[ApiVersion::new(1, 41)])
}

fn web() -> ContainerRef {
    ContainerRef::new("web").expect("a name")
}

/// An error as Podman writes it.
fn fault(cause: &str, message: &str) -> String {
    json!({"cause": cause, "message": message, "response": 500}).to_string()
}

/// One answer to whatever is asked.
fn always(status: u16, body: impl Into<String>) -> Script {
    let body = body.into();
    Arc::new(move |_, _| Answer::new(status).with_body(body.clone()))
}

impl Fixture {
    /// What the call fails with, and how many requests it took.
    fn failure(&self, call: &Call, script: Script) -> (Failure, usize) {
        let exchange = self.same(&self.pairs[0], call, script).expect("parity");
        (exchange.reply.expect_err("a failure"), exchange.sent.len())
    }
}

#[test]
fn a_taken_name_is_a_conflict_under_500_too() {
    let fixture = fixture();
    let name = || ContainerName::new("web").expect("a name");
    let spec = ContainerSpec::new(ImageRef::new("busybox").expect("an image"));
    let create = Call::Create(Box::new(spec.with_name(name())));
    let rename = Call::Rename(web(), name());
    let stored = "creating container storage: the container name \"web\" is already in use by 4b22. You have to remove \
                  that container to be able to reuse that name: that name is already in use";
    for (call, operation, cause, message) in [
        (
            &create,
            Operation::Create,
            "that name is already in use",
            stored,
        ),
        (
            &create,
            Operation::Create,
            "container already exists",
            "adding container to state: name \"web\" is in use: container already exists",
        ),
        (
            &rename,
            Operation::Rename,
            "UNIQUE constraint failed: ContainerConfig.Name",
            "renaming container: updating container config table: UNIQUE constraint failed: ContainerConfig.Name",
        ),
    ] {
        let (failure, sent) = fixture.failure(call, always(500, fault(cause, message)));
        assert_eq!(
            (
                failure.kind,
                failure.effect,
                failure.status,
                failure.operation
            ),
            (
                ErrorKind::Conflict,
                Effect::Rejected,
                Some(500),
                Some(operation)
            ),
            "{failure:?}"
        );
        assert_eq!((failure.message.as_str(), sent), (message, 1));
        // The engine's own failure stays one.
        let (failure, _) =
            fixture.failure(call, always(500, fault("no space left on device", "x")));
        assert_eq!(failure.kind, ErrorKind::Engine, "{failure:?}");
    }
}

/// Newer Podmans answer 409 to the same.
#[test]
fn a_sample_of_what_does_not_run_is_a_conflict() {
    let fixture = fixture();
    let stopped = fault("container is stopped", "container is stopped");
    for (call, status, body) in [
        (Call::Stats(web()), 200, stopped.as_str()),
        (Call::Stats(web()), 409, &stopped),
        (Call::Stats(web()), 200, ""),
        (Call::Stats(web()), 200, "\n"),
        (Call::StatsStream(web()), 200, &stopped),
        (Call::StatsStream(web()), 409, &stopped),
    ] {
        let (failure, _) = fixture.failure(&call, always(status, body));
        assert_eq!(
            (failure.kind, failure.effect),
            (ErrorKind::Conflict, Effect::Rejected),
            "{call:?} {status} {body:?}: {failure:?}"
        );
        let told = failure.message.as_str();
        assert!(
            told == "container is stopped" || told.contains("doesn't run"),
            "{told}"
        );
    }
    // Another error in a sample's place is no conflict, and no sample either.
    let failed = fault(
        "cgroups: cgroup deleted",
        "unable to load cgroup at /x: cgroups: cgroup deleted",
    );
    for call in [Call::Stats(web()), Call::StatsStream(web())] {
        let (failure, _) = fixture.failure(&call, always(200, failed.clone()));
        assert_eq!(
            (failure.kind, failure.status),
            (ErrorKind::Engine, Some(500))
        );
        assert!(failure.message.contains("cgroup deleted"), "{failure:?}");
    }
}

/// Podman writes the head of a wait's answer before it waits.
#[test]
fn an_error_in_an_answers_place_is_told() {
    let fixture = fixture();
    let wait = Call::Wait(web(), WaitOptions::default());
    let body = fault(
        "database is closed",
        "waiting for container: database is closed",
    );
    let (failure, _) = fixture.failure(&wait, always(200, body));
    assert_eq!(
        (failure.kind, failure.status, failure.message.as_str()),
        (
            ErrorKind::Engine,
            Some(500),
            "waiting for container: database is closed"
        )
    );
}

/// Podman answers 500 where there is no such container, and where it fails.
#[test]
fn changes_that_fail_are_looked_into() {
    let fixture = fixture();
    let missing = Answer::new(404).with_body(r#"{"message":"no such container"}"#);
    let there = Answer::new(200).with_body("{}");
    let unclear = Answer::new(503).with_body(r#"{"message":"starting"}"#);
    for (look, kind, status, message) in [
        (missing, ErrorKind::NotFound, 404, "no such container"),
        (there, ErrorKind::Engine, 500, "layer not known"),
        // What nobody could look at is as it was said.
        (unclear, ErrorKind::Engine, 500, "layer not known"),
    ] {
        let failed = fault("layer not known", "layer not known");
        let script = Arc::new(move |_: usize, request: &crate::Recorded| {
            match request.path.ends_with("/changes") {
                true => Answer::new(500).with_body(failed.clone()),
                false => look.clone(),
            }
        });
        let (failure, sent) = fixture.failure(&Call::Changes(web()), script);
        assert_eq!(
            (failure.kind, failure.status, failure.message.as_str(), sent),
            (kind, Some(status), message, 2)
        );
        assert_eq!(failure.operation, Some(Operation::Changes));
    }
    // No other refusal is asked about.
    for status in [404, 409, 501, 503] {
        let (failure, sent) = fixture.failure(&Call::Changes(web()), always(status, "no"));
        assert_eq!((failure.status, sent), (Some(status), 1));
    }
}

/// The answer to a HEAD has no body to say why.
#[test]
fn a_look_at_a_path_that_fails_has_words() {
    let fixture = fixture();
    let path = ContainerPath::new("/etc/passwd").expect("a path");
    let look = Call::StatPath(web(), path);
    for (status, kind, message) in [
        (
            404,
            ErrorKind::NotFound,
            "there is no such container, or no such path in it",
        ),
        (400, ErrorKind::Refused, "Bad Request"),
        (403, ErrorKind::Denied, "Forbidden"),
        (500, ErrorKind::Engine, "Internal Server Error"),
        (503, ErrorKind::Engine, "Service Unavailable"),
    ] {
        let (failure, sent) = fixture.failure(&look, Arc::new(move |_, _| Answer::new(status)));
        assert_eq!(
            (failure.kind, failure.status, failure.message.as_str(), sent),
            (kind, Some(status), message, 1)
        );
    }
}
