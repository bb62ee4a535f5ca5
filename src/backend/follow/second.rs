//! Where a log's records have whole seconds alone, as Podman gives them: its last lines, and where they end.
//!
//! Of the records of one second the tail has had the last alone, and more may follow. How many there are is known only
//! from all of them.

use std::collections::VecDeque;
use std::time::SystemTime;

use futures::StreamExt;

use super::Follower;
use super::records::{Piece, Records};
use crate::error::Result;
use crate::model::LogChunk;

/// The last records of those that come.
struct Last {
    lines: u64,
    begun: u64,
    kept: VecDeque<(u64, LogChunk)>,
}

impl Last {
    fn add(&mut self, begins: bool, chunk: Option<LogChunk>) {
        self.begun += u64::from(begins);
        self.kept.extend(chunk.map(|chunk| (self.begun, chunk)));
        let first = self.begun.saturating_sub(self.lines);
        while self
            .kept
            .front()
            .is_some_and(|(record, _)| *record <= first)
        {
            self.kept.pop_front();
        }
    }
}

impl Follower {
    /// Gives the last lines of what was written from that second on, to go on after them.
    pub(super) async fn begin_in(&mut self, second: SystemTime, lines: u64) -> Result<()> {
        self.held.clear();
        self.position.begin_at(second);
        let mut log = self.ask_for(None, false).await?;
        let mut records = Records::default();
        let mut last = Last {
            lines,
            begun: 0,
            kept: VecDeque::new(),
        };
        let mut take = |follower: &mut Self, piece: &Piece| -> Result<()> {
            last.add(piece.begins(), follower.unread(piece)?);
            Ok(())
        };
        while let Some(chunk) = log.next().await.transpose()? {
            for piece in records.take(chunk)? {
                take(self, &piece)?;
            }
        }
        if let Some(piece) = records.finish()? {
            take(self, &piece)?;
        }
        self.ready
            .extend(last.kept.into_iter().map(|(_, chunk)| chunk));
        Ok(())
    }
}
