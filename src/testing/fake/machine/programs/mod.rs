//! The programs that are built in, as busybox has them, and those of the host's test.

mod accounts;
mod files;
mod host;
mod net;
mod options;
mod system;
mod tar;
mod test;
mod text;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::SpawnError;
use super::errno::{Errno, Result};
use super::files::{View, path_of};
use super::io::{Open, PIECE, Table};
use super::node::Kind;
use super::process::Proc;
use super::shell;
use super::world::World;

use host::HostProgram;
pub use host::Process;
pub(crate) use host::Programs;

/// How many interpreters stand before each other.
const MAX_INTERPRETERS: usize = 4;

/// What a program is given.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) world: Arc<World>,
    pub(super) process: Arc<Proc>,
    pub(super) files: Table,
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) cwd: String,
}

/// Why a program ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody reads what it writes.
    Pipe,
    /// What it complains of, and its exit code.
    Said(String, i64),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::Pipe => Self::Pipe,
            other => Self::Said(other.to_string(), 1),
        }
    }
}

/// With the file that it is about.
fn about(path: &str) -> impl Fn(Errno) -> Failure {
    move |errno| match errno {
        Errno::Pipe => Failure::Pipe,
        other => Failure::Said(format!("{path}: {other}"), 1),
    }
}

fn said(message: impl Into<String>) -> Failure {
    Failure::Said(message.into(), 1)
}

type Ended = std::result::Result<i64, Failure>;

impl Context {
    pub(super) fn view(&self) -> View<'_> {
        self.world.view(self.process.pid, self.process.user)
    }

    pub(super) async fn out(&self, bytes: &[u8]) -> Result<()> {
        self.files.get(1)?.write(bytes).await
    }

    async fn say(&self, text: impl AsRef<str>) -> Result<()> {
        self.out(text.as_ref().as_bytes()).await
    }

    pub(super) async fn complain(&self, message: &str) {
        let name = self.name();
        if let Ok(errors) = self.files.get(2) {
            let _ = errors
                .write(format!("{name}: {message}\n").as_bytes())
                .await;
        }
    }

    fn name(&self) -> &str {
        let name = self.argv.first().map_or("", String::as_str);
        name.rsplit('/').next().unwrap_or(name)
    }

    fn env(&self, name: &str) -> Option<&str> {
        let pairs = self.env.iter().filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value)
            .next_back()
    }

    /// The next piece of the input; none at its end.
    async fn input(&self) -> Result<bytes::Bytes> {
        self.files.get(0)?.read(PIECE).await
    }

    /// A file, or the input where it is `-`.
    async fn whole(&self, path: &str) -> std::result::Result<Vec<u8>, Failure> {
        if path != "-" {
            return self.view().contents(&self.cwd, path).map_err(about(path));
        }
        let mut all = Vec::new();
        loop {
            let piece = self.input().await?;
            if piece.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&piece);
            self.world.holds(&self.process, all.len() as u64);
        }
    }

    /// All files, or the input where none is named.
    async fn all(&self, paths: &[String]) -> std::result::Result<Vec<u8>, Failure> {
        if paths.is_empty() {
            return self.whole("-").await;
        }
        let mut all = Vec::new();
        for path in paths {
            all.extend(self.whole(path).await?);
        }
        Ok(all)
    }
}

/// Passes all on.
async fn copy(from: &Open, to: &Open) -> Result<()> {
    loop {
        let piece = from.read(PIECE).await?;
        if piece.is_empty() {
            return Ok(());
        }
        to.write(&piece).await?;
    }
}

type BuiltIn = fn(Context) -> BoxFuture<'static, i64>;

/// What is run as a program.
pub(super) enum Program {
    BuiltIn(BuiltIn),
    Host(HostProgram),
    /// A script: what stands before its own arguments.
    Script(Vec<String>, Box<Program>),
}

impl Program {
    pub(super) fn run(self, mut context: Context) -> BoxFuture<'static, i64> {
        match self {
            Self::BuiltIn(program) => program(context),
            Self::Host(program) => program(Process::new(context)),
            Self::Script(before, interpreter) => {
                let rest = context.argv.drain(..).skip(1);
                context.argv = before.into_iter().chain(rest).collect();
                interpreter.run(context)
            }
        }
    }
}

macro_rules! programs {
    ($($name:literal => $program:path),+ $(,)?) => {
        /// The names of those that are built in.
        pub(super) fn names() -> impl Iterator<Item = &'static str> {
            [$($name),+].into_iter()
        }

        /// The one of that name.
        pub(super) fn built_in(name: &str) -> Option<BuiltIn> {
            Some(match name {
                $($name => |context| finished(context, $program).boxed(),)+
                _ => return None,
            })
        }
    };
}

