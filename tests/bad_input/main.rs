//! Input that can't be right never reaches the wire: it is refused when a reference is made, or by the call
//! before anything is sent, by its field's name and in a message that fits a log.

mod options;
mod specs;
mod untouched;

use catamaran::model::{
    AttachOptions, Cidr, ContainerName, ContainerPath, ContainerRef, CopyOptions, ExecId, ImageRef,
    LabelKey, ListImagesOptions, ListNetworksOptions, ListOptions, ListVolumesOptions, LogsOptions,
    NetworkMode, NetworkRef, PruneContainersOptions, PruneImagesOptions, PruneNetworksOptions,
    PruneVolumesOptions, Signal, TarArchive, TopOptions, UpdateOptions, UploadOptions, VolumeName,
    WriteFileOptions,
};
use catamaran::testing::FakeEngine;
use catamaran::{
    AsyncEngine, BlockingEngine, ContainerBackend, ContainerBackendExt, Effect, Error, ErrorKind,
};

use options::{
    bad_connections, bad_events, bad_execs, bad_imports, bad_lists, bad_networks, bad_pulls,
    bad_volumes,
};
use specs::{bad_limits, bad_specs, spec};
use untouched::Untouched;

/// What a log line has room for.
const BRIEF: usize = 1024;

fn huge() -> String {
    "a".repeat(10 << 20)
}

/// Texts that no reference may be.
fn bad_texts() -> Vec<String> {
    let mut texts = vec![huge(), "é".repeat(5 << 20), "../".repeat(1 << 20)];
    texts.extend(
        [
            "",
            " ",
            ".",
            "..",
            "../volumes/x",
            "/a",
            "a/../b",
            "a?force=1",
            "a?force=1&v=1#",
            "a#b",
            "a b",
            "a\n",
            "\na",
            "a\r\nHost: x",
            "a\0",
            "\0",
            "a\u{7f}",
            "naïve",
            "容器",
            "\u{202e}a",
            "%2e%2e",
            "a%00",
            "a&b",
            "a;b",
            "a\\b",
            "a\"b",
            "http://a/b",
            "-a",
            "a:b:c",
            "a@b",
            "{}",
        ]
        .map(str::to_owned),
    );
    texts
}

/// Fails unless it is the refusal of bad input, said briefly.
#[track_caller]
fn assert_refused(what: &str, error: &Error) {
    assert_eq!(
        (error.kind(), error.effect()),
        (ErrorKind::InvalidInput, Effect::NotSent),
        "{what:.60?}: {error:.300}"
    );
    assert!(error.field().is_some(), "{what:.60?}: {error:.300}");
    for said in [
        error.to_string(),
        format!("{error:#}"),
        format!("{error:?}"),
    ] {
        assert!(
            said.len() < BRIEF && !said.contains(['\n', '\0', '\r']),
            "{what:.60?}: {} bytes, {said:.300}",
            said.len()
        );
    }
}

/// Fails unless every way to make the type of a text refuses it.
macro_rules! assert_refuses {
    ($type:ty, $text:expr) => {{
        let text: &str = $text;
        let what = concat!(stringify!($type), " of a bad text");
        assert_refused(what, &text.parse::<$type>().map(|_| ()).expect_err(text));
        assert_refused(
            what,
            &<$type>::try_from(text.to_owned())
                .map(|_| ())
                .expect_err(text),
        );
        let json = serde_json::Value::from(text);
        let error = serde_json::from_value::<$type>(json)
            .map(|_| ())
            .expect_err(text);
        assert!(error.to_string().len() < BRIEF, "{what}: {error:.300}");
    }};
}

#[test]
fn no_reference_is_made_of_a_bad_text() {
    for text in bad_texts() {
        assert_refuses!(ContainerRef, &text);
        assert_refuses!(ContainerName, &text);
        assert_refuses!(ExecId, &text);
        assert_refuses!(NetworkRef, &text);
        assert_refuses!(VolumeName, &text);
        assert_refuses!(Cidr, &text);
        assert_refuses!(Cidr, &format!("10.0.0.0/{text}"));
        assert_refuses!(Cidr, &format!("{text}/8"));
        assert_refuses!(LabelKey, &text);
        assert_refuses!(Signal, &text);
        assert_refuses!(NetworkMode, &text);
        assert_refuses!(NetworkMode, &format!("container:{text}"));
        let label = spec().with_label(&text, "x").expect_err(&text);
        assert_refused(&text, &label);
        // An image may have a registry's name before it, and a tag behind it.
        assert_refuses!(ImageRef, &text);
    }
}

