//! From start to removal.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use serde_json::json;

use super::config::limits;
use super::{Container, Life, Status, run};
use crate::testing::fake::Shared;
use crate::testing::fake::machine::signal_number;
use crate::testing::fake::request::{Answer, Answered, Refusal, Request};

/// Begins a run, unless it runs already: whether it did.
fn begin(engine: &Arc<Shared>, container: &Arc<Container>) -> Result<bool, Refusal> {
    let _one = engine.exclusive();
    match container.status() {
        Status::Running => return Ok(false),
        Status::Paused => {
            return Err(Refusal::new(
                409,
                "cannot start a paused container, try unpause instead",
            ));
        }
        Status::Removing => {
            let message = "container is marked for removal and cannot be started";
            return Err(Refusal::new(409, message));
        }
        Status::Created | Status::Exited | Status::Restarting => {}
    }
    container.inner().restarts = 0;
    run::begin(engine, container)?;
    Ok(true)
}

pub(in super::super) fn start(engine: &Arc<Shared>, container: &Arc<Container>) -> Answered {
    let began = begin(engine, container)?;
    Ok(Answer::empty(if began { 204 } else { 304 }))
}

/// How long it may take: `t`, else the container's own, else 10 seconds; below nought it is for ever.
fn patience(container: &Container, request: &Request) -> Option<Duration> {
    let own = container.config()["StopTimeout"].as_i64();
    let seconds = request.query.number("t").or(own).unwrap_or(10);
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

fn stop_signal(container: &Container) -> i32 {
    let config = container.config();
    config["StopSignal"]
        .as_str()
        .and_then(signal_number)
        .unwrap_or(15)
}

pub(in super::super) async fn stop(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    if gives_up(engine, container) {
        return Ok(Answer::empty(204));
    }
    if !container.status().lives() {
        return Ok(Answer::empty(304));
    }
    halt(engine, container, request).await;
    Ok(Answer::empty(204))
}

/// Ends the wait for another start, where it is in one.
fn gives_up(engine: &Shared, container: &Container) -> bool {
    let _one = engine.exclusive();
    let ended = container.change_status(&[Status::Restarting], Status::Exited);
    ended.is_ok()
}

async fn halt(engine: &Arc<Shared>, container: &Arc<Container>, request: &Request) {
    let signal = stop_signal(container);
    container.tell(engine, "kill", &[("signal", signal.to_string())]);
    run::end(container, signal, patience(container, request)).await;
    container.tell(engine, "stop", &[]);
}

pub(in super::super) async fn restart(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    if container.status().lives() {
        halt(engine, container, request).await;
    }
    begin(engine, container)?;
    container.tell(engine, "restart", &[]);
    Ok(Answer::empty(204))
}

pub(in super::super) async fn kill(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let text = request
        .query
        .get("signal")
        .filter(|text| !text.is_empty())
        .unwrap_or("KILL");
    let signal = signal_number(text).filter(|signal| *signal > 0);
    let signal = signal.ok_or_else(|| Refusal::new(400, format!("Invalid signal: {text}")))?;
    let machine = container.running().ok_or_else(|| {
        let id = &container.id;
        Refusal::new(
            409,
            format!("Cannot kill container: {id}: Container {id} is not running"),
        )
    })?;
    container.tell(engine, "kill", &[("signal", signal.to_string())]);
    if signal == 9 {
        container.inner().stopped = true;
        run::kill(container).await;
    } else {
        machine.signal(1, signal);
    }
    Ok(Answer::empty(204))
}

pub(in super::super) fn pause(engine: &Arc<Shared>, container: &Arc<Container>) -> Answered {
    let paused = container.change_status(&[Status::Running], Status::Paused);
    paused.map_err(|status| {
        let id = &container.id;
        let message = match status {
            Status::Paused => format!("Container {id} is already paused"),
            _ => format!("Container {id} is not running"),
        };
        Refusal::new(409, message)
    })?;
    container.machine().freeze(true);
    container.tell(engine, "pause", &[]);
    Ok(Answer::empty(204))
}

pub(in super::super) fn unpause(engine: &Arc<Shared>, container: &Arc<Container>) -> Answered {
    let running = container.change_status(&[Status::Paused], Status::Running);
    running.map_err(|_| Refusal::new(409, format!("Container {} is not paused", container.id)))?;
    container.machine().freeze(false);
    container.tell(engine, "unpause", &[]);
    Ok(Answer::empty(204))
}

pub(in super::super) fn rename(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let name = request
        .query
        .get("name")
        .unwrap_or_default()
        .trim_start_matches('/');
    if name.is_empty() {
        return Err(Refusal::new(400, "Neither old nor new names may be empty"));
    }
    let old = engine.rename(container, name)?;
    container.tell(engine, "rename", &[("oldName", format!("/{old}"))]);
    Ok(Answer::empty(204))
}

pub(in super::super) fn update(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let asked = request.json()?;
    if container.status() == Status::Removing {
        return Err(Refusal::new(
            409,
            "Container is marked for removal and cannot be \"update\".",
        ));
    }
    for (name, value) in asked.as_object().into_iter().flatten() {
        let empty = value.is_null() || *value == 0 || *value == "" || *value == json!([]);
        let empty = empty
            || (name == "RestartPolicy" && value["Name"].as_str().unwrap_or_default().is_empty());
        if !empty && name != "Labels" {
            container
                .inner()
                .updated
                .insert(name.clone(), value.clone());
        }
    }
    let limits = limits(&container.config()["HostConfig"]);
    container.machine().set_limits(limits);
    container.tell(engine, "update", &[]);
    Ok(Answer::json(200, &json!({"Warnings": null})))
}

/// Its head goes at once; the body when it has ended.
pub(in super::super) fn wait(container: &Arc<Container>, request: &Request) -> Answered {
    let condition = request.query.get("condition").unwrap_or_default();
    let (next, removed) = match condition {
        "" | "not-running" => (false, false),
        "next-exit" => (true, false),
        "removed" => (false, true),
        other => return Err(Refusal::new(400, format!("invalid condition: {other:?}"))),
    };
    let mut life = container.life.subscribe();
    let before = *life.borrow_and_update();
    let runs = before.status.lives() || before.status == Status::Restarting;
    let over = move |life: &Life| match () {
        () if removed => life.gone,
        () if next => life.has_ended_since(before),
        () => !runs || (life.has_ended_since(before) && life.status != Status::Restarting),
    };
    let container = Arc::clone(container);
    let answer = async move {
        // It ends with the sender, which the container holds.
        let code = life.wait_for(over).await.map_or(0, |life| life.exit_code);
        drop(container);
        Ok(Bytes::from(format!("{}\n", json!({"StatusCode": code}))))
    };
    let body = stream::once(answer);
    Ok(Answer::stream(200, body).with_header("content-type", "application/json"))
}

impl Shared {
    /// Marks it as being removed where it is in one of these states: who is told so removes it, and nobody else.
    pub(super) fn may_remove(&self, container: &Container, from: &[Status]) -> bool {
        let _one = self.exclusive();
        container.change_status(from, Status::Removing).is_ok()
    }
}

pub(in super::super) async fn remove(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let force = request.query.is("force");
    loop {
        let status = container.status();
        may_go(&container.id, status, force)?;
        container.inner().stopped = true;
        if status.lives() {
            container.tell(engine, "kill", &[("signal", "9".to_owned())]);
            run::kill(container).await;
        }
        let gone = [Status::Created, Status::Exited, Status::Restarting];
        if engine.may_remove(container, &gone) {
            engine.forget(container, request.query.is("v"));
            return Ok(Answer::empty(204));
        }
        if container.status() == Status::Removing {
            // Its end, or another's call, has removed it meanwhile.
            return Ok(Answer::empty(204));
        }
        // It was started again meanwhile.
    }
}

/// Why a container in this state isn't removed.
fn may_go(id: &str, status: Status, force: bool) -> Result<(), Refusal> {
    let (state, advice) = match status {
        Status::Removing => {
            let message = format!("removal of container {id} is already in progress");
            return Err(Refusal::new(409, message));
        }
        Status::Paused if !force => (
            "paused",
            "Unpause and then stop the container before attempting removal or force remove",
        ),
        Status::Running | Status::Restarting if !force => (
            "running",
            "Stop the container before attempting removal or force remove",
        ),
        _ => return Ok(()),
    };
    let message = format!("You cannot remove a {state} container {id}. {advice}");
    Err(Refusal::new(409, message))
}

pub(in super::super) fn prune(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let until = filters.until();
    let (mut deleted, mut space) = (Vec::new(), 0);
    for container in engine.containers() {
        let old = until.is_none_or(|until| container.created < until);
        let fits = old && filters.labels(&container.labels());
        if fits && engine.may_remove(&container, &[Status::Created, Status::Exited]) {
            space += container.machine().size_rw();
            deleted.push(container.id.clone());
            engine.forget(&container, false);
        }
    }
    Ok(engine.pruned(
        "container",
        "ContainersDeleted",
        &json!(deleted),
        Some(space),
    ))
}