programs! {
    "[" => test::test, "ash" => sh, "basename" => files::basename, "cat" => text::cat, "chmod" => files::chmod,
    "chown" => files::chown, "cp" => files::cp, "cut" => text::cut, "date" => system::date, "dd" => files::dd,
    "df" => files::df, "dirname" => files::dirname, "du" => files::du, "echo" => text::echo, "env" => system::env,
    "false" => system::no, "find" => files::find, "grep" => text::grep, "head" => text::head,
    "hostname" => system::hostname, "id" => system::id, "kill" => system::kill, "ln" => files::ln,
    "ls" => files::ls, "mkdir" => files::mkdir, "mktemp" => files::mktemp, "mv" => files::mv, "nc" => net::nc,
    "nice" => system::wrapped, "nohup" => system::wrapped, "nproc" => system::nproc,
    "printenv" => system::printenv, "printf" => text::printf, "ps" => system::ps, "pwd" => system::pwd,
    "readlink" => files::readlink, "rm" => files::rm, "rmdir" => files::rmdir, "seq" => text::seq,
    "setsid" => system::wrapped, "sh" => sh, "sleep" => system::sleep, "sort" => text::sort, "stat" => files::stat,
    "stty" => system::stty, "sync" => system::yes_it_is, "tail" => text::tail, "tar" => tar::tar, "tee" => text::tee,
    "test" => test::test, "timeout" => system::timeout, "touch" => files::touch, "tr" => text::tr,
    "true" => system::yes_it_is, "uname" => system::uname, "uniq" => text::uniq, "wc" => text::wc,
    "whoami" => system::whoami, "xargs" => system::xargs, "yes" => text::yes,
}

async fn sh(context: Context) -> Ended {
    Ok(shell::sh(context).await)
}

/// How a program ended: what it failed of is said.
async fn finished<F: Future<Output = Ended>>(
    context: Context,
    program: impl Fn(Context) -> F,
) -> i64 {
    // Nothing but what a complaint needs is kept beside it.
    let (name, errors) = (context.name().to_owned(), context.files.get(2).cloned());
    match program(context).await {
        Ok(code) => code,
        Err(Failure::Pipe) => 128 + i64::from(super::process::PIPE),
        Err(Failure::Said(message, code)) => {
            if let Ok(errors) = errors {
                let _ = errors
                    .write(format!("{name}: {message}\n").as_bytes())
                    .await;
            }
            code
        }
    }
}

/// What a runtime says of a program that isn't there.
fn absent(name: &str) -> SpawnError {
    let message = match name.contains('/') {
        true => format!("exec: \"{name}\": stat {name}: no such file or directory"),
        false => format!("exec: \"{name}\": executable file not found in $PATH"),
    };
    SpawnError { code: 127, message }
}

/// The program that a command names.
pub(super) fn find(
    world: &World,
    argv: &[String],
    env: &[String],
    cwd: &str,
    user: (u32, u32),
) -> std::result::Result<Program, SpawnError> {
    let name = argv.first().map_or("", String::as_str);
    let view = world.view(0, user);
    let mut refused = None;
    for path in places(name, env) {
        match file(view, cwd, &path, name, MAX_INTERPRETERS) {
            Ok(program) => return Ok(program),
            Err(Errno::NoEntry | Errno::NotDirectory) => {}
            Err(errno) => refused = refused.or(Some(errno)),
        }
    }
    let own = name.rsplit('/').next().unwrap_or(name);
    if let Some(program) = world.setup().programs.get(own) {
        return Ok(Program::Host(program));
    }
    Err(match refused {
        Some(errno) => SpawnError {
            code: 126,
            message: format!("exec: \"{name}\": {}", errno.to_string().to_lowercase()),
        },
        None => absent(name),
    })
}

/// Where it may be.
fn places(name: &str, env: &[String]) -> Vec<String> {
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    let path = env.iter().rev().find_map(|pair| pair.strip_prefix("PATH="));
    let path = path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    path.split(':')
        .map(|directory| format!("{directory}/{name}"))
        .collect()
}

/// The file that a name leads to, as `command -v` tells it.
pub(super) fn locate(context: &Context, name: &str, env: &[String]) -> Option<String> {
    let view = context.view();
    let found = places(name, env).into_iter().find(|path| {
        let node = view.find(&context.cwd, path);
        node.is_ok_and(|node| !node.is_directory() && node.allows(context.process.user, 1))
    });
    let host = context.world.setup().programs.get(name).is_some();
    found.or_else(|| host.then(|| format!("/usr/bin/{name}")))
}

fn file(view: View<'_>, cwd: &str, path: &str, name: &str, depth: usize) -> Result<Program> {
    let place = view.resolve(cwd, path, true)?;
    let node = view.look(&place)?;
    let Kind::File(body) = &node.kind else {
        return Err(Errno::Access);
    };
    if !node.allows(view.user, 1) || !view.runs(&place) {
        return Err(Errno::Access);
    }
    let head = body.read(0, 128);
    let own = name.rsplit('/').next().unwrap_or(name);
    if head.starts_with(b"\x7fELF") {
        if let Some(program) = view.world.setup().programs.get(own) {
            return Ok(Program::Host(program));
        }
        return built_in(own)
            .map(Program::BuiltIn)
            .ok_or(Errno::NotExecutable);
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    let script = path_of(&place);
    let Some(interpreter) = line.strip_prefix("#!") else {
        return Err(Errno::NotExecutable);
    };
    let depth = depth.checked_sub(1).ok_or(Errno::Loop)?;
    let words: Vec<String> = interpreter.split_whitespace().map(str::to_owned).collect();
    let first = words.first().ok_or(Errno::NotExecutable)?;
    let program = file(view, cwd, first, first, depth)?;
    let before = words.into_iter().chain([script]).collect();
    Ok(Program::Script(before, Box::new(program)))
}
