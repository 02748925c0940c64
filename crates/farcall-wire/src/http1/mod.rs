//! HTTP/1.1, both sides, and plain JSON over it: calls that people make by hand.
//!
//! Source: RFC 9112 (messages) and RFC 9110 (semantics); sections are named where they apply.
//!
//! ```text
//! POST /Service/Method HTTP/1.1          HTTP/1.1 200 OK
//! Host: 127.0.0.1:8972                   Content-Type: application/json
//! Content-Length: 13                     Content-Length:          8
//!
//! {"A":6,"B":7}                          {"C":42}
//! ```
//!
//! - The body is JSON whatever `curl -d` calls it; no body is a blank argument. Types that are
//!   surely something else are refused with 415. `Content-Encoding: gzip` is understood.
//! - `X-Timeout-Ms` is how long the caller waits, in milliseconds.
//! - Fields of the request are the call's metadata, names in lower case. Metadata of the reply are
//!   fields where both name and value may be; the others stand percent-encoded in `X-Meta`.
//! - A failure has the status of its code and a body `{"error":{"code":…,"message":…}}`.
//! - Web pages of another origin are refused unless [`Cors`](farcall_core::Cors) lets them in.
//!
//! What else a request may be, in the order in which it is asked: `CONNECT` to another protocol's
//! path, after which the connection is that protocol's; rpcx's JSON-RPC and rpcx's gateway, told by
//! their fields; a page of the server's; JSON-RPC, posted to its path.
//!
//! Requests may be pipelined; answers leave in order. A request that two readers could read
//! differently is answered and the connection closed ([`Broken`]); chunk extensions and trailers
//! are ignored, `Upgrade` too.

mod answers;
mod body;
mod broken;
mod chars;
pub(crate) mod client;
mod cors;
mod gateway;
mod head;
mod memo;
mod places;
mod plan;
mod reply;
mod request;
mod server;

use crate::{Place, Protocol, Side, Sniff, Wire};
use farcall_core::{Code, Format, Limits};
use head::METHODS;
use reply::Connection;

pub use broken::Broken;
pub use client::Opening;

/// The protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http;

impl Protocol for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    /// A method and a space; at most eight bytes are looked at.
    fn sniff(&self, first: &[u8]) -> Sniff {
        // Most connections are told by their first byte to be no HTTP.
        if !matches!(first.first(), None | Some(b'C' | b'D' | b'G' | b'H' | b'O' | b'P' | b'T')) {
            Sniff::No
        } else if METHODS.iter().any(|(method, _)| first.starts_with(method)) {
            Sniff::Yes
        } else if METHODS.iter().any(|(method, _)| method.starts_with(first)) {
            Sniff::More
        } else {
            Sniff::No
        }
    }

    fn default_format(&self) -> Format {
        Format::Json
    }

    /// `Authorization` (RFC 9110 §11.6.2), whose name is in lower case here.
    fn auth_key(&self) -> Option<&'static str> {
        Some("authorization")
    }

    /// A bare token is sent as a bearer's (RFC 6750 §2.1).
    fn auth_value(&self, token: &str) -> String {
        match token.contains(' ') {
            true => token.to_owned(),
            false => format!("Bearer {token}"),
        }
    }

    /// "The target is not able to produce authoritative responses" (RFC 9110 §15.5.20).
    fn turn_away(&self, _: &[u8], text: &str) -> Vec<u8> {
        let mut tail = Vec::new();
        let head = reply::Opening {
            status: 421,
            connection: Connection::Closes,
            kind: Some(reply::JSON),
            lines: &[],
            meta: &[],
            bare: false,
        };
        reply::open(&mut tail, &head);
        let body = tail.len();
        reply::failure(&mut tail, Code::Unimplemented, text);
        reply::close(&mut tail, body);
        tail
    }

    fn carries(&self, format: Format) -> bool {
        format == Format::Json
    }

    /// Answers come in order: a slow one would delay all behind it.
    fn in_flight(&self) -> Option<usize> {
        Some(1)
    }

    fn open_to(&self, place: &Place<'_>, limits: &Limits) -> Box<dyn Wire> {
        Box::new(client::Client::new(place, limits))
    }

    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire> {
        if side == Side::Client {
            return self.open_to(&Place { host: "localhost", path: None }, limits);
        }
        Box::new(server::Server::new(limits))
    }
}

#[cfg(test)]
mod tests;
