//! Connections beside those of the calls: rpcx's file transfer and streams of bytes.
//!
//! Source: rpcx v1.9.4, `server/file_transfer.go`, `server/stream.go` and `client/xclient.go`. A
//! call asks for a token and an address; a plain TCP connection to that address brings the token,
//! and what follows is the bytes alone, without frames, until either end closes.
//!
//! Where this end differs from Go's, on purpose:
//! - a connection that brings no token delays nobody and is closed in its time; Go reads tokens in
//!   turn, one behind the other, for ever;
//! - tokens that are not used are refused to be given in any number, and expire; Go forgets the
//!   oldest when there are too many, so that who asks often robs others of theirs;
//! - who may connect is asked of the server's plugins, before a byte is read, and a server that
//!   ends waits for what runs (`host.rs`);
//! - this library opens files itself, beneath one folder, and holds peers to the sizes they
//!   declare (`files.rs`).

mod client;
mod door;
mod files;
mod host;
mod names;
mod serve;
mod tokens;
mod words;

pub use client::{Download, Transfer};
pub use door::Side;
pub use files::Files;
pub(crate) use host::{Count, Ending, Host};
pub use serve::SideCall;

/// Bytes of a token (rpcx `server/file_transfer.go`).
const TOKEN: usize = 32;
/// The service of rpcx's file transfer (rpcx `share/share.go`).
const FILES: &str = "_filetransfer";
/// The service of rpcx's streams (the same).
const STREAMS: &str = "_streamservice";
/// What a server of this library answers to an upload that is complete and kept.
const KEPT: u8 = b'+';
/// Bytes that are copied at once.
const CHUNK: usize = 64 * 1024;
