//! Who watches a backend, and what it shows of itself.

use std::sync::Arc;

use super::HybridBackend;
use super::shadow::{Roads, Shadow, ShadowReport};
use crate::backend::{ContainerBackend, janitor};
use crate::deadline::Deadline;
use crate::engine_kind::EngineKind;
use crate::error::Result;
use crate::telemetry::alerts::Alerts;
use crate::telemetry::audit::AuditLog;
use crate::telemetry::{Ground, HealthReport, PROBE};

impl HybridBackend {
    /// Has alerts raised where it goes wrong, for this handle and those made of it: a path that fails, is slow or is left alone,
    /// too many fallbacks, no place for calls, an engine that was away, a container that was made weaker.
    ///
    /// ```
    /// use catamaran::telemetry::alerts::{AlertOptions, Alerts};
    /// # use catamaran::{Config, Endpoint, HybridBackend};
    ///
    /// # let config = Config::builder().endpoint(Endpoint::unix("/run/docker.sock")).build()?;
    /// let alerts = Alerts::new(AlertOptions::default());
    /// let backend = HybridBackend::new(&config)?.with_alerts(&alerts);
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    #[must_use]
    pub fn with_alerts(mut self, alerts: &Alerts) -> Self {
        self.pipeline.telemetry.tell(alerts);
        self
    }

    /// Puts on record what is done through this handle and those made of it, what is removed in the background included: see
    /// [`AuditLog`].
    #[must_use]
    pub fn with_audit(mut self, audit: &AuditLog) -> Self {
        self.pipeline.telemetry.keep(audit);
        self
    }

    /// Has this share of the calls that only look, in percent, also asked of the other engine once the caller has its answer, and
    /// the answers compared: before the rollout is raised, or to watch for drift. Fields that differ are logged and counted by
    /// their names, never their values (`catamaran_shadow_differences_total`); what differs since it has changed meanwhile is
    /// asked for once more, and isn't counted. For this handle and those made of it.
    ///
    /// Compared are `version`, `info`, and the inspects and lists of containers, images, networks and volumes. Few comparisons run
    /// at once, by connections of their own and without permits; what is more is skipped, and no caller waits.
    ///
    /// # Errors
    /// `InvalidInput` for more than 100.
    ///
    /// ```
    /// # use catamaran::{Config, Endpoint, HybridBackend};
    /// # let config = Config::builder().endpoint(Endpoint::unix("/run/docker.sock")).build()?;
    /// let backend = HybridBackend::new(&config)?.with_shadow(1)?;
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn with_shadow(mut self, percent: u8) -> Result<Self> {
        self.shadow = Arc::new(Shadow::new(percent)?);
        Ok(self)
    }

    /// What the shadow has found so far.
    #[must_use]
    pub fn shadow(&self) -> ShadowReport {
        self.shadow.report()
    }

    /// How it is: what is known of both engines, and what a probe of each shows. It takes half a second at most, whatever the
    /// engines and the queues are like.
    ///
    /// # Cancel safety
    /// Safe: nothing is changed.
    pub async fn health(&self) -> HealthReport {
        let road = async {
            let road = self.pipeline.road.as_ref()?;
            let within = Deadline::new(Some(PROBE), None);
            let checked = within.bound(road.check(within, true)).await;
            checked.and_then(|checked| checked).err()
        };
        let (probed, refused) = tokio::join!(self.probes.probe(self.engines()), road);
        for (kind, probed) in EngineKind::BOTH.into_iter().zip(&probed) {
            if probed.answer.is_ok() {
                self.pipeline.answers(kind);
            }
        }
        HealthReport::of(Ground {
            telemetry: &self.pipeline.telemetry,
            probed,
            refused,
            breakers: EngineKind::BOTH.map(|kind| self.breaker(kind)),
            mode: self.mode(),
            rollout: self.rollout(),
            removals: janitor::under_way(),
        })
    }

    /// Whether an answer is to be compared: not those to looks that a call has of itself.
    pub(super) fn compares(&self) -> bool {
        !self.pipeline.looks && !self.pipeline.cleans_up && self.shadow.takes()
    }

    /// Both engines apart from the calls, the one first that has served.
    pub(super) fn roads(&self, served: EngineKind) -> Roads {
        let [by_async, by_blocking] = self.probes.apart(self.engines()).clone();
        let (served, other) = match served {
            EngineKind::Blocking => (by_blocking, by_async),
            _ => (by_async, by_blocking),
        };
        let road = self.pipeline.road.clone();
        Roads {
            served,
            other,
            road,
        }
    }

    fn engines(&self) -> [&Arc<dyn ContainerBackend>; 2] {
        EngineKind::BOTH.map(|kind| &self.pipeline.path(kind).engine)
    }
}
