//! What is said to clients of net/rpc where it is not spoken.

use super::{Asked, Streams};
use crate::{Event, Head, Out, ReplyHead, Side, Wire};
use bytes::BytesMut;
use farcall_core::{Found, Limits, Routes, Status, Ticket};

/// Calls that are refused; there are seldom more than one in what comes first.
const MOST: usize = 64;

/// A server without services.
struct Nowhere;

impl Routes for Nowhere {
    fn find(&self, _: &[u8], _: &[u8]) -> Found {
        Found::NoService
    }
}

/// Replies that refuse with this text the calls in these bytes: all but those whose header is not
/// complete.
pub(super) fn refusals(first: &[u8], text: &str) -> Vec<u8> {
    let mut wire = Streams::new(Side::Server, &Limits::default());
    let (mut input, mut out, mut events) = (BytesMut::from(first), Out::new(), Vec::new());
    // Bytes that are broken change nothing for the calls before them.
    let _ = wire.feed(&mut input, &mut out, &Nowhere, &mut events, MOST);
    let pending = wire.call.take().map(|Asked { ticket, .. }| ticket);
    let asked = events.into_iter().filter_map(|event| match event {
        Event::Unknown(unknown) => Some(unknown.ticket),
        _ => None,
    });
    let status = Status::unimplemented(text);
    for ticket in asked.chain(pending).collect::<Vec<Ticket>>() {
        let (error, service, method) = (Some(&status), "", "");
        let head = ReplyHead { ticket: &ticket, service, method, error, meta: &[], shape: None };
        let mark = wire.begin(Head::Reply(head), &mut out);
        wire.end(mark, &mut out);
    }
    std::mem::take(out.tail())
}
