//! What `doctor` finds: on the real engine, on scripted ones, and where there is none.

mod cancelled;
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "tls")]
mod tls;

use std::sync::Arc;
use std::time::Duration;

use catamaran::doctor::{DoctorOptions, Report, Severity};
use catamaran::model::{ImageRef, LabelKey, ListOptions};
use catamaran::{Config, Endpoint, Environment, doctor};
use serde_json::{Value, json};

use common::peer::{Answer, Peer};

fn at(endpoint: Endpoint) -> catamaran::Result<Config> {
    Config::builder().endpoint(endpoint).build()
}

fn severity(report: &Report, name: &str) -> Severity {
    let found = report.get(name);
    found
        .unwrap_or_else(|| panic!("no {name} in\n{report}"))
        .severity
}

/// An engine that answers a look with these.
fn scripted(info: Value, version: Value) -> Peer {
    let peer = Peer::start();
    let api = version["ApiVersion"].as_str().expect("text").to_owned();
    peer.follow(Arc::new(move |_, request| {
        let answer = Answer::new(200);
        if request.path.ends_with("/_ping") {
            return answer
                .with_header("api-version", api.clone())
                .with_body("OK");
        }
        if request.path.ends_with("/info") {
            return answer.with_body(info.to_string());
        }
        if request.path.ends_with("/version") {
            return answer.with_body(version.to_string());
        }
        Answer::new(404).with_body(r#"{"message": "no such page"}"#)
    }));
    peer
}

fn version(product: &str, number: &str, api: &str, oldest: &str) -> Value {
    json!({
        "Components": [{"Name": product, "Version": number}], "Version": number, "ApiVersion": api,
        "MinAPIVersion": oldest, "Os": "linux", "Arch": "amd64", "KernelVersion": "6.1.0",
    })
}

/// Held while probes run on the real engine: a test looks at all that bear their label.
static REAL: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn bearing_the_label() -> usize {
    let label = LabelKey::new("catamaran.doctor").expect("a key");
    let options = ListOptions::all().with_label(label, "probe".to_owned());
    let found = common::witness().list(&options).await;
    found.expect("a list").len()
}

#[tokio::test]
async fn on_a_real_engine_it_sees_which_limits_hold_and_leaves_nothing() {
    let _alone = REAL.lock().await;
    let options = DoctorOptions::default().with_image(common::image().await);
    let report = doctor(Ok(common::config()), &options).await;
    println!("{report}");
    for name in [
        "configuration",
        "endpoint",
        "socket_rights",
        "async_engine",
        "blocking_engine",
        "engines_agree",
        "api_version",
        "product",
        "probe",
        "holds_memory_limit",
        "holds_pids_limit",
        "holds_read_only_root",
        "holds_tmpfs_size",
        "holds_shm_size",
        "holds_ulimits",
        "holds_no_new_privileges",
        "holds_no_capabilities",
        "holds_user",
        "holds_seccomp",
        "holds_no_network",
    ] {
        assert_eq!(severity(&report, name), Severity::Ok, "{name} in\n{report}");
    }
    assert!(severity(&report, "holds_cpu_quota") <= Severity::Info);
    assert_eq!(bearing_the_label().await, 0, "the probes are gone");
}

#[tokio::test]
async fn an_image_that_is_not_there_is_told_and_nothing_is_made() {
    let image = ImageRef::new("catamaran/nowhere:none").expect("a reference");
    let options = DoctorOptions::default().with_image(image);
    let report = doctor(Ok(common::config()), &options).await;
    let probe = report.get("probe").expect("a finding");
    assert_eq!(probe.severity, Severity::Unknown);
    let advice = probe.advice.as_deref();
    assert_eq!(
        advice,
        Some("docker pull catamaran/nowhere:none, or give one that is there")
    );
}

#[tokio::test]
async fn where_no_engine_is_it_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("engine.sock");
    let nothing = doctor(at(Endpoint::unix(&path)), &DoctorOptions::default()).await;
    // A socket that its listener has left.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let dead = doctor(at(Endpoint::unix(&path)), &DoctorOptions::default()).await;

    assert_eq!(severity(&nothing, "socket_rights"), Severity::Problem);
    assert_eq!(severity(&dead, "socket_rights"), Severity::Ok);
    for (report, why) in [(&nothing, "no such socket"), (&dead, "nothing listens")] {
        for engine in ["async_engine", "blocking_engine"] {
            let finding = report.get(engine).expect("a finding");
            assert_eq!(finding.severity, Severity::Problem);
            let advice = finding.advice.as_deref().unwrap_or_default();
            assert!(advice.contains(why), "{engine}: {finding:?}");
            assert!(!finding.seen.ends_with(advice), "told once: {finding:?}");
        }
        assert_eq!(report.worst(), Severity::Problem);
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_a_finding() {
    for environment in [
        Environment::empty().with_var("DOCKER_HOST", "ssh://somewhere"),
        Environment::empty()
            .with_var("DOCKER_CONTEXT", "gone")
            .with_var("DOCKER_CONFIG", "/nonexistent"),
        Environment::empty().with_var("ASYNC_POOL_SIZE", "many"),
    ] {
        let config = Config::from_environment(&environment);
        let told = config
            .as_ref()
            .expect_err("a wrong one")
            .message()
            .to_owned();
        let report = doctor(config, &DoctorOptions::default()).await;
        let [finding] = report.findings() else {
            panic!("one finding: {report}");
        };
        assert_eq!(
            (finding.name, finding.severity),
            ("configuration", Severity::Problem)
        );
        assert!(finding.seen.contains(&told), "{finding:?}");
    }
}

#[tokio::test]
async fn a_silent_engine_is_given_up_in_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("engine.sock");
    let _silent = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let options = DoctorOptions::default().with_timeout(Duration::from_millis(400));
    let whole = Duration::from_secs(5);
    let report = tokio::time::timeout(whole, doctor(at(Endpoint::unix(&path)), &options)).await;
    let report = report.expect("in time");
    for engine in ["async_engine", "blocking_engine"] {
        let finding = report.get(engine).expect("a finding");
        let advice = finding.advice.as_deref().unwrap_or_default();
        assert!(advice.contains("doesn't answer"), "{finding:?}");
    }
}

#[tokio::test]
async fn a_pinned_version_that_the_engine_refuses_is_told() {
    let peer = scripted(
        json!({"ID": "a"}),
        version("Engine", "20.10.24", "1.41", "1.12"),
    );
    let config = Config::builder()
        .endpoint(peer.endpoint())
        .api_version(catamaran::ApiVersion::new(1, 44))
        .build();
    let report = doctor(config, &DoctorOptions::default()).await;
    assert_eq!(severity(&report, "pinned_api_version"), Severity::Problem);
    assert_eq!(severity(&report, "api_version"), Severity::Ok);
    // It was looked at all the same.
    assert_eq!(severity(&report, "product"), Severity::Ok);
}

#[tokio::test]
async fn an_engine_too_old_is_told() {
    let peer = scripted(
        json!({"ID": "a"}),
        version("Engine", "18.09.1", "1.39", "1.12"),
    );
    let report = doctor(at(peer.endpoint()), &DoctorOptions::default()).await;
    assert_eq!(severity(&report, "api_version"), Severity::Problem);
    assert_eq!(severity(&report, "async_engine"), Severity::Problem);
}

/// Every name and severity of a rootless Podman, which is the shape that programs rely on.
#[tokio::test]
async fn a_rootless_podman_on_cgroup_v1_has_these_findings() {
    let info = json!({
        "ID": "p", "Driver": "overlay", "DriverStatus": [["Backing Filesystem", "extfs"]], "LoggingDriver": "k8s-file",
        "CgroupVersion": "1", "CgroupDriver": "cgroupfs", "Runtimes": {"crun": {}, "kata": {}}, "DefaultRuntime": "crun",
        "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"], "MemoryLimit": false, "SwapLimit": false,
        "PidsLimit": true, "LiveRestoreEnabled": false, "Warnings": ["WARNING: No memory limit support"],
        "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}],
    });
    let peer = scripted(info, version("Podman Engine", "5.4.2", "1.41", "1.24"));
    let report = doctor(at(peer.endpoint()), &DoctorOptions::default()).await;
    let shape = serde_json::to_value(&report).expect("JSON");
    assert_eq!(
        (&shape["schema"], &shape["worst"]),
        (&json!(1), &json!("problem"))
    );
    let findings = shape["findings"].as_array().expect("a list");
    let found: Vec<_> = findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.as_object().expect("an object").len(), 4);
            let text = |key: &str| finding[key].as_str().expect("text").to_owned();
            format!("{} {}", text("name"), text("severity"))
        })
        .collect();
    let expected = [
        "configuration ok",
        "endpoint ok",
        "socket_rights ok",
        "async_engine ok",
        "blocking_engine ok",
        "engines_agree ok",
        "ping_latency info",
        "api_version ok",
        "pinned_api_version ok",
        "product ok",
        "known_troubles info",
        "container_os ok",
        "cgroup problem",
        "memory_limit problem",
        "swap_limit warning",
        "pids_limit ok",
        "cpu_quota unknown",
        "cpu_shares unknown",
        "cpuset unknown",
        "storage_driver ok",
        "disk_quota info",
        "log_driver info",
        "default_runtime ok",
        "sandbox_runtime ok",
        "gpu ok",
        "rootless ok",
        "user_namespaces ok",
        "seccomp ok",
        "mandatory_access_control info",
        "live_restore info",
        "engine_warnings warning",
        "probe info",
    ];
    assert_eq!(found, expected);
}

