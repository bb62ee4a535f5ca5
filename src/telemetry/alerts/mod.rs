//! Alerts: what somebody should know of, told once when it begins and once when it is over.
//!
//! | To | take |
//! |---|---|
//! | tell the backend and the sessions where to | [`Alerts`] |
//! | set from when on they are raised | [`AlertOptions`] |
//! | hear of them as a stream, or at once | [`Alerts::subscribe`], [`Alerts::on_alert`] |
//! | see which there are | [`Alerts::active`] |
//! | know what one means, and what to do | [`AlertKind`], `docs/runbook.md` |
//!
//! What lasts, as an open breaker, is raised and recovers. What merely happens, as an engine's restart, is told, and is over
//! when it hasn't happened again for a while ([`AlertOptions::event_window`]); so is what is judged by a share or a p95, which may come
//! and go. In between neither is told again, only
//! counted, unless [`AlertOptions::repeat`] says so. Each that is told is a line in the log, too.
//!
//! `docs/prometheus/alerts.yml` has the same alerts as rules for Prometheus, which hold where the service itself can't tell any
//! more. Those of limits, orphans and the audit rest on what [`Alerts`] of the process have counted.
//!
//! ```
//! use std::sync::Arc;
//! use catamaran::telemetry::alerts::{Alert, AlertKind, AlertOptions, AlertState, Alerts};
//!
//! let alerts = Alerts::new(AlertOptions::default());
//! alerts.on_alert(Arc::new(|alert: &Alert| {
//!     if alert.state == AlertState::Raised {
//!         println!("call somebody: {alert}");
//!     }
//! }));
//! alerts.raise(AlertKind::BreakerOpen, Some("async"), "5 attempts in a row have failed");
//! assert_eq!(alerts.active().len(), 1);
//! alerts.recover(AlertKind::BreakerOpen, Some("async"), "a probe has succeeded");
//! assert!(alerts.active().is_empty());
//! ```

mod active;
mod alert;
mod bus;
mod options;
#[cfg(test)]
mod tests;

pub use alert::{Alert, AlertEvents, AlertKind, AlertNotice, AlertSeverity, AlertState};
pub use bus::Alerts;
pub use options::AlertOptions;
