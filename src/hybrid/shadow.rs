//! Asks the other engine, too, and compares what both say.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::rollout::{self, Rollout};
use crate::backend::{CallContext, ContainerBackend};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::lock::lock;
use crate::operation::Operation;
use crate::policy::Road;
use crate::telemetry::metrics;

/// Comparisons at once.
const AT_ONCE: usize = 4;
/// What one of them may take, which nobody waits for.
const LONGEST: Duration = Duration::from_secs(10);
/// Fields that are told apart; what differs beyond them is counted as one.
const MOST_FIELDS: usize = 200;
const OTHERS: &str = "other";
/// Names of fields whose parts are named by whoever made the object.
const NAMED_BY_OTHERS: [&str; 7] = [
    "labels",
    "networks",
    "options",
    "log_options",
    "annotations",
    "env",
    "sysctls",
];

/// Which calls are compared, and what came of it.
#[derive(Debug)]
pub(super) struct Shadow {
    share: Rollout,
    permits: Arc<Semaphore>,
    compared: AtomicU64,
    different: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
    fields: Mutex<BTreeMap<String, u64>>,
}

/// Who has answered, who is asked as well, and what says whether both are one engine.
pub(super) struct Roads {
    pub(super) served: Arc<dyn ContainerBackend>,
    pub(super) other: Arc<dyn ContainerBackend>,
    pub(super) road: Option<Arc<Road>>,
}

impl Roads {
    /// Whether there is something to compare: what another engine says differs for other reasons.
    async fn lead_to_one(&self) -> bool {
        let within = Deadline::new(Some(LONGEST), None);
        match &self.road {
            Some(road) => road.check(within, true).await.is_ok(),
            None => true,
        }
    }
}

/// What comparisons of the two engines' answers have shown.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ShadowReport {
    /// So many answers were compared.
    pub compared: u64,
    /// So many of them differed.
    pub different: u64,
    /// So many times the second engine, or the second look, failed.
    pub failed: u64,
    /// So many were left out, since too many were under way, or the other road led to another engine.
    pub skipped: u64,
    /// How often each field differed, as in `inspect.state.status`.
    pub fields: BTreeMap<String, u64>,
}

impl Default for Shadow {
    fn default() -> Self {
        Self::of(0)
    }
}

impl Shadow {
    /// # Errors
    /// `InvalidInput` for more than all.
    pub(super) fn new(percent: u8) -> Result<Self> {
        rollout::in_range("shadow", percent).map(Self::of)
    }

    fn of(percent: u8) -> Self {
        Self {
            share: Rollout::new(percent),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            compared: AtomicU64::new(0),
            different: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            fields: Mutex::default(),
        }
    }

    pub(super) fn report(&self) -> ShadowReport {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ShadowReport {
            compared: of(&self.compared),
            different: of(&self.different),
            failed: of(&self.failed),
            skipped: of(&self.skipped),
            fields: lock(&self.fields).clone(),
        }
    }

    /// Whether a call is one of those that are compared.
    pub(super) fn takes(&self) -> bool {
        // Each by itself, whoever asks.
        self.share.takes(&CallContext::new())
    }

    /// Compares an answer with the other engine's, in the background. What differs is asked for once more by the first: only what
    /// is as it was there differs for the engine's sake.
    pub(super) fn compare<T, F>(
        self: &Arc<Self>,
        operation: Operation,
        answer: &T,
        roads: Roads,
        ask: impl Fn(Arc<dyn ContainerBackend>) -> F + Send + Sync + 'static,
    ) where
        T: Serialize + Clone + Send + 'static,
        F: Future<Output = Result<T>> + Send,
    {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return self.ended(operation, &self.skipped, "skipped");
        };
        let (shadow, answer) = (Arc::clone(self), answer.clone());
        tokio::spawn(async move {
            let _permit = permit;
            if !roads.lead_to_one().await {
                return shadow.ended(operation, &shadow.skipped, "skipped");
            }
            // What can't be written as JSON can't be compared: that is no fault of the call.
            let answer = serde_json::to_value(answer).map(in_order);
            let (Ok(answer), Some(theirs)) = (answer, asked(&ask, &*roads.other).await) else {
                return shadow.ended(operation, &shadow.failed, "failed");
            };
            if theirs == answer {
                return shadow.ended(operation, &shadow.compared, "same");
            }
            let Some(again) = asked(&ask, &*roads.served).await else {
                return shadow.ended(operation, &shadow.failed, "failed");
            };
            let changed = differences(&answer, &again);
            let mut fields = differences(&answer, &theirs);
            fields.retain(|field| !changed.contains(field));
            shadow.saw(operation, &fields);
        });
    }

    fn ended(&self, operation: Operation, count: &AtomicU64, outcome: &'static str) {
        count.fetch_add(1, Ordering::Relaxed);
        let labels = [("operation", operation.as_str()), ("outcome", outcome)];
        metrics::count(metrics::SHADOWS, &labels);
    }

    fn saw(&self, operation: Operation, fields: &BTreeSet<String>) {
        if fields.is_empty() {
            return self.ended(operation, &self.compared, "same");
        }
        self.compared.fetch_add(1, Ordering::Relaxed);
        self.ended(operation, &self.different, "different");
        let of = [("operation", operation.as_str())];
        let (mut counts, mut new) = (lock(&self.fields), false);
        for field in fields {
            let mut name = format!("{}.{field}", operation.as_str());
            let mut label = field.as_str();
            if counts.len() >= MOST_FIELDS && !counts.contains_key(&name) {
                (name, label) = (OTHERS.to_owned(), OTHERS);
            }
            let count = counts.entry(name).or_default();
            *count += 1;
            new |= *count == 1;
            metrics::count_of(metrics::SHADOW_DIFFERENCES, &of, "field", label);
        }
        drop(counts);
        // What is known already is only counted.
        match new {
            true => tracing::warn!(%operation, ?fields, "the two engines' answers differ"),
            false => tracing::debug!(%operation, ?fields, "the two engines' answers differ"),
        }
    }
}

