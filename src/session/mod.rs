//! Sessions: a container for each user, job or agent, ready in milliseconds, there after the host's death, and gone when nobody
//! needs it.
//!
//! | To | take |
//! |---|---|
//! | open, find and close sessions | [`SessionManager`] |
//! | say what a session shall be | [`SessionSpec`], [`Lifecycle`], [`Ready`], [`Loosening`] |
//! | use one | [`Session`] |
//! | know why one couldn't be opened | [`OpenFailure`] |
//! | bound how many there are | [`SessionLimits`] |
//! | have them ready before anybody asks | [`PoolOptions`] |
//! | know what happens to them | [`SessionEvents`], [`SessionNotice`], [`Change`] |
//!
//! How a session lives, what is guaranteed and what isn't: `docs/sessions.md`.

mod admission;
mod adopt;
mod belongings;
mod builder;
mod close;
mod environment;
mod failure;
mod find;
mod handle;
mod hardening;
mod info;
mod key;
mod lifecycle;
mod limits;
mod log;
mod looks;
mod making;
mod managed;
mod manager;
mod notice;
mod open;
mod opening;
mod ownership;
mod pool;
mod pulse;
mod ready;
mod refill;
mod resources;
mod resume;
mod roster;
mod shutdown;
mod spec;
mod strays;
mod upkeep;
mod verified;
mod watcher;
mod written;

pub use admission::{OwnerUsage, Usage};
pub use builder::SessionManagerBuilder;
pub use failure::{OpenFailure, Phase};
pub use handle::{Activity, ScopedSession, Session};
pub use hardening::Loosening;
pub use info::SessionInfo;
pub use key::SessionKey;
pub use lifecycle::{Lifecycle, Restart};
pub use limits::SessionLimits;
pub use managed::SessionState;
pub use manager::SessionManager;
pub use notice::{Change, SessionEvent, SessionEvents, SessionNotice};
pub use opening::{Opening, Origin, Timings};
pub use pool::{PoolOptions, PoolStatus};
pub use ready::{HttpReady, Ready};
pub use resources::ResourceWatch;
pub use shutdown::Shutdown;
pub use spec::{OwnNetwork, SessionSpec, Setup};
pub use upkeep::{ReapOptions, ReapReport};
pub(crate) use written::OWN as OWN_LABELS;