#[tokio::test]
async fn an_address_that_is_too_long_is_sent_by_neither_engine() {
    // Each of the conditions would do.
    let many = (0..300).fold(ListOptions::all(), |options, number| {
        let key = LabelKey::new(format!("a{number}")).expect("a key");
        options.with_label(key, "x".repeat(250))
    });
    let fake = FakeEngine::start().await.expect("an engine");
    let engines: [Box<dyn ContainerBackend>; 2] = [
        Box::new(AsyncEngine::connect(fake.endpoint().clone()).expect("an engine")),
        Box::new(BlockingEngine::connect(fake.endpoint().clone()).expect("an engine")),
    ];
    for engine in engines {
        let error = engine.list(&many).await.expect_err("a refusal");
        assert_refused("a long address", &error);
    }
}

#[tokio::test]
async fn what_the_call_refuses_never_reaches_the_engine() {
    let untouched = Untouched::new();
    let id = &ContainerRef::new("abc").expect("a name");
    for (field, options) in &bad_events() {
        untouched
            .refuses(field, async |engine| engine.events(options).await)
            .await;
        untouched
            .refuses(field, async |engine| engine.watch_events(options).await)
            .await;
    }
    for (field, spec) in &bad_specs() {
        untouched
            .refuses(field, async |engine| engine.create(spec).await)
            .await;
    }
    for (field, options) in &bad_execs() {
        untouched
            .refuses(field, async |engine| engine.exec(id, options).await)
            .await;
        untouched
            .refuses(field, async |engine| engine.start_exec(id, options).await)
            .await;
    }
    let nowhere = &AttachOptions::default()
        .with_stdin(false)
        .with_stdout(false)
        .with_stderr(false);
    untouched
        .refuses("attach", async |engine| engine.attach(id, nowhere).await)
        .await;
    for (field, limits) in bad_limits() {
        let options = &UpdateOptions::default().with_resources(limits);
        untouched
            .refuses(field, async |engine| engine.update(id, options).await)
            .await;
    }
    for (field, options) in &bad_lists() {
        untouched
            .refuses(field, async |engine| engine.list(options).await)
            .await;
    }
    for value in [huge(), "a\0".to_owned()] {
        let label = LabelKey::new("a").expect("a key");
        let options = &ListImagesOptions::default().with_label(label, value);
        untouched
            .refuses("labels", async |engine| engine.list_images(options).await)
            .await;
    }
    for (field, options) in &bad_imports() {
        let import =
            async |engine: &dyn ContainerBackend| engine.import_image(options, "tar".into()).await;
        untouched.refuses(field, import).await;
    }
    for args in [huge(), "-o\npid".to_owned(), "\0".to_owned()] {
        let options = &TopOptions::default().with_ps_args(args);
        untouched
            .refuses("top.ps_args", async |engine| engine.top(id, options).await)
            .await;
    }
    for (field, image, options) in &bad_pulls() {
        untouched
            .refuses(field, async |engine| {
                engine.pull_image(image, options).await
            })
            .await;
    }
    let image = &ImageRef::new("x").expect("a reference");
    for name in ["a".repeat(64), format!("x@sha256:{}", "a".repeat(64))] {
        let name = &ImageRef::new(name).expect("a reference");
        untouched
            .refuses("name", async |engine| engine.tag_image(image, name).await)
            .await;
    }
    for value in [huge(), "a\0".to_owned()] {
        let label = LabelKey::new("a").expect("a key");
        let options = &PruneImagesOptions::default().with_label(label, value);
        untouched
            .refuses("labels", async |engine| engine.prune_images(options).await)
            .await;
    }
    for value in [huge(), "a\0".to_owned()] {
        let label = || LabelKey::new("a").expect("a key");
        let prune = &PruneContainersOptions::default().with_label(label(), value.clone());
        let spare = &PruneContainersOptions::default().without_label(label(), value);
        for options in [prune, spare] {
            let prune =
                async |engine: &dyn ContainerBackend| engine.prune_containers(options).await;
            untouched.refuses("labels", prune).await;
        }
    }
    let nothing = &LogsOptions::default().with_stdout(false).with_stderr(false);
    untouched
        .refuses("logs", async |engine| engine.logs(id, nothing).await)
        .await;
}

