//! How the service ends: no new requests, time for those under way, then the sessions as configured.

use std::io;
use std::time::Duration;

use axum::Router;
use catamaran::Result;
use catamaran::session::Shutdown;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::state::App;

/// How long what was cut off has to end, and to clean up.
const CUT_OFF: Duration = Duration::from_secs(5);
/// How long the sessions' manager has, beyond the time to drain.
const MANAGER: Duration = Duration::from_secs(30);

/// How far the end has come.
#[derive(Default, Clone)]
pub struct Stopping {
    /// The service is to stop: no session is opened any more.
    pub asked: CancellationToken,
    /// No request comes in any more, and what has no end of its own ends now.
    pub begun: CancellationToken,
    /// The time is over: everything ends now.
    pub over: CancellationToken,
    /// What goes on beside the requests, and is waited for.
    pub tasks: TaskTracker,
}

/// Serves until this future resolves, and then ends in order.
pub async fn serve(
    app: App,
    routes: Router,
    listener: TcpListener,
    asked: impl Future<Output = ()> + Send,
) -> io::Result<Result<()>> {
    let stopping = app.stopping.clone();
    let mut server = tokio::spawn({
        let begun = stopping.begun.clone();
        // No connection is accepted from then on, and none that is idle is kept.
        let server = axum::serve(listener, routes).with_graceful_shutdown(begun.cancelled_owned());
        server.into_future()
    });
    tokio::select! {
        ended = &mut server => return ended?.map(Ok),
        () = asked => tracing::info!("stopping"),
    }
    stopping.asked.cancel();
    if app.settings.on_shutdown == Shutdown::Drain {
        // Their users can end them only as long as they are served.
        if let Err(error) = app
            .manager
            .shutdown(Shutdown::Drain, app.settings.drain)
            .await
        {
            tracing::warn!("some sessions go on: {error:#}");
        }
    }
    stopping.begun.cancel();
    stopping.tasks.close();
    let drained = async {
        let served = (&mut server).await;
        stopping.tasks.wait().await;
        served
    };
    match timeout(app.settings.drain, drained).await {
        Ok(served) => served??,
        Err(_) => {
            tracing::warn!("some requests aren't done in time, and are cut off");
            stopping.over.cancel();
            if timeout(CUT_OFF, stopping.tasks.wait()).await.is_err() {
                tracing::warn!("some commands may still run in their sessions");
            }
            server.abort();
        }
    }
    let ended = match app.settings.on_shutdown {
        Shutdown::Drain => Ok(()),
        how => app.manager.shutdown(how, MANAGER).await,
    };
    if let Some(audit) = &app.audit {
        // What is still removed in the background is on record, too.
        for done in [
            app.backend.shutdown(CUT_OFF).await,
            audit.close(CUT_OFF).await,
        ] {
            if let Err(error) = done {
                tracing::warn!("the audit's end may be missing: {error:#}");
            }
        }
    }
    Ok(ended)
}

/// Resolves at `SIGTERM` or `SIGINT`. They are listened for from this call on.
pub fn asked() -> io::Result<impl Future<Output = ()> + Send> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
