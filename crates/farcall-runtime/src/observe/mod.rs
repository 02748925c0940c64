//! Plugins that come with farcall: what a server counts, tells and holds back. Each is made of the
//! hooks that everybody's plugins have.

mod metrics;

pub use metrics::Metrics;
