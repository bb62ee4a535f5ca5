//! Programs that read and write text.

mod cut;
mod grep;
mod head;
mod print;
mod sort;
mod tail;
mod tr;

use super::super::errno::Errno;
use super::super::files::Writing;
use super::super::io::PIECE;
use super::options::options;
use super::{Context, Ended, copy, said};

pub(super) use cut::cut;
pub(super) use grep::grep;
pub(super) use head::head;
pub(super) use print::{echo, printf};
pub(super) use sort::{sort, uniq};
pub(super) use tail::tail;
pub(super) use tr::tr;

pub(super) async fn cat(context: Context) -> Ended {
    let paths = options(&context.argv, "u")?.operands;
    let paths = if paths.is_empty() {
        vec!["-".to_owned()]
    } else {
        paths
    };
    let mut code = 0;
    for path in paths {
        let opened = match path.as_str() {
            "-" => context.files.get(0).cloned(),
            path => context.view().open(&context.cwd, path),
        };
        let complaint = match opened {
            Ok(open) => match copy(&open, context.files.get(1)?).await {
                Err(errno @ Errno::IsDirectory) => format!("read error: {errno}"),
                copied => {
                    copied?;
                    continue;
                }
            },
            Err(errno) => format!("can't open '{path}': {errno}"),
        };
        context.complain(&complaint).await;
        code = 1;
    }
    Ok(code)
}

pub(super) async fn seq(context: Context) -> Ended {
    let words = context.argv.iter().skip(1);
    let numbers: Result<Vec<i64>, _> = words.map(|word| word.parse()).collect();
    let numbers = numbers.map_err(|_| said("invalid number"))?;
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1, 1, *last),
        [first, last] => (*first, 1, *last),
        [first, step, last] if *step != 0 => (*first, *step, *last),
        _ => return Err(said("usage: seq [FIRST [INC]] LAST")),
    };
    let (mut number, mut text) = (first, String::new());
    while (step > 0 && number <= last) || (step < 0 && number >= last) {
        text.push_str(&format!("{number}\n"));
        if text.len() >= PIECE / 8 {
            context.say(std::mem::take(&mut text)).await?;
        }
        let Some(next) = number.checked_add(step) else {
            break;
        };
        number = next;
    }
    context.say(text).await?;
    Ok(0)
}

pub(super) async fn wc(context: Context) -> Ended {
    let options = options(&context.argv, "lwcm")?;
    let text = context.all(&options.operands).await?;
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let words = String::from_utf8_lossy(&text).split_whitespace().count();
    let counts = [('l', lines), ('w', words), ('c', text.len())];
    let every = options.letters.is_empty();
    let shown: Vec<String> = counts
        .iter()
        .filter(|(letter, _)| every || options.has(*letter))
        .map(|(_, count)| {
            if every {
                format!("{count:>7}")
            } else {
                count.to_string()
            }
        })
        .collect();
    let name = options
        .operands
        .first()
        .map(|name| format!(" {name}"))
        .unwrap_or_default();
    context.say(format!("{}{name}\n", shown.join(" "))).await?;
    Ok(0)
}

pub(super) async fn tee(context: Context) -> Ended {
    let options = options(&context.argv, "ai")?;
    let mut copies = Vec::new();
    for path in &options.operands {
        let writing = match options.has('a') {
            true => Writing::Append,
            false => Writing::Truncate,
        };
        copies.push(super::files::output(&context, path, writing)?);
    }
    loop {
        let piece = context.input().await?;
        if piece.is_empty() {
            return Ok(0);
        }
        for copy in &copies {
            copy.write(&piece).await?;
        }
        context.out(&piece).await?;
    }
}

pub(super) async fn yes(context: Context) -> Ended {
    let word = context.argv.get(1).map_or("y", String::as_str);
    let line = format!("{word}\n");
    let lines = line.repeat((PIECE / line.len()).max(1));
    loop {
        context.say(&lines).await?;
    }
}

/// `-5` for `-n 5`.
fn old_count(argv: &[String]) -> Vec<String> {
    let new = |word: &String| match word.strip_prefix('-') {
        Some(digits) if !digits.is_empty() && digits.chars().all(|char| char.is_ascii_digit()) => {
            format!("-n{digits}")
        }
        _ => word.clone(),
    };
    argv.iter().map(new).collect()
}
