//! Both engines send the same requests and read the same answers: properties, on a scripted peer.
//!
//! Queries are compared as they are sent, bodies as JSON values.

mod answers;
mod calls;
mod changes;
#[path = "../common/mod.rs"]
mod common;
mod decoding;
mod objects;
mod podman;
mod requests;
mod spec;
mod words;

use std::sync::Arc;

use catamaran::model::ExecTag;
use catamaran::{ApiVersion, AsyncEngine, BlockingEngine, Config, ContainerBackend, Operation};
use http::{HeaderMap, Method, header};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;
use tokio::runtime::Runtime;

use calls::{Call, Failure, Reply};
use common::peer::{Peer, Recorded, Script};

/// Versions at which engines changed what they take, and both ends of what is spoken.
const VERSIONS: [ApiVersion; 6] = [
    ApiVersion::OLDEST,
    ApiVersion::new(1, 41),
    ApiVersion::new(1, 43),
    ApiVersion::new(1, 44),
    ApiVersion::new(1, 47),
    ApiVersion::NEWEST,
];

/// Both engines at one API version.
struct Pair {
    version: Option<ApiVersion>,
    engines: [Arc<dyn ContainerBackend>; 2],
}

impl Pair {
    fn new(peer: &Peer, version: Option<ApiVersion>) -> Self {
        let mut config = Config::builder().endpoint(peer.endpoint());
        if let Some(version) = version {
            config = config.api_version(version);
        }
        let config = config.build().expect("a configuration");
        Self {
            version,
            engines: [
                Arc::new(AsyncEngine::new(&config).expect("an engine")),
                Arc::new(BlockingEngine::new(&config).expect("an engine")),
            ],
        }
    }
}

/// What must be the same of a request. JSON is compared by value: the order of its keys may vary.
#[derive(Debug, PartialEq)]
struct Sent {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    json: Option<Value>,
    bytes: bytes::Bytes,
}

impl From<Recorded> for Sent {
    fn from(mut request: Recorded) -> Self {
        let mut json = serde_json::from_slice(&request.body).ok();
        unmark(&mut json);
        if json.is_some() {
            request.headers.remove(header::CONTENT_LENGTH);
            request.body.clear();
        }
        Self {
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers,
            json,
            bytes: request.body,
        }
    }
}

/// A tag is another one each time.
fn unmark(body: &mut Option<Value>) {
    let env = body.as_mut().and_then(|body| body.get_mut("Env"));
    for variable in env.and_then(Value::as_array_mut).into_iter().flatten() {
        let name = ExecTag::VARIABLE;
        if variable.as_str().is_some_and(|text| text.starts_with(name)) {
            *variable = Value::from(name);
        }
    }
}

/// A call through one engine.
#[derive(Debug, PartialEq)]
struct Exchange {
    sent: Vec<Sent>,
    /// What programs were given to read.
    inputs: Vec<bytes::Bytes>,
    reply: Result<Reply, Failure>,
}

/// A peer, and engines that know nothing else.
struct Fixture {
    pairs: Vec<Pair>,
    peer: Peer,
    runtime: Runtime,
}

impl Fixture {
    fn new(versions: &[ApiVersion]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let peer = runtime.block_on(async { Peer::start() });
        let pairs = versions
            .iter()
            .map(|version| Pair::new(&peer, Some(*version)))
            .collect();
        Self {
            pairs,
            peer,
            runtime,
        }
    }

    /// The call through both engines of a pair, which must not differ.
    fn same(&self, pair: &Pair, call: &Call, script: Script) -> Result<Exchange, TestCaseError> {
        let [first, second] = pair.engines.each_ref().map(|engine| {
            self.peer.follow(Arc::clone(&script));
            let reply = self.runtime.block_on(call.run(engine.as_ref()));
            let sent = self.peer.recorded().into_iter().map(Sent::from).collect();
            let inputs = self.peer.inputs();
            Exchange {
                sent,
                inputs,
                reply,
            }
        });
        prop_assert_eq!(&first.sent, &second.sent, "sent by async and by blocking");
        prop_assert_eq!(
            &first.inputs,
            &second.inputs,
            "written by async and by blocking"
        );
        prop_assert_eq!(&first.reply, &second.reply, "read by async and by blocking");
        Ok(first)
    }
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        // What was found once becomes a test of its own.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn plainly() -> Script {
    Arc::new(|_, request| answers::plain(request))
}

/// Any call of any operation.
fn any_call() -> impl Strategy<Value = Call> {
    prop::sample::select(Operation::ALL).prop_flat_map(calls::call)
}
