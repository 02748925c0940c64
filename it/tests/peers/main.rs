//! The integration tests against real peers that nobody here wrote. `cargo xtask peers` builds the
//! peers and runs these; a missing peer is a failure.

mod codec;
mod go_calls_us;
mod go_peer;
mod jsonrpc;
mod netrpc;
mod secure;
mod we_call_go;
