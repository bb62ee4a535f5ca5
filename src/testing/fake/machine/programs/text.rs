//! Programs that read and write text.

use super::super::io::PIECE;
use super::options::{count, options};
use super::{Context, Ended, said};

pub(super) async fn cat(context: Context) -> Ended {
    let paths = options(&context.argv, "u")?.operands;
    let paths = if paths.is_empty() {
        vec!["-".to_owned()]
    } else {
        paths
    };
    let mut code = 0;
    for path in paths {
        if path == "-" {
            loop {
                let piece = context.input().await?;
                if piece.is_empty() {
                    break;
                }
                context.out(&piece).await?;
            }
            continue;
        }
        let opened = context.view().readable(&context.cwd, &path);
        match opened {
            Ok(super::super::files::Opened::Directory) => {
                context.complain("read error: Is a directory").await;
                code = 1;
            }
            Ok(opened) => {
                let open = super::files::opened(opened);
                loop {
                    let piece = open.read(PIECE).await?;
                    if piece.is_empty() {
                        break;
                    }
                    context.out(&piece).await?;
                }
            }
            Err(errno) => {
                context
                    .complain(&format!("can't open '{path}': {errno}"))
                    .await;
                code = 1;
            }
        }
    }
    Ok(code)
}

pub(super) async fn echo(context: Context) -> Ended {
    let mut words = context.argv.get(1..).unwrap_or_default();
    let (mut line_break, mut escapes) = (true, false);
    while let Some((option, rest)) = words.split_first() {
        let letters = option
            .strip_prefix('-')
            .filter(|letters| !letters.is_empty());
        let Some(letters) =
            letters.filter(|letters| letters.chars().all(|letter| "neE".contains(letter)))
        else {
            break;
        };
        line_break &= !letters.contains('n');
        escapes |= letters.contains('e');
        words = rest;
    }
    let text = words.join(" ");
    let mut bytes = match escapes {
        true => unescaped(&text),
        false => text.into_bytes(),
    };
    if line_break {
        bytes.push(b'\n');
    }
    context.out(&bytes).await?;
    Ok(0)
}

/// Backslashes as `printf` has them.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\\' {
            bytes.extend_from_slice(char.to_string().as_bytes());
            continue;
        }
        let Some(escaped) = chars.next() else {
            bytes.push(b'\\');
            break;
        };
        match escaped {
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            'r' => bytes.push(b'\r'),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'v' => bytes.push(11),
            'e' => bytes.push(27),
            '\\' => bytes.push(b'\\'),
            'x' => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some(digit) = chars
                        .next_if(char::is_ascii_hexdigit)
                        .and_then(|char| char.to_digit(16))
                    else {
                        break;
                    };
                    value = value * 16 + digit;
                }
                bytes.push(value.to_le_bytes()[0]);
            }
            '0'..='7' => {
                let mut value = escaped.to_digit(8).unwrap_or(0);
                for _ in 0..(if escaped == '0' { 3 } else { 2 }) {
                    let Some(digit) = chars
                        .next_if(|char| ('0'..='7').contains(char))
                        .and_then(|char| char.to_digit(8))
                    else {
                        break;
                    };
                    value = value * 8 + digit;
                }
                bytes.push(value.to_le_bytes()[0]);
            }
            other => bytes.extend_from_slice(format!("\\{other}").as_bytes()),
        }
    }
    bytes
}

pub(super) async fn printf(context: Context) -> Ended {
    let Some((format, arguments)) = context.argv.get(1..).and_then(|words| words.split_first())
    else {
        return Err(said("usage: printf FORMAT [ARG]..."));
    };
    let mut arguments = arguments.iter();
    let mut bytes = Vec::new();
    loop {
        let before = arguments.len();
        formatted(format, &mut arguments, &mut bytes)?;
        // The format again for those that are left, if it takes any.
        if arguments.len() == 0 || arguments.len() == before {
            break;
        }
    }
    context.out(&bytes).await?;
    Ok(0)
}

