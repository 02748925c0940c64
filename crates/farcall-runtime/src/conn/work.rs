//! What a turn does with what was read: bring home, cut, start, refuse, or let wait.

use super::{Budget, Conn, Leaving, late, late::Stop, part::Part, scratch};
use crate::{
    clock::after,
    conn::{Busy, Close},
    server::{Cx, Reply, Running},
};
use farcall_core::{Call, Limits, MethodId, Status, Ticket};
use farcall_wire::{Broken, Event, Fed, Head, ReplyHead, Unknown};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Context,
};
use tokio::time::Instant;

/// Calls that were cut but may not start yet, and when they came.
#[derive(Default)]
pub(super) struct Parked {
    calls: VecDeque<(Event, Instant)>,
    bytes: usize,
}

impl Parked {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn len(&self) -> usize {
        self.calls.len()
    }

    /// No more calls may wait for a slot.
    pub(super) fn full(&self, limits: &Limits) -> bool {
        self.calls.len() >= limits.parked_calls || self.bytes > limits.parked_bytes
    }

    fn push(&mut self, event: Event, came: Instant) {
        self.bytes += weight(&event);
        self.calls.push_back((event, came));
    }

    fn pop(&mut self) -> Option<(Event, Instant)> {
        let (event, came) = self.calls.pop_front()?;
        self.bytes -= weight(&event);
        if self.calls.is_empty() {
            self.calls = VecDeque::new();
        }
        Some((event, came))
    }

    /// Forgets the call of this number: it was given up.
    pub(super) fn cancel(&mut self, seq: u64) {
        let is = |(event, _): &(Event, Instant)| match event {
            Event::Call(call) => call.ticket.seq == seq,
            Event::Unknown(unknown) => unknown.ticket.seq == seq,
            _ => false,
        };
        if let Some((event, _)) = self.calls.iter().position(is).and_then(|i| self.calls.remove(i))
        {
            self.bytes -= weight(&event);
        }
    }
}

/// What an event keeps of what was read.
fn weight(event: &Event) -> usize {
    match event {
        Event::Call(call) => call.body.len() + call.meta.block_bytes(),
        _ => 0,
    }
}

