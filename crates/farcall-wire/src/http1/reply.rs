//! What is written: heads of answers, errors as JSON, metadata as fields.
//!
//! `Content-Length` is the last field and its number is padded with leading spaces, which the
//! grammar allows (RFC 9110 §5.5), so that it can be put in when the body is there. There is no
//! `Date`: nothing here knows a clock, and such a server must not send one (RFC 9110 §6.6.1).

use super::head::is_token;
use crate::format::json;
use farcall_core::{Bounds, Code};
use std::time::Duration;

/// What an answer says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// It stays open, as is usual in HTTP/1.1.
    Stays,
    /// It stays open, which HTTP/1.0 wants to be told.
    Kept,
    /// It closes after this answer.
    Closes,
}

/// JSON, the type of all calls' answers.
pub(super) const JSON: &str = "application/json";
/// The type of the list of services.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The field that says when to try again (RFC 9110 §10.2.3): in whole seconds, and not too early.
pub(super) fn retry_after(time: Duration) -> Vec<u8> {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    format!("Retry-After: {seconds}\r\n").into_bytes()
}

/// Room for the digits of a length: up to 9.9 GB.
const DIGITS: usize = 10;
/// Bytes from the beginning of the last field to the body.
pub(super) const LENGTH_LINE: usize = "Content-Length: ".len() + DIGITS + "\r\n\r\n".len();

/// The head of almost every answer, ready-made.
const USUAL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                       Content-Length:           \r\n\r\n";

/// The head of an answer.
pub(super) struct Opening<'a> {
    pub(super) status: u16,
    pub(super) connection: Connection,
    /// The type of the body; none where the lines say it, or there is no body.
    pub(super) kind: Option<&'a str>,
    /// Field lines that were made before.
    pub(super) lines: &'a [u8],
    pub(super) meta: &'a [(String, String)],
    /// There is no body, and its length is not told here.
    pub(super) bare: bool,
}

/// Statuses that never have a body, nor a length (RFC 9110 §8.6).
pub(super) fn is_bare(status: u16) -> bool {
    matches!(status, 204 | 304)
}

/// Appends a head, its length still open; the body follows.
pub(super) fn open(tail: &mut Vec<u8>, head: &Opening<'_>) {
    let Opening { status, connection, .. } = *head;
    if (status, connection, head.kind) == (200, Connection::Stays, Some(JSON))
        && head.meta.is_empty()
        && head.lines.is_empty()
        && !head.bare
    {
        tail.extend_from_slice(USUAL);
        return;
    }
    let mut line = |parts: [&str; 2]| {
        parts.iter().for_each(|part| tail.extend_from_slice(part.as_bytes()));
        tail.extend_from_slice(b"\r\n");
    };
    match head.status {
        200 => line(["HTTP/1.1 200 OK", ""]),
        status => line(["HTTP/1.1 ", &format!("{status} {}", reason(status))]),
    }
    if let Some(kind) = head.kind {
        line(["Content-Type: ", kind]);
    }
    match head.connection {
        Connection::Stays => {}
        Connection::Kept => line(["Connection: ", "keep-alive"]),
        Connection::Closes => line(["Connection: ", "close"]),
    }
    // RFC 9110 §11.6.1: 401 says how to do better.
    let names = |(key, _): &(String, String)| key.eq_ignore_ascii_case("www-authenticate");
    if head.status == 401 && !head.meta.iter().any(names) {
        line(["WWW-Authenticate: ", "Bearer"]);
    }
    tail.extend_from_slice(head.lines);
    if !head.meta.is_empty() {
        fields(tail, head.meta);
    }
    if !head.bare {
        open_length(tail);
    } else {
        tail.extend_from_slice(b"\r\n");
    }
}

/// Appends the last field, its number still open, and ends the head.
pub(super) fn open_length(tail: &mut Vec<u8>) {
    tail.extend_from_slice(b"Content-Length: ");
    tail.extend_from_slice(&[b' '; DIGITS]);
    tail.extend_from_slice(b"\r\n\r\n");
}