fn formatted<'a>(
    format: &str,
    arguments: &mut impl Iterator<Item = &'a String>,
    bytes: &mut Vec<u8>,
) -> Result<(), super::Failure> {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (plain, after) = rest.split_at(at);
        bytes.extend(unescaped(plain));
        let after = &after[1..];
        let flags_end = after
            .find(|char: char| !"-+ 0#".contains(char))
            .unwrap_or(after.len());
        let (flags, after) = after.split_at(flags_end);
        let width_end = after
            .find(|char: char| !char.is_ascii_digit() && char != '.')
            .unwrap_or(after.len());
        let (width, after) = after.split_at(width_end);
        let (width, precision) = width.split_once('.').unwrap_or((width, ""));
        let width = width.parse::<usize>().unwrap_or(0).min(1 << 16);
        let Some(kind) = after.chars().next() else {
            bytes.push(b'%');
            return Ok(());
        };
        rest = &after[kind.len_utf8()..];
        let mut number = || {
            let text = arguments.next().map_or("0", String::as_str);
            let quoted = text
                .strip_prefix(['\'', '"'])
                .and_then(|rest| rest.chars().next());
            match quoted {
                Some(char) => Ok(i64::from(u32::from(char))),
                None if text.is_empty() => Ok(0),
                None => text
                    .trim()
                    .parse::<i64>()
                    .map_err(|_| said(format!("invalid number '{text}'"))),
            }
        };
        let shown = match kind {
            '%' => b"%".to_vec(),
            'd' | 'i' | 'u' => number()?.to_string().into_bytes(),
            'x' => format!("{:x}", number()?).into_bytes(),
            'X' => format!("{:X}", number()?).into_bytes(),
            'o' => format!("{:o}", number()?).into_bytes(),
            'c' => arguments
                .next()
                .and_then(|text| text.chars().next())
                .map(String::from)
                .unwrap_or_default()
                .into_bytes(),
            'b' => unescaped(arguments.next().map_or("", String::as_str)),
            's' => {
                let text = arguments.next().map_or("", String::as_str);
                match precision.parse() {
                    Ok(most) => text.chars().take(most).collect::<String>().into_bytes(),
                    Err(_) => text.as_bytes().to_vec(),
                }
            }
            other => return Err(said(format!("%{other}: invalid format"))),
        };
        let pad = width.saturating_sub(shown.len());
        if flags.contains('-') {
            bytes.extend(shown);
            bytes.extend(vec![b' '; pad]);
        } else {
            let fill = if flags.contains('0') && kind != 's' {
                b'0'
            } else {
                b' '
            };
            bytes.extend(vec![fill; pad]);
            bytes.extend(shown);
        }
    }
    bytes.extend(unescaped(rest));
    Ok(())
}

pub(super) async fn head(context: Context) -> Ended {
    let argv = old_count(&context.argv);
    let options = options(&argv, "n:c:q")?;
    let bytes = options.value('c').map(count).transpose()?;
    let mut lines = options.value('n').map_or(Ok(10), count)?;
    let mut left = bytes.unwrap_or(u64::MAX);
    let input = super::files::input(&context, options.operands.first().map(String::as_str))?;
    while left > 0 && lines > 0 {
        // By lines, no more is taken than is shown where that can be told.
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let piece = input.read(most).await?;
        if piece.is_empty() {
            break;
        }
        if bytes.is_some() {
            left -= piece.len() as u64;
            context.out(&piece).await?;
            continue;
        }
        let mut end = 0;
        for (at, byte) in piece.iter().enumerate() {
            if lines == 0 {
                break;
            }
            end = at + 1;
            lines -= u64::from(*byte == b'\n');
        }
        context.out(&piece[..end]).await?;
    }
    Ok(0)
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

pub(super) async fn tail(context: Context) -> Ended {
    let argv = old_count(&context.argv);
    let options = options(&argv, "n:c:fFq")?;
    let from = options.value('n').and_then(|text| text.strip_prefix('+'));
    let from = from.map(count).transpose()?;
    let bytes = options.value('c').map(count).transpose()?;
    let lines = match from {
        Some(_) => 0,
        None => options.value('n').map_or(Ok(10), count)?,
    };
    let input = super::files::input(&context, options.operands.first().map(String::as_str))?;
    // A line without an end is kept whole, which is what a memory limit is for.
    let mut kept: Vec<u8> = Vec::new();
    loop {
        let piece = input.read(PIECE).await?;
        if piece.is_empty() {
            break;
        }
        kept.extend_from_slice(&piece);
        context.world.holds(&context.process, kept.len() as u64);
        tokio::task::yield_now().await;
        if from.is_none() && (bytes.is_some() || piece.contains(&b'\n')) {
            let begin = match bytes {
                Some(bytes) => kept
                    .len()
                    .saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX)),
                None => last_lines(&kept, lines),
            };
            kept.drain(..begin);
        }
    }
    if let Some(from) = from {
        let skipped = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let rest: Vec<&[u8]> = kept
            .split_inclusive(|byte| *byte == b'\n')
            .skip(skipped)
            .collect();
        context.out(&rest.concat()).await?;
        return Ok(0);
    }
    context.out(&kept).await?;
    if options.has('f') || options.has('F') {
        // What is added later, for as long as it runs.
        loop {
            let piece = input.read(PIECE).await?;
            match piece.is_empty() {
                true => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                false => context.out(&piece).await?,
            }
        }
    }
    Ok(0)
}