/// The other road is looked at as the first one is: where it is, whether it is reached, and by which engine.
#[tokio::test]
async fn another_road_is_judged_by_the_engine_at_its_end() {
    let engine = |id: &str| {
        let info = json!({"ID": id, "Name": "host"});
        scripted(info, version("Engine", "28.5.1", "1.51", "1.24"))
    };
    let (first, same, other) = (engine("a"), engine("a"), engine("b"));
    for (peer, expected) in [(&same, Severity::Ok), (&other, Severity::Problem)] {
        let config = Config::builder()
            .endpoint(first.endpoint())
            .fallback_endpoint(peer.endpoint());
        let report = doctor(config.build(), &DoctorOptions::default()).await;
        assert_eq!(severity(&report, "fallback_endpoint"), Severity::Ok);
        assert_eq!(severity(&report, "blocking_engine"), Severity::Ok);
        assert_eq!(severity(&report, "engines_agree"), expected, "{report}");
    }
    let report = doctor(at(first.endpoint()), &DoctorOptions::default()).await;
    assert!(report.get("fallback_endpoint").is_none(), "{report}");
}

/// Podman makes its ID up each time.
#[tokio::test]
async fn an_id_that_does_not_stay_tells_nothing() {
    use catamaran::testing::{FakeEngine, Personality};

    let podman = FakeEngine::builder().personality(Personality::Podman);
    let podman = podman.start().await.expect("a fake engine");
    let report = doctor(podman.config(), &DoctorOptions::default()).await;
    assert_eq!(
        severity(&report, "engines_agree"),
        Severity::Unknown,
        "{report}"
    );
}
