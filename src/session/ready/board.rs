//! What was found last, for the reason at the deadline.

use std::sync::Mutex;

use crate::lock::lock;

/// What each of the things that are waited for was last found to be.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Vec<Line>>);

#[derive(Debug)]
struct Line {
    what: String,
    /// None where it is as it should be.
    found: Option<String>,
}

/// The place of one of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    board: &'a Board,
    at: usize,
}

impl Board {
    pub(super) fn place(&self, what: impl Into<String>) -> Place<'_> {
        let mut lines = lock(&self.0);
        lines.push(Line {
            what: what.into(),
            found: Some("not looked at yet".to_owned()),
        });
        Place {
            board: self,
            at: lines.len() - 1,
        }
    }

    /// What isn't as it should be.
    pub(super) fn found(&self) -> Option<String> {
        let lines = lock(&self.0);
        let open = lines
            .iter()
            .filter_map(|Line { what, found }| Some(format!("{what}: {}", found.as_ref()?)));
        let open: Vec<_> = open.collect();
        (!open.is_empty()).then(|| open.join("; "))
    }
}

impl Place<'_> {
    fn set(self, found: Option<String>) {
        if let Some(line) = lock(&self.board.0).get_mut(self.at) {
            line.found = found;
        }
    }

    pub(super) fn found(self, found: impl Into<String>) {
        self.set(Some(found.into()));
    }

    pub(super) fn done(self) {
        self.set(None);
    }
}
