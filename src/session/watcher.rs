//! Watches all sessions' containers by one stream of events, and compares what is known with what there is. What it finds is
//! looked at by [`looks`](super::looks).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::time::MissedTickBehavior;

use super::managed::{Managed, SessionState, Sight};
use super::manager::Shared;
use super::strays::Strays;
use crate::backend::ContainerBackendExt;
use crate::error::Result;
use crate::host::HOST_LABEL;
use crate::model::{
    ContainerRef, ContainerState, ContainerSummary, Event, EventAction, EventKind, EventWatch,
    EventsOptions, LabelKey, Watched,
};

/// Between two tries to watch.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads the engine's events.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut failed = false;
    loop {
        let told = match events(&shared).await {
            // What happened before it began is seen by comparing.
            Ok(events) => {
                shared.compare.notify_one();
                read(&shared, events).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = told
            && !std::mem::replace(&mut failed, true)
        {
            tracing::warn!(%error, host = %shared.name, "sessions can't be watched: it is tried again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn events(shared: &Shared) -> Result<EventWatch> {
    let options = EventsOptions::default()
        .with_kind(EventKind::Container)
        .with_label(LabelKey::new(HOST_LABEL)?, shared.name.clone());
    shared.backend.watch_events(&options).await
}

async fn read(shared: &Shared, mut events: EventWatch) -> Result<()> {
    while let Some(next) = events.next().await {
        match next? {
            Watched::Event(event) => happened(shared, &event),
            Watched::Gap(_) => {
                // It may be another engine by now.
                shared.verified.clear();
                shared.notices.engine_gap();
                shared.compare.notify_one();
            }
            Watched::Reconnected => shared.compare.notify_one(),
            Watched::Disconnected(_) => {}
        }
    }
    Ok(())
}

fn happened(shared: &Shared, event: &Event) {
    let Ok(container) = ContainerRef::new(&event.actor) else {
        return;
    };
    let Some(managed) = shared.roster.of_container(&container) else {
        return;
    };
    match &event.action {
        // No look shows it where the program lives on.
        EventAction::Oom => shared.tell_all(&managed, managed.saw(Sight::OutOfMemory)),
        // Where it runs anyway, that is no news.
        EventAction::Start | EventAction::Restart if managed.runs() => {}
        EventAction::Die
        | EventAction::Start
        | EventAction::Restart
        | EventAction::Pause
        | EventAction::Unpause
        | EventAction::HealthStatus
        | EventAction::Destroy => shared.looks.ask(&container),
        // Podman's word for its removal.
        EventAction::Other(word) if word == "remove" => shared.looks.ask(&container),
        _ => {}
    }
}

/// Compares, now and then and when it is asked for.
pub(super) async fn reconcile(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.settings.reconcile);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut strays, mut failed) = (Strays::default(), false);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.compare.notified() => {}
        }
        match compare(&shared, &mut strays).await {
            Ok(()) => failed = false,
            Err(error) if !std::mem::replace(&mut failed, true) => {
                tracing::warn!(%error, host = %shared.name, "sessions couldn't be compared with what there is: it is tried again");
            }
            Err(_) => {}
        }
    }
}

async fn compare(shared: &Shared, strays: &mut Strays) -> Result<()> {
    // What is made after this is no matter of this look.
    let known = shared.roster.containers();
    let all = shared.containers().await?;
    let there: HashMap<&ContainerRef, &ContainerSummary> = (all.iter())
        .map(|container| (&container.id, container))
        .collect();
    for managed in &known {
        let summary = there.get(&managed.container);
        if summary.is_none_or(|summary| differs(managed, summary)) {
            shared.looks.ask(&managed.container);
        }
    }
    strays.look(shared, &all).await
}

/// Whether it seems to be otherwise than it is known to be.
fn differs(managed: &Managed, summary: &ContainerSummary) -> bool {
    let state = managed.state();
    // As `docker ps` shows it.
    let says = |health: &str| summary.status.contains(health);
    match summary.state {
        ContainerState::Running => match state {
            SessionState::Ready => says("(unhealthy)"),
            SessionState::Unhealthy => says("(healthy)"),
            SessionState::Starting => false,
            _ => true,
        },
        ContainerState::Paused => managed.is_known_to_run(),
        ContainerState::Exited | ContainerState::Dead => {
            managed.runs() && state != SessionState::Starting
        }
        _ => false,
    }
}
