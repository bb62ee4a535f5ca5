//! The service on an engine in this process.

mod errors;
mod life;
mod numbers;
mod observing;
mod settings;
mod stopping;
mod streams;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use catamaran::HybridBackend;
use catamaran::testing::{FakeEngine, FakeEngineBuilder};
use futures::StreamExt;
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::config::Settings;
use crate::state::App;
use crate::{exporter, routes};

const ALICE: &str = "alices-token-0123456789";
const BOB: &str = "bobs-token-0123456789";
const LONG: Duration = Duration::from_secs(20);

/// Of all tests: a process has one recorder.
static METRICS: LazyLock<PrometheusHandle> =
    LazyLock::new(|| exporter::install().expect("a recorder"));

/// The settings, with these beside the usual ones.
fn settings(more: &[(&str, &str)]) -> Settings {
    let tokens = format!("{ALICE}:alice {BOB}:bob");
    let more = more.to_owned();
    let read = Settings::read(move |name| {
        let name = name.strip_prefix("SESSION_SERVICE_")?;
        let own = more.iter().find(|(own, _)| *own == name);
        match (own, name) {
            (Some((_, value)), _) => Some((*value).to_owned()),
            (None, "IMAGE") => Some("busybox".to_owned()),
            (None, "COMMAND") => Some("sleep 86400".to_owned()),
            (None, "TOKENS") => Some(tokens.clone()),
            _ => None,
        }
    });
    read.expect("settings")
}

/// The service, and the engine that it runs on.
struct Served {
    engine: FakeEngine,
    app: App,
    routes: Router,
}

async fn served(more: &[(&str, &str)]) -> Served {
    served_by(FakeEngine::builder().image("busybox"), more).await
}

/// One that knows already which sessions there aren't: after a lease's time, here a short one.
async fn knowing() -> Served {
    let service = served(&[("LEASE", "3s")]).await;
    let app = &service.app;
    eventually("it knows what was left", || app.is_recovered()).await;
    service
}

async fn served_by(engine: FakeEngineBuilder, more: &[(&str, &str)]) -> Served {
    let engine = engine.start().await.expect("an engine");
    let app = app(&engine, more).await;
    let routes = routes::router(&app);
    Served {
        engine,
        app,
        routes,
    }
}

async fn app(engine: &FakeEngine, more: &[(&str, &str)]) -> App {
    let config = engine.config().expect("a configuration");
    let backend = HybridBackend::new(&config).expect("both engines");
    let started = App::start(settings(more), backend, METRICS.clone()).await;
    started.expect("the service")
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn lines(&self) -> Vec<Value> {
        let lines = self
            .body
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A problem of this sort, as RFC 9457 wants it.
    fn problem(&self, status: u16, sort: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{problem}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let kind = format!("urn:session-service:problem:{sort}");
        assert_eq!(
            (&problem["type"], &problem["status"]),
            (&json!(kind), &json!(status))
        );
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        problem
    }
}

impl Served {
    /// An answer whose body is still to be read.
    async fn begin(&self, request: Request<Body>) -> axum::response::Response {
        let answer = timeout(LONG, self.routes.clone().oneshot(request)).await;
        answer.expect("an answer in time").expect("an answer")
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.begin(request).await.into_parts();
        let body = timeout(LONG, body.collect())
            .await
            .expect("all of it in time");
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.expect("a body").to_bytes(),
        }
    }

    /// As somebody without a token.
    async fn ask(&self, path: &str) -> Answer {
        let request = Request::get(path).body(Body::empty());
        self.send(request.expect("a request")).await
    }

    /// Asks until it answers with this status: the engines are looked at once a second.
    async fn until(&self, path: &str, status: u16) -> Answer {
        let asking = async {
            loop {
                let answer = self.ask(path).await;
                if answer.status.as_u16() == status {
                    return answer;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let asked = timeout(LONG, asking).await;
        asked.unwrap_or_else(|_| panic!("{path} never answers {status}"))
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(request(token, "GET", path, Body::empty())).await
    }

    async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(request(token, "DELETE", path, Body::empty()))
            .await
    }

    async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.send(post(token, path, &body)).await
    }

    async fn open(&self, token: &str, name: &str) {
        let opened = self.post(token, "/sessions", json!({ "name": name })).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{:?}", opened.body);
    }
}

fn request(token: &str, method: &str, path: &str, body: Body) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("authorization", format!("Bearer {token}"));
    request.body(body).expect("a request")
}

fn post(token: &str, path: &str, body: &Value) -> Request<Body> {
    let mut request = request(token, "POST", path, Body::from(body.to_string()));
    let json = "application/json".parse().expect("a value");
    request.headers_mut().insert("content-type", json);
    request
}

/// A body that is read as it comes.
struct Reading {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Reading {
    fn of(response: axum::response::Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// Reads until this has come, and takes what came with it.
    async fn until(&mut self, what: &str) -> String {
        while !self.text.contains(what) {
            let piece = timeout(LONG, self.body.next())
                .await
                .expect("a piece in time");
            let piece = piece.unwrap_or_else(|| panic!("no {what:?} in {:?}", self.text));
            self.text
                .push_str(std::str::from_utf8(&piece.expect("a piece")).expect("text"));
        }
        std::mem::take(&mut self.text)
    }

    /// Reads to the end.
    async fn rest(mut self) -> String {
        while let Some(piece) = timeout(LONG, self.body.next())
            .await
            .expect("an end in time")
        {
            self.text
                .push_str(std::str::from_utf8(&piece.expect("a piece")).expect("text"));
        }
        self.text
    }
}

/// Looks until it is so.
async fn eventually(what: &str, so: impl Fn() -> bool) {
    let looked = timeout(LONG, async {
        while !so() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(looked.await.is_ok(), "{what}");
}
