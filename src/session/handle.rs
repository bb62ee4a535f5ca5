//! A session in its user's hands.

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::close;
use super::info::SessionInfo;
use super::key::SessionKey;
use super::managed::{InUse, SessionState};
use super::manager::Shared;
use super::opening::Opening;
use super::roster::Entry;
use crate::backend::{ContainerBackend, ContainerBackendExt};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::model::{
    ContainerPath, ContainerRef, ContainerStats, CopyOptions, CopyReport, ExecOptions, ExecOutput,
    ExecSession, LogStream, LogsOptions, WriteFileOptions,
};

/// A session in its user's hands. Dropped, the session stays; clones are the same session.
///
/// What is done through it counts as use, and while it is being done the session isn't idle; following logs doesn't count. It
/// is this one run of the session: closed and opened again under the same key, that is another session, and what is done through
/// this handle fails as `NotFound`.
///
/// # Errors
/// Commands and files are refused before anything is sent: as `NotFound` where the session is closed or gone, as `Unavailable` where
/// the host's lease couldn't be renewed, as `Conflict` where the host was replaced, and as `Cancelled` where it has ended.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    backend: Arc<dyn ContainerBackend>,
    opening: Opening,
}

impl Session {
    pub(super) fn opened(
        shared: &Arc<Shared>,
        entry: Arc<Entry>,
        opening: Opening,
        actor: Option<&Arc<str>>,
    ) -> Self {
        Self {
            backend: shared.backend_for(&entry.key, actor),
            shared: Arc::clone(shared),
            entry,
            opening,
        }
    }

