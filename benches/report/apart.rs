//! The full stack, whose recorder and subscriber would slow everybody else in its process down as well: so it is in a process of
//! its own, and samples as it is told. So is the bare engine that it is compared with: a process that waits between its samples
//! isn't as warm as one that doesn't.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use catamaran::model::ContainerRef;
use catamaran::{AsyncEngine, ContainerBackend, Endpoint};
use tokio::runtime::Runtime;

use crate::cell::Figures;
use crate::cells::calls::figures;
use crate::common::clients::{Client, Operation};
use crate::common::fixture::{LABEL, Target};
use crate::common::samples::sample;
use crate::common::unix;

/// The word by which this program runs as that process.
pub const CHILD: &str = "apart";
/// With all that a service can switch on, and with nothing.
pub const FULL: &str = "full";
pub const BARE: &str = "async, apart";

pub struct Apart {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Apart {
    pub fn start(who: &str, socket: &Path, target: &Target) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([CHILD, who])
            .arg(socket)
            .args([target.id.as_str(), &target.label.1])
            .arg(target.listed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take();
        let from = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            child,
            to,
            from: BufReader::new(from),
        })
    }

    pub fn sample(&mut self, of: Operation, callers: u64, calls: u64) -> Result<Figures, String> {
        let mut ask = || {
            let to = self.to.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            writeln!(to, "{} {callers} {calls}", of.name())?;
            let mut line = String::new();
            self.from.read_line(&mut line)?;
            Ok::<_, io::Error>(line)
        };
        let line = ask().map_err(|error| error.to_string())?;
        let told: Vec<f64> = serde_json::from_str(&line).map_err(|_| "it has failed".to_owned())?;
        Ok(FIGURES.into_iter().zip(told).collect())
    }
}

/// As [`figures`] has them.
const FIGURES: [&str; 5] = ["time_us", "per_s", "p50_us", "p99_us", "cpu_us"];

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.to.take());
        let _ = self.child.wait();
    }
}

/// The other process: a line asks, a line answers, and it ends with its input.
pub fn serve(words: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [who, socket, id, label, listed] = words else {
        return Err("five words are wanted".into());
    };
    let socket = Path::new(socket);
    let target = Target {
        id: ContainerRef::new(id.as_str())?,
        label: (LABEL, label.clone()),
        listed: listed.parse()?,
    };
    let runtime = Runtime::new()?;
    let full;
    let client: Arc<dyn Client> = if who == FULL {
        full = unix::FullStack::new(socket, target)?;
        Arc::clone(&full.client)
    } else {
        let engine = AsyncEngine::connect(Endpoint::unix(socket))?;
        Arc::new((Arc::new(engine) as Arc<dyn ContainerBackend>, target))
    };
    for line in io::stdin().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let mut word = || words.next().ok_or("three words are wanted");
        let of = Operation::named(word()?).ok_or("what is asked for?")?;
        let (callers, calls) = (word()?.parse()?, word()?.parse()?);
        let figures = figures(&sample(&runtime, &client, of, callers, calls)?);
        let values: Vec<f64> = figures.into_iter().map(|(_, value)| value).collect();
        println!("{}", serde_json::to_string(&values)?);
    }
    Ok(())
}
