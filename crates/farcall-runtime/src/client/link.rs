//! A connection as callers see it: append to its output, wait in a slot.
//!
//! One short lock, never across an await, guards slots, output and wire. A caller that finds the
//! connection idle tries one write itself; otherwise the driver writes, after other callers had
//! their turn to append.

use super::{
    over::Connector,
    pushes::Inbox,
    queue::{Place, Queue},
    slots::{SlotId, Slots, Waiting},
};
use crate::{
    limits::sane,
    net::WriteHalf,
    stream::Pipe,
    target::{Address, Target},
};
use farcall_core::{Bounds, Code, Format, Limits, Sent, Status};
use farcall_wire::{CallHead, Head, Mark, Out, Reply, Wire};
use std::{
    any::Any,
    io::IoSlice,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};
use tokio::time::Instant;

/// What callers and the driver of one client share.
pub(crate) struct Link {
    pub(crate) target: Target,
    pub(crate) limits: Limits,
    pub(crate) bounds: Bounds,
    /// The protocol carries bodies in its one format, and nothing beside them.
    pub(crate) plain: bool,
    /// Answers come in the order of the calls: one call at a time, and each is answered.
    pub(crate) ordered: bool,
    /// The protocol carries streams, and a word for calls that are given up.
    pub(crate) streaming: bool,
    state: Mutex<State>,
    /// The driver's task runs, or is about to.
    started: AtomicBool,
    /// What the driver dials with; here while none runs.
    connector: Mutex<Option<Connector>>,
    /// What the server pushes.
    pub(super) inbox: Arc<Inbox>,
}

/// How the connection stands.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// No connection; the next call asks for one.
    Down,
    /// Being opened, or waiting to be tried again.
    Dialling,
    /// Open.
    Up,
    /// Open, and its server takes no new calls on it: they wait for another connection.
    Leaving,
    /// The client was closed, or its last handle is gone.
    Closed,
}

pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) slots: Slots,
    pub(crate) out: Out,
    pub(crate) wire: Option<Box<dyn Wire>>,
    pub(crate) write: Option<Arc<dyn WriteHalf>>,
    /// The driver holds bytes that come before those in `out`.
    pub(crate) driver_writes: bool,
    /// The driver knows that it must flush.
    pub(crate) flush_due: bool,
    /// Bytes ever appended to the output, and bytes ever written of it, or lost.
    pub(crate) appended: u64,
    pub(crate) written: u64,
    /// Where the output of this connection begins; what is before went to others.
    pub(crate) base: u64,
    /// Connections that are left and still have answers to bring.
    pub(crate) left: usize,
    pub(crate) driver: Option<Waker>,
    /// Callers that wait for a connection or for room.
    pub(crate) queue: Queue,
    /// Who waits for the client to be closed.
    pub(crate) closers: Vec<Waker>,
    /// The client was closed before all of its output was written.
    pub(crate) unwritten: bool,
    /// The attempts to connect that have failed, and how the last one did.
    pub(crate) failures: u64,
    pub(crate) failure: Option<Status>,
    /// The last connection ended without an answer, or there was none.
    pub(crate) refused: bool,
    /// When the driver's timer is set to, for deadlines.
    pub(crate) alarm: Option<Instant>,
    /// The numbers of streams that want to be attended to.
    pub(super) touched: Vec<u64>,
    /// All streams are to be looked at again.
    pub(super) again: bool,
}

/// What a caller wants written.
pub(crate) struct Request<'a> {
    pub(crate) head: CallHead<'a>,
    pub(crate) deadline: Option<Instant>,
    /// The call streams: it waits in this pipe, not in its slot.
    pub(crate) stream: Option<&'a Arc<Pipe>>,
}

/// How it went.
pub(crate) enum Started {
    /// It waits in this slot.
    Waiting(SlotId),
    /// A one-way call, or one that streams, is on its way.
    Sent,
    /// There is no connection or no room yet; the waker is kept.
    Queued(Queued),
    /// Every connection of the client is taken; the waker is kept.
    InLine,
}

/// How a link stands between two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The next call can be written at once.
    Open,
    /// The server cannot be reached yet; the next attempt is made in its time.
    Trying,
    /// The connection is gone, or part of a call is left on it: no other may follow.
    Over,
}

