//! What a turn does with what was read: bring home, cut, start, refuse, or let wait.

use super::{Budget, Conn, late::Leaver, late::Stop, part::Part, scratch};
use crate::{
    clock::after,
    conn::Close,
    pace::cut,
    server::{Back, Cx, Reply, Seen, Watch},
};
use farcall_core::{Body, Call, Limits, MethodId, Status, Ticket};
use farcall_wire::{Broken, Event, Fed, sniff};
use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
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

/// So much input is cut in some microseconds.
const LIGHT_BYTES: usize = 16 * 1024;

/// What an event keeps of what was read.
fn weight(event: &Event) -> usize {
    match event {
        Event::Call(call) => call.body.len() + call.meta.block_bytes(),
        Event::Unknown(unknown) => unknown.body.len() + unknown.meta.block_bytes(),
        Event::Request(request) => request.body.len() + request.meta.block_bytes(),
        _ => 0,
    }
}

impl Conn {
    /// Takes home who is done, and looks at the streams that were touched.
    pub(super) fn bring_home(&mut self, cx: &Context<'_>) -> Stop {
        let mut home = std::mem::take(&mut self.home);
        let stop = self.late.collect(cx, &mut home, &mut self.home_passed, &mut self.touched);
        if stop == Stop::Drain {
            self.say_goodbye();
        }
        if !home.is_empty() {
            scratch::lend_tail(&mut self.out);
        }
        if !self.touched.is_empty() {
            self.attend_touched();
        }
        for mut homecomer in home.drain(..) {
            let wanted = self.slots.release(homecomer.slot);
            if !self.streams.is_empty() {
                self.streams.close(homecomer.ticket.seq);
            }
            let Some(wire) = self.wire.as_deref_mut().filter(|_| wanted) else {
                homecomer.forget();
                continue;
            };
            let (entry, rules) = (self.shared.router.entry(homecomer.to), &self.shared.rules);
            let (ticket, mut watch) = (homecomer.ticket, homecomer.watch.take());
            let mut later = None;
            let reply = Reply::new(wire, &mut self.out, &ticket, entry, rules, &mut later);
            homecomer.answer(reply.watched(watch.as_deref_mut()));
        }
        self.home = home;
        for passed in self.home_passed.drain(..) {
            // One that its caller gave up at the gate is forgotten.
            if self.slots.release(passed.slot) {
                self.passed.push_back(passed);
            }
        }
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
        if self.held_back() {
            scratch::lend_tail(&mut self.out);
        }
        while self.may_start()
            && !budget.over
            && let Some(passed) = self.passed.pop_front()
        {
            self.enter_passed(passed, budget);
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
        let direct = !self.streaming && !self.refuses();
        while self.unfed && !self.stalled() && !budget.over {
            let most = budget.calls.min(self.room()).max(1);
            let Some(wire) = self.wire.as_deref_mut() else { break };
            let routes = Seen { router: &self.shared.router, spoken: self.spoken };
            let before = self.input.len();
            match wire.feed(&mut self.input, &mut self.out, &routes, &mut events, most) {
                Ok(Fed::Became(name)) => {
                    let protocol = sniff::by_name(name);
                    self.shared.speak(&mut self.info, protocol, &self.stream, &self.late);
                }
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
            }
            cut(events.len());
            if before > LIGHT_BYTES {
                // What it took to cut is not the next handler's time.
                budget.seen = Instant::now();
            }
            for event in events.drain(..) {
                let at_once = direct && self.parked.is_empty() && !budget.over && self.may_start();
                match event {
                    // The way that most take, without a move of the event.
                    Event::Call(call) if at_once => {
                        budget.calls = budget.calls.saturating_sub(1);
                        self.start_call(call, budget, now);
                        budget.over |= budget.calls == 0;
                    }
                    event if at_once => self.start(event, budget, now),
                    event => self.sort(event, budget, now),
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
        self.held_back() && self.may_start() || self.streams.again
    }

    /// Starts a call that came at this moment, or answers in its place.
    #[inline(never)]
    fn start(&mut self, event: Event, budget: &mut Budget, came: Instant) {
        budget.calls = budget.calls.saturating_sub(1);
        match event {
            Event::Call(call) => self.start_call(call, budget, came),
            Event::Unknown(unknown) => self.knock_unknown(*unknown, budget, came),
            Event::Request(request) => self.knock_page(request, budget, came),
            event => self.stream(event),
        }
        budget.over |= budget.calls == 0;
    }

    /// The same where calls may have to wait: they do so in their order. What is said of streams is
    /// heard at once.
    #[inline(never)]
    fn sort(&mut self, event: Event, budget: &mut Budget, now: Instant) {
        match event {
            // What comes late is not run, so that another server may be asked.
            Event::Call(Call { ticket, to, .. }) if self.refuses() => {
                self.refuse_late(&ticket, to, budget);
            }
            Event::Request(request) if self.refuses() => {
                self.refuse_late(&request.ticket, request.to, budget);
            }
            Event::Call(_) | Event::Unknown(_) | Event::Request(_)
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
            (Event::Call(call), Some(status)) => {
                self.refuse_call(&call.ticket, call.to, &status, None);
            }
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

    #[inline(always)]
    fn start_call(&mut self, call: Call, budget: &mut Budget, came: Instant) {
        if self.shared.guarded {
            return self.knock(call, budget, came);
        }
        let Call { ticket, to, timeout, meta, body } = call;
        if timeout.is_some_and(|t| t.is_zero()) {
            let status = Status::deadline_exceeded("the caller's deadline had passed on arrival");
            return self.refuse_call(&ticket, to, &status, None);
        }
        let (conn, deadline) = (Arc::clone(&self.info), timeout.map(|t| after(came, t)));
        let cx = Cx { conn, to, meta, deadline, reply_meta: Back::default(), more: None };
        self.run_call(ticket, cx, body, None, budget);
    }

    /// Starts a call that may be served.
    #[inline(always)]
    pub(super) fn run_call(
        &mut self,
        ticket: Ticket,
        cx: Cx,
        body: Body,
        mut watch: Option<Box<Watch>>,
        budget: &mut Budget,
    ) {
        let (to, deadline) = (cx.to, cx.deadline);
        let entry = self.shared.router.entry(to);
        if entry.streams.any() {
            return self.open_stream(ticket, cx, body, watch);
        }
        if self.shared.counted {
            entry.calls.fetch_add(1, Ordering::Relaxed);
        }
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let mut later = None;
        let reply = Reply::new(wire, &mut self.out, &ticket, entry, &self.shared.rules, &mut later)
            .watched(watch.as_deref_mut());
        let ran = entry.method.start(cx, body, self.shared.spawn, reply);
        budget.ran(ran, entry, &self.shared);
        if let Some(run) = later {
            self.leave(Leaver { ticket, to, deadline, watch }, run);
        }
    }

    #[cold]
    pub(super) fn refuse_call(
        &mut self,
        ticket: &Ticket,
        to: MethodId,
        status: &Status,
        mut watch: Option<Box<Watch>>,
    ) {
        self.streams.close(ticket.seq);
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let (entry, rules) = (self.shared.router.entry(to), &self.shared.rules);
        Reply::new(wire, &mut self.out, ticket, entry, rules, &mut None)
            .watched(watch.as_deref_mut())
            .refuse(status);
    }
}
