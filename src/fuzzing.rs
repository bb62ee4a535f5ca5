//! What `fuzz/` reaches: decoders that nobody else has from outside, and what must hold of them whatever they are given.
//! It is there under `--cfg fuzzing` alone.

mod requests;
mod streams;

use std::fmt::Debug;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::endpoint::environment::vars;
use crate::engine::{self, wire};
use crate::error::{Error, Result};
use crate::model::{
    ContainerSpec, CopyOptions, CopyReport, ImageRef, ListVolumesOptions, LogSource, PullOptions,
    RegistryAuth,
};

pub use requests::{Asked, asked, network, shown_back, volume, with_text};
pub use streams::{cut, lines, output};

/// The variables that configure.
pub const VARIABLES: &[&str] = vars::OF_CONFIG;

/// Reads a whole answer, as each kind of them. `look` at what was read too: it can be shown, and written as JSON.
pub fn answers(body: &[u8], look: bool) {
    fn held<T: Debug + Serialize>(read: Result<T>, look: bool) -> Option<T> {
        let read = told(read)?;
        if look {
            let shown = format!("{read:?}");
            assert!(serde_json::to_vec(&read).is_ok(), "{shown}");
        }
        Some(read)
    }
    held(wire::engine_version(body), look);
    held(wire::engine_info(body), look);
    held(wire::images(body), look);
    held(wire::imported(body), look);
    held(wire::image_details(body), look);
    held(wire::removals(body), look);
    held(wire::pruned_images(body), look);
    held(wire::created(body), look);
    held(wire::warnings(body), look);
    held(wire::summaries(body), look);
    held(wire::wait_outcome(body), look);
    held(wire::pruned_containers(body), look);
    held(wire::created_network(body), look);
    held(wire::networks(body), look);
    held(wire::network(body), look);
    held(wire::pruned_networks(body), look);
    held(wire::volume(body), look);
    held(wire::volumes(body, &ListVolumesOptions::default()), look);
    held(wire::pruned_volumes(body), look);
    held(wire::processes(body), look);
    held(wire::file_changes(body), look);
    held(wire::space(body), look);
    held(wire::exec_id(body), look);
    told(wire::exec_details(body));
    told(wire::streams_of(body).map(|streams| streams.framing()));
    if let Some(sample) = held(wire::container_stats(body), look) {
        let percent = sample.cpu_percent_since(&sample);
        assert!(percent.is_none_or(f64::is_finite), "{percent:?}");
    }
    if let Some(details) = held(wire::details(body), look)
        && look
    {
        let image = ImageRef::new("busybox").expect("a reference");
        for difference in engine::differences(&ContainerSpec::untrusted(image), &details) {
            assert!(!difference.is_empty());
        }
    }
}

/// What was read; an error can be told in few words, whatever it is of.
fn told<T>(read: Result<T>) -> Option<T> {
    read.map_err(|error| brief(&error)).ok()
}

fn brief(error: &Error) {
    let told = format!("{error:#}");
    assert!(told.len() < 16 << 10, "an error of {} bytes", told.len());
}

/// Reads an answer whose headers say all this, and which refuses.
pub fn refusal(status: u16, header: &[u8], body: &[u8]) {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        for name in [
            "api-version",
            "ostype",
            "retry-after",
            "x-docker-container-path-stat",
        ] {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    let head = || wire::Head {
        status,
        headers: headers.clone(),
    };
    told(wire::agree(wire::ping_answer(&head()).api_version));
    if let Some(stat) = told(wire::path_stat(&head())) {
        assert!(stat.mode <= 0o7777, "{stat:?}");
        assert!(serde_json::to_vec(&stat).is_ok(), "{stat:?}");
    }
    let error = head().into_error(body);
    assert_eq!(error.status(), Some(status));
    brief(&error);
    let error = wire::pull_refusal(error);
    assert_eq!(error.status(), Some(status));
    brief(&error);
}

/// Reads a log with timestamps, of a terminal or framed, as it is followed over two connections, each of which has it in
/// pieces of another size.
pub fn follow(log: &[u8], source: LogSource, sizes: [usize; 2]) {
    told(crate::backend::fuzz_follow(log, source, sizes));
}

/// Reads an archive as a caller's, and writes it anew.
///
/// # Errors
/// As an upload.
pub fn repack(archive: &Bytes) -> Result<Bytes> {
    let packed = crate::backend::fuzz_repack(archive);
    packed.inspect_err(brief)
}

/// Reads an archive as that of one file, which holds no more than that many bytes.
pub fn read_file(archive: &[u8], most: u64) {
    if let Some(read) = told(crate::backend::fuzz_read_file(archive, most)) {
        assert!(read.len() as u64 <= most, "{} of {most}", read.len());
    }
}

/// Unpacks an archive as a container's, onto the disk.
///
/// # Errors
/// As a copy.
pub fn extract(archive: &[u8], into: &Path, options: &CopyOptions) -> Result<CopyReport> {
    let extracted = crate::backend::fuzz_extract(archive, into, options);
    extracted.inspect_err(brief)
}

/// Asks for a pull with these credentials, which nobody sees.
pub fn pull(image: &ImageRef, auth: RegistryAuth) {
    let asked = wire::pull_image(image, &PullOptions::default().with_auth(auth));
    if let Some(call) = told(asked) {
        assert!(call.registry_auth.is_some_and(|auth| auth.is_sensitive()));
    }
}
