//! Redirections and here-documents.

use super::super::syntax::{Part, Redirection, Target, Word};
use super::{Parsed, Parser};

/// A here-document: what ends it, whether leading tabs go, whether nothing in it is expanded.
struct Awaited {
    end: String,
    tabs: bool,
    quoted: bool,
}

impl Parser {
    pub(super) fn redirection(&mut self) -> Parsed<Option<Redirection>> {
        let digits = self.text.get(self.at..).unwrap_or_default();
        let digits: String = digits
            .iter()
            .take_while(|char| char.is_ascii_digit())
            .collect();
        let sign = self.ahead(digits.len());
        if !matches!(sign, Some('<' | '>')) {
            return Ok(None);
        }
        let number = if digits.is_empty() {
            None
        } else {
            digits.parse().ok()
        };
        self.at += digits.len();
        let own = number.unwrap_or(u32::from(sign == Some('>')));
        if self.takes("<<") {
            let tabs = self.takes("-");
            self.blanks();
            let from = self.at;
            let word = self
                .word()?
                .ok_or("syntax error: no end of a here-document")?;
            let written: String = self
                .text
                .get(from..self.at)
                .unwrap_or_default()
                .iter()
                .collect();
            let end = word.0.iter().map(|part| match part {
                Part::Text(text, _) => text.as_str(),
                _ => "",
            });
            let end = end.collect();
            let quoted = written.contains(['\'', '"', '\\']);
            // Its text begins with the next line: it is read, and taken out from there.
            let resume = self.at;
            while self.peek().is_some_and(|char| char != '\n') {
                self.at += 1;
            }
            self.at += 1;
            let begins = self.at.min(self.text.len());
            self.at = begins;
            let text = self.document(&Awaited { end, tabs, quoted })?;
            self.text.drain(begins..self.at);
            self.at = resume;
            return Ok(Some(Redirection {
                number: own,
                to: Target::Text(text),
            }));
        }
        let make: fn(Word) -> Target = match () {
            () if self.takes(">>") => Target::Append,
            () if self.takes(">&") | self.takes("<&") => Target::Same,
            () if self.takes("<>") => Target::Both,
            () if self.takes(">|") | self.takes(">") => Target::Write,
            () => {
                self.at += 1;
                Target::Read
            }
        };
        self.blanks();
        let word = self
            .word()?
            .ok_or("syntax error: a redirection to nothing")?;
        Ok(Some(Redirection {
            number: own,
            to: make(word),
        }))
    }

    fn document(&mut self, awaited: &Awaited) -> Parsed<Word> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let mut ended = true;
            while let Some(char) = self.next() {
                if char == '\n' {
                    ended = false;
                    break;
                }
                line.push(char);
            }
            let shown = if awaited.tabs {
                line.trim_start_matches('\t')
            } else {
                &line
            };
            if shown == awaited.end || (ended && line.is_empty()) {
                break;
            }
            text.push_str(shown);
            text.push('\n');
            if ended {
                break;
            }
        }
        match awaited.quoted {
            true => Ok(Word(vec![Part::Text(text, true)])),
            false => self.within(&text).expansions(),
        }
    }
}
