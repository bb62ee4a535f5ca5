//! From text to commands: the grammar of POSIX, as far as programs in containers use it.

mod commands;
mod redirections;
mod words;

use super::syntax::{List, Word};

/// How deep commands and expansions may be nested.
const MAX_DEPTH: usize = 64;

type Parsed<T> = Result<T, String>;

pub(super) fn parse(text: &str) -> Parsed<List> {
    Parser::new(text, 0).commands()
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn new(text: &str, depth: usize) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
            depth,
        }
    }

    /// For a text that stands in this one.
    fn within(&self, text: &str) -> Self {
        Self::new(text, self.depth)
    }

    /// The text to its end, as commands.
    fn commands(mut self) -> Parsed<List> {
        let list = self.list(&[])?;
        match self.peek() {
            None => Ok(list),
            Some(found) => Err(format!("syntax error: unexpected \"{found}\"")),
        }
    }

    /// The text to its end, as between quotes: expansions alone.
    fn expansions(mut self) -> Parsed<Word> {
        let mut parts = Vec::new();
        self.quoted(&mut parts, None)?;
        Ok(Word(parts))
    }

    /// Parses what may stand in itself.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err("syntax error: too deep".to_owned());
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn ahead(&self, count: usize) -> Option<char> {
        self.text.get(self.at + count).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn takes(&mut self, text: &str) -> bool {
        let found = text
            .chars()
            .enumerate()
            .all(|(index, char)| self.ahead(index) == Some(char));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    /// Blanks, comments and escaped line breaks.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.ahead(1) == Some('\n') => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|char| char != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn line_break(&mut self) -> bool {
        if self.peek() != Some('\n') {
            return false;
        }
        self.at += 1;
        true
    }

    fn breaks(&mut self) {
        loop {
            self.blanks();
            if !self.line_break() {
                return;
            }
        }
    }

    /// The bare word that begins here, if it is one; it stays.
    fn bare(&self) -> Option<String> {
        let rest = self.text.get(self.at..)?;
        if rest.first() == Some(&'}') || rest.first() == Some(&'!') {
            let alone = rest
                .get(1)
                .is_none_or(|char| char.is_whitespace() || ";|&)".contains(*char));
            return alone.then(|| rest[..1].iter().collect());
        }
        let word: String = rest
            .iter()
            .take_while(|char| char.is_ascii_alphanumeric() || **char == '_')
            .collect();
        let after = rest.get(word.len());
        let ends = after.is_none_or(|char| char.is_whitespace() || ";|&()<>".contains(*char));
        (ends && !word.is_empty()).then_some(word)
    }

    fn expect(&mut self, word: &str) -> Parsed<()> {
        self.breaks();
        if self.bare().as_deref() == Some(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(match self.peek() {
            Some(found) => format!("syntax error: unexpected \"{found}\" (expecting \"{word}\")"),
            None => format!("syntax error: unexpected end of file (expecting \"{word}\")"),
        })
    }
}
