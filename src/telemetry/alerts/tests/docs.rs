//! The runbook and the rules for Prometheus say something of each alert, and name nothing that isn't there.

use std::collections::BTreeSet;

use super::AlertKind;

const RUNBOOK: &str = include_str!("../../../../docs/runbook.md");
const RULES: &str = include_str!("../../../../docs/prometheus/alerts.yml");
const RULE_TESTS: &str = include_str!("../../../../docs/prometheus/alerts_test.yml");

const METRICS: &[&str] = &[
    "catamaran_calls_total",
    "catamaran_attempts_total",
    "catamaran_retries_total",
    "catamaran_fallbacks_total",
    "catamaran_resolutions_total",
    "catamaran_breaker_transitions_total",
    "catamaran_engine_restarts_total",
    "catamaran_session_opens_total",
    "catamaran_session_events_total",
    "catamaran_pool_claims_total",
    "catamaran_shadow_comparisons_total",
    "catamaran_shadow_differences_total",
    "catamaran_alerts_total",
    "catamaran_audit_records_total",
    "catamaran_attempts_in_flight",
    "catamaran_breaker_state",
    "catamaran_permits_in_use",
    "catamaran_queue_length",
    "catamaran_connections",
    "catamaran_blocking_threads_busy",
    "catamaran_rollout_percent",
    "catamaran_sessions",
    "catamaran_pool_containers",
    "catamaran_host_lease_held",
    "catamaran_alerts_active",
    "catamaran_call_duration_seconds",
    "catamaran_attempt_duration_seconds",
    "catamaran_queue_wait_seconds",
    "catamaran_session_open_seconds",
];

fn anchor(kind: AlertKind) -> String {
    kind.as_str().replace('_', "-")
}

/// As GitHub makes them of headings.
fn anchors() -> BTreeSet<String> {
    let headings = RUNBOOK.lines().filter_map(|line| line.strip_prefix("## "));
    headings
        .map(|heading| heading.trim().to_lowercase().replace(' ', "-"))
        .collect()
}

/// Each rule from its name on.
fn rules() -> Vec<&'static str> {
    RULES.split("- alert: ").skip(1).collect()
}

fn name(rule: &str) -> &str {
    rule.lines().next().unwrap_or_default().trim()
}

fn value<'a>(rule: &'a str, key: &str) -> Option<&'a str> {
    let lines = rule.lines().map(str::trim);
    let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    values.next()
}

fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words
        .filter(|word| word.starts_with("catamaran_"))
        .map(|word| {
            // A histogram's series.
            let parts = ["_bucket", "_count", "_sum"];
            parts
                .iter()
                .find_map(|part| word.strip_suffix(part))
                .unwrap_or(word)
        })
}

#[test]
fn each_kind_is_named_and_all_are_there() {
    for kind in AlertKind::ALL {
        let json = serde_json::to_value(kind).expect("JSON");
        assert_eq!(json, kind.as_str());
    }
    let names: BTreeSet<_> = AlertKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), AlertKind::ALL.len());
}

#[test]
fn the_runbook_has_a_place_for_each_alert() {
    let anchors = anchors();
    for &kind in AlertKind::ALL {
        let anchor = anchor(kind);
        assert!(anchors.contains(&anchor), "{anchor} of {anchors:?}");
        let place = format!("(docs/runbook.md#{anchor})");
        assert!(kind.advice().ends_with(&place), "{}", kind.advice());
        assert_eq!(kind.advice().lines().count(), 1);
    }
}

#[test]
fn prometheus_has_a_rule_for_each_alert_and_a_test_for_each_rule() {
    let rules = rules();
    for &kind in AlertKind::ALL {
        let expected = format!("Catamaran{kind:?}");
        let rule = rules.iter().find(|rule| name(rule) == expected);
        let rule = rule.unwrap_or_else(|| panic!("no rule {expected}"));
        assert_eq!(
            value(rule, "severity"),
            Some(kind.severity().as_str()),
            "{expected}"
        );
        let place = format!("docs/runbook.md#{}", anchor(kind));
        assert_eq!(value(rule, "runbook"), Some(&*place), "{expected}");
    }
    let anchors = anchors();
    for rule in rules {
        let name = name(rule);
        let runbook = value(rule, "runbook").and_then(|place| place.split_once('#'));
        let (_, anchor) = runbook.unwrap_or_else(|| panic!("{name} has no place in the runbook"));
        assert!(anchors.contains(anchor), "{name}: {anchor}");
        for needed in ["summary", "description"] {
            assert!(value(rule, needed).is_some(), "{name} has no {needed}");
        }
        let tested = format!("alertname: {name}\n");
        let (fires, quiet) = (
            RULE_TESTS.contains(&format!("{tested}        exp_alerts:\n          - ")),
            RULE_TESTS.contains(&format!("{tested}        exp_alerts: []\n")),
        );
        assert!(
            fires && quiet,
            "{name}: a test that fires, {fires}; that doesn't, {quiet}"
        );
    }
}

#[test]
fn what_is_named_is_measured() {
    for (file, text) in [
        ("runbook", RUNBOOK),
        ("rules", RULES),
        ("tests", RULE_TESTS),
    ] {
        let named: BTreeSet<_> = metrics(text).collect();
        assert!(named.len() > 5, "{file}: {named:?}");
        for metric in named {
            assert!(METRICS.contains(&metric), "{file}: {metric}");
        }
    }
}
