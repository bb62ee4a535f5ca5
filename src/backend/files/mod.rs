//! Files into a container and out of it, by whichever way leads there, checked on the way.

mod bridge;
mod exec;
mod extract;
mod host;
mod meter;
mod pack;
mod repack;
mod route;
mod sieve;

use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::ContainerBackend;
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{
    ArchiveLimits, ArchiveStream, ContainerPath, ContainerRef, CopyOptions, CopyReport,
    DownloadOptions, FileKind, Owner, PutArchiveOptions, SpecialFiles, TarArchive, UploadOptions,
    WriteFileOptions,
};
use crate::operation::Operation;
use bridge::{aside, carried, consume, on_a_thread, relay};
use repack::{Packer, repack, repack_bytes};
use route::{Access, Place, Way};
use sieve::{Item, Kind, Origin, Rules, Sink, sift};

/// One call's backend and container.
pub(super) struct Files<'a, B: ?Sized> {
    backend: &'a B,
    container: &'a ContainerRef,
}

impl<'a, B: ContainerBackend + ?Sized> Files<'a, B> {
    pub(super) fn new(backend: &'a B, container: &'a ContainerRef) -> Self {
        Self { backend, container }
    }

    /// Names in an error what was done to whom, where it isn't named yet.
    fn name<T>(&self, result: Result<T>, operation: Operation) -> Result<T> {
        result.map_err(|error| {
            error
                .with_operation(operation)
                .with_subject(self.container.to_string())
        })
    }

    pub(super) async fn upload(
        &self,
        directory: &ContainerPath,
        archive: TarArchive,
        options: &UploadOptions,
    ) -> Result<()> {
        let uploaded = self.send_archive(directory, archive, options).await;
        self.name(uploaded, Operation::PutArchive)
    }

    async fn send_archive(
        &self,
        directory: &ContainerPath,
        archive: TarArchive,
        options: &UploadOptions,
    ) -> Result<()> {
        let rules = Rules {
            origin: Origin::Caller,
            limits: options.limits,
            special: options.special,
        };
        match archive {
            TarArchive::Bytes(bytes) => {
                // What can't be right is refused before anybody is asked where it would go.
                let (unchecked, held) = (bytes.clone(), rules.clone());
                let check = move || {
                    let archive = Cursor::new(&unchecked);
                    repack(archive, std::io::sink(), Owner::ROOT, &held).map(drop)
                };
                let checked = aside(check).await;
                checked.map_err(|error| error.with_effect(Effect::NotSent))?;
                let place = self.find(directory, Access::Write).await?;
                let owner = options.owner.unwrap_or(place.owner);
                let packed = aside(move || repack_bytes(&bytes, owner, &rules)).await?;
                self.put(&place, options.owner, packed.into()).await
            }
            TarArchive::Stream(pieces) => {
                let place = self.find(directory, Access::Write).await?;
                let owner = options.owner.unwrap_or(place.owner);
                let pieces = pieces.map(|piece| {
                    piece.map_err(|error| {
                        carried(error, |error| {
                            let message = "the archive's own stream broke";
                            Error::new(ErrorKind::Transport, message).with_source(error)
                        })
                    })
                });
                relay(
                    move |outlet, archive| repack(archive, outlet, owner, &rules),
                    |work| consume(pieces, work),
                    |archive| self.put(&place, options.owner, archive),
                )
                .await
                .map(drop)
            }
        }
    }

    pub(super) async fn copy_in(
        &self,
        from: &Path,
        directory: &ContainerPath,
        options: &CopyOptions,
    ) -> Result<CopyReport> {
        let copied = async {
            let (from, options) = (from.to_owned(), options.clone());
            let there = from.clone();
            let look = move || {
                let seen = std::fs::metadata(&there);
                seen.map_err(|error| host::failed(&there, error))
            };
            let seen = aside(look).await;
            seen.map_err(|error| error.with_effect(Effect::NotSent))?;
            let place = self.find(directory, Access::Write).await?;
            let owner = options.owner.unwrap_or(place.owner);
            let asked = options.owner;
            relay(
                move |outlet, ()| pack::pack(&from, outlet, owner, &options),
                |work| on_a_thread(move || work(())),
                |archive| self.put(&place, asked, archive),
            )
            .await
        };
        self.name(copied.await, Operation::PutArchive)
    }

    pub(super) async fn write_file(
        &self,
        path: &ContainerPath,
        contents: Bytes,
        options: &WriteFileOptions,
    ) -> Result<()> {
        let written = async {
            options.validate()?;
            let Some((directory, name)) = path.split() else {
                return Err(Error::invalid("path", "the root is no file"));
            };
            let place = self.find(&directory, Access::Write).await?;
            let owner = options.owner.unwrap_or(place.owner);
            let room = Vec::with_capacity(contents.len() + 4096);
            let mut packer = Packer::new(room, owner);
            let item = Item {
                path: name.into(),
                kind: Kind::File {
                    size: contents.len() as u64,
                },
                mode: options.mode,
                modified: now(),
            };
            packer.add(&item, &mut Cursor::new(&contents))?;
            let packed = Bytes::from(packer.finish()?);
            self.put(&place, options.owner, packed.into()).await
        };
        self.name(written.await, Operation::PutArchive)
    }

