//! Connections between worlds.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::super::errno::{Errno, Result};
use super::super::io::Open;
use super::{World, lock};

/// One end of a connection between machines.
pub(in super::super) struct Connection {
    pub(in super::super) read: Arc<Open>,
    pub(in super::super) write: Arc<Open>,
}

impl World {
    /// Listens at a port until the receiver goes.
    pub(in super::super) fn listen(&self, port: u16) -> Result<mpsc::Receiver<Connection>> {
        let mut ports = lock(&self.ports);
        if ports
            .get(&port)
            .is_some_and(|listener| !listener.is_closed())
        {
            return Err(Errno::Busy);
        }
        let (sender, receiver) = mpsc::channel(1);
        ports.insert(port, sender);
        Ok(receiver)
    }

    pub(in super::super) fn connect(&self, port: u16) -> Option<Connection> {
        let listener = lock(&self.ports).get(&port).cloned()?;
        let (their_read, write) = Open::pipe();
        let (read, their_write) = Open::pipe();
        let theirs = Connection {
            read: their_read,
            write: their_write,
        };
        listener.try_send(theirs).ok()?;
        Some(Connection { read, write })
    }
}
