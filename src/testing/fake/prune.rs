//! What a prune answers, of whatever kind.

use serde_json::{Value, json};

use super::request::Answer;
use super::state::Shared;

impl Shared {
    /// Tells of a prune, and answers it; an engine's list of nothing is `null`.
    pub(super) fn pruned(
        &self,
        kind: &'static str,
        list: &str,
        deleted: &Value,
        space: Option<u64>,
    ) -> Answer {
        let reclaimed = space.unwrap_or(0).to_string();
        self.events
            .tell(kind, "prune", "", json!({"reclaimed": reclaimed}));
        let none = deleted.as_array().is_some_and(Vec::is_empty);
        let mut report = json!({});
        report[list] = if none { Value::Null } else { deleted.clone() };
        if let Some(space) = space {
            report["SpaceReclaimed"] = json!(space);
        }
        Answer::json(200, &report)
    }
}
