//! The commands that a shell is itself.

use super::super::errno::Errno;
use super::super::files::path_of;
use super::super::process::{ended, signal_number};
use super::super::programs;
use super::{Jump, Ran, Shell};

/// Those that are named by `command -v` and `type`.
const NAMES: [&str; 36] = [
    ".", ":", "[", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "hash", "kill", "local", "printf", "pwd", "read", "readonly", "return", "set",
    "shift", "source", "test", "times", "trap", "true", "type", "ulimit", "umask", "unset", "wait",
    "alias", "jobs", "getopts",
];

impl Shell {
    /// Runs it where it is one; `None` where a program is to be looked for.
    pub(super) async fn built_in(&mut self, arguments: &[String]) -> Option<Ran> {
        let (name, rest) = arguments.split_first()?;
        Some(match name.as_str() {
            ":" | "true" => Ok(0),
            "false" => Ok(1),
            "hash" | "times" | "alias" | "jobs" => Ok(0),
            "break" => Err(Jump::Break(number(rest).unwrap_or(1))),
            "continue" => Err(Jump::Continue(number(rest).unwrap_or(1))),
            "return" => Err(Jump::Return(number(rest).map_or(self.status, i64::from))),
            "exit" => Err(Jump::Exit(
                number(rest).map_or(self.status, i64::from) & 255,
            )),
            "echo" | "printf" | "test" | "[" | "kill" => {
                let mut context = self.context.clone();
                context.argv = arguments.to_vec();
                match programs::built_in(name) {
                    Some(program) => Ok(program(context).await),
                    None => Ok(127),
                }
            }
            "cd" => self.cd(rest).await,
            "pwd" => self.say(&format!("{}\n", self.context.cwd)).await,
            "command" => self.command_of(rest).await,
            "type" => self.types(rest).await,
            "eval" => {
                let text = rest.join(" ");
                Box::pin(self.eval(&text)).await
            }
            "." | "source" => self.source(rest).await,
            "export" | "readonly" | "local" => {
                for word in rest.iter().filter(|word| !word.starts_with('-')) {
                    let (variable, value) = match word.split_once('=') {
                        Some((variable, value)) => (variable, Some(value)),
                        None => (word.as_str(), None),
                    };
                    let entry = self.variables.entry(variable.to_owned()).or_default();
                    if let Some(value) = value {
                        value.clone_into(&mut entry.0);
                    }
                    entry.1 |= name == "export";
                }
                Ok(0)
            }
            "unset" => {
                for name in rest.iter().filter(|word| !word.starts_with('-')) {
                    self.variables.remove(name);
                    self.functions.remove(name);
                }
                Ok(0)
            }
            "set" => {
                self.set_options(rest);
                Ok(0)
            }
            "shift" => {
                let count = number(rest).unwrap_or(1) as usize;
                if count > self.positional.len() {
                    return Some(Ok(1));
                }
                self.positional.drain(..count);
                Ok(0)
            }
            "read" => self.read(rest).await,
            "trap" => self.trap(rest).await,
            "wait" => self.wait(rest).await,
            "umask" => match rest.first().map(|text| u32::from_str_radix(text, 8)) {
                Some(Ok(umask)) => {
                    self.umask = umask & 0o777;
                    Ok(0)
                }
                Some(Err(_)) => Ok(1),
                None => self.say(&format!("{:04o}\n", self.umask)).await,
            },
            "ulimit" => self.ulimit(rest).await,
            _ => return None,
        })
    }

    async fn say(&self, text: &str) -> Ran {
        match self.context.out(text.as_bytes()).await {
            Ok(()) => Ok(0),
            Err(Errno::Pipe) => Err(Jump::Exit(141)),
            Err(errno) => {
                self.complain(&format!("write error: {errno}")).await;
                Ok(1)
            }
        }
    }

