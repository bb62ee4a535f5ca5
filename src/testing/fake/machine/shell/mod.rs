//! A POSIX shell, as far as programs in containers use it: it forks, waits and traps as one.

mod arithmetic;
mod builtins;
mod expand;
mod parse;
mod pattern;
mod syntax;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::errno::{Errno, Result as FileResult};
use super::files::Opened;
use super::io::{Open, PIECE, Table};
use super::process::{Exit, INT, Made, Proc};
use super::programs::{self, Context, Program};
use syntax::{Command, Compound, Item, List, Pipeline, Redirection, Target, Word};

/// After so many commands a shell lets others have a turn; a loop without end is no load on the test's host.
const TURN: u32 = 1024;
/// How deep functions may call each other.
const MAX_DEPTH: usize = 32;

/// What ends more than one command.
enum Jump {
    /// A program takes this shell's place, of which nothing is kept meanwhile.
    Become(Box<(Program, Context)>),
    Break(u32),
    Continue(u32),
    Return(i64),
    Exit(i64),
}

type Ran = Result<i64, Jump>;

struct Shell {
    context: Context,
    /// `$0`.
    name: String,
    positional: Vec<String>,
    /// Value, and whether commands are given it.
    variables: HashMap<String, (String, bool)>,
    functions: HashMap<String, Arc<Command>>,
    /// What is done on a signal; 0 is the end.
    traps: BTreeMap<i32, String>,
    options: Vec<char>,
    umask: u32,
    status: i64,
    last_background: Option<u32>,
    children: Vec<(u32, watch::Receiver<Option<Exit>>)>,
    steps: u32,
    depth: usize,
    /// The next simple command is the last: a program takes this shell's place, as in shells that forked for it.
    in_place: bool,
}

/// `sh [-c LINE [NAME]] [FILE] [ARGUMENT…]`
pub(super) async fn sh(context: Context) -> i64 {
    settle(Box::pin(interpret(context))).await
}

/// What becomes of a process whose shell is over.
enum Over {
    Ended(i64),
    Becomes(Box<(Program, Context)>),
}

/// Nothing of a shell is kept while another program stands in its place.
async fn settle(shell: impl Future<Output = Over> + Unpin) -> i64 {
    match shell.await {
        Over::Ended(code) => code,
        Over::Becomes(next) => {
            let (program, context) = *next;
            program.run(context).await
        }
    }
}

async fn interpret(context: Context) -> Over {
    let mut arguments = context.argv.iter().skip(1).cloned().peekable();
    let mut options = Vec::new();
    let mut line = false;
    while let Some(option) = arguments.next_if(|text| text.len() > 1 && text.starts_with('-')) {
        if option == "--" {
            break;
        }
        for letter in option.chars().skip(1) {
            match letter {
                'c' => line = true,
                letter => options.push(letter),
            }
        }
    }
    let own = context.argv.first().cloned().unwrap_or_default();
    let (text, name) = match (line, arguments.next()) {
        (true, Some(text)) => (text, arguments.next().unwrap_or(own)),
        (true, None) => {
            context.complain("-c requires an argument").await;
            return Over::Ended(2);
        }
        (false, Some(file)) => match context.view().contents(&context.cwd, &file) {
            Ok(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), file),
            Err(errno) => {
                context
                    .complain(&format!("can't open '{file}': {errno}"))
                    .await;
                return Over::Ended(127);
            }
        },
        // What is typed or piped in: each line is run as it comes.
        (false, None) => return Shell::new(context, own, Vec::new(), options).listen().await,
    };
    let positional = arguments.collect();
    Shell::new(context, name, positional, options)
        .script(&text)
        .await
}

impl Shell {
    fn new(context: Context, name: String, positional: Vec<String>, options: Vec<char>) -> Self {
        let pairs = context.env.iter().filter_map(|pair| pair.split_once('='));
        let variables = pairs.map(|(name, value)| (name.to_owned(), (value.to_owned(), true)));
        let mut shell = Self {
            variables: variables.collect(),
            name,
            positional,
            functions: HashMap::new(),
            traps: BTreeMap::new(),
            options,
            umask: 0o022,
            status: 0,
            last_background: None,
            children: Vec::new(),
            steps: 0,
            depth: 0,
            in_place: false,
            context,
        };
        shell.set("PWD", shell.context.cwd.clone());
        shell
    }

