//! A socket that shows that nobody came.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use catamaran::{
    AsyncEngine, BlockingEngine, CallContext, Config, ContainerBackend, Endpoint, Error,
    HybridBackend, Result,
};

use crate::assert_refused;

fn hybrid(endpoint: Endpoint) -> HybridBackend {
    let config = Config::builder().endpoint(endpoint).build();
    HybridBackend::new(&config.expect("a configuration")).expect("both engines")
}

/// A socket that nobody may touch.
pub struct Untouched {
    socket: UnixListener,
    _directory: tempfile::TempDir,
    engines: [Box<dyn ContainerBackend>; 3],
}

impl Untouched {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("engine.sock");
        let socket = UnixListener::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let endpoint = || Endpoint::unix(&path);
        Self {
            socket,
            engines: [
                Box::new(AsyncEngine::connect(endpoint()).expect("an engine")),
                Box::new(BlockingEngine::connect(endpoint()).expect("an engine")),
                Box::new(hybrid(endpoint())),
            ],
            _directory: directory,
        }
    }

    pub fn engines(&self) -> impl Iterator<Item = &dyn ContainerBackend> {
        self.engines.iter().map(|engine| &**engine)
    }

    /// Makes the call through both engines and their hybrid, which refuse it by the field's name without a connection.
    pub async fn refuses<T>(
        &self,
        field: &str,
        call: impl AsyncFn(&dyn ContainerBackend) -> Result<T>,
    ) {
        for refused in self.refusals(field, call).await {
            assert!(refused.engine().is_some(), "{refused}");
        }
    }

    /// As [`refuses`](Self::refuses), for what makes several calls in one and asks no engine at all.
    pub async fn refusals<T>(
        &self,
        field: &str,
        call: impl AsyncFn(&dyn ContainerBackend) -> Result<T>,
    ) -> Vec<Error> {
        let mut refusals = Vec::new();
        for engine in &self.engines {
            // What is sent after all gets no answer.
            let hurried =
                engine.with_context(CallContext::new().with_timeout(Duration::from_secs(1)));
            let refused = call(&*hurried).await.map(|_| ()).expect_err(field);
            assert_refused(field, &refused);
            assert_eq!(refused.field(), Some(field), "{refused}");
            assert!(refused.operation().is_some(), "{refused}");
            let connection = self.socket.accept();
            assert!(connection.is_err(), "somebody connected for a bad {field}");
            refusals.push(refused);
        }
        refusals
    }
}
