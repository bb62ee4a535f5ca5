//! Lists, pipelines and compound commands, as they are run.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::super::process::ended;
use super::syntax::{Command, Compound, Item, List, Pipeline};
use super::{Jump, Ran, Shell, pattern};

impl Shell {
    pub(super) fn list<'a>(&'a mut self, list: &'a List) -> BoxFuture<'a, Ran> {
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

    pub(super) async fn item(&mut self, item: &Item) -> Ran {
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

    pub(super) fn command<'a>(&'a mut self, command: &'a Command) -> BoxFuture<'a, Ran> {
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
                    Ok(process) => Ok(ended(process.exits()).await.code),
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
}
