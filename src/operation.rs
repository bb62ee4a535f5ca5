//! The operations by name, and what may be done with each when its outcome is in doubt.

use std::fmt;

/// Everything a [`ContainerBackend`](crate::ContainerBackend) can be asked, by name.
///
/// Errors, logs, metrics and policies speak of operations by this type; `Display` gives the words for
/// a person, [`as_str`](Self::as_str) the stable label for a machine.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `GET /_ping`
    Ping,
    /// `GET /version`
    Version,
    /// `GET /info`
    Info,
    /// `GET /system/df`
    DiskUsage,
    /// `GET /events`
    Events,
    /// `GET /images/{name}/json`, for its status alone
    ImageExists,
    /// `GET /images/json`
    ListImages,
    /// `POST /images/create?fromSrc=-`
    ImportImage,
    /// `POST /images/create?fromImage=…`, then `GET /images/{name}/json`
    PullImage,
    /// `GET /images/{name}/json`
    InspectImage,
    /// `POST /images/{name}/tag`
    TagImage,
    /// `DELETE /images/{name}`
    RemoveImage,
    /// `POST /images/prune`
    PruneImages,
    /// `POST /containers/create`
    Create,
    /// `POST /containers/{id}/start`
    Start,
    /// `POST /containers/{id}/stop`
    Stop,
    /// `POST /containers/{id}/restart`
    Restart,
    /// `POST /containers/{id}/kill`
    Kill,
    /// `POST /containers/{id}/pause`
    Pause,
    /// `POST /containers/{id}/unpause`
    Unpause,
    /// `POST /containers/{id}/rename`
    Rename,
    /// `POST /containers/{id}/update`
    Update,
    /// `GET /containers/{id}/json`
    Inspect,
    /// `GET /containers/json`
    List,
    /// `POST /containers/{id}/wait`
    Wait,
    /// `GET /containers/{id}/logs`
    Logs,
    /// `GET /containers/{id}/stats`
    Stats,
    /// `GET /containers/{id}/stats?stream=true`
    StatsStream,
    /// `GET /containers/{id}/top`
    Top,
    /// `GET /containers/{id}/changes`
    Changes,
    /// `PUT /containers/{id}/archive`
    PutArchive,
    /// `GET /containers/{id}/archive`
    GetArchive,
    /// `HEAD /containers/{id}/archive`
    StatPath,
    /// `POST /containers/{id}/exec`, `POST /exec/{id}/start`, `GET /exec/{id}/json`
    Exec,
    /// `POST /containers/{id}/exec`, `POST /exec/{id}/start`, whose connection is taken over
    StartExec,
    /// `GET /exec/{id}/json`
    InspectExec,
    /// `POST /exec/{id}/resize`
    ResizeExec,
    /// `POST /containers/{id}/attach`, whose connection is taken over
    Attach,
    /// `POST /containers/{id}/resize`
    Resize,
    /// `DELETE /containers/{id}`
    Remove,
    /// `POST /containers/prune`
    PruneContainers,
    /// `POST /networks/create`
    CreateNetwork,
    /// `GET /networks/{name}`
    InspectNetwork,
    /// `GET /networks`
    ListNetworks,
    /// `POST /networks/{name}/connect`
    ConnectNetwork,
    /// `POST /networks/{name}/disconnect`
    DisconnectNetwork,
    /// `DELETE /networks/{name}`
    RemoveNetwork,
    /// `POST /networks/prune`
    PruneNetworks,
    /// `POST /volumes/create`
    CreateVolume,
    /// `GET /volumes/{name}`
    InspectVolume,
    /// `GET /volumes`
    ListVolumes,
    /// `DELETE /volumes/{name}`
    RemoveVolume,
    /// `POST /volumes/prune`
    PruneVolumes,
}