    /// By what it is found.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        &self.entry.key
    }

    /// Its id, another one each time that its container is made.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.entry.managed.written.id
    }

    /// Its container's id, for what the [backend](Self::backend) can do beside this.
    #[must_use]
    pub fn container(&self) -> &ContainerRef {
        &self.entry.managed.container
    }

    /// The backend, with calls in its owner's name, so that they leave room for those of others.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn ContainerBackend> {
        &self.backend
    }

    /// How it was come by, and how long that took.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// What is known of it now.
    #[must_use]
    pub fn info(&self) -> SessionInfo {
        SessionInfo::of(&self.entry)
    }

    /// Begins to use it, where it is there and this manager's.
    fn in_use(&self) -> Result<InUse> {
        let managed = &self.entry.managed;
        let there = self.shared.roster.entry_of(managed).is_some();
        if !there || managed.state() == SessionState::Gone {
            let message = format!("session {} is closed, or another instance's", self.key());
            return Err(Error::new(ErrorKind::NotFound, message)
                .with_effect(Effect::NotSent)
                .with_subject(self.key().to_string())
                .with_advice("open it again"));
        }
        self.shared.holds(managed)?;
        Ok(InUse::begin(managed))
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// As [`ContainerBackend::exec`]; what [refuses](Self#errors) a session's calls.
    ///
    /// # Cancel safety
    /// As [`ContainerBackend::exec`].
    pub async fn exec(&self, options: &ExecOptions) -> Result<ExecOutput> {
        let _in_use = self.in_use()?;
        self.backend.exec(self.container(), options).await
    }

    /// Begins a command and talks to it. While it goes on the session isn't idle as long as it is
    /// [touched](Self::touch) now and then: hold what this gives together with the command's session.
    ///
    /// # Errors
    /// As [`ContainerBackend::start_exec`]; what [refuses](Self#errors) a session's calls.
    ///
    /// # Cancel safety
    /// As [`ContainerBackend::start_exec`].
    pub async fn start_exec(&self, options: &ExecOptions) -> Result<(ExecSession, Activity)> {
        let in_use = self.in_use()?;
        let exec = self.backend.start_exec(self.container(), options).await?;
        Ok((exec, Activity { _in_use: in_use }))
    }

    /// Says that the session is in use for as long as what this gives is held: by a connection that is relayed to it, say.
    ///
    /// # Errors
    /// What [refuses](Self#errors) a session's calls.
    pub fn activity(&self) -> Result<Activity> {
        Ok(Activity {
            _in_use: self.in_use()?,
        })
    }

    /// What its program has written, as the engine kept it.
    ///
    /// # Errors
    /// As [`ContainerBackend::logs`].
    ///
    /// # Cancel safety
    /// As [`ContainerBackend::logs`].
    pub async fn logs(&self, options: &LogsOptions) -> Result<LogStream> {
        self.backend.logs(self.container(), options).await
    }

    /// What its program writes, over lost connections.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::follow_logs`].
    ///
    /// # Cancel safety
    /// As [`ContainerBackendExt::follow_logs`].
    pub async fn follow_logs(&self, options: &LogsOptions) -> Result<LogStream> {
        self.backend.follow_logs(self.container(), options).await
    }

    /// What it uses.
    ///
    /// # Errors
    /// As [`ContainerBackend::stats`].
    ///
    /// # Cancel safety
    /// As [`ContainerBackend::stats`].
    pub async fn stats(&self) -> Result<ContainerStats> {
        self.backend.stats(self.container()).await
    }

    /// Writes a file.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::write_file`]; what [refuses](Self#errors) a session's calls.
    ///
    /// # Cancel safety
    /// As [`ContainerBackendExt::write_file`].
    pub async fn write_file(&self, path: &ContainerPath, content: impl Into<Bytes>) -> Result<()> {
        let (_in_use, content) = (self.in_use()?, content.into());
        let options = WriteFileOptions::default();
        self.backend
            .write_file(self.container(), path, content, &options)
            .await
    }

    /// Reads a file of at most so many bytes.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::read_file`]; what [refuses](Self#errors) a session's calls.
    ///
    /// # Cancel safety
    /// As [`ContainerBackendExt::read_file`].
    pub async fn read_file(&self, path: &ContainerPath, max_bytes: u64) -> Result<Bytes> {
        let _in_use = self.in_use()?;
        self.backend
            .read_file(self.container(), path, max_bytes)
            .await
    }

    /// Copies a file or a directory of this machine into it.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::copy_in`]; what [refuses](Self#errors) a session's calls.
    ///
    /// # Cancel safety
    /// As [`ContainerBackendExt::copy_in`].
    pub async fn copy_in(
        &self,
        from: &Path,
        to: &ContainerPath,
        options: &CopyOptions,
    ) -> Result<CopyReport> {
        let _in_use = self.in_use()?;
        self.backend
            .copy_in(self.container(), from, to, options)
            .await
    }

    /// Copies a file or a directory of it to this machine.
    ///
    /// # Errors
    /// As [`ContainerBackendExt::copy_out`]; what [refuses](Self#errors) a session's calls.
    ///
    /// # Cancel safety
    /// As [`ContainerBackendExt::copy_out`].
    pub async fn copy_out(
        &self,
        from: &ContainerPath,
        to: &Path,
        options: &CopyOptions,
    ) -> Result<CopyReport> {
        let _in_use = self.in_use()?;
        self.backend
            .copy_out(self.container(), from, to, options)
            .await
    }

    /// Says that it is in use: from now it has its idle timeout again.
    pub fn touch(&self) {
        self.entry.managed.touch();
    }

    /// Lets it live longer than its [`max_age`](super::Lifecycle::max_age) says, and says in how long it is too old then; nothing
    /// where it never is. Kept in this process alone: once another instance has adopted it, its age counts from its creation.
    pub fn extend(&self, by: Duration) -> Option<Duration> {
        let mut life = self.entry.managed.life();
        life.expires = life.expires.and_then(|at| at.checked_add(by));
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        life.expires.map(left)
    }

    /// Closes it, unless its key is another session's by now; false where it was gone.
    ///
    /// # Errors
    /// As [`SessionManager::close`](super::SessionManager::close).
    ///
    /// # Cancel safety
    /// As [`SessionManager::close`](super::SessionManager::close).
    pub async fn close(&self) -> Result<bool> {
        let _turn = self.shared.roster.wait_turn(self.key()).await;
        match self.shared.roster.entry_of(&self.entry.managed) {
            Some(entry) => close::close_held(&self.shared, &self.backend, &entry)
                .await
                .map(|()| true),
            None => Ok(false),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key", self.key())
            .field("container", self.container())
            .field("state", &self.entry.managed.state())
            .finish_non_exhaustive()
    }
}

/// A session is in use as long as this is held.
#[derive(Debug)]
#[must_use = "the session counts as in use until this is dropped"]
pub struct Activity {
    _in_use: InUse,
}

/// A session that is closed when this goes out of scope, however that ends; made by
/// [`open_scoped`](super::SessionManager::open_scoped). It derefs to the [`Session`].
///
/// [`end`](Self::end) closes it and says whether that worked. Dropped instead, its container is removed in the background, as a
/// [`ContainerGuard`](crate::ContainerGuard)'s.
#[must_use = "the session is closed when this is dropped"]
pub struct ScopedSession {
    session: Session,
    armed: bool,
}

impl ScopedSession {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            armed: true,
        }
    }

    /// Closes it; one that is gone already is no error.
    ///
    /// # Errors
    /// As [`Session::close`]; it is removed in the background then.
    ///
    /// # Cancel safety
    /// Safe: dropped, it is closed in the background.
    pub async fn end(mut self) -> Result<()> {
        self.session.close().await?;
        self.armed = false;
        Ok(())
    }

    /// Lets it live on.
    pub fn keep(mut self) -> Session {
        self.armed = false;
        self.session.clone()
    }
}

impl Deref for ScopedSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl fmt::Debug for ScopedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedSession").field(&self.session).finish()
    }
}

impl Drop for ScopedSession {
    fn drop(&mut self) {
        let Session {
            shared,
            entry,
            backend,
            ..
        } = &self.session;
        if !self.armed || shared.roster.entry_of(&entry.managed).is_none() {
            return;
        }
        close::abandon(shared, backend, entry);
    }
}
