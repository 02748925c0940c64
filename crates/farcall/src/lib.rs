//! One Rust framework for remote procedure calls: a service is written once, as a Rust trait, and
//! served to every client that speaks one of its protocols. Built so far, both sides: rpcx, Go's
//! net/rpc, JSON-RPC and plain JSON over HTTP/1.1.
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
//! Arguments and answers may be streams, over protocols that carry them (so far one's own, see
//! [`protocol`]):
//!
//! ```
//! use farcall::{Inbound, Result, Stream, stream};
//!
//! #[farcall::service]
//! trait Counter {
//!     async fn count(&self, to: u64) -> Result<impl Stream<Item = Result<u64>> + Send>;
//!     async fn sum(&self, numbers: Inbound<u64>) -> Result<u64>;
//! }
//!
//! struct Clerk;
//! impl Counter for Clerk {
//!     async fn count(&self, to: u64) -> Result<impl Stream<Item = Result<u64>> + Send> {
//!         Ok(stream::iter((0..to).map(Ok)))
//!     }
//!     async fn sum(&self, mut numbers: Inbound<u64>) -> Result<u64> {
//!         let mut sum = 0;
//!         while let Some(number) = numbers.next().await {
//!             sum += number?;
//!         }
//!         Ok(sum)
//!     }
//! }
//!
//! async fn use_it(counter: CounterClient) -> Result<()> {
//!     let mut numbers = counter.count(3).await?;
//!     while let Some(number) = numbers.next().await {
//!         println!("{}", number?);
//!     }
//!     println!("{}", counter.sum(stream::iter([1, 2, 3])).await?);
//!     Ok(())
//! }
//! ```
//!
//! A newcomer meets, in this order: [`Message`] and [`service`], [`Server`] and [`Bound`],
//! [`Client`] and [`Call`], [`Cx`], [`Status`], [`Limits`], [`Inbound`] and [`StreamCall`].

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[doc(hidden)]
pub mod faults;
pub mod format;
pub mod json;
pub mod protocol;

pub use farcall_core::{
    Amount, Bounds, Code, Complex, Compress, Cors, Fault, Format, HeldBy, Limit, Limits, Marshal,
    Marshaled, Marshaler, Message, Meta, Origin, Put, Result, Sent, SetBy, Shown, SourcedLimits,
    Status, Str, Take, Timestamp, TypedFault, Value, Why,
};
pub use farcall_macros::{Fault, Message, service};
pub use farcall_runtime::{
    Address, Allow, Auth, Bound, Call, CallInfo, CallLog, CallMeta, Client, ClientBuilder, Cx,
    Deciding, Deny, Download, Fail, Files, Finding, Happening, HttpRequest, HttpResponse, Identity,
    Inbound, IntoPage, Listen, LoggedCall, Memory, MethodInfo, Methods, Metrics, Moments, Notice,
    Oneway, Outbound, Outcome, Over, Page, Peer, Plugin, Push, Pusher, Pushes, Rate, RateLimit,
    Select, Served, Server, Service, ServiceClient, ShutdownHandle, Side, SideCall, Started,
    StreamCall, Target, Tcp, TlsOptions, Token, TraceContext, TracedCall, Transfer, Upload,
    Verdict, before_park, inherits, stream,
};
pub use farcall_runtime::{Answer, ClientCall, ClientPlugin, Incoming, Outgoing};
#[cfg(feature = "tls")]
pub use farcall_runtime::{ClientTls, Tls, TlsHandle};
pub use farcall_wire::{Codec, Compressor, compress::Unfold};
pub use futures_core::Stream;

#[cfg(feature = "tower")]
pub use farcall_runtime::{HttpBody, HttpService};

/// What the macros expand to. Not part of the stable API.
#[doc(hidden)]
pub mod __private {
    pub use crate::faults;
    pub use farcall_core::*;
    pub use farcall_runtime::block_on;
    pub use std::sync::Arc;
}
