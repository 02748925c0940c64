//! The integration tests against real peers that nobody here wrote. `cargo xtask peers` builds the
//! peers and runs these; a missing peer is a failure.

mod browser;
mod cells;
mod codec;
mod examples;
mod go_calls_us;
mod go_peer;
mod gob;
mod guide;
mod http;
mod jsonrpc;
mod jsonrpc2;
mod metrics;
mod netrpc;
mod own;
mod plain;
mod rpcx_rs;
mod secure;
mod tower;
mod web;
