//! Files where no archive of the engine leads: in memory, behind links, on read-only roots.

use super::workspace::{
    archive, assert_kind, contents, make_directory, path, said, whole, writable, write,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::objects::with_volume;
use super::scratch::{idle, unique_name, with_container, with_running};
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Effect, ErrorKind};
use crate::model::{
    DownloadOptions, ImageRef, Mount, Owner, TarArchive, UploadOptions, WriteFileOptions,
};
use crate::operation::Operation;

/// What is in memory takes files and gives them, on a read-only root too, without the caller's noticing.
///
/// # Panics
/// Where it doesn't.
pub async fn memory_takes_files_unnoticed(backend: &dyn ContainerBackend, image: &ImageRef) {
    let spec = idle(image).with_mount(Mount::tmpfs(8 << 20, "/memory"));
    with_running(backend, spec, |id| async move {
        for directory in ["/tmp", "/memory", "/dev/shm"] {
            let (at, options) = (path(directory), UploadOptions::default());
            let bytes = archive(&[("whole", "whole"), ("l", "->whole")]);
            let put = backend.upload(&id, &at, bytes.into(), &options).await;
            put.unwrap_or_else(|error| panic!("{at}: {error:#}"));
            let bytes = archive(&[("streamed", "streamed")]);
            let pieces: Vec<_> = bytes.chunks(500).map(Bytes::copy_from_slice).collect();
            let stream = TarArchive::stream(futures::stream::iter(pieces).map(Ok));
            let put = backend.upload(&id, &at, stream, &options).await;
            put.unwrap_or_else(|error| panic!("{at}: {error:#}"));
            let line = format!("cd {directory}; cat l streamed; stat -c %u:%g whole");
            assert_eq!(
                said(backend, &id, &line).await,
                "wholestreamed65534:65534\n"
            );

            let options = DownloadOptions::default();
            let down = backend
                .download(&id, &at, &options)
                .await
                .expect("an archive");
            let mut got = contents(&whole(down).await);
            got.sort();
            let name = directory.rsplit('/').next().expect("a name");
            let expected = ["", "/l", "/streamed", "/whole"].map(|rest| format!("{name}{rest}"));
            let names: Vec<_> = got.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected, "{at}");
            assert_eq!(got[3].1, b"whole");
            let within = DownloadOptions::default().with_max_bytes(1000u64);
            let down = backend
                .download(&id, &at, &within)
                .await
                .expect("it begins");
            let error = down.try_collect::<Vec<_>>().await.expect_err("too long");
            assert_kind(&error, ErrorKind::TooLarge, Operation::GetArchive, &id);
        }
    })
    .await;
}

/// A path that leads into memory by a link is followed there, and one that leads in a circle is refused.
///
/// # Panics
/// Where it isn't.
pub async fn links_into_memory_are_followed(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, writable(image), |id| async move {
        let links = archive(&[
            ("etc/direct", "->/tmp"),
            ("etc/relative", "->../tmp/sub"),
            ("etc/twice", "->direct/sub"),
            ("etc/circle", "->circle"),
        ]);
        // Docker takes no link that leads upwards out of the directory.
        let (root, options) = (path("/"), UploadOptions::default());
        let put = backend.upload(&id, &root, links.into(), &options).await;
        put.expect("links are files too");
        make_directory(backend, &id, &path("/tmp/sub")).await;
        let options = WriteFileOptions::default();
        for (at, there) in [
            ("/etc/direct/a", "/tmp/a"),
            ("/etc/direct/sub/b", "/tmp/sub/b"),
            ("/etc/relative/c", "/tmp/sub/c"),
            ("/etc/twice/d", "/tmp/sub/d"),
            ("//etc/.//direct/e", "/tmp/e"),
        ] {
            let at = path(at);
            let written = backend.write_file(&id, &at, there.into(), &options).await;
            written.unwrap_or_else(|error| panic!("{at}: {error:#}"));
            let line = format!("cat {there}");
            assert_eq!(said(backend, &id, &line).await, there, "{at}");
            let read = backend.read_file(&id, &at, 100).await;
            assert_eq!(read.expect("it is read"), there, "{at}");
        }
        let circle = path("/etc/circle/x");
        let written = backend
            .write_file(&id, &circle, Bytes::new(), &options)
            .await;
        written.expect_err("it leads nowhere");
    })
    .await;
}

