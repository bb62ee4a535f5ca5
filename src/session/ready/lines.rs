//! What a container writes.

use futures::StreamExt;

use super::board::Place;
use super::pauses::Pauses;
use super::probe::{Context, Found, passing};
use crate::backend::ContainerBackendExt;
use crate::model::{ContainerDetails, LogSource, LogsOptions};

/// Waits until a line of it holds this text.
pub(super) async fn written(context: Context<'_>, text: &str, place: Place<'_>) -> Found {
    let options = this_run(context.details);
    let mut pauses = Pauses::default();
    loop {
        match context
            .backend
            .follow_logs(context.container, &options)
            .await
        {
            Ok(mut log) => {
                place.found("not written yet");
                let (mut output, mut errors) = (Search::new(text), Search::new(text));
                loop {
                    let chunk = match log.next().await {
                        Some(Ok(chunk)) => chunk,
                        Some(Err(error)) => break place.found(passing(error)?),
                        None => break place.found("not written; the log has ended"),
                    };
                    let search = match chunk.source {
                        LogSource::Stderr => &mut errors,
                        LogSource::Stdout | LogSource::Console => &mut output,
                    };
                    if search.finds(&chunk.bytes) {
                        place.done();
                        return Ok(());
                    }
                }
            }
            Err(error) => place.found(passing(error)?),
        }
        pauses.quick().await;
    }
}

/// The log since its last run, which may have written the same. An engine notes a start only when the program runs already,
/// so what counts is when it had ended before.
fn this_run(details: &ContainerDetails) -> LogsOptions {
    LogsOptions::default().with_since(details.state.finished_at)
}

/// Looks for a text that comes in pieces. It has no line break, so that it is within a line wherever it is found; of what
/// came before, what could be its beginning is kept, and no more, however long a line gets.
struct Search<'a> {
    text: &'a [u8],
    kept: Vec<u8>,
}

impl<'a> Search<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            kept: Vec::new(),
        }
    }

    fn finds(&mut self, piece: &[u8]) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let holds = |bytes: &[u8]| {
            bytes
                .windows(self.text.len())
                .any(|window| window == self.text)
        };
        let most = self.text.len() - 1;
        // Over the seam, then within the piece.
        self.kept.extend(piece.iter().take(most));
        if holds(&self.kept) || holds(piece) {
            return true;
        }
        if piece.len() > most {
            self.kept.clear();
            self.kept.extend(piece.iter().skip(piece.len() - most));
        } else {
            self.kept.drain(..self.kept.len().saturating_sub(most));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(text: &str, pieces: &[&str]) -> bool {
        let mut search = Search::new(text);
        pieces.iter().any(|piece| {
            let found = search.finds(piece.as_bytes());
            assert!(search.kept.len() < 2 * text.len(), "bounded");
            found
        })
    }

    #[test]
    fn finds_a_text_over_any_seams() {
        let whole = "a line\nnow rearready\n";
        for text in ["rearready", "ready", "a", "now r", "y"] {
            for size in 1..whole.len() {
                let pieces: Vec<_> = whole.as_bytes().chunks(size).collect();
                let pieces: Vec<_> = pieces
                    .iter()
                    .map(|piece| std::str::from_utf8(piece).expect("ASCII"))
                    .collect();
                assert!(finds(text, &pieces), "{text} by {size}");
                assert!(!finds("reaready", &pieces), "by {size}");
            }
        }
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let long = "x".repeat(1 << 20);
        assert!(!finds("xy", &[&long, &long, &long]));
        assert!(finds("xy", &[&long, &long, "y"]));
    }
}
