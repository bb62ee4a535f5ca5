//! The registry that a fake engine pulls from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};

use super::images::{Image, plain_config, split_tag, with_tag};
use super::machine::Tree;
use super::request::{Answer, Answered, Refusal, Request};
use super::{Shared, new_id};

/// How a pull of an image goes wrong.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullFault {
    /// The registry refuses for now: 429, `toomanyrequests`.
    RateLimit,
    /// After this many layers the stream tells of an error, as `errorDetail` and `error`.
    Error(usize, String),
    /// The same by `error` alone, as Podman does.
    PlainError(usize, String),
    /// After this many layers the stream ends, as if it were done.
    Ends(usize),
}

/// An image that a fake engine's registry has.
///
/// ```
/// use catamaran::testing::RegistryImage;
///
/// let image = RegistryImage::new("registry.example/app:1")
///     .with_layers([40_000, 2_000])
///     .with_credentials("robot", "secret");
/// assert!(!format!("{image:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct RegistryImage {
    reference: String,
    layers: Vec<u64>,
    credentials: Option<(String, String)>,
    fault: Option<PullFault>,
    pace: Duration,
}

impl fmt::Debug for RegistryImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryImage")
            .field("reference", &self.reference)
            .field("layers", &self.layers)
            .field("needs_credentials", &self.credentials.is_some())
            .field("fault", &self.fault)
            .field("pace", &self.pace)
            .finish()
    }
}

impl RegistryImage {
    /// One with one small layer, which anybody may pull. Its files are those of the built-in busybox.
    #[must_use]
    pub fn new(reference: impl Into<String>) -> Self {
        Self {
            reference: with_tag(&reference.into()),
            layers: vec![1 << 10],
            credentials: None,
            fault: None,
            pace: Duration::ZERO,
        }
    }

    /// Layers by their sizes in bytes. Nothing of that size is held.
    #[must_use]
    pub fn with_layers(mut self, bytes: impl IntoIterator<Item = u64>) -> Self {
        self.layers = bytes.into_iter().collect();
        self
    }

