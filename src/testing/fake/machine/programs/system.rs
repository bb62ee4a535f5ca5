//! Programs about processes, users and the machine.

use std::time::{Duration, SystemTime};

use super::super::process::{self, signal_number};
use super::super::tree::seconds;
use super::accounts::{GROUPS, USERS, name};
use super::options::options;
use super::{Context, Ended, Failure, find, said};

pub(super) async fn yes_it_is(_: Context) -> Ended {
    Ok(0)
}

pub(super) async fn no(_: Context) -> Ended {
    Ok(1)
}

pub(super) async fn pwd(context: Context) -> Ended {
    context.say(format!("{}\n", context.cwd)).await?;
    Ok(0)
}

fn duration(text: &str) -> Result<Duration, Failure> {
    let bad = || said(format!("invalid number '{text}'"));
    if text == "infinity" || text == "inf" {
        return Ok(Duration::from_secs(1 << 40));
    }
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 's'),
    };
    let number: f64 = digits.parse().map_err(|_| bad())?;
    let seconds = match unit {
        's' => number,
        'm' => number * 60.0,
        'h' => number * 3600.0,
        'd' => number * 86400.0,
        _ => return Err(bad()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| bad())
}

pub(super) async fn sleep(context: Context) -> Ended {
    let mut total = Duration::ZERO;
    for word in context.argv.iter().skip(1) {
        total = total.saturating_add(duration(word)?);
    }
    // What it was given isn't held while it sleeps, but for what it holds open.
    let Context { files, .. } = context;
    tokio::time::sleep(total).await;
    drop(files);
    Ok(0)
}

/// Runs another program in this process.
async fn becomes(mut context: Context, argv: Vec<String>) -> Ended {
    let user = context.process.user;
    let program = find(&context.world, &argv, &context.env, &context.cwd, user);
    let name = argv.first().cloned().unwrap_or_default();
    let program = match program {
        Ok(program) => program,
        Err(error) => {
            return Err(Failure::Said(
                format!("can't execute '{name}': No such file or directory"),
                error.code,
            ));
        }
    };
    context.process.becomes(argv.clone(), context.env.clone());
    context.argv = argv;
    Ok(program.run(context).await)
}

/// `env [-i] [NAME=VALUE…] [COMMAND…]`
pub(super) async fn env(mut context: Context) -> Ended {
    let options = options(&context.argv, "+iu:")?;
    if options.has('i') {
        context.env.clear();
    }
    if let Some(name) = options.value('u') {
        context
            .env
            .retain(|pair| pair.split('=').next() != Some(name));
    }
    let mut words = options.operands.into_iter().peekable();
    while let Some(pair) = words.next_if(|word| word.contains('=')) {
        let name = pair.split('=').next().unwrap_or_default().to_owned();
        context
            .env
            .retain(|known| known.split('=').next() != Some(&name));
        context.env.push(pair);
    }
    let argv: Vec<String> = words.collect();
    if argv.is_empty() {
        let lines: String = context.env.iter().map(|pair| format!("{pair}\n")).collect();
        context.say(lines).await?;
        return Ok(0);
    }
    becomes(context, argv).await
}

/// `setsid`, `nohup`, `nice`: what follows.
pub(super) async fn wrapped(context: Context) -> Ended {
    let options = options(&context.argv, "+n:cw")?;
    becomes(context, options.operands).await
}

/// `timeout [-s SIGNAL] SECONDS COMMAND…`
pub(super) async fn timeout(context: Context) -> Ended {
    let options = options(&context.argv, "+s:k:")?;
    let (limit, argv) = options.split_first("no command")?;
    let limit = duration(limit)?;
    let code = match options.value('s') {
        Some("KILL" | "9") => 137,
        _ => 143,
    };
    match tokio::time::timeout(limit, becomes(context, argv.to_vec())).await {
        Ok(ended) => ended,
        Err(_) => Ok(code),
    }
}

pub(super) async fn xargs(context: Context) -> Ended {
    let options = options(&context.argv, "+n:0rI:")?;
    let text = context.whole("-").await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut argv = options.operands;
    if argv.is_empty() {
        argv.push("echo".to_owned());
    }
    argv.extend(text.split_whitespace().map(str::to_owned));
    becomes(context, argv).await
}

pub(super) async fn printenv(context: Context) -> Ended {
    let Some(name) = context.argv.get(1) else {
        let lines: String = context.env.iter().map(|pair| format!("{pair}\n")).collect();
        context.say(lines).await?;
        return Ok(0);
    };
    match context.env(name) {
        Some(value) => {
            context.say(format!("{value}\n")).await?;
            Ok(0)
        }
        None => Ok(1),
    }
}

pub(super) async fn hostname(context: Context) -> Ended {
    context
        .say(format!("{}\n", context.world.setup().hostname))
        .await?;
    Ok(0)
}