    async fn script(mut self, text: &str) -> Over {
        let ran = self.eval_all(text, true).await;
        self.ends(ran).await
    }

    async fn listen(mut self) -> Over {
        let mut text = String::new();
        loop {
            let input = self.context.files.get(0).cloned();
            let more = match input {
                Ok(input) => input.read(PIECE).await.unwrap_or_default(),
                Err(_) => Bytes::new(),
            };
            text.push_str(&String::from_utf8_lossy(&more));
            // A command that isn't whole yet waits for the next line.
            let whole = more.is_empty() || (text.ends_with('\n') && parse::parse(&text).is_ok());
            if whole {
                let ran = self.eval(&std::mem::take(&mut text)).await;
                if ran.is_err() || more.is_empty() {
                    return self.ends(ran).await;
                }
            }
        }
    }

    /// The exit code, once what is to be done at the end is done.
    async fn ends(mut self, ran: Ran) -> Over {
        let code = match ran {
            Err(Jump::Become(next)) => return Over::Becomes(next),
            Ok(_) => self.status,
            Err(Jump::Exit(code) | Jump::Return(code)) => code,
            Err(Jump::Break(_) | Jump::Continue(_)) => self.status,
        };
        self.status = code;
        Over::Ended(match self.traps.remove(&0) {
            Some(last) => match self.eval(&last).await {
                Err(Jump::Exit(code)) => code,
                _ => code,
            },
            None => code,
        })
    }

    async fn eval(&mut self, text: &str) -> Ran {
        self.eval_all(text, false).await
    }

    /// `last`: nothing comes after it.
    async fn eval_all(&mut self, text: &str, last: bool) -> Ran {
        match parse::parse(text) {
            Ok(list) => {
                if let ([item], true) = (list.as_slice(), last) {
                    self.in_place = is_one_program(item);
                }
                self.list(&list).await
            }
            Err(message) => {
                self.complain(&message).await;
                self.status = 2;
                Err(Jump::Exit(2))
            }
        }
    }

    async fn complain(&self, message: &str) {
        let line = format!("{}: {message}\n", self.name);
        if let Ok(errors) = self.context.files.get(2) {
            let _ = errors.write(line.as_bytes()).await;
        }
    }

