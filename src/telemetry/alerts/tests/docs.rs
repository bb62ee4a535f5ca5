//! The runbook and the rules for Prometheus say something of each alert, and name nothing that isn't there.

use std::collections::BTreeSet;

use super::AlertKind;
use crate::telemetry::metrics;

const RUNBOOK: &str = include_str!("../../../../docs/runbook.md");
const RULES: &str = include_str!("../../../../docs/prometheus/alerts.yml");
const RULE_TESTS: &str = include_str!("../../../../docs/prometheus/alerts_test.yml");

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

fn named(text: &str) -> impl Iterator<Item = &str> {
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
fn each_kind_has_a_name_of_its_own() {
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
    let names: Vec<_> = metrics::ALL.iter().map(|metric| metric.name).collect();
    for (file, text) in [
        ("runbook", RUNBOOK),
        ("rules", RULES),
        ("tests", RULE_TESTS),
    ] {
        let found: BTreeSet<_> = named(text).collect();
        assert!(found.len() > 5, "{file}: {found:?}");
        for metric in found {
            assert!(names.contains(&metric), "{file}: {metric}");
        }
    }
}