/// Where the last so many lines begin.
fn last_lines(text: &[u8], lines: u64) -> usize {
    let mut left = lines;
    let whole = text.len() - usize::from(text.last() == Some(&b'\n'));
    for (at, byte) in text[..whole].iter().enumerate().rev() {
        if *byte == b'\n' {
            left = left.saturating_sub(1);
            if left == 0 {
                return at + 1;
            }
        }
    }
    if lines == 0 { text.len() } else { 0 }
}

pub(super) async fn tr(context: Context) -> Ended {
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

pub(super) async fn cut(context: Context) -> Ended {
    let options = options(&context.argv, "d:f:c:b:s")?;
    let list = ["f", "c", "b"]
        .iter()
        .find_map(|letter| options.value(letter.chars().next()?));
    let list = list.ok_or_else(|| said("expected a list of bytes, characters, or fields"))?;
    let wanted = |number: usize| {
        list.split(',').any(|range| match range.split_once('-') {
            Some((low, high)) => {
                let low = low.parse().unwrap_or(1);
                let high = high.parse().unwrap_or(usize::MAX);
                (low..=high).contains(&number)
            }
            None => range.parse() == Ok(number),
        })
    };
    let text = context.all(&options.operands).await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut output = String::new();
    for line in text.lines() {
        if options.has('f') {
            let delimiter = options.value('d').unwrap_or("\t");
            let fields = line.split(delimiter).enumerate();
            let kept: Vec<&str> = fields
                .filter(|(index, _)| wanted(index + 1))
                .map(|(_, field)| field)
                .collect();
            match line.contains(delimiter) {
                true => output.push_str(&kept.join(delimiter)),
                false => output.push_str(line),
            }
        } else {
            let chars = line.chars().enumerate();
            output.extend(
                chars
                    .filter(|(index, _)| wanted(index + 1))
                    .map(|(_, char)| char),
            );
        }
        output.push('\n');
    }
    context.say(output).await?;
    Ok(0)
}

/// Alternatives of plain words, with `^`, `$`, `.` and `.*`.
pub(super) async fn grep(context: Context) -> Ended {
    let options = options(&context.argv, "EFGivqcnohse:")?;
    let mut operands = options.operands.iter();
    let pattern = match options.value('e') {
        Some(pattern) => pattern.to_owned(),
        None => operands.next().ok_or_else(|| said("no pattern"))?.clone(),
    };
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
        Err(super::Failure::Said(_, _)) if options.has('s') => return Ok(2),
        Err(super::Failure::Said(message, _)) => return Err(super::Failure::Said(message, 2)),
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
    if let (Some(open), Some(close)) = (pattern.find('('), pattern.rfind(')')) {
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

pub(super) async fn sort(context: Context) -> Ended {
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

pub(super) async fn uniq(context: Context) -> Ended {
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
        copies.push(super::files::created(&context, path, options.has('a'))?);
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
    let lines = format!("{word}\n").repeat(1024);
    loop {
        context.say(&lines).await?;
    }
}
