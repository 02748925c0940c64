//! What an answer that is no success becomes: the error that its body names, or what its status
//! says most nearly.

use super::exchange::Answer;
use crate::{compress, format::json};
use bytes::Bytes;
use farcall_core::{Bounds, Code, Compress, Status, Value};

/// The answer's body as it was before it was compressed; the error says what was wrong.
pub(crate) fn body(answer: &Answer, unfolded_bytes: usize) -> Result<Bytes, Status> {
    let unreadable = |why: String| Err(Status::internal(why).with_sent(farcall_core::Sent::Yes));
    let folded = match coding(answer) {
        Ok(folded) => folded,
        Err(name) => return unreadable(format!("the answer's coding `{name}` is not understood")),
    };
    compress::unfold(folded, answer.body.clone(), unfolded_bytes)
        .or_else(|error| unreadable(error.to_string()))
}

/// How the body is compressed; the error is a name that nobody here knows.
pub(crate) fn coding(answer: &Answer) -> Result<Compress, String> {
    match answer.encoding() {
        None => Ok(Compress::None),
        Some(name) if name.eq_ignore_ascii_case(b"gzip") => Ok(Compress::Gzip),
        Some(name) => Err(String::from_utf8_lossy(name).into_owned()),
    }
}

/// The failure that an answer other than 2xx is: `{"error":{"code":…,"message":…}}` as farcall's
/// servers write it, or the status and the first part of whatever the body is.
#[cold]
pub(crate) fn failure(answer: &Answer, unfolded_bytes: usize, bounds: Bounds) -> Status {
    let body = body(answer, unfolded_bytes).unwrap_or_default();
    if let Some(status) = named(&body, answer.status(), bounds) {
        return status;
    }
    let mut text = answer.line();
    let excerpt = excerpt(&body);
    if !excerpt.is_empty() {
        text = format!("{text}: {excerpt}");
    }
    let status = Status::remote(code(answer.status()), text);
    match answer.status() {
        300..400 => status.with_hint("redirects are not followed: call where they lead to"),
        _ => status,
    }
}

/// The error that a body of ours names.
fn named(body: &Bytes, status: u16, bounds: Bounds) -> Option<Status> {
    if body.first() != Some(&b'{') {
        return None;
    }
    let value: Value = json::decode(body, bounds).ok()?;
    let error = value.get("error")?;
    let text = error.get("message").and_then(Value::as_str)?;
    let name = error.get("code").and_then(Value::as_str).unwrap_or_default();
    let is_named = |code: &Code| {
        let known = code.name().bytes().map(|b| if b == b' ' { b'_' } else { b });
        known.eq(name.bytes())
    };
    let found = (1..=16).map(Code::from_number).find(is_named);
    Some(Status::remote(found.unwrap_or_else(|| code(status)), text))
}

/// gRPC's table for servers that know nothing of it ("HTTP to gRPC Status Code Mapping").
fn code(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// Characters of a foreign body that a status repeats.
const EXCERPT: usize = 200;

/// The beginning of a body as one line of text.
fn excerpt(body: &[u8]) -> String {
    let start = &body[..body.len().min(4 * EXCERPT)];
    let text = String::from_utf8_lossy(start);
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(EXCERPT).collect();
    if short.len() < line.len() || start.len() < body.len() {
        short.push('…');
    }
    short
}
