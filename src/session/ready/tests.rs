//! Readiness on the fake engine. Time is paused: it goes on by itself wherever all wait.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::engine::AsyncEngine;
use crate::model::{
    Cidr, ContainerName, ContainerSpec, HealthCheck, ImageRef, NetworkMode, NetworkRef,
    NetworkSpec, PortMapping, RemoveOptions, Resources, StopOptions, Subnet,
};
use crate::testing::{FakeEngine, FakeEngineBuilder, Fault, Rule, When};

struct Stage {
    engine: FakeEngine,
    backend: Arc<dyn ContainerBackend>,
}

impl Stage {
    async fn new() -> Self {
        Self::with(FakeEngine::builder()).await
    }

    async fn with(builder: FakeEngineBuilder) -> Self {
        let engine = builder.image("busybox").start().await.expect("an engine");
        let backend = AsyncEngine::new(&engine.config().expect("a configuration"));
        Self {
            engine,
            backend: Arc::new(backend.expect("an engine")),
        }
    }

    async fn runs(&self, spec: &ContainerSpec) -> ContainerRef {
        let id = self.backend.create(spec).await.expect("a container").id;
        self.backend.start(&id).await.expect("it starts");
        id
    }

    async fn waits_at(
        &self,
        reach: &Reach,
        id: &ContainerRef,
        ready: &Ready,
        seconds: u64,
    ) -> Result<(), NotReady> {
        let deadline = Deadline::new(Some(Duration::from_secs(seconds)), None);
        wait(&self.backend, id, ready, reach, deadline).await
    }

    async fn waits(&self, id: &ContainerRef, ready: &Ready) -> Result<(), NotReady> {
        self.waits_at(&Reach::default(), id, ready, 60).await
    }

    /// Runs a line of shell, and waits for it.
    async fn ran(&self, line: &str, ready: &Ready) -> Result<(), NotReady> {
        self.waits(&self.runs(&shell(line)).await, ready).await
    }

    /// A network whose addresses lead to this process.
    async fn network(&self) -> NetworkMode {
        let name = NetworkRef::new("loop").expect("a name");
        let subnet = Subnet::new(Cidr::new("127.77.0.0/24").expect("a block"));
        let spec = NetworkSpec::new(name.clone()).with_subnet(subnet);
        self.backend.create_network(&spec).await.expect("a network");
        NetworkMode::Network(name)
    }

    /// The same, and a listener at the address of the container that runs on it.
    async fn listening(&self) -> (ContainerRef, TcpListener, u16) {
        let mut spec = shell("sleep 1000");
        spec.security.network = Some(self.network().await);
        let id = self.runs(&spec).await;
        let details = self.backend.inspect(&id).await.expect("a container");
        let ip = details.networks["loop"].ip_address.expect("an address");
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await;
        let listener = listener.expect("an address of loopback");
        let port = listener.local_addr().expect("an address").port();
        (id, listener, port)
    }
}

fn shell(line: &str) -> ContainerSpec {
    ContainerSpec::untrusted(ImageRef::new("busybox").expect("a reference"))
        .with_command(["sh", "-c", line])
}

fn line(text: &str) -> Ready {
    Ready::LogLine(text.to_owned())
}

fn exec<const N: usize>(command: [&str; N]) -> Ready {
    Ready::Exec(command.map(str::to_owned).into())
}

/// A `cat` that shows nobody at first, then this.
fn cat(nobody: usize, table: &'static str) -> FakeEngineBuilder {
    let looks = Arc::new(AtomicUsize::new(0));
    FakeEngine::builder().program("cat", move |process| {
        let table = match looks.fetch_add(1, Ordering::SeqCst) < nobody {
            true => "  sl  local_address rem_address   st\n",
            false => table,
        };
        async move { i64::from(process.write_stdout(table).await.is_err()) }
    })
}

const ALL: &str = "  sl  local_address rem_address   st\n   0: 00000000:0050 00000000:0000 0A 0\n";
const LOOPBACK: &str =
    "  sl  local_address rem_address   st\n   0: 0100007F:0050 00000000:0000 0A 0\n";

