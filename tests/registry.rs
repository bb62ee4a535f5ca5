//! Pulls by the real engine, from a registry of the test's own on this machine's loopback, where Docker asks for
//! no TLS.

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catamaran::model::{
    EngineProduct, EnsureOptions, ImageRef, PullOptions, PullStatus, RegistryAuth,
    RemoveImageOptions,
};
use catamaran::{
    AsyncEngine, BlockingEngine, ContainerBackend, ContainerBackendExt, Effect, ErrorKind,
    HybridBackend,
};
use futures::TryStreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// A tar archive of one file.
fn layer(contents: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(contents.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    let appended = archive.append_data(&mut header, "file", contents);
    appended.expect("an entry");
    archive.into_inner().expect("an archive")
}

/// What a registry has by path, with its type: one image of one layer.
fn contents(marker: &str) -> HashMap<String, (&'static str, Vec<u8>)> {
    let layer = layer(marker.repeat(10_000).as_bytes());
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Labels": {"org.example.marker": marker}},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = config.to_string().into_bytes();
    let entry = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": entry("application/vnd.docker.container.image.v1+json", &config),
        "layers": [entry("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let blob = |bytes: Vec<u8>| {
        let path = format!("/v2/team/app/blobs/{}", digest(&bytes));
        (path, ("application/octet-stream", bytes))
    };
    HashMap::from([
        ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
        (
            "/v2/team/app/manifests/1".to_owned(),
            (MANIFEST, manifest.clone()),
        ),
        (
            format!("/v2/team/app/manifests/{}", digest(&manifest)),
            (MANIFEST, manifest),
        ),
        blob(config),
        blob(layer),
    ])
}

/// Starts the registry, which lets in `me` with `s3cret`, and gives its address.
async fn start(marker: &str) -> String {
    let contents = Arc::new(contents(marker));
    let serve = move |request: Request| {
        let contents = Arc::clone(&contents);
        async move {
            let given = request.headers().get(header::AUTHORIZATION);
            let right = format!("Basic {}", STANDARD.encode("me:s3cret"));
            if given.is_none_or(|given| given != right.as_str()) {
                let realm = [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")];
                return (StatusCode::UNAUTHORIZED, realm).into_response();
            }
            match contents.get(request.uri().path()) {
                Some((kind, bytes)) => Response::builder()
                    .header(header::CONTENT_TYPE, *kind)
                    .header("docker-content-digest", digest(bytes))
                    .header("docker-distribution-api-version", "registry/2.0")
                    .body(bytes.clone().into())
                    .expect("an answer"),
                None => {
                    let error = json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]});
                    (StatusCode::NOT_FOUND, axum::Json(error)).into_response()
                }
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let app = axum::Router::new().fallback(serve);
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("localhost:{port}")
}

async fn pulls(backend: &dyn ContainerBackend, marker: &str) {
    let registry = start(marker).await;
    let named = |tag: &str| ImageRef::new(format!("{registry}/team/app:{tag}")).expect("a name");
    let auth = RegistryAuth::password("me", "s3cret");
    let options = PullOptions::default().with_auth(auth.clone());
    let pull = async |tag: &str, options: &PullOptions| {
        let progress = backend.pull_image(&named(tag), options).await?;
        progress.try_collect::<Vec<_>>().await
    };

    let nobody = pull("1", &PullOptions::default()).await.expect_err("401");
    assert_eq!(
        (nobody.kind(), nobody.effect()),
        (ErrorKind::Denied, Effect::Rejected),
        "{nobody}"
    );
    let missing = pull("2", &options).await.expect_err("no such tag");
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");

    let events = pull("1", &options).await.expect("a pull");
    let completed = events
        .iter()
        .find(|event| event.status == PullStatus::Complete);
    assert!(
        completed.is_some_and(|event| event.id.is_some()),
        "{events:?}"
    );
    let ensure = EnsureOptions::default().with_auth(auth);
    let details = backend.ensure_image(&named("1"), &ensure).await;
    let details = details.expect("it is there");
    assert_eq!(details.labels["org.example.marker"], marker);
    assert_eq!(details.digests.len(), 1);
    let by_digest = ImageRef::new(&details.digests[0]).expect("a reference");
    assert_eq!(pull_digest(backend, &by_digest, &options).await, details.id);
    let force = RemoveImageOptions::default().with_force(true);
    backend
        .remove_image(&details.id, &force)
        .await
        .expect("a removal");
}

async fn pull_digest(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
    options: &PullOptions,
) -> ImageRef {
    let progress = backend.pull_image(image, options).await.expect("a pull");
    progress.finish().await.expect("it is there");
    backend.inspect_image(image).await.expect("details").id
}

#[tokio::test]
async fn the_engine_pulls_with_the_credentials_it_was_given() {
    let config = common::config();
    let version = common::witness().version().await.expect("a version");
    // Podman wants TLS on loopback too, and an engine elsewhere has another loopback.
    if version.product != EngineProduct::Docker || !config.endpoint().is_local() {
        eprintln!("skipped: the engine can't be told to trust this test's registry");
        return;
    }
    let backends: [Arc<dyn ContainerBackend>; 3] = [
        Arc::new(AsyncEngine::new(&config).expect("an engine")),
        Arc::new(BlockingEngine::new(&config).expect("an engine")),
        Arc::new(HybridBackend::new(&config).expect("both engines")),
    ];
    for (index, backend) in backends.iter().enumerate() {
        let marker = format!("{}-{index}", common::unique("registry"));
        pulls(backend.as_ref(), &marker).await;
    }
}
