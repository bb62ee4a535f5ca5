//! Words: quotes, and what begins with a dollar sign or a backquote.

use std::sync::Arc;

use super::super::syntax::{Operation, Parameter, Part, Word};
use super::{Parsed, Parser};

impl Parser {
    pub(super) fn word(&mut self) -> Parsed<Option<Word>> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut any = false;
        while let Some(char) = self.peek() {
            if char.is_whitespace() || ";|&()<>".contains(char) {
                break;
            }
            any = true;
            self.at += 1;
            match char {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) => {
                        flush(&mut parts, &mut plain);
                        parts.push(Part::Text(escaped.to_string(), true));
                    }
                },
                '\'' => {
                    flush(&mut parts, &mut plain);
                    let mut text = String::new();
                    loop {
                        match self.next() {
                            Some('\'') => break,
                            Some(char) => text.push(char),
                            None => {
                                return Err("syntax error: unterminated quoted string".to_owned());
                            }
                        }
                    }
                    parts.push(Part::Text(text, true));
                }
                '"' => {
                    flush(&mut parts, &mut plain);
                    // Even of nothing it is a word.
                    parts.push(Part::Text(String::new(), true));
                    self.quoted(&mut parts, Some('"'))?;
                }
                '$' | '`' => {
                    flush(&mut parts, &mut plain);
                    match self.expansion(char, false)? {
                        Some(part) => parts.push(part),
                        None => plain.push(char),
                    }
                }
                char => plain.push(char),
            }
        }
        flush(&mut parts, &mut plain);
        Ok(any.then_some(Word(parts)))
    }

    /// To the end of what is in double quotes, or of the text.
    pub(super) fn quoted(&mut self, parts: &mut Vec<Part>, end: Option<char>) -> Parsed<()> {
        let mut text = String::new();
        loop {
            let Some(char) = self.next() else {
                if end.is_some() {
                    return Err("syntax error: unterminated quoted string".to_owned());
                }
                break;
            };
            match char {
                char if Some(char) == end => break,
                '\\' => match self.next() {
                    Some('\n') => {}
                    Some(escaped) if "$`\"\\".contains(escaped) => text.push(escaped),
                    Some(other) => text.extend(['\\', other]),
                    None => text.push('\\'),
                },
                '$' | '`' => match self.expansion(char, true)? {
                    Some(part) => {
                        parts.push(Part::Text(std::mem::take(&mut text), true));
                        parts.push(part);
                    }
                    None => text.push(char),
                },
                char => text.push(char),
            }
        }
        parts.push(Part::Text(text, true));
        Ok(())
    }

    /// What a dollar sign or backquote begins; `None` where it stands for itself.
    fn expansion(&mut self, sign: char, quoted: bool) -> Parsed<Option<Part>> {
        self.nested(|parser| match sign {
            '`' => parser.backquoted(quoted).map(Some),
            _ => parser.dollar(quoted),
        })
    }

    fn backquoted(&mut self, quoted: bool) -> Parsed<Part> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(escaped) if "$`\\".contains(escaped) => text.push(escaped),
                    Some(other) => text.extend(['\\', other]),
                    None => text.push('\\'),
                },
                Some(char) => text.push(char),
                None => return Err("syntax error: unterminated backquote".to_owned()),
            }
        }
        let list = self.within(&text).commands()?;
        Ok(Part::Commands(Arc::new(list), quoted))
    }

    fn dollar(&mut self, quoted: bool) -> Parsed<Option<Part>> {
        if self.takes("((") {
            let mut text = String::new();
            let mut depth = 0;
            loop {
                match self.next() {
                    Some('(') => depth += 1,
                    Some(')') if depth == 0 => break,
                    Some(')') => depth -= 1,
                    Some(_) => {}
                    None => return Err("syntax error: missing '))'".to_owned()),
                }
                text.extend(self.text.get(self.at - 1));
            }
            if !self.takes(")") {
                return Err("syntax error: missing '))'".to_owned());
            }
            let word = self.within(&text).expansions()?;
            return Ok(Some(Part::Arithmetic(word, quoted)));
        }
        if self.takes("(") {
            let list = self.list(&[])?;
            return match self.takes(")") {
                true => Ok(Some(Part::Commands(Arc::new(list), quoted))),
                false => Err("syntax error: unexpected end of file (expecting \")\")".to_owned()),
            };
        }
        if self.takes("{") {
            return self.braces(quoted).map(Some);
        }
        let name = self.name();
        Ok(name.map(|name| {
            let operation = Operation::Plain;
            Part::Parameter(Box::new(Parameter { name, operation }), quoted)
        }))
    }

    /// A parameter's name, which is taken.
    fn name(&mut self) -> Option<String> {
        let first = self.peek()?;
        if first.is_ascii_digit() || "@*#?-$!".contains(first) {
            self.at += 1;
            return Some(first.to_string());
        }
        if !(first.is_ascii_alphabetic() || first == '_') {
            return None;
        }
        let mut name = String::new();
        while let Some(char) = self
            .peek()
            .filter(|char| char.is_ascii_alphanumeric() || *char == '_')
        {
            name.push(char);
            self.at += 1;
        }
        Some(name)
    }

    fn braces(&mut self, quoted: bool) -> Parsed<Part> {
        let bad = || "syntax error: bad substitution".to_owned();
        let length = self.peek() == Some('#') && self.ahead(1) != Some('}');
        if length {
            self.at += 1;
        }
        let mut name = self.name().ok_or_else(bad)?;
        while name.chars().all(|char| char.is_ascii_digit())
            && self.peek().is_some_and(|char| char.is_ascii_digit())
        {
            name.extend(self.next());
        }
        let operation = if length {
            Operation::Length
        } else {
            let colon = self.takes(":");
            match self.peek() {
                Some('}') if !colon => Operation::Plain,
                Some(sign) if "-=+?".contains(sign) => {
                    self.at += 1;
                    Operation::Default(sign, colon, self.braced()?)
                }
                Some(sign) if "#%".contains(sign) && !colon => {
                    self.at += 1;
                    let longest = self.peek() == Some(sign);
                    self.at += usize::from(longest);
                    Operation::Trim(sign, longest, self.braced()?)
                }
                _ => return Err(bad()),
            }
        };
        match self.takes("}") {
            true => Ok(Part::Parameter(
                Box::new(Parameter { name, operation }),
                quoted,
            )),
            false => Err(bad()),
        }
    }

    /// The word up to a closing brace, which stays.
    fn braced(&mut self) -> Parsed<Word> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        loop {
            match self.peek() {
                Some('}') => break,
                None => return Err("syntax error: bad substitution".to_owned()),
                Some(' ' | '\n' | '\t' | ';' | '|' | '&' | '(' | ')' | '<' | '>') => {
                    plain.extend(self.next())
                }
                Some(_) => {
                    flush(&mut parts, &mut plain);
                    let end = self.braced_piece(&mut parts)?;
                    if !end {
                        break;
                    }
                }
            }
        }
        flush(&mut parts, &mut plain);
        Ok(Word(parts))
    }

    /// One piece of such a word: quotes, an expansion or a character.
    fn braced_piece(&mut self, parts: &mut Vec<Part>) -> Parsed<bool> {
        match self.next() {
            None => Ok(false),
            Some('"') => self.quoted(parts, Some('"')).map(|()| true),
            Some('\'') => {
                let mut text = String::new();
                while let Some(char) = self.next().filter(|char| *char != '\'') {
                    text.push(char);
                }
                parts.push(Part::Text(text, true));
                Ok(true)
            }
            Some('\\') => {
                parts.extend(self.next().map(|char| Part::Text(char.to_string(), true)));
                Ok(true)
            }
            Some(sign @ ('$' | '`')) => {
                let part = self.expansion(sign, false)?;
                parts.push(part.unwrap_or_else(|| Part::Text(sign.to_string(), true)));
                Ok(true)
            }
            Some(char) => {
                parts.push(Part::Text(char.to_string(), false));
                Ok(true)
            }
        }
    }
}

fn flush(parts: &mut Vec<Part>, plain: &mut String) {
    if !plain.is_empty() {
        parts.push(Part::Text(std::mem::take(plain), false));
    }
}
