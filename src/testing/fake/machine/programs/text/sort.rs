//! `sort` and `uniq`.

use super::super::options::options;
use super::super::{Context, Ended};

pub(in super::super) async fn sort(context: Context) -> Ended {
    let options = options(&context.argv, "nruk:t:")?;
    let text = context.all(&options.operands).await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines: Vec<&str> = text.lines().collect();
    match options.has('n') {
        true => lines.sort_by_key(|line| {
            line.trim()
                .split(' ')
                .next()
                .and_then(|word| word.parse::<i64>().ok())
                .unwrap_or(0)
        }),
        false => lines.sort_unstable(),
    }
    if options.has('r') {
        lines.reverse();
    }
    if options.has('u') {
        lines.dedup();
    }
    context
        .say(
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        )
        .await?;
    Ok(0)
}

pub(in super::super) async fn uniq(context: Context) -> Ended {
    let options = options(&context.argv, "c")?;
    let text = context.all(&options.operands).await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut output = String::new();
    for group in text
        .lines()
        .collect::<Vec<_>>()
        .chunk_by(|left, right| left == right)
    {
        let line = group.first().copied().unwrap_or_default();
        match options.has('c') {
            true => output.push_str(&format!("{:>7} {line}\n", group.len())),
            false => output.push_str(&format!("{line}\n")),
        }
    }
    context.say(output).await?;
    Ok(0)
}
