//! `tr`.

use super::super::options::options;
use super::super::{Context, Ended};
use super::print::unescaped;

pub(in super::super) async fn tr(context: Context) -> Ended {
    let options = options(&context.argv, "+dsc")?;
    let set = |index: usize| characters(options.operands.get(index).map_or("", String::as_str));
    let (from, to) = (set(0), set(1));
    let (deletes, squeezes) = (options.has('d'), options.has('s'));
    let listed = |byte: u8| from.contains(&byte) != options.has('c');
    let mut last = None;
    loop {
        let piece = context.input().await?;
        if piece.is_empty() {
            return Ok(0);
        }
        let mut changed = Vec::with_capacity(piece.len());
        for byte in piece {
            if !listed(byte) {
                last = None;
                changed.push(byte);
                continue;
            }
            if deletes {
                continue;
            }
            let at = from
                .iter()
                .position(|known| *known == byte)
                .unwrap_or(usize::MAX);
            let new = to.get(at).or(to.last()).copied().unwrap_or(byte);
            if squeezes && last == Some(new) {
                continue;
            }
            last = Some(new);
            changed.push(new);
        }
        context.out(&changed).await?;
    }
}

/// A set of `tr`: escapes, ranges, classes.
fn characters(text: &str) -> Vec<u8> {
    type Class = (&'static str, fn(&u8) -> bool);
    let classes: [Class; 5] = [
        ("[:lower:]", u8::is_ascii_lowercase),
        ("[:upper:]", u8::is_ascii_uppercase),
        ("[:digit:]", u8::is_ascii_digit),
        ("[:alpha:]", u8::is_ascii_alphabetic),
        ("[:space:]", u8::is_ascii_whitespace),
    ];
    if let Some((_, class)) = classes.iter().find(|(name, _)| *name == text) {
        return (0..=255_u8).filter(class).collect();
    }
    let bytes = unescaped(text);
    let mut set = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (bytes.get(at + 1), bytes.get(at + 2)) {
            (Some(b'-'), Some(high)) => {
                set.extend(*byte..=*high);
                at += 3;
            }
            _ => {
                set.push(*byte);
                at += 1;
            }
        }
    }
    set
}
