//! JSON-RPC over a plain stream: version 2.0, and 1.0 as Go's `net/rpc/jsonrpc` speaks it. The
//! client's side over HTTP is in `post.rs`, the server's in `posted.rs`.
//!
//! Sources: the specification of JSON-RPC 2.0 (jsonrpc.org); for 1.0, Go's
//! `net/rpc/jsonrpc/server.go` and `client.go`; for 2.0 over TCP among Go programs,
//! `powerman/rpc-codec/jsonrpc2`. JSON values follow each other, with white space between them or
//! without; both ends write a line feed after each.
//!
//! ```text
//! 2.0   {"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":6,"B":7},"id":1}
//!       {"jsonrpc":"2.0","result":{"C":42},"id":1}
//! 1.0   {"method":"Arith.Mul","params":[{"A":6,"B":7}],"id":1}
//!       {"id":1,"result":{"C":42},"error":null}
//! ```
//!
//! A server answers by the rules of the request: 2.0 if it has a member `jsonrpc` or stands in an
//! array, 1.0 otherwise. What the rules leave open:
//! - names of members match without regard to case, as in Go; a member that comes twice is an
//!   invalid request in 2.0, in 1.0 the last one counts;
//! - 1.0 has no notifications: Go answers a request without an id, or with null, and so does this;
//!   it says `{}` where a success is null, which Go's client would die of: a method that answers
//!   nothing is understood then, one that answers an optional number is not;
//! - params: see [`Params`];
//! - failures have the codes of the specification where they fit (-32601 unimplemented, -32602
//!   invalid argument, -32603 internal), -32000 where nothing is known but the text, and else
//!   -32000 less the number of the [`Code`](farcall_core::Code), whose name is in `data.code`;
//! - after what is no JSON the server says -32700 and closes, because nothing tells where the next
//!   request begins; bare numbers, texts and bools close too, and in 1.0 a method that is not
//!   text, as in Go. Other refusals keep the connection.

mod broken;
mod client;
mod envelope;
mod errors;
mod open;
mod post;
mod posted;
mod scan;
mod server;

pub use crate::format::json::Params;
pub use broken::Broken;
pub(crate) use posted::{Ended, Face, Post};

use crate::{OverHttp, Protocol, Side, Sniff, Wire, sniff};
use farcall_core::{Bounds, Format, Limits};

/// The protocol. A server speaks both versions, whichever it was opened by.
#[derive(Clone, Copy, Debug)]
pub struct JsonRpc {
    version: Version,
}

/// JSON-RPC 2.0.
pub static V2: JsonRpc = JsonRpc { version: Version::Two };

/// JSON-RPC 1.0.
pub static V1: JsonRpc = JsonRpc { version: Version::One };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Protocol for JsonRpc {
    fn name(&self) -> &'static str {
        "jsonrpc"
    }

    fn sniff(&self, first: &[u8]) -> Sniff {
        match sniff::begins(first, sniff::THRIFT_JSON) {
            Sniff::No => {}
            Sniff::More => return Sniff::More,
            Sniff::Yes => return Sniff::No,
        }
        let looked_at = &first[..first.len().min(SPACE_BYTES)];
        match looked_at.iter().find(|byte| !is_space(**byte)) {
            Some(b'{' | b'[') => Sniff::Yes,
            None if first.len() < SPACE_BYTES => Sniff::More,
            _ => Sniff::No,
        }
    }

    fn default_format(&self) -> Format {
        Format::Json
    }

    fn turn_away(&self, _: &[u8], text: &str) -> Vec<u8> {
        let (mut answer, id) = (Vec::new(), b"null");
        let failure = errors::Failure { code: errors::NOT_SPOKEN, text, detail: None };
        failure.write(Version::Two, id, &mut answer);
        open::close_two(id, &mut answer);
        answer.push(b'\n');
        answer
    }

    fn carries_meta(&self) -> bool {
        false
    }

    fn with_option(&self, key: &str, value: &str) -> Option<&'static dyn Protocol> {
        match (key, value) {
            ("version", "1" | "1.0") => Some(&V1),
            ("version", "2" | "2.0") => Some(&V2),
            _ => None,
        }
    }

    fn over_http(&self) -> Option<OverHttp> {
        Some(OverHttp::Requests(match self.version {
            Version::One => &post::V1,
            Version::Two => &post::V2,
        }))
    }

    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire> {
        match side {
            Side::Server => Box::new(server::Server::new(limits)),
            Side::Client => Box::new(client::Client::new(self.version, limits)),
        }
    }
}

/// White space before the first message is let pass up to this many bytes, so that nobody is
/// waited for who says nothing else.
const SPACE_BYTES: usize = sniff::MOST_BYTES;

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// How much white space there is at the front.
fn space(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len())
}

/// Appends text as JSON.
fn quote(text: &str, tail: &mut Vec<u8>) {
    // Text always has a JSON form, and no depth.
    let _ = crate::format::json::encode(text, Bounds::default(), tail);
}

#[cfg(test)]
mod tests;
