//! What engines of several API versions answer: recorded, or derived from what was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use catamaran::ApiVersion;
use serde::Deserialize;
use serde_json::Value;

use crate::common::peer::Answer;

/// An answer as `scripts/record-wire` writes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Shape {
    pub status: u16,
    headers: BTreeMap<String, String>,
    /// A body that is no stream has one.
    pub messages: Vec<Value>,
    /// A body that is no JSON: each character is a byte.
    output: Option<String>,
}

impl Shape {
    pub fn answer(&self) -> Answer {
        let mut answer = Answer::new(self.status);
        for (name, value) in &self.headers {
            let name = match name.as_str() {
                "api-version" => "api-version",
                "ostype" => "ostype",
                "content-type" => "content-type",
                "x-docker-container-path-stat" => "x-docker-container-path-stat",
                other => panic!("nobody records {other}"),
            };
            answer = answer.with_header(name, value);
        }
        if let Some(output) = &self.output {
            let bytes: Vec<_> = output.chars().map(|byte| byte as u8).collect();
            // In pieces, none of which is a whole frame.
            let pieces = bytes.chunks(5).map(Bytes::copy_from_slice);
            return answer.with_pieces(pieces.collect());
        }
        let lines: Vec<_> = self.messages.iter().map(Value::to_string).collect();
        match lines.is_empty() {
            true => answer,
            false => answer.with_body(lines.join("\n")),
        }
    }
}

/// All answers of one engine at one API version, by their names.
#[derive(Debug, Clone)]
pub struct Set {
    /// `engine-version-api`
    pub name: String,
    pub api: ApiVersion,
    pub shapes: BTreeMap<String, Shape>,
}

impl Set {
    /// What else the call asks for that reads this answer: how output is framed, whether a pulled image is there.
    pub fn beside(&self, answer: &str) -> Option<Answer> {
        let other = match answer {
            "logs" => "inspect-exited",
            "logs-tty" => "logs-tty-details",
            name if name.starts_with("pull") => "image",
            _ => return None,
        };
        self.shapes.get(other).map(Shape::answer)
    }
}

#[derive(Deserialize)]
struct Derivation {
    /// `derived-` and the API's version unless told otherwise.
    name: Option<String>,
    api: String,
    from: String,
    changes: Vec<Changes>,
}

#[derive(Deserialize)]
struct Changes {
    because: String,
    /// Answers, or the beginnings of their names before a `*`.
    answers: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// Messages that come before the last one.
    #[serde(default)]
    add: Vec<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/replay")
}

fn api_of(name: &str) -> ApiVersion {
    let (_, api) = name.rsplit_once('-').expect("engine-version-api");
    api.parse().expect("an API version")
}

/// What was recorded.
pub fn recorded() -> Vec<Set> {
    let mut sets = Vec::new();
    for entry in std::fs::read_dir(directory()).expect("the recordings") {
        let entry = entry.expect("an entry");
        if !entry.file_type().expect("its type").is_dir() {
            continue;
        }
        let name = entry.file_name().into_string().expect("a name");
        let mut shapes = BTreeMap::new();
        for file in std::fs::read_dir(entry.path()).expect("answers") {
            let path = file.expect("an entry").path();
            let text = std::fs::read(&path).expect("an answer");
            let shape = serde_json::from_slice(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let answer = path.file_stem().expect("a name").to_string_lossy();
            shapes.insert(answer.into_owned(), shape);
        }
        let api = api_of(&name);
        sets.push(Set { name, api, shapes });
    }
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    sets
}

/// What was recorded, and what is derived from it.
pub fn all() -> Vec<Set> {
    let mut sets = recorded();
    let text = std::fs::read(directory().join("derived.json")).expect("the derivations");
    let derivations: Vec<Derivation> = serde_json::from_slice(&text).expect("derivations");
    for derivation in derivations {
        let from = sets.iter().find(|set| set.name == derivation.from);
        let mut set = from.expect("a set that is there").clone();
        let usual = || format!("derived-{}", derivation.api);
        set.name = derivation.name.clone().unwrap_or_else(usual);
        set.api = derivation.api.parse().expect("an API version");
        for shape in set.shapes.values_mut() {
            shape
                .headers
                .insert("api-version".to_owned(), derivation.api.clone());
        }
        for changes in &derivation.changes {
            apply(changes, &mut set);
        }
        sets.push(set);
    }
    sets
}

fn apply(changes: &Changes, set: &mut Set) {
    // Each of the changes must change something, or it says what isn't so.
    let mut idle: BTreeSet<_> = changes.remove.iter().chain(changes.set.keys()).collect();
    let mut answers = 0;
    for (name, shape) in &mut set.shapes {
        let meant = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        };
        if shape.status >= 300 || !changes.answers.iter().any(meant) {
            continue;
        }
        let removals = changes.remove.iter().map(|pointer| (pointer, None));
        let all = changes.set.iter().map(|(pointer, to)| (pointer, Some(to)));
        for (pointer, to) in removals.chain(all) {
            for message in &mut shape.messages {
                if change(message, &parts(pointer), to) {
                    idle.remove(pointer);
                }
            }
        }
        let last = shape.messages.len().saturating_sub(1);
        shape.messages.splice(last..last, changes.add.clone());
        shape.headers.extend(changes.headers.clone());
        answers += 1;
    }
    let because = &changes.because;
    assert!(
        answers > 0 && idle.is_empty(),
        "{}, {because}: changes nothing at {idle:?}",
        set.name
    );
}

fn parts(pointer: &str) -> Vec<String> {
    let parts = pointer.split('/').skip(1);
    parts.map(|part| part.replace("~1", "/")).collect()
}

/// Sets or removes what a pointer names, and says whether that is a change; `*` is every element or member, `-` a further
/// element.
fn change(value: &mut Value, parts: &[String], to: Option<&Value>) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return false;
    };
    let each = |changed, value| change(value, rest, to) || changed;
    match (value, part.as_str()) {
        (Value::Array(items), "*") => items.iter_mut().fold(false, each),
        (Value::Object(members), "*") => members.values_mut().fold(false, each),
        (Value::Array(items), "-") => {
            items.extend(to.cloned());
            to.is_some()
        }
        (Value::Object(members), _) if rest.is_empty() => match to {
            Some(to) => members.insert(part.clone(), to.clone()).as_ref() != Some(to),
            None => members.remove(part).is_some(),
        },
        (Value::Object(members), _) => members
            .get_mut(part)
            .is_some_and(|member| each(false, member)),
        _ => false,
    }
}
