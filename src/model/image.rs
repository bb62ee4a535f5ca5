//! Images.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::spec::{bounded, label_values, platform};
use super::{ImageRef, LabelKey};
use crate::error::{Error, Result};

/// The longest instruction or message of an import.
const MAX_TEXT: usize = 64 << 10;

/// An image as a list shows it.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ImageSummary {
    /// The image's id.
    pub id: ImageRef,
    /// Its names, as in `busybox:latest`.
    pub tags: Vec<String>,
    /// Its names by digest.
    pub digests: Vec<String>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

debug_by_keys!(ImageSummary { id, tags, digests, size, created } by keys { labels });

/// Which images a list shows.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ListImagesOptions {
    /// Whether intermediate layers are shown too.
    pub all: bool,
    /// Only images whose name matches.
    pub reference: Option<ImageRef>,
    /// Only images that bear all these labels, each with its value where one is given.
    pub labels: BTreeMap<LabelKey, Option<String>>,
}

debug_by_keys!(ListImagesOptions { all, reference } by keys { labels });

impl ListImagesOptions {
    label_conditions! {
        /// Shows only images that bear this label, with this value where one is given.
        with_label(labels);
    }

    setters! {
        /// Sets whether intermediate layers are shown too.
        with_all(all: bool);
        /// Shows only images of this name.
        with_reference(reference: Option<ImageRef>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        label_values(self.labels.values().flatten())
    }
}

/// How a root file system becomes an image.
///
/// ```
/// use catamaran::model::{ImageRef, ImportOptions};
///
/// let options = ImportOptions::new(ImageRef::new("catamaran/busybox:test")?)
///     .with_change("CMD [\"sh\"]");
/// # let _ = options;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// The name that the image gets; `latest` where it has no tag.
    pub reference: ImageRef,
    /// A commit message.
    pub message: Option<String>,
    /// Dockerfile instructions (`CMD`, `ENV`, `LABEL` …) that apply to it.
    pub changes: Vec<String>,
    /// The platform, as in `linux/arm64`; `None` is the engine's.
    pub platform: Option<String>,
}

impl ImportOptions {
    /// An import under that name.
    #[must_use]
    pub fn new(reference: ImageRef) -> Self {
        Self {
            reference,
            message: None,
            changes: Vec::new(),
            platform: None,
        }
    }

    /// Adds a Dockerfile instruction.
    #[must_use]
    pub fn with_change(mut self, instruction: impl Into<String>) -> Self {
        self.changes.push(instruction.into());
        self
    }

    /// Sets the commit message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets the platform.
    #[must_use]
    pub fn with_platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.reference.is_id() || self.reference.digest().is_some() {
            return Err(Error::invalid(
                "image",
                "an import needs a name, not an id or a digest",
            ));
        }
        // All of them go in the URL.
        for change in &self.changes {
            bounded("changes", change, MAX_TEXT)?;
        }
        if let Some(message) = &self.message {
            bounded("message", message, MAX_TEXT)?;
        }
        self.platform.iter().try_for_each(|text| platform(text))
    }
}

/// How an image is removed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoveImageOptions {
    /// Whether it is removed though it has other names or stopped containers.
    pub force: bool,
    /// Whether parents that nothing else needs stay.
    pub keep_parents: bool,
}

impl RemoveImageOptions {
    setters! {
        /// Sets whether it is removed though it has other names or stopped containers.
        with_force(force: bool);
        /// Sets whether parents that nothing else needs stay.
        with_keep_parents(keep_parents: bool);
    }
}

/// One consequence of removing an image.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageRemoval {
    /// A name is gone.
    Untagged(String),
    /// A layer or image is gone.
    Deleted(String),
}

/// Which unused images are removed.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use catamaran::model::PruneImagesOptions;
///
/// let day = SystemTime::now() - Duration::from_secs(86_400);
/// let old = PruneImagesOptions::default().with_all(true).with_until(day);
/// assert_ne!(old, PruneImagesOptions::default());
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PruneImagesOptions {
    /// Whether those that have a name go too; by default only nameless ones do.
    pub all: bool,
    /// Only images that bear all these labels, each with its value where one is given.
    pub labels: BTreeMap<LabelKey, Option<String>>,
    /// Only images made before this time.
    pub until: Option<SystemTime>,
}

debug_by_keys!(PruneImagesOptions { all, until } by keys { labels });

impl PruneImagesOptions {
    label_conditions! {
        /// Removes only images that bear this label, with this value where one is given.
        with_label(labels);
    }

    setters! {
        /// Sets whether those that have a name go too.
        with_all(all: bool);
        /// Removes only images made before this time.
        with_until(until: Option<SystemTime>);
    }

    pub(crate) fn validate(&self) -> Result<()> {
        label_values(self.labels.values().flatten())
    }
}

/// What a prune of images removed.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImagePruneReport {
    /// The names and layers that are gone.
    pub removals: Vec<ImageRemoval>,
    /// How many bytes that freed, by the engine's count.
    pub reclaimed: u64,
}
