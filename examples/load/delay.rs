//! Where the engine is: the real one as it is, or, in a process of their own, what stands in front of it or for it. So
//! neither takes anything of the service's threads, memory and event loop.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use catamaran::testing::{FakeEngine, Fault, FaultProxy, Faults, Rule};
use catamaran::{Config, Endpoint};

use crate::args::{EngineChoice, Options};
use crate::wire::Wire;
use crate::{IMAGE, Outcome};

/// The word by which this program runs as that process.
pub const CHILD: &str = "engine-process";
/// What a session's creation asks the engine for.
const DELAYED: [&str; 2] = ["/containers/create", "/containers/*/start"];

/// The engine of a run.
pub struct Engine {
    /// The way to it that is under test.
    pub endpoint: Endpoint,
    /// What it is, in words.
    pub name: String,
    child: Option<Child>,
}

impl Engine {
    /// The way to the engine of these options, by a process of its own where it needs one.
    pub fn prepare(options: &Options) -> Outcome<Self> {
        let fake = options.engine == EngineChoice::Fake;
        let (endpoint, child) = if fake || !options.engine_delay.is_zero() {
            let (endpoint, child) = spawn(fake, options.engine_delay)?;
            (endpoint, Some(child))
        } else {
            (Config::from_env()?.endpoint().clone(), None)
        };
        let mut engine = Self {
            name: String::new(),
            endpoint,
            child,
        };
        engine.name = engine.describe(fake, options.engine_delay)?;
        Ok(engine)
    }

    fn describe(&self, fake: bool, delay: Duration) -> Outcome<String> {
        let version = Wire::new(self.endpoint.clone()).get("/version")?;
        let version = version["Version"].as_str().unwrap_or("unknown").to_owned();
        let mut name = match fake {
            true => format!("fake engine {version} in another process, without containers"),
            false => version,
        };
        if !delay.is_zero() {
            name += &format!(", {delay:?} of simulated delay before each create and start");
        }
        Ok(name)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The end of its input is its end.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

fn spawn(fake: bool, delay: Duration) -> Outcome<(Endpoint, Child)> {
    let kind = if fake { "fake" } else { "real" };
    let mut child = Command::new(std::env::current_exe()?)
        .args([CHILD, kind, &delay.as_millis().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = child.stdout.take().ok_or("a child without an output")?;
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line)?;
    match Endpoint::parse(line.trim()) {
        Ok(endpoint) => Ok((endpoint, child)),
        Err(_) => {
            let _ = child.wait();
            Err("the process of the engine didn't say where it is".into())
        }
    }
}

/// The other process: says where it answers, and ends with its input.
pub fn serve(kind: &str, delay: &str) -> Outcome<()> {
    let delay = Duration::from_millis(delay.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // A terminal's Ctrl-C is for the one who started this: it has to clean up first, by this way.
        tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        if kind == "fake" {
            let faults = slow(delay);
            let engine = FakeEngine::builder()
                .image(IMAGE)
                .faults(faults)
                .start()
                .await?;
            tell(engine.endpoint())?;
            ended.await??;
        } else {
            let proxy = FaultProxy::start(Config::from_env()?.endpoint()).await?;
            rules(delay).into_iter().for_each(|rule| {
                proxy.faults().add(rule);
            });
            tell(proxy.endpoint())?;
            ended.await??;
        }
        Ok(())
    })
}

fn tell(endpoint: &Endpoint) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{endpoint}")?;
    out.flush()
}

fn slow(delay: Duration) -> Faults {
    let faults = Faults::new();
    rules(delay).into_iter().for_each(|rule| {
        faults.add(rule);
    });
    faults
}

fn rules(delay: Duration) -> Vec<Rule> {
    let delayed = DELAYED.into_iter().filter(|_| !delay.is_zero());
    delayed
        .map(|path| Rule::new("POST", path, Fault::Latency(delay)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_slowed_where_no_delay_is_asked_for() {
        assert!(rules(Duration::ZERO).is_empty());
    }

    #[test]
    fn creates_and_starts_are_slowed_and_nothing_else() {
        let delay = Duration::from_millis(150);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let engine = FakeEngine::builder()
            .image(IMAGE)
            .faults(slow(delay))
            .start();
        let engine = runtime.block_on(engine).unwrap();
        let wire = Wire::new(engine.endpoint().clone());
        let timed = |method: &str, path: &str| {
            let began = Instant::now();
            let reply = wire.ask(
                method,
                path,
                Some(&json!({"Image": IMAGE, "Cmd": ["sleep", "9"]})),
            );
            (reply.unwrap().done().unwrap(), began.elapsed())
        };
        let (created, took) = timed("POST", "/containers/create?name=one");
        assert!(took >= delay && created.json().unwrap()["Id"].is_string());
        assert!(timed("POST", "/v1.41/containers/one/start").1 >= delay);
        // Of what isn't held up, the quickest of some: the machine may be held up itself.
        let looks = (0..5).map(|_| timed("GET", "/containers/one/json").1);
        assert!(looks.min() < Some(delay));
    }
}
