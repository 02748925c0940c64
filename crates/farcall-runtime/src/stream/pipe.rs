//! One streaming call between its connection and its users: what came and is not taken yet, what
//! is to be sent and has no room yet. The same on both sides of the wire.
//!
//! Users change the pipe and *touch* it: its number goes on a list of the connection, which is
//! woken once for all of them and *attends* to each. Lock order: the connection's, then the pipe's;
//! a pipe's user holds neither while it touches.

use farcall_core::{Compress, Format, Meta, Sent, Status};
use farcall_wire::{Control, EndHead, Head, Item, ItemHead, Out, Reply, Wire};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// A connection that can be told to look at a stream.
pub(crate) trait Home: Send + Sync {
    /// The stream of this number wants to be attended to.
    fn touch(&self, seq: u64);
}

/// One streaming call.
pub(crate) struct Pipe {
    seq: AtomicU64,
    home: Weak<dyn Home>,
    /// Dropping the reader gives the whole call up: a client's.
    calls: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The connection knows the stream.
    open: bool,
    touched: bool,
    // What comes.
    items: VecDeque<Item>,
    end: Option<End>,
    reader: Option<Waker>,
    reader_gone: bool,
    /// What to give back to the window.
    consumed: usize,
    // What goes.
    queue: VecDeque<Encoded>,
    /// Bytes that may still be queued.
    room: usize,
    writer: Option<Waker>,
    wants: Wants,
    ends: Ends,
    /// All that was queued has left the wire.
    drained: bool,
    /// Nobody wants any more of it.
    stopped: bool,
    given_up: bool,
}

/// How far this side is in ending what it sends, by itself.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Ends {
    #[default]
    No,
    Due,
    Said,
}

/// What the writer waits for, beside the end of it all.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wants {
    #[default]
    Nothing,
    Room,
    Drained,
}

/// An item on its way out.
pub(crate) struct Encoded {
    pub(crate) format: Format,
    pub(crate) compress: Compress,
    pub(crate) body: Vec<u8>,
}

/// How what comes has ended.
pub(crate) enum End {
    /// With a last word, and the metadata beside it.
    Over(Meta),
    /// With the one result.
    Answer(Reply),
    Failed(Status),
}

/// What a connection is to do after it attended to a stream.
#[derive(Default)]
pub(crate) struct Attended {
    /// Wake it, outside of the lock.
    pub(crate) writer: Option<Waker>,
    /// The call was given up: tell the peer.
    pub(crate) given_up: bool,
    /// The output is full: come again when it is not.
    pub(crate) held: bool,
}

/// What the connection allows a stream.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    /// Unwritten bytes of the connection, beyond which no item is written.
    pub(crate) output_bytes: usize,
    /// See `Limits::stream_bytes`.
    pub(crate) stream_bytes: usize,
}

