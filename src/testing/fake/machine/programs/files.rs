//! Programs that look at and change files.

use std::sync::Arc;
use std::time::SystemTime;

use super::super::errno::Errno;
use super::super::files::{Opened, path_of};
use super::super::io::{Open, PIECE};
use super::super::node::{Kind, Node, Parts};
use super::super::tree::seconds;
use super::options::{count, options};
use super::{Context, Ended, Failure, about, said};

pub(super) fn opened(opened: Opened) -> Arc<Open> {
    match opened {
        Opened::File(body) => Open::file(body, false),
        Opened::Device(device) => Open::device(device),
        Opened::Directory => Open::directory(),
    }
}

/// A file to be read; where none is named, or `-`, what is typed or piped in.
pub(super) fn input(context: &Context, path: Option<&str>) -> Result<Arc<Open>, Failure> {
    match path.filter(|path| *path != "-") {
        Some(path) => {
            let readable = context.view().readable(&context.cwd, path);
            Ok(opened(readable.map_err(about(path))?))
        }
        None => Ok(Arc::clone(context.files.get(0)?)),
    }
}

/// A file to be written, anew or at its end.
pub(super) fn created(context: &Context, path: &str, append: bool) -> Result<Arc<Open>, Failure> {
    let writable = context.view().writable(&context.cwd, path, 0o644);
    Ok(match writable.map_err(about(path))? {
        Opened::File(body) => {
            if !append {
                body.truncate();
            }
            Open::file(body, append)
        }
        other => opened(other),
    })
}

fn place(context: &Context, path: &str, follow: bool) -> Result<Parts, Failure> {
    let place = context.view().resolve(&context.cwd, path, follow);
    place.map_err(about(path))
}

fn look(context: &Context, path: &str, follow: bool) -> Result<(Parts, Arc<Node>), Failure> {
    let place = place(context, path, follow)?;
    let node = context.view().look(&place).map_err(about(path))?;
    Ok((place, node))
}

pub(super) async fn basename(context: Context) -> Ended {
    let path = context.argv.get(1).ok_or_else(|| said("no path"))?;
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or("/");
    let suffix = context.argv.get(2).map_or("", String::as_str);
    let name = name
        .strip_suffix(suffix)
        .filter(|name| !name.is_empty())
        .unwrap_or(name);
    context.say(format!("{name}\n")).await?;
    Ok(0)
}

pub(super) async fn dirname(context: Context) -> Ended {
    let path = context.argv.get(1).ok_or_else(|| said("no path"))?;
    let above = match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((above, _)) => above,
        None => ".",
    };
    context.say(format!("{above}\n")).await?;
    Ok(0)
}

pub(super) async fn chmod(context: Context) -> Ended {
    let options = options(&context.argv, "+Rv")?;
    let (mode, paths) = options
        .operands
        .split_first()
        .ok_or_else(|| said("no mode"))?;
    for path in paths {
        let (place, node) = look(&context, path, true)?;
        let mode =
            new_mode(mode, node.mode).ok_or_else(|| said(format!("invalid mode '{mode}'")))?;
        owned(&context, &node, path)?;
        change(&context, &place, path, options.has('R'), &|node| {
            node.mode = mode
        })?;
    }
    Ok(0)
}

fn owned(context: &Context, node: &Node, path: &str) -> Result<(), Failure> {
    let uid = context.process.user.0;
    match uid == 0 || uid == node.uid {
        true => Ok(()),
        false => Err(said(format!("{path}: Operation not permitted"))),
    }
}

fn new_mode(text: &str, old: u32) -> Option<u32> {
    if let Ok(mode) = u32::from_str_radix(text, 8) {
        return Some(mode & 0o7777);
    }
    let mut mode = old;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let mut mask = 0;
        for letter in who.chars() {
            mask |= match letter {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let mask = if who.is_empty() { 0o777 } else { mask };
        let mut bits = 0;
        for letter in rest[1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                _ => return None,
            };
        }
        mode = match &rest[..1] {
            "+" => mode | bits & mask,
            "-" => mode & !(bits & mask),
            _ => mode & !mask | bits & mask,
        };
    }
    Some(mode)
}

