//! A connection as callers see it: append to its output, wait in a slot.
//!
//! One short lock, never across an await, guards slots, output and wire. A caller that finds the
//! connection idle tries one write itself; otherwise the driver writes, after other callers had
//! their turn to append.

use super::{
    call::start_driver,
    many::Health,
    over::Connector,
    plugin::Hooks,
    pushes::Inbox,
    slots::{SlotId, Waiting},
    state::{Phase, Queued, State},
};
use crate::{
    limits::sane,
    stream::Pipe,
    target::{Address, Target},
};
use farcall_core::{Bounds, Format, Limits, Status};
use farcall_wire::{CallHead, Head, Mark, Out, Reply};
use std::{
    any::Any,
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
    /// What it shares with the client's other links.
    pub(super) joins: Joins,
}

/// What the links of a client share.
#[derive(Clone)]
pub(crate) struct Joins {
    /// How the address stands, where the client has several.
    pub(super) health: Option<Arc<Health>>,
    /// What the server pushes.
    pub(super) inbox: Arc<Inbox>,
    /// Who watches, if anybody does.
    pub(super) hooks: Option<Arc<Hooks>>,
}

impl Joins {
    pub(super) fn new(limits: &Limits, hooks: Hooks) -> Joins {
        let hooks = hooks.any().then(|| Arc::new(hooks));
        Joins { health: None, inbox: Inbox::new(limits), hooks }
    }
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
    /// It is in the hands of plugins or interceptors.
    Hooked,
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

impl Link {
    pub(crate) fn new(target: Target, limits: &Limits, connector: Connector, joins: Joins) -> Link {
        let limits = sane(limits.clone());
        let bounds = limits.bounds();
        let state = Mutex::new(State::new(&limits));
        let (started, connector) = (AtomicBool::new(false), Mutex::new(Some(connector)));
        let protocol = target.protocol;
        let plain = !protocol.carries_meta() || !protocol.carries(Format::MsgPack);
        let ordered = protocol.in_flight().is_some();
        let streaming = protocol.streams();
        Link { target, limits, bounds, plain, ordered, streaming, state, started, connector, joins }
    }

    /// Another link to the same server.
    pub(crate) fn another(&self, connector: Connector) -> Link {
        Link::new(self.target.clone(), &self.limits, connector, self.joins.clone())
    }

    /// Changes how the connection stands.
    pub(crate) fn set(&self, state: &mut State, phase: Phase) {
        let open = |phase: &Phase| matches!(phase, Phase::Up);
        let (was, is) = (open(&state.phase), open(&phase));
        state.phase = phase;
        if let Some(health) = self.joins.health.as_deref().filter(|_| was != is) {
            health.opened(is);
        }
    }

    /// Tells callers that wait for any address of the client what has happened here. Not under the
    /// lock.
    pub(crate) fn tell(&self, failure: Option<&Status>) {
        if let Some(health) = &self.joins.health {
            health.tell(failure);
        }
    }

    /// Asks for a connection that no call waits for.
    pub(crate) fn nudge(link: &Arc<Link>) -> Result<(), Status> {
        if link.claim_driver() {
            start_driver(link)?;
        }
        let mut state = link.lock();
        let down = matches!(state.phase, Phase::Down);
        if down {
            state.phase = Phase::Dialling;
        }
        let driver = state.driver.clone().filter(|_| down);
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(())
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
        self.tell(None);
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
            && !state.crowd
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
        self.set(&mut state, Phase::Closed);
        state.queue.call_all(&mut wakers);
        wakers.extend(state.driver.take());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
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

    /// The connection takes calls.
    pub(crate) fn open(&self) {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Closed) {
            self.set(&mut state, Phase::Up);
        }
        state.queue.call_all(&mut wakers);
        drop(state);
        self.tell(None);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// There is no connection any more, or still none: every call that was on it fails, and callers
    /// that wait learn of it.
    pub(crate) fn down(&self, status: &Status, answered: bool, unread: bool) {
        let mut wakers = Vec::new();
        let mut guard = self.lock();
        let state = &mut *guard;
        // What the server did not look at has not been sent, whatever was written.
        let written = if unread { 0 } else { state.written };
        let failed = |position| status.clone().with_sent(State::sent(written, position));
        let all = state.base..u64::MAX;
        state.slots.fail_all(&all, &mut wakers, failed);
        if !matches!(state.phase, Phase::Closed) {
            self.set(state, Phase::Down);
        }
        // A connection that answered and ended is no failed attempt: who waits asks for another.
        state.refused = !answered;
        if !answered {
            state.failures += 1;
            state.failure = Some(status.clone());
        }
        state.forget_connection();
        state.queue.call_all(&mut wakers);
        drop(guard);
        self.tell(if answered { None } else { Some(status) });
        wakers.into_iter().for_each(Waker::wake);
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

#[cold]
fn too_long(mark: &Mark, out: &mut Out, limits: &Limits) -> Status {
    let (all, body) = (out.tail().len() - mark.frame, out.tail().len() - mark.body);
    Status::resource_exhausted(format!(
        "the argument has {body} bytes, the message {all}; the limit is {} (Limits::message_bytes)",
        limits.message_bytes
    ))
}
