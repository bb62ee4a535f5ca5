//! Whatever an archive says.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Names that meet, with links among them.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => "[ab]",
        1 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(String::new()),
        1 => "[^/]{1,3}",
    ];
    let path = vec(part, 1..5).prop_map(|parts| parts.join("/"));
    prop_oneof![8 => path.clone().prop_map(|path| format!("w/{path}")), 1 => path.clone(), 1 => path.prop_map(|path| format!("/{path}"))]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        4 => Just(EntryType::Regular),
        3 => Just(EntryType::Directory),
        4 => Just(EntryType::Symlink),
        2 => Just(EntryType::Link),
        1 => any::<u8>().prop_map(EntryType::new),
    ];
    let target = prop_oneof![
        name(),
        Just("..".to_owned()),
        Just("../victim".to_owned()),
        Just(".".to_owned()),
        "(\\.\\./){0,3}[ab]?(/[ab]){0,2}",
    ];
    (kind, name(), target, 0..0o10000u32, vec(any::<u8>(), 0..20)).prop_map(
        |(kind, name, link, mode, contents)| Entry {
            kind,
            name,
            link,
            mode,
            contents: if kind == EntryType::Regular {
                contents
            } else {
                Vec::new()
            },
        },
    )
}

fn any_links() -> impl Strategy<Value = OutwardLinks> {
    prop_oneof![
        Just(OutwardLinks::Refuse),
        Just(OutwardLinks::Skip),
        Just(OutwardLinks::Keep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever an archive says, and however often, nothing is changed outside; and unless they were wanted, no
    /// link leads there.
    #[test]
    fn nothing_is_changed_outside(
        archives in vec(vec(any_entry(), 1..8), 1..4),
        links in any_links(),
        skip in any::<bool>(),
    ) {
        let fence = Fence::new();
        std::fs::create_dir(fence.target()).expect("a directory");
        let special = if skip { SpecialFiles::Skip } else { SpecialFiles::Refuse };
        for entries in &archives {
            let rules = Rules { special, ..rules() };
            // What is outside is compared there.
            let _ = fence.extract_by(&archive(entries), links, rules);
        }
        let root = fence.target().canonicalize().expect("a directory");
        for (path, mode, _, _, _) in fence.inside() {
            let metadata = path.symlink_metadata().expect("a file");
            let plain = metadata.is_file() || metadata.is_dir() || metadata.is_symlink();
            prop_assert!(plain, "{:?} is special", path);
            prop_assert!(metadata.is_symlink() || mode & 0o7000 == 0, "{:?} has {:o}", path, mode);
            let followed = links != OutwardLinks::Keep && metadata.is_symlink();
            if let (true, Ok(end)) = (followed, path.canonicalize()) {
                prop_assert!(end.starts_with(&root), "{:?} leads to {:?}", path, end);
            }
        }
    }

    /// Any bytes at all are an archive or an error.
    #[test]
    fn nothing_panics(bytes in vec(any::<u8>(), 0..3000), at in 0..2000usize) {
        let fence = Fence::new();
        let _ = fence.extract(&bytes, OutwardLinks::Keep);
        let mut nearly = archive(&[file("w/a", "x"), link("w/b", "a"), hard_link("w/c", "w/a")]);
        for (place, byte) in nearly.iter_mut().skip(at).zip(&bytes) {
            *place = *byte;
        }
        let _ = fence.extract(&nearly, OutwardLinks::Keep);
    }
}
