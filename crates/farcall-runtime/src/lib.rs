//! The machine of farcall: sockets, connections, server and client, on tokio.
//!
//! Two walks lead through it. Server: `server/accept.rs` → `conn/` (one task owns one connection:
//! read, cut, start calls in place, write once) → `server/router.rs` → `server/method.rs` → the
//! handler → `server/reply.rs`. Client: `client/call.rs` (a call is a builder and a future) →
//! `client/link.rs` (append to the shared output, wait in a slot) → `client/driver.rs` (one task
//! reads and writes).

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod address;
mod answer;
pub mod client;
mod clock;
mod conn;
mod limits;
pub mod net;
mod observe;
mod pace;
pub mod server;
pub mod side;
pub mod stream;
mod target;

pub use address::TlsOptions;
pub use answer::Answer;
pub use client::{
    Call, CallMeta, Client, ClientBuilder, ClientCall, ClientPlugin, Fail, Oneway, Outgoing, Over,
    Push, Pushes, Select, ServiceClient, Started, StreamCall, TracedCall, Upload,
};
#[cfg(feature = "tls")]
pub use net::tls::{ClientTls, Tls, TlsHandle};
pub use net::{Identity, Peer, Tcp};
pub use observe::{CallLog, LoggedCall, Metrics, Rate, RateLimit, TraceContext};
pub use pace::before_park;
pub use server::{
    Allow, Auth, Bound, CallInfo, Cx, Deciding, Deny, Finding, Happening, HttpRequest,
    HttpResponse, Incoming, IntoPage, Memory, MethodInfo, Methods, Moments, Notice, Outcome, Page,
    Plugin, Pusher, Served, Server, Service, ShutdownHandle, Token, Verdict, block_on, inherits,
};
#[cfg(feature = "tower")]
pub use server::{HttpBody, HttpService};
pub use side::{Download, Files, Side, SideCall, Transfer};
pub use stream::{Inbound, Outbound};
pub use target::{Address, Listen, Target};