/// Puts the length of the body in, which begins at `body`.
pub(super) fn close(tail: &mut [u8], body: usize) {
    let mut left = tail.len() - body;
    for at in (body - 4 - DIGITS..body - 4).rev() {
        tail[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    assert!(left == 0, "an answer of {} bytes", tail.len() - body);
}

/// Appends the body of a failure.
pub(super) fn failure(tail: &mut Vec<u8>, code: Code, text: &str) {
    tail.extend_from_slice(b"{\"error\":{\"code\":\"");
    let name = code.name().bytes().map(|b| if b == b' ' { b'_' } else { b });
    tail.extend(name);
    tail.extend_from_slice(b"\",\"message\":");
    let start = tail.len();
    if json::encode(text, Bounds::default(), tail).is_err() {
        tail.truncate(start);
        tail.extend_from_slice(b"\"\"");
    }
    tail.extend_from_slice(b"}}");
}

/// The status of a code: the table of the Connect protocol ("Error codes"), whose statuses caches
/// and proxies treat well.
pub(super) fn status(code: Code) -> u16 {
    match code {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
    }
}

/// The code that says most nearly the same as a status.
pub(super) fn code(status: u16) -> Code {
    match status {
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        405 | 415 | 501 | 505 => Code::Unimplemented,
        413 | 431 => Code::ResourceExhausted,
        _ => Code::InvalidArgument,
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        499 => "Client Closed Request",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        // A reason may be empty (RFC 9112 §4).
        _ => "",
    }
}

/// Appends metadata: pairs that may be fields as they are, the others in one field `X-Meta`,
/// percent-encoded as in `a=b&c=d`. Nothing of a pair can end a line, nor become a field that says
/// where the message ends or what it calls.
#[cold]
pub(super) fn fields(tail: &mut Vec<u8>, meta: &[(String, String)]) {
    let (mut others, mut any) = (Vec::new(), false);
    for (key, value) in meta {
        if is_field(key, value) {
            for part in [key, ": ", value, "\r\n"] {
                tail.extend_from_slice(part.as_bytes());
            }
            continue;
        }
        if std::mem::replace(&mut any, true) {
            others.push(b'&');
        }
        encode(&mut others, key);
        others.push(b'=');
        encode(&mut others, value);
    }
    if any {
        tail.extend_from_slice(b"X-Meta: ");
        tail.extend_from_slice(&others);
        tail.extend_from_slice(b"\r\n");
    }
}

/// Whether a pair of metadata may stand as a field of its own.
fn is_field(key: &str, value: &str) -> bool {
    let value_is_plain = value.bytes().all(|b| (b' '..0x7f).contains(&b))
        && !value.starts_with(' ')
        && !value.ends_with(' ');
    value_is_plain
        && !key.is_empty()
        && key.bytes().all(is_token)
        && !OURS.iter().any(|name| key.eq_ignore_ascii_case(name))
        && !["proxy-", "x-rpcx-"]
            .iter()
            .any(|start| key.get(..start.len()).is_some_and(|k| k.eq_ignore_ascii_case(start)))
}

/// Fields that say what the message or the connection is: no metadata may. With rpcx's, a call
/// would be another call, of its gateway.
const OURS: [&str; 21] = [
    "accept-encoding",
    "age",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expect",
    "host",
    "keep-alive",
    "location",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "x-jsonrpc-2.0",
    "x-meta",
    "x-timeout-ms",
];

/// Appends the fields of a page's answer: those that may stand in one. What says where the answer
/// ends, or what the connection does, is not a page's to say.
pub(super) fn page_fields(tail: &mut Vec<u8>, fields: &[(String, String)], has_cors: bool) {
    const NOT: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    for (key, value) in fields {
        let is_cors = || key.get(..15).is_some_and(|k| k.eq_ignore_ascii_case("access-control-"));
        let is_text = value.bytes().all(|b| b >= b' ' && b != 0x7f || b == b'\t');
        let is_name = !key.is_empty() && key.bytes().all(is_token);
        if is_text
            && is_name
            && !NOT.iter().any(|name| key.eq_ignore_ascii_case(name))
            && !(has_cors && is_cors())
        {
            for part in [key, ": ", value, "\r\n"] {
                tail.extend_from_slice(part.as_bytes());
            }
        }
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
pub(super) fn encode(to: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(byte);
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            to.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_head_is_the_one_that_is_put_together() {
        let (mut usual, mut other) = (Vec::new(), Vec::new());
        let connection = Connection::Stays;
        let (kind, lines, meta) = (Some(JSON), &[][..], &[][..]);
        let head = Opening { status: 200, connection, kind, lines, meta, bare: false };
        open(&mut usual, &head);
        open(&mut other, &Opening { connection: Connection::Kept, ..head });
        let other = String::from_utf8(other).expect("text");
        assert_eq!(usual, other.replace("Connection: keep-alive\r\n", "").as_bytes());
    }
}
