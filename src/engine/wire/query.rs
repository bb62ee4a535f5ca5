//! Query strings.

use std::collections::BTreeMap;
use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What `application/x-www-form-urlencoded` leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*');

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

    /// Docker's filters: a JSON map from each filter to its accepted values.
    pub(super) fn with_filters(self, filters: &BTreeMap<&str, Vec<String>>) -> Self {
        if filters.is_empty() {
            return self;
        }
        self.with("filters", serde_json::json!(filters))
    }

    pub(super) fn finish(self) -> String {
        self.path
    }
}
