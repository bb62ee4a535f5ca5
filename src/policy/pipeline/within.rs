//! A future within a span.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Span;

/// Runs a future within a span, as `tracing::Instrument` does, which keeps a span of its own and enters it once more to drop
/// what is done: each costs as much as a poll does. What is given up before is dropped outside of it.
pub(super) fn within<F: Future>(span: &Span, future: F) -> Within<'_, F> {
    Within { span, future }
}

pin_project! {
    pub(super) struct Within<'a, F> {
        span: &'a Span,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.span.in_scope(|| this.future.poll(context))
    }
}
