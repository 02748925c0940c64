//! Metadata: names and values in a row, without a count.
//!
//! Source: rpcx `protocol/message.go`, `encodeMetadata` and `decodeMetadata`: `u32 length, key, u32
//! length, value` until the block is used up; a repeated key keeps the last value. Go's decoder
//! adds lengths in 32 bits, where they may wrap; here every length is held against what is left.

use super::{Broken, section};
use farcall_core::{Code, LEAVING, Status};
use std::time::Duration;

/// The time that the caller still waits, read while the block is checked. Junk is ignored, as Go's
/// server does; zero and less are a time that is over.
#[inline(never)]
pub(super) fn timeout(block: &[u8]) -> Result<Option<Duration>, Broken> {
    let mut text = None;
    for entry in Entries(block) {
        let (key, value) = entry?;
        if key == TIMEOUT.as_bytes() {
            text = Some(value);
        }
    }
    Ok(text.and_then(decimal).map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
}

/// What Go's `strconv.ParseInt(text, 10, 64)` takes: a sign, digits, within range.
fn decimal(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(sign * i64::from(digit))
    })
}

/// Checks a block that nothing is wanted from.
#[inline(never)]
pub(super) fn check(block: &[u8]) -> Result<(), Broken> {
    Entries(block).try_for_each(|entry| entry.map(drop))
}

/// The failure that a reply with error status reports, read while the block is checked.
///
/// rpcx-java puts a code under Go's key for the text and the text under one of its own
/// (`common/src/main/java/com/colobu/rpcx/config/Constants.java`). Go's client takes an error
/// status with an empty block for a success; it is an error here.
#[cold]
pub(super) fn status(block: &[u8]) -> Result<Status, Broken> {
    let (mut text, mut java, mut detail) = (None, None, None);
    for entry in Entries(block) {
        match entry? {
            (key, value) if key == DETAIL.as_bytes() => detail = Some(value),
            (key, value) if key == ERROR.as_bytes() => text = Some(value),
            (key, value) if key == JAVA_TEXT.as_bytes() => java = Some(value),
            _ => {}
        }
    }
    let status = match java.or(text) {
        Some(text) => {
            let text = String::from_utf8_lossy(text).into_owned();
            Status::remote(code(&text), text)
        }
        None => Status::remote(Code::Unknown, NO_TEXT),
    };
    Ok(match detail {
        Some(json) => status.with_detail(json.to_vec()),
        None => status,
    })
}

/// No code crosses this wire; the texts of Go's own server tell some of them
/// (`server/server_dispatch.go`, `server/service.go`).
fn code(text: &str) -> Code {
    let known = [
        ("rpcx: can't find service", Code::Unimplemented),
        ("rpcx: can't find method", Code::Unimplemented),
        ("can not find codec for", Code::Unimplemented),
        ("request reached rate limit", Code::ResourceExhausted),
        ("[service internal error]", Code::Internal),
        // What our own servers answer to strangers.
        ("the credentials are ", Code::Unauthenticated),
        (LEAVING, Code::Unavailable),
        // The texts of Go's `context`, which handlers return as they are.
        ("context deadline exceeded", Code::DeadlineExceeded),
        ("context canceled", Code::Cancelled),
        // Our own server's, when the handler is stopped at the caller's deadline.
        ("the caller's deadline has passed", Code::DeadlineExceeded),
    ];
    known.into_iter().find(|(start, _)| text.starts_with(start)).map_or(Code::Unknown, |(_, c)| c)
}

/// How [`farcall_core::Meta`] walks a block that was checked.
pub(super) fn walk(block: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
    for (key, value) in Entries(block).map_while(Result::ok) {
        if !each(key, value) {
            return;
        }
    }
}

/// Length of a block of these pairs and one more.
#[inline]
pub(super) fn len(pairs: &[(String, String)], last: Option<(&str, &[u8])>) -> usize {
    let last = last.map_or(0, |(k, v)| 8 + k.len() + v.len());
    last + pairs.iter().map(|(k, v)| 8 + k.len() + v.len()).sum::<usize>()
}

