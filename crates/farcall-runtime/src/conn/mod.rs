//! One connection, one owner: a task that reads, cuts, starts calls in place, and writes once a
//! turn.
//!
//! A turn is bounded in calls, bytes and time, so that a busy connection lets others have theirs.
//! Handlers that are not ready at once leave for tasks of their own and come home through `late`.

mod greet;
mod late;
mod part;
mod scratch;
mod slots;
mod timing;

pub(crate) use late::{Busy, Late, Stop};
pub(crate) use part::Close;

use crate::{
    clock::after,
    net::Stream,
    server::{ConnInfo, Cx, Reply, Shared},
};
use bytes::BytesMut;
use farcall_core::{Call, Limits, MethodId, Status, Ticket};
use farcall_wire::{Broken, Event, Fed, Head, Out, ReplyHead, Unknown, Wire};
use late::Homecomer;
use part::Part;
use scratch::READ_BYTES;
use slots::Slots;
use std::{
    collections::VecDeque,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use timing::Timing;
use tokio::time::Instant;

/// The server's end of one connection.
pub(crate) struct Conn {
    stream: Stream,
    shared: Arc<Shared>,
    info: Arc<ConnInfo>,
    late: Arc<Late>,
    /// Opened once the first bytes have named the protocol.
    wire: Option<Box<dyn Wire>>,
    input: BytesMut,
    out: Out,
    /// Events that were cut but may not start yet: the output is full.
    parked: VecDeque<Event>,
    slots: Slots,
    timing: Timing,
    /// How many more bytes the message at hand needs; 0 when none has begun.
    need: usize,
    /// `input` may hold complete messages.
    unfed: bool,
    /// The wire feeds no more until a reply was written.
    waiting: bool,
    /// The peer has sent its last byte.
    ended: bool,
    /// What the connection ends with once all is answered and written.
    part: Option<Box<Part>>,
    /// The transport keeps bytes that it was given.
    flushing: bool,
    leaving: Leaving,
    home: Vec<Homecomer>,
}

/// How far a connection is in leaving.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// It is not read any more, unless a message has begun.
    Yes,
    /// It is read for the sake of that message.
    Reading,
    /// That message is complete; what follows it is not waited for.
    Read,
}

/// What is left of a turn.
struct Budget {
    calls: usize,
    bytes: usize,
    until: Instant,
    over: bool,
}

impl Conn {
    /// The end of a connection that was just accepted.
    pub(crate) fn new(stream: Stream, shared: Arc<Shared>) -> Conn {
        let info = Arc::new(ConnInfo {
            peer: stream.peer.clone(),
            identity: None,
            protocol: "",
            closed: AtomicBool::new(false),
            router: shared.router.clone(),
            away: shared.away.clone(),
        });
        Conn {
            stream,
            info,
            late: Arc::default(),
            wire: None,
            input: BytesMut::new(),
            out: Out::new(),
            parked: VecDeque::new(),
            slots: Slots::default(),
            timing: Timing::new(Instant::now()),
            need: 0,
            unfed: false,
            waiting: false,
            ended: false,
            part: None,
            flushing: false,
            leaving: Leaving::No,
            home: Vec::new(),
            shared,
        }
    }

    /// The way to reach the connection from outside.
    pub(crate) fn late(&self) -> &Arc<Late> {
        &self.late
    }

    fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// One turn: bring home, start what was cut, cut what was read, write, read.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        if self.bring_home(cx) == Stop::Cut {
            return Poll::Ready(Close::Time("Limits::drain_time"));
        }
        let now = Instant::now();
        let mut budget = Budget {
            calls: self.limits().turn_calls,
            bytes: self.limits().turn_bytes,
            until: after(now, self.limits().turn_time),
            over: false,
        };
        loop {
            let broken = self.work(&mut budget, now).err();
            if let Err(error) = self.write(cx) {
                return Poll::Ready(Close::Io(error));
            }
            if let Some(broken) = broken {
                return Poll::Ready(Close::Broken(broken));
            }
            if budget.over {
                // Others first; this connection goes to the back of the queue.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.finished() {
                let parting = self.part.as_ref().is_some_and(|part| part.begun());
                if !parting && self.stream.write.poll_close(cx).is_pending() {
                    self.flushing = true;
                    break;
                }
                return self.take_leave(cx);
            }
            if self.blocked() {
                break;
            }
            if self.unfed || !self.parked.is_empty() {
                // Writing made room for what was held back.
                continue;
            }
            if self.deaf() {
                break;
            }
            match self.read(cx, &mut budget) {
                Poll::Ready(Ok(0)) => self.ended = true,
                Poll::Ready(Ok(_)) => self.unfed = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Close::Io(error)),
                Poll::Pending => break,
            }
        }
        self.rest(cx)
    }

    /// Nothing more is read.
    fn deaf(&self) -> bool {
        self.ended
            || self.part.is_some()
            || match self.leaving {
                Leaving::No => false,
                Leaving::Yes | Leaving::Reading => self.need == 0,
                Leaving::Read => true,
            }
    }

    /// Everything was said and done.
    fn finished(&self) -> bool {
        self.deaf()
            && self.slots.taken() == 0
            && self.out.is_empty()
            && !self.flushing
            && self.parked.is_empty()
            && !self.unfed
    }

    /// Nothing more may start: the slots are taken, the output is full, or the wire waits.
    fn blocked(&self) -> bool {
        self.waiting
            || self.slots.taken() >= self.limits().calls_per_connection
            || self.out.len() > self.limits().output_bytes
    }

    fn bring_home(&mut self, cx: &Context<'_>) -> Stop {
        let mut home = std::mem::take(&mut self.home);
        let stop = self.late.collect(cx, &mut home);
        if stop != Stop::No && self.leaving == Leaving::No {
            self.leaving = Leaving::Yes;
        }
        if !home.is_empty() {
            scratch::lend_tail(&mut self.out);
        }
        for homecomer in home.drain(..) {
            self.slots.release(homecomer.slot);
            let Some(wire) = self.wire.as_deref_mut() else { continue };
            let entry = self.shared.router.entry(homecomer.to);
            let ticket = homecomer.ticket;
            homecomer.answer(Reply::new(
                wire,
                &mut self.out,
                &ticket,
                entry,
                self.shared.rules,
                &mut None,
            ));
        }
        self.home = home;
        stop
    }

    /// Starts what was cut and cuts what was read, until nothing is left, nothing may start, or the
    /// turn is over.
    fn work(&mut self, budget: &mut Budget, now: Instant) -> Result<(), Broken> {
        // Whatever came home may be what the wire waits for; it says so again if not.
        self.waiting = false;
        while !self.parked.is_empty() && !self.blocked() && !budget.over {
            if let Some(event) = self.parked.pop_front() {
                self.start(event, budget, now);
            }
        }
        if !self.unfed || !self.parked.is_empty() {
            return Ok(());
        }
        if self.wire.is_none() && !self.greet()? {
            return Ok(());
        }
        let mut events = scratch::lend_events();
        scratch::lend_tail(&mut self.out);
        let mut result = Ok(());
        while self.unfed && !self.blocked() && !budget.over && self.parked.is_empty() {
            let free = self.limits().calls_per_connection - self.slots.taken();
            let most = budget.calls.min(free).max(1);
            let Some(wire) = self.wire.as_deref_mut() else { break };
            let router = &*self.shared.router;
            let before = self.input.len();
            match wire.feed(&mut self.input, &mut self.out, router, &mut events, most) {
                // Answers that the wire gave by itself take time too.
                Ok(Fed::Full) => budget.over |= events.is_empty(),
                Ok(Fed::Hungry { need }) => {
                    self.need = need;
                    self.unfed = false;
                }
                // What was found just now may be what the wire waits for.
                Ok(Fed::Waiting) => self.waiting = events.is_empty(),
                Ok(Fed::Closing) => {
                    (self.need, self.unfed) = (0, false);
                    self.part = Some(Part::boxed(Close::Done));
                }
                Err(broken) => {
                    self.unfed = false;
                    if wire.closing() {
                        self.need = 0;
                        self.part = Some(Part::boxed(Close::Broken(broken)));
                    } else {
                        result = Err(broken);
                    }
                }
            }
            if self.input.len() < before && (!events.is_empty() || !wire.midway()) {
                self.timing.message_done(!events.is_empty());
                if self.leaving == Leaving::Reading {
                    self.leaving = Leaving::Read;
                }
            }
            for event in events.drain(..) {
                if budget.over || self.out.len() > self.limits().output_bytes {
                    self.parked.push_back(event);
                } else {
                    self.start(event, budget, now);
                }
            }
        }
        scratch::return_events(events);
        result
    }

    fn start(&mut self, event: Event, budget: &mut Budget, now: Instant) {
        budget.calls = budget.calls.saturating_sub(1);
        match event {
            Event::Call(call) => self.start_call(call, budget, now),
            Event::Unknown(unknown) => self.refuse(&unknown),
            // Nobody calls from here, so nobody answers.
            Event::Reply(_) => {}
        }
        budget.over |= budget.calls == 0;
    }

    #[inline]
    fn start_call(&mut self, call: Call, budget: &mut Budget, now: Instant) {
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let Call { ticket, to, timeout, meta, body } = call;
        let entry = self.shared.router.entry(to);
        let deadline = timeout.map(|t| after(now, t));
        let mut later = None;
        let reply = Reply::new(wire, &mut self.out, &ticket, entry, self.shared.rules, &mut later);
        if timeout.is_some_and(|t| t.is_zero()) {
            let status = Status::deadline_exceeded("the caller's deadline had passed on arrival");
            return reply.fail(&status, &[]);
        }
        let conn = Arc::clone(&self.info);
        let cx = Cx { conn, to, meta, deadline, reply_meta: Mutex::new(Vec::new()) };
        // The clock is read around the handler alone, and once more only where it did not run here.
        let ended = match entry.method.start(cx, body, self.shared.spawn, reply) {
            Some(ran) => {
                if ran.ended - ran.began > self.shared.limits.hold_time {
                    self.shared.held(entry, ran.ended - ran.began);
                }
                ran.ended
            }
            None => Instant::now(),
        };
        budget.over |= ended >= budget.until;
        if let Some(run) = later {
            self.leave(ticket, to, deadline, run);
        }
    }

    /// A handler must wait: it leaves for a task of its own.
    fn leave(
        &mut self,
        ticket: Ticket,
        to: MethodId,
        deadline: Option<Instant>,
        run: Pin<Box<dyn crate::server::Running>>,
    ) {
        let busy = Busy::new(&self.shared.away);
        if busy.all() > self.limits().calls {
            let text = "too many calls are waiting on this server (Limits::calls)";
            return self.refuse_call(&ticket, to, &Status::resource_exhausted(text));
        }
        let slot = self.slots.take();
        let late = Arc::clone(&self.late);
        let handle = late::send_out(late, busy, slot, ticket, to, deadline, run);
        // What wants no answer is finished even when its caller is gone; the rest is stopped then.
        if !ticket.oneway {
            self.slots.fill(slot, handle);
        }
    }

    #[cold]
    fn refuse_call(&mut self, ticket: &Ticket, to: MethodId, status: &Status) {
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let entry = self.shared.router.entry(to);
        let rules = self.shared.rules;
        Reply::new(wire, &mut self.out, ticket, entry, rules, &mut None).fail(status, &[]);
    }

    #[cold]
    fn refuse(&mut self, unknown: &Unknown) {
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let Unknown { ticket, found, service, method } = unknown;
        if ticket.oneway {
            return;
        }
        let status = wire.unknown(*found, service, method);
        let error = Some(&status);
        let head = ReplyHead { ticket, service, method, error, meta: &[], shape: None };
        let mark = wire.begin(Head::Reply(head), &mut self.out);
        wire.end(mark, &mut self.out);
    }

    /// Writes until all is written or the peer must read first.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.out.is_empty() && !self.flushing {
            return Ok(());
        }
        while !self.out.is_empty() {
            let mut chunks = [IoSlice::new(&[]); 16];
            let count = self.out.slices(&mut chunks);
            match self.stream.write.poll_write(cx, &chunks[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    self.timing.wrote();
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        self.flushing = self.stream.write.poll_flush(cx)?.is_pending();
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_>, budget: &mut Budget) -> Poll<io::Result<usize>> {
        if self.input.is_empty() && self.stream.read.poll_ready(cx)?.is_pending() {
            return Poll::Pending;
        }
        if self.leaving == Leaving::Yes {
            self.leaving = Leaving::Reading;
        }
        scratch::lend_input(&mut self.input);
        if self.input.capacity() - self.input.len() < READ_BYTES / 16 || self.need > READ_BYTES {
            // Memory follows what has come, never what a length claims: at most twice as much.
            self.input.reserve(self.need.min(self.input.len()).max(READ_BYTES));
        }
        let read = self.stream.read.poll_read(cx, &mut self.input);
        if let Poll::Ready(Ok(count)) = read {
            self.timing.read(count);
            budget.bytes = budget.bytes.saturating_sub(count);
            budget.over |= budget.bytes == 0;
        }
        read
    }

    /// Nothing to do until something happens: give the buffers back and see which time limit is
    /// next.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        if self.input.is_empty() {
            scratch::return_input(&mut self.input);
        }
        if self.out.is_empty() {
            scratch::return_tail(&mut self.out);
        }
        let begun = self.need > 0 || (self.wire.is_none() && !self.input.is_empty());
        let state = timing::State {
            silent: self.wire.is_none() && self.input.is_empty(),
            begun: begun && !self.blocked(),
            unwritten: !self.out.is_empty() || self.flushing,
            busy: self.slots.taken() > 0,
        };
        self.timing.rest(cx, state, &self.shared.limits).map(Close::Time)
    }
}

impl Future for Conn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.turn(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(close) => {
                this.shared.closed(&this.info, &close);
                if !matches!(close, Close::Done) {
                    let _ = this.stream.write.poll_close(cx);
                }
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.info.closed.store(true, Ordering::Relaxed);
        self.slots.abort();
    }
}
