//! The engine-neutral nouns: what is asked for ([`ContainerSpec`], the options) and what comes back
//! ([`ContainerDetails`], [`ContainerSummary`], …).
//!
//! Nothing here knows a client or an HTTP path. References are validated when they are made, so that
//! no character of theirs can change a URL; option structs are `#[non_exhaustive]`, start from
//! `new`/`default` and grow by `with_*`. Sizes are bytes, times are [`Duration`](std::time::Duration)
//! and [`SystemTime`](std::time::SystemTime).

/// Setters of the `with_*` kind, each taking what converts into the field.
macro_rules! setters {
    ($( $(#[$doc:meta])* $setter:ident($field:ident: $type:ty); )*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $setter(mut self, $field: impl Into<$type>) -> Self {
            self.$field = $field.into();
            self
        }
    )* };
}
pub(crate) use setters;

/// `Debug` that tells labels by their keys alone: what they hold may be anybody's.
macro_rules! debug_by_keys {
    ($name:ident { $($field:ident),* } by keys { $($labels:ident),* }) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &self.$field))*
                    $(.field(stringify!($labels), &self.$labels.keys()))*
                    .finish()
            }
        }
    };
}

/// Setters of conditions on labels, each by its key, and by its value where one is given.
macro_rules! label_conditions {
    ($( $(#[$doc:meta])* $setter:ident($field:ident); )*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $setter(mut self, key: LabelKey, value: impl Into<Option<String>>) -> Self {
            self.$field.insert(key, value.into());
            self
        }
    )* };
}

/// How a stream of answers is made, read and shown.
macro_rules! stream {
    ($stream:ident of $item:ty) => {
        impl $stream {
            /// Wraps a stream; for implementors of a backend.
            #[must_use]
            pub fn new(
                items: impl futures::Stream<Item = crate::error::Result<$item>> + Send + 'static,
            ) -> Self {
                Self(futures::StreamExt::boxed(items))
            }
        }

        boxed_stream!($stream of crate::error::Result<$item>);
    };
}

/// How a stream in a box is read and shown.
macro_rules! boxed_stream {
    ($stream:ident of $item:ty) => {
        impl futures::Stream for $stream {
            type Item = $item;

            fn poll_next(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Self::Item>> {
                self.0.as_mut().poll_next(context)
            }
        }

        impl std::fmt::Debug for $stream {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($stream))
            }
        }
    };
}
pub(crate) use boxed_stream;

/// A map from names to values that `Debug` doesn't print, since they may be secrets.
macro_rules! guarded_map {
    ($(#[$doc:meta])* $map:ident of $one:literal, $many:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $map(std::collections::BTreeMap<String, String>);

        impl $map {
            #[doc = concat!("Sets ", $one, ".")]
            pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
                self.0.insert(key.into(), value.into());
            }

            #[doc = concat!("The value of ", $one, ".")]
            #[must_use]
            pub fn get(&self, key: &str) -> Option<&str> {
                self.0.get(key).map(String::as_str)
            }

            #[doc = concat!("The ", $many, " in the order of their names.")]
            pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
                self.0
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()))
            }

            /// Whether there is none.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for $map {
            fn from(pairs: [(K, V); N]) -> Self {
                pairs.into_iter().collect()
            }
        }

        impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for $map {
            fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
                let pairs = pairs.into_iter();
                Self(pairs.map(|(key, value)| (key.into(), value.into())).collect())
            }
        }

        impl std::fmt::Debug for $map {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_map()
                    .entries(self.0.keys().map(|key| (key, "…")))
                    .finish()
            }
        }
    };
}

