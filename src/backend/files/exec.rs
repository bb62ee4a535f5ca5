//! By a command in the container, with the archive as its input or output: `sh` and `tar` are all that it takes.

use std::pin::pin;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};
use tokio::io::AsyncWriteExt;

use super::{Files, no_file, too_large};
use crate::backend::exec;
use crate::backend::{CallContext, ContainerBackend, ContainerBackendExt};
use crate::deadline::Deadline;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{
    ArchiveStream, ContainerPath, ExecId, ExecSession, Input, LogSource, LogStream, Owner,
    TarArchive,
};
use crate::quote::quote;

/// How much is kept of what a command complains of.
const MAX_COMPLAINT: usize = 4096;

/// What the scripts say by their exit code.
const ABSENT: i64 = 91;
const NO_PROGRAM: i64 = 92;
const NO_FILE: i64 = 93;

/// Unpacks its input; the files belong to whoever runs it.
const PUT: &str = r#"[ -d "$1" ] || exit 91
command -v tar >/dev/null 2>&1 || exit 92
cd "$1" && exec tar -xopf -"#;

/// What comes before the output.
const BEGINS: &[u8] = b"\n";

/// Packs a directory or file, with the names as the engine gives them: under that of what it is. A line break comes
/// before: Docker puts its own words, why no command could be started, where the output would be.
const GET: &str = r#"[ -e "$1" ] || exit 91
command -v tar >/dev/null 2>&1 || exit 92
if [ -d "$1" ]; then
    cd -P "$1" || exit
    name=${PWD##*/}
    if [ -n "$name" ]; then cd .. || exit; fi
    echo
    exec tar -cf - -- "${name:-.}"
fi
cd -P "${1%/*}/" && echo && exec tar -chf - -- "${1##*/}""#;

/// Prints a file, after a line break too. Those of `/proc` have a size that says nothing, so that tar would leave them empty.
const READ: &str = r#"[ -e "$1" ] || exit 91
[ -f "$1" ] || exit 93
command -v cat >/dev/null 2>&1 || exit 92
exec <"$1" || exit
echo
exec cat"#;

/// A command under way.
struct Running {
    backend: Arc<dyn ContainerBackend>,
    exec: ExecId,
    program: &'static str,
    path: ContainerPath,
    complaint: BytesMut,
    deadline: Deadline,
}

impl Running {
    fn complains(&mut self, bytes: &[u8]) {
        let room = MAX_COMPLAINT - self.complaint.len();
        self.complaint
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The next piece of what it prints; `None` where it has ended well.
    async fn next(&mut self, output: &mut LogStream) -> Result<Option<Bytes>> {
        while let Some(chunk) = self.deadline.bound(output.next()).await?.transpose()? {
            if chunk.source != LogSource::Stderr {
                return Ok(Some(chunk.bytes));
            }
            self.complains(&chunk.bytes);
        }
        self.ended().await.map(|()| None)
    }

    /// How it ended, once it has.
    async fn ended(&self) -> Result<()> {
        let asked = self.backend.wait_exec(&self.exec);
        let (program, path) = (self.program, &self.path);
        let failed = |message| Error::new(ErrorKind::Container, message);
        let lacks = |message| {
            failed(message)
                .with_effect(Effect::Rejected)
                .with_advice(format!(
                    "{path} is in memory or on a read-only root, where only programs in the container lead: \
                     take an image that has sh and {program}, or another directory"
                ))
        };
        match self.deadline.bound(asked).await?? {
            0 => Ok(()),
            ABSENT => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "the container's user finds no {path}, or none that is a directory where it must be one"
                ),
            )),
            NO_FILE => Err(no_file()),
            NO_PROGRAM => Err(lacks(format!(
                "{program} isn't in the container's search path"
            ))),
            126 | 127 => Err(lacks(format!(
                "/bin/sh or {program} can't be run in the container"
            ))),
            code => Err(failed(format!(
                "{program} ended with exit code {code}, saying {}",
                quote(String::from_utf8_lossy(&self.complaint).trim())
            ))),
        }
    }
}

