//! Calls of a client with several connections: how they get one, how they leave it, and when they
//! try another.

use super::{Raw, Stage, To, timer_at};
use crate::{
    client::{
        Handle,
        pool::{Role, Taken},
        queue::Place,
        slots::SlotId,
    },
    clock::after,
};
use farcall_core::{Code, Origin, Sent, Status};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::time::Instant;

impl<Req> Raw<Req> {
    /// Takes one of the client's connections for the call; false: it stands in line for one.
    #[cold]
    pub(super) fn board(&mut self, cx: &mut Context<'_>) -> Result<bool, Status> {
        let front = Arc::clone(&self.client.handle);
        let pool = match &front.role {
            Role::Front(pool) => pool,
            Role::Spread(spread) => {
                self.client.handle = spread.next();
                return Ok(true);
            }
            Role::Alone | Role::Lent(_) => return Ok(true),
        };
        let (place, mut timer) = match std::mem::replace(&mut self.stage, Stage::Fresh) {
            Stage::InLine { place, timer } => (Some(place), timer),
            Stage::Fresh => {
                let now = Instant::now();
                self.deadline = self.client.defaults.timeout.map(|time| after(now, time));
                (None, None)
            }
            other => {
                self.stage = other;
                return Ok(true);
            }
        };
        if timer.as_mut().is_some_and(|t| t.as_mut().poll(cx).is_ready()) {
            place.into_iter().for_each(|place| pool.leave(place));
            let text =
                "no connection was free before the deadline (Limits::connections_per_client)";
            return Err(Status::deadline_exceeded(text));
        }
        match pool.take(place, cx.waker())? {
            Taken::Link(handle) => {
                if place.is_some() {
                    self.take_what_is_left();
                }
                self.client.handle = handle;
                Ok(true)
            }
            Taken::Line(place) => {
                self.stage = Stage::InLine { place, timer };
                if let (Stage::InLine { timer, .. }, Some(at)) = (&mut self.stage, self.deadline)
                    && timer.is_none()
                {
                    *timer = Some(timer_at(at, cx)?);
                }
                Ok(false)
            }
        }
    }

    pub(super) fn leave_line(&self, place: Place) {
        if let Role::Front(pool) = &self.client.handle.role {
            pool.leave(place);
        }
    }

    /// A call on a connection that others had used has failed: whether it is made once more, on a
    /// new one. A server may close a connection at the moment when it is used again, and then the
    /// call is as good as never made: if nothing of it was written, or where it may be repeated.
    #[cold]
    pub(super) fn again(&mut self, status: &Status) -> bool {
        let handle = Arc::clone(&self.client.handle);
        let Role::Lent(loan) = &handle.role else { return false };
        let idempotent = matches!(self.to, To::Static(info) if info.idempotent);
        let safe = status.sent() == Sent::No || status.sent() == Sent::Maybe && idempotent;
        let lost = status.code() == Code::Unavailable && status.origin() == Origin::Local;
        if !(loan.used() && lost && safe) {
            return false;
        }
        let Some(other) = loan.replace(&handle.link) else { return false };
        self.take_what_is_left();
        self.client.handle = other;
        self.stage = Stage::Fresh;
        true
    }

    /// Time went by before the call began.
    fn take_what_is_left(&mut self) {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        self.client.defaults.timeout = left;
    }

    /// A one-way call whose answer comes in spite of that: nobody waits for it, but the connection
    /// is not free before.
    #[cold]
    pub(super) fn see_off(&self, slot: SlotId) {
        let off = Off { handle: Arc::clone(&self.client.handle), slot: Some(slot) };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(off);
        }
    }
}

/// Waits for an answer that nobody wants.
struct Off {
    handle: Arc<Handle>,
    slot: Option<SlotId>,
}

impl Future for Off {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(slot) = self.slot else { return Poll::Ready(()) };
        self.handle.link.poll_reply(slot, cx.waker()).map(|_| self.slot = None)
    }
}

impl Drop for Off {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.handle.link.abandon(slot);
        }
        self.handle.done();
    }
}
