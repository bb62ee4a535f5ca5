//! Query strings.

use std::collections::BTreeMap;
use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::LabelKey;

/// What `application/x-www-form-urlencoded` leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*');

/// Docker's filters: a JSON map from each to the values that it accepts. One without values isn't sent.
#[derive(Default)]
pub(super) struct Filters(BTreeMap<&'static str, Vec<String>>);

impl Filters {
    pub(super) fn with<V: ToString>(
        mut self,
        name: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
        if !values.is_empty() {
            self.0.insert(name, values);
        }
        self
    }

    /// By these labels, each with its value where one is given.
    pub(super) fn with_labels(
        self,
        name: &'static str,
        labels: &BTreeMap<LabelKey, Option<String>>,
    ) -> Self {
        let condition = |(key, value): (&LabelKey, &Option<String>)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.to_string(),
        };
        self.with(name, labels.iter().map(condition))
    }
}

/// A path that grows a query.
pub(super) struct Query {
    path: String,
    started: bool,
}

impl Query {
    pub(super) fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            started: false,
        }
    }

    pub(super) fn with(mut self, key: &str, value: impl Display) -> Self {
        self.path.push(if self.started { '&' } else { '?' });
        self.started = true;
        self.path.push_str(key);
        self.path.push('=');
        self.path
            .extend(utf8_percent_encode(&value.to_string(), UNRESERVED));
        self
    }

    pub(super) fn with_some(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    pub(super) fn with_filters(self, filters: &Filters) -> Self {
        if filters.0.is_empty() {
            return self;
        }
        self.with("filters", serde_json::json!(filters.0))
    }

    pub(super) fn finish(self) -> String {
        self.path
    }
}
