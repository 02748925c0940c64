//! Messages that a server sends to a client without being asked, over protocols that have them.
//!
//! They wait in the connection's outbox: whoever pushes never waits, and never meets the socket.
//! The connection takes them from there as its output has room.

use super::{ConnInfo, Cx};
use crate::{conn::Late, limits::meta_bytes, net::Peer, stream::Home};
use bytes::Bytes;
use farcall_core::{Bounds, Format, Limits, Put, Status};
use farcall_wire::{Head, Out, PushHead, Wire, format};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// A way to send messages to the client at the other end of one connection, whether or not it
/// waits for a call. Cheap to clone, and of use for as long as the connection is open.
///
/// [`Cx::pusher`] gives it to a handler, who may keep it. Messages arrive in the order in which
/// they were pushed; between them and the replies of calls there is no order.
#[derive(Clone)]
pub struct Pusher {
    conn: Arc<ConnInfo>,
}

impl Pusher {
    /// Sends bytes as they are, under these names. As Go's `SendMessage` of rpcx.
    ///
    /// # Errors
    /// `Unavailable` when the connection is gone; `ResourceExhausted` when too much waits for the
    /// client to read it (`Limits::push_bytes`), or a part of the message is longer than its limit.
    /// No error says that the client was there to take it: nobody answers a push.
    pub fn push(
        &self,
        service: impl Into<String>,
        method: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Result<(), Status> {
        self.send(Notice::new(service, method, body))
    }

    /// Sends a message that says more than names and bytes. Errors as those of
    /// [`push`](Pusher::push).
    pub fn send(&self, notice: Notice) -> Result<(), Status> {
        match &self.conn.outbox {
            Some(outbox) => outbox.put(notice),
            None => Err(cannot(&self.conn)),
        }
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.conn.closed.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Who is at the other end of the connection.
    pub fn peer(&self) -> &Peer {
        &self.conn.peer
    }
}

impl fmt::Debug for Pusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pusher").field(self.peer()).finish()
    }
}

impl Cx {
    /// Sends bytes to the client, beside the call's reply: [`Pusher::push`] of
    /// [`pusher`](Cx::pusher).
    pub fn push(
        &self,
        service: impl Into<String>,
        method: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Result<(), Status> {
        self.pusher()?.push(service, method, body)
    }

    /// A way to send messages to the client that outlives the call. An error, `Unimplemented`, over
    /// protocols that have no such messages: of those that are built in, rpcx has them.
    pub fn pusher(&self) -> Result<Pusher, Status> {
        match self.conn.outbox {
            Some(_) => Ok(Pusher { conn: Arc::clone(&self.conn) }),
            None => Err(cannot(&self.conn)),
        }
    }
}

#[cold]
fn cannot(conn: &ConnInfo) -> Status {
    let text = format!("{} has no messages but answers: nothing can be pushed", conn.protocol);
    Status::unimplemented(text)
}

/// A message for [`Pusher::send`].
#[derive(Clone, Debug)]
#[must_use = "a message does nothing until it is sent"]
pub struct Notice {
    service: String,
    method: String,
    format: Format,
    meta: Vec<(String, String)>,
    body: Bytes,
}

impl Notice {
    /// Bytes as they are. They go as [`Format::Raw`], which is all that Go's server sends.
    pub fn new(
        service: impl Into<String>,
        method: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Notice {
        let (service, method, body) = (service.into(), method.into(), body.into());
        Notice { service, method, format: Format::Raw, meta: Vec::new(), body }
    }

    /// A value in this format. The message says which it is; Go's client hands it on undecoded.
    ///
    /// # Errors
    /// `InvalidArgument` where the format cannot write the value, and for gob, whose bodies do not
    /// stand alone.
    pub fn encode<T: Put>(
        service: impl Into<String>,
        method: impl Into<String>,
        format: Format,
        value: &T,
    ) -> Result<Notice, Status> {
        let mut body = Vec::new();
        if format == Format::Gob {
            return Err(Status::invalid_argument("messages in gob cannot be pushed"));
        }
        format::encode(format, value, Bounds::default(), &mut body).map_err(|fault| {
            Status::invalid_argument(format!("the {format} message cannot be written: {fault}"))
        })?;
        Ok(Notice { format, ..Notice::new(service, method, body) })
    }

    /// Sends metadata along.
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Notice {
        self.meta.push((key.into(), value.into()));
        self
    }

    /// What it weighs while it waits.
    fn weight(&self) -> usize {
        let names = self.service.len() + self.method.len();
        size_of::<Notice>() + names + meta_bytes(&self.meta) + self.body.len()
    }

    /// What every client would close the connection for is not sent.
    fn check(&self, limits: &Limits) -> Result<(), Status> {
        let name = self.service.len().max(self.method.len());
        let (meta, message) = (meta_bytes(&self.meta), self.weight());
        for (what, length, limit, field) in [
            ("name", name, limits.name_bytes, "name_bytes"),
            ("metadata", meta, limits.meta_bytes, "meta_bytes"),
            ("message", message, limits.message_bytes, "message_bytes"),
        ] {
            if length > limit {
                return Err(Status::resource_exhausted(format!(
                    "the {what} is too long to be pushed; the limit is {limit} bytes \
                     (Limits::{field})"
                )));
            }
        }
        Ok(())
    }
}

/// Messages for one client that are not in the output yet.
pub(crate) struct Outbox {
    late: Weak<Late>,
    limits: Arc<Limits>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Notice>,
    bytes: usize,
    closed: bool,
}

impl Outbox {
    pub(crate) fn new(late: &Arc<Late>, limits: Arc<Limits>) -> Outbox {
        Outbox { late: Arc::downgrade(late), limits, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more message. The first wakes the connection; the others travel along.
    fn put(&self, notice: Notice) -> Result<(), Status> {
        notice.check(&self.limits)?;
        let (weight, limit) = (notice.weight(), self.limits.push_bytes);
        let mut state = self.lock();
        if state.closed {
            return Err(Status::unavailable("the connection to be pushed to is gone"));
        }
        if !state.waiting.is_empty() && state.bytes.saturating_add(weight) > limit {
            return Err(Status::resource_exhausted(format!(
                "too many messages wait for the client to read; the limit is {limit} bytes \
                 (Limits::push_bytes)"
            )));
        }
        state.bytes += weight;
        state.waiting.push_back(notice);
        let first = state.waiting.len() == 1;
        drop(state);
        if first && let Some(late) = self.late.upgrade() {
            late.touch(NO_STREAM);
        }
        Ok(())
    }

    /// Writes what waits, as long as there is room. True where something is left.
    pub(crate) fn write(&self, wire: &mut dyn Wire, out: &mut Out) -> bool {
        loop {
            let mut state = self.lock();
            if out.len() > self.limits.output_bytes {
                return !state.waiting.is_empty();
            }
            let Some(notice) = state.waiting.pop_front() else { return false };
            state.bytes -= notice.weight();
            if state.waiting.is_empty() {
                state.waiting = VecDeque::new();
            }
            drop(state);
            let Notice { service, method, format, meta, body } = &notice;
            let head = PushHead { service, method, format: *format, meta };
            let mark = wire.begin(Head::Push(head), out);
            out.tail().extend_from_slice(body);
            wire.end(mark, out);
        }
    }

    /// The connection is gone.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        let left = std::mem::take(&mut state.waiting);
        (state.bytes, state.closed) = (0, true);
        drop(state);
        drop(left);
    }
}

/// No stream has this number that would mind to be looked at.
const NO_STREAM: u64 = u64::MAX;
