//! One of several that open, use and close sessions at the same time, each its own keys.

use std::time::Duration;

use catamaran::model::ExecOptions;
use catamaran::session::{Session, SessionKey, SessionManager, SessionState};
use tokio::sync::watch;

use super::child::{Phase, failed, spec};
use super::said::{Held, Life, Said, owner};
use crate::dice::Dice;

/// How many keys a hand has, of different kinds.
const KEYS: u64 = 5;

pub struct Hand {
    pub manager: SessionManager,
    pub dice: Dice,
    pub number: u64,
    pub life: Life,
}

/// What a key's sessions are like: most of the warm pool's, and one network for each hand of the first two.
fn kind(key: &SessionKey) -> u64 {
    let number: u64 = key.name().parse().unwrap_or_default();
    let few = key.owner().ends_with("-0") || key.owner().ends_with("-1");
    match number {
        0 | 1 => 0,
        4 if !few => 1,
        number => number - 1,
    }
}

impl Hand {
    pub async fn work(mut self, mut phases: watch::Receiver<Phase>) {
        // An open right after a crash gives the session that was there.
        for number in 0..KEYS {
            if *phases.borrow() == Phase::Early && self.dice.chance(0.5) {
                let Some(key) = self.key(number) else { return };
                open(&self.manager, &key, &self.life).await;
            }
        }
        let _ = phases.wait_for(|phase| *phase > Phase::Early).await;
        while *phases.borrow() == Phase::Work {
            self.step().await;
            tokio::time::sleep(self.life.pause).await;
        }
    }

    fn key(&self, number: u64) -> Option<SessionKey> {
        let owner = owner(self.life.set, self.number);
        let key = SessionKey::new(owner, number.to_string());
        key.inspect_err(|error| failed("key", "", error)).ok()
    }

    async fn step(&mut self) {
        let number = self.dice.below(KEYS);
        let Some(key) = self.key(number) else { return };
        let session = self.manager.get(&key);
        let runs = |session: &Session| session.info().state == SessionState::Ready;
        let Some(session) = session.filter(runs) else {
            return self.open(&key).await;
        };
        if self.dice.chance(0.2) {
            self.open(&key).await;
        } else if self.dice.chance(0.5) {
            use_it(&session).await;
        } else {
            close(&self.manager, &key).await;
        }
    }

    /// By one caller, by two at once, or by one that may go away before the answer.
    async fn open(&mut self, key: &SessionKey) {
        let (manager, life) = (&self.manager, &self.life);
        if self.dice.chance(0.2) {
            let most = Duration::from_millis(600);
            let patience = self.dice.between(Duration::ZERO, most);
            let _ = tokio::time::timeout(patience, open(manager, key, life)).await;
        } else if self.dice.chance(0.3) {
            tokio::join!(open(manager, key, life), open(manager, key, life));
        } else {
            open(manager, key, life).await;
        }
    }
}

pub async fn open(manager: &SessionManager, key: &SessionKey, life: &Life) -> Option<Session> {
    let name = key.to_string();
    Said::Opening(name.clone()).say();
    let opened = match spec(life, kind(key)) {
        Ok(spec) => manager.open(key, &spec).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(session) => {
            let held = Held {
                key: name,
                id: session.id().to_string(),
                container: session.container().to_string(),
            };
            let origin = session.opening().origin.as_str().to_owned();
            Said::Opened { held, origin }.say();
            Some(session)
        }
        Err(error) => {
            failed("open", &name, &error);
            None
        }
    }
}

/// Runs a command, which also sees that a volume of its own holds what was written there by this session, and no other.
pub async fn use_it(session: &Session) {
    let id = session.id();
    let line = format!(
        "[ -d /data ] || exit 7; [ -e /data/id ] || echo {id} > /data/id; [ \"$(cat /data/id)\" = {id} ] && exit 7"
    );
    let options = ExecOptions::new(["sh", "-c", &line]);
    let key = session.key().to_string();
    match session.exec(&options).await {
        Ok(ran) if ran.exit_code == 7 => {}
        Ok(ran) => {
            let what = format!("exec in {key}: {} and not 7", ran.exit_code);
            let unavailable = false;
            Said::Failed { what, unavailable }.say();
        }
        Err(error) => failed("exec in", &key, &error),
    }
}

pub async fn close(manager: &SessionManager, key: &SessionKey) {
    let name = key.to_string();
    Said::Closing(name.clone()).say();
    match manager.close(key).await {
        Ok(true) => Said::Closed(name).say(),
        Ok(false) => {
            let what = format!("close {name}: there was none");
            let unavailable = false;
            Said::Failed { what, unavailable }.say();
        }
        Err(error) => failed("close", &name, &error),
    }
}
