//! Commands in containers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::containers::{Container, Status, converse, environment, size, texts, user};
use super::log::frame;
use super::machine::{Command, Running, SpawnError, Stream, ended};
use super::request::{Answer, Answered, Refusal, Request};
use super::{Shared, new_id};

/// A command that is registered, runs or has run.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) id: String,
    pub(super) container: Arc<Container>,
    config: Value,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    begun: bool,
    running: bool,
    exit_code: Option<i64>,
    /// In the machine's counting, and in the host's.
    pid: (u32, u32),
}

impl Exec {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self, engine: &Shared, code: i64) {
        {
            let mut state = self.state();
            state.running = false;
            state.exit_code = Some(code);
        }
        let more = [("execID", self.id.clone()), ("exitCode", code.to_string())];
        self.container.tell(engine, "exec_die", &more);
        self.container
            .inner()
            .execs
            .retain(|known| *known != self.id);
    }
}

fn tell(engine: &Shared, container: &Container, id: &str, action: String) {
    container.tell(engine, action, &[("execID", id.to_owned())]);
}

fn may_run(container: &Container) -> Result<(), Refusal> {
    let id = &container.id;
    match container.status() {
        Status::Running => Ok(()),
        Status::Paused => {
            let message = format!("Container {id} is paused, unpause the container before exec");
            Err(Refusal::new(409, message))
        }
        _ => Err(Refusal::new(409, format!("Container {id} is not running"))),
    }
}

pub(super) fn create(
    engine: &Arc<Shared>,
    container: &Arc<Container>,
    request: &Request,
) -> Answered {
    let config = request.json()?;
    may_run(container)?;
    if texts(&config["Cmd"]).is_empty() {
        return Err(Refusal::new(400, "No exec command specified"));
    }
    let id = new_id();
    let command = texts(&config["Cmd"]).join(" ");
    let exec = Exec {
        id: id.clone(),
        container: Arc::clone(container),
        config,
        state: Mutex::default(),
    };
    {
        let mut state = engine.state();
        if !state.by_id.contains_key(&container.id) {
            return Err(Refusal::no_container(&container.id));
        }
        state.execs.insert(id.clone(), Arc::new(exec));
        container.inner().execs.push(id.clone());
    }
    tell(engine, container, &id, format!("exec_create: {command}"));
    Ok(Answer::json(201, &json!({"Id": id})))
}

fn find(engine: &Shared, id: &str) -> Result<Arc<Exec>, Refusal> {
    let found = engine.state().execs.get(id).cloned();
    found.ok_or_else(|| Refusal::new(404, format!("No such exec instance: {id}")))
}

fn begin(exec: &Exec, console: Option<(u16, u16)>) -> Result<Running, SpawnError> {
    let (container, config) = (&exec.container, &exec.config);
    let refused = |message: String| SpawnError { code: 126, message };
    let machine = container.machine();
    let own = container.config();
    let tty = config["Tty"] == true;
    let asked = config["User"].as_str().filter(|text| !text.is_empty());
    let asked = asked
        .or(own["User"].as_str())
        .unwrap_or_default()
        .to_owned();
    let user = user(&asked, |file| machine.read_file(file)).map_err(refused)?;
    let cwd = config["WorkingDir"]
        .as_str()
        .filter(|text| !text.is_empty());
    let hostname = own["Hostname"].as_str().unwrap_or_default();
    machine.exec(Command {
        argv: texts(&config["Cmd"]),
        env: environment(&own, hostname, tty, &texts(&config["Env"])),
        cwd: cwd
            .or(own["WorkingDir"].as_str())
            .unwrap_or_default()
            .to_owned(),
        user,
        tty,
        stdin: config["AttachStdin"] == true,
        size: console,
        privileged: config["Privileged"] == true,
        init: false,
    })
}

