//! What the load test is asked to do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::Outcome;

/// Who opens the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A blocking client, straight on the event loop.
    Naive,
    /// A session manager over the blocking engine.
    Blocking,
    /// A session manager over the async engine.
    Async,
    /// A session manager over both.
    Hybrid,
    /// Plain bollard.
    Bollard,
}

impl Mode {
    const ALL: [Self; 5] = [
        Self::Naive,
        Self::Blocking,
        Self::Async,
        Self::Hybrid,
        Self::Bollard,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Blocking => "blocking",
            Self::Async => "async",
            Self::Hybrid => "hybrid",
            Self::Bollard => "bollard",
        }
    }

    /// Whether there is a session manager.
    pub const fn manages(self) -> bool {
        !matches!(self, Self::Naive | Self::Bollard)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineChoice {
    Real,
    Fake,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub users: u64,
    pub sessions: u64,
    pub mode: Mode,
    /// Containers that stand by before the clock starts.
    pub warm: u64,
    /// What passes before each create and start, on the way to the engine.
    pub engine_delay: Duration,
    pub engine: EngineChoice,
    /// How long a session is held open.
    pub hold: Duration,
    /// How many calls the crate's backend has under way at once, and how many sessions its manager opens at once; its own
    /// defaults unless set.
    pub in_flight: Option<u64>,
    pub compare: bool,
    pub json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: 50,
            sessions: 200,
            mode: Mode::Hybrid,
            warm: 0,
            engine_delay: Duration::ZERO,
            engine: EngineChoice::Real,
            hold: Duration::ZERO,
            in_flight: None,
            compare: false,
            json: false,
        }
    }
}

pub const USAGE: &str = "\
cargo run --release --all-features --example load -- [OPTIONS]

  --users N            users who open sessions at once (50)
  --sessions N         sessions that they open in all (200)
  --mode naive|blocking|async|hybrid|bollard
                       who opens them (hybrid)
  --warm N             a pool of N containers stands by before the clock starts (0)
  --engine real|fake   the engine that the environment names, or one without containers in a process of its own (real)
  --engine-delay TIME  a simulated delay before each create and start, in a proxy in front of the engine (0ms)
  --hold TIME          how long a session is held open (0ms)
  --in-flight N        how many calls the crate's backend may have under way at once, and how many sessions its manager
                       may be opening at once (its own defaults, 20 and 16); naive and bollard know no such limits
  --compare            all modes one after the other, each in a process of its own: a table, and one JSON array as the
                       last line
  --json               one JSON object as the last line on stdout, instead of a table

naive    a synchronous HTTP client on the event loop: what a blocking client does to a service that awaits
bollard  plain bollard: the yardstick of what can be got out of the engine
The others are a session manager over this crate's backend in that mode.
";

impl Options {
    /// `None` where only help was asked for.
    pub fn parse(words: impl Iterator<Item = String>) -> Outcome<Option<Self>> {
        let mut options = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--compare" => options.compare = true,
                "--json" => options.json = true,
                "--users" => options.users = number(&word, &value()?, 1)?,
                "--sessions" => options.sessions = number(&word, &value()?, 1)?,
                "--warm" => options.warm = number(&word, &value()?, 0)?,
                "--in-flight" => options.in_flight = Some(number(&word, &value()?, 1)?),
                "--hold" => options.hold = time(&word, &value()?)?,
                "--engine-delay" => options.engine_delay = time(&word, &value()?)?,
                "--mode" => {
                    let wanted = value()?;
                    let known = Mode::ALL.into_iter().find(|mode| mode.as_str() == wanted);
                    options.mode = known.ok_or_else(|| format!("--mode {wanted}: see --help"))?;
                }
                "--engine" => {
                    options.engine = match value()?.as_str() {
                        "real" => EngineChoice::Real,
                        "fake" => EngineChoice::Fake,
                        other => return Err(format!("--engine {other}: real or fake").into()),
                    }
                }
                other => return Err(format!("{other}: see --help").into()),
            }
        }
        if options.warm > 0 && !options.compare && !options.mode.manages() {
            return Err(format!("--warm: {} has no pool", options.mode).into());
        }
        Ok(Some(options))
    }

    /// The words that make a child do a run of these options in that mode.
    pub fn words(&self, mode: Mode, warm: u64) -> Vec<String> {
        let engine = match self.engine {
            EngineChoice::Real => "real",
            EngineChoice::Fake => "fake",
        };
        let time = |time| humantime::format_duration(time).to_string();
        let pairs = [
            ("--mode", mode.to_string()),
            ("--users", self.users.to_string()),
            ("--sessions", self.sessions.to_string()),
            ("--warm", warm.to_string()),
            ("--engine", engine.to_owned()),
            ("--engine-delay", time(self.engine_delay)),
            ("--hold", time(self.hold)),
        ];
        let words = pairs
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        let in_flight = self
            .in_flight
            .map(|most| ["--in-flight".to_owned(), most.to_string()]);
        let words = words.chain(in_flight.into_iter().flatten());
        words.chain(["--json".to_owned()]).collect()
    }
}

fn number<T: FromStr + PartialOrd + fmt::Display>(word: &str, text: &str, least: T) -> Outcome<T> {
    let number = text.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| format!("{word} {text}: a number from {least} is wanted").into())
}

fn time(word: &str, text: &str) -> Outcome<Duration> {
    humantime::parse_duration(text).map_err(|error| format!("{word} {text}: {error}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Outcome<Option<Options>> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_are_read() {
        let line = "--users 100 --sessions 7 --mode async --warm 20 --engine fake --engine-delay 250ms --hold 1s \
                    --in-flight 64 --json";
        let options = parsed(line).unwrap().unwrap();
        let expected = Options {
            users: 100,
            sessions: 7,
            mode: Mode::Async,
            warm: 20,
            engine: EngineChoice::Fake,
            engine_delay: Duration::from_millis(250),
            hold: Duration::from_secs(1),
            in_flight: Some(64),
            compare: false,
            json: true,
        };
        assert_eq!(options, expected);
        assert_eq!(parsed("").unwrap().unwrap(), Options::default());
        assert!(parsed("--help").unwrap().is_none());
    }

    #[test]
    fn a_child_is_asked_for_the_same() {
        let line = "--users 3 --sessions 9 --engine fake --engine-delay 1500ms --hold 20ms --in-flight 5 --json";
        let asked = parsed(line).unwrap().unwrap();
        for (mode, warm) in [(Mode::Naive, 0), (Mode::Blocking, 0), (Mode::Hybrid, 5)] {
            let read = Options::parse(asked.words(mode, warm).into_iter())
                .unwrap()
                .unwrap();
            let expected = Options {
                mode,
                warm,
                ..asked.clone()
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--users 0",
            "--users many",
            "--users",
            "--sessions 0",
            "--in-flight 0",
            "--warm -1",
            "--mode fast",
            "--engine toy",
            "--hold 5",
            "--mode naive --warm 1",
            "--mode bollard --warm 1",
            "--fast",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
