//! Processes of a shell's own: what runs beside it, pipes, and what it waits for.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;

use super::super::errno::{Errno, Result as FileResult};
use super::super::io::{Open, PIECE};
use super::super::process::{INT, Made, Proc, ended};
use super::invoke::{Over, is_one_program, settle};
use super::syntax::{Command, Item, List};
use super::{Jump, Ran, Shell};

/// How much of commands' output is taken for words.
const MAX_OUTPUT: usize = 16 << 20;

impl Shell {
    /// Runs it beside what follows.
    pub(super) async fn begin(&mut self, item: &Item) -> Result<(), Jump> {
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

    pub(super) async fn cannot_fork(&mut self, errno: Errno) -> Jump {
        self.fails(&format!("can't fork: {errno}")).await
    }

    /// A process of its own with all that this shell knows.
    pub(super) fn fork<F: Future<Output = Over> + Send + 'static>(
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

    pub(super) async fn pipe(&mut self, commands: &[Arc<Command>]) -> Ran {
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
            status = ended(exit).await.code;
        }
        Ok(status)
    }

    /// The output of commands, without the line breaks at its end.
    pub(super) async fn substitute(&mut self, list: &Arc<List>) -> Result<String, Jump> {
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
            if output.len() > MAX_OUTPUT {
                return Err(self.fails("out of memory").await);
            }
        }
        self.status = ended(process.exits()).await.code;
        output.retain(|byte| *byte != 0);
        let text = String::from_utf8_lossy(&output).into_owned();
        Ok(text.trim_end_matches('\n').to_owned())
    }
}
