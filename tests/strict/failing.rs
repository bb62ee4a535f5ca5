//! Looks and removals that fail.

use std::time::Duration;

use catamaran::model::{RemoveOptions, RestartPolicy};
use catamaran::{CallContext, ContainerBackendExt, Effect, ErrorKind};
use serde_json::json;

use crate::common::mirror::ID;
use crate::common::peer::{Answer, Peer};
use crate::common::proxy::{Fault, Proxy};
use crate::common::{exists, shell, unique, witness};
use crate::{all, as_asked, loaded, making, methods, refused};

#[tokio::test]
async fn what_cannot_be_looked_at_goes_too() {
    let peer = Peer::start();
    let backends = all(peer.endpoint());
    let details = r#"{"Id":"c0ffee""#;
    for (look, kind) in [
        (Answer::new(500), ErrorKind::Engine),
        (Answer::new(404), ErrorKind::Engine),
        (Answer::new(403), ErrorKind::Denied),
        (Answer::new(200).with_body(details), ErrorKind::Decode),
    ] {
        for backend in &backends {
            let look = look.clone();
            peer.follow(as_asked(move |request| {
                (request.method == "GET").then(|| look.clone())
            }));
            // A path that fails here is no reason to make a second one.
            let error = refused(&peer, &**backend, &loaded()).await;
            assert_eq!(
                (error.kind(), error.effect()),
                (kind, Effect::Rejected),
                "{error}"
            );
            assert!(
                error
                    .message()
                    .contains("the look at what is in force failed")
            );
        }
    }
}

#[tokio::test]
async fn what_cannot_be_removed_is_named() {
    let peer = Peer::start();
    let backends = all(peer.endpoint());
    for (status, effect) in [
        (500, Effect::Unknown),
        (409, Effect::Unknown),
        // Somebody else was faster.
        (404, Effect::Rejected),
    ] {
        for backend in &backends {
            peer.follow(making("/HostConfig/Memory", json!(0), move |request| {
                (request.method == "DELETE").then(|| Answer::new(status))
            }));
            let error = refused(&peer, &**backend, &loaded()).await;
            assert_eq!(
                (error.kind(), error.effect()),
                (ErrorKind::Weakened, effect),
                "{error}"
            );
            assert!(error.message().contains(ID), "{error}");
            let advice = error.advice().expect("advice");
            let by_hand = advice.contains(&format!("remove container {ID}"));
            assert_eq!(by_hand, effect == Effect::Unknown, "{advice}");
        }
    }
}

#[tokio::test]
async fn a_run_and_a_scope_are_strict_by_their_spec() {
    let peer = Peer::start();
    for backend in all(peer.endpoint()) {
        let spec = loaded().with_restart_policy(RestartPolicy::No);
        peer.follow(making("/HostConfig/Memory", json!(0), |_| None));
        let error = backend.scoped(&spec).await.expect_err("it is weaker");
        assert_eq!(error.kind(), ErrorKind::Weakened, "{error}");
        peer.follow(making("/HostConfig/Memory", json!(0), |_| None));
        let error = backend.run(&spec).await.expect_err("it is weaker");
        assert_eq!(error.kind(), ErrorKind::Weakened, "{error}");
        assert_eq!(methods(&peer), ["POST", "GET", "DELETE"], "it never ran");
    }
}

/// The look's answer breaks off, or never comes: on the real engine, nothing stays.
#[tokio::test]
async fn a_look_that_breaks_leaves_nothing_on_a_real_engine() {
    for (fault, kind) in [
        (Fault::Cut(40), ErrorKind::Transport),
        (Fault::Silent, ErrorKind::Timeout),
    ] {
        let proxy = Proxy::start(move |request| {
            if request.starts_with("GET") && request.contains("/json") {
                fault
            } else {
                Fault::None
            }
        });
        for (index, backend) in all(proxy.endpoint()).into_iter().enumerate() {
            let name = unique(&format!("strict-{kind:?}-{index}").to_lowercase());
            let spec = shell(&name, "true").await.with_strict(true);
            let hurried = CallContext::new().with_timeout(Duration::from_secs(6));
            let error = backend.with_context(hurried).create(&spec).await;
            let error = error.expect_err("nobody saw it");
            assert_eq!(
                (error.kind(), error.effect()),
                (kind, Effect::Rejected),
                "{error}"
            );
            assert!(!exists(&name).await, "{error}");
        }
    }
}

/// The removal is swallowed: the error names what stays.
#[tokio::test]
async fn what_stays_on_a_real_engine_is_named() {
    let proxy = Proxy::start(|request| match request.split(' ').next() {
        Some("DELETE") => Fault::Silent,
        Some("GET") => Fault::Cut(40),
        _ => Fault::None,
    });
    for (index, backend) in all(proxy.endpoint()).into_iter().enumerate() {
        let name = unique(&format!("strict-stays-{index}"));
        let spec = shell(&name, "true").await.with_strict(true);
        let hurried = CallContext::new().with_timeout(Duration::from_secs(3));
        let error = backend.with_context(hurried).create(&spec).await;
        let error = error.expect_err("nobody saw it");
        let (witness, force) = (witness(), RemoveOptions::force());
        let left = witness.inspect(&name.into()).await.expect("it is there");
        let removed = witness.remove(&left.id, &force).await;
        removed.expect("a removal");
        assert_eq!(error.effect(), Effect::Unknown, "{error}");
        let advice = error.advice().expect("advice");
        assert!(advice.contains(left.id.as_str()), "{error}");
    }
}