/// A volume takes files on a read-only root, the container running or not.
///
/// # Panics
/// Where it doesn't.
pub async fn volumes_take_files_on_a_read_only_root(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
) {
    with_volume(backend, unique_name().as_str(), |volume| async move {
        let spec = idle(image).with_mount(Mount::volume(volume.clone(), "/vol"));
        with_container(backend, spec, |id| async move {
            write(backend, &id, "/vol/before", "before")
                .await
                .expect("it is written");
            backend.start(&id).await.expect("it starts");
            write(backend, &id, "/vol/while", "while")
                .await
                .expect("it is written");
            let all = said(backend, &id, "cat /vol/before /vol/while").await;
            assert_eq!(all, "beforewhile");
        })
        .await;
        let shut = Mount::volume(volume, "/vol").read_only();
        with_running(backend, idle(image).with_mount(shut), |id| async move {
            let written = write(backend, &id, "/vol/never", "").await;
            let error = written.expect_err("it is read-only");
            assert_eq!(error.operation(), Some(Operation::PutArchive), "{error}");
        })
        .await;
    })
    .await;
}

/// Where a read-only root is to be written to, nothing is, and the error says so.
///
/// # Panics
/// Where it is.
pub async fn read_only_roots_stay_as_they_are(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_running(backend, idle(image), |id| async move {
        let at = path("/etc/never");
        let written = write(backend, &id, at.as_str(), "").await;
        let error = written.expect_err("it is read-only");
        assert_kind(&error, ErrorKind::Container, Operation::PutArchive, &id);
        assert!(
            error.message().to_lowercase().contains("read-only"),
            "{error}"
        );
        let absent = backend.stat_path(&id, &at).await.expect_err("nothing");
        assert_eq!(absent.kind(), ErrorKind::NotFound);
    })
    .await;
}

/// Where only a command leads, a container that doesn't run is in the way, and the error says so before anything is
/// sent.
///
/// # Panics
/// Where it isn't.
pub async fn memory_needs_a_running_container(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_container(backend, idle(image), |id| async move {
        for at in ["/tmp/a", "/etc/a", "/dev/shm/a"] {
            let written = write(backend, &id, at, "").await;
            let error = written.expect_err("it doesn't run");
            assert_eq!(
                (error.kind(), error.effect()),
                (ErrorKind::Conflict, Effect::NotSent),
                "{error}"
            );
            assert!(error.to_string().contains("created"), "{error}");
        }
        let passwd = backend.read_file(&id, &path("/etc/passwd"), 10_000).await;
        assert!(passwd.expect("layers can be read").starts_with(b"root:"));
    })
    .await;
}

/// Files belong to the container's user, or to whom the options say.
///
/// # Panics
/// Where they don't.
pub async fn files_belong_to_the_containers_user(backend: &dyn ContainerBackend, image: &ImageRef) {
    for (user, own) in [
        (Some("65534:65534"), "65534:65534"),
        (Some("1234:99"), "1234:99"),
        (Some("root"), "0:0"),
        (None, "0:0"),
    ] {
        let mut spec = writable(image);
        spec.security.user = user.map(str::to_owned);
        with_running(backend, spec, |id| async move {
            for directory in ["/etc", "/tmp"] {
                for (owner, owned) in [(None, own), (Some(Owner::new(4321, 77)), "4321:77")] {
                    let at = path(&format!("{directory}/{}", owned.replace(':', ".")));
                    let options = WriteFileOptions::default().with_owner(owner);
                    let written = backend.write_file(&id, &at, "x".into(), &options).await;
                    written.unwrap_or_else(|error| panic!("{at}: {error:#}"));
                    let line = format!("stat -c %u:%g {at}");
                    assert_eq!(
                        said(backend, &id, &line).await,
                        format!("{owned}\n"),
                        "{at}"
                    );
                }
            }
        })
        .await;
    }
}
