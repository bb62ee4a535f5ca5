//! How an image comes from its registry.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use serde::Serialize;

use super::spec::platform;
use super::{ImageRef, RegistryAuth};
use crate::error::{Error, Result};

/// How an image is pulled.
///
/// ```
/// use catamaran::model::{PullOptions, RegistryAuth};
///
/// let options = PullOptions::default()
///     .with_auth(RegistryAuth::password("me", "s3cret"))
///     .with_platform("linux/arm64");
/// assert!(!format!("{options:?}").contains("s3cret"));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PullOptions {
    /// The credentials for the registry; [`RegistryAuth::for_image`] finds those of `docker login`.
    pub auth: Option<RegistryAuth>,
    /// The platform, as in `linux/arm64`; `None` is the engine's.
    pub platform: Option<String>,
    /// A pull of which nothing has been heard for so long fails; 15 min unless set, `None` is never. Engines tell of each
    /// layer's progress several times a second, but are silent while they check a layer, and while it waits for those of
    /// other pulls: Docker downloads three at once for all. How long all of it may take is the caller's own:
    /// [`CallContext::timeout`](crate::CallContext::timeout).
    pub stall_timeout: Option<Duration>,
}

const STALLED: Duration = Duration::from_secs(900);

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            auth: None,
            platform: None,
            stall_timeout: Some(STALLED),
        }
    }
}

impl PullOptions {
    setters! {
        /// Sets the credentials for the registry.
        with_auth(auth: Option<RegistryAuth>);
        /// Sets for how long nothing may be heard of it.
        with_stall_timeout(stall_timeout: Option<Duration>);
    }

    /// Sets the platform.
    #[must_use]
    pub fn with_platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    pub(crate) fn validate(&self, image: &ImageRef) -> Result<()> {
        if image.is_id() {
            return Err(Error::invalid("image", "a pull needs a name, not an id"));
        }
        if let Some(auth) = &self.auth {
            auth.validate()?;
        }
        self.platform.iter().try_for_each(|text| platform(text))
    }
}

/// When an image is pulled.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PullPolicy {
    /// Never: one that isn't there is an error.
    Never,
    /// Where it isn't there.
    #[default]
    IfMissing,
    /// Each time, so that a tag that moved is followed. An id is never pulled.
    Always,
}

/// How an image is made sure of.
///
/// ```
/// use catamaran::model::{EnsureOptions, PullPolicy};
///
/// let newest = EnsureOptions::default().with_policy(PullPolicy::Always);
/// assert_ne!(newest, EnsureOptions::default());
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsureOptions {
    /// When it is pulled; [`PullPolicy::IfMissing`] by default.
    pub policy: PullPolicy,
    /// The credentials for the registry.
    pub auth: Option<RegistryAuth>,
    /// The platform, as in `linux/arm64`; an image of another one counts as missing. `None` is any.
    pub platform: Option<String>,
    /// As [`PullOptions::stall_timeout`].
    pub stall_timeout: Option<Duration>,
}

impl Default for EnsureOptions {
    fn default() -> Self {
        Self {
            policy: PullPolicy::default(),
            auth: None,
            platform: None,
            stall_timeout: Some(STALLED),
        }
    }
}

impl EnsureOptions {
    setters! {
        /// Sets when it is pulled.
        with_policy(policy: PullPolicy);
        /// Sets the credentials for the registry.
        with_auth(auth: Option<RegistryAuth>);
        /// Sets for how long nothing may be heard of a pull.
        with_stall_timeout(stall_timeout: Option<Duration>);
    }

    /// Sets the platform.
    #[must_use]
    pub fn with_platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    /// The pull that may be needed.
    pub(crate) fn pull(&self) -> PullOptions {
        PullOptions {
            auth: self.auth.clone(),
            platform: self.platform.clone(),
            stall_timeout: self.stall_timeout,
        }
    }
}

/// One message of a pull's progress.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PullEvent {
    /// What it is about: a layer's short id, or the tag where a pull begins.
    pub id: Option<String>,
    /// What became of it.
    pub status: PullStatus,
    /// How many bytes are done, where they are counted.
    pub current: Option<u64>,
    /// Of how many bytes, where that is known.
    pub total: Option<u64>,
}

impl PullEvent {
    /// An event without details; for implementors of a backend.
    #[must_use]
    pub fn new(status: impl Into<PullStatus>) -> Self {
        Self {
            id: None,
            status: status.into(),
            current: None,
            total: None,
        }
    }

    setters! {
        /// Sets what it is about.
        with_id(id: Option<String>);
        /// Sets how many bytes are done.
        with_current(current: Option<u64>);
        /// Sets of how many bytes.
        with_total(total: Option<u64>);
    }
}

engine_words! {
    /// What a pull's progress says of a layer or of the whole, as engines word it.
    ///
    /// ```
    /// use catamaran::model::PullStatus;
    ///
    /// assert_eq!(PullStatus::from("Pull complete"), PullStatus::Complete);
    /// assert_eq!(PullStatus::from("Defragmenting").as_str(), "Defragmenting");
    /// ```
    PullStatus;
    /// Anything else, in the engine's words: `Pulling from library/busybox`, `Digest: …`,
    /// `Status: …`, and what is new.
    Other;
    /// The layer is known of.
    Preparing = "Pulling fs layer",
    /// The layer waits for its turn.
    Waiting = "Waiting",
    /// The layer is on its way.
    Downloading = "Downloading",
    /// The layer's digest is computed.
    Verifying = "Verifying Checksum",
    /// The layer is here, packed.
    Downloaded = "Download complete",
    /// The layer is unpacked.
    Extracting = "Extracting",
    /// The layer is there.
    Complete = "Pull complete",
    /// The layer was there.
    Exists = "Already exists",
}

/// A pull's progress as a stream. The pull goes on while it is read, and only its end without an error
/// says that the image is there; dropped, the engine may give the pull up.
pub struct PullStream(BoxStream<'static, Result<PullEvent>>);

stream!(PullStream of PullEvent);

impl PullStream {
    /// Reads to the end, whatever the progress.
    ///
    /// # Errors
    /// As the stream's.
    ///
    /// # Cancel safety
    /// Dropped, the engine may give the pull up; pulling again goes on from the layers that are there.
    ///
    /// ```no_run
    /// use catamaran::ContainerBackend;
    /// use catamaran::model::{ImageRef, PullOptions};
    ///
    /// # async fn example(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
    /// let image = ImageRef::new("busybox:1.36")?;
    /// backend.pull_image(&image, &PullOptions::default()).await?.finish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn finish(mut self) -> Result<()> {
        while self.next().await.transpose()?.is_some() {}
        Ok(())
    }
}
