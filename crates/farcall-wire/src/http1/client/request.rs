//! The head of a request as it is written.

use crate::http1::{head::is_token, reply};
use std::time::Duration;

/// Appends the head of a `POST`, its length still open; the body follows. `path` is written as it
/// is.
pub(crate) fn open(tail: &mut Vec<u8>, host: &str, path: &str, fields: &Fields<'_>) {
    tail.extend_from_slice(b"POST ");
    tail.extend_from_slice(path.as_bytes());
    tail.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    tail.extend_from_slice(host.as_bytes());
    tail.extend_from_slice(b"\r\nContent-Type: application/json\r\n");
    if fields.accept {
        tail.extend_from_slice(b"Accept: application/json\r\n");
    }
    if let Some(time) = fields.timeout {
        // What is left of a millisecond is still time, and none at all would be refused.
        let ms = time.as_nanos().div_ceil(1_000_000);
        tail.extend_from_slice(format!("X-Timeout-Ms: {ms}\r\n").as_bytes());
    }
    if fields.gzip {
        tail.extend_from_slice(b"Accept-Encoding: gzip\r\n");
    }
    if !fields.meta.is_empty() {
        reply::fields(tail, fields.meta);
    }
    reply::open_length(tail);
}

/// What a request says beside its path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'a> {
    /// The type of the answer is asked for.
    pub(crate) accept: bool,
    pub(crate) timeout: Option<Duration>,
    /// The answer may be compressed.
    pub(crate) gzip: bool,
    pub(crate) meta: &'a [(String, String)],
}

/// Puts the length of the body in, which begins at `body`.
pub(crate) fn close(tail: &mut [u8], body: usize) {
    reply::close(tail, body);
}

/// Says that the body is compressed; it begins that much later then.
pub(crate) fn gzipped(tail: &mut Vec<u8>, body: usize) -> usize {
    const FIELD: &[u8] = b"Content-Encoding: gzip\r\n";
    let at = body - reply::LENGTH_LINE;
    tail.splice(at..at, FIELD.iter().copied());
    body + FIELD.len()
}

/// Whether a text may stand behind `Host:`. Whatever may end a line may not.
pub(super) fn is_plain(text: &str) -> bool {
    let may_stand = |b: u8| is_token(b) || b":[]".contains(&b);
    text.bytes().all(may_stand)
}
