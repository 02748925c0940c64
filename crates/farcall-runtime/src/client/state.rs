//! What a link's lock guards: slots, output, wire, and who waits for them.

use super::{
    queue::{Place, Queue},
    slots::Slots,
};
use crate::net::WriteHalf;
use farcall_core::{Code, Limits, Sent, Status};
use farcall_wire::{Out, Wire};
use std::{io::IoSlice, sync::Arc, task::Waker};
use tokio::time::Instant;

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
    /// The last read brought several answers.
    pub(crate) crowd: bool,
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

/// A caller in the line: it says so when it comes again, and when it leaves.
#[derive(Clone, Copy)]
pub(crate) struct Queued {
    pub(super) place: Place,
    /// The attempts to connect that had failed when it began to wait.
    failures: u64,
}

impl State {
    pub(super) fn new(limits: &Limits) -> State {
        State {
            phase: Phase::Down,
            slots: Slots::new(limits.calls_in_flight),
            out: Out::new(),
            wire: None,
            write: None,
            driver_writes: false,
            crowd: false,
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
        }
    }

    /// Whether one more call can be written, as far as slots and output go.
    #[inline]
    pub(super) fn has_room(&self, limits: &Limits) -> bool {
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
    pub(super) fn line_up(
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
    pub(super) fn write_directly(&mut self) -> bool {
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

/// The status of calls on a client that was closed.
#[cold]
pub(crate) fn closed() -> Status {
    Status::cancelled("the client is closed")
}
