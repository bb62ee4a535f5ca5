//! One check, and all of them.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::CHECKS;
use super::differences::{Difference, Known};
use crate::backend::ContainerBackend;
use crate::model::ImageRef;
use crate::operation::Operation;

type Run = for<'a> fn(&'a dyn ContainerBackend, &'a ImageRef) -> BoxFuture<'a, ()>;

/// One promise, as a check that can be run on any backend.
pub struct Check {
    name: &'static str,
    operations: &'static [Operation],
    run: Run,
}

impl Check {
    pub(super) const fn new(
        name: &'static str,
        operations: &'static [Operation],
        run: Run,
    ) -> Self {
        Self {
            name,
            operations,
            run,
        }
    }

    /// Its name, that of its function.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The operations whose promises it checks. It uses others too.
    #[must_use]
    pub const fn operations(&self) -> &'static [Operation] {
        self.operations
    }

    /// Runs it.
    ///
    /// # Panics
    /// Where the backend doesn't keep the promise, and the engine isn't known to differ so
    /// ([`DIFFERENCES`](super::DIFFERENCES)); and where it keeps a promise that it is known not to.
    pub async fn run(&self, backend: &dyn ContainerBackend, image: &ImageRef) {
        let known = Known::of(self.name, backend).await;
        let ran = AssertUnwindSafe((self.run)(backend, image)).catch_unwind();
        let panic = ran.await.err();
        let (failure, _) = known.judge(panic.as_deref().map(said));
        match (failure, panic) {
            (None, _) => {}
            (Some(_), Some(panic)) => resume_unwind(panic),
            (Some(failure), None) => panic!("{}: {failure}", self.name),
        }
    }

    /// Runs it, and tells how it went.
    pub async fn outcome(
        &'static self,
        backend: &dyn ContainerBackend,
        image: &ImageRef,
    ) -> Outcome {
        let began = Instant::now();
        let known = Known::of(self.name, backend).await;
        let ran = AssertUnwindSafe((self.run)(backend, image)).catch_unwind();
        let failure = ran.await.err().map(|panic| said(&*panic));
        let (failure, difference) = known.judge(failure);
        Outcome {
            check: self,
            failure,
            difference,
            took: began.elapsed(),
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}

/// How a check went.
#[non_exhaustive]
#[derive(Debug)]
pub struct Outcome {
    /// The check.
    pub check: &'static Check,
    /// What was expected and didn't come; `None` where the promise is kept, or the engine differs as it is known to.
    pub failure: Option<String>,
    /// How the engine is known to differ, where it does: the check has failed as it does there.
    pub difference: Option<&'static Difference>,
    /// How long it took.
    pub took: Duration,
}

/// The check of that name.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn check(name: &str) -> &'static Check {
    let found = CHECKS.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("there is a check {name}"))
}

/// Runs every check, one after another, and tells how each went. Needs panics that unwind.
///
/// ```no_run
/// use catamaran::{ContainerBackend, conformance, model::ImageRef};
///
/// # async fn example(backend: &dyn ContainerBackend, image: &ImageRef) {
/// for outcome in conformance::report(backend, image).await {
///     let verdict = match (&outcome.failure, outcome.difference) {
///         (Some(_), _) => "FAILED",
///         (None, Some(_)) => "differs",
///         (None, None) => "ok",
///     };
///     println!("{verdict:7} {:6.1?} {}", outcome.took, outcome.check.name());
/// }
/// # }
/// ```
pub async fn report(backend: &dyn ContainerBackend, image: &ImageRef) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(CHECKS.len());
    for check in CHECKS {
        outcomes.push(check.outcome(backend, image).await);
    }
    outcomes
}

/// Runs every check, one after another, to the last.
///
/// # Panics
/// Where one fails, with the names of those that did and what each expected.
pub async fn run_all(backend: &dyn ContainerBackend, image: &ImageRef) {
    let failures: Vec<String> = report(backend, image)
        .await
        .into_iter()
        .filter_map(|outcome| Some(format!("{}: {}", outcome.check.name, outcome.failure?)))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} checks failed\n{}",
        failures.len(),
        CHECKS.len(),
        failures.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_covered() {
        for operation in Operation::ALL {
            assert!(
                CHECKS
                    .iter()
                    .any(|check| check.operations.contains(operation)),
                "no check is about {operation}: add one to src/conformance"
            );
        }
    }

    #[test]
    fn every_check_has_a_name_of_its_own() {
        for known in CHECKS {
            assert!(std::ptr::eq(check(known.name), known), "{}", known.name);
        }
    }
}
