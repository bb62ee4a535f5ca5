//! Whether a container listens at a port.
//!
//! A connection to a published port proves nothing: Docker's own proxy accepts it before anybody listens behind it. What is
//! true wherever the engine is, and whatever network the container has, is what its kernel tells inside; but that is a
//! command each time. So a connection to the container's own address, where the engine is on this host, says when it is
//! worth a look inside, which is made now and then all the same: the address may be that of another container, as where a
//! rootless engine is beside another. Where nobody can look inside, that connection must do; or one to the published port, if
//! it isn't closed at once, as the proxy does with one that it can't pass on.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::NotReady;
use super::board::Place;
use super::inside::{Listener, Look, look};
use super::pauses::Pauses;
use super::probe::{Context, Found};
use super::routes::{Address, own, published, wrong};

/// From one look inside to the next, while a connection is refused.
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// How soon a proxy closes what it can't pass on.
const CLOSED_SOON: Duration = Duration::from_millis(250);

/// The ways to find out; those that can't work are left out once that is known.
struct Ways<'a> {
    context: Context<'a>,
    port: u16,
    own: Vec<Address>,
    published: Vec<Address>,
    /// When the next look inside is due; None where there is nothing to look with.
    inside: Option<Instant>,
    /// What the last one has found: it says more than a refused connection.
    seen: Option<String>,
    /// Whether its loopback is all that it has, or isn't its own.
    loopback_counts: bool,
}

/// Waits until it listens.
pub(super) async fn listens(context: Context<'_>, port: u16, place: Place<'_>) -> Found {
    let mut networks = context.details.networks.values();
    let mut ways = Ways {
        port,
        own: own(&context, port),
        published: published(&context, port),
        inside: Some(Instant::now()),
        seen: None,
        loopback_counts: networks.all(|network| network.ip_address.is_none()),
        context,
    };
    let mut pauses = Pauses::default();
    loop {
        match ways.try_all().await? {
            Ok(()) => {
                place.done();
                return Ok(());
            }
            Err(found) => place.found(found),
        }
        match ways.inside.is_some() && ways.own.is_empty() {
            true => pauses.slow().await,
            false => pauses.quick().await,
        }
    }
}

impl Ways<'_> {
    async fn try_all(&mut self) -> Result<std::result::Result<(), String>, NotReady> {
        let connected = self.connect().await;
        let mut blind = None;
        if let Some(due) = self.inside {
            let worth = connected.as_ref().is_none_or(std::result::Result::is_ok);
            if !worth && Instant::now() < due {
                let refused = connected.and_then(std::result::Result::err);
                return Ok(Err(self.seen.clone().or(refused).unwrap_or_default()));
            }
            self.inside = Some(Instant::now() + NOW_AND_THEN);
            let seen = match look(&self.context, self.port).await? {
                Look::Seen(Listener::All) => return Ok(Ok(())),
                Look::Seen(Listener::Loopback) if self.loopback_counts => return Ok(Ok(())),
                Look::Seen(Listener::Loopback) => "it listens on its own loopback alone".to_owned(),
                Look::Seen(Listener::Nobody) => "nobody listens".to_owned(),
                Look::Failed(found) => found,
                Look::Blind(found) => {
                    // What is the only way is tried again: it may have failed for want of room.
                    if !self.own.is_empty() || !self.published.is_empty() {
                        self.inside = None;
                    }
                    blind = Some(found);
                    self.seen = None;
                    String::new()
                }
            };
            if blind.is_none() {
                self.seen = Some(seen.clone());
                return Ok(Err(seen));
            }
        }
        if let Some(Ok(())) = connected {
            return Ok(Ok(()));
        }
        let mut found = connected.and_then(std::result::Result::err).or(blind);
        for address in &self.published {
            match passed_on(address).await {
                Ok(()) => return Ok(Ok(())),
                Err(wrong) => found = Some(wrong),
            }
        }
        Ok(Err(
            found.unwrap_or_else(|| "there is no way to it".to_owned())
        ))
    }

    /// Tries its own addresses; None where there is none. One that isn't on the way from here is left out.
    async fn connect(&mut self) -> Option<std::result::Result<(), String>> {
        let mut found = None;
        let mut unreachable = Vec::new();
        for address in &self.own {
            match address.connect().await {
                Ok(_) => return Some(Ok(())),
                Err(error) => {
                    if error.kind() != std::io::ErrorKind::ConnectionRefused {
                        unreachable.push(address.clone());
                    }
                    found = Some(Err(wrong(&error)));
                }
            }
        }
        if self.inside.is_some() || !self.published.is_empty() {
            self.own.retain(|address| !unreachable.contains(address));
        }
        match self.own.is_empty() {
            true => None,
            false => found,
        }
    }
}

/// Whether a connection is held open, or something is said on it.
async fn passed_on(address: &Address) -> std::result::Result<(), String> {
    let mut stream = address.connect().await.map_err(|error| wrong(&error))?;
    let read = tokio::time::timeout(CLOSED_SOON, stream.read_u8()).await;
    match read {
        Ok(Err(_)) => Err("the connection is closed at once".to_owned()),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let address = Address {
            host: address.ip().to_string(),
            port: address.port(),
        };
        (listener, address)
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_at_once_does_not_count() {
        let (listener, address) = listener().await;
        let (found, _) = tokio::join!(passed_on(&address), async {
            drop(listener.accept().await.expect("a connection"));
        });
        assert_eq!(found, Err("the connection is closed at once".to_owned()));
        drop(listener);
        assert_eq!(
            passed_on(&address).await,
            Err("connection refused".to_owned())
        );
    }

    #[tokio::test]
    async fn one_that_stays_open_counts() {
        let (listener, address) = listener().await;
        let began = Instant::now();
        let (found, held) = tokio::join!(passed_on(&address), listener.accept());
        assert_eq!(found, Ok(()));
        assert!(began.elapsed() >= CLOSED_SOON);
        drop(held);
    }
}
