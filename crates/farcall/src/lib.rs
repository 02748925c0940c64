//! One Rust framework for remote procedure calls: a service is written once, as a Rust trait, and
//! served to every client that speaks one of its protocols. Built so far: rpcx, both sides.
//!
//! ```
//! use farcall::{Message, Result, Server};
//!
//! #[derive(Message)]
//! #[message(go_names)] // A, B on the wire, as a Go peer writes them
//! struct Args { a: i64, b: i64 }
//!
//! #[farcall::service]
//! trait Arith {
//!     async fn mul(&self, args: Args) -> Result<i64>;
//! }
//!
//! struct Calculator;
//! impl Arith for Calculator {
//!     async fn mul(&self, args: Args) -> Result<i64> { Ok(args.a * args.b) }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! // In production: `.listen("tcp://127.0.0.1:8972").await?.run().await`
//! let server = Server::new().add(ArithServer::new(Calculator));
//! let arith = ArithClient::over(server.memory());
//! assert_eq!(arith.mul(Args { a: 6, b: 7 }).await?, 42);
//! # Ok(())
//! # }
//! ```
//!
//! A newcomer meets, in this order: [`Message`] and [`service`], [`Server`] and [`Bound`],
//! [`Client`] and [`Call`], [`Cx`], [`Status`], [`Limits`].

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod format;
mod json;

pub use farcall_core::{
    Bounds, Code, Compress, Fault, Format, Limits, Message, Meta, Origin, Put, Result, Sent,
    Status, Str, Take, Timestamp, Value, Why,
};
pub use farcall_macros::{Message, service};
pub use farcall_runtime::{
    Address, Bound, Call, CallMeta, Client, ClientBuilder, Cx, Identity, Listen, Memory,
    MethodInfo, Methods, Oneway, Over, Peer, Server, Service, ServiceClient, ShutdownHandle,
    Target, Tcp, TlsOptions,
};
#[cfg(feature = "tls")]
pub use farcall_runtime::{ClientTls, Tls, TlsHandle};

/// What the macros expand to. Not part of the stable API.
#[doc(hidden)]
pub mod __private {
    pub use farcall_core::*;
    pub use farcall_runtime::block_on;
    pub use std::sync::Arc;
}