    pub(super) async fn download(
        &self,
        path: &ContainerPath,
        options: &DownloadOptions,
    ) -> Result<ArchiveStream> {
        let opened = async {
            let place = self.find(path, Access::Read).await?;
            self.get(&place).await
        };
        let archive = self.name(opened.await, Operation::GetArchive)?;
        let stat = archive.stat().cloned();
        let (most, container) = (options.max_bytes, self.container.to_string());
        let pieces =
            futures::stream::try_unfold((archive, most), move |(mut archive, left)| async move {
                let Some(piece) = archive.try_next().await? else {
                    return Ok(None);
                };
                let left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
                    let message = format!("the archive has more than {most} bytes");
                    Error::new(ErrorKind::TooLarge, message)
                })?;
                Ok(Some((piece, (archive, left))))
            });
        let pieces = pieces.map_err(move |error: Error| {
            error
                .with_operation(Operation::GetArchive)
                .with_subject(container.clone())
        });
        Ok(ArchiveStream::new(stat, pieces))
    }

    pub(super) async fn copy_out(
        &self,
        path: &ContainerPath,
        into: &Path,
        options: &CopyOptions,
    ) -> Result<CopyReport> {
        let copied = async {
            let place = self.find(path, Access::Read).await?;
            let archive = self.get(&place).await?;
            let name = path.split().map(|(_, name)| name).unwrap_or_default();
            let (into, links) = (into.to_owned(), options.outward_links);
            let rules = Rules {
                origin: Origin::Container {
                    root: is_root(&place),
                },
                limits: options.limits,
                special: options.special,
            };
            let work =
                move |archive| extract::extract(archive, &into, name.as_ref(), &rules, links);
            consume(archive, work).await
        };
        self.name(copied.await, Operation::GetArchive)
    }

    pub(super) async fn read_file(&self, path: &ContainerPath, most: u64) -> Result<Bytes> {
        let read = async {
            let place = self.find(path, Access::Read).await?;
            match place.way {
                Way::Archive => {
                    let archive = self
                        .backend
                        .get_archive(self.container, &place.path)
                        .await?;
                    only_file(archive, most).await
                }
                Way::Exec => self.exec_read(&place.path, most).await,
            }
        };
        self.name(read.await, Operation::GetArchive)
    }

    async fn find(&self, path: &ContainerPath, access: Access) -> Result<Place> {
        route::find(self.backend, self.container, path, access).await
    }

    async fn put(&self, place: &Place, owner: Option<Owner>, archive: TarArchive) -> Result<()> {
        match place.way {
            Way::Archive => {
                let options = PutArchiveOptions::default();
                let put = self
                    .backend
                    .put_archive(self.container, &place.path, &options, archive);
                put.await
            }
            Way::Exec => self.exec_put(&place.path, owner, archive).await,
        }
    }

    async fn get(&self, place: &Place) -> Result<ArchiveStream> {
        match place.way {
            Way::Archive => {
                // Docker writes the root's own archive with absolute names, and that of `/.` with relative ones.
                let relative = is_root(place)
                    .then(|| ContainerPath::new("/."))
                    .transpose()?;
                let path = relative.as_ref().unwrap_or(&place.path);
                self.backend.get_archive(self.container, path).await
            }
            Way::Exec => self.exec_get(&place.path).await,
        }
    }
}

fn is_root(place: &Place) -> bool {
    place.path.as_str() == "/"
}

/// The one file that an archive is of.
async fn only_file(archive: ArchiveStream, most: u64) -> Result<Bytes> {
    struct Contents(Option<Vec<u8>>);

    impl Sink for Contents {
        fn take(
            &mut self,
            item: Item,
            contents: &mut dyn std::io::Read,
            _: &mut meter::Meter,
        ) -> Result<()> {
            if let Kind::File { .. } = item.kind {
                let mut bytes = Vec::new();
                contents.read_to_end(&mut bytes).map_err(repack::written)?;
                self.0 = Some(bytes);
            }
            Ok(())
        }
    }

    if let Some(stat) = archive.stat() {
        if stat.kind != FileKind::File {
            return Err(no_file());
        }
        if stat.size > most {
            return Err(too_large(most));
        }
    }
    let rules = Rules {
        origin: Origin::Container { root: false },
        limits: ArchiveLimits::default()
            .with_max_entries(1u64)
            .with_max_bytes(most)
            .with_max_file_bytes(most),
        special: SpecialFiles::Refuse,
    };
    let read = move |archive| {
        let mut contents = Contents(None);
        sift(archive, &rules, &mut contents)?;
        contents.0.map(Bytes::from).ok_or_else(no_file)
    };
    consume(archive, read).await
}

fn no_file() -> Error {
    Error::invalid("path", "it is no plain file").with_advice("read it with download or copy_out")
}

fn too_large(most: u64) -> Error {
    let message = format!("the file has more than {most} bytes");
    Error::new(ErrorKind::TooLarge, message)
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// An archive as a caller's, written anew.
#[cfg(fuzzing)]
pub(crate) fn fuzz_repack(archive: &Bytes) -> Result<Bytes> {
    let rules = Rules {
        origin: Origin::Caller,
        limits: ArchiveLimits::default(),
        special: SpecialFiles::Skip,
    };
    repack_bytes(archive, Owner::ROOT, &rules)
}

/// The one file of an archive that comes in pieces.
#[cfg(fuzzing)]
pub(crate) fn fuzz_read_file(archive: &[u8], most: u64) -> Result<Bytes> {
    let pieces = crate::fuzzing::cut(archive, 1000);
    futures::executor::block_on(only_file(ArchiveStream::new(None, pieces), most))
}

/// An archive as a container's, onto the disk.
#[cfg(fuzzing)]
pub(crate) fn fuzz_extract(
    archive: &[u8],
    into: &Path,
    options: &CopyOptions,
) -> Result<CopyReport> {
    let rules = Rules {
        origin: Origin::Container { root: false },
        limits: options.limits,
        special: options.special,
    };
    let links = options.outward_links;
    extract::extract(Cursor::new(archive), into, "file".as_ref(), &rules, links)
}
