//! Plugins that come with farcall: what servers and clients count, what a server tells and holds
//! back. Each is made of the hooks that everybody's plugins have.

mod call_log;
mod metrics;
mod rate;
pub(crate) mod trace;

pub use call_log::{CallLog, LoggedCall};
pub use metrics::{ClientMetrics, Metrics};
pub use rate::{Rate, RateLimit};
pub use trace::TraceContext;
