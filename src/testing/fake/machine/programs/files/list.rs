//! `ls`, `find` and `stat`.

use std::sync::Arc;

use super::super::options::options;
use super::super::{Context, Ended, Failure, about};
use super::{look, place};
use crate::testing::fake::machine::node::{Kind, Node};
use crate::testing::fake::machine::tree::seconds;

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

pub(in super::super) async fn ls(context: Context) -> Ended {
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

pub(in super::super) async fn find(context: Context) -> Ended {
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

pub(in super::super) async fn stat(context: Context) -> Ended {
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
