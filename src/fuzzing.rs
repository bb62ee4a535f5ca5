//! What `fuzz/` reaches: decoders that nobody else has from outside. It is there under `--cfg fuzzing` alone.

use bytes::Bytes;
use futures::executor::block_on;
use futures::stream::{self, BoxStream, Stream, StreamExt};

use crate::engine::wire;
use crate::error::Result;
use crate::model::{ContainerRef, ImageRef, ListVolumesOptions, NetworkRef, VolumeName};

/// Reads a whole answer, as each kind of them.
pub fn answers(body: &[u8]) {
    let _ = wire::engine_version(body);
    let _ = wire::engine_info(body);
    let _ = wire::images(body);
    let _ = wire::imported(body);
    let _ = wire::image_details(body);
    let _ = wire::removals(body);
    let _ = wire::pruned_images(body);
    let _ = wire::created(body);
    let _ = wire::warnings(body);
    let _ = wire::summaries(body);
    let _ = wire::details(body);
    let _ = wire::wait_outcome(body);
    let _ = wire::streams_of(body).map(|streams| streams.framing());
    let _ = wire::pruned_containers(body);
    let _ = wire::created_network(body);
    let _ = wire::networks(body);
    let _ = wire::network(body);
    let _ = wire::pruned_networks(body);
    let _ = wire::volume(body);
    let _ = wire::volumes(body, &ListVolumesOptions::default());
    let _ = wire::pruned_volumes(body);
    let _ = wire::processes(body);
    let _ = wire::file_changes(body);
    let _ = wire::space(body);
    let _ = wire::container_stats(body);
    let _ = wire::exec_id(body);
    let _ = wire::exec_details(body);
}

/// What an answer's head says of a path: base64, then JSON.
pub fn path_stat(header: &[u8]) {
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = http::HeaderValue::from_bytes(header) {
        headers.insert("x-docker-container-path-stat", value);
    }
    let _ = wire::path_stat(&wire::Head {
        status: 200,
        headers,
    });
}

fn to_the_end<T>(items: impl Stream<Item = Result<T>>) {
    let items = std::pin::pin!(items);
    block_on(items.for_each(|item| {
        drop(item);
        std::future::ready(())
    }));
}

/// Takes a body apart that comes in these pieces, as each kind of stream.
pub fn streams(pieces: &[&[u8]]) {
    let body = || -> BoxStream<'static, Result<Bytes>> {
        let pieces = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece)));
        stream::iter(pieces.collect::<Vec<_>>()).boxed()
    };
    to_the_end(wire::pull_events(body()));
    to_the_end(wire::told_events(body()));
    to_the_end(wire::samples(body()));
    to_the_end(wire::log_chunks(body(), wire::Framing::Multiplexed));
    to_the_end(wire::log_chunks(body(), wire::Framing::Raw));
}

/// Reads an archive as a caller's, and writes it anew.
pub fn archive(bytes: &[u8]) {
    crate::backend::fuzz_archive(&Bytes::copy_from_slice(bytes));
}

/// The paths of requests about what has this name, as far as it is one, with how many parts each must have.
#[must_use]
pub fn paths(name: &str) -> Vec<(String, usize)> {
    let mut paths = Vec::new();
    if let Ok(container) = ContainerRef::new(name) {
        paths.push((wire::inspect(&container).path, 4));
    }
    if let Ok(network) = NetworkRef::new(name) {
        paths.push((wire::inspect_network(&network).path, 3));
    }
    if let Ok(volume) = VolumeName::new(name) {
        paths.push((wire::inspect_volume(&volume).path, 3));
    }
    if let Ok(image) = ImageRef::new(name) {
        // A reference's own slashes are parts.
        let slashes = image.as_str().matches('/').count();
        paths.push((wire::inspect_image(&image).path, 4 + slashes));
    }
    paths
}
