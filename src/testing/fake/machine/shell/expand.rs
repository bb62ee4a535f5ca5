//! From words to arguments: parameters, commands, fields and file names.

use futures::future::BoxFuture;

use super::pattern::{self, Mark};
use super::syntax::{Operation, Parameter, Part, Word};
use super::{Jump, Shell, arithmetic};

/// How long an expansion may get.
const MAX_LENGTH: usize = 4 << 20;

type Expanded<T> = Result<T, Jump>;

/// Fields as they grow: the last one is open.
#[derive(Default)]
struct Fields {
    done: Vec<Vec<Mark>>,
    open: Option<Vec<Mark>>,
}

impl Fields {
    fn add(&mut self, marks: impl IntoIterator<Item = Mark>) {
        self.open.get_or_insert_default().extend(marks);
    }

    fn close(&mut self) {
        self.done.extend(self.open.take());
    }
}

impl Shell {
    /// A word as arguments.
    pub(super) async fn fields(&mut self, words: &[Word]) -> Expanded<Vec<String>> {
        let mut all = Vec::new();
        for word in words {
            let mut fields = Fields::default();
            self.expand(word, &mut fields, true).await?;
            fields.close();
            for field in fields.done {
                match pattern::is_pattern(&field) {
                    true => all.extend(self.names(&field)),
                    false => all.push(pattern::text(&field)),
                }
            }
        }
        Ok(all)
    }

    /// A word as one text.
    pub(super) async fn text(&mut self, word: &Word) -> Expanded<String> {
        Ok(pattern::text(&self.marks(word).await?))
    }

    /// A word as one pattern.
    pub(super) async fn marks(&mut self, word: &Word) -> Expanded<Vec<Mark>> {
        let mut fields = Fields::default();
        self.expand(word, &mut fields, false).await?;
        fields.close();
        Ok(fields.done.join(&(' ', true)))
    }

