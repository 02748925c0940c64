//! A connection as callers see it: append to its output, wait in a slot.
//!
//! One short lock, never across an await, guards slots, output and wire. A caller that finds the
//! connection idle tries one write itself; otherwise the driver writes, after other callers had
//! their turn to append.

use super::slots::{SlotId, Slots, Waiting};
use crate::{
    net::WriteHalf,
    target::{Address, Target},
};
use farcall_core::{Bounds, Code, Limits, Sent, Status};
use farcall_wire::{CallHead, Head, Mark, Out, Reply, Wire};
use std::{
    io::IoSlice,
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
    state: Mutex<State>,
    /// The driver's task runs.
    started: AtomicBool,
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
    /// The last client handle is gone.
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
    /// Bytes ever appended to this connection's output, and bytes ever written of it.
    pub(crate) appended: u64,
    pub(crate) written: u64,
    pub(crate) driver: Option<Waker>,
    /// Callers that wait for a connection or for room.
    pub(crate) queue: Vec<Waker>,
    /// The attempts to connect that have failed, and how the last one did.
    pub(crate) failures: u64,
    pub(crate) failure: Option<Status>,
    /// When the driver's timer is set to, for deadlines.
    pub(crate) alarm: Option<Instant>,
}

/// What a caller wants written.
pub(crate) struct Request<'a> {
    pub(crate) head: CallHead<'a>,
    pub(crate) deadline: Option<Instant>,
}

/// How it went.
pub(crate) enum Started {
    /// It waits in this slot.
    Waiting(SlotId),
    /// A one-way call is on its way.
    Sent,
    /// There is no connection or no room yet; the waker is kept.
    Queued,
}

impl Link {
    pub(crate) fn new(target: Target, limits: Limits) -> Link {
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
            driver: None,
            queue: Vec::new(),
            failures: 0,
            failure: None,
            alarm: None,
        };
        let bounds = limits.bounds();
        let state = Mutex::new(state);
        let plain = !target.protocol.carries_meta();
        Link { target, limits, bounds, plain, state, started: AtomicBool::new(false) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True once: whoever gets it starts the driver.
    pub(crate) fn claim_driver(&self) -> bool {
        !self.started.load(Ordering::Relaxed) && !self.started.swap(true, Ordering::AcqRel)
    }

    /// Failed attempts so far: a caller that begins to wait remembers it.
    pub(crate) fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// Writes a call into the output and takes a slot for it. `body` appends the body and may fail;
    /// then nothing was written. `failures` is what [`failures`](Link::failures) said when the
    /// caller began to wait.
    #[inline]
    pub(crate) fn start(
        &self,
        mut request: Request<'_>,
        waker: &Waker,
        failures: Option<u64>,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), Status>,
    ) -> Result<Started, Status> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let full = state.out.len() > self.limits.client_output_bytes || !state.slots.has_room();
        if !matches!(state.phase, Phase::Up) || full {
            return state.queue_up(waker, failures);
        }
        let Some(wire) = state.wire.as_deref_mut() else {
            return Err(Status::internal("a connection without a wire"));
        };
        let slot = if request.head.oneway {
            request.head.seq = state.slots.oneway();
            None
        } else {
            let Some((slot, number)) = state.slots.reserve() else {
                return state.queue_up(waker, failures);
            };
            request.head.seq = number;
            Some(slot)
        };
        let idle = !state.driver_writes
            && !state.flush_due
            && state.out.is_empty()
            && state.slots.waiting() == 0;
        let before = state.out.len();
        let mark: Mark = wire.begin(Head::Call(request.head), &mut state.out);
        if let Err(status) = body(state.out.tail()) {
            wire.abandon(mark, &mut state.out);
            if let Some(slot) = slot {
                state.slots.release(slot);
            }
            return Err(status);
        }
        wire.end(mark, &mut state.out);
        let position = state.appended;
        state.appended += (state.out.len() - before) as u64;
        let deadline = request.deadline;
        if let Some(slot) = slot {
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
        drop(guard);
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(slot.map_or(Started::Sent, Started::Waiting))
    }

    /// The result of a call that waits in a slot.
    #[inline]
    pub(crate) fn poll_reply(&self, slot: SlotId, waker: &Waker) -> Poll<Result<Reply, Status>> {
        let mut state = self.lock();
        let Some(result) = state.slots.take(slot, waker) else { return Poll::Pending };
        // Whoever waits for a slot may have this one.
        let next = if state.queue.is_empty() { None } else { state.queue.pop() };
        drop(state);
        if let Some(next) = next {
            next.wake();
        }
        Poll::Ready(result)
    }

    /// The call gave up; its slot is not used again before its reply has come.
    pub(crate) fn abandon(&self, slot: SlotId) {
        self.lock().slots.abandon(slot);
    }

    /// Waits until the connection is open, or an attempt to open it has failed.
    pub(crate) fn poll_ready(&self, waker: &Waker, failures: u64) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Up) {
            return Poll::Ready(Ok(()));
        }
        match state.queue_up(waker, Some(failures)) {
            Ok(_) => Poll::Pending,
            Err(status) => Poll::Ready(Err(status)),
        }
    }

    /// The last client handle is gone: the driver writes what is left and ends.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.phase = Phase::Closed;
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
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
    /// The caller waits for a connection or for room, or learns that the attempt it waited for
    /// failed.
    #[cold]
    fn queue_up(&mut self, waker: &Waker, failures: Option<u64>) -> Result<Started, Status> {
        if let (Some(seen), Some(failure)) = (failures, &self.failure)
            && self.failures > seen
            && !matches!(self.phase, Phase::Up)
        {
            return Err(failure.clone());
        }
        let driver = match self.phase {
            Phase::Closed => return Err(Status::cancelled("the client is closed")),
            Phase::Down => {
                self.phase = Phase::Dialling;
                self.driver.clone()
            }
            Phase::Dialling | Phase::Up => None,
        };
        if !self.queue.iter().any(|w| w.will_wake(waker)) {
            self.queue.push(waker.clone());
        }
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(Started::Queued)
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
    pub(crate) fn sent(written: u64, waiting: &Waiting) -> Sent {
        if written <= waiting.position { Sent::No } else { Sent::Maybe }
    }
}

/// The status of a call whose deadline passed while it waited for its reply.
#[cold]
pub(crate) fn expired(sent: Sent) -> Status {
    Status::new(Code::DeadlineExceeded, "no answer before the deadline").with_sent(sent)
}
