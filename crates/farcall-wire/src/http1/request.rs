//! A request between its head and the end of its body.

use super::{body::Chunks, memo::Known, plan::Plan, reply::Connection};
use bytes::Bytes;
use farcall_core::Meta;

/// A request whose body is awaited.
pub(super) struct Request {
    pub(super) plan: Plan,
    pub(super) meta: Meta,
    pub(super) rest: Rest,
    pub(super) connection: Connection,
    /// The answer has no body.
    pub(super) head_only: bool,
    /// Field lines that the answer has in any case.
    pub(super) lines: Bytes,
    /// The peer waits to be told that its body is wanted.
    pub(super) expects: bool,
}

impl Request {
    /// A request whose head is that of the one before.
    pub(super) fn again(known: &Known) -> Request {
        let Known { to, compress, timeout, length, meta } = known.clone();
        Request {
            plan: Plan::Call { to, compress, timeout },
            meta,
            rest: Rest::Fixed(length),
            connection: Connection::Stays,
            head_only: false,
            lines: Bytes::new(),
            expects: false,
        }
    }

    /// What is worth remembering: a plain call on a connection that stays.
    pub(super) fn known(&self) -> Option<Known> {
        let Request {
            plan: Plan::Call { to, compress, timeout }, rest: Rest::Fixed(length), ..
        } = *self
        else {
            return None;
        };
        let plain = self.connection == Connection::Stays && self.lines.is_empty();
        let meta = || self.meta.detached();
        plain.then(|| Known { to, compress, timeout, length, meta: meta() })
    }
}

#[derive(Debug)]
pub(super) enum Rest {
    /// Bytes still missing.
    Fixed(usize),
    Chunked(Chunks),
}
