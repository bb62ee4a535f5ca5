//! What becomes of answers: what engines add, drop, rename and break, and the pieces they come in.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::answers::{self, Body};
use crate::common::peer::{Answer, Recorded};

/// One change to a JSON value.
#[derive(Debug, Clone)]
pub enum Change {
    Remove,
    Null,
    /// Some other value: another type, or a word that nobody knows.
    Put(Value),
    /// A field that nobody knows.
    Add,
}

/// Where, and what.
pub type Changes = Vec<(Index, Change)>;

pub fn changes() -> impl Strategy<Value = Changes> {
    let odd = prop_oneof![
        "[a-z:=/._ -]{0,12}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({"a": 1})),
    ];
    let change = prop_oneof![
        3 => Just(Change::Remove),
        3 => Just(Change::Null),
        2 => odd.prop_map(Change::Put),
        2 => Just(Change::Add),
    ];
    vec((any::<Index>(), change), 0..6)
}

/// JSON pointers to all parts of a value.
fn pointers(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, part) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(part, &format!("{here}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, part) in items.iter().enumerate() {
                pointers(part, &format!("{here}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Removes a part; the whole has nothing to be removed from.
fn remove(value: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.remove(&key.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) if !pointer.is_empty() => {
            items.remove(key.parse().expect("an index"));
        }
        _ => {}
    }
}

/// Whether its keys are the users' own, so that a new one means something.
fn is_keyed(pointer: &str) -> bool {
    let (_, key) = pointer.rsplit_once('/').unwrap_or_default();
    let keyed = [
        "Labels",
        "Tmpfs",
        "StorageOpt",
        "Ports",
        "PortBindings",
        "Networks",
        "networks",
        "Options",
        "Containers",
        "ExposedPorts",
        "Volumes",
    ];
    keyed.contains(&key)
}

pub fn apply(changes: &Changes, value: &mut Value) {
    for (index, change) in changes {
        let mut found = Vec::new();
        pointers(value, "", &mut found);
        let pointer = index.get(&found);
        let part = value.pointer_mut(pointer).expect("it was found");
        match (change, part) {
            (Change::Null, part) => *part = Value::Null,
            (Change::Put(other), part) => *part = other.clone(),
            (Change::Add, Value::Object(fields)) if !is_keyed(pointer) => {
                fields.insert("Nobody_Knows".to_owned(), json!([{"x": null}]));
            }
            (Change::Add, _) => {}
            (Change::Remove, _) => {
                remove(value, pointer);
            }
        }
    }
}

/// The messages without each of their fields in turn, or with `null` there, and which that is; an item
/// of an array and a value under the users' own key are no fields.
pub fn lacking(messages: &[Value], needed: &[&str]) -> Vec<(Vec<Value>, String)> {
    let mut all = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let mut found = Vec::new();
        pointers(message, "", &mut found);
        found.retain(|pointer| {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
            let field = key.parse::<usize>().is_err() && !is_keyed(parent);
            field && !pointer.is_empty() && !needed.contains(&key)
        });
        for pointer in found {
            let mut without = messages.to_vec();
            remove(&mut without[index], &pointer);
            let mut null = messages.to_vec();
            *null[index].pointer_mut(&pointer).expect("it was found") = Value::Null;
            all.extend([(without, pointer.clone()), (null, pointer)]);
        }
    }
    all
}

/// How a body comes: in which pieces, up to where, and whether on a connection that ends with it.
#[derive(Debug, Clone)]
pub struct Delivery {
    cuts: Vec<Index>,
    end: Option<Index>,
    close: bool,
}

impl Delivery {
    pub fn is_whole(&self) -> bool {
        self.end.is_none()
    }

    pub fn deliver(&self, answer: Answer, body: Bytes) -> Answer {
        let end = self.end.map_or(body.len(), |end| end.index(body.len() + 1));
        let mut cuts: Vec<_> = self.cuts.iter().map(|cut| cut.index(end + 1)).collect();
        cuts.extend([0, end]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| body.slice(cut[0]..cut[1]));
        // An empty chunk would end the body.
        let pieces = pieces.filter(|piece| !piece.is_empty()).collect();
        let answer = answer.with_pieces(pieces);
        if self.close {
            answer.with_header("connection", "close")
        } else {
            answer
        }
    }
}

pub fn delivery() -> impl Strategy<Value = Delivery> {
    (
        vec(any::<Index>(), 0..4),
        option::weighted(0.1, any::<Index>()),
        any::<bool>(),
    )
        .prop_map(|(cuts, end, close)| Delivery { cuts, end, close })
}

/// The sound answer, changed and delivered so.
pub fn changed(request: &Recorded, changes: &Changes, delivery: &Delivery) -> Answer {
    let (status, body) = answers::sound(request);
    let Body::Json(mut messages) = body else {
        return answers::plain(request);
    };
    for message in &mut messages {
        apply(changes, message);
    }
    delivery.deliver(Answer::new(status), answers::lines(&messages))
}
