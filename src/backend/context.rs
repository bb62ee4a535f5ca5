//! What goes along with calls.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::Deadline;

/// What goes along with calls and isn't part of what is asked: how long they may take. Given once with
/// [`ContainerBackend::with_context`](super::ContainerBackend::with_context), it holds for every call
/// through that handle.
///
/// ```
/// use std::time::Duration;
/// use catamaran::{CallContext, ContainerBackend};
///
/// async fn quick(backend: &dyn ContainerBackend) -> catamaran::Result<()> {
///     let hurried = backend.with_context(CallContext::new().with_timeout(Duration::from_millis(500)));
///     hurried.ping().await?;
///     Ok(())
/// }
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// How long each call may take, from its first poll to its answer's last byte; `None` is the
    /// configured `operation_timeout`, with its own time on top for `stop`, `restart` and an `exec` with a timeout, and
    /// none for `wait`, a pull and archives, which the latter covers in its beginning alone where they are read. Of
    /// what is read or talked to after the call (a followed log, events, samples, a session) both cover the beginning.
    pub timeout: Option<Duration>,
    /// When all calls must be done; the earlier of the two holds.
    pub deadline: Option<Instant>,
    /// How long one attempt at the engine may take, within the time of the call: from when it is its
    /// turn, so that waiting among other calls isn't taken for a slow engine. For those who try again
    /// elsewhere, as the [`HybridBackend`](crate::HybridBackend) does.
    pub attempt_timeout: Option<Duration>,
    /// Whose calls they are: a user, a session, a tenant. Calls of one key leave room for those of others, see
    /// [`LimitOptions`](crate::LimitOptions); it isn't sent anywhere.
    pub key: Option<Arc<str>>,
    /// The session they belong to: traces and the audit name it, and a [rollout](crate::HybridBackend::set_rollout) serves all its
    /// calls by one engine. It isn't sent anywhere.
    pub session: Option<Arc<str>>,
    /// Who asked for them, as the audit shall name it: a user, a service. It isn't sent anywhere.
    pub actor: Option<Arc<str>>,
    /// They keep the crate's own books (leases): nothing that anybody asked for, so that no audit hears of them.
    pub(crate) keeps_books: bool,
}

impl CallContext {
    /// A context that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long each call may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets when all calls must be done.
    #[must_use]
    pub fn with_deadline(mut self, deadline: impl Into<Option<Instant>>) -> Self {
        self.deadline = deadline.into();
        self
    }

    /// Sets how long one attempt may take.
    #[must_use]
    pub fn with_attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.attempt_timeout = timeout.into();
        self
    }

    /// Says whose calls they are.
    ///
    /// ```
    /// use catamaran::{CallContext, ContainerBackend};
    ///
    /// async fn for_user(backend: &dyn ContainerBackend, user: &str) -> catamaran::Result<()> {
    ///     let theirs = backend.with_context(CallContext::new().with_key(user));
    ///     theirs.ping().await?;
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Names the session that the calls belong to.
    ///
    /// ```
    /// let context = catamaran::CallContext::new().with_key("alice").with_session("alice/notebook");
    /// ```
    #[must_use]
    pub fn with_session(mut self, session: impl Into<Arc<str>>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Says who asked for the calls.
    ///
    /// ```
    /// let context = catamaran::CallContext::new().with_actor("alice@example.org");
    /// ```
    #[must_use]
    pub fn with_actor(mut self, actor: impl Into<Arc<str>>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Says that the calls keep the crate's own books.
    pub(crate) fn keeping_books(mut self) -> Self {
        self.keeps_books = true;
        self
    }

    /// Whose calls they are, without their time: for what outlives them.
    pub(crate) fn of_whom(&self) -> Self {
        Self {
            timeout: None,
            deadline: None,
            attempt_timeout: None,
            ..self.clone()
        }
    }

    /// The caller's own time, from now; none where the caller set none.
    pub(crate) fn own_deadline(&self) -> Deadline {
        Deadline::new(self.timeout, self.deadline)
    }

    /// This context over an older one: what isn't set here stays, and a deadline can only come nearer.
    #[must_use]
    pub fn over(self, older: &Self) -> Self {
        Self {
            timeout: self.timeout.or(older.timeout),
            deadline: match (self.deadline, older.deadline) {
                (Some(new), Some(old)) => Some(new.min(old)),
                (new, old) => new.or(old),
            },
            attempt_timeout: self.attempt_timeout.or(older.attempt_timeout),
            key: self.key.or_else(|| older.key.clone()),
            session: self.session.or_else(|| older.session.clone()),
            actor: self.actor.or_else(|| older.actor.clone()),
            keeps_books: self.keeps_books || older.keeps_books,
        }
    }
}
