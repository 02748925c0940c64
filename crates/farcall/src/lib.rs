//! One Rust framework for remote procedure calls.

mod json;

pub use farcall_core::{
    Bounds, Code, Compress, Fault, Format, Limits, Message, Meta, Origin, Result, Sent, Status,
    Str, Timestamp, Value, Why,
};
pub use farcall_macros::{Message, service};
pub use farcall_runtime::{
    Address, Bound, Call, CallMeta, Client, ClientBuilder, Cx, Listen, Memory, MethodInfo, Methods,
    Oneway, Over, Server, Service, ServiceClient, ShutdownHandle, Target,
};

/// What the macros expand to. Not part of the stable API.
#[doc(hidden)]
pub mod __private {
    pub use farcall_core::*;
    pub use farcall_runtime::block_on;
    pub use farcall_wire::format;
    pub use std::sync::Arc;
}
