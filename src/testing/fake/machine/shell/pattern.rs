//! Patterns as `case` and file names have them.

/// A character, and whether it stands for itself.
pub(super) type Mark = (char, bool);

pub(super) fn matches(pattern: &[Mark], text: &[char]) -> bool {
    // Where the last star was, and how much of the text it has taken.
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match pattern.get(at) {
            Some(('*', false)) => {
                star = Some((at + 1, read));
                at += 1;
                continue;
            }
            None if read == text.len() => return true,
            Some(mark) if read < text.len() => {
                let (matched, length) = one(pattern, at, *mark, text[read]);
                if matched {
                    at += length;
                    read += 1;
                    continue;
                }
            }
            _ => {}
        }
        match &mut star {
            Some((after, taken)) if *taken < text.len() => {
                *taken += 1;
                (at, read) = (*after, *taken);
            }
            _ => return false,
        }
    }
}

/// Whether a character matches what stands at a place, and how long that is.
fn one(pattern: &[Mark], at: usize, mark: Mark, char: char) -> (bool, usize) {
    match mark {
        ('?', false) => (true, 1),
        ('[', false) => match set(pattern.get(at + 1..).unwrap_or_default(), char) {
            Some((matched, length)) => (matched, length + 1),
            None => (char == '[', 1),
        },
        (plain, _) => (plain == char, 1),
    }
}

/// Whether a character is in a set, and how long that is with its end; `None` where it has none.
fn set(marks: &[Mark], char: char) -> Option<(bool, usize)> {
    let mut at = 0;
    let negated = matches!(marks.first(), Some(('!' | '^', false)));
    at += usize::from(negated);
    let mut found = false;
    let begin = at;
    loop {
        let (low, quoted) = *marks.get(at)?;
        if low == ']' && !quoted && at > begin {
            return Some((found != negated, at + 1));
        }
        let range = (marks.get(at + 1), marks.get(at + 2));
        if let (Some(('-', false)), Some((high, _))) = range
            && *high != ']'
        {
            found |= (low..=*high).contains(&char);
            at += 3;
            continue;
        }
        found |= low == char;
        at += 1;
    }
}

pub(super) fn is_pattern(marks: &[Mark]) -> bool {
    marks
        .iter()
        .any(|(char, quoted)| !quoted && "*?[".contains(*char))
}

pub(super) fn marks(text: &str, quoted: bool) -> Vec<Mark> {
    text.chars().map(|char| (char, quoted)).collect()
}

pub(super) fn text(marks: &[Mark]) -> String {
    marks.iter().map(|(char, _)| char).collect()
}
