//! Ten thousand at once, on a fake engine in another process that takes a second for each answer.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use catamaran::testing::{FakeEngine, Fault, Rule};

use crate::cell::Run;
use crate::common::usage::allow_files;
use crate::programs::{Programs, figures};

/// The word by which this program runs as that engine.
pub const CHILD: &str = "slow-engine";
const LATENCY: Duration = Duration::from_secs(1);
const MOST: u64 = 10_000;
const ROUNDS: usize = 10;
/// Files for everything else that is open.
const SPARE: u64 = 500;

/// The engine; it ends when it is dropped.
struct Slow {
    child: Child,
    socket: String,
}

impl Slow {
    fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut socket = String::new();
        let said = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        BufReader::new(said).read_line(&mut socket)?;
        Ok(Self {
            child,
            socket: socket.trim().to_owned(),
        })
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The other process: says where it answers, and ends with its input.
pub fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let engine = FakeEngine::start().await?;
        engine.faults().add(Rule::any(Fault::Latency(LATENCY)));
        let socket = engine
            .endpoint()
            .path()
            .ok_or("the fake engine is at a socket")?;
        println!("{}", socket.display());
        let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        ended.await??;
        Ok(())
    })
}

pub fn measure(run: &mut Run, programs: &Programs) {
    let count = MOST.min(allow_files(MOST + SPARE).saturating_sub(SPARE));
    let fewer = match count {
        MOST => String::new(),
        _ => " (more files can't be open here: ulimit -n)".to_owned(),
    };
    let title = format!("{count} at once on a fake engine with a second of latency{fewer}");
    // It takes minutes.
    if run.options.quick || !run.wants("scale") {
        return;
    }
    let engine = match Slow::start() {
        Ok(engine) => engine,
        Err(why) => return run.missing("scale", &title, why),
    };
    let mut subjects = [
        (format!("{} calls", count / 10), ("slow-calls", count / 10)),
        (format!("{count} calls"), ("slow-calls", count)),
        (format!("{count} followed logs"), ("slow-logs", count)),
    ];
    run.measure(
        "scale",
        &title,
        ROUNDS,
        &mut subjects,
        |_, (what, count)| {
            let told = programs.ask("memory", [*what, &count.to_string(), &engine.socket])?;
            figures(
                &told,
                &[
                    ("rss_bytes", "/rss_bytes"),
                    ("threads", "/threads"),
                    ("cpu_each_us", "/cpu_us"),
                    ("seconds", "/seconds"),
                ],
            )
        },
    );
}
