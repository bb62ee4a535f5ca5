//! What stands between a call and an engine, outside in: observers and the host's own parts → deadline → fallback →
//! retry → breaker → limit → attempt. The engines ask the limit themselves, since an attempt begins with its turn.
//!
//! [`pipeline`] stacks the parts and is the only place that does; [`table`] says what becomes of a failure; [`resolve`]
//! finds out what an attempt has done whose answer was lost; [`road`] whether both paths lead to one daemon, where they
//! might not.

mod breaker;
mod call;
mod gate;
mod limit;
mod pipeline;
pub(crate) mod resolve;
mod retry;
mod road;
mod table;
mod waited;

pub use breaker::{BreakerOptions, BreakerState};
pub use gate::{Attempt, Gate, Passed};
pub use limit::{LimitOptions, Permit};
pub use retry::RetryOptions;

pub(crate) use breaker::{Breaker, Change};
pub(crate) use call::{Call, Doubt, Made, Route, Seen};
pub(crate) use limit::{Bounds, Counts, Limit, Limits, Load, Share, Traffic};
pub(crate) use pipeline::{Path, Pipeline};
pub(crate) use retry::Budget;
pub(crate) use road::{Road, Side};
pub(crate) use table::Nature;
