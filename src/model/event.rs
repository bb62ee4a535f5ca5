//! What happens at the engine, as it tells.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use futures::stream::BoxStream;

use super::security::word;
use super::spec::label_values;
use super::{ContainerRef, ImageRef, LabelKey};
use crate::error::Result;

engine_words! {
    /// What an event is about.
    ///
    /// ```
    /// use catamaran::model::EventKind;
    ///
    /// assert_eq!(EventKind::from("container"), EventKind::Container);
    /// assert_eq!(EventKind::from("secret").as_str(), "secret");
    /// ```
    EventKind;
    /// Anything else, in the engine's word.
    Other;
    /// A container.
    Container = "container",
    /// An image.
    Image = "image",
    /// A network.
    Network = "network",
    /// A volume.
    Volume = "volume",
    /// The engine itself.
    Daemon = "daemon",
    /// A plugin.
    Plugin = "plugin",
}

engine_words! {
    /// What happened.
    ///
    /// ```
    /// use catamaran::model::EventAction;
    ///
    /// assert_eq!(EventAction::from("die"), EventAction::Die);
    /// assert_eq!(EventAction::from("defrag").as_str(), "defrag");
    /// ```
    EventAction;
    /// Anything else, in the engine's word: Podman says `remove` where Docker says `destroy`.
    Other;
    /// It was made.
    Create = "create",
    /// A container was started.
    Start = "start",
    /// A container was stopped.
    Stop = "stop",
    /// A container was stopped, if it ran, and started.
    Restart = "restart",
    /// A container was sent a signal.
    Kill = "kill",
    /// A container ended; its attribute `exitCode` says how.
    Die = "die",
    /// A process of a container was killed for want of memory.
    Oom = "oom",
    /// A container was frozen.
    Pause = "pause",
    /// A container goes on.
    Unpause = "unpause",
    /// A container got another name.
    Rename = "rename",
    /// A container got other limits.
    Update = "update",
    /// Somebody attached to a container.
    Attach = "attach",
    /// Somebody detached from a container.
    Detach = "detach",
    /// A command was registered in a container.
    ExecCreate = "exec_create",
    /// A command was started in a container.
    ExecStart = "exec_start",
    /// A command in a container ended; its attribute `exitCode` says how.
    ExecDie = "exec_die",
    /// A container's health is another than before; the [`detail`](Event::detail) says which.
    HealthStatus = "health_status",
    /// It was removed.
    Destroy = "destroy",
    /// An image was pulled.
    Pull = "pull",
    /// An image was imported.
    Import = "import",
    /// An image got a name.
    Tag = "tag",
    /// An image lost a name.
    Untag = "untag",
    /// An image was removed.
    Delete = "delete",
    /// A container was put on a network.
    Connect = "connect",
    /// A container was taken off a network.
    Disconnect = "disconnect",
    /// A volume was mounted.
    Mount = "mount",
    /// A volume was unmounted.
    Unmount = "unmount",
    /// What nobody used was removed.
    Prune = "prune",
    /// The engine read its configuration anew.
    Reload = "reload",
}

guarded_map! {
    /// What an engine says of an event's actor: its name, its image, its labels. `Debug` shows the names, and no
    /// value.
    ///
    /// ```
    /// use catamaran::model::EventAttributes;
    ///
    /// let attributes = EventAttributes::from([("name", "web"), ("token", "s3cret")]);
    /// assert_eq!(attributes.get("name"), Some("web"));
    /// assert!(!format!("{attributes:?}").contains("s3cret"));
    /// ```
    EventAttributes of "an attribute", "attributes"
}

/// Something that happened at the engine.
///
/// `Debug` shows no value of an attribute, which may be a label's, and no [`detail`](Self::detail), which may be
/// a command.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub kind: EventKind,
    /// What happened.
    pub action: EventAction,
    /// What the engine says behind the action: the command line of an exec, the status of a health check.
    pub detail: Option<String>,
    /// The id of what it is about; of an image or a volume its name.
    pub actor: String,
    /// What else the engine says of that.
    pub attributes: EventAttributes,
    /// When it happened, by the engine's clock; to the nanosecond, where the engine says it so.
    pub time: Option<SystemTime>,
    /// Whether it is about this engine (`local`) or a swarm.
    pub scope: Option<String>,
}

