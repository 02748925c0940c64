//! The words of farcall: what a call, a message and a status are.
//!
//! This crate knows no IO, no runtime, no clock and no wire; it can be read in one sitting, in the
//! order of the re-exports below. Formats (JSON, MessagePack, protobuf, …) implement [`Sink`] and
//! [`Source`]; user types implement [`Put`], [`Take`] and [`Message`], almost always by
//! `#[derive(Message)]`; wires turn bytes into [`Call`]s and back.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod call;
mod complex;
mod cors;
mod dynamic;
mod fault;
mod format;
mod limits;
mod marshal;
mod message;
mod meta;
mod routes;
mod schema;
mod status;
mod text;
mod time;
mod trace;
mod values;

pub use call::{Body, Call, Lent, Ticket};
pub use complex::Complex;
pub use cors::Cors;
pub use dynamic::{Next, Value};
pub use fault::{Fault, Why};
pub use format::{Compress, Format};
pub use limits::{Amount, Bounds, HeldBy, Limit, Limits, SetBy, SourcedLimits};
pub use marshal::{Marshal, Marshaled, Marshaler, Marshals};
pub use message::{At, END, Message, OneOf, Part, Put, Shaped, Sink, Source, Take};
pub use meta::{Meta, MetaWalk};
pub use routes::{Found, JSONRPC_PATH, MethodId, NETRPC_PATH, RPCX_PATH, Routes, Streams, Way};
pub use schema::{Field, Kind, Names, Pack, Schema, Shape};
pub use status::{Code, LEAVING, Origin, Result, Sent, Status, TypedFault};
pub use text::{Shown, Str};
pub use time::Timestamp;
pub use trace::{Traced, trace_fault};

/// Helpers that generated code builds its constant tables with. Not part of the stable API.
#[doc(hidden)]
pub mod tables {
    pub use crate::schema::{dense, dense_len, flatten, sorted};
}
