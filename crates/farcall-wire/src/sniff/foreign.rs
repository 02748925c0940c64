//! Protocols that are known by their first bytes and not built: named, so that whoever dials the
//! wrong port, or waits for the wrong release, is told what happened.

use super::begins;
use crate::Sniff;

/// A name and how it is told.
type Known = (&'static str, fn(&[u8]) -> Sniff);

/// All of them. None says yes to what another protocol, built or not, says yes to.
pub(super) const KNOWN: [Known; 7] = [
    // RFC 9113 §3.4: `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`; the first line is enough.
    ("gRPC (HTTP/2)", |first| begins(first, b"PRI * HTTP/2.0")),
    // RFC 8446 §5.1: a record of type handshake, whose version begins with 3.
    ("TLS", |first| begins(first, &[0x16, 0x03])),
    ("Thrift", thrift),
    // Dubbo's `ExchangeCodec`: magic 0xdabb.
    ("Dubbo", |first| begins(first, &[0xda, 0xbb])),
    // Motan's `MotanConstants`: magic 0xf1f1.
    ("Motan", |first| begins(first, &[0xf1, 0xf1])),
    // RESP: an array of bulk strings; the inline form is not told from other text.
    ("Redis", redis),
    // HAProxy's PROXY protocol, the text and the binary version.
    ("PROXY protocol", |first| match begins(first, b"PROXY ") {
        Sniff::No => begins(first, b"\r\n\r\n\0\r\nQUIT\n"),
        told => told,
    }),
];

fn redis(first: &[u8]) -> Sniff {
    match first {
        [] | [b'*'] => Sniff::More,
        [b'*', b'0'..=b'9', ..] => Sniff::Yes,
        _ => Sniff::No,
    }
}

/// Thrift in its encodings (binary, compact, JSON) and wrappings (none, framed, THeader, TTHeader),
/// as the Apache libraries and Kitex begin them.
fn thrift(first: &[u8]) -> Sniff {
    match first {
        [] | [0x80 | 0x82] => Sniff::More,
        [0x80, 0x01, ..] | [0x82, 0x21 | 0x81, ..] => Sniff::Yes,
        [b'[', ..] => begins(first, JSON),
        // A length: of the frame, which is below 16 MiB, or of the name of an old binary message.
        [0, rest @ ..] => match (rest, first.get(4..).unwrap_or_default()) {
            (_, []) => Sniff::More,
            ([0, _, _, ..], [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..]) => Sniff::Yes,
            (_, [b'[', ..]) => Sniff::Yes,
            (_, [0x80 | 0x82 | 0x0f | 0x10]) => Sniff::More,
            (_, [0x80, 0x01, ..] | [0x82, 0x21 | 0x81, ..]) => Sniff::Yes,
            (_, [0x0f, 0xff, ..] | [0x10, 0x00, ..]) => Sniff::Yes,
            (_, [0] | [0, 0] | [0, 0, _] | [0, 0, _, _]) => Sniff::More,
            (_, [0, 0, _, _, b'a'..=b'z' | b'A'..=b'Z' | b'_', ..]) => Sniff::Yes,
            _ => Sniff::No,
        },
        _ => Sniff::No,
    }
}

/// How a message in Thrift's JSON begins: its version, then the method's name. A batch of JSON-RPC
/// that began so would hold nothing that is a request.
pub(crate) const JSON: &[u8] = b"[1,\"";
