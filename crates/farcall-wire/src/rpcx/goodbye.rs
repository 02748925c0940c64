//! The word for "no more calls here", and for "this one was not run": replies of a number that no
//! call has.
//!
//! rpcx has neither. Its Go client drops replies that nobody waits for (`client/client.go`,
//! `input`), and so hears nothing: what it sent too late stays unanswered until the connection
//! closes, and then its fail modes repeat it. An error reply they would not (`client/xclient.go`,
//! `uncoverError`): a call that was refused so would be lost, though it was never run.

use super::{header, meta, put32, write};
use farcall_core::{LEAVING, Status};

/// The number of a goodbye: no client has such a call.
pub(super) const NUMBER: u64 = u64::MAX;

/// The metadata that names the call which was not run, in decimals.
const NOT_RUN: &str = "__not_run";

/// Appends a goodbye.
pub(super) fn say(tail: &mut Vec<u8>) {
    refusal(tail, NUMBER, LEAVING);
}

/// Begins to say that a call was not run: where the frame and its body begin.
#[cold]
pub(super) fn refuse(tail: &mut Vec<u8>, seq: u64, status: &Status) -> (usize, usize) {
    let word = header::WORD | header::RESPONSE | header::ERROR;
    let pairs = [(NOT_RUN.to_owned(), seq.to_string())];
    write(tail, word, NUMBER, ["", ""], &pairs, Some((meta::ERROR, status.text().as_bytes())))
}

/// Which call was not run; none in a goodbye.
#[cold]
pub(super) fn refused(block: &[u8]) -> Option<u64> {
    let mut found = None;
    meta::walk(block, &mut |key, value| {
        if key == NOT_RUN.as_bytes() {
            found = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        }
        found.is_none()
    });
    found
}

/// Appends an error reply without names.
pub(super) fn refusal(tail: &mut Vec<u8>, seq: u64, text: &str) {
    let word = header::WORD | header::RESPONSE | header::ERROR;
    let last = Some((meta::ERROR, text.as_bytes()));
    let (frame, body) = write(tail, word, seq, ["", ""], &[], last);
    put32(tail, frame + 12, (body - frame - header::LEN) as u32);
}
