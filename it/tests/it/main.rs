//! The integration tests that need no peer: over sockets and in memory.

mod calls;
mod client;
mod differential;
mod hostile;
mod http1;
mod jsonrpc;
mod neighbours;
mod netrpc;
mod server;
mod stress;
mod tls;
mod turns;
mod unix;
mod waiting;
