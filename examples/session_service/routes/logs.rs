//! `GET /sessions/{name}/logs?follow=true&tail=n`: a session's output as server-sent events.

use std::convert::Infallible;
use std::time::SystemTime;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use bytes::Bytes;
use catamaran::Result;
use catamaran::model::{LogChunk, LogSource, LogsOptions};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::text::Text;
use crate::problem::Problem;
use crate::state::{App, Named};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Whether it goes on until the session's program ends.
    #[serde(default)]
    follow: bool,
    /// Only the last so many lines of what is there.
    tail: Option<u64>,
}

/// Each event is what was written at once, mostly a line; its id is a time. Who comes back with the last one
/// (`Last-Event-ID`, as browsers do) goes on from there. The last event is `end`, which says whether all has been told.
pub async fn logs(
    State(app): State<App>,
    named: Result<Named, Problem>,
    part: Result<Query<Part>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let session = app.session(&named?.0)?;
    let Query(Part { follow, tail }) = part?;
    let last = headers
        .get("last-event-id")
        .map(Position::read)
        .transpose()?;
    let options = LogsOptions::default()
        .with_timestamps(true)
        .with_since(last.as_ref().map(|last| last.time))
        .with_tail(if last.is_some() { None } else { tail });
    let log = match follow {
        true => session.follow_logs(&options).await?,
        false => session.logs(&options).await?,
    };
    let log = log.take_until(app.stopping.begun.clone().cancelled_owned());
    let mut told = Told::new(last, app.stopping.begun.clone());
    let events = log.map(Some).chain(stream::iter([None]));
    let events = events.flat_map(move |chunk| stream::iter(told.next(chunk)));
    Ok(Sse::new(events.map(Ok)).keep_alive(KeepAlive::default()))
}

/// A place in a log: a time, and how many records of that time came before and with it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    time: SystemTime,
    count: u64,
}

impl Position {
    fn read(header: &axum::http::HeaderValue) -> Result<Self, Problem> {
        let read = || {
            let (time, count) = header.to_str().ok()?.split_once('/')?;
            let time = humantime::parse_rfc3339(time).ok()?;
            Some(Self {
                time,
                count: count.parse().ok()?,
            })
        };
        read().ok_or_else(|| Problem::invalid("Last-Event-ID is none that this log has given"))
    }

    fn id(&self) -> String {
        format!(
            "{}/{}",
            humantime::format_rfc3339_nanos(self.time),
            self.count
        )
    }
}

/// What has been told of a log.
struct Told {
    /// Up to where it had been told by an earlier answer.
    before: Option<Position>,
    last: Option<Position>,
    failed: bool,
    stopping: CancellationToken,
    stdout: Text,
    stderr: Text,
}

impl Told {
    fn new(before: Option<Position>, stopping: CancellationToken) -> Self {
        Self {
            before,
            last: None,
            failed: false,
            stopping,
            stdout: Text::default(),
            stderr: Text::default(),
        }
    }

    /// The events of a chunk, or of the end.
    fn next(&mut self, chunk: Option<Result<LogChunk>>) -> Vec<Event> {
        match chunk {
            Some(Ok(chunk)) => self.chunk(chunk).into_iter().collect(),
            Some(Err(error)) => {
                self.failed = true;
                event("error", Problem::from(error).into_value())
                    .into_iter()
                    .collect()
            }
            None => {
                let held = [
                    self.stdout
                        .finish("stdout")
                        .and_then(|text| event("output", text.into())),
                    self.stderr
                        .finish("stderr")
                        .and_then(|text| event("output", text.into())),
                ];
                let complete = !self.failed && !self.stopping.is_cancelled();
                let end = event("end", json!({ "complete": complete }));
                held.into_iter().flatten().chain(end).collect()
            }
        }
    }

    fn chunk(&mut self, chunk: LogChunk) -> Option<Event> {
        let (time, text) = stamped(chunk.bytes);
        if let Some(time) = time {
            let count = self.last.as_ref().filter(|last| last.time == time);
            let position = Position {
                time,
                count: count.map_or(0, |last| last.count) + 1,
            };
            let told = self.before.as_ref().is_some_and(|before| {
                (position.time, position.count) <= (before.time, before.count)
            });
            self.last = Some(position);
            if told {
                return None;
            }
        }
        let written = match chunk.source {
            LogSource::Stderr => self.stderr.push("stderr", text),
            _ => self.stdout.push("stdout", text),
        };
        let event = event("output", written?.into())?;
        Some(match &self.last {
            Some(position) => event.id(position.id()),
            None => event,
        })
    }
}

fn event(name: &str, data: Value) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}

/// The engine's time of a record, and the record without it.
fn stamped(mut bytes: Bytes) -> (Option<SystemTime>, Bytes) {
    let space = bytes.iter().take(40).position(|b| *b == b' ');
    let time = space.and_then(|space| {
        let stamp = std::str::from_utf8(bytes.get(..space)?).ok()?;
        humantime::parse_rfc3339(stamp).ok()
    });
    if let (Some(_), Some(space)) = (time, space) {
        return (time, bytes.split_off(space + 1));
    }
    (None, bytes)
}
