//! A process that embeds the crate, and is killed: it makes containers and uses them, and says so.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use catamaran::model::{ContainerRef, ContainerSpec, ExecOptions, ImageRef, RemoveOptions};
use catamaran::{
    ContainerBackend, ErrorKind, Fate, Host, HostOptions, HybridBackend, Mode, Result,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::said::{Life, Said, Token};
use crate::Outcome;
use crate::calls::{RUN, TOKEN};
use crate::dice::Dice;
use crate::options::ClientChoice;

/// How many containers a task has at once.
const CONTAINERS: usize = 3;
/// How many that were others' a child keeps.
const ADOPTED: usize = 4;

/// What the parent wants, line by line: `work`, `end`, or a number that is said back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
enum Order {
    #[default]
    Wait,
    Work,
    End,
}

/// Without its parent, a child ends.
fn listen(orders: watch::Sender<Order>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line.as_deref() {
                Ok("work") => drop(orders.send_replace(Order::Work)),
                Ok("end") => drop(orders.send_replace(Order::End)),
                Ok(number) => Said::Here(number.parse().unwrap_or_default()).say(),
                Err(_) => break,
            }
        }
        std::process::exit(3);
    });
}

pub async fn live(life: &str) -> Outcome<()> {
    let life: Life = serde_json::from_str(life)?;
    // What the crate itself warns of, past what is said to the parent.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
    let (orders, mut ordered) = watch::channel(Order::default());
    listen(orders);
    let mode = match life.client {
        ClientChoice::Async => Mode::Async,
        ClientChoice::Blocking => Mode::Blocking,
        _ => Mode::Auto,
    };
    let backend = HybridBackend::from_env()?.with_mode(mode);
    let host = match life.client {
        ClientChoice::Naive => None,
        _ => {
            let options = HostOptions::new(&life.host)?.with_lease(life.lease)?;
            Some(Host::start(Arc::new(backend.clone()), options).await?)
        }
    };
    let instance = host.as_ref().map(Host::instance).unwrap_or_default();
    Said::Begun(instance.clone()).say();
    let heir = host.clone().map(|host| {
        let heir = Heir {
            host,
            instance,
            backend: backend.clone(),
            adopted: Vec::new(),
        };
        tokio::spawn(heir.look_after())
    });
    ordered.wait_for(|order| *order >= Order::Work).await?;
    let asked = Arc::new(AtomicBool::new(false));
    let mut hands = JoinSet::new();
    for number in 0..life.tasks {
        let of = |fate| match &host {
            Some(host) => backend.hosted(host, fate),
            None => backend.clone(),
        };
        let hand = Hand {
            backends: [of(Fate::Remove), of(Fate::Adopt)],
            dice: Dice::new(life.seed, life.number * 1000 + number),
            number,
            made: 0,
            own: Vec::new(),
            life: life.clone(),
            asked: Arc::clone(&asked),
        };
        hands.spawn(hand.work(ordered.clone()));
    }
    while let Some(hand) = hands.join_next().await {
        hand?;
    }
    if let Some(heir) = heir {
        heir.abort();
        // Else it could be about to remove one, and say so after the end.
        let _ = heir.await;
    }
    let ended = match host {
        Some(host) => host.end(Duration::from_secs(30)).await,
        None => Ok(()),
    };
    Said::Ended(ended.err().map(|error| format!("{error:#}"))).say();
    Ok(())
}

/// Says how a call ended that must end well.
fn told<T>(what: &str, id: &str, told: Result<T>) -> Option<T> {
    match told {
        Ok(done) => Some(done),
        Err(error) => {
            Said::Failed(format!("{what} {id:.12}: {error:#}")).say();
            None
        }
    }
}

async fn remove(backend: &HybridBackend, id: ContainerRef) {
    Said::Removing(id.to_string()).say();
    let removed = backend.remove(&id, &RemoveOptions::force()).await;
    if told("remove", id.as_str(), removed).is_some() {
        Said::Removed(id.to_string()).say();
    }
}

/// One of several that ask at the same time.
struct Hand {
    backends: [HybridBackend; 2],
    dice: Dice,
    number: u64,
    made: u64,
    /// And whether they run.
    own: Vec<(ContainerRef, bool)>,
    life: Life,
    asked: Arc<AtomicBool>,
}

