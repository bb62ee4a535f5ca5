//! Who may have one more session, and who may open it now.

mod quota;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use super::limits::SessionLimits;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::policy::{Bounds, Limit, Permit, Share};
pub(crate) use quota::Needs;
use quota::{Claim, Quotas};
pub use usage::{OwnerUsage, Usage};

/// The places of all sessions, the quotas of their owners, and the turns of those that are opened.
#[derive(Debug, Clone)]
pub(crate) struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quotas: Arc<Quotas>,
    places: Arc<Limit>,
    turns: Arc<Limit>,
}

/// A session's place, for as long as it lives; free again when dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    _claim: Claim,
    _place: Permit,
}

/// Leave to open a session, for as long as that takes; it comes back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: Permit,
}

impl Admission {
    /// For limits that have been validated.
    pub(crate) fn new(limits: &SessionLimits) -> Self {
        let limit = |what, setting, size, share| {
            Limit::new(Bounds {
                what,
                setting,
                size,
                queue: limits.queue,
                longest: limits.queue_time,
                share,
            })
        };
        Self(Arc::new(Inner {
            quotas: Quotas::new(limits),
            places: limit(
                "sessions are there",
                "limits.sessions",
                limits.sessions,
                Share::All,
            ),
            turns: limit(
                "sessions are being opened",
                "limits.opens",
                limits.opens,
                Share::LeavingRoom,
            ),
        }))
    }

    /// A place for one more session of this owner.
    ///
    /// Its quota is claimed first, and kept while it waits: whoever comes to its turn has a quota that allows it, so that
    /// nobody who waits is in another's way.
    ///
    /// # Errors
    /// `InvalidInput` for needs that exceed the owner's quota by themselves, or that a quota can't bound; `Saturated` where
    /// the owner's quota is used up, or its turn doesn't come in time.
    ///
    /// # Cancel safety
    /// Dropped, it leaves the queue; a place that it was given just then goes to the next.
    pub(crate) async fn admit(
        &self,
        owner: &Arc<str>,
        needs: Needs,
        deadline: Deadline,
    ) -> Result<Admitted> {
        let claim = self.0.quotas.claim(owner, needs)?;
        let place = self.0.places.turn(Some(owner), deadline).await?;
        Ok(Admitted {
            _claim: claim,
            _place: place,
        })
    }

    /// A place for a session that is there anyway: never refused, whatever the limits say.
    pub(crate) fn readmit(&self, owner: &Arc<str>, needs: Needs) -> Admitted {
        Admitted {
            _claim: self.0.quotas.take_over(owner, needs),
            _place: self.0.places.take_over(owner),
        }
    }

    /// Leave to open a session now.
    ///
    /// # Errors
    /// `Saturated` where its turn doesn't come in time.
    ///
    /// # Cancel safety
    /// As [`admit`](Self::admit).
    pub(crate) async fn turn(&self, owner: &Arc<str>, deadline: Deadline) -> Result<Turn> {
        let permit = self.0.turns.turn(Some(owner), deadline).await?;
        Ok(Turn { _permit: permit })
    }

    /// Whether somebody opens a session, or waits to.
    pub(crate) fn is_busy(&self) -> bool {
        let (opening, waiting) = self.0.turns.load();
        opening > 0 || waiting > 0 || self.0.places.load().1 > 0
    }

    /// What there is, by owner.
    pub(crate) fn usage(&self) -> Usage {
        let Inner {
            quotas,
            places,
            turns,
        } = &*self.0;
        Usage::of(places.counts(), turns.counts(), quotas.used())
    }
}