    /// Only who gives these may pull it.
    #[must_use]
    pub fn with_credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Pulls fail so.
    #[must_use]
    pub fn with_fault(mut self, fault: PullFault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// So much time passes before each line of progress.
    #[must_use]
    pub fn with_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    pub(super) fn reference(&self) -> &str {
        &self.reference
    }
}

/// Who pulls: user and password, by the header's JSON in base64.
fn credentials(request: &Request) -> Option<(String, String)> {
    let header = request.headers.get("x-registry-auth")?.to_str().ok()?;
    let bytes = URL_SAFE
        .decode(header)
        .or_else(|_| STANDARD.decode(header))
        .ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Some((text("username"), text("password")))
}

fn host(name: &str) -> Option<&str> {
    let (host, _) = name.split_once('/')?;
    (host.contains(['.', ':']) || host == "localhost").then_some(host)
}

pub(super) async fn pull(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
    let registry = engine.registry();
    let found = registry
        .iter()
        .find(|image| image.reference == name)
        .cloned();
    let Some(image) = found else {
        return Err(unknown(&registry, name));
    };
    if let Some(platform) = request
        .query
        .get("platform")
        .filter(|platform| !platform.is_empty())
        && !platform.starts_with("linux")
    {
        let message = format!("no matching manifest for {platform} in the manifest list entries");
        return Err(Refusal::new(404, message));
    }
    if image.credentials.is_some() && credentials(request) != image.credentials {
        let (repository, _) = split_tag(name);
        return Err(match request.headers.contains_key("x-registry-auth") {
            true => Refusal::new(
                500,
                format!(
                    "Head \"https://{repository}\": unauthorized: incorrect username or password"
                ),
            ),
            false => denied(repository),
        });
    }
    if image.fault == Some(PullFault::RateLimit) {
        return Err(Refusal::new(
            429,
            "toomanyrequests: You have reached your pull rate limit",
        ));
    }
    Ok(progress(engine, image, name))
}

fn denied(repository: &str) -> Refusal {
    let message = format!(
        "pull access denied for {repository}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
    );
    Refusal::new(404, message)
}

fn unknown(registry: &[RegistryImage], name: &str) -> Refusal {
    let (repository, _) = split_tag(name);
    let mut known = registry.iter().map(|image| image.reference.as_str());
    if known.clone().any(|known| split_tag(known).0 == repository) {
        let message = format!("manifest for {name} not found: manifest unknown: manifest unknown");
        return Refusal::new(404, message);
    }
    if known.any(|known| host(known) == host(name)) {
        return denied(repository);
    }
    let host = host(name).unwrap_or("registry-1.docker.io");
    Refusal::new(
        500,
        format!("Get \"https://{host}/v2/\": dial tcp: connect: connection refused"),
    )
}

/// The lines of a pull, and what becomes of the image at their end.
fn progress(engine: &Arc<Shared>, image: RegistryImage, name: &str) -> Answer {
    let (repository, tag) = split_tag(name);
    let there = engine.state().images.find(name).is_some();
    let layers: Vec<(String, u64)> = image
        .layers
        .iter()
        .map(|size| (new_id()[..12].to_owned(), *size))
        .collect();
    let mut lines = vec![json!({"status": format!("Pulling from {repository}"), "id": tag})];
    let (most, error, whole) = match &image.fault {
        Some(PullFault::Error(after, message)) => {
            let error = json!({"errorDetail": {"message": message}, "error": message});
            (*after, Some(error), false)
        }
        Some(PullFault::PlainError(after, message)) => {
            (*after, Some(json!({"error": message})), false)
        }
        Some(PullFault::Ends(after)) => (*after, None, false),
        Some(PullFault::RateLimit) | None => (layers.len(), None, true),
    };
    if !there {
        lines.extend(
            layers.iter().map(
                |(id, _)| json!({"status": "Pulling fs layer", "progressDetail": {}, "id": id}),
            ),
        );
        for (id, size) in layers.iter().take(most) {
            for current in [size / 2, *size] {
                let detail = json!({"current": current, "total": size});
                lines.push(json!({"status": "Downloading", "progressDetail": detail, "progress": "", "id": id}));
            }
            for status in ["Verifying Checksum", "Download complete"] {
                lines.push(json!({"status": status, "progressDetail": {}, "id": id}));
            }
            let detail = json!({"current": size, "total": size});
            lines.push(
                json!({"status": "Extracting", "progressDetail": detail, "progress": "", "id": id}),
            );
            lines.push(json!({"status": "Pull complete", "progressDetail": {}, "id": id}));
        }
    }
    let digest = format!("sha256:{}", new_id());
    lines.extend(error);
    if whole {
        let status = if there {
            "Image is up to date"
        } else {
            "Downloaded newer image"
        };
        lines.push(json!({"status": format!("Digest: {digest}")}));
        lines.push(json!({"status": format!("Status: {status} for {name}")}));
    }
    let (engine, pace) = (Arc::clone(engine), image.pace);
    let (name, repository) = (name.to_owned(), repository.to_owned());
    let count = lines.len();
    // Who goes away ends the pull.
    let pieces = stream::unfold(
        (lines.into_iter().enumerate(), digest),
        move |(mut lines, digest)| {
            let (engine, name, repository) =
                (Arc::clone(&engine), name.clone(), repository.clone());
            async move {
                let (index, line) = lines.next()?;
                tokio::time::sleep(pace).await;
                if whole && !there && index + 1 == count {
                    let mut image = Image::new(Some(name.clone()), Tree::busybox(), plain_config());
                    image.digests.push(format!("{repository}@{digest}"));
                    let id = image.id.clone();
                    engine.state().images.add(image);
                    engine.events.tell(
                        "image",
                        "pull",
                        &name,
                        json!({"name": repository, "id": id}),
                    );
                }
                Some((Ok(Bytes::from(format!("{line}\r\n"))), (lines, digest)))
            }
        },
    );
    Answer::stream(200, pieces).with_header("content-type", "application/json")
}