/// Appends these pairs and one more. That one is last so that it holds against a pair of the same
/// key.
#[inline]
pub(super) fn write(tail: &mut Vec<u8>, pairs: &[(String, String)], last: Option<(&str, &[u8])>) {
    for (key, value) in pairs {
        write_pair(tail, key, value.as_bytes());
    }
    if let Some((key, value)) = last {
        write_pair(tail, key, value);
    }
}

#[inline]
fn write_pair(tail: &mut Vec<u8>, key: &str, value: &[u8]) {
    tail.extend_from_slice(&(key.len() as u32).to_be_bytes());
    tail.extend_from_slice(key.as_bytes());
    tail.extend_from_slice(&(value.len() as u32).to_be_bytes());
    tail.extend_from_slice(value);
}

/// The pairs of an error reply, with the typed error that the status carries, if it carries one and
/// there is room for it beside a text.
pub(super) fn with_detail(
    status: &Status,
    pairs: &[(String, String)],
    limit: usize,
) -> Option<Vec<(String, String)>> {
    let json = std::str::from_utf8(status.detail()?).ok()?;
    let mut all = pairs.to_vec();
    all.push((DETAIL.to_owned(), json.to_owned()));
    let text = &status.text().as_bytes()[..status.text().len().min(1024)];
    (len(&all, Some((ERROR, text))) <= limit).then_some(all)
}

/// As much of an error's text as a block of `limit` bytes holds beside these pairs: a longer block
/// would cost the peer its connection.
pub(super) fn fitting<'a>(text: &'a str, pairs: &[(String, String)], limit: usize) -> &'a str {
    let room = limit.saturating_sub(len(pairs, Some((ERROR, b""))));
    &text[..text.floor_char_boundary(room)]
}

/// The text of a timeout, without allocating.
pub(super) struct Decimal {
    digits: [u8; 20],
    at: usize,
}

impl Decimal {
    /// Whole milliseconds, rounded up, at least one: zero would be a time that is over. At most
    /// what Go can multiply into nanoseconds, about 292 years.
    pub(super) fn ms(time: Duration) -> Decimal {
        let part = u64::from(time.subsec_nanos().div_ceil(1_000_000));
        let ms = time.as_secs().saturating_mul(1000).saturating_add(part);
        let mut left = ms.clamp(1, i64::MAX as u64 / 1_000_000);
        let (mut digits, mut at) = ([0; 20], 20);
        while left > 0 {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        Decimal { digits, at }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.at..]
    }
}

/// The entries of a block; after an error it is not asked again.
struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Broken>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Entries(rest) = self;
        if rest.len() < 8 {
            return (!rest.is_empty()).then_some(Err(Broken::MetaCut { left: rest.len() }));
        }
        let key = section(rest, 4).map_err(|o| Broken::MetaKey { length: o.length, room: o.room });
        Some(key.and_then(|key| match section(rest, 0) {
            Ok(value) => Ok((key, value)),
            Err(o) => Err(Broken::MetaValue { length: o.length, room: o.room }),
        }))
    }
}

/// The time in milliseconds that a caller still waits.
pub(super) const TIMEOUT: &str = "__ServerTimeout";
/// A caller's credentials (rpcx `share/share.go`, `AuthKey`).
pub(super) const AUTH: &str = "__AUTH";
/// The text of an error.
pub(super) const ERROR: &str = "__rpcx_error__";
/// A typed error, as JSON. Ours; other peers see metadata that they do not know.
pub(super) const DETAIL: &str = "farcall-fault";
/// The text of an error where rpcx-java has a code under [`ERROR`].
const JAVA_TEXT: &str = "_rpcx_error_message";
const NO_TEXT: &str = "the peer reported an error without a text";
