//! Streams that outlive the engine: a log against the engine's own, events against those that it told past the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use catamaran::model::{ContainerRef, EventsOptions, Gap, LabelKey, LogsOptions, Watched};
use catamaran::{ContainerBackend, ContainerBackendExt, Endpoint};
use futures::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::Outcome;
use crate::calls::RUN;
use crate::report::{Bad, Report};
use crate::witness::Witness;

/// When, what it is about, and what happened.
pub type Told = (u128, String, String);

#[derive(Default)]
pub struct Watching {
    pub told: BTreeMap<Told, u64>,
    /// And when each was told.
    pub gaps: Vec<(Gap, SystemTime)>,
    pub error: Option<String>,
}

pub struct Streams {
    container: ContainerRef,
    log: JoinHandle<Outcome<String>>,
    watched: Arc<Mutex<Watching>>,
    witnessed: Arc<Mutex<BTreeSet<Told>>>,
    listeners: Vec<JoinHandle<()>>,
}

/// What came of them.
pub struct Streamed {
    pub lines: u64,
    pub events: u64,
    pub gaps: u64,
}

fn nanoseconds(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos()
}

impl Streams {
    pub async fn begin(
        backend: Arc<dyn ContainerBackend>,
        witness: &Witness,
        endpoint: &Endpoint,
        run: &str,
    ) -> Outcome<Self> {
        let since = SystemTime::now() - Duration::from_secs(1);
        let line = "i=0; while :; do i=$((i+1)); echo line $i; usleep 10000; done";
        let container = ContainerRef::new(witness.run("writer", line).await?)?;
        let options = LogsOptions::default();
        let mut log = backend.follow_logs(&container, &options).await?;
        let log = tokio::spawn(async move {
            let mut text = Vec::new();
            while let Some(chunk) = log.next().await {
                text.extend_from_slice(&chunk?.bytes);
            }
            Ok(String::from_utf8(text)?)
        });
        let options = EventsOptions::default()
            .with_since(since)
            .with_label(LabelKey::new(RUN)?, run.to_owned());
        let mut watch = backend.watch_events(&options).await?;
        let watched = Arc::new(Mutex::new(Watching::default()));
        let noted = Arc::clone(&watched);
        let watching = tokio::spawn(async move {
            while let Some(next) = watch.next().await {
                let mut watched = noted.lock().unwrap_or_else(PoisonError::into_inner);
                match next {
                    Ok(Watched::Event(event)) => {
                        let time = event.time.map(nanoseconds).unwrap_or_default();
                        let told = (time, event.actor, event.action.to_string());
                        *watched.told.entry(told).or_default() += 1;
                    }
                    Ok(Watched::Gap(gap)) => watched.gaps.push((gap, SystemTime::now())),
                    Ok(_) => {}
                    Err(error) => watched.error = Some(format!("{error:#}")),
                }
            }
        });
        let witnessed = Arc::new(Mutex::new(BTreeSet::new()));
        let listening = tokio::spawn(listen(
            endpoint.clone(),
            since,
            run.to_owned(),
            Arc::clone(&witnessed),
        ));
        Ok(Self {
            container,
            log,
            watched,
            witnessed,
            listeners: vec![watching, listening],
        })
    }

    /// Ends them, and counts what is missing or was told twice.
    pub async fn end(self, witness: &Witness, report: &Report) -> Outcome<Streamed> {
        witness.end(self.container.as_str()).await?;
        let patience = Duration::from_secs(60);
        let followed = match tokio::time::timeout(patience, self.log).await {
            Ok(followed) => followed?,
            Err(_) => Err("the log hasn't ended with its container".into()),
        };
        let followed = followed.unwrap_or_else(|error| {
            report.bad(Bad::Missing, 1, &format!("the log: {error}"));
            String::new()
        });
        let written = witness.log(self.container.as_str()).await?;
        judge_log(&followed, &written, report);
        // The last events are on their way.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for listener in self.listeners {
            listener.abort();
        }
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let witnessed = self.witnessed.lock();
        judge_events(
            &watched,
            &witnessed.unwrap_or_else(PoisonError::into_inner),
            report,
        );
        Ok(Streamed {
            lines: followed.lines().count() as u64,
            events: watched.told.len() as u64,
            gaps: watched.gaps.len() as u64,
        })
    }
}

pub fn judge_log(followed: &str, written: &str, report: &Report) {
    let mut lines = BTreeMap::<&str, i64>::new();
    for line in written.lines() {
        *lines.entry(line).or_default() += 1;
    }
    for line in followed.lines() {
        *lines.entry(line).or_default() -= 1;
    }
    for (line, left) in lines {
        let bad = match left {
            0 => continue,
            1.. => Bad::Missing,
            _ => Bad::ToldTwice,
        };
        report.bad(bad, left.unsigned_abs(), &format!("of the log: {line:?}"));
    }
}

pub fn judge_events(watched: &Watching, witnessed: &BTreeSet<Told>, report: &Report) {
    if let Some(error) = &watched.error {
        report.bad(Bad::Missing, 1, &format!("the watch has ended: {error}"));
    }
    for (event, times) in &watched.told {
        if *times > 1 {
            report.bad(Bad::ToldTwice, times - 1, &format!("event {event:?}"));
        }
    }
    for event in witnessed {
        let within = |(gap, told): &(Gap, SystemTime)| {
            let from = gap.from.map(nanoseconds).unwrap_or_default();
            (from..=nanoseconds(gap.to.unwrap_or(*told))).contains(&event.0)
        };
        if !watched.told.contains_key(event) && !watched.gaps.iter().any(within) {
            report.bad(Bad::Missing, 1, &format!("event {event:?}"));
        }
    }
}

/// Asks again and again for all that the engine remembers, and hears what comes then.
async fn listen(
    endpoint: Endpoint,
    since: SystemTime,
    run: String,
    heard: Arc<Mutex<BTreeSet<Told>>>,
) {
    let Endpoint::Unix { path } = endpoint else {
        return;
    };
    let filters: String = format!(r#"{{"label":["{RUN}={run}"]}}"#)
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    let since = nanoseconds(since) / 1_000_000_000;
    let request =
        format!("GET /events?since={since}&filters={filters} HTTP/1.0\r\nHost: engine\r\n\r\n");
    loop {
        if let Ok(mut stream) = UnixStream::connect(&path).await
            && stream.write_all(request.as_bytes()).await.is_ok()
        {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(event) = read(&line) {
                    heard
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(event);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing where it is a head's line.
pub fn read(line: &str) -> Option<Told> {
    let event: Value = serde_json::from_str(line).ok()?;
    let action = event["Action"].as_str()?;
    let action = action.split(": ").next().unwrap_or(action);
    Some((
        event["timeNano"].as_u64()?.into(),
        event["Actor"]["ID"].as_str()?.to_owned(),
        action.to_owned(),
    ))
}
