//! How a shell begins and ends: by a line, by a file, or by what is typed.

use bytes::Bytes;

use super::super::io::PIECE;
use super::super::programs::{Context, Program};
use super::parse::parse;
use super::syntax::{Command, Item};
use super::{Jump, Ran, Shell};

/// `sh [-c LINE [NAME]] [FILE] [ARGUMENT…]`
pub(in super::super) async fn sh(context: Context) -> i64 {
    settle(Box::pin(interpret(context))).await
}

/// How long commands that aren't whole yet may get.
const MAX_TYPED: usize = 16 << 20;

/// What becomes of a process whose shell is over.
pub(super) enum Over {
    Ended(i64),
    Becomes(Box<(Program, Context)>),
}

/// Nothing of a shell is kept while another program stands in its place.
pub(super) async fn settle(shell: impl Future<Output = Over> + Unpin) -> i64 {
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
            if text.len() > MAX_TYPED {
                let ran = Err(self.fails("out of memory").await);
                return self.ends(ran).await;
            }
            // A command that isn't whole yet waits for the next line.
            let whole = more.is_empty() || (text.ends_with('\n') && parse(&text).is_ok());
            if whole {
                let ran = self.eval(&std::mem::take(&mut text)).await;
                if ran.is_err() || more.is_empty() {
                    return self.ends(ran).await;
                }
            }
        }
    }

    /// The exit code, once what is to be done at the end is done.
    pub(super) async fn ends(mut self, ran: Ran) -> Over {
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

    pub(super) async fn eval(&mut self, text: &str) -> Ran {
        self.eval_all(text, false).await
    }

    /// `last`: nothing comes after it.
    async fn eval_all(&mut self, text: &str, last: bool) -> Ran {
        match parse(text) {
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
}

/// Whether it is nothing but a simple command.
pub(super) fn is_one_program(item: &Item) -> bool {
    let alone = item.rest.is_empty() && !item.first.negated && !item.background;
    match item.first.commands.as_slice() {
        [command] => alone && matches!(&**command, Command::Simple { .. }),
        _ => false,
    }
}
