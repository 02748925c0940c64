//! Saying goodbye: the connection ends because its server does, or because of its own age or
//! idleness, and no call is to be lost by that.
//!
//! The peer is told in its protocol's way, and what it sent before it knew is served: for
//! `Limits::goodbye`, and until nothing has come for `Limits::quiet`. What comes after that is
//! refused without being run; a client of ours knows those words and goes elsewhere. When all is
//! answered the connection parts, as every other does that has had its last word.

use super::{Budget, Close, Conn, part::Part, scratch};
use crate::clock::{Alarm, after};
use farcall_core::{Limits, MethodId, Status, Ticket};
use farcall_wire::Control;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// A connection that was told goodbye.
pub(super) struct Leave {
    since: Instant,
    /// When its peer was last heard.
    heard: Instant,
    /// Since when calls are refused.
    refusing: Option<Instant>,
    /// Some call was refused: those that follow it are not waited for to be complete.
    refused: bool,
    alarm: Alarm,
}

impl Leave {
    fn boxed(now: Instant) -> Box<Leave> {
        let (refusing, refused, alarm) = (None, false, Alarm::default());
        Box::new(Leave { since: now, heard: now, refusing, refused, alarm })
    }

    /// Whether calls that come now are refused.
    pub(super) fn refuses(&self) -> bool {
        self.refusing.is_some()
    }

    /// Something was read.
    pub(super) fn hear(&mut self) {
        self.heard = Instant::now();
    }

    /// Looks at the clock.
    fn look(&mut self, now: Instant, limits: &Limits) {
        if self.refusing.is_none() && now >= after(self.since, limits.goodbye) {
            self.refusing = Some(now);
        }
    }

    /// Ready when the connection may part. Who goes on calling while it is refused is not waited
    /// for: it has been told often enough.
    fn poll(&mut self, cx: &mut Context<'_>, busy: bool, limits: &Limits) -> Poll<()> {
        loop {
            let now = Instant::now();
            self.look(now, limits);
            let next = match self.refusing {
                // Whatever it waits for wakes it.
                Some(_) if busy => return Poll::Pending,
                Some(at) => after(at, limits.quiet).min(after(self.heard, limits.quiet)),
                None if busy => after(self.since, limits.goodbye),
                None => after(self.heard, limits.quiet).min(after(self.since, limits.goodbye)),
            };
            if now >= next && !busy {
                return Poll::Ready(());
            }
            self.alarm.set(next);
            if self.alarm.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Conn {
    /// Tells the peer that this connection is about to end.
    #[cold]
    pub(super) fn say_goodbye(&mut self) {
        if self.leave.is_some() {
            return;
        }
        tracing::debug!(peer = %self.info.peer, self.info.protocol, "connection told goodbye");
        self.leave = Some(Leave::boxed(Instant::now()));
        self.put_goodbye();
    }

    /// Writes the goodbye, if there is a wire to write it with; one that is opened later says it
    /// then.
    pub(super) fn put_goodbye(&mut self) {
        if self.leave.is_some()
            && let Some(wire) = self.wire.as_deref_mut()
        {
            scratch::lend_tail(&mut self.out);
            wire.control(Control::Goodbye, &mut self.out);
        }
    }

    /// Refuses a call that came too late.
    #[cold]
    pub(super) fn refuse_late(&mut self, ticket: &Ticket, to: MethodId, budget: &mut Budget) {
        if let Some(leave) = &mut self.leave {
            leave.refused = true;
        }
        budget.calls = budget.calls.saturating_sub(1);
        budget.over |= budget.calls == 0;
        self.refuse_call(ticket, to, &Status::leaving(), None);
    }

    /// Whether calls that come now are refused.
    pub(super) fn refuses(&self) -> bool {
        self.leave.as_ref().is_some_and(|leave| leave.refuses())
    }

    /// A turn begins.
    pub(super) fn look_while_leaving(&mut self, now: Instant) {
        if let Some(leave) = &mut self.leave {
            leave.look(now, &self.shared.limits);
        }
    }

    /// The wire may have said with an answer that no more is read.
    pub(super) fn heed_the_last_word(&mut self) {
        let said =
            self.leave.is_some() && self.wire.as_ref().is_some_and(|wire| wire.said_goodbye());
        if said && self.part.is_none() {
            (self.need, self.unfed) = (0, false);
            self.input.clear();
            self.part = Some(Part::boxed(Close::Done));
        }
    }

    /// Nothing to do for now: parts if nothing more is expected.
    pub(super) fn rest_while_leaving(&mut self, cx: &mut Context<'_>) {
        let busy = self.slots.taken() > 0
            || !self.out.is_empty()
            || self.flushing
            || self.unfed
            || self.need > 0 && !self.leave.as_ref().is_some_and(|leave| leave.refused)
            || self.held_back()
            || self.wire.is_none() && !self.input.is_empty();
        let Some(leave) = self.leave.as_mut().filter(|_| self.part.is_none() && !self.ended) else {
            return;
        };
        if leave.poll(cx, busy, &self.shared.limits).is_ready() {
            self.part = Some(Part::boxed(Close::Done));
            cx.waker().wake_by_ref();
        }
    }
}