pub(super) async fn nproc(context: Context) -> Ended {
    context.say(format!("{}\n", context.world.cpus())).await?;
    Ok(0)
}

pub(super) async fn uname(context: Context) -> Ended {
    let told = match context.argv.get(1).map_or("-s", String::as_str) {
        "-a" => format!(
            "Linux {} 6.1.0-fake #1 SMP x86_64 GNU/Linux",
            context.world.setup().hostname
        ),
        "-r" => "6.1.0-fake".to_owned(),
        "-m" => "x86_64".to_owned(),
        "-n" => context.world.setup().hostname.clone(),
        _ => "Linux".to_owned(),
    };
    context.say(told + "\n").await?;
    Ok(0)
}

pub(super) async fn date(context: Context) -> Ended {
    let now = seconds(SystemTime::now());
    let told = match context
        .argv
        .iter()
        .skip(1)
        .find_map(|word| word.strip_prefix('+'))
    {
        Some(format) => format.replace("%s", &now.to_string()),
        None => humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
    };
    context.say(told + "\n").await?;
    Ok(0)
}

pub(super) async fn id(context: Context) -> Ended {
    let options = options(&context.argv, "ugnG")?;
    let (uid, gid) = context.process.user;
    let user = name(&context, USERS, uid);
    let group = name(&context, GROUPS, gid);
    let shown = |name: &Option<String>| {
        name.as_ref()
            .map(|name| format!("({name})"))
            .unwrap_or_default()
    };
    let told = match () {
        () if options.has('u') && options.has('n') => user.unwrap_or_else(|| uid.to_string()),
        () if options.has('g') && options.has('n') => group.unwrap_or_else(|| gid.to_string()),
        () if options.has('u') => uid.to_string(),
        () if options.has('g') || options.has('G') => gid.to_string(),
        () => format!(
            "uid={uid}{} gid={gid}{} groups={gid}{}",
            shown(&user),
            shown(&group),
            shown(&group)
        ),
    };
    context.say(told + "\n").await?;
    Ok(0)
}

pub(super) async fn whoami(context: Context) -> Ended {
    let (uid, _) = context.process.user;
    let name = name(&context, USERS, uid);
    let name = name.ok_or_else(|| said(format!("unknown uid {uid}")))?;
    context.say(name + "\n").await?;
    Ok(0)
}

pub(super) async fn ps(context: Context) -> Ended {
    let mut output = "PID   USER     TIME  COMMAND\n".to_owned();
    for process in context.world.processes() {
        let user = name(&context, USERS, process.user.0);
        let user = user.unwrap_or_else(|| process.user.0.to_string());
        output.push_str(&format!(
            "{:>5} {user:<8} 0:00 {}\n",
            process.pid,
            process.argv().join(" ")
        ));
    }
    context.say(output).await?;
    Ok(0)
}

/// `kill [-SIGNAL | -s SIGNAL] PID…`
pub(super) async fn kill(context: Context) -> Ended {
    let mut words = context.argv.iter().skip(1).peekable();
    let mut signal = 15;
    if let Some(option) = words.next_if(|word| word.starts_with('-') && word.len() > 1) {
        let name = match option.as_str() {
            "-s" => words.next().map_or("", String::as_str),
            "-l" => {
                context
                    .say("HUP INT QUIT KILL USR1 USR2 TERM CONT STOP\n")
                    .await?;
                return Ok(0);
            }
            option => &option[1..],
        };
        signal = signal_number(name).ok_or_else(|| said(format!("bad signal name '{name}'")))?;
    }
    let mut code = 0;
    for word in words {
        let process = word.parse().ok().and_then(|pid| context.world.process(pid));
        let (uid, _) = context.process.user;
        match process {
            None => {
                context
                    .complain(&format!("can't kill pid {word}: No such process"))
                    .await;
                code = 1;
            }
            Some(process) if uid != 0 && uid != process.user.0 => {
                context
                    .complain(&format!("can't kill pid {word}: Operation not permitted"))
                    .await;
                code = 1;
            }
            Some(process) => {
                process.signal(signal, true);
                if process.pid == context.process.pid && signal == process::KILL {
                    // What is killed does nothing more.
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    Ok(code)
}

/// `stty size`, `stty [-]echo`, `stty raw`
pub(super) async fn stty(context: Context) -> Ended {
    let open = context.files.get(0)?;
    let Some(terminal) = open.is_terminal() else {
        return Err(said("standard input: Not a tty"));
    };
    for word in context.argv.iter().skip(1) {
        match word.as_str() {
            "size" => {
                let (rows, columns) = terminal.size();
                context.say(format!("{rows} {columns}\n")).await?;
            }
            "-echo" => terminal.set_echo(false),
            "echo" => terminal.set_echo(true),
            "raw" => terminal.set_raw(true),
            "-raw" | "sane" | "cooked" => {
                terminal.set_raw(false);
                terminal.set_echo(true);
            }
            _ => {}
        }
    }
    Ok(0)
}
