//! The calls whose only answer is a status.

use http::Method;

use super::Call;
use super::query::Query;
use crate::model::{ContainerName, ContainerRef, Signal};
use crate::operation::Operation;

/// A call that changes a container and is answered by a status alone.
#[derive(Debug, Clone)]
pub enum Command {
    Start,
    Stop { seconds: Option<i32> },
    Restart { seconds: Option<i32> },
    Kill { signal: Signal },
    Pause,
    Unpause,
    Rename { name: ContainerName },
    Remove { force: bool, volumes: bool },
}

impl Command {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Start => Operation::Start,
            Self::Stop { .. } => Operation::Stop,
            Self::Restart { .. } => Operation::Restart,
            Self::Kill { .. } => Operation::Kill,
            Self::Pause => Operation::Pause,
            Self::Unpause => Operation::Unpause,
            Self::Rename { .. } => Operation::Rename,
            Self::Remove { .. } => Operation::Remove,
        }
    }

    /// The request that bollard's method sends too; a test holds the two against each other.
    pub(crate) fn call(&self, container: &ContainerRef) -> Call {
        if let Self::Remove { force, volumes } = self {
            let path = Query::new(format!("/containers/{container}"))
                .with("v", volumes)
                .with("force", force)
                .with("link", false);
            return Call::new(Method::DELETE, path.finish());
        }
        let path = Query::new(format!(
            "/containers/{container}/{}",
            self.operation().as_str()
        ));
        Call::post(
            match self {
                Self::Stop { seconds } | Self::Restart { seconds } => path.with_some("t", *seconds),
                Self::Kill { signal } => path.with("signal", signal),
                Self::Rename { name } => path.with("name", name),
                _ => path,
            }
            .finish(),
        )
    }
}
