//! What calls take that are under way, all at once.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catamaran::model::{ContainerRef, ContainerSpec, ImageRef, LogsOptions};
use catamaran::{AsyncEngine, Config, ContainerBackend, Endpoint, LimitOptions};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::common::clients::{Bollard, Client, Operation};
use crate::common::fixture::{LABEL, Target};
use crate::common::pooled::{self, Hyper};
use crate::common::samples::cpu;
use crate::common::usage::{allow_files, resident, status};
use crate::{COUNTED, Outcome};

/// As many calls as one engine may have under way, roundly: more take more engines.
const EACH: usize = 1000;
/// Files for everything else that is open.
const SPARE: u64 = 200;
/// How long all of them may take to be under way, and from one look to the next.
const LONG: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
const ADDRESS: &str = "http://localhost";

fn engine(socket: &Path, limits: LimitOptions) -> Outcome<AsyncEngine> {
    let config = Config::builder()
        .endpoint(Endpoint::unix(socket))
        .operation_timeout(LONG)
        .limits(limits.with_queue_time(LONG));
    Ok(AsyncEngine::new(&config.build()?)?)
}

/// As many clients as so many calls take.
fn clients(name: &str, count: usize, socket: &Path) -> Outcome<Vec<Arc<dyn Client>>> {
    let target = Target {
        id: ContainerRef::new("none")?,
        label: (LABEL, String::new()),
        listed: 0,
    };
    let path = socket.to_str().ok_or("the socket's path is no UTF-8")?;
    let one: Arc<dyn Client> = match name {
        "async" => {
            let limits = LimitOptions::default().with_calls(EACH);
            let all = (0..count.div_ceil(EACH)).map(|_| {
                let engine: Arc<dyn ContainerBackend> = Arc::new(engine(socket, limits.clone())?);
                Ok(Arc::new((engine, target.clone())) as Arc<dyn Client>)
            });
            return all.collect();
        }
        "hyper" => Arc::new(Hyper::new(pooled::unix(socket), ADDRESS, &target)),
        "bollard" => Arc::new(Bollard::unix(path, &target)?),
        "bollard-pooled" => {
            let docker = pooled::bollard(pooled::unix(socket), ADDRESS, usize::MAX);
            Arc::new(Bollard::new(docker, &target))
        }
        other => return Err(format!("{other}: who?").into()),
    };
    Ok(vec![one])
}

fn heap() -> usize {
    let stats = COUNTED.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Pings that are never answered: once nothing changes any more, all of them are under way.
pub fn silent(name: &str, count: &str, socket: &Path) -> Outcome<Value> {
    let count: usize = count.parse()?;
    if allow_files(count as u64 + SPARE) < count as u64 + SPARE {
        return Err(format!("{count} files can't be open at once here (ulimit -n)").into());
    }
    let clients = clients(name, count, socket)?;
    let runtime = Runtime::new()?;
    let (before, rss, open) = (heap(), resident(), files());
    let mut calls = JoinSet::new();
    for number in 0..count {
        let client = Arc::clone(&clients[number % clients.len()]);
        calls.spawn_on(
            async move { client.call(Operation::Ping).await },
            runtime.handle(),
        );
    }
    let until = Instant::now() + LONG;
    let mut last = 0;
    let mut still = 0;
    while still < 3 {
        if Instant::now() > until {
            return Err(format!("{} of {count} are under way", files() - open).into());
        }
        std::thread::sleep(LOOK);
        let now = heap();
        let all = files() >= open + count;
        still = if all && now == last { still + 1 } else { 0 };
        last = now;
    }
    let each = |bytes: usize| bytes as f64 / count as f64;
    let told = json!({
        "heap_bytes": each(last.saturating_sub(before)),
        "rss_bytes": each(usize::try_from(resident().saturating_sub(rss))?),
        "threads": status("Threads"),
    });
    // What nobody answers isn't waited for.
    runtime.shutdown_background();
    Ok(told)
}

/// What a process has taken at most while something was under way.
struct Peak {
    rss: u64,
    threads: u64,
}

/// Looks at this process until that has ended.
async fn watched<T>(work: impl Future<Output = T>) -> (T, Peak) {
    let mut peak = Peak { rss: 0, threads: 0 };
    let mut work = std::pin::pin!(work);
    let mut look = tokio::time::interval(LOOK / 2);
    loop {
        tokio::select! {
            done = &mut work => return (done, peak),
            _ = look.tick() => {
                peak.rss = peak.rss.max(resident());
                peak.threads = peak.threads.max(status("Threads"));
            }
        }
    }
}

/// Pings at once, each answered late: by several engines, since one has a thousand calls under way at most.
pub fn slow_calls(count: &str, socket: &Path) -> Outcome<Value> {
    let count: usize = count.parse()?;
    let clients = clients("async", count, socket)?;
    slow(count, move |number| {
        let client = Arc::clone(&clients[number % clients.len()]);
        async move { client.call(Operation::Ping).await }
    })
}

/// Logs of one container, followed until the first line has come: they stay open until all have.
pub fn slow_logs(count: &str, socket: &Path) -> Outcome<Value> {
    let count: usize = count.parse()?;
    let runtime = Runtime::new()?;
    let engine = Arc::new(engine(socket, LimitOptions::default().with_streams(count))?);
    let id = runtime.block_on(async {
        let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command([
            "sh",
            "-c",
            "echo ready; exec sleep 600",
        ]);
        let id = engine.create(&spec).await?.id;
        engine.start(&id).await?;
        Ok::<_, catamaran::Error>(id)
    })?;
    let all_here = Arc::new(tokio::sync::Barrier::new(count));
    slow(count, move |_| {
        let (engine, id) = (Arc::clone(&engine), id.clone());
        let all_here = Arc::clone(&all_here);
        async move {
            let options = LogsOptions::default().with_follow(true);
            let mut log = engine.logs(&id, &options).await.expect("a log");
            log.next().await.expect("a line").expect("a line");
            all_here.wait().await;
        }
    })
}

fn slow<F>(count: usize, one: impl Fn(usize) -> F) -> Outcome<Value>
where
    F: Future<Output = ()> + Send + 'static,
{
    if allow_files(count as u64 + SPARE) < count as u64 + SPARE {
        return Err(format!("{count} files can't be open at once here (ulimit -n)").into());
    }
    let runtime = Runtime::new()?;
    let (rss, spent, began) = (resident(), cpu(), Instant::now());
    let (failed, peak) = runtime.block_on(async {
        let mut all = JoinSet::new();
        for number in 0..count {
            all.spawn(one(number));
        }
        let all = async {
            let mut failed = 0_usize;
            while let Some(done) = all.join_next().await {
                failed += usize::from(done.is_err());
            }
            failed
        };
        watched(all).await
    });
    if failed > 0 {
        return Err(format!("{failed} of {count} failed").into());
    }
    let seconds = began.elapsed().as_secs_f64();
    let each = |all: f64| all / count as f64;
    Ok(json!({
        "count": count,
        "seconds": seconds,
        "rss_bytes": each(peak.rss.saturating_sub(rss) as f64),
        "threads": peak.threads,
        "cpu_us": each((cpu() - spent).as_secs_f64() * 1e6),
    }))
}
