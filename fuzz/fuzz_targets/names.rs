//! Names: what is taken prints and parses to itself, leads nowhere else in a request, and says in its query what it said.
#![no_main]

use std::fmt::Display;

use catamaran::fuzzing::{Asked, asked};
use catamaran::model::{
    Cidr, ContainerName, ContainerPath, ContainerRef, ExecId, ImageRef, LabelKey, NetworkMode,
    NetworkRef, Signal, VolumeName,
};
use catamaran::{ApiVersion, Endpoint, Mode, Result};
use libfuzzer_sys::fuzz_target;

fn prints_itself<T: Display + PartialEq>(text: &str, parse: impl Fn(&str) -> Result<T>) {
    if let Ok(parsed) = parse(text) {
        let again = parse(&parsed.to_string());
        assert!(
            again.is_ok_and(|again| again == parsed),
            "{text:?} as {parsed}"
        );
    }
}

fn leads_nowhere_else(
    text: &str,
    Asked {
        path: whole,
        parts,
        query,
    }: &Asked,
) {
    let graphic = whole.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(graphic && !whole.contains(['#', '\\']), "{text:?}: {whole}");
    let (path, said) = whole.split_once('?').unwrap_or((whole, ""));
    assert_eq!(path.split('/').count(), *parts, "{text:?}: {whole}");
    assert!(
        path.split('/').all(|part| part != ".." && part != "."),
        "{text:?}: {whole}"
    );
    let said: Vec<_> = form_urlencoded::parse(said.as_bytes()).collect();
    for (key, value) in query {
        let mut found = said.iter().filter(|(name, _)| name == key);
        assert_eq!(
            found.next().map(|(_, said)| &**said),
            Some(value.as_str()),
            "{whole}"
        );
        assert!(found.next().is_none(), "{text:?}: {whole}");
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
    prints_itself(text, |text| text.parse::<NetworkMode>());
    prints_itself(text, |text| text.parse::<Mode>());
    if let Ok(version) = text.parse::<ApiVersion>() {
        assert_eq!(
            version.to_string().parse::<ApiVersion>().ok(),
            Some(version)
        );
    }
    for request in asked(text) {
        leads_nowhere_else(text, &request);
    }
});
