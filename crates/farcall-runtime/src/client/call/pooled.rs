//! Calls of a client with several connections: how they get one, how they leave it, and when they
//! try another.

use super::{Raw, Stage, Timer, To, timer_at};
use crate::{
    client::{
        Choice, Fail, Handle,
        many::{Many, Picked},
        pool::{Role, Taken},
        queue::Place,
        slots::SlotId,
    },
    clock::after,
    server::Moments,
};
use farcall_core::{Code, Origin, Sent, Status};
use farcall_wire::Reply;
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
    pub(in crate::client) fn board(&mut self, cx: &mut Context<'_>) -> Result<bool, Status> {
        if let Role::Many(_) = self.client.handle.role
            && !self.pick(cx)?
        {
            return Ok(false);
        }
        let front = Arc::clone(&self.client.handle);
        let pool = match &front.role {
            Role::Front(pool) => pool,
            Role::Spread(spread) => {
                self.go_on(spread.next());
                return Ok(true);
            }
            Role::Local(local) => {
                self.go_on(local.here()?.turn());
                return Ok(true);
            }
            Role::Alone | Role::Lent(_) | Role::Many(_) => return Ok(true),
        };
        let (place, mut timer) = match std::mem::replace(&mut self.stage, Stage::Fresh) {
            Stage::InLine { place, timer, .. } => (Some(place), timer),
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
        let mut taken = pool.take(place, cx.waker())?;
        if let (Taken::Line(line), None) = (&taken, place)
            && let Some(other) = self.instead()
            && let Role::Front(next) = &other.role
        {
            pool.leave(*line);
            taken = next.take(None, cx.waker())?;
            self.client.handle = other;
        }
        match taken {
            Taken::Link(handle) => {
                if place.is_some() {
                    self.take_what_is_left();
                }
                self.go_on(handle);
                Ok(true)
            }
            Taken::Line(place) => self.line_up(place, 0, timer, cx),
        }
    }

    /// Where to go instead of lining up at the address that was picked.
    fn instead(&self) -> Option<Arc<Handle>> {
        let Role::Many(many) = &self.front.as_ref()?.role else { return None };
        let avoid = self.tries.as_ref().map_or(&[][..], |tries| &tries.addresses);
        let other = if self.stays() { None } else { many.instead(self.client.link(), avoid) };
        other.cloned()
    }

    /// It tries again where it was before.
    fn stays(&self) -> bool {
        matches!(self.client.defaults.fail, Fail::Try { .. }) && self.tries.is_some()
    }

    /// Picks one of the client's addresses; false: the call waits for one that is open.
    fn pick(&mut self, cx: &mut Context<'_>) -> Result<bool, Status> {
        let front = Arc::clone(&self.client.handle);
        let Role::Many(many) = &front.role else { return Ok(true) };
        let (waited, mut timer) = match std::mem::replace(&mut self.stage, Stage::Fresh) {
            Stage::InLine { place, since, timer } => (Some((place, since)), timer),
            Stage::Fresh => (None, None),
            other => {
                self.stage = other;
                return Ok(true);
            }
        };
        if timer.as_mut().is_some_and(|t| t.as_mut().poll(cx).is_ready()) {
            waited.into_iter().for_each(|(place, _)| many.leave(place));
            let text = "no address could be reached before the deadline";
            return Err(Status::deadline_exceeded(text).with_earlier(many.reasons()));
        }
        let avoid = self.tries.as_ref().map_or(&[][..], |tries| &tries.addresses);
        let told = self.tries.as_ref().and_then(|tries| tries.told.as_ref());
        let asked = told.filter(|(hooks, _)| hooks.minds(Moments::SELECT));
        let prefers = asked.map(|(hooks, call)| {
            move |many: &Many| hooks.select(call, &Choice { many, tried: avoid })
        });
        let prefers = prefers.as_ref().map(|prefers| prefers as &dyn Fn(&Many) -> Option<usize>);
        match many.take(waited, avoid, prefers, cx.waker())? {
            Picked::Node(handle) => {
                if waited.is_some() {
                    self.take_what_is_left();
                }
                self.go_on(handle);
                Ok(true)
            }
            Picked::Lobby(place, since) => {
                if waited.is_none() {
                    let now = Instant::now();
                    self.deadline = self.client.defaults.timeout.map(|time| after(now, time));
                }
                self.line_up(place, since, timer, cx)
            }
        }
    }

    /// The call goes on to a connection; the handle it came by knows the others.
    fn go_on(&mut self, handle: Arc<Handle>) {
        let front = std::mem::replace(&mut self.client.handle, handle);
        self.front.get_or_insert(front);
    }

    /// Whether the address that was picked has gone down before the call was on its way: nothing
    /// was sent, so another is picked.
    pub(super) fn pick_again(&self) -> bool {
        let several = self.front.as_ref().is_some_and(|f| matches!(f.role, Role::Many(_)));
        several
            && !self.stays()
            && self.client.link().joins.health.as_ref().is_some_and(|health| !health.is_open())
    }

    /// The call is the client's again, not one address'.
    pub(super) fn go_back(&mut self) {
        if let Some(front) = self.front.take() {
            self.client.handle = front;
        }
        self.take_what_is_left();
        self.stage = Stage::Fresh;
    }

    fn line_up(
        &mut self,
        place: Place,
        since: u64,
        timer: Timer,
        cx: &mut Context<'_>,
    ) -> Result<bool, Status> {
        self.stage = Stage::InLine { place, since, timer };
        if let (Stage::InLine { timer, .. }, Some(at)) = (&mut self.stage, self.deadline)
            && timer.is_none()
        {
            *timer = Some(timer_at(at, cx)?);
        }
        Ok(false)
    }

    pub(super) fn leave_line(&self, place: Place) {
        match &self.client.handle.role {
            Role::Front(pool) => pool.leave(place),
            Role::Many(many) => many.leave(place),
            Role::Alone | Role::Spread(_) | Role::Local(_) | Role::Lent(_) => {}
        }
    }

    /// Whether the call may run twice.
    pub(in crate::client) fn idempotent(&self) -> bool {
        self.client.defaults.idempotent || matches!(self.to, To::Static(info) if info.idempotent)
    }

    /// How a call on a connection of its own went: whether it is made once more. Else the
    /// connection is given back.
    #[inline(never)]
    pub(super) fn goes_on(&mut self, result: &Result<Reply, Status>) -> bool {
        let link = self.client.link();
        if let Some(health) = &link.joins.health {
            let late = |status: &Status| status.code() == Code::DeadlineExceeded;
            match result {
                Ok(_) => health.silence.heard(),
                Err(status) if late(status) => {
                    let waited = self.client.defaults.timeout.unwrap_or_default();
                    health.silence.missed(waited, &link.limits);
                }
                Err(_) => {}
            }
        }
        if let Err(status) = result
            && self.again(status)
        {
            return true;
        }
        self.client.handle.done();
        false
    }

    /// A call on a connection that others had used has failed: whether it is made once more, on a
    /// new one. A server may close a connection at the moment when it is used again, and then the
    /// call is as good as never made: if nothing of it was written, or where it may be repeated.
    #[cold]
    fn again(&mut self, status: &Status) -> bool {
        let handle = Arc::clone(&self.client.handle);
        let Role::Lent(loan) = &handle.role else { return false };
        let safe = status.sent() == Sent::No || status.sent() == Sent::Maybe && self.idempotent();
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
    pub(in crate::client) fn take_what_is_left(&mut self) {
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
