//! Watches all sessions' containers by one stream of events, and compares what is known with what there is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::time::MissedTickBehavior;

use super::managed::{Managed, Sight};
use super::manager::Shared;
use super::strays::Strays;
use crate::backend::{CallContext, ContainerBackend, ContainerBackendExt};
use crate::error::{ErrorKind, Result};
use crate::host::HOST_LABEL;
use crate::model::{
    ContainerRef, ContainerState, ContainerSummary, Event, EventAction, EventKind, EventWatch,
    EventsOptions, HealthStatus, LabelKey, ListOptions, Watched,
};

/// Between two tries to watch.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a single look may take: the events behind it wait.
const LOOK: Duration = Duration::from_secs(5);
/// How a kernel's kill ends a program: 128 + SIGKILL.
const KILLED: i64 = 137;

pub(super) async fn watch(shared: Arc<Shared>) {
    let mut watcher = Watcher {
        quick: shared
            .backend
            .with_context(CallContext::new().with_timeout(LOOK)),
        strays: Strays::default(),
        shared,
        failed: false,
    };
    loop {
        match watcher.events().await {
            Ok(events) => watcher.read(events).await,
            Err(error) => {
                watcher.say(&error);
                watcher.reconcile().await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

struct Watcher {
    shared: Arc<Shared>,
    quick: Arc<dyn ContainerBackend>,
    strays: Strays,
    failed: bool,
}

impl Watcher {
    async fn events(&self) -> Result<EventWatch> {
        let of = self.shared.name.clone();
        let options = EventsOptions::default()
            .with_kind(EventKind::Container)
            .with_label(LabelKey::new(HOST_LABEL)?, of);
        self.shared.backend.watch_events(&options).await
    }

    fn say(&mut self, error: &crate::error::Error) {
        if !std::mem::replace(&mut self.failed, true) {
            tracing::warn!(%error, host = %self.shared.name, "sessions can't be watched: it is tried again");
        }
    }

    /// Reads events to their end, and compares now and then.
    async fn read(&mut self, mut events: EventWatch) {
        let mut ticks = tokio::time::interval(self.shared.settings.reconcile);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.reconcile().await,
                next = events.next() => match next {
                    Some(Ok(Watched::Event(event))) => self.happened(event).await,
                    Some(Ok(Watched::Gap(_))) => {
                        self.shared.notices.engine_gap();
                        self.reconcile().await;
                    }
                    Some(Ok(Watched::Reconnected)) => self.reconcile().await,
                    Some(Ok(Watched::Disconnected(_))) => {}
                    Some(Err(error)) => return self.say(&error),
                    None => return,
                }
            }
        }
    }

    async fn happened(&mut self, event: Event) {
        let Some(managed) = self.shared.roster.of_container(&event.actor) else {
            return;
        };
        let sight = match (&event.action, event.detail.as_deref()) {
            (EventAction::Die, _) => self.died(&managed, &event).await,
            (EventAction::Oom, _) => Sight::OutOfMemory,
            (EventAction::Start | EventAction::Restart | EventAction::Unpause, _) => Sight::Runs,
            (EventAction::Pause, _) => Sight::Paused,
            (EventAction::HealthStatus, Some(status)) => {
                Sight::Health(HealthStatus::from(status.trim()))
            }
            (EventAction::Destroy, _) => Sight::Gone,
            // Podman's word.
            (EventAction::Other(word), _) if word == "remove" => Sight::Gone,
            _ => return,
        };
        self.saw(&managed, sight);
    }

    async fn died(&self, managed: &Managed, event: &Event) -> Sight {
        let code = event.attributes.get("exitCode");
        let exit_code = code.and_then(|code| code.parse().ok());
        let mut oom_killed = false;
        // Not every engine tells of a want of memory.
        if exit_code.is_none_or(|code| code == KILLED)
            && let Ok(details) = self.quick.inspect(&managed.container).await
        {
            oom_killed = details.state.oom_killed;
        }
        Sight::Died {
            exit_code,
            oom_killed,
        }
    }

    fn saw(&self, managed: &Managed, sight: Sight) {
        let gone = matches!(sight, Sight::Gone);
        let changes = managed.saw(sight);
        if gone {
            self.gone(managed);
        }
        self.shared.tell_all(managed, changes);
    }

    /// It was removed, by whomever: its session is over.
    fn gone(&self, managed: &Managed) {
        match self.shared.roster.entry_of(managed) {
            Some(entry) => {
                self.shared.roster.remove(&entry);
                // What it had for itself goes in the background; where it is being closed, that finds it gone.
                let belongings =
                    super::belongings::Belongings::of(&self.shared.backend, &managed.written);
                drop(belongings);
            }
            None => self.shared.roster.forget(&managed.container),
        }
    }

    async fn reconcile(&mut self) {
        match self.compare().await {
            Ok(()) => self.failed = false,
            Err(error) => self.say(&error),
        }
    }

    /// Compares what is known with what there is.
    async fn compare(&mut self) -> Result<()> {
        // What is made after this is no matter of this look.
        let known = self.shared.roster.containers();
        let key = LabelKey::new(HOST_LABEL)?;
        let listing = ListOptions::all().with_label(key, self.shared.name.clone());
        let all = self.quick.list(&listing).await?;
        let there: HashMap<&ContainerRef, &ContainerSummary> = all
            .iter()
            .map(|container| (&container.id, container))
            .collect();
        for managed in &known {
            match there.get(&managed.container) {
                Some(summary) => self.compare_one(managed, summary).await?,
                None => self.look_for(managed).await?,
            }
        }
        self.strays.look(&self.shared, &*self.quick, &all).await
    }

    async fn compare_one(&self, managed: &Managed, summary: &ContainerSummary) -> Result<()> {
        let differs = match summary.state {
            ContainerState::Running => !managed.is_known_to_run(),
            ContainerState::Paused => managed.is_known_to_run(),
            ContainerState::Exited | ContainerState::Dead => managed.runs(),
            _ => false,
        };
        if !differs || managed.is_in_the_making() {
            return Ok(());
        }
        match self.quick.inspect(&managed.container).await {
            Ok(details) => {
                let changes = managed.saw_details(&details);
                self.shared.tell_all(managed, changes);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A list can miss what is renamed or removed meanwhile.
    async fn look_for(&self, managed: &Managed) -> Result<()> {
        match self.quick.inspect(&managed.container).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.saw(managed, Sight::Gone);
                Ok(())
            }
            looked => looked.map(drop),
        }
    }
}