#[tokio::test(start_paused = true)]
async fn a_cold_start_costs_one_look() {
    let stage = Stage::new().await;
    let id = stage.runs(&shell("sleep 1000")).await;
    stage.engine.journal().clear();
    stage.waits(&id, &Ready::Running).await.expect("it runs");
    assert_eq!(stage.engine.journal().requests().len(), 1);
    // So does the second try where the first has found no way.
    let rule = Rule::new("GET", "/containers/*/json", Fault::Refuse).when(When::First(3));
    stage.engine.faults().add(rule);
    stage.waits(&id, &Ready::Running).await.expect("it runs");
}

#[tokio::test(start_paused = true)]
async fn an_end_fails_at_once_whatever_is_waited_for() {
    let stage = Stage::with(cat(usize::MAX, ALL)).await;
    let never = Ready::Tcp(80);
    for ready in [
        Ready::Healthy,
        never.clone(),
        Ready::Http(HttpReady::new(80, "/")),
        line("never"),
        exec(["false"]),
        Ready::All(vec![Ready::Running, never.clone()]),
        Ready::Any(vec![exec(["false"]), never, line("never")]),
    ] {
        let check = HealthCheck::shell("false").with_interval(Duration::from_secs(30));
        let spec = shell("sleep 2; exit 7").with_health_check(check);
        let id = stage.runs(&spec).await;
        let began = Instant::now();
        let why = stage.waits(&id, &ready).await.expect_err("it ends");
        assert!(why.died && !why.oom_killed && !why.timed_out, "{ready:?}");
        assert_eq!(why.exit_code, Some(7), "{ready:?}");
        assert_eq!(why.reason, "it ended with exit code 7");
        let took = began.elapsed();
        assert!(took < Duration::from_millis(2300), "{ready:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_before_the_wait_is_told() {
    let stage = Stage::new().await;
    let id = stage.runs(&shell("exit 3")).await;
    let ended = stage.backend.wait(&id, &Default::default()).await;
    assert_eq!(ended.expect("it ends").exit_code, 3);
    for ready in [Ready::Running, line("x")] {
        let why = stage.waits(&id, &ready).await.expect_err("it has ended");
        assert_eq!((why.died, why.exit_code), (true, Some(3)));
    }
    stage
        .backend
        .remove(&id, &RemoveOptions::force())
        .await
        .expect("gone");
    let why = stage.waits(&id, &Ready::Running).await.expect_err("gone");
    assert_eq!((why.died, &why.reason[..]), (true, "it was removed"));
}

#[tokio::test(start_paused = true)]
async fn want_of_memory_is_told() {
    let stage = Stage::new().await;
    let limits = Resources::untrusted().with_memory_and_no_swap(16 << 20);
    let id = stage
        .runs(&shell("sleep 1; exec tail -n 1 /dev/zero").with_resources(limits))
        .await;
    let why = stage.waits(&id, &line("never")).await.expect_err("it ends");
    assert!(why.died && why.oom_killed, "{why:?}");
    assert_eq!(why.exit_code, Some(137));
    assert_eq!(why.reason, "it ended with exit code 137, out of memory");
}

#[tokio::test(start_paused = true)]
async fn an_end_is_looked_for_where_it_cannot_be_waited_for() {
    let stage = Stage::new().await;
    let rule = stage
        .engine
        .faults()
        .add(Rule::new("POST", "/containers/*/wait", Fault::Refuse));
    let why = stage.ran("sleep 5; exit 4", &exec(["false"])).await;
    assert_eq!(why.expect_err("it ends").exit_code, Some(4));
    assert!(stage.engine.faults().count(rule).faulted > 0);
    let id = stage.runs(&shell("sleep 1000")).await;
    let never = exec(["false"]);
    let (why, _) = tokio::join!(stage.waits(&id, &never), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stage
            .backend
            .remove(&id, &RemoveOptions::force())
            .await
            .expect("gone");
    });
    assert!(why.expect_err("it is gone").died);
}

#[tokio::test(start_paused = true)]
async fn health_is_as_the_check_says() {
    let stage = Stage::new().await;
    let check = |line: &str| {
        let check = HealthCheck::shell(line).with_interval(Duration::from_secs(1));
        check.with_retries(2u32)
    };
    let spec = shell("sleep 3; touch /tmp/ok; sleep 1000");
    let healthy = stage
        .runs(
            &spec
                .clone()
                .with_health_check(check("test -e /tmp/ok").with_retries(9u32)),
        )
        .await;
    let began = Instant::now();
    stage
        .waits(&healthy, &Ready::Healthy)
        .await
        .expect("it is healthy");
    assert!(began.elapsed() >= Duration::from_secs(3));

    let sick = stage
        .runs(&spec.clone().with_health_check(check("echo no; false")))
        .await;
    let began = Instant::now();
    let why = stage
        .waits(&sick, &Ready::Healthy)
        .await
        .expect_err("it is unhealthy");
    assert_eq!(
        why.reason,
        "it is unhealthy; its last check printed \"no\\n\""
    );
    assert!(!why.died && !why.timed_out && began.elapsed() < Duration::from_secs(4));
    // Another may come all the same.
    let either = Ready::Any(vec![Ready::Healthy, exec(["test", "-e", "/tmp/ok"])]);
    let sick = stage.runs(&spec.with_health_check(check("false"))).await;
    stage.waits(&sick, &either).await.expect("the other one");

    let why = stage
        .ran("sleep 1000", &Ready::Healthy)
        .await
        .expect_err("no check");
    assert_eq!(
        why.reason,
        "it has no health check to say that it is healthy"
    );
}

#[tokio::test(start_paused = true)]
async fn a_port_is_looked_up_inside() {
    let stage = Stage::with(cat(3, ALL)).await;
    stage
        .ran("sleep 1000", &Ready::Tcp(80))
        .await
        .expect("it listens");
    let looks = stage.engine.journal().count("POST", "/exec/");
    assert_eq!(looks, 4, "three times nobody");
    let id = stage.runs(&shell("sleep 1000")).await;
    let why = stage
        .waits(&id, &Ready::Tcp(81))
        .await
        .expect_err("another port");
    assert_eq!(why.reason, "not ready in time: tcp 81: nobody listens");
    assert!(why.timed_out && !why.died);
}

#[tokio::test(start_paused = true)]
async fn its_loopback_counts_where_it_has_nothing_else() {
    let stage = Stage::with(cat(0, LOOPBACK)).await;
    stage
        .ran("sleep 1000", &Ready::Tcp(80))
        .await
        .expect("it listens");
    let mut spec = shell("sleep 1000");
    spec.security.network = Some(stage.network().await);
    let id = stage.runs(&spec).await;
    let why = stage
        .waits(&id, &Ready::Tcp(80))
        .await
        .expect_err("loopback");
    assert!(
        why.reason
            .ends_with("tcp 80: it listens on its own loopback alone"),
        "{why:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_to_its_address_is_checked_inside() {
    // Whoever accepts at that address, nobody listens in the container.
    let stage = Stage::with(cat(usize::MAX, ALL)).await;
    let (id, listener, port) = stage.listening().await;
    let why = stage
        .waits_at(&Reach::default(), &id, &Ready::Tcp(port), 5)
        .await;
    let why = why.expect_err("nobody listens");
    assert!(why.reason.ends_with("nobody listens"), "{why:?}");
    // While it is refused, a look is rare.
    drop(listener);
    stage.engine.journal().clear();
    let why = stage
        .waits_at(&Reach::default(), &id, &Ready::Tcp(port), 5)
        .await;
    why.expect_err("nobody listens");
    let looks = stage.engine.journal().count("POST", "/exec/");
    assert!((4..=6).contains(&looks), "{looks} looks");
}

#[tokio::test(start_paused = true)]
async fn without_a_cat_a_connection_must_do() {
    let builder = FakeEngine::builder().program("cat", |_| async { 127 });
    let stage = Stage::with(builder).await;
    let (id, listener, port) = stage.listening().await;
    let ready = Ready::Tcp(port);
    stage.waits(&id, &ready).await.expect("it is accepted");
    drop(listener);
    stage.engine.journal().clear();
    let why = stage
        .waits_at(&Reach::default(), &id, &ready, 5)
        .await
        .expect_err("refused");
    assert!(why.reason.ends_with("connection refused"), "{why:?}");
    assert_eq!(
        stage.engine.journal().count("POST", "/exec/"),
        1,
        "known to be in vain"
    );
    // What is the only way is tried again.
    let why = stage.ran("sleep 1000", &ready).await.expect_err("no way");
    assert!(
        why.reason.ends_with("no look inside: exit code 127 of cat"),
        "{why:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_published_port_is_asked_last_and_not_believed_at_once() {
    let builder = FakeEngine::builder().program("cat", |_| async { 127 });
    let stage = Stage::with(builder).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address");
    let mut spec = shell("sleep 1000").with_port(PortMapping::tcp(80).on(port.ip(), port.port()));
    spec.security.network = Some(stage.network().await);
    let id = stage.runs(&spec).await;
    // A proxy that can pass nothing on, three times.
    let proxy = async {
        for _ in 0..3 {
            drop(listener.accept().await.expect("a connection"));
        }
        listener.accept().await.expect("a connection")
    };
    let (found, _held) = tokio::join!(stage.waits(&id, &Ready::Tcp(80)), proxy);
    found.expect("it is held open");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_asked_for_until_its_status_counts() {
    let stage = Stage::new().await;
    let (id, listener, port) = stage.listening().await;
    let serve = async |statuses: &[u16]| {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.expect("a request"));
            }
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("an answer");
        }
    };
    let page = HttpReady::new(port, "/health?token=canary");
    let ready = Ready::Http(page.clone());
    let (found, ()) = tokio::join!(stage.waits(&id, &ready), serve(&[500, 404, 302]));
    found.expect("a redirection counts");
    let ready = Ready::Http(page.with_status(204..=204));
    let reach = Reach::default();
    let waited = stage.waits_at(&reach, &id, &ready, 5);
    let (why, _) = tokio::join!(waited, async {
        tokio::time::timeout(Duration::from_secs(6), serve(&[200; 1000])).await
    });
    let why = why.expect_err("200 isn't asked for");
    assert_eq!(
        why.reason,
        format!("not ready in time: http {port}/health: status 200")
    );
    // Elsewhere that address is another's.
    let reach = Reach {
        engine_host: "engine.example".to_owned(),
    };
    let why = stage
        .waits_at(&reach, &id, &ready, 5)
        .await
        .expect_err("no way");
    assert!(
        why.reason
            .ends_with("it is neither published nor on a network of this host")
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_is_found_in_output_and_errors() {
    let stage = Stage::new().await;
    for told in [
        "echo now ready for all",
        "echo now ready >&2",
        "echo x; sleep 2; printf rea; sleep 2; echo dy",
        "head -c 300000 /dev/zero | tr '\\0' x; echo ready",
    ] {
        let told = format!("{told}; sleep 1000");
        stage
            .ran(&told, &line("ready"))
            .await
            .expect("it was written");
    }
    let why = stage
        .ran("echo rea; echo dy; sleep 1000", &line("ready"))
        .await;
    let why = why.expect_err("in two lines");
    assert_eq!(
        why.reason,
        "not ready in time: log line of 5 bytes: not written yet"
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_of_the_run_before_does_not_count() {
    let stage = Stage::new().await;
    let told =
        "if [ -e /ran ]; then sleep 2; echo again; else touch /ran; echo ready; fi; sleep 1000";
    let mut spec = shell(told).with_name(ContainerName::new("again").expect("a name"));
    (spec.security.read_only_root, spec.security.user) = (false, Some("0".to_owned()));
    let id = stage.runs(&spec).await;
    stage
        .waits(&id, &line("ready"))
        .await
        .expect("it was written");
    let options = StopOptions::default().with_timeout(Duration::ZERO);
    stage.backend.stop(&id, &options).await.expect("it stops");
    stage.backend.start(&id).await.expect("it starts");
    let found = stage
        .waits_at(&Reach::default(), &id, &line("ready"), 10)
        .await;
    assert!(found.expect_err("it was written before").timed_out);
    stage.waits(&id, &line("again")).await.expect("of this run");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_tried_until_it_succeeds() {
    let stage = Stage::new().await;
    let told = "sleep 3; touch /tmp/ok; sleep 1000";
    stage
        .ran(told, &exec(["test", "-e", "/tmp/ok"]))
        .await
        .expect("it is there");
    for (command, found) in [
        (exec(["false", "canary"]), "exec \"false\": exit code 1"),
        (
            exec(["absent"]),
            "exec \"absent\": it can't be run (exit code 127)",
        ),
        (
            exec(["sleep", "1000"]),
            "exec \"sleep\": it ran longer than 10s",
        ),
    ] {
        let why = stage.ran("sleep 1000", &command).await.expect_err(found);
        assert_eq!(why.reason, format!("not ready in time: {found}"));
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_each_is_told() {
    let stage = Stage::new().await;
    let ready = [
        line("ready"),
        exec(["false"]),
        exec(["test", "-e", "/tmp/ok"]),
    ];
    let told = "echo ready; sleep 3; touch /tmp/ok; sleep 1000";
    stage
        .ran(told, &Ready::Any(ready.to_vec()))
        .await
        .expect("the first");
    let began = Instant::now();
    let both = Ready::All(vec![ready[0].clone(), ready[2].clone()]);
    stage.ran(told, &both).await.expect("both");
    assert!(
        began.elapsed() >= Duration::from_secs(3),
        "at the same time"
    );
    assert!(began.elapsed() < Duration::from_secs(5), "at the same time");
    let why = stage
        .ran(told, &Ready::All(ready.to_vec()))
        .await
        .expect_err("one never");
    assert_eq!(why.reason, "not ready in time: exec \"false\": exit code 1");
    let never = Ready::Any(vec![line("never"), exec(["false"])]);
    let began = Instant::now();
    let why = stage.ran(told, &never).await.expect_err("none");
    let found = "log line of 5 bytes: not written yet; exec \"false\": exit code 1";
    assert_eq!(why.reason, format!("not ready in time: {found}"));
    assert_eq!(began.elapsed().as_secs(), 60);
    stage
        .ran("sleep 1000", &Ready::All(Vec::new()))
        .await
        .expect("nothing is asked for");
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_denies_fails_at_once() {
    let stage = Stage::new().await;
    let id = stage.runs(&shell("sleep 1000")).await;
    let rule = Rule::new("POST", "/containers/*/exec", Fault::Status(403));
    stage.engine.faults().add(rule);
    let began = Instant::now();
    let why = stage.waits(&id, &exec(["true"])).await.expect_err("denied");
    assert!(
        why.error.is_some() && !why.timed_out && !why.died,
        "{why:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn is_kept_as_json_and_shown_without_secrets() {
    let page = HttpReady::new(80, "/a?token=canary").with_host("app".to_owned());
    let all = Ready::All(vec![
        Ready::Running,
        Ready::Healthy,
        Ready::Tcp(80),
        Ready::Http(page),
        Ready::Any(vec![line("canary"), exec(["sh", "canary"])]),
    ]);
    let json = serde_json::to_string(&all).expect("JSON");
    let kept = r#"{"all":["running","healthy",{"tcp":80},{"http":{"port":80,"path":"/a?token=canary","status":{"start":200,"end":399},"host":"app"}},{"any":[{"log_line":"canary"},{"exec":["sh","canary"]}]}]}"#;
    assert_eq!(json, kept);
    assert_eq!(serde_json::from_str::<Ready>(&json).expect("the same"), all);
    let least: HttpReady = serde_json::from_str(r#"{"port":1,"path":"/"}"#).expect("a page");
    assert_eq!(least, HttpReady::new(1, "/"));
    assert!(!format!("{all:?}").contains("canary"), "{all:?}");
}
