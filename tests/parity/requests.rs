//! What is sent.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use catamaran::model::{ContainerRef, HostAccess, ImageRef, ImportOptions, TarArchive};
use catamaran::{ApiVersion, Effect, ErrorKind, Operation};
use proptest::prelude::*;
use serde_json::json;

use crate::calls::{self, Call, Failure, Reply};
use crate::common::mirror::{ID, mirror};
use crate::common::peer::{Answer, Recorded};
use crate::{Fixture, Pair, VERSIONS, answers, any_call, cases, plainly, spec};

#[test]
fn every_operation_sends_the_same_at_every_version() {
    let fixture = Fixture::new(&VERSIONS);
    for operation in Operation::ALL {
        let count = if *operation == Operation::Create {
            256
        } else {
            48
        };
        let sent = Cell::new(0);
        let strategy = (calls::call(*operation), 0..VERSIONS.len());
        proptest!(cases(count), |((call, pair) in strategy)| {
            let pair = &fixture.pairs[pair];
            let exchange = fixture.same(pair, &call, plainly())?;
            let version = pair.version.filter(|_| *operation != Operation::Ping);
            let prefix = version.map_or("/".to_owned(), |version| format!("/v{version}/"));
            // Some conditions of a prune are kept from an engine that would misread them: it is asked who it is.
            let pings = operation.as_str().starts_with("prune");
            let asks = exchange.sent.iter().filter(|sent| !(pings && sent.path == "/_ping"));
            let asks: Vec<_> = asks.collect();
            for request in &asks {
                prop_assert!(request.path.starts_with(&prefix), "{}", request.path);
            }
            if let Err(refused) = &exchange.reply {
                let by_field = matches!(refused.kind, ErrorKind::InvalidInput | ErrorKind::Unsupported)
                    && refused.effect == Effect::NotSent
                    && refused.field.is_some();
                prop_assert!(by_field && asks.is_empty(), "{exchange:?}");
            } else {
                sent.set(sent.get() + 1);
            }
        });
        // Half of the calls drawn are refused, and a draw of 48 may be odd.
        assert!(
            sent.get() > count / 8,
            "{operation}: only {} were sent",
            sent.get()
        );
    }
}

/// A call that isn't the operation's own would prove nothing.
#[test]
fn every_operation_is_exercised() {
    let fixture = Fixture::new(&[ApiVersion::NEWEST]);
    for operation in Operation::ALL {
        let seen = Cell::new(false);
        proptest!(cases(16), |(call in calls::call(*operation))| {
            let broken = Arc::new(|_: usize, _: &_| Answer::new(500));
            let failure = fixture.same(&fixture.pairs[0], &call, broken)?.reply.expect_err("500");
            prop_assert_eq!(failure.operation, Some(*operation));
            seen.set(seen.get() || failure.status == Some(500));
        });
        assert!(seen.get(), "{operation} was never sent");
    }
}

#[test]
fn the_version_is_negotiated_the_same() {
    let fixture = Fixture::new(&[]);
    let offered = prop_oneof![
        8 => (38..60u32).prop_map(|minor| Some(format!("1.{minor}"))),
        1 => "[ -~]{0,8}".prop_map(Some),
        1 => Just(None),
    ];
    proptest!(cases(64), |(call in any_call(), offered in offered)| {
        // Each learns it once.
        let pair = Pair::new(&fixture.peer, None);
        let told = offered.clone();
        let script = Arc::new(move |_: usize, request: &_| {
            let mut answer = answers::plain(request);
            answer.headers.retain(|(name, _)| *name != "api-version");
            match &told {
                Some(version) => answer.with_header("api-version", version),
                None => answer,
            }
        });
        let exchange = fixture.same(&pair, &call, script)?;
        let theirs = offered.and_then(|offered| offered.parse::<ApiVersion>().ok());
        let version = theirs.map(|theirs| theirs.min(ApiVersion::NEWEST));
        let mut paths = exchange.sent.iter().map(|sent| sent.path.as_str());
        let pinged = paths.next() == Some("/_ping");
        if let (true, Some(path)) = (pinged, paths.find(|path| *path != "/_ping")) {
            let version = version.expect("a version is spoken");
            prop_assert!(version >= ApiVersion::OLDEST);
            prop_assert!(path.starts_with(&format!("/v{version}/")), "{path}");
        }
    });
}

