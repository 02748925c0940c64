//! The proof kit: a server that writes down what it runs, in a process of its own; a proxy that
//! does to connections what networks do; peers that are silent, slow, mad or deaf; a good neighbour
//! whose calls are timed meanwhile; and the ledger that tells whether each call was run as often as
//! its caller was told. What is shown with it is in `criteria`, one function for each criterion;
//! `cargo xtask accept ID` runs them.

pub mod criteria;
pub mod ledger;
pub mod load;
pub mod memory;
pub mod neighbour;
pub mod peers;
pub mod process;
pub mod proxy;
pub mod service;
pub mod verdict;

/// Whatever went wrong with the kit itself, rather than with what it looks at.
pub type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The protocols there are, as URLs name them.
pub const PROTOCOLS: [&str; 4] = ["rpcx", "netrpc", "jsonrpc", "http"];
