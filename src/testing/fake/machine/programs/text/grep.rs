//! `grep`, with the part of regular expressions that scripts use.

use super::super::options::options;
use super::super::{Context, Ended, Failure, said};

/// How long a pattern may be, which is matched by recursion.
const MAX_PATTERN: usize = 1024;

/// Alternatives of plain words, with `^`, `$`, `.` and `.*`.
pub(in super::super) async fn grep(context: Context) -> Ended {
    let options = options(&context.argv, "EFGivqcnohse:")?;
    let mut operands = options.operands.iter();
    let pattern = match options.value('e') {
        Some(pattern) => pattern.to_owned(),
        None => operands.next().ok_or_else(|| said("no pattern"))?.clone(),
    };
    if pattern.len() > MAX_PATTERN {
        return Err(said("the pattern is too long"));
    }
    let paths: Vec<String> = operands.cloned().collect();
    let fold = |text: &str| {
        if options.has('i') {
            text.to_lowercase()
        } else {
            text.to_owned()
        }
    };
    let pattern = fold(&pattern);
    let plain = options.has('F');
    let text = context.all(&paths).await;
    let text = match text {
        Ok(text) => text,
        Err(Failure::Said(_, _)) if options.has('s') => return Ok(2),
        Err(Failure::Said(message, _)) => return Err(Failure::Said(message, 2)),
        Err(failure) => return Err(failure),
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let (mut output, mut count) = (String::new(), 0);
    for (index, line) in text.lines().enumerate() {
        let folded = fold(line);
        let found = match plain {
            true => folded.contains(&pattern),
            false => alternatives(&pattern)
                .iter()
                .any(|one| matched(one, &folded)),
        };
        if found == options.has('v') {
            continue;
        }
        count += 1;
        if options.has('n') {
            output.push_str(&format!("{}:", index + 1));
        }
        output.push_str(line);
        output.push('\n');
    }
    if options.has('c') {
        output = format!("{count}\n");
    }
    if !options.has('q') {
        context.say(output).await?;
    }
    Ok(i64::from(count == 0))
}

/// `^(a|b)`, `a|b` and `a\|b` as patterns without alternatives.
fn alternatives(pattern: &str) -> Vec<String> {
    if let (Some(open), Some(close)) = (pattern.find('('), pattern.rfind(')'))
        && open < close
    {
        let (before, rest) = pattern.split_at(open);
        let (inner, after) = (&rest[1..close - open], &pattern[close + 1..]);
        return inner
            .split('|')
            .map(|one| format!("{before}{one}{after}"))
            .collect();
    }
    pattern
        .split('|')
        .map(|one| one.trim_end_matches('\\').to_owned())
        .collect()
}

/// Whether a pattern of characters, `.`, `*`, `[…]`, `^` and `$` is found in a line.
fn matched(pattern: &str, line: &str) -> bool {
    let (anchored, pattern) = match pattern.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let (ends, pattern) = match pattern.strip_suffix('$') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let atoms = atoms(pattern);
    let line: Vec<char> = line.chars().collect();
    let starts = if anchored { 0..=0 } else { 0..=line.len() };
    starts
        .into_iter()
        .any(|start| here(&atoms, &line[start..], ends))
}

enum Atom {
    Any,
    Char(char),
    Set(Vec<(char, char)>, bool),
}

fn atoms(pattern: &str) -> Vec<(Atom, char)> {
    let mut atoms: Vec<(Atom, char)> = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        let atom = match char {
            '*' | '+' | '?' if !atoms.is_empty() => {
                if let Some(last) = atoms.last_mut() {
                    last.1 = char;
                }
                continue;
            }
            '.' => Atom::Any,
            '\\' => Atom::Char(chars.next().unwrap_or('\\')),
            '[' => {
                let negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while let Some(low) = chars.next().filter(|char| *char != ']') {
                    let high = match chars.peek() {
                        Some('-') => {
                            chars.next();
                            chars.next().unwrap_or(low)
                        }
                        _ => low,
                    };
                    ranges.push((low, high));
                }
                Atom::Set(ranges, negated)
            }
            char => Atom::Char(char),
        };
        atoms.push((atom, ' '));
    }
    atoms
}

fn here(atoms: &[(Atom, char)], line: &[char], ends: bool) -> bool {
    let Some(((atom, repeat), rest)) = atoms.split_first() else {
        return !ends || line.is_empty();
    };
    let one = |char: &char| match atom {
        Atom::Any => true,
        Atom::Char(own) => own == char,
        Atom::Set(ranges, negated) => {
            ranges
                .iter()
                .any(|(low, high)| (low..=high).contains(&char))
                != *negated
        }
    };
    let most = line.iter().take_while(|char| one(char)).count();
    let (least, most) = match repeat {
        '*' => (0, most),
        '+' => (1, most),
        '?' => (0, most.min(1)),
        _ => (1, most.min(1)),
    };
    (least..=most)
        .rev()
        .any(|count| here(rest, &line[count..], ends))
}
