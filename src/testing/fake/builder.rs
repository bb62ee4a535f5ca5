//! How a fake engine is made.

use std::io;
use std::sync::Arc;

use futures::FutureExt;

use super::images::{self, Image, Images};
use super::machine::{Process, Programs, Tree};
use super::state::{Shared, State};
use super::{FakeEngine, Personality, RegistryImage};
use crate::testing::faults::Faults;
use crate::testing::serve::{Directory, Listen, Server};

/// How a [`FakeEngine`] is made.
#[derive(Debug, Default)]
pub struct FakeEngineBuilder {
    personality: Personality,
    images: Vec<String>,
    registry: Vec<RegistryImage>,
    programs: Programs,
    faults: Faults,
    tcp: bool,
}

impl FakeEngineBuilder {
    /// Whose engine it is like; Docker 28 unless told otherwise.
    #[must_use]
    pub fn personality(mut self, personality: Personality) -> Self {
        self.personality = personality;
        self
    }

    /// An image that is there: the programs of busybox, under this name.
    #[must_use]
    pub fn image(mut self, reference: impl Into<String>) -> Self {
        self.images.push(reference.into());
        self
    }

    /// An image that can be pulled. A registry that has none of these doesn't answer.
    #[must_use]
    pub fn registry_image(mut self, image: RegistryImage) -> Self {
        self.registry.push(image);
        self
    }

    /// A program that containers can run by this name, in any image: an async function whose result is its exit code.
    ///
    /// ```
    /// use catamaran::testing::FakeEngine;
    ///
    /// let builder = FakeEngine::builder().image("python:3").program("python3", |process| async move {
    ///     let told = process.write_stdout("Python, or something like it\n").await;
    ///     i64::from(told.is_err())
    /// });
    /// # let _ = builder;
    /// ```
    #[must_use]
    pub fn program<F>(
        mut self,
        name: impl Into<String>,
        program: impl Fn(Process) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = i64> + Send + 'static,
    {
        let program = Arc::new(move |process| program(process).boxed());
        self.programs.add(name.into(), program);
        self
    }

    /// What goes wrong with its requests.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// At a port of loopback instead of a unix socket.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Starts it, on the current runtime.
    ///
    /// # Errors
    /// Where no socket can be made.
    pub async fn start(self) -> io::Result<FakeEngine> {
        let mut images = Images::default();
        for name in &self.images {
            let tag = images::with_tag(name);
            images.add(Image::new(
                Some(tag),
                Tree::busybox(),
                images::plain_config(),
            ));
        }
        let state = State {
            images,
            ..State::default()
        };
        let shared = Shared::new(self.personality, state, self.registry, self.programs);
        let listen = match self.tcp {
            true => Listen::Loopback,
            false => Listen::Unix(Directory::new()?),
        };
        let server = Server::start(listen, shared, self.faults).await?;
        Ok(FakeEngine { server })
    }
}