impl Operation {
    /// Every operation, for tables and tests.
    pub const ALL: &'static [Self] = &[
        Self::Ping,
        Self::Version,
        Self::Info,
        Self::DiskUsage,
        Self::Events,
        Self::ImageExists,
        Self::ListImages,
        Self::ImportImage,
        Self::PullImage,
        Self::InspectImage,
        Self::TagImage,
        Self::RemoveImage,
        Self::PruneImages,
        Self::Create,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Kill,
        Self::Pause,
        Self::Unpause,
        Self::Rename,
        Self::Update,
        Self::Inspect,
        Self::List,
        Self::Wait,
        Self::Logs,
        Self::Stats,
        Self::StatsStream,
        Self::Top,
        Self::Changes,
        Self::PutArchive,
        Self::GetArchive,
        Self::StatPath,
        Self::Exec,
        Self::StartExec,
        Self::InspectExec,
        Self::ResizeExec,
        Self::Attach,
        Self::Resize,
        Self::Remove,
        Self::PruneContainers,
        Self::CreateNetwork,
        Self::InspectNetwork,
        Self::ListNetworks,
        Self::ConnectNetwork,
        Self::DisconnectNetwork,
        Self::RemoveNetwork,
        Self::PruneNetworks,
        Self::CreateVolume,
        Self::InspectVolume,
        Self::ListVolumes,
        Self::RemoveVolume,
        Self::PruneVolumes,
    ];

    /// A stable, lower-case label: `list_images`.
    ///
    /// ```
    /// assert_eq!(catamaran::Operation::ListImages.as_str(), "list_images");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Version => "version",
            Self::Info => "info",
            Self::DiskUsage => "disk_usage",
            Self::Events => "events",
            Self::ImageExists => "image_exists",
            Self::ListImages => "list_images",
            Self::ImportImage => "import_image",
            Self::PullImage => "pull_image",
            Self::InspectImage => "inspect_image",
            Self::TagImage => "tag_image",
            Self::RemoveImage => "remove_image",
            Self::PruneImages => "prune_images",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Rename => "rename",
            Self::Update => "update",
            Self::Inspect => "inspect",
            Self::List => "list",
            Self::Wait => "wait",
            Self::Logs => "logs",
            Self::Stats => "stats",
            Self::StatsStream => "stats_stream",
            Self::Top => "top",
            Self::Changes => "changes",
            Self::PutArchive => "put_archive",
            Self::GetArchive => "get_archive",
            Self::StatPath => "stat_path",
            Self::Exec => "exec",
            Self::StartExec => "start_exec",
            Self::InspectExec => "inspect_exec",
            Self::ResizeExec => "resize_exec",
            Self::Attach => "attach",
            Self::Resize => "resize",
            Self::Remove => "remove",
            Self::PruneContainers => "prune_containers",
            Self::CreateNetwork => "create_network",
            Self::InspectNetwork => "inspect_network",
            Self::ListNetworks => "list_networks",
            Self::ConnectNetwork => "connect_network",
            Self::DisconnectNetwork => "disconnect_network",
            Self::RemoveNetwork => "remove_network",
            Self::PruneNetworks => "prune_networks",
            Self::CreateVolume => "create_volume",
            Self::InspectVolume => "inspect_volume",
            Self::ListVolumes => "list_volumes",
            Self::RemoveVolume => "remove_volume",
            Self::PruneVolumes => "prune_volumes",
        }
    }

    /// Whether it changes nothing at the engine.
    ///
    /// ```
    /// use catamaran::Operation;
    /// assert!(Operation::Inspect.is_read_only());
    /// assert!(!Operation::Update.is_read_only());
    /// ```
    #[must_use]
    pub const fn is_read_only(self) -> bool {
        self.is_idempotent()
            && !matches!(
                self,
                Self::Update
                    | Self::PullImage
                    | Self::TagImage
                    | Self::PutArchive
                    | Self::ResizeExec
                    | Self::Resize
            )
    }

    /// Whether it takes as long as a container, a registry or an archive does: only the caller's own time bounds it.
    pub(crate) const fn is_open_ended(self) -> bool {
        matches!(
            self,
            Self::Wait | Self::PullImage | Self::PutArchive | Self::GetArchive
        )
    }

    /// Whether the first attempt to begin it has all of the call's time, though it may be repeated.
    pub(crate) const fn has_all_the_time(self) -> bool {
        matches!(self, Self::Logs | Self::Events)
    }

    /// Whether doing it twice has the effect *and the answer* of doing it once, so that a call whose
    /// outcome is unknown may be sent again.
    ///
    /// `start` isn't: a container that has done its work and ended meanwhile would do it a second time.
    /// Nor is `stop`: a second signal makes many programs quit at once. `pause`, `remove` or `rename`
    /// have the same effect, but their second answer is a refusal that the caller would take for the
    /// outcome; so it is with networks, and with the removal of volumes. A second prune would tell
    /// nothing of what the first removed. A pull is: it goes on from the layers that are there, and ends
    /// the same. So is an archive that is put: its files are there as they came, whoever wrote them first.
    /// `create`, `exec`, `start_exec`, `kill`, `restart` and `import_image` act again, and so does
    /// `create_volume` without a name; with one, it may be repeated. An `attach` that ended may have ended a
    /// program's input.
    ///
    /// ```
    /// use catamaran::Operation;
    /// assert!(Operation::Update.is_idempotent());
    /// assert!(!Operation::Start.is_idempotent());
    /// ```
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        match self {
            Self::Ping
            | Self::Version
            | Self::Info
            | Self::DiskUsage
            | Self::Events
            | Self::ImageExists
            | Self::ListImages
            | Self::PullImage
            | Self::InspectImage
            | Self::TagImage
            | Self::Update
            | Self::Inspect
            | Self::List
            | Self::Wait
            | Self::Logs
            | Self::Stats
            | Self::StatsStream
            | Self::Top
            | Self::Changes
            | Self::PutArchive
            | Self::GetArchive
            | Self::StatPath
            | Self::InspectExec
            | Self::ResizeExec
            | Self::Resize
            | Self::InspectNetwork
            | Self::ListNetworks
            | Self::InspectVolume
            | Self::ListVolumes => true,
            Self::ImportImage
            | Self::RemoveImage
            | Self::PruneImages
            | Self::Create
            | Self::Start
            | Self::Stop
            | Self::Restart
            | Self::Kill
            | Self::Pause
            | Self::Unpause
            | Self::Rename
            | Self::Exec
            | Self::StartExec
            | Self::Attach
            | Self::Remove
            | Self::PruneContainers
            | Self::CreateNetwork
            | Self::ConnectNetwork
            | Self::DisconnectNetwork
            | Self::RemoveNetwork
            | Self::PruneNetworks
            | Self::CreateVolume
            | Self::RemoveVolume
            | Self::PruneVolumes => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskUsage => f.write_str("sum up disk usage"),
            Self::Events => f.write_str("read events"),
            Self::ImageExists => f.write_str("look for image"),
            Self::ListImages => f.write_str("list images"),
            Self::ImportImage => f.write_str("import image"),
            Self::PullImage => f.write_str("pull image"),
            Self::InspectImage => f.write_str("inspect image"),
            Self::TagImage => f.write_str("tag image"),
            Self::RemoveImage => f.write_str("remove image"),
            Self::PutArchive => f.write_str("put archive into"),
            Self::GetArchive => f.write_str("get archive from"),
            Self::StatPath => f.write_str("look at a path in"),
            Self::StartExec => f.write_str("start exec"),
            Self::InspectExec => f.write_str("inspect exec"),
            Self::ResizeExec => f.write_str("resize exec's terminal"),
            Self::Attach => f.write_str("attach to"),
            Self::Resize => f.write_str("resize terminal of"),
            Self::StatsStream => f.write_str("stream stats"),
            Self::PruneContainers => f.write_str("prune containers"),
            Self::CreateNetwork => f.write_str("create network"),
            Self::InspectNetwork => f.write_str("inspect network"),
            Self::ListNetworks => f.write_str("list networks"),
            Self::ConnectNetwork => f.write_str("connect to network"),
            Self::DisconnectNetwork => f.write_str("disconnect from network"),
            Self::RemoveNetwork => f.write_str("remove network"),
            Self::PruneNetworks => f.write_str("prune networks"),
            Self::CreateVolume => f.write_str("create volume"),
            Self::InspectVolume => f.write_str("inspect volume"),
            Self::ListVolumes => f.write_str("list volumes"),
            Self::RemoveVolume => f.write_str("remove volume"),
            Self::PruneVolumes => f.write_str("prune volumes"),
            Self::PruneImages => f.write_str("prune images"),
            other => f.write_str(other.as_str()),
        }
    }
}