impl Event {
    /// An event without details; for implementors of a backend.
    #[must_use]
    pub fn new(kind: EventKind, action: EventAction, actor: impl Into<String>) -> Self {
        Self {
            kind,
            action,
            detail: None,
            actor: actor.into(),
            attributes: EventAttributes::default(),
            time: None,
            scope: None,
        }
    }

    setters! {
        /// Sets what is said behind the action.
        with_detail(detail: Option<String>);
        /// Sets what else is said.
        with_attributes(attributes: EventAttributes);
        /// Sets when it happened.
        with_time(time: Option<SystemTime>);
        /// Sets whether it is about this engine or a swarm.
        with_scope(scope: Option<String>);
    }

    /// How much memory it takes.
    pub(crate) fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(key, value)| key.len() + value.len() + 2 * size_of::<String>())
            .sum();
        let texts = [&self.detail, &self.scope].into_iter().flatten();
        let texts: usize = texts.map(String::len).sum();
        let words = self.kind.as_str().len() + self.action.as_str().len() + self.actor.len();
        size_of::<Self>() + attributes + texts + words
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("kind", &self.kind)
            .field("action", &self.action)
            .field("detail", &self.detail.as_ref().map(|_| "…"))
            .field("actor", &self.actor)
            .field("attributes", &self.attributes)
            .field("time", &self.time)
            .field("scope", &self.scope)
            .finish()
    }
}

/// Which events are told. Those of one kind of condition widen each other, labels excepted, and the kinds
/// of condition narrow each other.
///
/// ```
/// use catamaran::model::{EventAction, EventKind, EventsOptions, LabelKey};
///
/// let deaths = EventsOptions::default()
///     .with_kind(EventKind::Container)
///     .with_action(EventAction::Die)
///     .with_action(EventAction::Oom)
///     .with_label(LabelKey::new("owner")?, "alice".to_owned());
/// # let _ = deaths;
/// # Ok::<(), catamaran::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EventsOptions {
    /// Also what happened from this time on, as far as the engine remembers it.
    pub since: Option<SystemTime>,
    /// Only until this time, at which the stream ends.
    pub until: Option<SystemTime>,
    /// Only what is about these kinds of things.
    pub kinds: Vec<EventKind>,
    /// Only what happened so.
    pub actions: Vec<EventAction>,
    /// Only what is about things with all these labels, each with its value where one is given.
    pub labels: BTreeMap<LabelKey, Option<String>>,
    /// Only what is about these containers.
    pub containers: Vec<ContainerRef>,
    /// Only what is about these images, or about containers of theirs.
    pub images: Vec<ImageRef>,
}

debug_by_keys!(EventsOptions { since, until, kinds, actions, containers, images } by keys { labels });

impl EventsOptions {
    setters! {
        /// Tells also what happened from this time on.
        with_since(since: Option<SystemTime>);
        /// Tells only what happens until this time.
        with_until(until: Option<SystemTime>);
    }

    label_conditions! {
        /// Tells only what is about things with this label, with this value where one is given.
        with_label(labels);
    }

    /// Tells what is about this kind of thing (and others named so).
    #[must_use]
    pub fn with_kind(mut self, kind: EventKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Tells what happened so (and otherwise, where named so).
    #[must_use]
    pub fn with_action(mut self, action: EventAction) -> Self {
        self.actions.push(action);
        self
    }

    /// Tells what is about this container (and others named so). Docker takes a name for the beginning
    /// of one; an id in full is nobody else's.
    #[must_use]
    pub fn with_container(mut self, container: impl Into<ContainerRef>) -> Self {
        self.containers.push(container.into());
        self
    }

    /// Tells what is about this image, or about containers of it (and of others named so).
    #[must_use]
    pub fn with_image(mut self, image: ImageRef) -> Self {
        self.images.push(image);
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let graphic = |b: u8| b.is_ascii_graphic();
        for kind in &self.kinds {
            word("events.kinds", kind.as_str(), graphic)?;
        }
        for action in &self.actions {
            word("events.actions", action.as_str(), graphic)?;
        }
        label_values(self.labels.values().flatten())
    }
}

/// What happens at the engine as a stream; dropping it ends the reading.
pub struct EventStream(BoxStream<'static, Result<Event>>);

stream!(EventStream of Event);
