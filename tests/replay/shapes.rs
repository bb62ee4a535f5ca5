//! What engines of several API versions answer: recorded, or derived from what was recorded.

use std::collections::BTreeMap;
use std::path::PathBuf;

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

#[derive(Deserialize)]
struct Derivation {
    api: String,
    from: String,
    changes: Vec<Changes>,
}

#[derive(Deserialize)]
struct Changes {
    because: String,
    /// Answers, or the beginnings of their names before a `*`.
    answers: Vec<String>,
    remove: Vec<String>,
    #[serde(default)]
    set: BTreeMap<String, Value>,
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
        set.name = format!("derived-{}", derivation.api);
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
    let mut applied = false;
    for (name, shape) in &mut set.shapes {
        let meant = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        };
        if shape.status >= 300 || !changes.answers.iter().any(meant) {
            continue;
        }
        for message in &mut shape.messages {
            for pointer in &changes.remove {
                change(message, &parts(pointer), None);
            }
            for (pointer, value) in &changes.set {
                change(message, &parts(pointer), Some(value));
            }
        }
        applied = true;
    }
    assert!(applied, "changes nothing: {}", changes.because);
}

fn parts(pointer: &str) -> Vec<&str> {
    pointer.split('/').skip(1).collect()
}

/// Sets or removes what a pointer names; `*` is every element or member.
fn change(value: &mut Value, parts: &[&str], to: Option<&Value>) {
    let Some((part, rest)) = parts.split_first() else {
        return;
    };
    match value {
        Value::Array(items) if *part == "*" => {
            for item in items {
                change(item, rest, to);
            }
        }
        Value::Object(members) if *part == "*" => {
            for member in members.values_mut() {
                change(member, rest, to);
            }
        }
        Value::Object(members) if rest.is_empty() => {
            match to {
                Some(to) => members.insert((*part).to_owned(), to.clone()),
                None => members.remove(*part),
            };
        }
        Value::Object(members) => {
            if let Some(member) = members.get_mut(*part) {
                change(member, rest, to);
            }
        }
        _ => {}
    }
}
