//! What the environment says, read once; a value that can't be right is an error that names its variable.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use catamaran::model::ImageRef;
use catamaran::session::Shutdown;
use tracing::Level;

use crate::auth::Tokens;

/// What is wrong, and with which variable: never with which value, where that may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.message)
    }
}

impl std::error::Error for ConfigError {}

type Outcome<T> = Result<T, ConfigError>;

/// Who is shown how the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observe {
    /// Whoever asks: numbers and states, no session's name and no owner's.
    Anybody,
    /// Operators; everybody else is told no more than whether it serves.
    Operators,
}

/// The service's settings. `main.rs` says what each variable is for.
pub struct Settings {
    pub address: SocketAddr,
    pub name: String,
    pub tokens: Tokens,
    pub operators: Vec<String>,
    pub observe: Observe,
    pub audit: Option<PathBuf>,
    pub image: ImageRef,
    pub command: Vec<String>,
    pub memory: u64,
    pub cpus: f64,
    pub warm: usize,
    pub lease: Duration,
    pub idle: Duration,
    pub max_age: Duration,
    pub sessions: usize,
    pub owner_sessions: usize,
    pub body_limit: usize,
    pub requests: usize,
    pub streams: usize,
    pub request_timeout: Duration,
    pub open_timeout: Duration,
    pub exec_timeout: Duration,
    pub drain: Duration,
    pub on_shutdown: Shutdown,
    pub log: Level,
}

impl Settings {
    /// Reads them by this function, which tests bring themselves.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Outcome<Self> {
        let vars = Vars(&variable);
        let address: SocketAddr = vars.parsed("ADDR", SocketAddr::from(([127, 0, 0, 1], 8080)))?;
        // Beyond this machine nothing is shown that nobody has asked to be.
        let usual = match address.ip().is_loopback() {
            true => Observe::Anybody,
            false => Observe::Operators,
        };
        let tokens = vars.tokens()?;
        Ok(Self {
            address,
            name: vars.parsed("NAME", "session-service".to_owned())?,
            operators: vars.operators(&tokens)?,
            tokens,
            observe: vars.read("OBSERVE", usual, observe)?,
            audit: vars.get("AUDIT").map(|path| PathBuf::from(path.trim())),
            image: vars.image()?,
            command: vars.read("COMMAND", Vec::new(), words)?,
            memory: vars.read("MEMORY", 512 << 20, size)?,
            cpus: vars.read("CPUS", 1.0, cpus)?,
            warm: vars.parsed("WARM", 0)?,
            lease: vars.read("LEASE", Duration::from_secs(6), lease)?,
            idle: vars.read("IDLE", Duration::from_secs(30 * 60), time)?,
            max_age: vars.read("MAX_AGE", Duration::from_secs(24 * 60 * 60), time)?,
            sessions: vars.read("SESSIONS", 100, count)?,
            owner_sessions: vars.read("OWNER_SESSIONS", 10, count)?,
            body_limit: vars.read("BODY_LIMIT", 16 << 20, bytes_in_memory)?,
            requests: vars.read("REQUESTS", 64, count)?,
            streams: vars.read("STREAMS", 256, count)?,
            request_timeout: vars.read("REQUEST_TIMEOUT", Duration::from_secs(30), time)?,
            open_timeout: vars.read("OPEN_TIMEOUT", Duration::from_secs(120), time)?,
            exec_timeout: vars.read("EXEC_TIMEOUT", Duration::from_secs(600), time)?,
            drain: vars.read("DRAIN", Duration::from_secs(20), time)?,
            on_shutdown: vars.read("ON_SHUTDOWN", Shutdown::LeaveRunning, shutdown)?,
            log: vars.read("LOG", Level::INFO, level)?,
        })
    }
}

/// For the log: whose tokens there are, and no token.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time| humantime::format_duration(time);
        writeln!(f, "  address          {}", self.address)?;
        writeln!(f, "  name             {}", self.name)?;
        writeln!(f, "  owners           {}", self.tokens.owners().join(", "))?;
        writeln!(f, "  operators        {}", self.operators.join(", "))?;
        writeln!(f, "  observed by      {:?}", self.observe)?;
        writeln!(f, "  audit            {:?}", self.audit)?;
        writeln!(f, "  image            {}", self.image)?;
        // Its arguments may hold secrets.
        writeln!(f, "  command          [{} words]", self.command.len())?;
        writeln!(f, "  memory           {} bytes", self.memory)?;
        writeln!(f, "  cpus             {}", self.cpus)?;
        writeln!(f, "  warm             {}", self.warm)?;
        writeln!(f, "  lease            {}", time(self.lease))?;
        writeln!(f, "  idle             {}", time(self.idle))?;
        writeln!(f, "  max age          {}", time(self.max_age))?;
        writeln!(
            f,
            "  sessions         {}, {} of one owner",
            self.sessions, self.owner_sessions
        )?;
        writeln!(f, "  body limit       {} bytes", self.body_limit)?;
        writeln!(
            f,
            "  at once          {} requests, {} streams",
            self.requests, self.streams
        )?;
        writeln!(f, "  request timeout  {}", time(self.request_timeout))?;
        writeln!(f, "  open timeout     {}", time(self.open_timeout))?;
        writeln!(f, "  exec timeout     {}", time(self.exec_timeout))?;
        writeln!(f, "  drain            {}", time(self.drain))?;
        write!(f, "  on shutdown      {:?}", self.on_shutdown)
    }
}

