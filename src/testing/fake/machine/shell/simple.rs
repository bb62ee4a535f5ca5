//! Simple commands: functions, commands of the shell's own, and programs.

use std::sync::Arc;

use super::super::io::Table;
use super::super::process::{Made, ended};
use super::super::programs;
use super::syntax::{Command, Redirection, Word};
use super::{Jump, Ran, Shell};

/// How deep functions may call each other.
const MAX_DEPTH: usize = 32;

impl Shell {
    pub(super) async fn simple(
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
    pub(super) async fn run(&mut self, arguments: &[String]) -> Ran {
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
            Ok(process) => Ok(ended(process.exits()).await.code),
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
}
