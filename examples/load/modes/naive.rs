//! A blocking client on the event loop: each call holds up the worker that it runs on, and all tasks that wait for it.

use async_trait::async_trait;
use catamaran::Endpoint;
use serde_json::Value;

use super::{Opened, Opener};
use crate::Outcome;
use crate::body::{self, STOP_SECONDS};
use crate::wire::Wire;

pub struct Naive {
    wire: Wire,
    body: Value,
}

impl Naive {
    pub fn new(way: &Endpoint, run: &str) -> Self {
        Self {
            wire: Wire::new(way.clone()),
            body: body::create(run),
        }
    }

    fn done(&self, method: &str, path: &str) -> Outcome<()> {
        self.wire.ask(method, path, None)?.done().map(drop)
    }

    fn begin(&self, id: &str) -> Outcome<()> {
        self.done("POST", &format!("/containers/{id}/start"))?;
        let shown = self.wire.get(&format!("/containers/{id}/json"))?;
        match shown["State"]["Running"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(format!("{id} isn't running").into()),
        }
    }

    fn remove(&self, id: &str) -> Outcome<()> {
        self.done("DELETE", &format!("/containers/{id}?force=1&v=1"))
    }
}

// Nothing is awaited in any of these: that is the point.
#[async_trait]
impl Opener for Naive {
    async fn open(&self, _: u64, _: u64) -> Outcome<Opened> {
        let created = self
            .wire
            .ask("POST", "/containers/create", Some(&self.body))?;
        let created = created.done()?.json()?;
        let id = created["Id"]
            .as_str()
            .ok_or("a container without an id")?
            .to_owned();
        if let Err(error) = self.begin(&id) {
            self.remove(&id)?;
            return Err(error);
        }
        Ok(Opened {
            handle: id,
            how: None,
        })
    }

    async fn close(&self, opened: Opened) -> Outcome<()> {
        let id = opened.handle;
        self.done("POST", &format!("/containers/{id}/stop?t={STOP_SECONDS}"))?;
        self.remove(&id)
    }

    async fn end(&self) -> Outcome<()> {
        Ok(())
    }
}