    async fn cd(&mut self, rest: &[String]) -> Ran {
        let physical = rest.iter().any(|word| word == "-P");
        let path = rest
            .iter()
            .find(|word| !matches!(word.as_str(), "-P" | "-L" | "--"));
        let home = self.variable("HOME").unwrap_or_else(|| "/".to_owned());
        let path = match path {
            Some(path) if path == "-" => self.variable("OLDPWD").unwrap_or(home),
            Some(path) => path.clone(),
            None => home,
        };
        let view = self.context.view();
        let found = view
            .resolve(&self.context.cwd, &path, true)
            .and_then(|place| {
                let node = view.look(&place)?;
                match () {
                    () if !node.is_directory() => Err(Errno::NotDirectory),
                    () if !node.allows(self.context.process.user, 1) => Err(Errno::Access),
                    () => Ok(place),
                }
            });
        match found {
            Ok(place) => {
                let logical = match path.starts_with('/') {
                    true => path,
                    false => format!("{}/{path}", self.context.cwd),
                };
                let cwd = if physical {
                    path_of(&place)
                } else {
                    plain(&logical)
                };
                let old = std::mem::replace(&mut self.context.cwd, cwd.clone());
                self.set("OLDPWD", old);
                self.set("PWD", cwd);
                Ok(0)
            }
            Err(errno) => {
                self.complain(&format!("cd: can't cd to {path}: {errno}"))
                    .await;
                Ok(2)
            }
        }
    }

    async fn command_of(&mut self, rest: &[String]) -> Ran {
        match rest.split_first() {
            Some((option, names)) if option == "-v" || option == "-V" => {
                for name in names {
                    match self.located(name) {
                        Some(place) => {
                            self.say(&format!("{place}\n")).await?;
                        }
                        None => return Ok(127),
                    }
                }
                Ok(0)
            }
            Some(_) => match Box::pin(self.built_in(rest)).await {
                Some(ran) => ran,
                None => self.run(rest).await,
            },
            None => Ok(0),
        }
    }

    fn located(&self, name: &str) -> Option<String> {
        if self.functions.contains_key(name) || NAMES.contains(&name) {
            return Some(name.to_owned());
        }
        programs::locate(&self.context, name, &self.environment())
    }

    async fn types(&mut self, names: &[String]) -> Ran {
        let mut status = 0;
        for name in names {
            let told = match self.located(name) {
                Some(place) if place == *name => format!("{name} is a shell builtin\n"),
                Some(place) => format!("{name} is {place}\n"),
                None => {
                    status = 127;
                    format!("{name}: not found\n")
                }
            };
            self.say(&told).await?;
        }
        Ok(status)
    }

    async fn source(&mut self, rest: &[String]) -> Ran {
        let file = rest.first().map_or("", String::as_str);
        match self.context.view().contents(&self.context.cwd, file) {
            Ok(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                match Box::pin(self.eval(&text)).await {
                    Err(Jump::Return(status)) => Ok(status),
                    ran => ran,
                }
            }
            Err(errno) => Err(self.fails(&format!("can't open '{file}': {errno}")).await),
        }
    }