/// A caller in the line: it says so when it comes again, and when it leaves.
#[derive(Clone, Copy)]
pub(crate) struct Queued {
    place: Place,
    /// The attempts to connect that had failed when it began to wait.
    failures: u64,
}

impl Link {
    pub(crate) fn new(target: Target, limits: Limits, connector: Connector) -> Link {
        let limits = sane(limits);
        let state = State {
            phase: Phase::Down,
            slots: Slots::new(limits.calls_in_flight),
            out: Out::new(),
            wire: None,
            write: None,
            driver_writes: false,
            flush_due: false,
            appended: 0,
            written: 0,
            base: 0,
            left: 0,
            driver: None,
            queue: Queue::default(),
            closers: Vec::new(),
            unwritten: false,
            failures: 0,
            failure: None,
            refused: false,
            alarm: None,
            touched: Vec::new(),
            again: false,
        };
        let bounds = limits.bounds();
        let state = Mutex::new(state);
        let (started, connector) = (AtomicBool::new(false), Mutex::new(Some(connector)));
        let protocol = target.protocol;
        let plain = !protocol.carries_meta() || !protocol.carries(Format::MsgPack);
        let ordered = protocol.in_flight().is_some();
        let (streaming, inbox) = (protocol.streams(), Inbox::new(&limits));
        Link { target, limits, bounds, plain, ordered, streaming, state, started, connector, inbox }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True once: whoever gets it starts the driver.
    pub(crate) fn claim_driver(&self) -> bool {
        !self.started.load(Ordering::Relaxed) && !self.started.swap(true, Ordering::AcqRel)
    }

    /// What a driver needs, if none has it.
    pub(crate) fn take_connector(&self) -> Option<Connector> {
        self.connector.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// No driver runs any more: the next call may start one. Callers that wait try at once.
    pub(crate) fn unclaim(&self, connector: Option<Connector>) {
        if connector.is_some() {
            *self.connector.lock().unwrap_or_else(PoisonError::into_inner) = connector;
        }
        self.started.store(false, Ordering::Release);
        let mut state = self.lock();
        let mut wakers = std::mem::take(&mut state.closers);
        state.queue.call_all(&mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Writes a call into the output and takes a slot for it. `body` appends the body and may fail;
    /// then nothing was written. `queued` is what the last try gave, if it had to wait.
    #[inline]
    pub(crate) fn start(
        &self,
        mut request: Request<'_>,
        waker: &Waker,
        queued: Option<Queued>,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), Status>,
    ) -> Result<Started, Status> {
        let mut guard = self.lock();
        let state = &mut *guard;
        // Who waited is let through; who comes new, only where nobody waits.
        let first = queued.is_some() || state.queue.is_empty();
        if !first || !matches!(state.phase, Phase::Up) || !state.has_room(&self.limits) {
            return self.line_up(guard, waker, queued).map(Started::Queued);
        }
        let Some(wire) = state.wire.as_deref_mut() else {
            return Err(Status::internal("a connection without a wire"));
        };
        let (slot, number) = if request.head.oneway && !self.ordered {
            (None, state.slots.oneway())
        } else {
            let Some((slot, number)) = state.slots.reserve() else {
                return self.line_up(guard, waker, queued).map(Started::Queued);
            };
            (Some(slot), number)
        };
        request.head.seq = number;
        let idle = !state.driver_writes
            && !state.flush_due
            && state.out.is_empty()
            && state.slots.waiting() == 0;
        let before = state.out.len();
        let mark: Mark = wire.begin(Head::Call(request.head), &mut state.out);
        // Users' code writes the body, and must not leave half a frame behind if it panics.
        let failure = match catch_unwind(AssertUnwindSafe(|| body(state.out.tail()))) {
            Ok(Ok(())) if state.out.tail().len() - mark.frame <= self.limits.message_bytes => None,
            Ok(Ok(())) => Some(Ok(too_long(&mark, &mut state.out, &self.limits))),
            Ok(Err(status)) => Some(Ok(status)),
            Err(panic) => Some(Err(panic)),
        };
        if let Some(failure) = failure {
            return Err(self.take_back(guard, mark, slot, queued, failure));
        }
        wire.end(mark, &mut state.out);
        let position = state.appended;
        state.appended += (state.out.len() - before) as u64;
        let deadline = request.deadline;
        if let (Some(slot), Some(pipe)) = (slot, request.stream) {
            state.begin_stream((slot, number), pipe, deadline, position, &self.limits);
        } else if let Some(slot) = slot {
            state.slots.wait(slot, Waiting { waker: waker.clone(), deadline, position });
        }
        let written = idle && state.write_directly();
        let mut wake = false;
        if !written && !state.flush_due {
            state.flush_due = true;
            wake = true;
        }
        if slot.is_some()
            && let Some(at) = deadline
            && state.alarm.is_none_or(|alarm| at < alarm)
        {
            state.alarm = Some(at);
            wake = true;
        }
        let driver = if wake { state.driver.clone() } else { None };
        if let Some(queued) = queued {
            self.pass_on(guard, Some(queued));
        } else {
            drop(guard);
        }
        if let Some(driver) = driver {
            driver.wake();
        }
        match slot {
            Some(slot) if request.stream.is_none() => Ok(Started::Waiting(slot)),
            _ => Ok(Started::Sent),
        }
    }

    /// The caller waits for a connection or for room, or learns that the attempt it waited for
    /// failed.
    #[cold]
    fn line_up(
        &self,
        mut guard: MutexGuard<'_, State>,
        waker: &Waker,
        queued: Option<Queued>,
    ) -> Result<Queued, Status> {
        let state = &mut *guard;
        let old = queued.and_then(|queued| state.queue.leave(queued.place));
        let result = state.line_up(waker, queued);
        let next = state.next(&self.limits);
        drop(guard);
        drop(old);
        if let Some(next) = next {
            next.wake();
        }
        let (queued, driver) = result?;
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(queued)
    }

    /// A caller got what it wanted, or leaves: whoever waits for what it does not need is called.
    #[cold]
    fn pass_on(&self, mut guard: MutexGuard<'_, State>, queued: Option<Queued>) {
        let old = queued.and_then(|queued| guard.queue.leave(queued.place));
        let next = guard.next(&self.limits);
        drop(guard);
        drop(old);
        if let Some(next) = next {
            next.wake();
        }
    }

    /// The body could not be written: all is as if the call had never begun.
    #[cold]
    fn take_back(
        &self,
        mut guard: MutexGuard<'_, State>,
        mark: Mark,
        slot: Option<SlotId>,
        queued: Option<Queued>,
        failure: Result<Status, Box<dyn Any + Send>>,
    ) -> Status {
        let state = &mut *guard;
        if let Some(wire) = state.wire.as_deref_mut() {
            wire.abandon(mark, &mut state.out);
        }
        if let Some(slot) = slot {
            state.slots.release(slot);
        }
        self.pass_on(guard, queued);
        failure.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// The result of a call that waits in a slot.
    #[inline]
    pub(crate) fn poll_reply(&self, slot: SlotId, waker: &Waker) -> Poll<Result<Reply, Status>> {
        let mut state = self.lock();
        match state.slots.take(slot, waker) {
            Ok(result) => {
                // Whoever waits for a slot may have this one.
                if state.queue.waits() {
                    self.pass_on(state, None);
                }
                Poll::Ready(result)
            }
            Err(old) => {
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }

    /// The call gave up; its slot is not used again before its reply has come.
    pub(crate) fn abandon(&self, slot: SlotId) {
        let mut state = self.lock();
        let old = match self.streaming {
            true => state.cancel(slot),
            false => state.slots.abandon(slot),
        };
        // A closed client waits for its calls.
        let told = self.streaming && state.flush_due || matches!(state.phase, Phase::Closed);
        let driver = if told { state.driver.clone() } else { None };
        self.pass_on(state, None);
        drop(old);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// A caller leaves the line.
    pub(crate) fn leave(&self, queued: Queued) {
        self.pass_on(self.lock(), Some(queued));
    }

    /// Waits until the connection is open, or an attempt to open it has failed. `None`: it is open.
    pub(crate) fn ready(
        &self,
        waker: &Waker,
        queued: Option<Queued>,
    ) -> Result<Option<Queued>, Status> {
        let state = self.lock();
        if matches!(state.phase, Phase::Up) {
            self.pass_on(state, queued);
            return Ok(None);
        }
        self.line_up(state, waker, queued).map(Some)
    }

    /// The client is closed, or its last handle is gone: nothing new may start, and the driver ends
    /// when it has written what is left.
    pub(crate) fn close(&self) {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        state.phase = Phase::Closed;
        state.queue.call_all(&mut wakers);
        wakers.extend(state.driver.take());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        self.inbox.close();
    }

    /// How the link stands between two calls, for a pool.
    pub(crate) fn rest(&self) -> Rest {
        let state = self.lock();
        let clean = state.slots.all_free() && state.appended == state.written;
        match state.phase {
            Phase::Up if clean && !state.wire.as_ref().is_some_and(|w| w.midway()) => Rest::Open,
            Phase::Dialling => Rest::Trying,
            Phase::Down if state.refused => Rest::Trying,
            Phase::Up | Phase::Leaving | Phase::Down | Phase::Closed => Rest::Over,
        }
    }

    /// Ready when a closed client's driver has ended, or never began: whether all was written.
    pub(crate) fn poll_closed(&self, waker: &Waker) -> Poll<bool> {
        let mut state = self.lock();
        if !self.started.load(Ordering::Acquire) && state.left == 0 {
            return Poll::Ready(!state.unwritten);
        }
        if !state.closers.iter().any(|w| w.will_wake(waker)) {
            state.closers.push(waker.clone());
        }
        Poll::Pending
    }

    /// Says where the server is.
    #[cold]
    pub(crate) fn place(&self, status: Status) -> Status {
        match &self.target.address {
            Address::Given => status,
            address => status.with_peer(address),
        }
    }
}

impl State {
    /// Whether one more call can be written, as far as slots and output go.
    #[inline]
    fn has_room(&self, limits: &Limits) -> bool {
        let unwritten = self.appended.saturating_sub(self.written);
        unwritten <= limits.client_output_bytes as u64 && self.slots.has_room()
    }

    /// Calls the next in line, if there is room for it. Called whenever there may be: room that
    /// nobody is called for would never be taken.
    pub(crate) fn next(&mut self, limits: &Limits) -> Option<Waker> {
        let room = self.queue.waits() && matches!(self.phase, Phase::Up) && self.has_room(limits);
        if room { self.queue.call() } else { None }
    }

    /// The place in the line, and the driver if it must be woken.
    fn line_up(
        &mut self,
        waker: &Waker,
        queued: Option<Queued>,
    ) -> Result<(Queued, Option<Waker>), Status> {
        if let (Some(queued), Some(failure)) = (queued, &self.failure)
            && self.failures > queued.failures
            && !matches!(self.phase, Phase::Up)
        {
            return Err(failure.clone());
        }
        let driver = match self.phase {
            Phase::Closed => return Err(closed()),
            Phase::Down => {
                self.phase = Phase::Dialling;
                self.driver.clone()
            }
            Phase::Dialling | Phase::Up | Phase::Leaving => None,
        };
        let place = self.queue.enter(queued.map(|queued| queued.place), waker);
        let failures = queued.map_or(self.failures, |queued| queued.failures);
        Ok((Queued { place, failures }, driver))
    }

    /// One write by the caller itself; true if everything went out.
    #[inline]
    fn write_directly(&mut self) -> bool {
        let Some(write) = &self.write else { return false };
        let mut chunks = [IoSlice::new(&[]); 4];
        let count = self.out.slices(&mut chunks);
        let Ok(written) = write.try_write(&chunks[..count]) else { return false };
        self.out.advance(written);
        self.written += written as u64;
        self.out.is_empty()
    }

    /// What becomes of a call when its connection is lost: safe to repeat if its frame never left.
    pub(crate) fn sent(written: u64, position: u64) -> Sent {
        if written <= position { Sent::No } else { Sent::Maybe }
    }
}

/// The status of a call whose deadline passed while it waited for its reply.
#[cold]
pub(crate) fn expired(sent: Sent) -> Status {
    Status::new(Code::DeadlineExceeded, "no answer before the deadline").with_sent(sent)
}

#[cold]
fn too_long(mark: &Mark, out: &mut Out, limits: &Limits) -> Status {
    let (all, body) = (out.tail().len() - mark.frame, out.tail().len() - mark.body);
    Status::resource_exhausted(format!(
        "the argument has {body} bytes, the message {all}; the limit is {} (Limits::message_bytes)",
        limits.message_bytes
    ))
}

/// The status of calls on a client that was closed.
#[cold]
pub(crate) fn closed() -> Status {
    Status::cancelled("the client is closed")
}
