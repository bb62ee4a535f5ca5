//! What happens, as it is told to whoever listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::Shared;
use super::request::{Answer, Answered, Filters, Refusal, Request};
use super::time::Time;

/// How many an engine remembers, and how many it keeps for a slow reader: moby's `eventsLimit` and buffer.
const KEPT: usize = 256;

#[derive(Debug)]
pub(super) struct Events {
    kept: Mutex<VecDeque<Arc<Event>>>,
    told: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug)]
pub(super) struct Event {
    time: Time,
    kind: &'static str,
    action: String,
    id: String,
    attributes: Value,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            told: broadcast::Sender::new(KEPT),
        }
    }
}

impl Events {
    pub(super) fn tell(
        &self,
        kind: &'static str,
        action: impl Into<String>,
        id: &str,
        attributes: Value,
    ) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Two never have one time.
        let last = kept.back().map_or(Time::default(), |event| event.time);
        let now = Time::now();
        let time = if now > last {
            now
        } else {
            Time(last.0 + std::time::Duration::from_nanos(1))
        };
        let event = Arc::new(Event {
            time,
            kind,
            action: action.into(),
            id: id.to_owned(),
            attributes,
        });
        kept.push_back(Arc::clone(&event));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        // Nobody may listen.
        let _ = self.told.send(event);
    }

    /// What is remembered, and what comes.
    fn listen(&self) -> (Vec<Arc<Event>>, broadcast::Receiver<Arc<Event>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.iter().cloned().collect(), self.told.subscribe())
    }
}

impl Event {
    fn is_asked_for(&self, filters: &Filters) -> bool {
        let action = self.action.split(':').next().unwrap_or_default();
        let name = self.attributes["name"].as_str().unwrap_or_default();
        let is_it = |kind: &'static str, wanted: &str| {
            self.kind == kind && (self.id.starts_with(wanted) || name == wanted)
        };
        filters.any("type", |kind| kind == self.kind)
            && filters.any("event", |wanted| wanted == self.action || wanted == action)
            && filters.any("container", |wanted| {
                is_it("container", wanted.trim_start_matches('/'))
            })
            && filters.any("network", |wanted| is_it("network", wanted))
            && filters.any("volume", |wanted| is_it("volume", wanted))
            && filters.any("image", |wanted| {
                is_it("image", wanted) || self.attributes["image"].as_str() == Some(wanted)
            })
            && filters.labels(&self.attributes)
    }

    fn line(&self, version: (u32, u32)) -> Bytes {
        let mut value = json!({
            "Type": self.kind, "Action": self.action, "scope": "local",
            "Actor": {"ID": self.id, "Attributes": self.attributes},
            "time": self.time.seconds(), "timeNano": self.time.nanos(),
        });
        // These went with API 1.52.
        if self.kind == "container" && version < (1, 52) {
            value["status"] = json!(self.action);
            value["id"] = json!(self.id);
            value["from"] = self.attributes["image"].clone();
        }
        let mut line = value.to_string();
        line.push('\n');
        line.into()
    }
}

pub(super) async fn events(engine: &Arc<Shared>, request: Request) -> Answered {
    let filters = request.query.filters()?;
    let time = |name: &str| match request.query.get(name) {
        None | Some("") => Ok(None),
        Some(text) => match Time::parse(text) {
            Some(time) => Ok(Some(time)),
            None => Err(Refusal::new(400, format!("parsing time {text:?}: invalid"))),
        },
    };
    let (since, until) = (time("since")?, time("until")?);
    let version = request.version;
    let (kept, told) = engine.events.listen();
    // Without `since`, an engine tells of the past only where it is asked for a time that is past.
    let past = since.is_some() || until.is_some_and(|until| until <= Time::now());
    let within = move |event: &Event| {
        since.is_none_or(|since| event.time >= since)
            && until.is_none_or(|until| event.time <= until)
    };
    let before = kept
        .into_iter()
        .filter(|_| past)
        .filter(|event| within(event));
    let before: Vec<_> = before
        .filter(|event| event.is_asked_for(&filters))
        .map(|event| Ok(event.line(version)))
        .collect();
    let end = until.and_then(Time::instant);
    // Its head goes at once, so that a client knows that it listens.
    let live = stream::unfold((told, filters), move |(mut told, filters)| async move {
        loop {
            let next = match end {
                Some(end) => match tokio::time::timeout_at(end, told.recv()).await {
                    Ok(next) => next,
                    Err(_) => return None,
                },
                None => told.recv().await,
            };
            match next {
                Ok(event) if within(&event) && event.is_asked_for(&filters) => {
                    return Some((Ok(event.line(version)), (told, filters)));
                }
                // A slow reader misses some, and isn't told.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    let pieces = futures::StreamExt::chain(stream::iter(before), live);
    Ok(Answer::stream(200, pieces).with_header("content-type", "application/json"))
}
