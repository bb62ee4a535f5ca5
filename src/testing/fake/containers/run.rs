//! One run of a container, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::config::{environment, user};
use super::{Container, Health, Status, health, texts};
use crate::testing::fake::Shared;
use crate::testing::fake::machine::{self, Command, Exit, Output, Running};
use crate::testing::fake::request::Refusal;
use crate::testing::fake::time::Time;

/// How long who is attached and doesn't read holds up a container's end: as moby has it.
const STUCK: Duration = Duration::from_secs(2);

/// Starts its program. Nobody else starts or removes it meanwhile: the caller holds [`Shared::exclusive`].
pub(super) fn begin(engine: &Arc<Shared>, container: &Arc<Container>) -> Result<(), Refusal> {
    let config = container.config();
    let machine = container.machine();
    let attached = engine.attach_networks(container);
    attached.inspect_err(|_| engine.detach_networks(container))?;
    let tty = config["Tty"] == true;
    let hostname = config["Hostname"].as_str().unwrap_or_default();
    let argv = [texts(&config["Entrypoint"]), texts(&config["Cmd"])].concat();
    let asked = config["User"].as_str().unwrap_or_default();
    let begun = user(asked, |file| machine.read_file(file)).map_err(|message| (126, message));
    let begun = begun.and_then(|user| {
        let command = Command {
            argv,
            env: environment(&config, hostname, tty, &[]),
            cwd: config["WorkingDir"].as_str().unwrap_or_default().to_owned(),
            user,
            tty,
            stdin: config["OpenStdin"] == true,
            size: None,
            privileged: config["HostConfig"]["Privileged"] == true,
            init: config["HostConfig"]["Init"] == true,
        };
        machine
            .boot(command)
            .map_err(|error| (error.code, error.message))
    });
    match begun {
        Ok(running) => {
            let test = health::Check::of(&config);
            {
                let mut inner = container.inner();
                inner.pid = engine.host_pid();
                inner.started = Some(Time::now());
                inner.exit_code = 0;
                inner.oom_killed = false;
                inner.error = String::new();
                inner.stopped = false;
                inner.stdin.clone_from(&running.stdin);
                inner.health = test.as_ref().map(|_| Health {
                    status: "starting",
                    ..Health::default()
                });
            }
            container.log.runs(true);
            container.set_status(Status::Running);
            container.tell(engine, "start", &[]);
            if let Some(test) = test {
                engine.spawn(health::watch(
                    Arc::clone(engine),
                    Arc::clone(container),
                    test,
                ));
            }
            let logs = config["HostConfig"]["LogConfig"]["Type"] != "none";
            engine.spawn(attend(
                Arc::clone(engine),
                Arc::clone(container),
                running,
                logs,
            ));
            Ok(())
        }
        Err((code, why)) => {
            let message = format!(
                "failed to create task for container: failed to create shim task: OCI runtime create failed: \
                 runc create failed: unable to start container process: {why}: unknown"
            );
            {
                let mut inner = container.inner();
                inner.exit_code = code;
                inner.error.clone_from(&message);
            }
            container.life.send_modify(|life| life.exit_code = code);
            engine.detach_networks(container);
            container.tell(engine, "die", &[("exitCode", code.to_string())]);
            Err(Refusal::new(400, message))
        }
    }
}

/// Reads what it writes, and sees it end.
async fn attend(engine: Arc<Shared>, container: Arc<Container>, running: Running, logs: bool) {
    let Running {
        output,
        exit,
        stdin,
        ..
    } = running;
    // The container's own is that of the engine; it goes when its input is closed.
    drop(stdin);
    drain(&container, output, &exit, logs).await;
    let exit = machine::ended(exit).await;
    ended(&engine, &container, exit);
}

async fn drain(
    container: &Container,
    mut output: Output,
    exit: &watch::Receiver<Option<Exit>>,
    logs: bool,
) {
    while let Some((stream, bytes)) = output.recv().await {
        if logs {
            container.log.write(stream, &bytes);
        }
        let attached = container.inner().attached.clone();
        for listener in attached {
            let over = async {
                machine::ended(exit.clone()).await;
                tokio::time::sleep(STUCK).await;
            };
            tokio::select! {
                biased;
                // Who went away is forgotten below.
                _ = listener.send((stream, bytes.clone())) => {}
                () = over => {
                    let mut inner = container.inner();
                    inner.attached.retain(|known| !known.same_channel(&listener));
                }
            }
        }
        container
            .inner()
            .attached
            .retain(|listener| !listener.is_closed());
    }
}

fn ended(engine: &Arc<Shared>, container: &Arc<Container>, exit: Exit) {
    let code = exit.code;
    let config = container.config();
    let policy = &config["HostConfig"]["RestartPolicy"];
    engine.detach_networks(container);
    if exit.oom_killed {
        container.tell(engine, "oom", &[]);
    }
    container.tell(engine, "die", &[("exitCode", code.to_string())]);
    // All under one lock, as with moby: nobody sees it half ended, nor starts it before it has.
    let status = {
        let mut inner = container.inner();
        inner.exit_code = code;
        inner.oom_killed = exit.oom_killed;
        inner.finished = Some(Time::now());
        inner.pid = 0;
        inner.stdin = None;
        inner.attached.clear();
        let most = policy["MaximumRetryCount"].as_u64().unwrap_or(0);
        let again = match policy["Name"].as_str().unwrap_or_default() {
            "always" | "unless-stopped" => true,
            "on-failure" => code != 0 && (most == 0 || inner.restarts < most),
            _ => false,
        };
        inner.status = match inner.status {
            Status::Removing => Status::Removing,
            _ if again && !inner.stopped => {
                inner.restarts += 1;
                Status::Restarting
            }
            _ => Status::Exited,
        };
        let status = inner.status;
        container.log.runs(false);
        container.life.send_modify(|life| {
            life.status = status;
            life.ends += 1;
            life.exit_code = code;
        });
        status
    };
    if status == Status::Restarting {
        let (engine, container) = (Arc::clone(engine), Arc::clone(container));
        engine.clone().spawn(async move {
            let count = container.inner().restarts.min(10);
            tokio::time::sleep(Duration::from_millis(100 << count.saturating_sub(1))).await;
            let _one = engine.exclusive();
            if container.status() == Status::Restarting && begin(&engine, &container).is_err() {
                container.set_status(Status::Exited);
            }
        });
    }
    if config["HostConfig"]["AutoRemove"] == true && engine.may_remove(container, &[Status::Exited])
    {
        engine.forget(container, true);
    }
}

/// Ends its processes, and waits until they are gone.
pub(super) async fn kill(container: &Container) {
    let mut life = container.life.subscribe();
    let before = *life.borrow_and_update();
    if !container.status().lives() && container.inner().pid == 0 {
        return;
    }
    container.machine().freeze(false);
    container.machine().signal(1, 9);
    // It ends with the sender, which the container holds.
    let _ = life.wait_for(|life| life.has_ended_since(before)).await;
}

/// Sends a signal, and waits so long for the end; then it is killed. `None`: as long as it takes.
pub(super) async fn end(container: &Container, signal: i32, patience: Option<Duration>) {
    let mut life = container.life.subscribe();
    let before = *life.borrow_and_update();
    container.inner().stopped = true;
    container.machine().freeze(false);
    container.machine().signal(1, signal);
    let ended = life.wait_for(|life| life.has_ended_since(before));
    match patience {
        None => drop(ended.await),
        Some(patience) => {
            let waited = tokio::time::timeout(patience, ended).await.is_ok();
            if !waited {
                kill(container).await;
            }
        }
    }
}
