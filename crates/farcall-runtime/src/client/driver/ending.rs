//! How a connection ends: the client is closed, the server leaves, or there is no more to read.

use super::Connected;
use crate::{client::state::Phase, clock::after, net::Told};
use farcall_core::{Limits, Status};
use farcall_wire::Event;
use std::task::{Context, Waker};
use tokio::time::Instant;

impl Connected<'_> {
    /// The client is closed: whether nothing is left to be written or waited for, or the time is
    /// up.
    #[cold]
    pub(super) fn left(&mut self, cx: &mut Context<'_>, flushed: bool) -> bool {
        let Limits { call_time, drain_time, .. } = self.link.limits;
        if self.leave.at().is_none() {
            self.leave.set(after(Instant::now(), call_time.unwrap_or(drain_time)));
        }
        let late = self.leave.poll(cx).is_ready();
        let mut state = self.link.lock();
        // Where calls come one by one, what nobody waits for any more is not worth to be written.
        let written = self.link.ordered || flushed && state.out.is_empty();
        // Those on connections that were left are somebody else's.
        let done = written && !state.slots.waits_in(&(state.base..u64::MAX));
        state.unwritten = !done;
        done || late
    }

    /// Whether the connection only brings answers any more.
    #[cold]
    pub(super) fn may_let_go(&self) -> bool {
        let state = self.link.lock();
        let written = self.pending.is_empty() && state.out.is_empty();
        written && (!self.link.streaming || state.slots.waiting() == 0)
    }

    /// The server has said its last; some replies end only there.
    #[cold]
    pub(super) fn hear_the_end(&mut self) {
        let mut state = self.link.lock();
        if let Some(wire) = state.wire.as_deref_mut() {
            wire.ended(&mut self.events);
        }
        if !matches!(state.phase, Phase::Closed) {
            self.link.set(&mut state, Phase::Down);
        }
        for event in self.events.drain(..) {
            if let Event::Reply(reply) = event {
                (self.answered, self.need) = (true, 0);
                self.wakers.extend(state.slots.complete(reply));
            }
        }
        drop(state);
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// The server, or its transport, says why there is no connection any more.
    #[cold]
    pub(super) fn told(&mut self, told: &Told) -> Status {
        self.unread = told.unread;
        told.status()
    }
}
