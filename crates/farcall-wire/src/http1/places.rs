//! Answers leave in the order of their requests (RFC 9112 §9.3.2): every request has a place, and
//! an answer that is ready before its turn waits there.

use super::reply::Connection;
use crate::{Out, jsonrpc::Post};
use bytes::Bytes;
use farcall_core::Found;
use std::collections::VecDeque;

/// The requests that are not answered yet, oldest first.
#[derive(Default)]
pub(super) struct Places {
    /// The number of the oldest.
    first: u64,
    queue: VecDeque<Place>,
    /// Bytes of the answers that wait.
    parked: usize,
}

/// One request that is not answered yet.
pub(super) struct Place {
    /// What the answer says of the connection.
    pub(super) connection: Connection,
    /// The answer is sent without its body.
    pub(super) head_only: bool,
    /// Field lines that the answer has whatever it says.
    pub(super) lines: Bytes,
    pub(super) kind: Kind,
    ready: Option<Bytes>,
}

/// What a request asked for, as far as its answer must know.
pub(super) enum Kind {
    /// A call as plain JSON.
    Call,
    /// The same, of a method that is not there; and what may have been meant.
    Unknown(String),
    /// JSON-RPC.
    Post(Box<Post>),
    /// A call through rpcx's gateway: the lines it is answered with, and why it finds no method.
    Rpcx(Bytes, Option<Found>),
    /// A page, or an answer that was there at once.
    Page,
}

impl Place {
    pub(super) fn new(connection: Connection, head_only: bool, lines: Bytes, kind: Kind) -> Place {
        Place { connection, head_only, lines, kind, ready: None }
    }
}

/// Answers up to this many bytes are copied to the output, longer ones join it as they are.
const COPY_BELOW: usize = 4096;

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of answers that wait for their turn.
    pub(super) fn parked(&self) -> usize {
        self.parked
    }

    /// Whether this is the last request that was read.
    pub(super) fn is_newest(&self, number: u64) -> bool {
        number + 1 == self.first + self.queue.len() as u64
    }

    /// A place for a request; its number.
    pub(super) fn open(&mut self, place: Place) -> u64 {
        self.queue.push_back(place);
        self.first + self.queue.len() as u64 - 1
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Place> {
        let index = self.index(number)?;
        self.queue.get_mut(index)
    }

    /// The answer to this request is complete: it is the tail from `frame` on. It stays there if it
    /// is its turn, and those that waited for it follow.
    pub(super) fn answered(&mut self, number: u64, frame: usize, out: &mut Out) {
        let place = self.index(number).and_then(|index| self.queue.get_mut(index));
        let Some(place) = place else {
            debug_assert!(false, "request {number} is answered twice");
            return out.tail().truncate(frame);
        };
        if number > self.first {
            let answer = out.tail().split_off(frame);
            self.parked += answer.len();
            place.ready = Some(answer.into());
            return;
        }
        self.leave();
        while let Some(answer) = self.queue.front_mut().and_then(|place| place.ready.take()) {
            self.leave();
            self.parked -= answer.len();
            if answer.len() <= COPY_BELOW {
                out.tail().extend_from_slice(&answer);
            } else {
                out.push(answer);
            }
        }
    }

    fn leave(&mut self) {
        self.queue.pop_front();
        self.first += 1;
        if self.queue.is_empty() && self.queue.capacity() > 64 {
            // An idle connection holds no room.
            self.queue = VecDeque::new();
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}