/// What an engine says, within the time of a comparison; nothing where it fails.
async fn asked<T, F>(
    ask: &(impl Fn(Arc<dyn ContainerBackend>) -> F + Sync),
    engine: &dyn ContainerBackend,
) -> Option<Value>
where
    T: Serialize,
    F: Future<Output = Result<T>> + Send,
{
    let quick = CallContext::new().with_timeout(LONGEST);
    let answer = ask(engine.with_context(quick)).await.ok()?;
    serde_json::to_value(answer).ok().map(in_order)
}

/// An answer whose lists are in one order: engines list some things in none.
fn in_order(answer: Value) -> Value {
    match answer {
        Value::Array(all) => {
            let mut all: Vec<_> = all.into_iter().map(in_order).collect();
            all.sort_by_cached_key(by_which_it_is_known);
            Value::Array(all)
        }
        Value::Object(all) => {
            let all = all.into_iter().map(|(key, value)| (key, in_order(value)));
            Value::Object(all.collect())
        }
        value => value,
    }
}

/// What tells one of a list from the others.
fn by_which_it_is_known(one: &Value) -> String {
    let named = ["id", "name"].iter().find_map(|key| one.get(key)?.as_str());
    named.map_or_else(|| one.to_string(), str::to_owned)
}

/// The fields in which two answers differ, by their names: places in lists and names that others have given are `*`.
fn differences(one: &Value, other: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    differ(one, other, &mut Vec::new(), &mut found);
    found
}

fn differ<'a>(
    one: &'a Value,
    other: &'a Value,
    path: &mut Vec<&'a str>,
    found: &mut BTreeSet<String>,
) {
    match (one, other) {
        _ if one == other => {}
        (Value::Object(one), Value::Object(other)) => {
            let named = path
                .last()
                .is_none_or(|last| !NAMED_BY_OTHERS.contains(last));
            let keys: BTreeSet<&'a String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let of = |object: &'a serde_json::Map<String, Value>| {
                    object.get(key).unwrap_or(&Value::Null)
                };
                path.push(if named && is_a_field(key) { key } else { "*" });
                differ(of(one), of(other), path, found);
                path.pop();
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (one, other) in one.iter().zip(other) {
                path.push("*");
                differ(one, other, path, found);
                path.pop();
            }
        }
        _ => {
            found.insert(match path.is_empty() {
                true => "*".to_owned(),
                false => path.join("."),
            });
        }
    }
}

/// Whether this crate may have named it.
fn is_a_field(key: &str) -> bool {
    key.len() <= 40
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(one: Value, other: Value) -> Vec<String> {
        differences(&one, &other).into_iter().collect()
    }

    #[test]
    fn differences_are_named_by_fields_alone() {
        let one = json!({"state": {"status": "running"}, "labels": {"owner": "a", "x": "b"}, "names": ["a", "b"], "same": 1});
        let other = json!({"state": {"status": "exited"}, "labels": {"owner": "c"}, "names": ["a", "c"], "same": 1, "new": 2});
        assert_eq!(
            fields(one, other),
            ["labels.*", "names.*", "new", "state.status"]
        );
        assert_eq!(fields(json!([1, 2]), json!([1])), ["*"]);
        assert_eq!(
            fields(json!({"Secret-1": 1}), json!({"Secret-1": 2})),
            ["*"]
        );
        assert!(fields(json!([{"a": null}]), json!([{}])).is_empty());
        let one =
            json!({"volumes": [{"name": "b", "x": 1}, {"name": "a", "x": 2}], "tags": ["b", "a"]});
        let other =
            json!({"volumes": [{"name": "a", "x": 2}, {"name": "b", "x": 1}], "tags": ["a", "b"]});
        assert!(fields(in_order(one), in_order(other)).is_empty());
    }
}
