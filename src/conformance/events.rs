//! What the engine tells of what happens.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};

use super::scratch::{inspect, key, shell, unique_name, with_container};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::model::{
    ContainerRef, Event, EventAction, EventKind, EventsOptions, ImageRef, WaitOptions, Watched,
};

/// A label of the container's own.
const OWN: &str = "catamaran.conformance.events";

const LIFE: [EventAction; 3] = [EventAction::Create, EventAction::Start, EventAction::Die];

/// A moment before the container was made, by the engine's clock.
async fn before(backend: &dyn ContainerBackend, id: &ContainerRef) -> SystemTime {
    let created = inspect(backend, id).await.created;
    created.expect("a time of creation") - Duration::from_secs(1)
}

async fn run_to_its_end(backend: &dyn ContainerBackend, id: &ContainerRef) {
    backend.start(id).await.expect("it starts");
    let ended = backend.wait(id, &WaitOptions::default()).await;
    ended.expect("wait answers");
}

/// Fails unless these are events of that container, in their order, and its life is among them.
fn assert_life(events: &[Event], id: &ContainerRef, of: &[EventAction]) {
    for event in events {
        assert_eq!(event.kind, EventKind::Container, "{event:?}");
        assert_eq!(event.actor, id.as_str(), "{event:?}");
        assert!(event.attributes.get("image").is_some(), "{event:?}");
    }
    let life = events.iter().map(|event| &event.action);
    let life: Vec<_> = life.filter(|action| LIFE.contains(action)).collect();
    assert!(life.into_iter().eq(of), "its life in order: {events:?}");
    assert!(
        events.windows(2).all(|two| two[0].time <= two[1].time),
        "times don't go back: {events:?}"
    );
}

/// A stream tells what happened before it, and what happens, in order.
///
/// # Panics
/// Where it doesn't.
pub async fn events_tell_a_containers_life(backend: &dyn ContainerBackend, image: &ImageRef) {
    let own = unique_name().to_string();
    let spec = shell(image, "exit 3").with_label(OWN, own.clone());
    with_container(backend, spec.expect("a label"), |id| async move {
        let options = EventsOptions::default()
            .with_since(before(backend, &id).await)
            .with_label(key(OWN), own);
        let mut events = backend.events(&options).await.expect("events answers");
        run_to_its_end(backend, &id).await;
        let mut seen = Vec::new();
        while !seen
            .iter()
            .any(|event: &Event| event.action == EventAction::Die)
        {
            let event = events.try_next().await.expect("the events can be read");
            seen.push(event.expect("it goes on"));
        }
        assert_life(&seen, &id, &LIFE);
        let died = seen.last().expect("its end");
        assert_eq!(died.attributes.get("exitCode"), Some("3"), "{died:?}");
        assert!(died.time > seen[0].time, "times are told: {seen:?}");
    })
    .await;
}

/// Events are told by what they are about and by what happened.
///
/// # Panics
/// Where others are told, or these aren't.
pub async fn events_are_told_by_filter(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, shell(image, "true"), |id| async move {
        let since = before(backend, &id).await;
        run_to_its_end(backend, &id).await;
        // A moment after its end, by the engine's clock, until which the stream goes on.
        let ended = inspect(backend, &id).await.state.finished_at;
        let until = ended.expect("a time of its end") + Duration::from_secs(1);
        let read = async |options: EventsOptions| {
            let options = options.with_since(since).with_until(until);
            let events = backend.events(&options).await.expect("events answers");
            let events: Vec<_> = events.try_collect().await.expect("the events can be read");
            events
        };
        let own = || EventsOptions::default().with_container(id.clone());
        assert_life(&read(own()).await, &id, &LIFE);
        assert_life(
            &read(own().with_kind(EventKind::Container)).await,
            &id,
            &LIFE,
        );
        let none = read(own().with_kind(EventKind::Volume)).await;
        assert_eq!(none, [], "of another kind");
        let death = read(own().with_action(EventAction::Die)).await;
        assert_life(&death, &id, &LIFE[2..]);
        let ends = own()
            .with_action(EventAction::Create)
            .with_action(EventAction::Die);
        let both = [EventAction::Create, EventAction::Die];
        assert_life(&read(ends).await, &id, &both);
    })
    .await;
}

/// What happened until a time that has passed ends by itself.
///
/// # Panics
/// Where it doesn't.
pub async fn past_events_have_an_end(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let hour = Duration::from_secs(3600);
    let since = SystemTime::now() - 3 * hour;
    let options = EventsOptions::default()
        .with_since(since)
        .with_until(since + hour);
    let events = backend.events(&options).await.expect("events answers");
    let events: Vec<_> = events.try_collect().await.expect("the events can be read");
    let times = events.iter().filter_map(|event| event.time);
    assert!(
        times
            .into_iter()
            .all(|time| since <= time && time <= since + hour),
        "none from another time"
    );
}

/// A watch tells each event once, as a stream does.
///
/// # Panics
/// Where it doesn't.
pub async fn watch_tells_a_containers_life(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, shell(image, "true"), |id| async move {
        let options = EventsOptions::default()
            .with_since(before(backend, &id).await)
            .with_container(id.clone());
        let mut watch = backend.watch_events(&options).await.expect("a watch");
        run_to_its_end(backend, &id).await;
        let mut seen = Vec::new();
        while !seen
            .iter()
            .any(|event: &Event| event.action == EventAction::Die)
        {
            match watch.next().await.expect("it goes on") {
                Ok(Watched::Event(event)) => seen.push(event),
                other => panic!("an event, and not {other:?}"),
            }
        }
        assert_life(&seen, &id, &LIFE);
    })
    .await;
}