impl Conn {
    /// Takes home who is done, and looks at the streams that were touched.
    pub(super) fn bring_home(&mut self, cx: &Context<'_>) -> Stop {
        let mut home = std::mem::take(&mut self.home);
        let stop = self.late.collect(cx, &mut home, &mut self.touched);
        if stop != Stop::No && self.leaving == Leaving::No {
            self.leaving = Leaving::Yes;
        }
        if !home.is_empty() {
            scratch::lend_tail(&mut self.out);
        }
        if !self.touched.is_empty() {
            self.attend_touched();
        }
        for homecomer in home.drain(..) {
            let wanted = self.slots.release(homecomer.slot);
            if !self.streams.is_empty() {
                self.streams.close(homecomer.ticket.seq);
            }
            let Some(wire) = self.wire.as_deref_mut().filter(|_| wanted) else {
                homecomer.forget();
                continue;
            };
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
    pub(super) fn work(&mut self, budget: &mut Budget, now: Instant) -> Result<(), Broken> {
        // Whatever came home may be what the wire waits for; it says so again if not.
        self.waiting = false;
        if self.streams.again && self.out.len() <= self.limits().output_bytes {
            self.attend_all();
        }
        while self.may_start()
            && !budget.over
            && let Some((event, came)) = self.parked.pop()
        {
            self.start(event, budget, came);
        }
        if !self.unfed {
            return Ok(());
        }
        if self.wire.is_none() && !self.greet()? {
            return Ok(());
        }
        let mut events = scratch::lend_events();
        scratch::lend_tail(&mut self.out);
        let mut result = Ok(());
        while self.unfed && !self.stalled() && !budget.over {
            let most = budget.calls.min(self.room()).max(1);
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
                if !self.streaming && self.parked.is_empty() && !budget.over && self.may_start() {
                    self.start(event, budget, now);
                } else {
                    self.sort(event, budget, now);
                }
            }
        }
        scratch::return_events(events);
        if self.part.is_some() && !self.streams.is_empty() {
            self.lose_streams();
        }
        result
    }

    /// How many calls may be cut: what finds no slot must find a place to wait.
    fn room(&self) -> usize {
        let limits = self.limits();
        let slots = limits.calls_per_connection.saturating_sub(self.slots.taken());
        let waits = limits.parked_calls.saturating_sub(self.parked.len());
        if self.streaming { usize::MAX } else { slots.saturating_add(waits) }
    }

    /// What was held back may go on.
    pub(super) fn may_go_on(&self) -> bool {
        !self.parked.is_empty() && self.may_start() || self.streams.again
    }

    /// Starts a call that came at this moment, or answers in its place.
    fn start(&mut self, event: Event, budget: &mut Budget, came: Instant) {
        budget.calls = budget.calls.saturating_sub(1);
        match event {
            Event::Call(call) => self.start_call(call, budget, came),
            Event::Unknown(unknown) => self.refuse(&unknown),
            event => self.stream(event),
        }
        budget.over |= budget.calls == 0;
    }

    /// The same where calls may have to wait: they do so in their order. What is said of streams is
    /// heard at once.
    #[inline(never)]
    fn sort(&mut self, event: Event, budget: &mut Budget, now: Instant) {
        match event {
            // It is read for the sake of the streams that run, and not for what comes late.
            Event::Call(call) if self.streaming && self.leaving == Leaving::Read => {
                let status = Status::unavailable("the server is leaving");
                self.refuse_call(&call.ticket, call.to, &status);
            }
            Event::Call(_) | Event::Unknown(_)
                if !self.parked.is_empty() || budget.over || !self.may_start() =>
            {
                budget.calls = budget.calls.saturating_sub(1);
                self.park(event, now);
                budget.over |= budget.calls == 0;
            }
            event => self.start(event, budget, now),
        }
    }

    /// A call waits for a slot. Where reading must go on for the sake of streams, one too many is
    /// refused.
    fn park(&mut self, event: Event, now: Instant) {
        let refusal = match &event {
            Event::Call(_) if self.streaming && self.crowded() => {
                let limit = match self.parked.len() >= self.limits().parked_calls {
                    true => "Limits::parked_calls",
                    false => "Limits::parked_bytes",
                };
                let text = format!("too many calls wait on this connection ({limit})");
                Some(Status::resource_exhausted(text))
            }
            _ => None,
        };
        match (event, refusal) {
            (Event::Call(call), Some(status)) => self.refuse_call(&call.ticket, call.to, &status),
            (event, _) => {
                // Its items may come before it starts.
                if let Event::Call(Call { ticket, to, .. }) = &event
                    && self.streaming
                    && self.shared.router.entry(*to).streams.any()
                {
                    self.prepare(ticket.seq);
                }
                self.parked.push(event, now);
            }
        }
    }

    #[inline]
    fn start_call(&mut self, call: Call, budget: &mut Budget, came: Instant) {
        if self.shared.router.entry(call.to).streams.any() {
            return self.open_stream(call, came);
        }
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let Call { ticket, to, timeout, meta, body } = call;
        let entry = self.shared.router.entry(to);
        let deadline = timeout.map(|t| after(came, t));
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
    pub(super) fn leave(
        &mut self,
        ticket: Ticket,
        to: MethodId,
        deadline: Option<Instant>,
        run: Pin<Box<dyn Running>>,
    ) {
        let busy = Busy::new(&self.shared.away);
        if busy.all() > self.limits().calls {
            let text = "too many calls are waiting on this server (Limits::calls)";
            self.streams.close(ticket.seq);
            return self.refuse_call(&ticket, to, &Status::resource_exhausted(text));
        }
        let slot = self.slots.take();
        let late = Arc::clone(&self.late);
        let handle = late::send_out(late, busy, slot, ticket, to, deadline, run);
        // What wants no answer is finished even when its caller is gone; the rest is stopped then.
        if !ticket.oneway {
            self.slots.fill(slot, ticket.seq, handle);
        }
    }

    #[cold]
    pub(super) fn refuse_call(&mut self, ticket: &Ticket, to: MethodId, status: &Status) {
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
}