/// An enum of words that engines use, whose last variant keeps any other.
macro_rules! engine_words {
    (
        $(#[$doc:meta])* $name:ident;
        $(#[$other_doc:meta])* $other:ident;
        $( $(#[$variant_doc:meta])* $variant:ident = $text:literal, )*
    ) => {
        $(#[$doc])*
        #[non_exhaustive]
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$variant_doc])* $variant, )*
            $(#[$other_doc])*
            $other(String),
        }

        impl $name {
            /// The engine's words.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )*
                    Self::$other(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $( $text => Self::$variant, )*
                    _ => Self::$other(text),
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                text.to_owned().into()
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                Ok(text.into())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
    };
}

mod archive;
mod cidr;
mod container;
mod driver;
mod effective;
mod event;
mod exec;
mod files;
mod health;
mod image;
mod image_details;
mod image_ref;
mod logs;
mod mount;
mod network;
mod network_options;
mod prune;
mod pull;
mod reconnect;
mod reference;
mod registry_auth;
mod resources;
mod run;
mod security;
mod session;
mod signal;
mod spec;
mod state;
mod stats;
mod system;
mod timestamp;
mod usage;
mod volume;
mod watch;

pub use archive::{ArchiveStream, FileKind, PathStat, PutArchiveOptions, TarArchive};
pub use cidr::Cidr;
pub use container::{
    ContainerDetails, ContainerSummary, Created, KillOptions, ListOptions, NetworkAttachment,
    PublishedPort, RemoveOptions, RestartOptions, StartOutcome, StopOptions, StopOutcome,
    UpdateOptions, WaitCondition, WaitOptions, WaitOutcome,
};
pub use driver::DriverOptions;
pub use effective::{HostAccess, MountPoint};
pub use event::{Event, EventAction, EventAttributes, EventKind, EventStream, EventsOptions};
pub use exec::{ExecOptions, ExecOutput};
pub use files::{
    ArchiveLimits, CopyOptions, CopyReport, DownloadOptions, OutwardLinks, Owner, SpecialFiles,
    UploadOptions, WriteFileOptions,
};
pub use health::{HealthCheck, HealthTest, HealthyOptions};
pub use image::{
    ImagePruneReport, ImageRemoval, ImageSummary, ImportOptions, ListImagesOptions,
    PruneImagesOptions, RemoveImageOptions,
};
pub use image_details::ImageDetails;
pub use image_ref::ImageRef;
pub use logs::{LogChunk, LogConfig, LogOutput, LogSource, LogStream, LogsOptions};
pub use mount::{Mount, MountKind, PortMapping, Protocol};
pub use network::{
    CreatedNetwork, NetworkDetails, NetworkMember, NetworkSpec, NetworkSummary, Subnet,
};
pub use network_options::{ConnectOptions, DisconnectOptions, ListNetworksOptions};
pub use prune::{PruneContainersOptions, PruneNetworksOptions, PruneReport, PruneVolumesOptions};
pub use pull::{EnsureOptions, PullEvent, PullOptions, PullPolicy, PullStatus, PullStream};
pub use reconnect::ReconnectOptions;
pub use reference::{
    ContainerName, ContainerPath, ContainerRef, ExecId, LabelKey, NetworkRef, VolumeName,
};
pub use registry_auth::RegistryAuth;
pub use resources::{DeviceCount, DeviceRequest, MemorySwap, Resources, RestartPolicy, Ulimit};
pub use run::{RunOptions, RunOutput};
pub use security::{NetworkMode, SeccompProfile, SecurityProfile, Tmpfs};
pub use session::{
    AttachOptions, Attached, ExecDetails, ExecSession, ExecTag, Input, TerminalSize,
};
pub use signal::Signal;
pub use spec::{ContainerSpec, EnvVars};
pub use state::{ContainerState, Health, HealthStatus, StateDetails};
pub use stats::{ContainerStats, CpuStats, IoTotals, MemoryStats, StatsStream, Usage};
pub use system::{CgroupVersion, EngineInfo, EngineProduct, EngineVersion, LimitSupport, Ping};
pub use volume::{ListVolumesOptions, RemoveVolumeOptions, VolumeDetails, VolumeList, VolumeSpec};
pub use watch::{EventWatch, Gap, GapReason, Watched};

pub use usage::{ChangeKind, DiskUsage, FileChange, ProcessTable, SpaceUsage, TopOptions};

pub(crate) use timestamp::{format_unix, parse_rfc3339, unix};
pub(crate) use watch::Queued;
