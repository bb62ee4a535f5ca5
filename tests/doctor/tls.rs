//! What is found where TLS stands in the way.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use catamaran::TlsConfig;
use catamaran::doctor::{DoctorOptions, Report, Severity};
use serde_json::json;

use crate::common::peer::Peer;
use crate::common::tls::{Authority, BOTH_VERSIONS, Issued, TlsPeer};
use crate::{at, doctor, scripted, severity, version};

const HERE: &[&str] = &["127.0.0.1", "localhost"];

fn engine() -> Peer {
    scripted(
        json!({"ID": "a"}),
        version("Engine", "28.5.1", "1.51", "1.24"),
    )
}

fn bearing(authority: &Authority, issued: &Issued) -> TlsConfig {
    TlsConfig::new()
        .with_ca(authority.ca())
        .with_identity(&issued.cert, &issued.key)
}

/// Both engines are said not to reach it, in these words and with this advice, and nothing is guessed of the engine.
fn assert_unreached(report: &Report, seen: &str, advice: &str) {
    for engine in ["async_engine", "blocking_engine"] {
        let finding = report.get(engine).expect("a finding");
        assert_eq!(finding.severity, Severity::Problem, "{report}");
        assert!(finding.seen.contains(seen), "{engine}: {finding:?}");
        let given = finding.advice.as_deref().unwrap_or_default();
        assert!(given.contains(advice), "{engine}: {finding:?}");
        assert!(!finding.seen.contains(given), "told once: {finding:?}");
    }
    assert_eq!(report.worst(), Severity::Problem);
    assert_eq!(severity(report, "endpoint"), Severity::Ok);
    assert_eq!(severity(report, "engines_agree"), Severity::Unknown);
    for unseen in [
        "api_version",
        "product",
        "engine_info",
        "cgroup",
        "probe",
        "socket_rights",
    ] {
        assert!(report.get(unseen).is_none(), "{unseen} in\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_missing_or_wrong_is_told() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = ours.issue("server", HERE);
    let behind = engine();
    let expired = ours.issue_expired("expired", &[]);
    let strange = theirs.issue("strange", &[]);
    let refused = |issued: &Issued| {
        let cert = issued.cert.display();
        format!("the engine refuses the client certificate {cert} (")
    };
    for (client, seen, advice) in [
        (
            TlsConfig::new().with_ca(ours.ca()),
            "the engine wants a client certificate, and none is configured".to_owned(),
            "give it as cert.pem, with its key as key.pem",
        ),
        (
            bearing(&ours, &strange),
            refused(&strange),
            "(--tlscacert), or renewed",
        ),
        (
            bearing(&ours, &expired),
            refused(&expired),
            "(--tlscacert), or renewed",
        ),
    ] {
        for tls in BOTH_VERSIONS {
            let peer = TlsPeer::speaking(&[tls], &server, &ours, &behind.endpoint()).await;
            let config = at(peer.endpoint(client.clone()));
            let report = doctor(config, &DoctorOptions::default()).await;
            assert_unreached(&report, &seen, advice);
        }
    }
    assert!(behind.recorded().is_empty(), "nothing came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_not_trusted_is_told() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let behind = engine();
    let client = ours.client();
    for (server, client, seen, advice) in [
        (
            ours.issue("server", HERE),
            client.clone().with_ca(theirs.ca()),
            "is signed by no authority in ",
            "as ca.pem",
        ),
        (
            ours.issue_expired("expired", HERE),
            client.clone(),
            "has expired",
            "renew it",
        ),
        (
            ours.issue("elsewhere", &["elsewhere.example"]),
            client.clone(),
            "is for another name than \"127.0.0.1\"",
            "subject alternative name",
        ),
    ] {
        let peer = TlsPeer::start(&server, &ours, &behind.endpoint()).await;
        let report = doctor(at(peer.endpoint(client)), &DoctorOptions::default()).await;
        assert_unreached(&report, seen, advice);
    }
    assert!(behind.recorded().is_empty(), "nothing came through");
}

/// A key that others may read keeps both engines from being made.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_everybody_is_told_with_the_command() {
    let ours = Authority::new("ours");
    let server = ours.issue("server", HERE);
    let peer = TlsPeer::start(&server, &ours, &engine().endpoint()).await;
    let client = ours.client();
    let key = client.key().expect("a key").to_owned();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("permissions");
    let report = doctor(at(peer.endpoint(client)), &DoctorOptions::default()).await;
    assert_unreached(&report, "644", &format!("chmod 600 {}", key.display()));
    assert_eq!(peer.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_takes_the_certificate_is_looked_at() {
    let ours = Authority::new("ours");
    let server = ours.issue("server", HERE);
    let behind = engine();
    let peer = TlsPeer::start(&server, &ours, &behind.endpoint()).await;
    let report = doctor(at(peer.endpoint(ours.client())), &DoctorOptions::default()).await;
    for name in [
        "endpoint",
        "async_engine",
        "blocking_engine",
        "engines_agree",
        "product",
    ] {
        assert_eq!(severity(&report, name), Severity::Ok, "{name} in\n{report}");
    }
}
