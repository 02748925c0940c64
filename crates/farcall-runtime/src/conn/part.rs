//! Taking leave: the last answer is written, and the peer is let read it.
//!
//! A socket that is closed while input waits unread takes back what its peer has not read yet, so
//! an answer such as "too large" would be lost while the large thing is still coming. RFC 9112
//! §9.6: close the writing side, and read on for a while.

use super::{Conn, scratch};
use crate::{
    clock::{Alarm, after},
    net::Stream,
};
use bytes::BytesMut;
use farcall_core::Limits;
use farcall_wire::Broken;
use std::{
    fmt, io,
    task::{Context, Poll},
};
use tokio::time::Instant;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Close {
    /// The peer closed it, or it was drained.
    Done,
    /// The peer broke the protocol.
    Broken(Broken),
    /// It cannot be read or written.
    Io(io::Error),
    /// A time limit passed; the text names the limit.
    Time(&'static str),
    /// It had said nothing, and others wanted its place.
    Room,
    /// Its task was dropped.
    Dropped,
}

impl Close {
    /// In one word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Close::Done => "done",
            Close::Broken(_) => "broken",
            Close::Io(_) => "io",
            Close::Time(_) => "slow",
            Close::Room => "room",
            Close::Dropped => "dropped",
        }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Close::Done => f.write_str("done"),
            Close::Broken(broken) => write!(f, "the peer broke the protocol: {broken}"),
            Close::Io(error) => write!(f, "input or output failed: {error}"),
            Close::Room => f.write_str("it was silent and others came (Limits::connections)"),
            Close::Dropped => f.write_str("its task was dropped"),
            Close::Time(limit) => write!(f, "the peer was too slow ({limit})"),
        }
    }
}

/// A connection that has had its last word.
pub(super) struct Part {
    close: Close,
    /// Set once the writing side is closed: until when the other is read.
    until: Option<Instant>,
    alarm: Alarm,
}

impl Part {
    /// Will end with this. In a box: most connections never need one.
    pub(super) fn boxed(close: Close) -> Box<Part> {
        Box::new(Part { close, until: None, alarm: Alarm::default() })
    }

    /// Whether the writing side is closed and the other is read for the peer's sake.
    pub(super) fn begun(&self) -> bool {
        self.until.is_some()
    }

    /// Why it ends.
    pub(super) fn take(&mut self) -> Close {
        std::mem::replace(&mut self.close, Close::Done)
    }

    /// Reads and forgets until the peer has closed too, or `Limits::linger` is over. The writing
    /// side is closed before the first time.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        input: &mut BytesMut,
        limits: &Limits,
    ) -> Poll<Close> {
        let until = *self.until.get_or_insert_with(|| after(Instant::now(), limits.linger));
        let mut left = limits.turn_bytes;
        while Instant::now() < until {
            input.clear();
            scratch::lend_input(input);
            input.reserve(scratch::READ_BYTES);
            match stream.read.poll_read(cx, input) {
                Poll::Ready(Ok(0) | Err(_)) => break,
                Poll::Ready(Ok(count)) => left = left.saturating_sub(count),
                Poll::Pending => {
                    scratch::return_input(input);
                    self.alarm.set(until);
                    if self.alarm.poll(cx).is_ready() {
                        break;
                    }
                    return Poll::Pending;
                }
            }
            if left == 0 {
                // Others first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(self.take())
    }
}

impl Conn {
    /// Closes. Where the last word was this end's, the peer is let read it first.
    pub(super) fn take_leave(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        let limits = &self.shared.limits;
        match &mut self.part {
            Some(part) if !self.ended => {
                if !part.begun() {
                    self.late.parting();
                }
                part.poll(cx, &mut self.stream, &mut self.input, limits)
            }
            Some(part) => Poll::Ready(part.take()),
            None => Poll::Ready(Close::Done),
        }
    }
}