fn change(
    context: &Context,
    place: &[String],
    path: &str,
    deep: bool,
    change_one: &dyn Fn(&mut Node),
) -> Result<(), Failure> {
    let view = context.view();
    let changed = view.change(place, |node, _| {
        change_one(node);
        Ok(())
    });
    changed.map_err(about(path))?;
    if deep {
        let node = view.look(place).map_err(about(path))?;
        for name in node
            .entries()
            .map(|all| all.keys().cloned().collect::<Vec<_>>())
            .unwrap_or_default()
        {
            let mut within = place.to_vec();
            within.push(name);
            change(context, &within, path, deep, change_one)?;
        }
    }
    Ok(())
}

pub(super) async fn chown(context: Context) -> Ended {
    let options = options(&context.argv, "+Rvh")?;
    let (owner, paths) = options
        .operands
        .split_first()
        .ok_or_else(|| said("no owner"))?;
    let (uid, gid) = owner.split_once(':').unwrap_or((owner, ""));
    let number = |text: &str, file: &str| {
        let named = || {
            context.view().contents("/", file).ok().and_then(|text_of| {
                let all = String::from_utf8_lossy(&text_of).into_owned();
                let line = all
                    .lines()
                    .find(|line| line.split(':').next() == Some(text))?
                    .to_owned();
                line.split(':').nth(2)?.parse().ok()
            })
        };
        text.parse::<u32>().ok().or_else(named)
    };
    let uid = number(uid, "/etc/passwd");
    let gid = number(gid, "/etc/group");
    if context.process.user.0 != 0 {
        return Err(said(format!(
            "{}: Operation not permitted",
            paths.join(" ")
        )));
    }
    for path in paths {
        let (place, _) = look(&context, path, !options.has('h'))?;
        change(&context, &place, path, options.has('R'), &|node| {
            node.uid = uid.unwrap_or(node.uid);
            node.gid = gid.unwrap_or(node.gid);
        })?;
    }
    Ok(0)
}

/// Where a copy goes: into a directory, or to that name.
fn target(context: &Context, from: &str, to: &str) -> Result<Parts, Failure> {
    let mut place = place(context, to, true)?;
    if context
        .view()
        .look(&place)
        .is_ok_and(|node| node.is_directory())
    {
        let name = from
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(from);
        place.push(name.to_owned());
    }
    Ok(place)
}

pub(super) async fn cp(context: Context) -> Ended {
    let options = options(&context.argv, "rRapfLPdi")?;
    let (to, from) = options
        .operands
        .split_last()
        .ok_or_else(|| said("no paths"))?;
    for path in from {
        let deep = ['r', 'R', 'a'].iter().any(|letter| options.has(*letter));
        let (_, node) = look(&context, path, !deep || options.has('L'))?;
        if node.is_directory() && !deep {
            return Err(said(format!("omitting directory '{path}'")));
        }
        if !node.allows(context.process.user, 4) {
            return Err(about(path)(Errno::Access));
        }
        let place = target(&context, path, to)?;
        context.view().copy(&node, &place).map_err(about(to))?;
    }
    Ok(0)
}

pub(super) async fn mv(context: Context) -> Ended {
    let options = options(&context.argv, "fin")?;
    let (to, from) = options
        .operands
        .split_last()
        .ok_or_else(|| said("no paths"))?;
    for path in from {
        let (source, node) = look(&context, path, false)?;
        let place = target(&context, path, to)?;
        if place.starts_with(&source) {
            return Err(about(path)(Errno::Invalid));
        }
        let view = context.view();
        view.insert(&place, Node::clone(&node)).map_err(about(to))?;
        view.remove(&source).map_err(about(path))?;
    }
    Ok(0)
}

