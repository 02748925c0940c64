//! Plugins that come with farcall: what a server counts, tells and holds back. Each is made of the
//! hooks that everybody's plugins have.

mod call_log;
mod metrics;
mod rate;
pub(crate) mod trace;

pub use call_log::{CallLog, LoggedCall};
pub use metrics::Metrics;
pub use rate::{Rate, RateLimit};
pub use trace::TraceContext;
