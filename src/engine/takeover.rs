//! Connections that the engine hands over: a program's input and output.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::OptionFuture;
use futures::stream::{BoxStream, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use super::Engine;
use super::carrier::{Carrier, Duplex, Envelope, Handover, broken};
use super::exec::{LOOKS, SETTLES};
use super::wire::{Call, Streams};
use crate::backend::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{ContainerRef, ContainerState, ExecId, Input};
use crate::policy::Traffic;

/// How much is read at once; Docker copies output in pieces of 32 KiB.
const PIECE: usize = 32 << 10;

/// What leads to a program, and what comes from it.
pub(super) type Ends = (Input, BoxStream<'static, Result<Bytes>>);

/// What a shutdown of a program's input does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// The program reads to the end.
    EndsInput,
    /// Nothing beyond this side. The engine would take it for the end of the whole session, output included:
    /// so it does with a terminal, and with an input that outlives its attachments.
    IsKept,
}

impl Shutdown {
    pub(super) fn of(streams: &Streams) -> Self {
        if streams.stdin_once && !streams.tty {
            Self::EndsInput
        } else {
            Self::IsKept
        }
    }
}

/// What is at the other end.
pub(super) enum Program {
    OfContainer(ContainerRef),
    OfExec(ExecId),
}

impl<C: Carrier> Engine<C> {
    /// Sends a call that takes its connection over.
    pub(super) async fn take_over(
        &self,
        call: Call,
        program: Program,
        shutdown: Shutdown,
        envelope: Envelope,
    ) -> Result<Ends> {
        let (permit, envelope) = self.turn(Traffic::Stream, envelope).await?;
        match self.shared.carrier.take_over(call, envelope).await? {
            Handover::Taken(duplex) => {
                let engine = self.unlimited();
                let has_ended = async move { engine.has_ended(&program).await };
                let (input, output) = ends(duplex, shutdown, has_ended);
                Ok((input, super::holding(permit, output)))
            }
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

    /// Whether a program is seen to have ended, now or in a moment.
    async fn has_ended(&self, program: &Program) -> bool {
        let look = async || match program {
            Program::OfContainer(container) => {
                let state = self.inspect(container).await?.state;
                Ok(!state.is_running() && state.status != ContainerState::Created)
            }
            Program::OfExec(exec) => Ok::<_, Error>(!self.inspect_exec(exec).await?.running),
        };
        let (mut first, mut failed) = (None, 0);
        loop {
            match look().await {
                Ok(true) => return true,
                Ok(false) => {
                    if first.get_or_insert_with(Instant::now).elapsed() > SETTLES {
                        return false;
                    }
                }
                // It may have been removed with its container.
                Err(error) if error.kind() == ErrorKind::NotFound => return true,
                Err(_) if failed < LOOKS => failed += 1,
                Err(_) => return false,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn ends(
    duplex: Box<dyn Duplex>,
    shutdown: Shutdown,
    has_ended: impl Future<Output = bool> + Send + 'static,
) -> Ends {
    let (output, writer) = tokio::io::split(duplex);
    let input = match shutdown {
        Shutdown::EndsInput => Input::new(writer),
        Shutdown::IsKept => Input::new(Unended(writer)),
    };
    (input, pieces(output, has_ended).boxed())
}

/// A writer whose shutdown isn't passed on.
struct Unended<W>(W);

impl<W: AsyncWrite + Unpin> AsyncWrite for Unended<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// A connection, with what it needs to live.
pub(super) struct Kept<S, T> {
    stream: S,
    _needed: T,
}

impl<S, T> Kept<S, T> {
    pub(super) fn new(stream: S, needed: T) -> Self {
        Self {
            stream,
            _needed: needed,
        }
    }
}

impl<S: AsyncRead + Unpin, T: Unpin> AsyncRead for Kept<S, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin, T: Unpin> AsyncWrite for Kept<S, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A program may end before it has read all that was written to it. Then the engine closes a connection on which
/// something is unread, and the system tells its end as a reset, after all output. Where the program hasn't ended, the
/// reset is another's, and what came after it is lost.
fn pieces(
    output: impl AsyncRead,
    has_ended: impl Future<Output = bool>,
) -> impl Stream<Item = Result<Bytes>> {
    let mut has_ended = Some(has_ended);
    ReaderStream::with_capacity(output, PIECE).filter_map(move |piece| {
        let is_reset =
            matches!(&piece, Err(error) if error.kind() == io::ErrorKind::ConnectionReset);
        let has_ended = is_reset.then(|| has_ended.take()).flatten();
        async move {
            let ended = OptionFuture::from(has_ended).await == Some(true);
            match piece {
                Ok(piece) => Some(Ok(piece)),
                Err(_) if ended => None,
                Err(error) => Some(Err(broken(error))),
            }
        }
    })
}
