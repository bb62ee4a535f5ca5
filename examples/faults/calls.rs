//! What a caller may ask, and what it may be told.

use async_trait::async_trait;
use catamaran::Effect;

/// Tells which run made something.
pub const RUN: &str = "faults.run";
/// Tells one creation from every other.
pub const TOKEN: &str = "faults.token";
/// Tells whose it is.
pub const WORKER: &str = "faults.worker";
/// Where each container has the volume to which programs write that they ran.
pub const TALLY: &str = "/tally";
/// How long a program has to stop by itself.
pub const STOP_SECONDS: u16 = 1;

/// What a container runs. Each run writes its token first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Until it is ended.
    Service,
    /// Ends with this exit code.
    Job(i64),
}

impl Program {
    pub fn line(self, token: &str) -> String {
        match self {
            Self::Service => format!("echo r-{token} >> {TALLY}/log; exec sleep 3600"),
            Self::Job(code) => format!("echo r-{token} >> {TALLY}/log; exit {code}"),
        }
    }
}

/// A command in a container.
#[derive(Debug, Clone)]
pub struct Command {
    pub token: String,
    pub code: i64,
}

impl Command {
    pub fn line(&self) -> String {
        format!("echo x-{} >> {TALLY}/log; exit {}", self.token, self.code)
    }
}

/// What is common to all that a run makes.
#[derive(Debug, Clone)]
pub struct Setting {
    pub run: String,
    pub image: String,
    /// The volume to which programs write that they ran.
    pub tally: String,
}

impl Setting {
    /// The names of two hosts.
    pub fn hosts(&self) -> [String; 2] {
        [self.run.clone(), format!("{}-another", self.run)]
    }
}

/// A call. Containers are named by id.
#[derive(Debug, Clone)]
pub enum Call {
    Create {
        name: Option<String>,
        token: String,
        worker: u64,
        program: Program,
    },
    Start(String),
    Stop(String),
    Kill(String),
    Pause(String),
    Unpause(String),
    Rename(String, String),
    /// New CPU shares.
    Update(String, u32),
    /// Kills it if it runs.
    Remove(String),
    Exec(String, Command),
    Wait(String),
    Inspect(String),
    /// The containers of a worker.
    List(u64),
    CreateNetwork {
        name: String,
        token: String,
    },
    RemoveNetwork(String),
    CreateVolume {
        name: Option<String>,
        token: String,
    },
    RemoveVolume(String),
}

impl Call {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { name: Some(_), .. } => "create (named)",
            Self::Create { name: None, .. } => "create (nameless)",
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Unpause(_) => "unpause",
            Self::Rename(..) => "rename",
            Self::Update(..) => "update",
            Self::Remove(_) => "remove",
            Self::Exec(..) => "exec",
            Self::Wait(_) => "wait",
            Self::Inspect(_) => "inspect",
            Self::List(_) => "list",
            Self::CreateNetwork { .. } => "create network",
            Self::RemoveNetwork(_) => "remove network",
            Self::CreateVolume { name: Some(_), .. } => "create volume (named)",
            Self::CreateVolume { name: None, .. } => "create volume (nameless)",
            Self::RemoveVolume(_) => "remove volume",
        }
    }

    /// Whether it changes nothing: its failure leaves nothing in doubt.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Wait(_) | Self::Inspect(_) | Self::List(_))
    }
}

/// A good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// The id, or a volume's name.
    Made(String),
    Code(i64),
    /// The exit code, of one that has ended.
    Shown {
        name: String,
        ended_with: Option<i64>,
    },
    /// Ids.
    Listed(Vec<String>),
}

/// A bad one.
#[derive(Debug, Clone)]
pub struct Failure {
    pub effect: Effect,
    pub not_found: bool,
    pub text: String,
}

pub type Told = Result<Answer, Failure>;

/// What is under test.
#[async_trait]
pub trait Client: Send + Sync {
    async fn call(&self, call: &Call) -> Told;
}

/// What a call came to, as its caller knows.
#[derive(Debug, Clone)]
pub enum Ended {
    Told(Told),
    /// The caller went away.
    Dropped,
}

/// What the caller may take for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    Done,
    NotDone,
    Unsure,
}

impl Ended {
    pub fn certainty(&self) -> Certainty {
        match self {
            Self::Told(Ok(_)) => Certainty::Done,
            Self::Told(Err(failure)) => match failure.effect {
                Effect::NotSent | Effect::Rejected => Certainty::NotDone,
                Effect::Unknown => Certainty::Unsure,
                // Any other that there may be says that it happened.
                _ => Certainty::Done,
            },
            Self::Dropped => Certainty::Unsure,
        }
    }

    /// In a column of the table, and in a history.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Told(Ok(_)) => "ok",
            Self::Told(Err(failure)) => match failure.effect {
                Effect::NotSent => "not sent",
                Effect::Rejected => "refused",
                Effect::Unknown => "unknown",
                _ => "other",
            },
        }
    }
}
