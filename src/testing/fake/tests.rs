//! What the engine answers to requests that no client of ours sends, and to several at once.

use std::collections::HashSet;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::FakeEngine;
use super::state::Shared;
use crate::endpoint::Endpoint;
use crate::testing::serve::Service;

async fn engine() -> FakeEngine {
    FakeEngine::start().await.expect("a fake engine")
}

/// Status and body; of a stream, nothing but its status.
async fn ask(engine: &Arc<Shared>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let bytes = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let body = Full::new(bytes.into()).map_err(|never| match never {});
    let request = http::Request::builder().method(method).uri(path);
    let request = request.body(body.boxed_unsync()).expect("a request");
    let answer = engine.answer(request).await;
    let status = answer.status().as_u16();
    let is_whole = http_body::Body::size_hint(answer.body()).exact().is_some();
    let body = match is_whole {
        true => answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes(),
        false => bytes::Bytes::new(),
    };
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn created(engine: &Arc<Shared>, name: &str) -> String {
    let path = format!("/containers/create?name={name}");
    let body = json!({"Image": "busybox", "Cmd": ["sleep", "1000"]});
    let (status, answer) = ask(engine, "POST", &path, &body).await;
    assert_eq!(status, 201, "{answer}");
    answer["Id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_port_is_opened_again() {
    let builder = FakeEngine::builder().tcp();
    let mut fake = builder.start().await.expect("a fake engine");
    for _ in 0..10 {
        fake.reconnect().await.expect("the port is free");
    }
    fake.disconnect();
    fake.reconnect().await.expect("the port is free");
    let (host, port) = match fake.endpoint() {
        Endpoint::Tcp { host, port } => (host.clone(), *port),
        other => panic!("{other}"),
    };
    let connected = tokio::net::TcpStream::connect((host, port)).await;
    connected.expect("somebody listens");
}

#[tokio::test]
async fn odd_requests_have_answers() {
    let fake = engine().await;
    let engine = fake.server.service();
    let id = created(engine, "odd").await;
    let container = |more: Value| json!({"Image": "busybox", "Cmd": ["true"], "HostConfig": more});
    let network = |subnet: &str| json!({"Name": subnet, "IPAM": {"Config": [{"Subnet": subnet}]}});
    for (method, path, body, expected) in [
        ("POST", "/containers/create", json!([]), 404),
        ("POST", "/containers/create", container(json!("none")), 201),
        (
            "POST",
            "/containers/create",
            container(json!({"Memory": u64::MAX, "Mounts": "none"})),
            201,
        ),
        ("POST", "/networks/create", network("10.9.0.0/64"), 201),
        (
            "POST",
            "/networks/create",
            network("255.255.255.255/32"),
            201,
        ),
        ("POST", "/networks/create", network("0.0.0.0/0"), 403),
        ("POST", "/volumes/create", json!({"Labels": []}), 201),
        ("POST", "/volumes/create", json!("none"), 201),
        (
            "GET",
            "/events?until=18446744073709551615",
            Value::Null,
            200,
        ),
    ] {
        let (status, answer) = ask(engine, method, path, &body).await;
        assert_eq!(status, expected, "{method} {path} {body}: {answer}");
    }
    let logs = format!("/containers/{id}/logs?stdout=1&follow=1&until=18446744073709551615");
    assert_eq!(ask(engine, "GET", &logs, &Value::Null).await.0, 200);
    let (status, all) = ask(engine, "GET", "/containers/json?all=1", &Value::Null).await;
    assert_eq!((status, all.as_array().map(Vec::len)), (200, Some(3)));
}

#[tokio::test]
async fn a_network_without_room_refuses_another_container() {
    let fake = engine().await;
    let engine = fake.server.service();
    let subnet = json!({"Name": "narrow", "IPAM": {"Config": [{"Subnet": "10.9.0.0/30"}]}});
    assert_eq!(
        ask(engine, "POST", "/networks/create", &subnet).await.0,
        201
    );
    let mut answers = Vec::new();
    for name in ["first", "second"] {
        let path = format!("/containers/create?name={name}");
        let body = json!({
            "Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "bridge"},
            "NetworkingConfig": {"EndpointsConfig": {"narrow": {}}},
        });
        assert_eq!(ask(engine, "POST", &path, &body).await.0, 201);
        let path = format!("/containers/{name}/start");
        answers.push(ask(engine, "POST", &path, &Value::Null).await.0);
    }
    assert_eq!(answers, [204, 403]);
    // What it was given before it failed is given back.
    let (_, bridge) = ask(engine, "GET", "/networks/bridge", &Value::Null).await;
    let members = bridge["Containers"].as_object().expect("members");
    let members: Vec<&Value> = members.values().map(|member| &member["Name"]).collect();
    assert_eq!(members, ["first"]);
    let (_, narrow) = ask(engine, "GET", "/networks/narrow", &Value::Null).await;
    let members = narrow["Containers"].as_object().expect("members").values();
    let addresses: Vec<&Value> = members.map(|member| &member["IPv4Address"]).collect();
    assert_eq!(addresses, ["10.9.0.2/30"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_attached_and_does_not_read_holds_up_no_end() {
    let fake = engine().await;
    let engine = fake.server.service();
    let body = json!({"Image": "busybox", "Cmd": ["yes"]});
    let (_, made) = ask(engine, "POST", "/containers/create?name=talks", &body).await;
    assert!(made["Id"].is_string(), "{made}");
    let attach = http::Request::post("/containers/talks/attach?stream=1&stdout=1");
    let nothing = Full::default().map_err(|never| match never {});
    let attach = attach.body(nothing.boxed_unsync()).expect("a request");
    let unread = engine.answer(attach).await;
    let start = ask(engine, "POST", "/containers/talks/start", &Value::Null);
    assert_eq!(start.await.0, 204);
    // Until what it says has nowhere to go.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (method, path, expected) in [
        ("POST", "/containers/talks/kill", 204),
        ("DELETE", "/containers/talks", 204),
    ] {
        let asked = ask(engine, method, path, &Value::Null);
        let asked = tokio::time::timeout(Duration::from_secs(60), asked).await;
        let (status, answer) = asked.expect("an end");
        assert_eq!(status, expected, "{method} {path}: {answer}");
    }
    drop(unread);
}

type Asked = (&'static str, String, Value);

/// Asks each on a thread of its own, so often, with the number of the time for `#`; where they wait for each other for
/// ever, it is seen.
fn at_once(engine: &Arc<Shared>, times: usize, requests: Vec<Asked>) -> Vec<(u16, Value)> {
    let together = Arc::new(Barrier::new(requests.len()));
    let started = requests.into_iter().map(|(method, path, body)| {
        let (sender, answers) = mpsc::channel();
        let (engine, together) = (Arc::clone(engine), Arc::clone(&together));
        thread::spawn(move || {
            together.wait();
            for time in 0..times {
                let numbered = |text: &str| text.replace('#', &time.to_string());
                let path = numbered(&path);
                let body = numbered(&body.to_string()).parse().expect("JSON");
                let answer = futures::executor::block_on(ask(&engine, method, &path, &body));
                // Nobody listens where another has failed.
                let _ = sender.send(answer);
            }
        });
        answers
    });
    let started: Vec<_> = started.collect();
    let each = started.iter().flat_map(|answers| {
        let answer = || answers.recv_timeout(Duration::from_secs(30));
        (0..times).map(move |_| answer().expect("an answer"))
    });
    each.collect()
}

fn get(path: &str) -> Asked {
    ("GET", path.to_owned(), Value::Null)
}

#[tokio::test]
async fn who_looks_and_who_changes_let_each_other_through() {
    // Where they don't, it couldn't be dropped either.
    let fake = ManuallyDrop::new(engine().await);
    let engine = fake.server.service();
    let id = created(engine, "one").await;
    let rename = format!("/containers/{id}/rename?name=name-#");
    let answers = at_once(
        engine,
        500,
        vec![
            get(&format!("/containers/{id}/json")),
            get("/containers/json?all=1"),
            get("/system/df"),
            get("/networks/bridge"),
            ("POST", rename, Value::Null),
        ],
    );
    for (status, answer) in answers {
        assert!(status < 300, "{status} {answer}");
    }
    drop(ManuallyDrop::into_inner(fake));
}

#[tokio::test]
async fn of_several_who_create_a_volume_one_is_the_first() {
    let fake = engine().await;
    let engine = fake.server.service();
    let by = |label: &str| {
        let body = json!({"Name": "volume-#", "Labels": {"by": label}});
        ("POST", "/volumes/create".to_owned(), body)
    };
    let answers = at_once(engine, 1000, vec![by("a"), by("b"), by("c")]);
    let labels = answers.into_iter().map(|(_, answer)| {
        let name = answer["Name"].as_str().unwrap_or_default().to_owned();
        (name, answer["Labels"]["by"].to_string())
    });
    let labels: HashSet<(String, String)> = labels.collect();
    assert_eq!(labels.len(), 1000, "each has one who labelled it");
}

#[tokio::test]
async fn of_several_who_connect_each_has_an_address_of_its_own() {
    let fake = engine().await;
    let engine = fake.server.service();
    let names = ["a1", "b1", "c1", "d1"];
    for name in names {
        created(engine, name).await;
        let start = format!("/containers/{name}/start");
        assert_eq!(ask(engine, "POST", &start, &Value::Null).await.0, 204);
    }
    let networks = 200;
    for time in 0..networks {
        let body = json!({"Name": format!("net-{time}")});
        assert_eq!(ask(engine, "POST", "/networks/create", &body).await.0, 201);
    }
    let connect = |name: &str| {
        let path = "/networks/net-#/connect".to_owned();
        ("POST", path, json!({"Container": name}))
    };
    at_once(engine, networks, names.map(connect).to_vec());
    for time in 0..networks {
        let (_, shown) = ask(
            engine,
            "GET",
            &format!("/networks/net-{time}"),
            &Value::Null,
        )
        .await;
        let members = shown["Containers"].as_object().expect("members").values();
        let addresses: HashSet<String> = members
            .map(|member| member["IPv4Address"].to_string())
            .collect();
        assert_eq!(addresses.len(), names.len(), "{addresses:?}");
    }
}

#[tokio::test]
async fn what_a_container_is_made_with_is_not_pruned() {
    let fake = engine().await;
    let engine = fake.server.service();
    let times = 200;
    let mounts = json!([{"Type": "volume", "Source": "volume-#", "Target": "/data"}]);
    let create = json!({"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Mounts": mounts}});
    let path = "/containers/create?name=mounts-#".to_owned();
    let prune = || {
        let filters = "%7B%22all%22%3A%5B%22true%22%5D%7D";
        let path = format!("/volumes/prune?filters={filters}");
        ("POST", path, Value::Null)
    };
    for (status, answer) in at_once(
        engine,
        times,
        vec![("POST", path, create), prune(), prune()],
    ) {
        assert!(status < 300, "{status} {answer}");
    }
    let volumes: HashSet<String> = fake.volumes().into_iter().collect();
    for time in 0..times {
        let name = format!("volume-{time}");
        assert!(volumes.contains(&name), "{name} was taken");
    }
}