#[tokio::test]
async fn what_a_call_on_networks_refuses_never_reaches_the_engine() {
    let untouched = Untouched::new();
    let id = &ContainerRef::new("abc").expect("a name");
    let network = &NetworkRef::new("net").expect("a name");
    for (field, spec) in &bad_networks() {
        untouched
            .refuses(field, async |engine| engine.create_network(spec).await)
            .await;
    }
    for (field, options) in &bad_connections() {
        let connect = async |engine: &dyn ContainerBackend| {
            engine.connect_network(network, id, options).await
        };
        untouched.refuses(field, connect).await;
    }
    for (field, options) in [
        ("driver", ListNetworksOptions::default().with_driver("a b")),
        ("driver", ListNetworksOptions::default().with_driver(huge())),
    ] {
        let options = &options;
        untouched
            .refuses(field, async |engine| engine.list_networks(options).await)
            .await;
    }
    for value in [huge(), "a\0".to_owned()] {
        let label = || LabelKey::new("a").expect("a key");
        let list = &ListNetworksOptions::default().with_label(label(), value.clone());
        let prune = &PruneNetworksOptions::default().with_label(label(), value.clone());
        let spare = &PruneNetworksOptions::default().without_label(label(), value);
        untouched
            .refuses("labels", async |engine| engine.list_networks(list).await)
            .await;
        for options in [prune, spare] {
            let prune = async |engine: &dyn ContainerBackend| engine.prune_networks(options).await;
            untouched.refuses("labels", prune).await;
        }
    }
}

#[tokio::test]
async fn what_a_call_on_volumes_refuses_never_reaches_the_engine() {
    let untouched = Untouched::new();
    for (field, spec) in &bad_volumes() {
        untouched
            .refuses(field, async |engine| engine.create_volume(spec).await)
            .await;
    }
    let options = &ListVolumesOptions::default().with_driver("");
    untouched
        .refuses("driver", async |engine| engine.list_volumes(options).await)
        .await;
    for value in [huge(), "a\0".to_owned()] {
        let label = || LabelKey::new("a").expect("a key");
        let list = &ListVolumesOptions::default().with_label(label(), value.clone());
        let prune = &PruneVolumesOptions::default().with_label(label(), value.clone());
        let spare = &PruneVolumesOptions::default().without_label(label(), value);
        untouched
            .refuses("labels", async |engine| engine.list_volumes(list).await)
            .await;
        for options in [prune, spare] {
            let prune = async |engine: &dyn ContainerBackend| engine.prune_volumes(options).await;
            untouched.refuses("labels", prune).await;
        }
    }
}

#[test]
fn no_path_in_a_container_is_made_of_a_bad_text() {
    for text in [
        "",
        "a",
        ".",
        "..",
        "./a",
        "~",
        "/..",
        "/../a",
        "/a/../b",
        "/a/..",
        "/a\0",
        "\0/a",
        " /a",
        "\n/a",
        "http://a/b",
        &format!("/{}", huge()),
        &"/a".repeat(3000),
        &"/../".repeat(1 << 20),
    ] {
        assert_refuses!(ContainerPath, text);
    }
    // What a file may be called is no reason to refuse it.
    for text in [
        "/",
        "//",
        "/a/./b/",
        "/...",
        "/..a",
        "/a..",
        "/ ü?&=#%2e%2e\n\u{202e}",
        &"/a".repeat(2047),
    ] {
        ContainerPath::new(text).expect(text);
    }
}

#[tokio::test]
async fn what_a_copy_refuses_never_reaches_the_engine() {
    let untouched = Untouched::new();
    let id = &ContainerRef::new("abc").expect("a name");
    let path = &ContainerPath::new("/a").expect("a path");
    for mode in [0o1000u32, 0o4755, u32::MAX] {
        let options = &WriteFileOptions::default().with_mode(mode);
        let write = async |engine: &dyn ContainerBackend| {
            engine.write_file(id, path, "x".into(), options).await
        };
        untouched.refusals("mode", write).await;
    }
    let root = &ContainerPath::new("/").expect("a path");
    let options = &WriteFileOptions::default();
    let write = async |engine: &dyn ContainerBackend| {
        engine.write_file(id, root, "x".into(), options).await
    };
    untouched.refusals("path", write).await;
    let entry = |name: &str| {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_size(0);
        header.set_cksum();
        let mut archive = tar::Builder::new(Vec::new());
        archive.append(&header, &b""[..]).expect("a vector");
        archive.into_inner().expect("a vector")
    };
    for archive in [
        entry("../a"),
        entry("/a"),
        entry("a/../../b"),
        entry("a\n/../../b"),
        entry("a")[..700].to_vec(),
        vec![b'x'; 5000],
    ] {
        let upload = async |engine: &dyn ContainerBackend| {
            let archive = TarArchive::from(archive.clone());
            engine
                .upload(id, path, archive, &UploadOptions::default())
                .await
        };
        untouched.refusals("archive", upload).await;
    }
    let absent = std::path::Path::new("/absent/at all");
    for engine in untouched.engines() {
        let copied = engine
            .copy_in(id, absent, path, &CopyOptions::default())
            .await;
        let error = copied.expect_err("nothing to copy");
        assert_eq!(
            (error.kind(), error.effect()),
            (ErrorKind::Host, Effect::NotSent)
        );
    }
}
