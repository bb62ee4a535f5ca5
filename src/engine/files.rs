//! Archives in and out: as long as they take, within the caller's own time.

use std::time::Duration;

use super::Engine;
use super::carrier::Carrier;
use super::wire;
use crate::error::Result;
use crate::model::{
    ArchiveStream, ContainerPath, ContainerRef, PathStat, PutArchiveOptions, TarArchive,
};
use crate::operation::Operation;
use crate::policy::Traffic;

impl<C: Carrier> Engine<C> {
    pub(super) async fn write_archive(
        &self,
        container: &ContainerRef,
        directory: &ContainerPath,
        options: &PutArchiveOptions,
        archive: TarArchive,
    ) -> Result<()> {
        let call = wire::put_archive(container, directory, options, archive);
        let envelope = self.open_ended().await?;
        let sent = self.ask_as(Traffic::Stream, call, envelope).await;
        sent.map(drop)
    }

    pub(super) async fn read_archive(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
    ) -> Result<ArchiveStream> {
        let own = self.context.own_deadline();
        let (opened, _) = self.open_stream(wire::get_archive(container, path)).await?;
        let stat = wire::path_stat(&opened.head).ok();
        let pieces = own.until(opened.body);
        let pieces = self.named(pieces, Operation::GetArchive, container.clone());
        Ok(ArchiveStream::new(stat, pieces))
    }

    pub(super) async fn look_at(
        &self,
        container: &ContainerRef,
        path: &ContainerPath,
    ) -> Result<PathStat> {
        let envelope = self.envelope(self.deadline(Duration::ZERO)).await?;
        match self.ask(wire::stat_path(container, path), envelope).await {
            Ok(answer) => wire::path_stat(&answer.head),
            // The answer to a HEAD has no body to say it.
            Err(error) if error.status() == Some(404) => {
                Err(error.with_message("there is no such container, or no such path in it"))
            }
            Err(error) => Err(error),
        }
    }
}