pub(super) async fn ln(context: Context) -> Ended {
    let options = options(&context.argv, "sfn")?;
    let [from, to] = options.operands.as_slice() else {
        return Err(said("usage: ln [-sf] TARGET LINK"));
    };
    let place = target(&context, from, to)?;
    let view = context.view();
    if !options.has('f') && view.look(&place).is_ok() {
        return Err(about(to)(Errno::Exists));
    }
    let node = match options.has('s') {
        true => Node::new(Kind::Link(from.clone()), 0o777, context.process.user),
        false => {
            // Two names of one body: what is an image's becomes the container's own first.
            view.writable(&context.cwd, from, 0o644)
                .map_err(about(from))?;
            Node::clone(&*look(&context, from, true)?.1)
        }
    };
    view.insert(&place, node).map_err(about(to))?;
    Ok(0)
}

pub(super) async fn mkdir(context: Context) -> Ended {
    let options = options(&context.argv, "pm:")?;
    let mode = options
        .value('m')
        .and_then(|mode| u32::from_str_radix(mode, 8).ok());
    for path in &options.operands {
        let view = context.view();
        let mut at = String::new();
        if path.starts_with('/') {
            at.push('/');
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate() {
            at.push_str(part);
            let last = index + 1 == parts.len();
            let place = place(&context, &at, true)?;
            match view.look(&place) {
                Ok(node) if last && !(options.has('p') && node.is_directory()) => {
                    return Err(said(format!(
                        "can't create directory '{path}': File exists"
                    )));
                }
                Ok(_) => {}
                Err(Errno::NoEntry) if last || options.has('p') => {
                    let node = Node::new(
                        Kind::Directory(Default::default()),
                        mode.unwrap_or(0o755),
                        context.process.user,
                    );
                    let made = view.insert(&place, node);
                    made.map_err(|errno| {
                        said(format!("can't create directory '{path}': {errno}"))
                    })?;
                }
                Err(errno) => {
                    return Err(said(format!("can't create directory '{path}': {errno}")));
                }
            }
            at.push('/');
        }
    }
    Ok(0)
}

pub(super) async fn rm(context: Context) -> Ended {
    let options = options(&context.argv, "rRfi")?;
    let (deep, force) = (options.has('r') || options.has('R'), options.has('f'));
    let mut code = 0;
    for path in &options.operands {
        let found = look(&context, path, false);
        let removed = found.and_then(|(place, node)| match node.is_directory() && !deep {
            true => Err(said(format!("'{path}' is a directory"))),
            false => context.view().remove(&place).map_err(about(path)),
        });
        if let Err(Failure::Said(message, _)) = removed {
            if force && message.ends_with("No such file or directory") {
                continue;
            }
            context.complain(&format!("can't remove '{message}'")).await;
            code = 1;
        }
    }
    Ok(code)
}

pub(super) async fn rmdir(context: Context) -> Ended {
    for path in options(&context.argv, "p")?.operands {
        let (place, node) = look(&context, &path, false)?;
        if !node.entries().map_err(about(&path))?.is_empty() {
            return Err(about(&path)(Errno::NotEmpty));
        }
        context.view().remove(&place).map_err(about(&path))?;
    }
    Ok(0)
}

pub(super) async fn touch(context: Context) -> Ended {
    let options = options(&context.argv, "camt:d:r:")?;
    for path in &options.operands {
        let view = context.view();
        let place = view
            .resolve(&context.cwd, path, true)
            .map_err(about(path))?;
        let there = view.look(&place).is_ok();
        let touched = match there {
            true => view.change(&place, |node, _| {
                node.modified = SystemTime::now();
                Ok(())
            }),
            false if options.has('c') => Ok(()),
            false => view.writable(&context.cwd, path, 0o644).map(drop),
        };
        touched.map_err(about(path))?;
    }
    Ok(0)
}

fn letters(mode: u32, node: &Node) -> String {
    let kind = match node.kind {
        Kind::Directory(_) => 'd',
        Kind::Link(_) => 'l',
        Kind::Device(_) => 'c',
        Kind::File(_) => '-',
    };
    let bits = (0..9).rev().map(|bit| {
        if mode >> bit & 1 == 1 {
            ["x", "w", "r"][bit % 3]
        } else {
            "-"
        }
    });
    std::iter::once(kind.to_string())
        .chain(bits.map(str::to_owned))
        .collect()
}

pub(super) async fn ls(context: Context) -> Ended {
    let options = options(&context.argv, "la1AdhnR")?;
    let mut paths = options.operands.clone();
    if paths.is_empty() {
        paths.push(".".to_owned());
    }
    let (mut output, mut code) = (String::new(), 0);
    let line = |name: &str, node: &Node| match options.has('l') || options.has('n') {
        false => format!("{name}\n"),
        true => {
            let target = match &node.kind {
                Kind::Link(target) => format!(" -> {target}"),
                _ => String::new(),
            };
            format!(
                "{} 1 {} {} {:>8} {} {name}{target}\n",
                letters(node.mode, node),
                node.uid,
                node.gid,
                node.size(),
                seconds(node.modified)
            )
        }
    };
    let several = paths.len() > 1;
    for path in &paths {
        let found = look(&context, path, !options.has('d'));
        let (_, node) = match found {
            Ok(found) => found,
            Err(Failure::Said(message, _)) => {
                context.complain(&message).await;
                code = 1;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if !node.is_directory() || options.has('d') {
            output.push_str(&line(path, &node));
            continue;
        }
        if !node.allows(context.process.user, 4) {
            context
                .complain(&format!("can't open '{path}': Permission denied"))
                .await;
            code = 1;
            continue;
        }
        if several {
            output.push_str(&format!("{path}:\n"));
        }
        let hidden = options.has('a') || options.has('A');
        // What is mounted is seen, and not what it is mounted on.
        let place = place(&context, path, true)?;
        for (name, entry) in node.entries().map_err(about(path))? {
            if hidden || !name.starts_with('.') {
                let mut within = place.clone();
                within.push(name.clone());
                let seen = context
                    .view()
                    .look(&within)
                    .unwrap_or_else(|_| Arc::clone(entry));
                output.push_str(&line(name, &seen));
            }
        }
    }
    context.say(output).await?;
    Ok(code)
}

pub(super) async fn find(context: Context) -> Ended {
    let path = context.argv.get(1).map_or(".", String::as_str);
    let (place, _) = look(&context, path, true)?;
    let mut output = String::new();
    walk(&context, &place, path, &mut output);
    context.say(output).await?;
    Ok(0)
}

fn walk(context: &Context, place: &[String], shown: &str, output: &mut String) {
    output.push_str(&format!("{shown}\n"));
    let Ok(node) = context.view().look(place) else {
        return;
    };
    let Ok(entries) = node.entries() else { return };
    for name in entries.keys() {
        let mut within = place.to_vec();
        within.push(name.clone());
        walk(
            context,
            &within,
            &format!("{}/{name}", shown.trim_end_matches('/')),
            output,
        );
    }
}

pub(super) async fn stat(context: Context) -> Ended {
    let options = options(&context.argv, "c:Lt")?;
    let format = options.value('c').unwrap_or("%A %u %g %s %n");
    let mut output = String::new();
    for path in &options.operands {
        let (_, node) = look(&context, path, options.has('L'))?;
        let mut chars = format.chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                output.push(char);
                continue;
            }
            match chars.next() {
                Some('u') => output.push_str(&node.uid.to_string()),
                Some('g') => output.push_str(&node.gid.to_string()),
                Some('s') => output.push_str(&node.size().to_string()),
                Some('n') => output.push_str(path),
                Some('a') => output.push_str(&format!("{:o}", node.mode)),
                Some('A') => output.push_str(&letters(node.mode, &node)),
                Some('f') => output.push_str(&format!("{:x}", node.full_mode())),
                Some('Y') => output.push_str(&seconds(node.modified).to_string()),
                Some('F') => output.push_str(match node.kind {
                    Kind::Directory(_) => "directory",
                    Kind::Link(_) => "symbolic link",
                    Kind::Device(_) => "character special file",
                    Kind::File(_) => "regular file",
                }),
                Some(other) => output.push(other),
                None => {}
            }
        }
        output.push('\n');
    }
    context.say(output).await?;
    Ok(0)
}

pub(super) async fn readlink(context: Context) -> Ended {
    let options = options(&context.argv, "fn")?;
    let path = options.operands.first().ok_or_else(|| said("no path"))?;
    if options.has('f') {
        let place = place(&context, path, true)?;
        context.say(path_of(&place) + "\n").await?;
        return Ok(0);
    }
    match &look(&context, path, false)?.1.kind {
        Kind::Link(target) => {
            context.say(format!("{target}\n")).await?;
            Ok(0)
        }
        _ => Ok(1),
    }
}

pub(super) async fn mktemp(context: Context) -> Ended {
    let options = options(&context.argv, "dp:qut")?;
    let directory = options.value('p').unwrap_or("/tmp");
    let own = uuid::Uuid::new_v4().simple().to_string();
    let path = match options.operands.first() {
        Some(template) => template.replace("XXXXXX", &own[..6]),
        None => format!("{directory}/tmp.{}", &own[..6]),
    };
    let place = place(&context, &path, true)?;
    let (kind, mode) = match options.has('d') {
        true => (Kind::Directory(Default::default()), 0o700),
        false => (
            Kind::File(Arc::new(super::super::node::Body::new(None))),
            0o600,
        ),
    };
    let made = context
        .view()
        .insert(&place, Node::new(kind, mode, context.process.user));
    made.map_err(about(&path))?;
    context.say(path + "\n").await?;
    Ok(0)
}

pub(super) async fn df(context: Context) -> Ended {
    let options = options(&context.argv, "kmhP")?;
    let mut output =
        "Filesystem           1K-blocks      Used Available Use% Mounted on\n".to_owned();
    let mut paths = options.operands;
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    for path in &paths {
        let (place, _) = look(&context, path, true)?;
        let (size, used) = context.view().room(&place).map_err(about(path))?;
        let (size, used) = (size >> 10, used.div_ceil(1 << 10));
        let share = (used * 100).checked_div(size).unwrap_or(0);
        let left = size.saturating_sub(used);
        output.push_str(&format!(
            "{:<20} {size:>9} {used:>9} {left:>9} {share:>3}% {path}\n",
            "shm"
        ));
    }
    context.say(output).await?;
    Ok(0)
}

pub(super) async fn du(context: Context) -> Ended {
    let options = options(&context.argv, "skhab")?;
    for path in &options.operands {
        let (_, node) = look(&context, path, false)?;
        let size = node.total();
        let size = if options.has('b') {
            size
        } else {
            size.div_ceil(1 << 10)
        };
        context.say(format!("{size}\t{path}\n")).await?;
    }
    Ok(0)
}

/// `if=… of=… bs=… count=… seek=…`
pub(super) async fn dd(context: Context) -> Ended {
    let value = |name: &str| {
        let mut words = context.argv.iter().skip(1);
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let size = value("bs").map_or(Ok(512), count)?.clamp(1, PIECE as u64);
    let mut left = value("count").map(count).transpose()?.unwrap_or(u64::MAX);
    let input = input(&context, value("if"))?;
    let output = match value("of") {
        Some(path) => created(&context, path, false)?,
        None => Arc::clone(context.files.get(1)?),
    };
    while left > 0 {
        let piece = input.read(usize::try_from(size).unwrap_or(PIECE)).await?;
        if piece.is_empty() {
            break;
        }
        output.write(&piece).await?;
        left -= 1;
    }
    Ok(0)
}
