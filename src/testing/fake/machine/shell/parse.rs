//! From text to commands: the grammar of POSIX, as far as programs in containers use it.

use std::sync::Arc;

use super::syntax::{
    Command, Compound, Item, List, Operation, Parameter, Part, Pipeline, Redirection, Target, Word,
};

/// How deep commands may be nested.
const MAX_DEPTH: usize = 64;

type Parsed<T> = Result<T, String>;

/// Words that mean something where a command begins.
const RESERVED: [&str; 15] = [
    "if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "case", "esac", "}",
    "!", "in",
];

pub(super) fn parse(text: &str) -> Parsed<List> {
    let mut parser = Parser::new(text.chars().collect());
    let list = parser.list(&[])?;
    match parser.peek() {
        None => Ok(list),
        Some(found) => Err(format!("syntax error: unexpected \"{found}\"")),
    }
}

/// As between quotes: expansions alone.
pub(super) fn parse_quoted(text: &str) -> Parsed<Word> {
    let mut parser = Parser::new(text.chars().collect());
    let mut parts = Vec::new();
    parser.quoted(&mut parts, None)?;
    Ok(Word(parts))
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
}

/// A here-document: what ends it, whether leading tabs go, whether nothing in it is expanded.
struct Awaited {
    end: String,
    tabs: bool,
    quoted: bool,
}

impl Parser {
    fn new(text: Vec<char>) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
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
            false => parse_quoted(&text),
        }
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

    /// Commands up to one of these words, a closing parenthesis or the end; that stays.
    fn list(&mut self, ends: &[&str]) -> Parsed<List> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("syntax error: too deep".to_owned());
        }
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
        // What stands at the very end has its line break too.
        self.depth -= 1;
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
                return Ok(Command::Function(word, Arc::new(self.command()?)));
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

    fn redirection(&mut self) -> Parsed<Option<Redirection>> {
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

    fn word(&mut self) -> Parsed<Option<Word>> {
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
    fn quoted(&mut self, parts: &mut Vec<Part>, end: Option<char>) -> Parsed<()> {
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
        if sign == '`' {
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
            return Ok(Some(Part::Commands(Arc::new(parse(&text)?), quoted)));
        }
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
            return Ok(Some(Part::Arithmetic(parse_quoted(&text)?, quoted)));
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
