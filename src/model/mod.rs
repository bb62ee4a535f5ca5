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

mod cidr;
mod container;
mod driver;
mod exec;
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
mod reference;
mod registry_auth;
mod resources;
mod run;
mod security;
mod signal;
mod spec;
mod state;
mod stats;
mod system;
mod timestamp;
mod usage;
mod volume;

pub use cidr::Cidr;
pub use container::{
    ContainerDetails, ContainerSummary, Created, KillOptions, ListOptions, NetworkAttachment,
    PublishedPort, RemoveOptions, RestartOptions, StartOutcome, StopOptions, StopOutcome,
    UpdateOptions, WaitCondition, WaitOptions, WaitOutcome,
};
pub use driver::DriverOptions;
pub use exec::{ExecOptions, ExecOutput};
pub use health::{HealthCheck, HealthTest, HealthyOptions};
pub use image::{
    ImageArchive, ImagePruneReport, ImageRemoval, ImageSummary, ImportOptions, ListImagesOptions,
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
pub use prune::{PruneNetworksOptions, PruneReport, PruneVolumesOptions};
pub use pull::{EnsureOptions, PullEvent, PullOptions, PullPolicy, PullStatus, PullStream};
pub use reference::{ContainerName, ContainerRef, ExecId, LabelKey, NetworkRef, VolumeName};
pub use registry_auth::RegistryAuth;
pub use resources::{DeviceCount, DeviceRequest, MemorySwap, Resources, RestartPolicy, Ulimit};
pub use run::{RunOptions, RunOutput};
pub use security::{NetworkMode, SeccompProfile, SecurityProfile, Tmpfs};
pub use signal::Signal;
pub use spec::{ContainerSpec, EnvVars};
pub use state::{ContainerState, Health, HealthStatus, StateDetails};
pub use stats::{ContainerStats, CpuStats, IoTotals, MemoryStats};
pub use system::{CgroupVersion, EngineInfo, EngineProduct, EngineVersion, Ping};
pub use volume::{ListVolumesOptions, RemoveVolumeOptions, VolumeDetails, VolumeList, VolumeSpec};

pub use usage::{ChangeKind, DiskUsage, FileChange, ProcessTable, SpaceUsage, TopOptions};

pub(crate) use timestamp::{format_unix, parse_rfc3339, unix};