/// What an engine is asked to hold is what it shows to hold, in the same terms.
#[test]
fn an_inspect_reads_back_what_a_create_sent() {
    let fixture = Fixture::new(&[ApiVersion::NEWEST]);
    let pair = &fixture.pairs[0];
    let inspect = Call::Inspect(ContainerRef::new("web").expect("a name"));
    proptest!(cases(128), |(spec in spec::spec())| {
        let spec = spec.with_strict(false);
        fixture.same(pair, &Call::Create(Box::new(spec.clone())), plainly())?;
        let held = mirror(&fixture.peer.recorded()[0]);
        let script = Arc::new(move |_: usize, _: &_| Answer::new(200).with_body(held.to_string()));
        let Ok(Reply::Details(details)) = fixture.same(pair, &inspect, script)?.reply else {
            return Err(TestCaseError::fail("no details"));
        };
        prop_assert_eq!(&details.resources, &spec.resources);
        prop_assert_eq!(&details.security, &spec.security);
        prop_assert_eq!(&details.env, &spec.env);
        let labels = spec.labels.iter().map(|(key, value)| (key.to_string(), value.clone()));
        prop_assert_eq!(&details.labels, &labels.collect());
        prop_assert_eq!(details.restart_policy, Some(spec.restart_policy));
        prop_assert_eq!(details.log_driver, spec.log.map(|log| log.driver));
        let image = spec.image.with_default_tag();
        prop_assert_eq!((details.image, details.tty), (image.to_string(), spec.tty));
        prop_assert_eq!(&details.working_dir, &spec.working_dir);
        prop_assert_eq!(&details.hostname, &spec.hostname);
        prop_assert_eq!((details.stdin, details.stdin_once), (spec.stdin, spec.stdin_once));
        prop_assert_eq!(details.init, spec.init);
        prop_assert_eq!(details.mounts.len(), spec.mounts.len());
        prop_assert_eq!(details.port_bindings.len(), spec.ports.len());
        prop_assert_eq!(details.devices.len(), spec.devices.len());
        prop_assert_eq!(details.host_access, HostAccess::default());
    });
}

/// What is shown to be as it was asked for is taken for it, whatever was asked for.
#[test]
fn a_strict_creation_takes_what_is_as_asked() {
    let fixture = Fixture::new(&[ApiVersion::NEWEST]);
    proptest!(cases(256), |(spec in spec::spec())| {
        let mut spec = spec.with_strict(true);
        // Engines refuse two mounts at one place, and a program without a name.
        spec.mounts.truncate(1);
        let words = || spec.entrypoint.iter().flatten().chain(&spec.command);
        prop_assume!(words().next() != Some(&String::new()));
        let made = Mutex::new(String::new());
        let script = Arc::new(move |_: usize, request: &Recorded| {
            let mut made = made.lock().expect("a lock");
            if request.method == http::Method::GET {
                return Answer::new(200).with_body(made.clone());
            }
            *made = mirror(request).to_string();
            Answer::new(201).with_body(json!({"Id": ID}).to_string())
        });
        let call = Call::Create(Box::new(spec));
        let exchange = fixture.same(&fixture.pairs[0], &call, script)?;
        prop_assert!(exchange.reply.is_ok(), "{:?}", exchange.reply);
        prop_assert_eq!(exchange.sent.len(), 2);
    });
}

#[test]
fn an_archive_that_breaks_off_fails_the_same() {
    let fixture = Fixture::new(&[ApiVersion::NEWEST]);
    fixture.peer.follow(plainly());
    let [mut first, second] = fixture.pairs[0].engines.each_ref().map(|engine| {
        let pieces = [Ok("a piece".into()), Err(std::io::Error::other("no more"))];
        let archive = TarArchive::stream(futures::stream::iter(pieces));
        let options = ImportOptions::new(ImageRef::new("a").expect("an image"));
        let imported = fixture
            .runtime
            .block_on(engine.import_image(&options, archive));
        Failure::from(imported.expect_err("half an archive"))
    });
    // The async engine alone can tell whether a byte had left by then.
    assert_eq!(second.effect, Effect::Unknown);
    assert_ne!(first.effect, Effect::Rejected);
    first.effect = second.effect;
    assert_eq!(first, second);
    assert_eq!(first.kind, ErrorKind::Transport);
    assert!(fixture.peer.recorded().is_empty());
}