impl Hand {
    async fn work(mut self, ordered: watch::Receiver<Order>) {
        while *ordered.borrow() < Order::End {
            self.step().await;
            tokio::time::sleep(self.life.pause).await;
        }
    }

    async fn step(&mut self) {
        let few = self.own.len() < CONTAINERS;
        if self.own.is_empty() || (few && self.dice.chance(0.4)) {
            return self.create().await;
        }
        let at = self.dice.below(self.own.len() as u64) as usize;
        let (id, runs) = self.own[at].clone();
        let [backend, _] = &self.backends;
        if !runs {
            Said::Starting(id.to_string()).say();
            if told("start", id.as_str(), backend.start(&id).await).is_some() {
                Said::Started(id.to_string()).say();
                self.own[at].1 = true;
            }
        } else if self.dice.chance(0.6) {
            let options = ExecOptions::new(["sh", "-c", "exit 7"]);
            let ran = backend.exec(&id, &options).await;
            if let Some(ran) = told("exec", id.as_str(), ran)
                && ran.exit_code != 7
            {
                Said::Failed(format!("exec {id:.12}: {} and not 7", ran.exit_code)).say();
            }
        } else {
            self.own.remove(at);
            remove(&self.backends[0], id).await;
        }
    }

    async fn create(&mut self) {
        self.made += 1;
        let (at, fate) = match self.dice.chance(0.5) {
            true => (0, Fate::Remove),
            false => (1, Fate::Adopt),
        };
        let token = Token {
            child: self.life.number,
            fate,
            task: self.number,
            number: self.made,
        };
        let token = token.to_string();
        if !self.asked.swap(true, Ordering::SeqCst) {
            Said::Asking.say();
        }
        let spec = self.spec(&token);
        let created = match spec {
            Ok(spec) => self.backends[at].create(&spec).await,
            Err(error) => Err(error),
        };
        if let Some(created) = told("create", &token, created) {
            let id = created.id.to_string();
            Said::Made { id, token }.say();
            self.own.push((created.id, false));
        }
    }

    fn spec(&mut self, token: &str) -> Result<ContainerSpec> {
        let mut spec = ContainerSpec::untrusted(ImageRef::new(&self.life.image)?)
            .with_command(["sh", "-c", "exec sleep 3600"])
            .with_label(RUN, &self.life.run)?
            .with_label(TOKEN, token)?;
        if self.dice.chance(0.6) {
            let name = format!("{}-c-{token}", self.life.run);
            spec.name = Some(catamaran::model::ContainerName::new(name)?);
        }
        Ok(spec)
    }
}

/// Takes what others have left, and keeps a few.
struct Heir {
    host: Host,
    instance: String,
    backend: HybridBackend,
    adopted: Vec<ContainerRef>,
}

impl Heir {
    async fn look_after(mut self) {
        let host = self.host.clone();
        let mut recovered = std::pin::pin!(host.recovered());
        let mut waits = true;
        loop {
            tokio::select! {
                ended = &mut recovered, if waits => {
                    waits = false;
                    self.adopt().await;
                    if told("recovered", "", ended).is_some() {
                        Said::Recovered.say();
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(50)) => self.adopt().await,
            }
            if self.adopted.len() > ADOPTED {
                remove(&self.backend, self.adopted.remove(0)).await;
            }
        }
    }

    async fn adopt(&mut self) {
        let instance = self.host.instance();
        if instance != self.instance {
            Said::Begun(instance.clone()).say();
            self.instance = instance;
        }
        for orphan in self.host.orphans() {
            let id = orphan.container.id;
            Said::Offered(id.to_string()).say();
            match self.host.adopt(&id).await {
                Ok(_) => {
                    Said::Adopted(id.to_string()).say();
                    self.adopted.push(id);
                }
                // A removal that its host asked for before it died may have come in between.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Said::NotAdopted(id.to_string(), error.to_string()).say();
                }
                Err(error) => drop(told::<()>("adopt", id.as_str(), Err(error))),
            }
        }
    }
}
