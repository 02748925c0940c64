//! Buffers that a worker lends to the connection whose turn it is, so that idle ones hold none.

use bytes::BytesMut;
use farcall_wire::{Event, Out};
use std::cell::RefCell;

/// Bytes read at once.
pub(crate) const READ_BYTES: usize = 64 * 1024;

#[derive(Default)]
struct Scratch {
    input: Option<BytesMut>,
    tail: Option<Vec<u8>>,
    events: Option<Vec<Event>>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch { input: None, tail: None, events: None })
    };
}

/// An input buffer with room to read.
pub(crate) fn lend_input(input: &mut BytesMut) {
    if input.capacity() == 0
        && let Some(lent) = SCRATCH.with_borrow_mut(|s| s.input.take())
    {
        *input = lent;
    }
}

/// Takes an empty input buffer back, where nothing shares it any more.
pub(crate) fn return_input(input: &mut BytesMut) {
    let mut buffer = std::mem::take(input);
    if buffer.try_reclaim(READ_BYTES) && buffer.capacity() <= 2 * READ_BYTES {
        SCRATCH.with_borrow_mut(|s| s.input = Some(buffer));
    }
}

/// A tail to append output to.
pub(crate) fn lend_tail(out: &mut Out) {
    if out.tail().capacity() == 0
        && let Some(lent) = SCRATCH.with_borrow_mut(|s| s.tail.take())
    {
        *out.tail() = lent;
    }
}

/// Takes an empty tail back.
pub(crate) fn return_tail(out: &mut Out) {
    let tail = std::mem::take(out.tail());
    if tail.capacity() > 0 && tail.capacity() <= 4 * READ_BYTES {
        SCRATCH.with_borrow_mut(|s| s.tail = Some(tail));
    }
}

/// An empty list for events.
pub(crate) fn lend_events() -> Vec<Event> {
    SCRATCH.with_borrow_mut(|s| s.events.take()).unwrap_or_default()
}

/// Takes the list back.
pub(crate) fn return_events(mut events: Vec<Event>) {
    events.clear();
    SCRATCH.with_borrow_mut(|s| s.events = Some(events));
}
