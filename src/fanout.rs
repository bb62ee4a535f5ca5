//! What is told to all who have subscribed, in order; nobody is waited for.

use std::sync::Mutex;

use futures::stream::{BoxStream, StreamExt, unfold};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Sender};

use crate::lock::lock;

/// The way to all who have subscribed, until its end.
#[derive(Debug)]
pub(crate) struct Fanout<T>(Mutex<Option<Sender<T>>>);

impl<T: Clone + Send + 'static> Fanout<T> {
    /// So many are kept for who is slow, at least 1.
    pub(crate) fn new(capacity: usize) -> Self {
        // More than this the channel refuses, and no memory would hold.
        Self(Mutex::new(Some(Sender::new(capacity.clamp(1, 1 << 24)))))
    }

    pub(crate) fn tell(&self, notice: T) {
        if let Some(sender) = &*lock(&self.0) {
            // It fails where nobody listens.
            let _ = sender.send(notice);
        }
    }

    /// What is told from here on; `gap` stands where so many were lost to this subscriber.
    pub(crate) fn subscribe(&self, gap: fn(u64) -> T) -> BoxStream<'static, T> {
        match &*lock(&self.0) {
            Some(sender) => told(sender.subscribe(), gap),
            None => futures::stream::empty().boxed(),
        }
    }

    /// Nothing is told any more.
    pub(crate) fn end(&self) {
        *lock(&self.0) = None;
    }
}

fn told<T: Clone + Send + 'static>(
    receiver: broadcast::Receiver<T>,
    gap: fn(u64) -> T,
) -> BoxStream<'static, T> {
    let notices = unfold(receiver, move |mut receiver| async move {
        let notice = match receiver.recv().await {
            Ok(notice) => notice,
            Err(RecvError::Lagged(missed)) => gap(missed),
            Err(RecvError::Closed) => return None,
        };
        Some((notice, receiver))
    });
    // It may be asked again after its end.
    notices.fuse().boxed()
}
