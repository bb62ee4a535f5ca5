//! Each field in turn is left out, `null`, or of another type: what came is read or is refused, alike by both engines.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::common::peer::Peer;
use crate::{engines, read, shapes};

/// Without these an answer says nothing: what identifies a thing, or is all that was asked.
const NEEDED: &[&str] = &["Id", "Running", "State", "StatusCode", "status"];

/// Every field, as a pointer.
fn fields(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                found.push(at.clone());
                fields(member, &at, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                fields(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn parts(pointer: &str) -> (&str, String) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
    (parent, key.replace("~1", "/").replace("~0", "~"))
}

/// What decides how a field is read: one decoder reads what is asked in several ways, and each element of a list.
fn sort(answer: &str, pointer: &str) -> (String, String) {
    let decoder = match answer.split_once('-') {
        Some((of @ ("inspect" | "stats"), _)) => of,
        _ => answer,
    };
    let parts = pointer.split('/');
    let parts = parts.map(|part| part.parse::<usize>().map_or(part, |_| "*"));
    (decoder.to_owned(), parts.collect::<Vec<_>>().join("/"))
}

fn is_needed(answer: &str, pointer: &str) -> bool {
    let (parent, key) = parts(pointer);
    let depth = parent
        .split('/')
        .filter(|part| part.parse::<usize>().is_err());
    let top = depth.count() <= 1 || (answer == "volumes" && parent.starts_with("/Volumes/"));
    let name = answer.starts_with("volume") && key == "Name";
    top && (NEEDED.contains(&key.as_str()) || name)
}

/// Whether the value is one of a map of texts, in which no engine can write `null`.
fn is_of_texts(pointer: &str) -> bool {
    let (parent, _) = parts(pointer);
    let of = parts(parent).1;
    ["Labels", "Options", "Tmpfs", "StorageOpt"].contains(&of.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_identifies_must_be_there() {
    let peer = Peer::start();
    let (mut failing, mut tried) = (Vec::new(), 0);
    let mut seen = HashSet::new();
    for set in shapes::recorded() {
        let engines = engines(&peer, set.api);
        for (name, shape) in &set.shapes {
            // A refusal, which may come under status 200.
            let whole = read(&peer, &engines, &set, name, shape.answer()).await;
            if !matches!(whole, Some(Ok(_))) {
                continue;
            }
            for (index, message) in shape.messages.iter().enumerate().take(4) {
                let mut pointers = Vec::new();
                fields(message, "", &mut pointers);
                for pointer in pointers {
                    if !seen.insert(sort(name, &pointer)) {
                        continue;
                    }
                    let (parent, key) = parts(&pointer);
                    let others = [
                        ("left out", None),
                        ("null", Some(Value::Null)),
                        ("a number", Some(json!(7))),
                        ("a text", Some(json!("text"))),
                        ("a list", Some(json!([{}]))),
                    ];
                    for (how, other) in others {
                        let mut changed = shape.clone();
                        let holder = changed.messages[index].pointer_mut(parent);
                        let holder = holder.and_then(Value::as_object_mut).expect("an object");
                        let may_fail = match &other {
                            None => is_needed(name, &pointer),
                            Some(Value::Null) => is_needed(name, &pointer) || is_of_texts(&pointer),
                            // Of another type it may be refused, by both.
                            Some(_) => true,
                        };
                        match other {
                            None => holder.remove(&key),
                            Some(other) => holder.insert(key.clone(), other),
                        };
                        let read = read(&peer, &engines, &set, name, changed.answer()).await;
                        tried += 1;
                        match read.expect("it was read before") {
                            Err(kind) if kind != "Decode" && name != "import" => {
                                failing.push(format!("{} {name}{pointer} {how}: {kind}", set.name));
                            }
                            Err(_) if !may_fail => {
                                failing.push(format!("{} {name}{pointer} {how}", set.name));
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
    }
    assert!(failing.is_empty(), "{}", failing.join("\n"));
    assert!(tried > 2000, "only {tried} were tried");
}
