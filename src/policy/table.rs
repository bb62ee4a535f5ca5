//! What becomes of a failed attempt: kind × what is known of the effect × the operation's nature.

use super::Call;
use crate::error::{Effect, Error, ErrorKind};
use crate::operation::Operation;

/// What may be done where nobody knows whether an operation has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Doing it twice is doing it once, and so is the answer.
    Repeatable,
    /// A look at the engine tells whether it has happened.
    Observable,
    /// Neither: it is sent once.
    Once,
}

impl Nature {
    /// Of an operation, whatever it is asked with; some [calls](super::Call) know better.
    pub(crate) const fn of(operation: Operation) -> Self {
        use Operation as O;
        match operation {
            O::Create
            | O::Start
            | O::Stop
            | O::Restart
            | O::Kill
            | O::Pause
            | O::Unpause
            | O::Rename
            | O::Remove
            | O::CreateNetwork
            | O::ConnectNetwork
            | O::DisconnectNetwork
            | O::RemoveNetwork
            | O::CreateVolume
            | O::RemoveVolume => Self::Observable,
            _ if operation.is_idempotent() => Self::Repeatable,
            _ => Self::Once,
        }
    }
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The caller gets it.
    Settled,
    /// It is tried again, by the other path where this one failed.
    Again,
    /// A look decides whether it has happened.
    Look,
}

/// Of a failure of this call; `in_doubt` is whether an earlier attempt of it may have happened.
pub(super) fn verdict(call: &Call<'_>, error: &Error, in_doubt: bool) -> Verdict {
    let (kind, effect, status) = (error.kind(), error.effect(), error.status());
    // Who has waited for a registry for so long waits no longer.
    let stalled = kind == ErrorKind::Timeout && effect == Effect::Unknown;
    if call.operation == Operation::PullImage && stalled {
        return Verdict::Settled;
    }
    // A pull's server's fault is what the registry has said.
    let changes = !call.operation.is_read_only() && call.operation != Operation::PullImage;
    decide(call.nature, changes, in_doubt, (kind, effect, status))
}