    /// An expansion that fails ends the shell.
    async fn fails(&mut self, message: &str) -> Jump {
        self.complain(message).await;
        Jump::Exit(2)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|(value, _)| value.clone())
    }

    fn set(&mut self, name: &str, value: String) {
        let entry = self.variables.entry(name.to_owned()).or_default();
        entry.0 = value;
    }

    fn parameter_value(&self, name: &str) -> Option<String> {
        Some(match name {
            "?" => self.status.to_string(),
            "#" => self.positional.len().to_string(),
            "$" => self.context.process.pid.to_string(),
            "!" => self.last_background?.to_string(),
            "-" => self.options.iter().collect(),
            "0" => self.name.clone(),
            "@" | "*" => self.positional.join(" "),
            name => match name.parse::<usize>() {
                Ok(number) => self.positional.get(number.checked_sub(1)?)?.clone(),
                Err(_) => return self.variable(name),
            },
        })
    }

    /// What commands are given.
    fn environment(&self) -> Vec<String> {
        let exported = self.variables.iter().filter(|(_, (_, exported))| *exported);
        let mut pairs: Vec<String> = exported
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        pairs.sort();
        pairs
    }

    /// Between two commands: signals, and others' turns.
    async fn turn(&mut self) -> Result<(), Jump> {
        if self.context.process.is_held() {
            tokio::task::yield_now().await;
        }
        self.steps += 1;
        if self.steps.is_multiple_of(TURN) {
            let began = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            // For its container it ran all the time.
            let share = self.context.world.share();
            self.context
                .process
                .uses_cpu(began.elapsed().mul_f64(share));
        }
        self.handle_signals().await
    }

    async fn handle_signals(&mut self) -> Result<(), Jump> {
        while let Some(signal) = self.context.process.next_caught() {
            if let Some(action) = self.traps.get(&signal).cloned() {
                let status = self.status;
                self.eval(&action).await?;
                self.status = status;
            }
        }
        Ok(())
    }

    fn list<'a>(&'a mut self, list: &'a List) -> BoxFuture<'a, Ran> {
        async move {
            for item in list {
                match item.background {
                    true => self.begin(item).await?,
                    false => {
                        self.item(item).await?;
                    }
                }
            }
            Ok(self.status)
        }
        .boxed()
    }

    async fn item(&mut self, item: &Item) -> Ran {
        let mut status = self.pipeline(&item.first).await?;
        // What is asked about doesn't end a shell with `-e`.
        let mut asked = item.first.negated || !item.rest.is_empty();
        for (index, (and, pipeline)) in item.rest.iter().enumerate() {
            if *and == (status == 0) {
                status = self.pipeline(pipeline).await?;
                asked = pipeline.negated || index + 1 < item.rest.len();
            }
        }
        if status != 0 && !asked && self.options.contains(&'e') {
            return Err(Jump::Exit(status));
        }
        Ok(status)
    }

    /// Runs it beside what follows.
    async fn begin(&mut self, item: &Item) -> Result<(), Jump> {
        let mut item = item.clone();
        item.background = false;
        let forked = self.fork(
            |shell| {
                shell.context.files.set(0, Open::null());
                shell.context.process.trap(INT, false, true);
            },
            move |mut shell| async move {
                shell.in_place = is_one_program(&item);
                let ran = shell.item(&item).await;
                shell.ends(ran).await
            },
        );
        match forked {
            Ok(process) => {
                self.last_background = Some(process.pid);
                self.children.push((process.pid, process.exits()));
                self.status = 0;
                Ok(())
            }
            Err(errno) => Err(self.cannot_fork(errno).await),
        }
    }

    async fn cannot_fork(&mut self, errno: Errno) -> Jump {
        self.fails(&format!("can't fork: {errno}")).await
    }

    /// A process of its own with all that this shell knows.
    fn fork<F: Future<Output = Over> + Send + 'static>(
        &self,
        set_up: impl FnOnce(&mut Self),
        run: impl FnOnce(Self) -> F,
    ) -> FileResult<Arc<Proc>> {
        let own = &self.context.process;
        let made = |pid| Made {
            pid,
            parent: own.pid,
            user: own.user,
            privileged: own.privileged,
            argv: own.argv(),
            environ: own.environ(),
            terminal: own.terminal.clone(),
            first: false,
            ignored: own.ignored(),
        };
        let world = Arc::clone(&self.context.world);
        world.spawn(made, |process| {
            let mut context = self.context.clone();
            context.process = Arc::clone(process);
            let mut shell = Self {
                context,
                name: self.name.clone(),
                positional: self.positional.clone(),
                variables: self.variables.clone(),
                functions: self.functions.clone(),
                // What is ignored stays so; what was caught is as by default.
                traps: BTreeMap::new(),
                options: self.options.clone(),
                umask: self.umask,
                status: self.status,
                last_background: self.last_background,
                children: Vec::new(),
                steps: 0,
                depth: self.depth,
                in_place: false,
            };
            set_up(&mut shell);
            settle(Box::pin(run(shell))).boxed()
        })
    }

    async fn pipeline(&mut self, pipeline: &Pipeline) -> Ran {
        self.turn().await?;
        let status = match pipeline.commands.as_slice() {
            [command] => self.command(command).await?,
            commands => self.pipe(commands).await?,
        };
        self.status = match pipeline.negated {
            true => i64::from(status == 0),
            false => status,
        };
        self.handle_signals().await?;
        Ok(self.status)
    }

    async fn pipe(&mut self, commands: &[Arc<Command>]) -> Ran {
        let mut input: Option<Arc<Open>> = None;
        let mut exits = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            let (read, write) = match index + 1 < commands.len() {
                true => {
                    let (read, write) = Open::pipe();
                    (Some(read), Some(write))
                }
                false => (None, None),
            };
            let before = std::mem::replace(&mut input, read);
            let command = Arc::clone(command);
            let forked = self.fork(
                |shell| {
                    before
                        .into_iter()
                        .for_each(|open| shell.context.files.set(0, open));
                    write
                        .into_iter()
                        .for_each(|open| shell.context.files.set(1, open));
                },
                |mut shell| async move {
                    shell.in_place = matches!(&*command, Command::Simple { .. });
                    let ran = shell.command(&command).await;
                    let ran = ran.inspect(|status| shell.status = *status);
                    shell.ends(ran).await
                },
            );
            match forked {
                Ok(process) => exits.push(process.exits()),
                Err(errno) => return Err(self.cannot_fork(errno).await),
            }
        }
        let mut status = 0;
        for exit in exits {
            status = ended(exit).await;
        }
        Ok(status)
    }

    /// The output of commands, without the line breaks at its end.
    async fn substitute(&mut self, list: &Arc<List>) -> Result<String, Jump> {
        let (read, write) = Open::pipe();
        let list = Arc::clone(list);
        let forked = self.fork(
            |shell| shell.context.files.set(1, write),
            |mut shell| async move {
                let ran = shell.list(&list).await;
                shell.ends(ran).await
            },
        );
        let process = match forked {
            Ok(process) => process,
            Err(errno) => return Err(self.cannot_fork(errno).await),
        };
        let mut output = Vec::new();
        while let Ok(piece) = read.read(PIECE).await {
            if piece.is_empty() {
                break;
            }
            output.extend_from_slice(&piece);
        }
        self.status = ended(process.exits()).await;
        output.retain(|byte| *byte != 0);
        let text = String::from_utf8_lossy(&output).into_owned();
        Ok(text.trim_end_matches('\n').to_owned())
    }

    fn command<'a>(&'a mut self, command: &'a Command) -> BoxFuture<'a, Ran> {
        async move {
            match command {
                Command::Simple {
                    assignments,
                    words,
                    redirections,
                } => self.simple(assignments, words, redirections).await,
                Command::Function(name, body) => {
                    self.functions.insert(name.clone(), Arc::clone(body));
                    Ok(0)
                }
                Command::Compound(compound, redirections) => {
                    let files = self.context.files.clone();
                    let ran = match self.redirect(redirections).await? {
                        true => self.compound(compound).await,
                        false => Ok(1),
                    };
                    self.context.files = files;
                    ran
                }
            }
        }
        .boxed()
    }

    async fn compound(&mut self, compound: &Compound) -> Ran {
        match compound {
            Compound::Group(list) => self.list(list).await,
            Compound::Subshell(list) => {
                let list = Arc::clone(list);
                let forked = self.fork(
                    |_| {},
                    |mut shell| async move {
                        let ran = shell.list(&list).await;
                        shell.ends(ran).await
                    },
                );
                match forked {
                    Ok(process) => Ok(ended(process.exits()).await),
                    Err(errno) => Err(self.cannot_fork(errno).await),
                }
            }
            Compound::If(arms, otherwise) => {
                for (condition, body) in arms {
                    if self.condition(condition).await? == 0 {
                        return self.list(body).await;
                    }
                }
                self.status = 0;
                match otherwise {
                    Some(body) => self.list(body).await,
                    None => Ok(0),
                }
            }
            Compound::While(condition, body, until) => {
                let mut status = 0;
                loop {
                    if (self.condition(condition).await? == 0) == *until {
                        return Ok(status);
                    }
                    match self.pass(body).await? {
                        Some(last) => status = last.unwrap_or(status),
                        None => return Ok(0),
                    }
                }
            }
            Compound::For(name, words, body) => {
                let values = match words {
                    Some(words) => self.fields(words).await?,
                    None => self.positional.clone(),
                };
                let mut status = 0;
                for value in values {
                    self.set(name, value);
                    match self.pass(body).await? {
                        Some(last) => status = last.unwrap_or(status),
                        None => return Ok(0),
                    }
                }
                Ok(status)
            }
            Compound::Case(word, arms) => {
                let text: Vec<char> = self.text(word).await?.chars().collect();
                for (patterns, body) in arms {
                    for pattern in patterns {
                        let marks = self.marks(pattern).await?;
                        if pattern::matches(&marks, &text) {
                            self.status = 0;
                            return self.list(body).await;
                        }
                    }
                }
                Ok(0)
            }
        }
    }

    /// A loop's body, once: its status, unless it went on from within; `None` where the loop is over.
    async fn pass(&mut self, body: &List) -> Result<Option<Option<i64>>, Jump> {
        match self.list(body).await {
            Ok(status) => Ok(Some(Some(status))),
            Err(Jump::Break(0 | 1)) => Ok(None),
            Err(Jump::Continue(0 | 1)) => Ok(Some(None)),
            // It leads further out.
            Err(Jump::Break(levels)) => Err(Jump::Break(levels - 1)),
            Err(Jump::Continue(levels)) => Err(Jump::Continue(levels - 1)),
            Err(jump) => Err(jump),
        }
    }

    /// What a condition says doesn't end a shell with `-e`.
    async fn condition(&mut self, list: &List) -> Ran {
        let options = self.options.clone();
        self.options.retain(|option| *option != 'e');
        let ran = self.list(list).await;
        self.options = options;
        ran
    }

    async fn simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        redirections: &[Redirection],
    ) -> Ran {
        let in_place = std::mem::take(&mut self.in_place);
        self.status = if words.is_empty() { 0 } else { self.status };
        let arguments = self.fields(words).await?;
        // What is held here stays open.
        let files = match in_place {
            true => Table::default(),
            false => self.context.files.clone(),
        };
        if !self.redirect(redirections).await? {
            self.context.files = files;
            return Ok(1);
        }
        let mut values = Vec::new();
        for (name, word) in assignments {
            values.push((name.as_str(), self.text(word).await?));
        }
        let Some(command) = arguments.first() else {
            for (name, value) in values {
                self.set(name, value);
            }
            self.context.files = files;
            return Ok(self.status);
        };
        if command == "exec" {
            // Its redirections stay.
            return self.exec(&arguments, values).await;
        }
        let before: Vec<_> = values
            .iter()
            .map(|(name, _)| (*name, self.variables.get(*name).cloned()))
            .collect();
        for (name, value) in values {
            self.variables.insert(name.to_owned(), (value, true));
        }
        let ran = self.dispatch(&arguments, in_place).await;
        for (name, value) in before {
            match value {
                Some(value) => self.variables.insert(name.to_owned(), value),
                None => self.variables.remove(name),
            };
        }
        self.context.files = files;
        ran
    }

    async fn dispatch(&mut self, arguments: &[String], in_place: bool) -> Ran {
        let name = arguments.first().map_or("", String::as_str);
        if let Some(body) = self.functions.get(name).cloned() {
            return self.call(&body, arguments).await;
        }
        if let Some(ran) = self.built_in(arguments).await {
            return ran;
        }
        match in_place {
            true => self.replace(arguments).await,
            false => self.run(arguments).await,
        }
    }

    async fn call(&mut self, body: &Command, arguments: &[String]) -> Ran {
        if self.depth >= MAX_DEPTH {
            return Err(self.fails("too many nested functions").await);
        }
        let given = arguments.iter().skip(1).cloned().collect();
        let before = std::mem::replace(&mut self.positional, given);
        self.depth += 1;
        let ran = self.command(body).await;
        self.depth -= 1;
        self.positional = before;
        match ran {
            Err(Jump::Return(status)) => Ok(status),
            ran => ran,
        }
    }

    /// A program in a process of its own.
    async fn run(&mut self, arguments: &[String]) -> Ran {
        let env = self.environment();
        let own = &self.context.process;
        let world = Arc::clone(&self.context.world);
        let found = programs::find(&world, arguments, &env, &self.context.cwd, own.user);
        let program = match found {
            Ok(program) => program,
            Err(error) => return Ok(self.not_found(arguments, error.code).await),
        };
        let made = |pid| Made {
            pid,
            parent: own.pid,
            user: own.user,
            privileged: own.privileged,
            argv: arguments.to_vec(),
            environ: env.clone(),
            terminal: own.terminal.clone(),
            first: false,
            ignored: own.ignored(),
        };
        let spawned = world.spawn(made, |process| {
            let mut context = self.context.clone();
            context.process = Arc::clone(process);
            context.argv = arguments.to_vec();
            context.env.clone_from(&env);
            program.run(context)
        });
        match spawned {
            Ok(process) => Ok(ended(process.exits()).await),
            Err(errno) => Err(self.cannot_fork(errno).await),
        }
    }

    /// Another program in the place of this shell.
    async fn exec(&mut self, arguments: &[String], values: Vec<(&str, String)>) -> Ran {
        for (name, value) in values {
            self.variables.insert(name.to_owned(), (value, true));
        }
        let arguments = arguments.get(1..).unwrap_or_default();
        if arguments.is_empty() {
            return Ok(0);
        }
        match self.replace(arguments).await {
            Ok(code) => Err(Jump::Exit(code)),
            jump => jump,
        }
    }

    /// The same once its redirections are made. It comes back where there is no such program.
    async fn replace(&mut self, arguments: &[String]) -> Ran {
        let env = self.environment();
        let mut context = self.context.clone();
        let user = context.process.user;
        match programs::find(&context.world, arguments, &env, &context.cwd, user) {
            Ok(program) => {
                context.process.becomes(arguments.to_vec(), env.clone());
                context.argv = arguments.to_vec();
                context.env = env;
                // What this shell held open is the program's alone.
                self.context.files = Table::default();
                self.traps.clear();
                Err(Jump::Become(Box::new((program, context))))
            }
            Err(error) => Ok(self.not_found(arguments, error.code).await),
        }
    }

    async fn not_found(&self, arguments: &[String], code: i64) -> i64 {
        let name = arguments.first().map_or("", String::as_str);
        let why = match code {
            126 => "Permission denied",
            _ => "not found",
        };
        self.complain(&format!("{name}: {why}")).await;
        code
    }

    /// Whether all could be opened.
    async fn redirect(&mut self, redirections: &[Redirection]) -> Result<bool, Jump> {
        for redirection in redirections {
            let number = redirection.number;
            let (word, told) = match &redirection.to {
                Target::Read(word) => (word, "open"),
                Target::Write(word) | Target::Append(word) | Target::Both(word) => (word, "create"),
                Target::Same(word) | Target::Text(word) => (word, ""),
            };
            let text = self.text(word).await?;
            let opened = match &redirection.to {
                Target::Read(_) => self.open_read(&text),
                Target::Write(_) => self.open_write(&text, true, false),
                Target::Append(_) => self.open_write(&text, false, true),
                Target::Both(_) => self.open_write(&text, false, false),
                Target::Text(_) => Ok(Open::file(
                    super::node::Body::sealed(text.clone().into_bytes()),
                    false,
                )),
                Target::Same(_) if text == "-" => {
                    self.context.files.close(number);
                    continue;
                }
                Target::Same(_) => match text.parse() {
                    Ok(other) => self.context.files.get(other).cloned(),
                    Err(_) => Err(Errno::BadFile),
                },
            };
            match opened {
                Ok(open) => self.context.files.set(number, open),
                Err(errno) => {
                    let why = match (errno, told) {
                        (Errno::NoEntry, "open") => "no such file".to_owned(),
                        (Errno::NoEntry, _) => "nonexistent directory".to_owned(),
                        (errno, _) => errno.to_string(),
                    };
                    let told = if told.is_empty() {
                        String::new()
                    } else {
                        format!("can't {told} ")
                    };
                    self.complain(&format!("{told}{text}: {why}")).await;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn open_read(&self, path: &str) -> FileResult<Arc<Open>> {
        Ok(
            match self.context.view().readable(&self.context.cwd, path)? {
                Opened::File(body) => Open::file(body, false),
                Opened::Device(device) => Open::device(device),
                Opened::Directory => Open::directory(),
            },
        )
    }

    fn open_write(&self, path: &str, truncate: bool, append: bool) -> FileResult<Arc<Open>> {
        let mode = 0o666 & !self.umask;
        Ok(
            match self
                .context
                .view()
                .writable(&self.context.cwd, path, mode)?
            {
                Opened::File(body) => {
                    if truncate {
                        body.truncate();
                    }
                    Open::file(body, append)
                }
                Opened::Device(device) => Open::device(device),
                Opened::Directory => return Err(Errno::IsDirectory),
            },
        )
    }
}

/// Whether it is nothing but a simple command.
fn is_one_program(item: &Item) -> bool {
    let alone = item.rest.is_empty() && !item.first.negated && !item.background;
    match item.first.commands.as_slice() {
        [command] => alone && matches!(&**command, Command::Simple { .. }),
        _ => false,
    }
}

/// Waits for a process's end.
async fn ended(mut exit: watch::Receiver<Option<Exit>>) -> i64 {
    match exit.wait_for(Option::is_some).await {
        Ok(exit) => exit.as_ref().map_or(137, |exit| exit.code),
        Err(_) => 137,
    }
}