    fn expand<'a>(
        &'a mut self,
        word: &'a Word,
        fields: &'a mut Fields,
        split: bool,
    ) -> BoxFuture<'a, Expanded<()>> {
        Box::pin(async move {
            for (index, part) in word.0.iter().enumerate() {
                match part {
                    Part::Text(text, quoted) => {
                        let home = (index == 0 && !quoted).then(|| self.home(text)).flatten();
                        let text = home.unwrap_or_else(|| text.clone());
                        // An empty text in quotes beside `"$@"` makes no argument.
                        let only_all = text.is_empty() && word.0.iter().any(is_all);
                        if !only_all {
                            fields.add(pattern::marks(&text, *quoted));
                        }
                    }
                    Part::Parameter(parameter, quoted) => {
                        let quoted = *quoted || !split;
                        self.parameter(parameter, quoted, split, fields).await?;
                    }
                    Part::Commands(list, quoted) => {
                        let text = self.substitute(list).await?;
                        self.add(fields, &text, *quoted || !split);
                    }
                    Part::Arithmetic(word, quoted) => {
                        let text = self.text(word).await?;
                        let value = |name: &str| self.variable(name).unwrap_or_default();
                        let sum = arithmetic::evaluate(&text, &value);
                        let sum = match sum {
                            Ok(sum) => sum.to_string(),
                            Err(message) => return Err(self.fails(&message).await),
                        };
                        self.add(fields, &sum, *quoted || !split);
                    }
                }
                let length = fields.open.as_ref().map_or(0, Vec::len);
                if length > MAX_LENGTH {
                    return Err(self.fails("out of memory").await);
                }
            }
            Ok(())
        })
    }

    /// `~` and `~/…`.
    fn home(&self, text: &str) -> Option<String> {
        let rest = text.strip_prefix('~')?;
        let alone = rest.is_empty() || rest.starts_with('/');
        alone.then(|| self.variable("HOME").unwrap_or_else(|| "/".to_owned()) + rest)
    }

    /// Adds an expansion's text; unquoted, it falls into fields.
    fn add(&self, fields: &mut Fields, text: &str, quoted: bool) {
        if quoted {
            fields.add(pattern::marks(text, true));
            return;
        }
        let separators = self.separators();
        for char in text.chars() {
            if separators.contains(char) {
                if !char.is_whitespace() && fields.open.is_none() {
                    fields.open = Some(Vec::new());
                }
                fields.close();
            } else {
                fields.add([(char, false)]);
            }
        }
    }

    pub(super) fn separators(&self) -> String {
        self.variable("IFS").unwrap_or_else(|| " \t\n".to_owned())
    }

    async fn parameter(
        &mut self,
        parameter: &Parameter,
        quoted: bool,
        split: bool,
        fields: &mut Fields,
    ) -> Expanded<()> {
        let name = parameter.name.as_str();
        if let (Operation::Plain, "@" | "*") = (&parameter.operation, name) {
            return self.all(name, quoted, split, fields);
        }
        let value = self.parameter_value(name);
        match &parameter.operation {
            Operation::Plain => {
                if value.is_none() && self.options.contains(&'u') {
                    let message = format!("{name}: parameter not set");
                    return Err(self.fails(&message).await);
                }
                self.add(fields, &value.unwrap_or_default(), quoted);
            }
            Operation::Length => {
                let length = value.unwrap_or_default().chars().count().to_string();
                self.add(fields, &length, quoted);
            }
            Operation::Default(sign, colon, word) => {
                let set = value.filter(|value| !(*colon && value.is_empty()));
                match (sign, set) {
                    ('+', Some(_)) => self.expand(word, fields, split && !quoted).await?,
                    ('+', None) => {
                        if quoted {
                            fields.add([]);
                        }
                    }
                    (_, Some(value)) => self.add(fields, &value, quoted),
                    ('-', None) => self.expand(word, fields, split && !quoted).await?,
                    ('=', None) => {
                        let value = self.text(word).await?;
                        self.set(name, value.clone());
                        self.add(fields, &value, quoted);
                    }
                    (_, None) => {
                        let message = self.text(word).await?;
                        let message = format!("{name}: {message}");
                        return Err(self.fails(&message).await);
                    }
                }
            }
            Operation::Trim(sign, longest, word) => {
                let marks = self.marks(word).await?;
                let value: Vec<char> = value.unwrap_or_default().chars().collect();
                let kept = trimmed(&value, &marks, *sign == '#', *longest);
                self.add(fields, &kept, quoted);
            }
        }
        Ok(())
    }

    /// `$@` and `$*`.
    fn all(&self, name: &str, quoted: bool, split: bool, fields: &mut Fields) -> Expanded<()> {
        if name == "*" && quoted || !split {
            let separator = self.separators().chars().next();
            let separator = separator.map(String::from).unwrap_or_default();
            fields.add(pattern::marks(&self.positional.join(&separator), true));
            return Ok(());
        }
        for (index, value) in self.positional.iter().enumerate() {
            if index > 0 {
                fields.close();
            }
            self.add(fields, value, quoted);
        }
        Ok(())
    }

    /// The files that a pattern names, or the pattern itself.
    fn names(&self, field: &[Mark]) -> Vec<String> {
        let view = self.context.view();
        let absolute = field.first().is_some_and(|(char, _)| *char == '/');
        let mut found = vec![if absolute {
            "/".to_owned()
        } else {
            String::new()
        }];
        let parts = field
            .split(|(char, _)| *char == '/')
            .filter(|part| !part.is_empty());
        for part in parts {
            let mut next = Vec::new();
            for path in &found {
                let join = |name: &str| match path.as_str() {
                    "" => name.to_owned(),
                    path if path.ends_with('/') => format!("{path}{name}"),
                    path => format!("{path}/{name}"),
                };
                let here = if path.is_empty() { "." } else { path };
                if !pattern::is_pattern(part) {
                    let joined = join(&pattern::text(part));
                    if view.find(&self.context.cwd, &joined).is_ok() {
                        next.push(joined);
                    }
                    continue;
                }
                let Ok(directory) = view.find(&self.context.cwd, here) else {
                    continue;
                };
                let hidden = part.first().is_some_and(|(char, _)| *char == '.');
                let mut names: Vec<&String> = directory
                    .entries()
                    .map(|all| all.keys().collect())
                    .unwrap_or_default();
                names.sort();
                for name in names {
                    let chars: Vec<char> = name.chars().collect();
                    if (hidden || !name.starts_with('.')) && pattern::matches(part, &chars) {
                        next.push(join(name));
                    }
                }
            }
            found = next;
        }
        match found.is_empty() {
            true => vec![pattern::text(field)],
            false => found,
        }
    }
}

fn is_all(part: &Part) -> bool {
    matches!(part, Part::Parameter(parameter, true) if parameter.name == "@")
}

/// Without the shortest or longest beginning or end that matches.
fn trimmed(value: &[char], marks: &[Mark], beginning: bool, longest: bool) -> String {
    let mut lengths: Vec<usize> = (0..=value.len()).collect();
    if longest {
        lengths.reverse();
    }
    for length in lengths {
        let (cut, kept) = match beginning {
            true => value.split_at(length),
            false => {
                let (kept, cut) = value.split_at(value.len() - length);
                (cut, kept)
            }
        };
        if pattern::matches(marks, cut) {
            return kept.iter().collect();
        }
    }
    value.iter().collect()
}