    fn set_options(&mut self, rest: &[String]) {
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--" => {
                    self.positional = words.cloned().collect();
                    return;
                }
                "-o" | "+o" => {
                    words.next();
                }
                option if option.starts_with('-') && option.len() > 1 => {
                    self.options.extend(option.chars().skip(1));
                }
                option if option.starts_with('+') => {
                    self.options.retain(|letter| !option.contains(*letter));
                }
                _ => {
                    self.positional = std::iter::once(word).chain(words).cloned().collect();
                    return;
                }
            }
        }
    }

    /// A line into variables.
    async fn read(&mut self, rest: &[String]) -> Ran {
        let raw = rest.iter().any(|word| word == "-r");
        let names: Vec<String> = rest
            .iter()
            .filter(|word| !word.starts_with('-'))
            .cloned()
            .collect();
        let mut line = Vec::new();
        let mut whole = false;
        let Ok(input) = self.context.files.get(0).cloned() else {
            return Ok(1);
        };
        // A signal may come first: what is done on it is done at once.
        loop {
            let process = std::sync::Arc::clone(&self.context.process);
            let byte = tokio::select! {
                biased;
                byte = input.read(1) => byte,
                () = process.caught.notified() => {
                    self.handle_signals().await?;
                    continue;
                }
            };
            let Ok(byte) = byte else { return Ok(1) };
            match byte.first() {
                None => break,
                Some(b'\n') => {
                    if !raw && line.last() == Some(&b'\\') {
                        line.pop();
                        continue;
                    }
                    whole = true;
                    break;
                }
                Some(0) => {}
                Some(byte) => line.push(*byte),
            }
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let text = if raw { text } else { text.replace('\\', "") };
        let separators = self.separators();
        let blank = |char: char| char.is_whitespace() && separators.contains(char);
        let mut rest = text.trim_matches(blank);
        let names = if names.is_empty() {
            vec!["REPLY".to_owned()]
        } else {
            names
        };
        for (index, name) in names.iter().enumerate() {
            let last = index + 1 == names.len();
            let cut = rest
                .find(|char| separators.contains(char))
                .filter(|_| !last);
            let (value, left) = match cut {
                Some(at) => {
                    let (value, left) = rest.split_at(at);
                    let left = left.trim_start_matches(blank);
                    (
                        value,
                        left.strip_prefix(|char| separators.contains(char) && !blank(char))
                            .unwrap_or(left),
                    )
                }
                None => (rest, ""),
            };
            self.set(name, value.to_owned());
            rest = left;
        }
        Ok(i64::from(!whole))
    }

    async fn trap(&mut self, rest: &[String]) -> Ran {
        let rest = match rest.split_first() {
            Some((dashes, rest)) if dashes == "--" => rest,
            _ => rest,
        };
        let Some((action, signals)) = rest.split_first() else {
            let lines = self
                .traps
                .iter()
                .map(|(signal, action)| format!("trap -- '{action}' {signal}\n"));
            let lines: String = lines.collect();
            return self.say(&lines).await;
        };
        // `trap TERM` and `trap - TERM` are the default again.
        let (action, signals) = match signals.is_empty() {
            true => ("-", std::slice::from_ref(action)),
            false => (action.as_str(), signals),
        };
        for signal in signals {
            let Some(signal) = signal_number(signal) else {
                self.complain(&format!("trap: {signal}: invalid signal specification"))
                    .await;
                return Ok(1);
            };
            let process = &self.context.process;
            match action {
                "-" => {
                    self.traps.remove(&signal);
                    process.trap(signal, false, false);
                }
                "" => {
                    self.traps.remove(&signal);
                    process.trap(signal, false, true);
                }
                action => {
                    self.traps.insert(signal, action.to_owned());
                    process.trap(signal, signal != 0, false);
                }
            }
        }
        Ok(0)
    }

    /// Until they end, or a signal is caught.
    async fn wait(&mut self, rest: &[String]) -> Ran {
        let wanted: Vec<u32> = rest.iter().filter_map(|word| word.parse().ok()).collect();
        let children = std::mem::take(&mut self.children);
        let (waited, kept): (Vec<_>, Vec<_>) = children
            .into_iter()
            .partition(|(pid, _)| wanted.is_empty() || wanted.contains(pid));
        self.children = kept;
        let mut status = if wanted.is_empty() || !waited.is_empty() {
            0
        } else {
            127
        };
        let mut waited = waited.into_iter();
        while let Some((pid, exit)) = waited.next() {
            let process = std::sync::Arc::clone(&self.context.process);
            let interrupted = async {
                while !process.has_caught() {
                    process.caught.notified().await;
                }
            };
            tokio::select! {
                biased;
                exit = ended(exit.clone()) => {
                    if !wanted.is_empty() {
                        status = exit.code;
                    }
                }
                () = interrupted => {
                    self.children.push((pid, exit));
                    self.children.extend(waited);
                    return Ok(143);
                }
            }
        }
        Ok(status)
    }

    async fn ulimit(&mut self, rest: &[String]) -> Ran {
        let letter = rest.iter().find_map(|word| word.strip_prefix('-'));
        let letter = letter.map_or("f", |letters| letters.trim_start_matches(['S', 'H']));
        let name = match letter {
            "n" => "nofile",
            "u" | "p" => "nproc",
            "c" => "core",
            "s" => "stack",
            "l" => "memlock",
            _ => "fsize",
        };
        let limits = self.context.world.limits().ulimits;
        let set = limits.iter().find(|(known, ..)| known == name);
        let told = match set {
            Some((_, soft, _)) if *soft >= 0 => soft.to_string(),
            None if name == "nofile" => "1048576".to_owned(),
            _ => "unlimited".to_owned(),
        };
        self.say(&format!("{told}\n")).await
    }
}

fn number(rest: &[String]) -> Option<u32> {
    rest.first()?.parse().ok()
}

/// Without dots and doubled slashes.
fn plain(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part.to_owned()),
        }
    }
    path_of(&parts)
}
