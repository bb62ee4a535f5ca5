//! A session for a user: made when it is asked for, and from the warm pool.

use std::sync::Arc;
use std::time::Duration;

use catamaran::HybridBackend;
use catamaran::model::{ExecOptions, ImageRef};
use catamaran::session::{PoolOptions, Session, SessionKey, SessionManager, SessionSpec, Shutdown};

use crate::Outcome;
use crate::show::{line, millis, section};

const LONG_ENOUGH: Duration = Duration::from_secs(60);

pub async fn sessions(backend: &HybridBackend, image: &ImageRef) -> Outcome<()> {
    section("A session for each user");
    let name = format!("quickstart-{}", std::process::id());
    let manager = SessionManager::builder(name)?
        .start(Arc::new(backend.clone()))
        .await?;
    let ended = show(&manager, image).await;
    // Whatever went wrong: no session stays.
    manager.shutdown(Shutdown::CloseAll, LONG_ENOUGH).await?;
    ended
}

async fn show(manager: &SessionManager, image: &ImageRef) -> Outcome<()> {
    let spec = SessionSpec::new(image.clone()).with_command(["sleep", "600"]);
    let cold = manager
        .open(&SessionKey::new("alice", "demo")?, &spec)
        .await?;
    tell("alice", &cold).await?;
    manager.set_pools([(spec.clone(), PoolOptions::new(2, 2))])?;
    tokio::time::timeout(LONG_ENOUGH, manager.warm()).await?;
    line("warm pool", "2 containers are ready before anybody asks");
    let warm = manager
        .open(&SessionKey::new("bob", "demo")?, &spec)
        .await?;
    tell("bob", &warm).await?;
    let again = manager
        .open(&SessionKey::new("alice", "demo")?, &spec)
        .await?;
    tell("alice again", &again).await?;
    let faster =
        cold.opening().timings.total.as_secs_f64() / warm.opening().timings.total.as_secs_f64();
    line(
        "warm",
        format_args!("{faster:.0} times as fast as cold, once each"),
    );
    Ok(())
}

async fn tell(whose: &str, session: &Session) -> Outcome<()> {
    let ran = session.exec(&ExecOptions::new(["hostname"])).await?;
    let opening = session.opening();
    line(
        whose,
        format_args!(
            "{} in {}, on {}",
            opening.origin.as_str(),
            millis(opening.timings.total),
            String::from_utf8_lossy(&ran.stdout).trim()
        ),
    );
    Ok(())
}
