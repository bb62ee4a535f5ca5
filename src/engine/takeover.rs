//! Connections that the engine hands over: a program's input and output.

use std::io::ErrorKind as Io;

use bytes::Bytes;
use futures::future;
use futures::stream::{BoxStream, Stream, StreamExt};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use super::Engine;
use super::carrier::{Carrier, Duplex, Envelope, Handover, broken};
use super::wire::Call;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::Input;

/// How much is read at once; Docker copies output in pieces of 32 KiB.
const PIECE: usize = 32 << 10;

/// What leads to a program, and what comes from it.
pub(super) type Ends = (Input, BoxStream<'static, Result<Bytes>>);

impl<C: Carrier> Engine<C> {
    /// Sends a call that takes its connection over.
    pub(super) async fn take_over(&self, call: Call, envelope: Envelope) -> Result<Ends> {
        match self.shared.carrier.take_over(call, envelope).await? {
            Handover::Taken(duplex) => Ok(ends(duplex)),
            Handover::Answered(answer) if answer.head.is_success() => Err(Error::new(
                ErrorKind::Decode,
                format!(
                    "the engine answered {} and didn't hand its connection over",
                    answer.head.status
                ),
            )
            .with_effect(Effect::Unknown)
            .with_advice("see whether a proxy on the way to it drops the header Upgrade")),
            Handover::Answered(refusal) => Err(super::refused(refusal, envelope).await),
        }
    }
}

fn ends(duplex: Box<dyn Duplex>) -> Ends {
    let (output, input) = tokio::io::split(duplex);
    (Input::new(input), pieces(output).boxed())
}

/// A program may end before it has read all that was written to it. Then the engine closes a connection on which
/// something is unread, and the system tells its end as a reset, after all output.
fn pieces(output: impl AsyncRead) -> impl Stream<Item = Result<Bytes>> {
    ReaderStream::with_capacity(output, PIECE).filter_map(|piece| {
        future::ready(match piece {
            Ok(piece) => Some(Ok(piece)),
            Err(error) if error.kind() == Io::ConnectionReset => None,
            Err(error) => Some(Err(broken(error))),
        })
    })
}
