//! Where a container's port is reached from here.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::probe::Context;
use crate::model::Protocol;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);

/// A host by name or address, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// As it stands in a URL.
    pub(super) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let connected = TcpStream::connect((self.host.as_str(), self.port));
        match tokio::time::timeout(CONNECT, connected).await {
            Ok(connected) => connected,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// What is wrong with a connection, without the system's numbers.
pub(super) fn wrong(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::TimedOut => "no connection in time".to_owned(),
        _ => error.to_string(),
    }
}

/// Where the engine's host has published it.
pub(super) fn published(context: &Context<'_>, port: u16) -> Vec<Address> {
    let ports = context.details.ports.iter();
    let ports = ports.filter(|published| {
        published.container_port == port && published.protocol == Protocol::Tcp
    });
    let mut addresses = Vec::new();
    for published in ports {
        // Its loopback is another one than ours, where it isn't here.
        let is_own = |ip: &IpAddr| ip.is_unspecified() || ip.is_loopback();
        let host = match published.host_ip {
            Some(ip) if !is_own(&ip) => ip.to_string(),
            Some(ip) if ip.is_loopback() && context.reach.is_here() => ip.to_string(),
            _ => {
                let host = &context.reach.engine_host;
                host.trim_start_matches('[')
                    .trim_end_matches(']')
                    .to_owned()
            }
        };
        let address = Address {
            host,
            port: published.host_port,
        };
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// At its own addresses, which are other containers' or nobody's on another host than the engine's.
pub(super) fn own(context: &Context<'_>, port: u16) -> Vec<Address> {
    if !context.reach.is_here() {
        return Vec::new();
    }
    let networks = context.details.networks.values();
    let addresses = networks.filter_map(|network| network.ip_address);
    let addresses = addresses.map(|ip| Address {
        host: ip.to_string(),
        port,
    });
    addresses.collect()
}