/// The variables, less the prefix of their names.
struct Vars<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Vars<'_> {
    /// Its value; an empty one counts as unset.
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(&format!("SESSION_SERVICE_{name}"))?;
        Some(value).filter(|value| !value.trim().is_empty())
    }

    fn wrong(name: &str, message: impl fmt::Display) -> ConfigError {
        ConfigError {
            variable: format!("SESSION_SERVICE_{name}"),
            message: message.to_string(),
        }
    }

    fn read<T>(&self, name: &str, or: T, read: fn(&str) -> Result<T, String>) -> Outcome<T> {
        match self.get(name) {
            Some(value) => read(value.trim()).map_err(|message| Self::wrong(name, message)),
            None => Ok(or),
        }
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&self, name: &str, or: T) -> Outcome<T> {
        self.read(name, or, |value| {
            value.parse().map_err(|error: T::Err| error.to_string())
        })
    }

    fn image(&self) -> Outcome<ImageRef> {
        let name = self
            .get("IMAGE")
            .ok_or_else(|| Self::wrong("IMAGE", "isn't set: what are sessions to be made of?"))?;
        ImageRef::new(name.trim()).map_err(|error| Self::wrong("IMAGE", error.message()))
    }

    /// Owners between spaces or commas, each of whom has a token.
    fn operators(&self, tokens: &Tokens) -> Outcome<Vec<String>> {
        let text = self.get("OPERATORS").unwrap_or_default();
        let names = text.split([',', ' ', '\t', '\n']);
        let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
        match names.iter().find(|name| !tokens.owners().contains(name)) {
            Some(name) => Err(Self::wrong("OPERATORS", format!("{name} has no token"))),
            None => Ok(names.into_iter().map(str::to_owned).collect()),
        }
    }

    fn tokens(&self) -> Outcome<Tokens> {
        let (name, text) = match (self.get("TOKENS"), self.get("TOKENS_FILE")) {
            (Some(_), Some(_)) => {
                return Err(Self::wrong(
                    "TOKENS",
                    "is set beside _TOKENS_FILE: one of them",
                ));
            }
            (Some(text), None) => ("TOKENS", text),
            (None, Some(path)) => {
                let read = std::fs::read_to_string(path.trim());
                (
                    "TOKENS_FILE",
                    read.map_err(|error| Self::wrong("TOKENS_FILE", error))?,
                )
            }
            (None, None) => {
                return Err(Self::wrong("TOKENS", "isn't set, nor is _TOKENS_FILE"));
            }
        };
        Tokens::parse(&text).map_err(|message| Self::wrong(name, message))
    }
}

/// A JSON array of strings, or words between spaces.
fn words(text: &str) -> Result<Vec<String>, String> {
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|_| "is no JSON array of strings".to_owned());
    }
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time.is_zero() {
        return Err("is no time at all".to_owned());
    }
    Ok(time)
}

/// What a host's lease may be.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = time(text)?;
    let fits = (1..=3600).contains(&lease.as_secs());
    fits.then_some(lease)
        .ok_or_else(|| "isn't from 1s to 1h".to_owned())
}

/// A number of bytes, as `512m`.
fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number = digits
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(1 << shift));
    number
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "is no size, as 512m".to_owned())
}

fn bytes_in_memory(text: &str) -> Result<usize, String> {
    usize::try_from(size(text)?).map_err(|_| "is more than there can be".to_owned())
}

fn cpus(text: &str) -> Result<f64, String> {
    let cpus: Option<f64> = text.parse().ok();
    let positive = cpus.filter(|cpus| cpus.is_finite() && *cpus > 0.0);
    positive.ok_or_else(|| "is no number of CPUs, as 0.5".to_owned())
}

fn count(text: &str) -> Result<usize, String> {
    let count: Option<usize> = text.parse().ok();
    // More than this no semaphore takes, and nobody needs.
    let possible = count.filter(|count| (1..=1 << 20).contains(count));
    possible.ok_or_else(|| "is no count from 1 to a million".to_owned())
}

fn observe(text: &str) -> Result<Observe, String> {
    match text {
        "anybody" => Ok(Observe::Anybody),
        "operators" => Ok(Observe::Operators),
        _ => Err("is neither anybody nor operators".to_owned()),
    }
}

fn shutdown(text: &str) -> Result<Shutdown, String> {
    match text {
        "leave" => Ok(Shutdown::LeaveRunning),
        "drain" => Ok(Shutdown::Drain),
        "close" => Ok(Shutdown::CloseAll),
        _ => Err("is none of leave, drain, close".to_owned()),
    }
}

fn level(text: &str) -> Result<Level, String> {
    text.parse()
        .map_err(|_| "is none of error, warn, info, debug, trace".to_owned())
}
