//! Names: what is taken prints and parses to itself, and leads nowhere else in a request.
#![no_main]

use std::fmt::Display;

use catamaran::model::{
    Cidr, ContainerName, ContainerPath, ContainerRef, ExecId, ImageRef, LabelKey, NetworkRef,
    Signal, VolumeName,
};
use catamaran::{ApiVersion, Endpoint, Result};
use libfuzzer_sys::fuzz_target;

fn prints_itself<T: Display + PartialEq>(text: &str, parse: impl Fn(&str) -> Result<T>) {
    if let Ok(parsed) = parse(text) {
        let again = parse(&parsed.to_string());
        assert!(again.is_ok_and(|again| again == parsed), "{text:?} as {parsed}");
    }
}

fuzz_target!(|text: &str| {
    prints_itself(text, |text| ContainerName::new(text));
    prints_itself(text, |text| ContainerRef::new(text));
    prints_itself(text, |text| ContainerPath::new(text));
    prints_itself(text, |text| ExecId::new(text));
    prints_itself(text, |text| ImageRef::new(text));
    prints_itself(text, |text| LabelKey::new(text));
    prints_itself(text, |text| NetworkRef::new(text));
    prints_itself(text, |text| VolumeName::new(text));
    prints_itself(text, |text| Signal::new(text));
    prints_itself(text, |text| Cidr::new(text));
    prints_itself(text, |text| Endpoint::parse(text));
    if let Ok(version) = text.parse::<ApiVersion>() {
        assert_eq!(version.to_string().parse::<ApiVersion>().ok(), Some(version));
    }
    for (path, parts) in catamaran::fuzzing::paths(text) {
        assert!(!path.contains(['?', '#', ' ', '\n', '\r', '\\']), "{text:?}: {path}");
        assert_eq!(path.split('/').count(), parts, "{text:?}: {path}");
        assert!(path.split('/').all(|part| part != ".." && part != "."), "{text:?}: {path}");
    }
});
