//! What the environment may say.

use super::*;
use crate::auth::Tokens;

fn wrong(variable: &'static str, value: &'static str) -> String {
    let read = Settings::read(move |name| {
        let name = name.strip_prefix("SESSION_SERVICE_")?;
        match name {
            _ if name == variable => Some(value.to_owned()),
            "IMAGE" => Some("busybox".to_owned()),
            "TOKENS" => Some(format!("{ALICE}:alice")),
            _ => None,
        }
    });
    let error = read
        .err()
        .unwrap_or_else(|| panic!("{variable}={value} is right"));
    error.to_string()
}

#[test]
fn what_is_wrong_is_named() {
    for (variable, value) in [
        ("ADDR", "localhost"),
        ("IMAGE", ""),
        ("IMAGE", "Not An Image"),
        ("COMMAND", "[1]"),
        ("MEMORY", "much"),
        ("MEMORY", "0"),
        ("MEMORY", "18446744073709551615g"),
        ("CPUS", "-1"),
        ("CPUS", "NaN"),
        ("WARM", "a few"),
        ("IDLE", "0s"),
        ("MAX_AGE", "24"),
        ("SESSIONS", "0"),
        ("STREAMS", "99999999"),
        ("BODY_LIMIT", "16 mb"),
        ("ON_SHUTDOWN", "panic"),
        ("LOG", "loud"),
        ("OBSERVE", "everybody"),
        ("OPERATORS", "alice mallory"),
        ("TOKENS", ""),
        ("TOKENS_FILE", "/nonexistent"),
    ] {
        let error = wrong(variable, value);
        let named = ["SESSION_SERVICE_", variable].concat();
        // A file beside the variable is told of the variable.
        assert!(
            error.starts_with(&named) || variable == "TOKENS_FILE",
            "{error}"
        );
    }
}

#[test]
fn a_wrong_token_is_named_by_its_place() {
    for (text, what) in [
        ("a-token-without-an-owner", "pair 1"),
        ("long-enough-a-token:alice,short:bob", "pair 2"),
        ("long-enough-a-token:a/b", "pair 1"),
        ("long-enough-a-token:", "pair 1"),
        (
            "long-enough-a-token:alice long-enough-a-token:bob",
            "pair 2",
        ),
    ] {
        let error = Tokens::parse(text).expect_err("a wrong one");
        assert!(error.starts_with(what), "{error}");
        assert!(
            !error.contains("token-with") && !error.contains("long-enough"),
            "{error}"
        );
    }
}

#[test]
fn tokens_are_read_with_remarks() {
    let text = "# of the team\nfirst-token-of-alice:alice # old\nsecond-token-of-alice:alice\n\nthe-token-of-bob:bob\n";
    let tokens = Tokens::parse(text).expect("tokens");
    assert_eq!(tokens.owners(), ["alice", "bob"]);
    let owner = |token: &str| tokens.owner(token.as_bytes());
    assert_eq!(owner("first-token-of-alice").as_deref(), Some("alice"));
    assert_eq!(owner("second-token-of-alice").as_deref(), Some("alice"));
    assert_eq!(owner("the-token-of-bob").as_deref(), Some("bob"));
    assert_eq!(owner("the-token-of-bo"), None);
    assert_eq!(owner(""), None);
}

#[test]
fn what_is_printed_has_no_secret() {
    let settings = settings(&[("COMMAND", "server --password hunter2"), ("MEMORY", "1g")]);
    assert_eq!(settings.memory, 1 << 30);
    let printed = format!("{settings} {:?}", settings.tokens);
    assert!(printed.contains("alice, bob"), "{printed}");
    for secret in [ALICE, BOB, "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
