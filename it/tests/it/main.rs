//! The integration tests that need no peer: over sockets and in memory.

mod calls;
mod client;
mod differential;
mod faults;
mod gate;
mod hostile;
mod http1;
mod http_client;
mod jsonrpc;
mod neighbours;
mod netrpc;
mod server;
mod stress;
mod turns;
mod waiting;
