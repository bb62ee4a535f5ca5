//! The same on the real engine, through a proxy that fails: create, start, stop, remove, exec and wait.

use std::sync::Arc;
use std::time::Duration;

use catamaran::model::{
    ContainerName, ContainerRef, ExecOptions, LabelKey, ListOptions, LogsOptions, RemoveOptions,
    StopOptions, WaitOptions,
};
use catamaran::testing::{FaultProxy, Hold, Rule, When};
use catamaran::{CallContext, ContainerBackend, HybridBackend, Mode, Result};
use futures::StreamExt;

use crate::common::{config, shell, unique, witness};
use crate::{MODES, PATIENCE, WRONG, Wrong, judge};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Create,
    Start,
    Stop,
    Remove,
    Exec,
    Wait,
}

const ASKED: [Asked; 6] = [
    Asked::Create,
    Asked::Start,
    Asked::Stop,
    Asked::Remove,
    Asked::Exec,
    Asked::Wait,
];

impl Asked {
    fn endpoint(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("POST", "/containers/create"),
            Self::Start => ("POST", "/containers/*/start"),
            Self::Stop => ("POST", "/containers/*/stop"),
            Self::Remove => ("DELETE", "/containers/*"),
            Self::Exec => ("POST", "/exec/*/start"),
            Self::Wait => ("POST", "/containers/*/wait"),
        }
    }
}

/// One container, and how often what was asked has happened to it.
struct Subject {
    asked: Asked,
    name: ContainerName,
    witness: Arc<dyn ContainerBackend>,
}

impl Subject {
    async fn spec(&self) -> catamaran::model::ContainerSpec {
        let line = match self.asked {
            Asked::Exec | Asked::Stop => "exec sleep 600",
            Asked::Wait => "exit 7",
            _ => "echo ran",
        };
        let spec = shell(&self.name, line).await;
        spec.with_label("catamaran.test", self.name.as_str())
            .expect("a label")
    }

    async fn prepare(&self) {
        if self.asked == Asked::Create {
            return;
        }
        let id = self.witness.create(&self.spec().await).await;
        let id = id.expect("a container").id;
        if matches!(self.asked, Asked::Stop | Asked::Exec | Asked::Wait) {
            self.witness.start(&id).await.expect("a start");
        }
    }

    fn id(&self) -> ContainerRef {
        self.name.clone().into()
    }

    async fn ask(&self, backend: &dyn ContainerBackend) -> Result<()> {
        let id = &self.id();
        match self.asked {
            Asked::Create => backend.create(&self.spec().await).await.map(drop),
            Asked::Start => backend.start(id).await.map(drop),
            Asked::Stop => {
                let options = StopOptions::default().with_timeout(Duration::ZERO);
                backend.stop(id, &options).await.map(drop)
            }
            Asked::Remove => backend.remove(id, &RemoveOptions::force()).await,
            Asked::Exec => {
                let options = ExecOptions::new(["sh", "-c", "echo x >> /tmp/ran; exit 3"]);
                let ran = backend.exec(id, &options).await;
                let code = match &ran {
                    Ok(ran) => Some(ran.exit_code),
                    Err(error) => error.exit_code(),
                };
                assert!(
                    code.is_none_or(|code| code == 3),
                    "a code is made up: {ran:?}"
                );
                ran.map(drop)
            }
            Asked::Wait => {
                let ended = backend.wait(id, &WaitOptions::default()).await?;
                assert_eq!(ended.exit_code, 7, "a code is made up");
                Ok(())
            }
        }
    }

    /// How often it has happened, as somebody else sees it.
    async fn done(&self) -> usize {
        let id = &self.id();
        match self.asked {
            Asked::Create | Asked::Remove => {
                let key = LabelKey::new("catamaran.test").expect("a key");
                let bearing = ListOptions::all().with_label(key, self.name.to_string());
                let there = self.witness.list(&bearing).await.expect("a list").len();
                if self.asked == Asked::Create {
                    there
                } else {
                    1 - there
                }
            }
            Asked::Start => {
                let begun = self.witness.inspect(id).await.expect("it is there");
                if begun.state.started_at.is_none() {
                    return 0;
                }
                self.witness
                    .wait(id, &WaitOptions::default())
                    .await
                    .expect("an end");
                let log = self.witness.logs(id, &LogsOptions::default()).await;
                let log = log.expect("a log").output(1 << 20).await.expect("output");
                String::from_utf8_lossy(&log.stdout).lines().count()
            }
            Asked::Stop => {
                let now = self.witness.inspect(id).await.expect("it is there");
                usize::from(!now.state.is_running())
            }
            Asked::Exec => {
                // What has begun may not have come to its line yet; its own end is known to the engine alone.
                let lines =
                    ExecOptions::new(["sh", "-c", "sleep 0.2; cat /tmp/ran 2>/dev/null | wc -l"]);
                let lines = self.witness.exec(id, &lines).await.expect("an exec");
                String::from_utf8_lossy(&lines.stdout)
                    .trim()
                    .parse()
                    .expect("a number")
            }
            Asked::Wait => 1,
        }
    }
}

async fn run(asked: Asked, wrong: Wrong, mode: Mode) -> std::result::Result<(), String> {
    let label = format!("{asked:?} × {wrong:?} × {mode}");
    let subject = Subject {
        asked,
        name: unique(&format!("outcome-{asked:?}-{wrong:?}-{mode}").to_lowercase()),
        witness: witness(),
    };
    subject.prepare().await;
    let proxy = FaultProxy::start(config().endpoint()).await.expect("a way");
    let backend = HybridBackend::new(&proxy.config().expect("a configuration"));
    let backend = backend.expect("a backend").with_mode(mode);
    backend.ping().await.expect("a pong");
    let (hold, (method, path)) = (Hold::new(), asked.endpoint());
    let rule = Rule::new(method, path, wrong.fault(&hold)).when(When::First(1));
    let rule = proxy.faults().add(rule);
    let backend = backend.with_context(CallContext::new().with_timeout(PATIENCE));
    let told = subject.ask(&*backend).await;
    if wrong.lingers() {
        hold.release();
        proxy.faults().until(rule, |count| count.acted == 1).await;
    }
    proxy.faults().clear();
    let done = subject.done().await;
    let gone = subject
        .witness
        .remove(&subject.id(), &RemoveOptions::force())
        .await;
    if gone.is_err() && done > 0 && asked != Asked::Remove {
        return Err(format!("{label}: it can't be removed: {gone:?}"));
    }
    judge(&told, done).map_err(|wrong| format!("{label}: {wrong}: {told:?}, {done} times"))?;
    let observed = match asked {
        // What it wrote is lost, or whether it will run can't be known.
        Asked::Exec => false,
        Asked::Start => wrong != Wrong::DelayRequest,
        // It takes as long as it takes: no time of its own says that an answer is late.
        Asked::Wait => !matches!(wrong, Wrong::HoldAnswer | Wrong::DelayRequest),
        _ => true,
    };
    if observed && told.is_err() {
        return Err(format!("{label}: it need not fail: {told:?}"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_real_engine_too() {
    let mut cases = Vec::new();
    for asked in ASKED {
        for wrong in WRONG {
            for mode in MODES {
                cases.push((asked, wrong, mode));
            }
        }
    }
    let all = cases.len();
    let ran = futures::stream::iter(cases).map(|(asked, wrong, mode)| run(asked, wrong, mode));
    let ran: Vec<_> = ran.buffer_unordered(6).collect().await;
    let wrong: Vec<_> = ran
        .into_iter()
        .filter_map(std::result::Result::err)
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
