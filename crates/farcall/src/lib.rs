//! One Rust framework for remote procedure calls.

pub use farcall_core::{
    Bounds, Code, Compress, Fault, Format, Limits, Message, Meta, Origin, Result, Sent, Status,
    Str, Timestamp, Value, Why,
};
pub use farcall_macros::{Message, service};

/// What the macros expand to. Not part of the stable API.
#[doc(hidden)]
pub mod __private {
    pub use farcall_core::*;
    pub use farcall_wire::format;
    pub use std::sync::Arc;
}