impl<B: ContainerBackend + ?Sized> Files<'_, B> {
    async fn run(
        &self,
        script: &str,
        program: &'static str,
        path: &ContainerPath,
        owner: Option<Owner>,
    ) -> Result<(Running, Input, LogStream)> {
        let owner = owner.map(|owner| owner.to_string());
        let options = exec::script(script, path.as_str(), owner);
        let backend = self.backend.with_context(CallContext::new());
        let deadline = backend.context().own_deadline();
        let session = backend.start_exec(self.container, &options).await?;
        let ExecSession {
            id, input, output, ..
        } = session;
        let running = Running {
            backend,
            exec: id,
            program,
            path: path.clone(),
            complaint: BytesMut::new(),
            deadline,
        };
        Ok((running, input, output))
    }

    pub(super) async fn exec_put(
        &self,
        directory: &ContainerPath,
        owner: Option<Owner>,
        archive: TarArchive,
    ) -> Result<()> {
        let (mut running, input, mut output) = self.run(PUT, "tar", directory, owner).await?;
        let deadline = running.deadline;
        let mut sent = None;
        let ended = {
            let mut read = pin!(async {
                while running.next(&mut output).await?.is_some() {}
                Ok(())
            });
            let mut write = pin!(deadline.bound(write(input, archive)));
            // Who has ended reads no more.
            tokio::select! {
                ended = &mut read => ended,
                wrote = &mut write => {
                    sent = Some(wrote);
                    read.await
                }
            }
        };
        // What it says of a failure is better than that it stopped reading.
        ended?;
        match sent {
            Some(Ok(Ok(()))) => Ok(()),
            // Cut between two files, an archive looks whole to tar.
            Some(Ok(Err(error))) => Err(Error::new(
                ErrorKind::Transport,
                "the connection ended before the archive did",
            )
            .with_source(error)),
            Some(Err(timeout)) => Err(timeout),
            None => Err(Error::new(
                ErrorKind::Transport,
                "tar ended before the archive did",
            )),
        }
    }

    pub(super) async fn exec_get(&self, path: &ContainerPath) -> Result<ArchiveStream> {
        let output = self.printed(GET, "tar", path).await?;
        Ok(ArchiveStream::new(None, output))
    }

    pub(super) async fn exec_read(&self, path: &ContainerPath, most: u64) -> Result<Bytes> {
        let mut output = self.printed(READ, "cat", path).await?;
        let mut read = BytesMut::new();
        while let Some(piece) = output.next().await.transpose()? {
            if (read.len() + piece.len()) as u64 > most {
                return Err(too_large(most));
            }
            read.extend_from_slice(&piece);
        }
        Ok(read.freeze())
    }

    /// What a script prints; it fails at once where there is nothing to print.
    async fn printed(
        &self,
        script: &str,
        program: &'static str,
        path: &ContainerPath,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (mut running, mut input, mut output) = self.run(script, program, path, None).await?;
        // There is nothing to read.
        let _ = input.shutdown().await;
        let mut first = None;
        while let Some(mut piece) = running.next(&mut output).await? {
            if piece.starts_with(BEGINS) {
                piece.advance(BEGINS.len());
                first = Some(piece);
                break;
            }
            running.complains(&piece);
        }
        let Some(first) = first else {
            let message = format!("{program} ended well without having begun");
            return Err(Error::new(ErrorKind::Decode, message));
        };
        let ends = (running, output);
        let rest = futures::stream::try_unfold(ends, |(mut running, mut output)| async move {
            let piece = running.next(&mut output).await?;
            Ok(piece.map(|piece| (piece, (running, output))))
        });
        let first = futures::stream::iter((!first.is_empty()).then_some(Ok(first)));
        Ok(first.chain(rest).boxed())
    }
}

async fn write(mut input: Input, archive: TarArchive) -> std::io::Result<()> {
    let mut pieces: BoxStream<'_, std::io::Result<Bytes>> = match archive {
        TarArchive::Bytes(bytes) => futures::stream::iter([Ok(bytes)]).boxed(),
        TarArchive::Stream(pieces) => pieces,
    };
    while let Some(piece) = pieces.next().await {
        input.write_all(&piece?).await?;
    }
    input.flush().await?;
    // Who has read the end of the archive may be gone already.
    let _ = input.shutdown().await;
    Ok(())
}
