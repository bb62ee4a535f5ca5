//! The API version that the engines speak: learnt once, and anew where the engine may be another one.

mod common;

use std::sync::Arc;

use catamaran::model::ListOptions;
use catamaran::{ApiVersion, AsyncEngine, BlockingEngine, Config, ContainerBackend, ErrorKind};
use common::peer::{Answer, Peer, Recorded};

/// An engine that speaks up to this version, and refuses what is newer as Docker does.
fn engine(newest: &'static str) -> common::peer::Script {
    Arc::new(move |_, request: &Recorded| {
        if request.path == "/_ping" {
            return Answer::new(200).with_header("Api-Version", newest);
        }
        if request.path.starts_with(&format!("/v{newest}/")) {
            return Answer::new(200).with_body("[]");
        }
        Answer::new(400).with_body(format!(
            r#"{{"message":"client version is too new. Maximum supported API version is {newest}"}}"#
        ))
    })
}

fn backends(config: &Config) -> [Arc<dyn ContainerBackend>; 2] {
    [
        Arc::new(AsyncEngine::new(config).expect("an engine")),
        Arc::new(BlockingEngine::new(config).expect("an engine")),
    ]
}

fn paths(peer: &Peer) -> Vec<String> {
    let recorded = peer.recorded();
    recorded.into_iter().map(|request| request.path).collect()
}

#[tokio::test]
async fn is_learnt_anew_where_an_older_engine_took_the_place() {
    let peer = Peer::start();
    let config = Config::builder().endpoint(peer.endpoint()).build();
    for backend in backends(&config.expect("a configuration")) {
        let all = ListOptions::all();
        peer.follow(engine("1.45"));
        for _ in 0..2 {
            backend.list(&all).await.expect("a list");
        }
        let list = |version: &str| format!("/v{version}/containers/json");
        assert_eq!(paths(&peer), ["/_ping".into(), list("1.45"), list("1.45")]);

        peer.follow(engine("1.41"));
        let refused = backend.list(&all).await.expect_err("too new");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        backend.list(&all).await.expect("a list");
        assert_eq!(paths(&peer), [list("1.45"), "/_ping".into(), list("1.41")]);
    }
}

#[tokio::test]
async fn stays_where_it_is_pinned() {
    let peer = Peer::start();
    let config = Config::builder()
        .endpoint(peer.endpoint())
        .api_version(ApiVersion::new(1, 44))
        .build();
    for backend in backends(&config.expect("a configuration")) {
        peer.follow(engine("1.41"));
        for _ in 0..2 {
            let refused = backend.list(&ListOptions::all()).await;
            assert_eq!(refused.expect_err("too new").kind(), ErrorKind::Refused);
        }
        assert_eq!(paths(&peer), ["/v1.44/containers/json"; 2]);
    }
}
