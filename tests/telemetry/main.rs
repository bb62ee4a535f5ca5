//! What tells how it goes, over the fake engine: health, alerts, the rollout, the shadow and the audit.

mod alerts;
mod audited;
mod health;
mod names;
mod rollout;
mod shadow;
mod stage;
