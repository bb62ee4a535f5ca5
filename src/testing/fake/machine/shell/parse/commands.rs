//! Lists, pipelines, simple and compound commands.

use std::sync::Arc;

use super::super::syntax::{Command, Compound, Item, List, Pipeline, Word};
use super::{Parsed, Parser};

/// Words that mean something where a command begins.
const RESERVED: [&str; 15] = [
    "if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "case", "esac", "}",
    "!", "in",
];

impl Parser {
    /// Commands up to one of these words, a closing parenthesis or the end; that stays.
    pub(super) fn list(&mut self, ends: &[&str]) -> Parsed<List> {
        self.nested(|parser| parser.items(ends))
    }

    fn items(&mut self, ends: &[&str]) -> Parsed<List> {
        let mut list = List::new();
        loop {
            self.breaks();
            match self.peek() {
                None | Some(')') => break,
                Some(';') if self.ahead(1) == Some(';') => break,
                _ => {}
            }
            if self
                .bare()
                .is_some_and(|word| ends.contains(&word.as_str()))
            {
                break;
            }
            let mut item = self.item()?;
            self.blanks();
            match self.peek() {
                Some('&') => {
                    self.at += 1;
                    item.background = true;
                }
                Some(';') if self.ahead(1) != Some(';') => self.at += 1,
                Some('\n' | ')' | ';') | None => {}
                Some(found) => return Err(format!("syntax error: unexpected \"{found}\"")),
            }
            list.push(item);
        }
        Ok(list)
    }

    fn item(&mut self) -> Parsed<Item> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let and = match (self.peek(), self.ahead(1)) {
                (Some('&'), Some('&')) => true,
                (Some('|'), Some('|')) => false,
                _ => break,
            };
            self.at += 2;
            self.breaks();
            rest.push((and, self.pipeline()?));
        }
        Ok(Item {
            first,
            rest,
            background: false,
        })
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        self.blanks();
        let mut negated = false;
        while self.bare().as_deref() == Some("!") {
            self.at += 1;
            negated = !negated;
            self.blanks();
        }
        let mut commands = vec![Arc::new(self.command()?)];
        loop {
            self.blanks();
            if self.peek() != Some('|') || self.ahead(1) == Some('|') {
                break;
            }
            self.at += 1;
            self.breaks();
            commands.push(Arc::new(self.command()?));
        }
        Ok(Pipeline { negated, commands })
    }

    fn command(&mut self) -> Parsed<Command> {
        self.blanks();
        if let Some(compound) = self.compound()? {
            let mut redirections = Vec::new();
            loop {
                self.blanks();
                match self.redirection()? {
                    Some(redirection) => redirections.push(redirection),
                    None => return Ok(Command::Compound(compound, redirections)),
                }
            }
        }
        if let Some(word) = self.bare() {
            if RESERVED.contains(&word.as_str()) {
                return Err(format!("syntax error: unexpected \"{word}\""));
            }
            // A function: its name, then `()`.
            let from = self.at;
            self.at += word.len();
            self.blanks();
            if self.takes("(") {
                self.blanks();
                if !self.takes(")") {
                    return Err("syntax error: bad function".to_owned());
                }
                self.breaks();
                let body = self.nested(Self::command)?;
                return Ok(Command::Function(word, Arc::new(body)));
            }
            self.at = from;
        }
        self.simple()
    }

    fn simple(&mut self) -> Parsed<Command> {
        let (mut assignments, mut words, mut redirections) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.blanks();
            if let Some(redirection) = self.redirection()? {
                redirections.push(redirection);
                continue;
            }
            if words.is_empty()
                && let Some(name) = self.assignment()
            {
                let value = self.word()?.unwrap_or_default();
                assignments.push((name, value));
                continue;
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        if assignments.is_empty() && words.is_empty() && redirections.is_empty() {
            return Err(match self.peek() {
                Some(found) => format!("syntax error: unexpected \"{found}\""),
                None => "syntax error: unexpected end of file".to_owned(),
            });
        }
        Ok(Command::Simple {
            assignments,
            words,
            redirections,
        })
    }

    /// `name=`, which is taken.
    fn assignment(&mut self) -> Option<String> {
        let rest = self.text.get(self.at..)?;
        let name: String = rest
            .iter()
            .take_while(|char| char.is_ascii_alphanumeric() || **char == '_')
            .collect();
        let is_name = name
            .chars()
            .next()
            .is_some_and(|first| !first.is_ascii_digit());
        if is_name && rest.get(name.len()) == Some(&'=') {
            self.at += name.len() + 1;
            return Some(name);
        }
        None
    }

    fn compound(&mut self) -> Parsed<Option<Compound>> {
        if self.takes("(") {
            let list = self.list(&[])?;
            return match self.takes(")") {
                true => Ok(Some(Compound::Subshell(Arc::new(list)))),
                false => Err("syntax error: unexpected end of file (expecting \")\")".to_owned()),
            };
        }
        if self.peek() == Some('{') && self.ahead(1).is_some_and(char::is_whitespace) {
            self.at += 1;
            let list = self.list(&["}"])?;
            self.expect("}")?;
            return Ok(Some(Compound::Group(list)));
        }
        let Some(word) = self.bare() else {
            return Ok(None);
        };
        let compound = match word.as_str() {
            "if" => {
                let mut arms = Vec::new();
                self.at += 2;
                loop {
                    let condition = self.list(&["then"])?;
                    self.expect("then")?;
                    arms.push((condition, self.list(&["elif", "else", "fi"])?));
                    if self.bare().as_deref() != Some("elif") {
                        break;
                    }
                    self.at += 4;
                }
                let mut otherwise = None;
                if self.bare().as_deref() == Some("else") {
                    self.at += 4;
                    otherwise = Some(self.list(&["fi"])?);
                }
                self.expect("fi")?;
                Compound::If(arms, otherwise)
            }
            "while" | "until" => {
                self.at += 5;
                let condition = self.list(&["do"])?;
                Compound::While(condition, self.body()?, word == "until")
            }
            "for" => {
                self.at += 3;
                self.blanks();
                let name = self.bare().ok_or("syntax error: bad for loop variable")?;
                self.at += name.len();
                self.breaks();
                let mut words = None;
                if self.bare().as_deref() == Some("in") {
                    self.at += 2;
                    let mut all = Vec::new();
                    loop {
                        self.blanks();
                        match self.word()? {
                            Some(word) => all.push(word),
                            None => break,
                        }
                    }
                    words = Some(all);
                }
                self.blanks();
                self.takes(";");
                Compound::For(name, words, self.body()?)
            }
            "case" => {
                self.at += 4;
                self.blanks();
                let word = self.word()?.ok_or("syntax error: case of nothing")?;
                self.expect("in")?;
                Compound::Case(word, self.arms()?)
            }
            _ => return Ok(None),
        };
        Ok(Some(compound))
    }

    fn body(&mut self) -> Parsed<List> {
        self.expect("do")?;
        let body = self.list(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    fn arms(&mut self) -> Parsed<Vec<(Vec<Word>, List)>> {
        let mut arms = Vec::new();
        loop {
            self.breaks();
            if self.bare().as_deref() == Some("esac") {
                self.at += 4;
                return Ok(arms);
            }
            self.takes("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                patterns.push(self.word()?.ok_or("syntax error: no pattern")?);
                self.blanks();
                if self.takes(")") {
                    break;
                }
                if !self.takes("|") {
                    return Err("syntax error: a pattern without its end".to_owned());
                }
            }
            arms.push((patterns, self.list(&["esac"])?));
            self.takes(";;");
        }
    }
}
