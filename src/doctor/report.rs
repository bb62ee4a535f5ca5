//! What was found, as text and for programs.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::error::Error;
use crate::quote;

/// What one finding has room for.
const LONGEST: usize = 800;

/// How much a finding matters.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Info,
    /// It couldn't be seen.
    Unknown,
    /// It works, but somebody should look at it.
    Warning,
    /// It doesn't work, or a limit doesn't hold.
    Problem,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

/// One thing that was looked at.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Its name, in `snake_case`; it doesn't change from version to version.
    pub name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was seen, on one line.
    pub seen: String,
    /// What to do next, with a command where there is one.
    pub advice: Option<String>,
}

impl Finding {
    pub(super) fn new(name: &'static str, severity: Severity, seen: impl AsRef<str>) -> Self {
        Self {
            name,
            severity,
            seen: line(seen.as_ref()),
            advice: None,
        }
    }

    pub(super) fn ok(name: &'static str, seen: impl AsRef<str>) -> Self {
        Self::new(name, Severity::Ok, seen)
    }

    pub(super) fn info(name: &'static str, seen: impl AsRef<str>) -> Self {
        Self::new(name, Severity::Info, seen)
    }

    pub(super) fn unknown(name: &'static str, seen: impl AsRef<str>) -> Self {
        Self::new(name, Severity::Unknown, seen)
    }

    pub(super) fn warning(name: &'static str, seen: impl AsRef<str>) -> Self {
        Self::new(name, Severity::Warning, seen)
    }

    pub(super) fn problem(name: &'static str, seen: impl AsRef<str>) -> Self {
        Self::new(name, Severity::Problem, seen)
    }

    pub(super) fn advise(mut self, advice: impl AsRef<str>) -> Self {
        self.advice = Some(line(advice.as_ref()));
        self
    }

    /// An error, whose own advice becomes the finding's.
    pub(super) fn failed(name: &'static str, severity: Severity, error: &Error) -> Self {
        let mut bare = error.to_string();
        let advice = error.advice().map(|advice| {
            // The error's text ends with it.
            bare = bare.replace(&format!("; {advice}"), "");
            line(advice)
        });
        Self {
            advice,
            ..Self::new(name, severity, bare)
        }
    }
}

/// Engines' words on one line, bounded.
fn line(text: &str) -> String {
    // One more than fits, which shows that it was cut off.
    let words = text.trim().chars().take(LONGEST + 1);
    let words = words.map(|word| if word == '\n' { ' ' } else { word });
    quote::line(&words.collect::<String>(), LONGEST)
}

/// What [`doctor`](fn@super::doctor) found. `Display` is text for people; serialized, it is
///
/// ```json
/// {"schema": 1, "worst": "warning", "findings": [
///   {"name": "cgroup", "severity": "ok", "seen": "version 2, driver systemd", "advice": null}
/// ]}
/// ```
///
/// Within a schema, names and fields only join; a finding may be absent where there was no way to look.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// The version of the serialized shape.
    pub const SCHEMA: u32 = 1;

    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// All findings, in the order in which they were looked at.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The finding of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.name == name)
    }

    /// The worst severity among them.
    #[must_use]
    pub fn worst(&self) -> Severity {
        let all = self.findings.iter().map(|finding| finding.severity);
        all.max().unwrap_or(Severity::Ok)
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 3)?;
        report.serialize_field("schema", &Self::SCHEMA)?;
        report.serialize_field("worst", &self.worst())?;
        report.serialize_field("findings", &self.findings)?;
        report.end()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.findings.iter().map(|finding| finding.name.len());
        let width = names.max().unwrap_or(0);
        for finding in &self.findings {
            let Finding {
                name,
                severity,
                seen,
                advice,
            } = finding;
            writeln!(f, "{severity:8} {name:width$}  {seen}")?;
            if let Some(advice) = advice {
                writeln!(f, "{:8} {:width$}    -> {advice}", "", "")?;
            }
        }
        let count = |severity| {
            let all = self.findings.iter();
            all.filter(|finding| finding.severity == severity).count()
        };
        let (problems, warnings) = (count(Severity::Problem), count(Severity::Warning));
        let unknown = count(Severity::Unknown);
        write!(
            f,
            "problems: {problems}, warnings: {warnings}, unknown: {unknown}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_of_bounded_length() {
        let finding = Finding::ok("x", format!("a\nb\u{1b}[31m{}", "c".repeat(10_000)));
        assert!(finding.seen.starts_with("a b\\u{1b}[31mccc"), "{finding:?}");
        assert!(finding.seen.chars().count() < LONGEST + 20);
    }

    #[test]
    fn the_shape_is_what_the_schema_says() {
        let report = Report::new(vec![
            Finding::ok("a", "x"),
            Finding::problem("b", "y").advise("z"),
            Finding::warning("c", "w"),
        ]);
        let expected = serde_json::json!({
            "schema": 1,
            "worst": "problem",
            "findings": [
                {"name": "a", "severity": "ok", "seen": "x", "advice": null},
                {"name": "b", "severity": "problem", "seen": "y", "advice": "z"},
                {"name": "c", "severity": "warning", "seen": "w", "advice": null},
            ],
        });
        assert_eq!(serde_json::to_value(&report).unwrap(), expected);
        let text = report.to_string();
        assert_eq!(
            text,
            "ok       a  x\nproblem  b  y\n              -> z\nwarning  c  w\n\
             problems: 1, warnings: 1, unknown: 0"
        );
    }
}
