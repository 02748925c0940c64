//! The integration tests that need no peer: over sockets and in memory.

mod calls;
mod carriers;
mod client;
mod differential;
mod ending;
mod failover;
mod faults;
mod gate;
mod hostile;
mod http1;
mod http_client;
mod jsonrpc;
mod limits_page;
mod neighbours;
mod netrpc;
mod no_trace;
mod push;
mod rpcx;
mod server;
mod streams;
mod stress;
mod tls;
mod turns;
mod unix;
mod waiting;
mod web;