impl Pipe {
    /// A stream that is not open yet. `calls`: this is the caller's side.
    pub(crate) fn new(home: Weak<dyn Home>, calls: bool) -> Arc<Pipe> {
        Arc::new(Pipe { seq: AtomicU64::new(0), home, calls, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The connection's side.

    /// The connection knows it from now on, by this number.
    pub(crate) fn open(&self, seq: u64, wire: &dyn Wire, allowed: Allowed) {
        self.seq.store(seq, Ordering::Relaxed);
        let mut state = self.lock();
        state.open = true;
        state.room = wire.room(seq).min(allowed.stream_bytes);
    }

    /// An item came. Gives back what is to be woken, or what nobody will take.
    pub(crate) fn deliver(&self, item: Item) -> Result<Option<Waker>, Item> {
        let mut state = self.lock();
        if state.reader_gone || state.end.is_some() {
            return Err(item);
        }
        state.items.push_back(item);
        Ok(state.reader.take())
    }

    /// The peer sends no more.
    pub(crate) fn end_input(&self, end: End) -> Option<Waker> {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        state.reader.take()
    }

    /// The call is over, both ways. Gives back whom to wake.
    pub(crate) fn finish(&self, end: End) -> [Option<Waker>; 2] {
        let mut state = self.lock();
        state.open = false;
        state.stopped = true;
        state.room = 0;
        state.queue.clear();
        state.end.get_or_insert(end);
        [state.reader.take(), state.writer.take()]
    }

    /// Carries what there is between the users and the wire.
    pub(crate) fn attend(&self, wire: &mut dyn Wire, out: &mut Out, allowed: Allowed) -> Attended {
        let seq = self.seq.load(Ordering::Relaxed);
        let mut guard = self.lock();
        let state = &mut *guard;
        state.touched = false;
        if !state.open {
            return Attended::default();
        }
        if state.given_up {
            return Attended { given_up: true, ..Attended::default() };
        }
        let cost = std::mem::take(&mut state.consumed);
        if cost > 0 {
            wire.control(Control::Consumed { seq, cost }, out);
        }
        let mut held = false;
        while !state.queue.is_empty() && wire.room(seq) > 0 {
            held = out.len() > allowed.output_bytes;
            if held {
                break;
            }
            let Some(item) = state.queue.pop_front() else { break };
            let head = ItemHead { seq, format: item.format, compress: item.compress };
            let mark = wire.begin(Head::Item(head), out);
            out.tail().extend_from_slice(&item.body);
            wire.end(mark, out);
        }
        let empty = state.queue.is_empty();
        let room = if empty { wire.room(seq).min(allowed.stream_bytes) } else { 0 };
        state.room = room;
        state.drained = empty && wire.parked(seq) == 0;
        if empty && state.ends == Ends::Due {
            state.ends = Ends::Said;
            let mark = wire.begin(Head::End(EndHead { seq, error: None, meta: &[] }), out);
            wire.end(mark, out);
        }
        let wake = match state.wants {
            Wants::Nothing => false,
            Wants::Room => room > 0,
            Wants::Drained => state.drained,
        };
        Attended { writer: wake.then(|| state.writer.take()).flatten(), given_up: false, held }
    }

    // The reader's side.

    /// The next item; none when no more will come.
    pub(crate) fn poll_item(&self, cx: &Context<'_>, spare: usize) -> Poll<Option<Item>> {
        let mut state = self.lock();
        let Some(item) = state.items.pop_front() else {
            if state.end.is_some() {
                return Poll::Ready(None);
            }
            let old = keep(&mut state.reader, cx);
            drop(state);
            drop(old);
            return Poll::Pending;
        };
        state.consumed += item.cost;
        // Whoever keeps up gives back at once; whoever lags, by the portion.
        if state.end.is_none() && (state.items.is_empty() || state.consumed >= spare) {
            self.touch(state);
        }
        Poll::Ready(Some(item))
    }

    /// How it ended, once all items are taken. A failure is told once.
    pub(crate) fn take_end(&self) -> Result<Option<Meta>, Status> {
        let mut state = self.lock();
        match state.end.replace(End::Over(Meta::default())) {
            Some(End::Failed(status)) => Err(status),
            Some(End::Over(meta)) => Ok(Some(meta)),
            Some(End::Answer(_)) => Err(wrong_shape("one result, where a stream was expected")),
            None => Ok(None),
        }
    }

    /// The one result of a call that answers with no stream.
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Result<Reply, Status>> {
        let mut state = self.lock();
        match state.end.take() {
            Some(End::Answer(reply)) => Poll::Ready(Ok(reply)),
            Some(End::Failed(status)) => Poll::Ready(Err(status)),
            Some(End::Over(_)) => {
                Poll::Ready(Err(wrong_shape("a stream, where one result was expected")))
            }
            None => {
                let old = keep(&mut state.reader, cx);
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }

    /// Nobody reads any more. On the caller's side that ends the call.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.reader_gone = true;
        state.consumed += state.items.drain(..).map(|item| item.cost).sum::<usize>();
        if self.calls {
            state.given_up = true;
            state.stopped = true;
            state.queue.clear();
        }
        let writer = if state.stopped { state.writer.take() } else { None };
        if state.consumed > 0 || state.given_up {
            self.touch(state);
        } else {
            drop(state);
        }
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    // The writer's side.

    /// Ready when an item may be queued: true; or when nobody wants any: false.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.stopped {
            return Poll::Ready(false);
        }
        if state.room > 0 {
            return Poll::Ready(true);
        }
        state.wants = Wants::Room;
        let old = keep(&mut state.writer, cx);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Has the writer woken when nobody wants any more; true where that is so already.
    pub(crate) fn watch(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        state.wants = Wants::Nothing;
        let (stopped, old) = (state.stopped, keep(&mut state.writer, cx));
        drop(state);
        drop(old);
        stopped
    }

    /// Queues an item. There was room before; there may be none after.
    pub(crate) fn push(&self, item: Encoded) {
        let mut state = self.lock();
        state.room = state.room.saturating_sub(item.body.len().max(1));
        state.drained = false;
        state.queue.push_back(item);
        self.touch(state);
    }

    /// This side sends no more: the connection says so once all is written.
    pub(crate) fn end_output(&self) {
        let mut state = self.lock();
        state.ends = Ends::Due;
        self.touch(state);
    }

    /// Ready when all that was queued has left the wire: true; or when nobody wants it: false.
    pub(crate) fn poll_drained(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.stopped {
            return Poll::Ready(false);
        }
        if state.queue.is_empty() && state.drained {
            return Poll::Ready(true);
        }
        state.wants = Wants::Drained;
        let old = keep(&mut state.writer, cx);
        // The wire may have parked something and sent it on: only the connection knows.
        self.touch(state);
        drop(old);
        Poll::Pending
    }

    /// The caller's own stream failed: the call ends with this, and the peer is told that it was
    /// given up.
    pub(crate) fn fail(&self, status: Status) {
        let mut state = self.lock();
        state.given_up = true;
        state.stopped = true;
        state.queue.clear();
        state.end.get_or_insert(End::Failed(status));
        let reader = state.reader.take();
        self.touch(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn touch(&self, mut state: MutexGuard<'_, State>) {
        let first = state.open && !std::mem::replace(&mut state.touched, true);
        drop(state);
        if first && let Some(home) = self.home.upgrade() {
            home.touch(self.seq.load(Ordering::Relaxed));
        }
    }
}

/// The status of a call whose server believes the method to be another.
#[cold]
pub(crate) fn wrong_shape(what: &str) -> Status {
    Status::internal(format!("the server answered with {what}")).with_sent(Sent::Yes)
}

/// Remembers whom to wake. The waker it takes the place of is to be dropped outside of the lock.
fn keep(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    if place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        return None;
    }
    place.replace(cx.waker().clone())
}