pub(super) async fn start(engine: &Arc<Shared>, id: &str, request: Request) -> Answered {
    let exec = find(engine, id)?;
    let asked = request.json()?;
    let detached = asked["Detach"] == true;
    let tty = exec.config["Tty"] == true;
    may_run(&exec.container)?;
    let again = std::mem::replace(&mut exec.state().begun, true);
    if again {
        let message = format!("Error: Exec command {id} has already run");
        if detached || !request.upgrades() {
            return Err(Refusal::new(409, message));
        }
        return Ok(told(engine, request, tty, message));
    }
    let console = |value: &Value| {
        let number = |at: usize| {
            value[at]
                .as_u64()
                .and_then(|number| u16::try_from(number).ok())
        };
        number(0).zip(number(1)).filter(|size| *size != (0, 0))
    };
    // Engines before API 1.42 don't know of it.
    let size = console(&asked["ConsoleSize"]).filter(|_| request.version >= (1, 42));
    let container = Arc::clone(&exec.container);
    let command = texts(&exec.config["Cmd"]).join(" ");
    tell(engine, &container, id, format!("exec_start: {command}"));
    let running = match begin(&exec, size) {
        Ok(running) => running,
        Err(error) => {
            exec.ends(engine, error.code);
            let message = format!(
                "OCI runtime exec failed: exec failed: unable to start container process: {}: unknown",
                error.message
            );
            if detached {
                return Err(Refusal::new(400, message));
            }
            return Ok(told(engine, request, tty, message));
        }
    };
    {
        let mut state = exec.state();
        state.running = true;
        state.pid = (running.pid, engine.host_pid());
    }
    let Running {
        stdin,
        mut output,
        exit,
        ..
    } = running;
    // Whether its client reads on or not, it goes on.
    let (sender, receiver) = mpsc::channel::<(Stream, Bytes)>(16);
    let shared = Arc::clone(engine);
    engine.spawn(async move {
        let mut listener = Some(sender);
        while let Some(piece) = output.recv().await {
            if let Some(open) = &listener
                && open.send(piece).await.is_err()
            {
                listener = None;
            }
        }
        exec.ends(&shared, ended(exit).await.code);
        drop(listener);
    });
    if detached {
        return Ok(Answer::empty(200));
    }
    let output = stream::unfold(receiver, move |mut receiver| async move {
        let (source, bytes) = receiver.recv().await?;
        let piece = if tty { bytes } else { frame(source, &bytes) };
        Some((Ok(piece), receiver))
    });
    let input = stdin.map(|stdin| {
        move |mut typed: mpsc::Receiver<Bytes>| async move {
            while let Some(bytes) = typed.recv().await {
                if stdin.send(bytes).await.is_err() {
                    // What nobody reads any more is read all the same.
                    while typed.recv().await.is_some() {}
                }
            }
        }
    });
    Ok(converse(engine, request, tty, output, input))
}

/// An engine's own words where the output would be.
fn told(engine: &Arc<Shared>, request: Request, tty: bool, message: String) -> Answer {
    let line = format!("{message}\r\n");
    let piece = match tty {
        true => Bytes::from(line),
        false => frame(Stream::Out, line.as_bytes()),
    };
    let output = stream::iter([Ok(piece)]).boxed();
    let no_input = None::<fn(mpsc::Receiver<Bytes>) -> futures::future::Ready<()>>;
    converse(engine, request, tty, output, no_input)
}

pub(super) fn resize(engine: &Arc<Shared>, id: &str, request: &Request) -> Answered {
    let exec = find(engine, id)?;
    let size = size(request)?;
    let (pid, running) = {
        let state = exec.state();
        (state.pid.0, state.running)
    };
    if !running {
        let message = format!("exec process is not started: {id}");
        return Err(Refusal::new(500, message));
    }
    exec.container.machine().resize(pid, size);
    Ok(Answer::empty(200))
}

pub(super) fn inspect(engine: &Arc<Shared>, id: &str) -> Answered {
    let exec = find(engine, id)?;
    let state = exec.state();
    let argv = texts(&exec.config["Cmd"]);
    let (entrypoint, arguments) = argv
        .split_first()
        .map(|(first, rest)| (first.clone(), rest.to_vec()))
        .unwrap_or_default();
    let value = json!({
        "ID": exec.id, "Running": state.running, "ExitCode": state.exit_code,
        "ProcessConfig": {"tty": exec.config["Tty"] == true, "entrypoint": entrypoint, "arguments": arguments, "privileged": exec.config["Privileged"] == true},
        "OpenStdin": exec.config["AttachStdin"] == true, "OpenStderr": true, "OpenStdout": true,
        "CanRemove": !state.running && state.begun, "ContainerID": exec.container.id, "DetachKeys": "",
        "Pid": state.pid.1,
    });
    Ok(Answer::json(200, &value))
}

/// Runs a command for the engine itself: its exit code, and what it said; -1 where it took too long.
pub(super) async fn run_for_engine(
    container: &Container,
    argv: Vec<String>,
    timeout: Duration,
) -> (i64, String) {
    let machine = container.machine();
    let config = container.config();
    let asked = config["User"].as_str().unwrap_or_default();
    let user = user(asked, |file| machine.read_file(file)).unwrap_or_default();
    let hostname = config["Hostname"].as_str().unwrap_or_default();
    let command = Command {
        argv,
        env: environment(&config, hostname, false, &[]),
        cwd: config["WorkingDir"].as_str().unwrap_or_default().to_owned(),
        user,
        ..Command::default()
    };
    let Running {
        pid,
        mut output,
        exit,
        ..
    } = match machine.exec(command) {
        Ok(running) => running,
        Err(error) => return (error.code, error.message),
    };
    let mut said = Vec::new();
    let ran = async {
        while let Some((_, bytes)) = output.recv().await {
            if said.len() < 4096 {
                said.extend_from_slice(&bytes);
            }
        }
        ended(exit).await.code
    };
    let code = match tokio::time::timeout(timeout, ran).await {
        Ok(code) => code,
        Err(_) => {
            machine.signal(pid, 9);
            -1
        }
    };
    (code, String::from_utf8_lossy(&said).into_owned())
}
