//! The crate's one error: what kind, doing what, to which object, through which engine, and what is
//! known of the effect.

mod effect;
mod kind;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::engine_kind::EngineKind;
use crate::operation::Operation;

pub use effect::Effect;
pub use kind::ErrorKind;

/// The result of every fallible call in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    effect: Effect,
    operation: Option<Operation>,
    engine: Option<EngineKind>,
    first_failure: Option<Error>,
    subject: Option<String>,
    endpoint: Option<Arc<str>>,
    field: Option<&'static str>,
    status: Option<u16>,
    exit_code: Option<i64>,
    retry_after: Option<Duration>,
    message: String,
    advice: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

/// A failed call: its kind, the operation, the object, the engine, and what is known of the effect.
///
/// `Display` is one line, made for a log; the alternate form (`{:#}`) appends the chain of causes.
/// The error is one pointer wide, so that results stay small.
///
/// ```
/// use catamaran::{Effect, ErrorKind, model};
///
/// let error = model::ContainerRef::new("../volumes/x").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert_eq!(error.effect(), Effect::NotSent);
/// ```
///
/// A clone shares the causes: one failure may be told to all who wait for the same thing.
#[derive(Clone)]
pub struct Error(Box<Inner>);

impl Error {
    /// A new error of this kind. The effect follows from the kind where the kind decides it, and is
    /// [`Effect::Unknown`] elsewhere; [`with_effect`](Self::with_effect) says better.
    ///
    /// Public for implementors of [`ContainerBackend`](crate::ContainerBackend), such as test doubles.
    ///
    /// ```
    /// use catamaran::{Effect, Error, ErrorKind, Operation};
    ///
    /// let error = Error::new(ErrorKind::Connect, "the socket is gone").with_operation(Operation::Start);
    /// assert_eq!(error.effect(), Effect::NotSent);
    /// assert_eq!(error.operation(), Some(Operation::Start));
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        use ErrorKind as K;
        let effect = match kind {
            K::InvalidInput
            | K::Config
            | K::Unsupported
            | K::Connect
            | K::Saturated
            | K::Unavailable => Effect::NotSent,
            K::OutputLost => Effect::Done,
            K::NotFound | K::Conflict | K::Denied | K::Refused | K::Engine => Effect::Rejected,
            _ => Effect::Unknown,
        };
        Self(Box::new(Inner {
            kind,
            effect,
            operation: None,
            engine: None,
            first_failure: None,
            subject: None,
            endpoint: None,
            field: None,
            status: None,
            exit_code: None,
            retry_after: None,
            message: message.into(),
            advice: None,
            source: None,
        }))
    }

    /// An argument that can't be right, named by its field.
    #[must_use]
    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::InvalidInput, message);
        error.0.field = Some(field);
        error
    }

    /// A wish that can't be expressed, named by its field.
    #[must_use]
    pub(crate) fn unsupported(field: &'static str, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Unsupported, message);
        error.0.field = Some(field);
        error
    }

    /// Names the field at fault.
    #[must_use]
    pub(crate) fn with_field(mut self, field: &'static str) -> Self {
        self.0.field = Some(field);
        self
    }

    /// Says something more.
    #[must_use]
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.0.message.push_str("; ");
        self.0.message.push_str(more);
        self
    }

    /// The engine's answer with a status outside 2xx.
    #[must_use]
    pub(crate) fn answered(status: u16, message: impl Into<String>) -> Self {
        let kind = match status {
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            401 | 403 => ErrorKind::Denied,
            400..=499 => ErrorKind::Refused,
            500..=599 => ErrorKind::Engine,
            _ => ErrorKind::Decode,
        };
        let mut error = Self::new(kind, message);
        error.0.status = Some(status);
        error
    }

    /// Reads the engine's answer better than its status says it.
    #[must_use]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Says what went wrong, where the answer had no words for it.
    #[must_use]
    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Says what is known of the effect.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// Names the operation, where none is named yet.
    #[must_use]
    pub fn with_operation(mut self, operation: Operation) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Names the engine, where none is named yet.
    #[must_use]
    pub fn with_engine(mut self, engine: EngineKind) -> Self {
        self.0.engine.get_or_insert(engine);
        self
    }

    /// Names the object (container, image, exec …) that the call was about, where none is named yet.
    #[must_use]
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        if self.0.subject.is_none() {
            self.0.subject = Some(subject.into());
        }
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Says what the reader can do next.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    pub(crate) fn with_endpoint(mut self, endpoint: &Arc<str>) -> Self {
        if self.0.endpoint.is_none() {
            self.0.endpoint = Some(Arc::clone(endpoint));
        }
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn with_exit_code(mut self, exit_code: Option<i64>) -> Self {
        self.0.exit_code = exit_code;
        self
    }

    /// Whether it was refused with a status that comes from something between us and the engine, too, which can't know
    /// what the engine has done (502, 503, 504).
    pub(crate) fn is_gateways(&self) -> bool {
        self.effect() == Effect::Rejected && matches!(self.status(), Some(502..=504))
    }

    /// Says what was being done, where what failed was a step of it.
    #[must_use]
    pub(crate) fn while_at(mut self, operation: Operation) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Puts this failure after the first of the same call.
    pub(crate) fn after(mut self, first: Self) -> Self {
        self.0.first_failure = Some(first);
        self
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is known of the effect.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The engine that failed; `None` where the call never came to one.
    #[must_use]
    pub fn engine(&self) -> Option<EngineKind> {
        self.0.engine
    }

    /// The failure of the path that was tried before this one, where a
    /// [`HybridBackend`](crate::HybridBackend) fell back and that failed too.
    #[must_use]
    pub fn first_failure(&self) -> Option<&Self> {
        self.0.first_failure.as_ref()
    }

    /// The container, image, exec, network or volume that the call was about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// Where the engine was looked for, as in `unix:///var/run/docker.sock`.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.0.endpoint.as_deref()
    }

    /// The argument or setting at fault, as in `resources.memory`.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.0.field
    }

    /// The HTTP status that the engine answered with.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How the command ended whose output was lost.
    #[must_use]
    pub fn exit_code(&self) -> Option<i64> {
        self.0.exit_code
    }

    /// How long to wait before the next try: as the engine asked (`Retry-After`), until a path that is left alone is tried
    /// again ([`Unavailable`](ErrorKind::Unavailable)), or until there may be room ([`Saturated`](ErrorKind::Saturated)).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The message alone: the engine's own words where it answered.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next, where there is something to say.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// Shorthand for [`ErrorKind::is_path_failure`] of this error's kind.
    #[must_use]
    pub fn is_path_failure(&self) -> bool {
        self.0.kind.is_path_failure()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(operation) = inner.operation {
            write!(f, "{operation}")?;
            if let Some(subject) = &inner.subject {
                write!(f, " {subject}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", inner.kind)?;
        if let Some(status) = inner.status {
            write!(f, " ({status})")?;
        }
        if let Some(field) = inner.field {
            write!(f, " [{field}]")?;
        }
        if !inner.message.is_empty() {
            write!(f, ": {}", inner.message)?;
        }
        match (inner.engine, &inner.endpoint) {
            (Some(engine), Some(endpoint)) => write!(f, " ({engine} engine, {endpoint})")?,
            (Some(engine), None) => write!(f, " ({engine} engine)")?,
            (None, Some(endpoint)) => write!(f, " ({endpoint})")?,
            (None, None) => {}
        }
        // Rejected is already said by the status; the other two decide what may be done again.
        let changes = inner
            .operation
            .is_some_and(|operation| !operation.is_read_only());
        if changes && inner.effect != Effect::Rejected {
            write!(f, "; {}", inner.effect)?;
        }
        if let Some(advice) = &inner.advice {
            write!(f, "; {advice}")?;
        }
        if let Some(first) = &inner.first_failure {
            f.write_str("; before that: ")?;
            fmt::Display::fmt(first, f)?; // in the form that this error is asked for
        }
        if f.alternate() {
            let mut cause = self.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn says_what_where_and_what_next_in_one_line() {
        let error = Error::new(ErrorKind::Timeout, "no answer within 30s")
            .with_operation(Operation::Stop)
            .with_subject("container web")
            .with_engine(EngineKind::Async)
            .with_endpoint(&Arc::from("unix:///run/docker.sock"))
            .with_advice("inspect it before repeating");
        assert_eq!(
            error.to_string(),
            "stop container web: timed out: no answer within 30s (async engine, \
             unix:///run/docker.sock); it may have happened; inspect it before repeating"
        );
    }

    #[test]
    fn alternate_form_appends_the_causes() {
        let cause = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "permission denied");
        let error = Error::new(ErrorKind::Connect, "").with_source(cause);
        assert_eq!(format!("{error:#}"), "cannot connect: permission denied");
        assert_eq!(error.to_string(), "cannot connect");
    }

    #[test]
    fn statuses_become_kinds_and_effects() {
        use ErrorKind as K;
        for (status, kind, effect) in [
            (400, K::Refused, Effect::Rejected),
            (401, K::Denied, Effect::Rejected),
            (404, K::NotFound, Effect::Rejected),
            (409, K::Conflict, Effect::Rejected),
            (500, K::Engine, Effect::Rejected),
            (503, K::Engine, Effect::Rejected),
            (302, K::Decode, Effect::Unknown),
        ] {
            let error = Error::answered(status, "x");
            assert_eq!((error.kind(), error.effect()), (kind, effect), "{status}");
            assert_eq!(error.status(), Some(status));
        }
    }
}
