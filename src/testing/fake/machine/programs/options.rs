//! Options as POSIX has them.

/// Letters with their values, and the operands. In `known`, a letter with a colon has a value.
pub(super) struct Options {
    pub(super) letters: Vec<(char, String)>,
    pub(super) operands: Vec<String>,
}

impl Options {
    pub(super) fn has(&self, letter: char) -> bool {
        self.letters.iter().any(|(known, _)| *known == letter)
    }

    pub(super) fn value(&self, letter: char) -> Option<&str> {
        let all = self.letters.iter().rev();
        let mut found = all.filter(|(known, _)| *known == letter);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The first operand and the others; else what is missing is said.
    pub(super) fn split_first(
        &self,
        missing: &str,
    ) -> Result<(&String, &[String]), super::Failure> {
        let split = self.operands.split_first();
        split.ok_or_else(|| super::said(missing))
    }

    /// The last operand and those before it; else what is missing is said.
    pub(super) fn split_last(&self, missing: &str) -> Result<(&String, &[String]), super::Failure> {
        let split = self.operands.split_last();
        split.ok_or_else(|| super::said(missing))
    }
}

/// Takes them apart; options may stand after operands, unless `known` begins with `+`.
pub(super) fn options(argv: &[String], known: &str) -> Result<Options, super::Failure> {
    let (first, known) = match known.strip_prefix('+') {
        Some(known) => (true, known),
        None => (false, known),
    };
    let mut found = Options {
        letters: Vec::new(),
        operands: Vec::new(),
    };
    let mut words = argv.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--" {
            found.operands.extend(words.cloned());
            break;
        }
        if !word.starts_with('-') || word == "-" {
            found.operands.push(word.clone());
            if first {
                found.operands.extend(words.cloned());
                break;
            }
            continue;
        }
        let mut letters = word.chars().skip(1);
        while let Some(letter) = letters.next() {
            let mut places = known.match_indices(letter);
            let Some((at, _)) = places.next() else {
                return Err(super::said(format!("unrecognized option: {letter}")));
            };
            let takes = known[at + letter.len_utf8()..].starts_with(':');
            if !takes {
                found.letters.push((letter, String::new()));
                continue;
            }
            let rest: String = letters.by_ref().collect();
            let value = match rest.is_empty() {
                true => words.next().cloned(),
                false => Some(rest),
            };
            let missing = || super::said(format!("option requires an argument: {letter}"));
            found.letters.push((letter, value.ok_or_else(missing)?));
        }
    }
    Ok(found)
}

/// A count with a unit: `k`, `m`, `b`.
pub(super) fn count(text: &str) -> Result<u64, super::Failure> {
    let (digits, unit) = match text.trim_end_matches(['k', 'K']) {
        digits if digits.len() < text.len() => (digits, 1 << 10),
        _ => match text.trim_end_matches(['m', 'M']) {
            digits if digits.len() < text.len() => (digits, 1 << 20),
            digits => (digits, 1),
        },
    };
    let number = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| super::said(format!("invalid number '{text}'")))
}
