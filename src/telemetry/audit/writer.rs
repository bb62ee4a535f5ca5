//! The thread that writes: many records at once, where many wait.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::chain::{Chain, Told};
use super::head::AuditHead;
use super::queue::{Done, Queue, Waiting};
use super::sink::AuditSink;
use super::status::Appended;
use crate::error::{Error, ErrorKind, Result};

/// So many records are taken at once.
const MOST: usize = 256;
/// A write that has so many bytes takes no more records.
const ENOUGH: usize = 128 << 10;

pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) sink: Box<dyn AuditSink>,
    pub(super) head: Option<AuditHead>,
}

/// What goes into one write. Once it is put into words it stays as it is, however often it is tried.
struct Group {
    lines: Vec<u8>,
    told: Vec<(u64, Done)>,
}

impl Writer {
    pub(super) fn start(self) -> Result<()> {
        let thread = std::thread::Builder::new().name("catamaran-audit".to_owned());
        let started = thread.spawn(move || self.write());
        match started {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = "no thread can be made that writes the audit log";
                Err(Error::new(ErrorKind::Host, message).with_source(error))
            }
        }
    }

    fn write(mut self) {
        let mut chain = Chain::after(self.head);
        'all: loop {
            let mut taken = self.queue.take(MOST).into_iter().peekable();
            if taken.peek().is_none() {
                break;
            }
            while taken.peek().is_some() {
                let group = self.group(&mut chain, &mut taken);
                if !self.put(group, &chain) {
                    break 'all;
                }
            }
        }
        // Whoever is told of the end may open the file again.
        drop(self.sink);
        self.queue.end();
    }

    /// Puts the next ones into words.
    fn group(&self, chain: &mut Chain, taken: &mut impl Iterator<Item = Waiting>) -> Group {
        let mut group = Group {
            lines: Vec::new(),
            told: Vec::new(),
        };
        while group.lines.len() < ENOUGH
            && let Some(waiting) = taken.next()
        {
            let told = Told {
                entry: &waiting.entry,
                time: waiting.time,
                lost: waiting.lost,
            };
            match chain.add(&told, &mut group.lines) {
                Ok(seq) => group.told.push((seq, waiting.done)),
                Err(error) => {
                    tracing::error!(%error, "a record can't be written as JSON: it is dropped");
                    self.queue.give_up(waiting);
                }
            }
        }
        group
    }

    /// Writes it, as often as it takes; false where the log is closed before that.
    fn put(&mut self, mut group: Group, chain: &Chain) -> bool {
        while !group.lines.is_empty() {
            self.queue.begin();
            let sink = &mut self.sink;
            let tried = catch_unwind(AssertUnwindSafe(|| sink.append(&group.lines)));
            let text = match tried {
                Ok(Ok(())) => {
                    self.queue.wrote(group.told.len(), chain.head());
                    for (seq, mut done) in group.told {
                        done.tell(Appended::Written { seq });
                    }
                    return true;
                }
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panicked(&*panic),
            };
            self.queue.failed(text);
            for (_, done) in &mut group.told {
                done.tell(Appended::Pending);
            }
            if !self.queue.rest() {
                return false;
            }
        }
        true
    }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the sink panicked: {}", text.unwrap_or("without a word"))
}
