//! Strategies for the words that everything else is made of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use catamaran::model::{ContainerName, ContainerRef, ImageRef, LabelKey, Signal};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::string::string_regex;

/// Any text without NUL, much of it such as a URL or JSON must escape.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[^\\x00]{0,8}",
        "[ -~]{0,12}",
        "[&=+%?#/\\\\\"'<>\\[\\]{}:;,~*._ \\n\\t-]{0,8}",
        "[a-z]{1,8}",
    ]
}

pub fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..4)
}

/// Options of a driver: any value under a name.
pub fn options() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    btree_map("[^\\x00]{1,8}", text(), 0..3)
}

const NAME: &str = "[a-zA-Z0-9]([a-zA-Z0-9_-]|\\.[a-zA-Z0-9_-]){1,12}\\.?";

pub fn container() -> impl Strategy<Value = ContainerRef> {
    prop_oneof![NAME, "[0-9a-f]{12}", "[0-9a-f]{64}"]
        .prop_map(|text| ContainerRef::new(text).expect("a reference"))
}

pub fn name() -> impl Strategy<Value = ContainerName> {
    NAME.prop_map(|text| ContainerName::new(text).expect("a name"))
}

pub fn label() -> impl Strategy<Value = LabelKey> {
    "[a-zA-Z0-9]([a-zA-Z0-9_/-]|\\.[a-zA-Z0-9_/-]){0,8}"
        .prop_map(|text| LabelKey::new(text).expect("a key"))
}

/// An image by name, with all that a name can have, or by id.
pub fn image() -> impl Strategy<Value = ImageRef> {
    let domain = "(localhost/|registry\\.example:5000/|\\[2001:db8::1\\]:5000/|Upper\\.io/)?";
    let path = "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,4})?(/[a-z0-9]{1,6}){0,2}";
    let tag = "(:[A-Za-z0-9_][A-Za-z0-9_-]{0,8})?";
    let digest = "(@sha256:[0-9a-f]{64})?";
    let regex = |text: &str| string_regex(text).expect("a regular expression");
    prop_oneof![
        4 => regex(&format!("{domain}{path}{tag}")),
        1 => regex(&format!("{domain}{path}{tag}{digest}")),
        1 => regex("(sha256:)?[0-9a-f]{64}"),
    ]
    .prop_map(|text| ImageRef::new(text).expect("an image"))
}

pub fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![
        "(SIG|sig)?(TERM|kill|Usr1|RTMIN\\+3|RTMAX-1)",
        "[1-9]|[1-5][0-9]|6[0-4]",
    ]
    .prop_map(|text| Signal::new(text).expect("a signal"))
}

/// An absolute path.
pub fn path() -> impl Strategy<Value = String> {
    "/[^\\x00\\n]{0,8}"
}

pub fn platform() -> impl Strategy<Value = String> {
    "[a-z]{1,7}(/[a-z0-9_]{1,6}(/v[0-9])?)?"
}

/// Any time at all, with those that become whole seconds when they are sent.
pub fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..10_000u64).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_secs),
    ]
}

pub fn moment() -> impl Strategy<Value = SystemTime> {
    prop_oneof![
        (0..4_000_000_000u64, 0..1_000_000_000u32)
            .prop_map(|(seconds, nanos)| UNIX_EPOCH + Duration::new(seconds, nanos)),
        (1..1_000_000u64).prop_map(|seconds| UNIX_EPOCH - Duration::from_secs(seconds)),
    ]
}
