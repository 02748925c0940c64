//! Messages that the server sends without being asked, as a stream.

use super::Client;
use bytes::Bytes;
use farcall_core::{Body, Bounds, Compress, Format, Limits, Meta, Sent, Status, Take};
use farcall_wire::{
    Codec, Known, Wire,
    compress::{self, Unfold},
    format,
};
use futures_core::Stream;
use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker, ready},
};

impl Client {
    /// The messages that the server pushes over this client's connections, from now on: those that
    /// come while nobody holds such a stream are dropped. Several of them share what comes: each
    /// message goes to one.
    ///
    /// What is not taken waits, up to `Limits::push_bytes`; beyond it the oldest is dropped and
    /// counted ([`Pushes::dropped`]), because the replies of calls come over the same connection
    /// and must not wait for whoever lags behind.
    ///
    /// # Errors
    /// `Unimplemented` over protocols that have no such messages: of those that are built in, rpcx
    /// has them.
    pub fn pushes(&self) -> Result<Pushes, Status> {
        let link = self.link();
        if !link.target.protocol.pushes() {
            let name = link.target.protocol.name();
            let text = format!("{name} has no messages but answers: nothing is pushed over it");
            return Err(Status::unimplemented(text));
        }
        Ok(Pushes::new(&link.joins.inbox))
    }
}

/// What the server pushes, as a stream: by [`next`](Pushes::next) or as the [`Stream`] it is.
///
/// An error is no end: it says that the connection was lost, and with it what the server knew of
/// this client. The next call opens another, and its messages come out here as well. The stream
/// ends when the client is closed, or dropped with all its clones: it does not keep it.
pub struct Pushes {
    inbox: Arc<Inbox>,
}

impl Pushes {
    fn new(inbox: &Arc<Inbox>) -> Pushes {
        inbox.lock().takers += 1;
        Pushes { inbox: Arc::clone(inbox) }
    }

    /// The next message, or the loss of the connection; none when the client is closed. A call of
    /// it that is dropped has lost nothing.
    pub async fn next(&mut self) -> Option<Result<Push, Status>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// How many messages of this client were dropped because nobody took them in time.
    pub fn dropped(&self) -> u64 {
        self.inbox.lock().dropped
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Push, Status>>> {
        // A reader for whom there is always something lets others run, as with every channel.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let mut state = self.inbox.lock();
        let Some(entry) = state.pop() else {
            if state.closed {
                coop.made_progress();
                return Poll::Ready(None);
            }
            if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.wakers.push(cx.waker().clone());
            }
            return Poll::Pending;
        };
        drop(state);
        coop.made_progress();
        Poll::Ready(Some(entry.map(|push| Push { push, inbox: Arc::clone(&self.inbox) })))
    }
}

impl Stream for Pushes {
    type Item = Result<Push, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        state.takers -= 1;
        let left = match state.takers {
            0 => state.clear(),
            _ => VecDeque::new(),
        };
        drop(state);
        drop(left);
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.inbox.lock().waiting.len();
        f.debug_struct("Pushes").field("waiting", &waiting).finish_non_exhaustive()
    }
}

/// A message that the server pushed.
#[derive(Clone)]
pub struct Push {
    push: Box<farcall_wire::Push>,
    /// Knows how to read it.
    inbox: Arc<Inbox>,
}

impl Push {
    /// The service's name, or whatever the server says in its place; invalid UTF-8 is replaced.
    pub fn service(&self) -> &str {
        &self.push.service
    }

    /// The method's name, likewise.
    pub fn method(&self) -> &str {
        &self.push.method
    }

    /// The metadata that came with it.
    pub fn meta(&self) -> &Meta {
        &self.push.meta
    }

    /// How the body is encoded, as the message says. Go's server says [`Format::Raw`] of all.
    pub fn format(&self) -> Format {
        self.push.format
    }

    /// The body as it came, unfolded.
    ///
    /// # Errors
    /// `Internal` where it does not unfold, or to more than `Limits::unfolded_bytes`.
    pub fn bytes(&self) -> Result<Bytes, Status> {
        let (compress, body) = (self.push.compress, self.push.body.bytes.clone());
        self.inbox.unfold(compress, body).map_err(|e| unreadable(&e))
    }

