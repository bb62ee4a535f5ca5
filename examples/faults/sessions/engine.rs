//! The engine is killed under a manager that works.

use std::time::Duration;

use catamaran::Config;
use tokio::time::Instant;

use super::line::Line;
use super::{LATEST, Run};
use crate::options::Options;
use crate::restart::dockerd::Dockerd;
use crate::restart::serves;
use crate::wire::Wire;
use crate::{Ground, Outcome};

pub async fn kill_engine(options: &Options) -> Outcome<Line> {
    let began = Instant::now();
    let mut dockerd = Dockerd::start(options.live_restore)?;
    let wire = Wire {
        endpoint: dockerd.endpoint(),
        patient: true,
    };
    if let Err(error) = serves(&wire).await {
        return Err(format!("{error}; the daemon's last words: {}", dockerd.last_words()).into());
    }
    let config = Config::builder().endpoint(dockerd.endpoint()).build()?;
    let ground = Ground::on(None, config).await?;
    let engine = Some(dockerd.endpoint().to_string());
    let mut run = Run::set_up(options, &ground, wire, engine).await?;
    run.stage.must_run = options.live_restore;
    let ended = tokio::select! {
        ended = run.kill_engines(&mut dockerd) => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    // The daemon is there to the end of this.
    run.finish(ended, options.kill_engine, began).await
}

impl Run<'_> {
    async fn kill_engines(&mut self, dockerd: &mut Dockerd) -> Outcome<()> {
        let child = self.spawn(0)?;
        self.stage.until(child, |child| child.recovered).await?;
        let wire = self.stage.looker.wire.clone();
        for killed in 1..=self.options.kill_engine {
            self.load(child).await?;
            let age = self.dice.between(LATEST, 2 * LATEST);
            self.stage.listen(Instant::now() + age).await?;
            dockerd.kill()?;
            // Else the one that is about to die would be asked.
            self.stage
                .listen(Instant::now() + Duration::from_millis(100))
                .await?;
            serves(&wire)
                .await
                .map_err(|error| format!("{error} again: {}", dockerd.last_words()))?;
            let back = Instant::now();
            // What was acknowledged until now has been heard.
            self.stage.listen(Instant::now()).await?;
            let opened = self.stage.child(child)?.opened;
            self.stage
                .until(child, |child| child.opened > opened)
                .await?;
            self.recoveries.push(back.elapsed());
            self.stage.judge().await?;
            eprintln!("{killed} of {} killed", self.options.kill_engine);
        }
        self.load(child).await?;
        self.last(child, 0).await
    }
}