fn decide(
    nature: Nature,
    changes: bool,
    in_doubt: bool,
    (kind, effect, status): (ErrorKind, Effect, Option<u16>),
) -> Verdict {
    let observable = nature == Nature::Observable;
    match (effect, status) {
        // Nothing happened: what failed is the way, or the request itself.
        (Effect::NotSent, _) if kind.is_path_failure() => Verdict::Again,
        // What failed was a step before it, which may be taken again.
        (Effect::NotSent, Some(429 | 502..=504)) => Verdict::Again,
        // What was refused may have been refused since it had been done already.
        (Effect::Rejected, _) if observable && in_doubt => Verdict::Look,
        // A server's fault may come from something between us and the engine, after the engine has acted.
        (Effect::Rejected, Some(429 | 500..=599)) if observable => Verdict::Look,
        (Effect::Rejected, Some(429 | 502..=504)) if nature == Nature::Repeatable => Verdict::Again,
        (Effect::Rejected, Some(500..=599)) if nature == Nature::Repeatable && changes => {
            Verdict::Again
        }
        // It was made, and isn't what was asked for: another one wouldn't be either.
        (Effect::Unknown, _) if kind == ErrorKind::Weakened => Verdict::Settled,
        (Effect::Unknown, _) if observable => Verdict::Look,
        (Effect::Unknown, _) if nature == Nature::Repeatable && kind.is_path_failure() => {
            Verdict::Again
        }
        _ => Verdict::Settled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policies.md");
    const BEGIN: &str = "<!-- written by `UPDATE_DOCS=1 cargo test --lib policy::table` -->\n";
    const END: &str = "<!-- end -->\n";

    fn words(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Settled => "the caller's",
            Verdict::Again => "again",
            Verdict::Look => "a look",
        }
    }

    /// What the engine's answers and the path's failures are, each with what is known of the effect.
    fn failures() -> Vec<(String, ErrorKind, Effect, Option<u16>)> {
        use Effect as E;
        use ErrorKind as K;
        let mut failures = Vec::new();
        for kind in [K::Connect, K::Transport, K::Timeout] {
            failures.push((format!("{kind}, nothing was sent"), kind, E::NotSent, None));
        }
        for kind in [K::Transport, K::Timeout, K::Decode, K::TooLarge] {
            failures.push((
                format!("{kind}, it may have happened"),
                kind,
                E::Unknown,
                None,
            ));
        }
        for status in [400, 404, 409, 429, 500, 502, 503, 504] {
            let error = Error::answered(status, "");
            failures.push((
                format!("answered with {status}"),
                error.kind(),
                error.effect(),
                Some(status),
            ));
        }
        for kind in [
            K::InvalidInput,
            K::Unsupported,
            K::Saturated,
            K::Unavailable,
        ] {
            failures.push((kind.to_string(), kind, E::NotSent, None));
        }
        failures
    }

    /// How long it may take where the caller says nothing.
    fn time(operation: Operation) -> &'static str {
        match operation {
            Operation::PullImage => "while something is heard of it",
            _ if operation.is_open_ended() => "as long as it takes",
            _ if operation.has_all_the_time() => "the usual, to its beginning",
            Operation::StatsStream | Operation::StartExec | Operation::Attach => {
                "the usual, to its beginning"
            }
            Operation::Stop | Operation::Restart => "the usual and its own timeout",
            Operation::Exec => "the usual, and its own timeout where one is set",
            _ => "the usual",
        }
    }

    fn printed() -> String {
        let mut text = String::from(BEGIN);
        text.push_str("\n| operation | is | because | its time |\n|---|---|---|---|\n");
        for operation in Operation::ALL {
            let (name, why) = match Nature::of(*operation) {
                Nature::Repeatable if operation.is_read_only() => {
                    ("repeatable", "it changes nothing")
                }
                Nature::Repeatable => ("repeatable", "a second time changes nothing more"),
                Nature::Observable => ("observable", "an inspect or a list tells"),
                Nature::Once => ("once", "it acts again, and no look tells what was asked"),
            };
            text.push_str(&format!(
                "| `{}` | {name} | {why} | {} |\n",
                operation.as_str(),
                time(*operation)
            ));
        }
        let natures = [Nature::Repeatable, Nature::Observable, Nature::Once];
        text.push_str("\n| failure | changes nothing | repeatable | observable | observable, in doubt | once |\n\
             |---|---|---|---|---|---|\n");
        for (name, kind, effect, status) in failures() {
            let failure = (kind, effect, status);
            let read = words(decide(Nature::Repeatable, false, false, failure));
            let [repeatable, observable, once] =
                natures.map(|nature| words(decide(nature, true, false, failure)));
            let doubted = words(decide(Nature::Observable, true, true, failure));
            text.push_str(&format!(
                "| {name} | {read} | {repeatable} | {observable} | {doubted} | {once} |\n"
            ));
        }
        text.push('\n');
        text.push_str(END);
        text
    }

    #[test]
    fn the_docs_have_the_table() {
        let page = std::fs::read_to_string(FILE).expect("docs/policies.md");
        let (before, rest) = page.split_once(BEGIN).expect("where it begins");
        let (_, after) = rest.split_once(END).expect("where it ends");
        let current = format!("{before}{}{after}", printed());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(FILE, &current).expect("docs/policies.md");
            return;
        }
        assert!(page == current, "{BEGIN} writes it anew");
    }

    #[test]
    fn what_can_be_neither_repeated_nor_observed_is_sent_once() {
        for (name, kind, effect, status) in failures() {
            let verdict = decide(Nature::Once, true, false, (kind, effect, status));
            let may = effect == Effect::NotSent && kind.is_path_failure();
            assert_eq!(verdict == Verdict::Again, may, "{name}");
            assert_ne!(verdict, Verdict::Look, "{name}");
        }
    }

    #[test]
    fn what_may_have_happened_is_never_sent_again_without_a_look() {
        for (name, kind, effect, status) in failures() {
            let verdict = decide(Nature::Observable, true, false, (kind, effect, status));
            if effect == Effect::Unknown {
                assert_eq!(verdict, Verdict::Look, "{name}");
            }
        }
    }
}