    /// The body as a value, in the format that the message says; raw bytes are `Bytes` or
    /// `Vec<u8>`.
    ///
    /// # Errors
    /// `Internal` where it cannot be read.
    pub fn decode<T: Take>(&self) -> Result<T, Status> {
        self.decode_as(self.format())
    }

    /// The body as a value in this format, whatever the message says: bodies of Go's server are raw
    /// by name, and in the format that its program has chosen.
    pub fn decode_as<T: Take>(&self, format: Format) -> Result<T, Status> {
        let body = Body::from(self.bytes()?);
        let (bytes, bounds) = (&body.bytes, self.inbox.bounds);
        let read = match self.inbox.codec(format) {
            Some(codec) => codec.take(bytes, bounds),
            None => format::decode(format, bytes, None, bounds),
        };
        read.map_err(|fault| {
            unreadable(&format_args!("the {format} message cannot be read: {fault}"))
        })
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.push.fmt(f)
    }
}

#[cold]
fn unreadable(why: &dyn fmt::Display) -> Status {
    Status::internal(why.to_string()).with_sent(Sent::Yes)
}

/// What all connections of a client share: what was pushed over them and waits to be taken, and the
/// what this end knows that is not built in.
pub(crate) struct Inbox {
    known: OnceLock<Arc<Known>>,
    state: Mutex<State>,
    most: usize,
    bounds: Bounds,
    unfolded_bytes: usize,
}

type Entry = Result<Box<farcall_wire::Push>, Status>;

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    bytes: usize,
    /// How many streams there are; without one nothing is kept.
    takers: usize,
    dropped: u64,
    wakers: Vec<Waker>,
    closed: bool,
}

impl State {
    fn pop(&mut self) -> Option<Entry> {
        let entry = self.waiting.pop_front()?;
        self.bytes -= weight(&entry);
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(entry)
    }

    fn clear(&mut self) -> VecDeque<Entry> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

/// What an entry weighs while it waits.
fn weight(entry: &Entry) -> usize {
    size_of::<farcall_wire::Push>()
        + match entry {
            Ok(push) => {
                let names = push.service.len() + push.method.len();
                names + push.meta.block_bytes() + push.body.len()
            }
            Err(status) => status.text().len(),
        }
}

impl Inbox {
    pub(super) fn new(limits: &Limits) -> Arc<Inbox> {
        let Limits { push_bytes, unfolded_bytes, .. } = *limits;
        let bounds = limits.bounds();
        let (state, known) = (Mutex::default(), OnceLock::new());
        Arc::new(Inbox { known, state, most: push_bytes, bounds, unfolded_bytes })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of what is not built in, before anything is sent.
    pub(super) fn know(&self, known: Option<Arc<Known>>) {
        if let Some(known) = known {
            let _ = self.known.set(known);
        }
    }

    /// What is known of them.
    pub(super) fn known(&self) -> Option<Arc<Known>> {
        self.known.get().cloned()
    }

    /// Tells a wire of them.
    pub(super) fn introduce(&self, wire: &mut dyn Wire) {
        if let Some(known) = self.known.get() {
            wire.know(known);
        }
    }

    /// The codec of a format that is not built in.
    pub(super) fn codec(&self, format: Format) -> Option<&dyn Codec> {
        self.known.get()?.codec(format)
    }

    /// Unfolds a body, whatever its compression.
    pub(super) fn unfold(&self, compress: Compress, body: Bytes) -> Result<Bytes, Unfold> {
        match (compress, self.known.get()) {
            (Compress::Other(_), Some(known)) => {
                known.compressors.unfold(compress, &body, self.unfolded_bytes)
            }
            _ => compress::unfold(compress, body, self.unfolded_bytes),
        }
    }

    /// A message came, or a connection is lost: who is to be woken.
    #[cold]
    pub(super) fn deliver(&self, entry: Entry) -> Vec<Waker> {
        let mut state = self.lock();
        if state.takers == 0 || state.closed {
            return Vec::new();
        }
        state.bytes += weight(&entry);
        state.waiting.push_back(entry);
        while state.bytes > self.most && state.waiting.len() > 1 {
            if let Some(Ok(_)) = state.pop() {
                state.dropped += 1;
            }
        }
        std::mem::take(&mut state.wakers)
    }

    /// The connection is lost, and no message of it will come.
    pub(super) fn lost(&self, status: &Status) {
        self.deliver(Err(status.clone())).into_iter().for_each(Waker::wake);
    }

    /// The client is closed.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}
