//! `echo` and `printf`.

use super::super::{Context, Ended, Failure, said};

/// How long what `printf` makes may get.
const MAX_LENGTH: usize = 16 << 20;

pub(in super::super) async fn echo(context: Context) -> Ended {
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

pub(in super::super) async fn printf(context: Context) -> Ended {
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
) -> Result<(), Failure> {
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
        if bytes.len() > MAX_LENGTH {
            return Err(said("out of memory"));
        }
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

/// Backslashes as `printf` has them.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
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
