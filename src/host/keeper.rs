//! The thread that renews the lease and stands in for the dead.

use std::sync::Arc;

use tokio::sync::watch as state;

use super::heir::Heir;
use super::own::Own;
use super::renewal::Renewal;
use super::{HostOptions, Seen};
use crate::backend::{CallContext, ContainerBackend};
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Keeper {
    pub(super) backend: Arc<dyn ContainerBackend>,
    pub(super) options: HostOptions,
    pub(super) own: Arc<Own>,
    pub(super) seen: state::Sender<Seen>,
    pub(super) ends: state::Receiver<bool>,
}

impl Keeper {
    pub(super) fn start(self) -> Result<()> {
        let failed = |error| {
            Error::new(
                ErrorKind::Host,
                "no thread can be made that keeps the lease",
            )
            .with_source(error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        std::thread::Builder::new()
            .name("catamaran-host".to_owned())
            .spawn(move || runtime.block_on(self.keep()))
            .map_err(failed)?;
        Ok(())
    }

    async fn keep(mut self) {
        // What a slow engine does to a look mustn't take a lease's time, nor what an audit's sink does.
        let quick = CallContext::new().with_timeout(self.options.lease / 3);
        let quick = self.backend.with_context(quick.keeping_books());
        let renewal = Renewal {
            backend: Arc::clone(&quick),
            own: Arc::clone(&self.own),
        };
        let mut heir = Heir::new(quick, self.backend, &self.options, self.own, self.seen);
        let mut renews = std::pin::pin!(renewal.go_on());
        let orderly = tokio::select! {
            ended = self.ends.wait_for(|ends| *ends) => ended.is_ok(),
            () = &mut renews => false,
            () = heir.go_on(self.options.lease / 6) => false,
        };
        if !orderly {
            return;
        }
        let removed = tokio::select! {
            removed = heir.remove_own() => removed,
            // Until all is gone nobody shall take it for dead.
            () = &mut renews => return,
        };
        heir.end(removed).await;
    }
}
