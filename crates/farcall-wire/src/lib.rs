//! The wires and the formats of farcall, without IO.
//!
//! Every protocol is a pure state machine ([`Wire`]): bytes in, events out, replies appended to an
//! output queue. Every body format is a sink and a source ([`mod@format`]). Nothing here knows a
//! socket, a clock or a runtime; time is an argument, memory is bounded by
//! [`Limits`](farcall_core::Limits).
//!
//! To add a protocol: (1) a folder here with a [`Protocol`] and its [`Wire`]; (2) a line in
//! [`sniff::PROTOCOLS`]; (3) recorded bytes of a real peer in its tests, fed whole, byte by byte
//! and cut at every offset; (4) the real peer in the peers' matrix.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod codecs;
pub mod compress;
mod compressors;
mod cursor;
pub mod format;
pub mod gob;
pub mod http1;
pub mod jsonrpc;
mod known;
pub mod netrpc;
mod out;
mod push;
pub mod rpcx;
pub mod sniff;
mod wire;

pub use codecs::{Codec, Codecs};
pub use compressors::{Compressor, Compressors};
pub use known::Known;
pub use out::Out;
pub use push::{Push, PushHead};
pub use wire::{
    Broken, CallHead, Control, End, EndHead, Event, Fed, Head, Item, ItemHead, Mark, OverHttp,
    Place, Protocol, Reply, ReplyHead, Request, ResponseHead, Side, Sniff, Tunnel, Unknown, Wire,
};
