//! Calls at the gate: shown to plugins and checks before anyone looks at their bodies. Who must
//! wait there leaves for a task, in a slot, and comes home to start the call or to be refused.

use super::{Budget, Busy, Conn, Late};
use crate::{
    clock::after,
    observe::trace::span::Traced,
    server::{Back, Cx, More, Outcome, Passage, Watch, poll_passage, write_failure},
};
use farcall_core::{Body, Call, Found, Meta, MethodId, Status, Ticket};
use farcall_wire::{Request, Unknown};
use std::{future::poll_fn, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tracing::Span;

/// A call without what the gate sees of it.
pub(super) struct Held {
    ticket: Ticket,
    wants: Wants,
    watch: Option<Box<Watch>>,
}

/// What a call wants.
enum Wants {
    Method {
        to: MethodId,
        body: Body,
    },
    /// No call: a page.
    Page(Box<Request>),
    /// What does not exist, under the names it was called by.
    Unknown(Found, Box<Missing>),
}

impl Wants {
    /// Bytes of the body.
    fn bytes(&self) -> usize {
        match self {
            Wants::Method { body, .. } => body.len(),
            Wants::Page(request) => request.body.len(),
            Wants::Unknown(_, missing) => missing.body.len(),
        }
    }
}

/// A call of what does not exist.
struct Missing {
    names: Names,
    body: Body,
}

type Names = (farcall_core::Str, farcall_core::Str);

/// A call whose walk through the gate is over: it may start, or is to be refused.
pub(super) struct Passed {
    pub(super) slot: usize,
    held: Held,
    result: Result<Cx, Status>,
}

impl Conn {
    /// A call of a method, at the gate.
    #[inline(never)]
    pub(super) fn knock(&mut self, call: Call, budget: &mut Budget, now: Instant) {
        let Call { ticket, to, timeout, meta, body } = call;
        self.show(ticket, Wants::Method { to, body }, meta, timeout, budget, now);
    }

    /// A call of a method that does not exist: it passes the gate like any other, so that strangers
    /// are not told which there are.
    #[cold]
    pub(super) fn knock_unknown(&mut self, unknown: Unknown, budget: &mut Budget, now: Instant) {
        let Unknown { ticket, found, service, method, timeout, meta, body } = unknown;
        let names = (service, method);
        let wants = Wants::Unknown(found, Box::new(Missing { names, body }));
        self.show(ticket, wants, meta, timeout, budget, now);
    }

    /// A request that is no call, at the gate.
    pub(super) fn knock_page(&mut self, request: Box<Request>, budget: &mut Budget, now: Instant) {
        let (ticket, meta) = (request.ticket, request.meta.clone());
        self.show(ticket, Wants::Page(request), meta, None, budget, now);
    }

    fn show(
        &mut self,
        ticket: Ticket,
        wants: Wants,
        meta: Meta,
        timeout: Option<Duration>,
        budget: &mut Budget,
        now: Instant,
    ) {
        let deadline = timeout.map(|time| after(now, time));
        let (to, unknown) = match &wants {
            Wants::Method { to, .. } => (*to, None),
            Wants::Page(request) => (request.to, None),
            Wants::Unknown(_, missing) => (MethodId(u32::MAX), Some(&missing.names)),
        };
        let more = unknown.map(|names| Box::new(More::unknown(names.clone())));
        let (conn, reply_meta) = (Arc::clone(&self.info), Back::default());
        let mut cx = Cx { conn, to, meta, deadline, reply_meta, more };
        let gate = &self.shared.gate;
        if gate.traced() {
            let traced = Traced::new(&cx);
            cx.more.get_or_insert_default().traced = Some(traced);
        }
        let watch = gate.watch(&cx, ticket.oneway, wants.bytes());
        let held = Held { ticket, wants, watch };
        match gate.ask(cx) {
            Ok(result) => self.enter(held, result, budget),
            Err(passage) => self.hold(held, deadline, passage),
        }
        budget.over |= Instant::now() >= budget.until;
    }

    /// A call whose walk through the gate is over.
    pub(super) fn enter_passed(&mut self, passed: Passed, budget: &mut Budget) {
        budget.calls = budget.calls.saturating_sub(1);
        self.enter(passed.held, passed.result, budget);
        budget.over |= budget.calls == 0;
    }

    fn enter(&mut self, held: Held, result: Result<Cx, Status>, budget: &mut Budget) {
        let span = held.watch.as_ref().map_or_else(Span::none, |watch| watch.span().clone());
        span.in_scope(|| self.enter_in_span(held, result, budget));
    }

    fn enter_in_span(&mut self, held: Held, result: Result<Cx, Status>, budget: &mut Budget) {
        let Held { ticket, wants, watch } = held;
        match (wants, result) {
            (Wants::Method { to, body }, Ok(cx)) => {
                if cx.deadline.is_some_and(|at| at <= Instant::now()) {
                    let status = Status::deadline_exceeded("the caller's deadline has passed");
                    return self.refuse_call(&ticket, to, &status, watch);
                }
                self.start_guarded(ticket, cx, body, watch, budget);
            }
            (Wants::Method { to, .. }, Err(status)) => {
                self.refuse_call(&ticket, to, &status, watch);
            }
            (Wants::Page(request), Ok(cx)) => self.start_request(*request, cx, watch, budget),
            (Wants::Page(request), Err(status)) => {
                self.refuse_call(&ticket, request.to, &status, watch);
            }
            (Wants::Unknown(found, missing), result) => {
                match (self.shared.router.fallback(), result) {
                    (Some(to), Ok(cx)) => {
                        if cx.deadline.is_some_and(|at| at <= Instant::now()) {
                            let text = "the caller's deadline has passed";
                            let status = Some(Status::deadline_exceeded(text));
                            return self.refuse_unknown(
                                &ticket,
                                found,
                                &missing.names,
                                status,
                                watch,
                            );
                        }
                        self.start_guarded(ticket, Cx { to, ..cx }, missing.body, watch, budget);
                    }
                    (_, result) => {
                        self.refuse_unknown(&ticket, found, &missing.names, result.err(), watch);
                    }
                }
            }
        }
    }

    /// Refuses a call of what does not exist: with this status, or because it does not.
    #[cold]
    pub(super) fn refuse_unknown(
        &mut self,
        ticket: &Ticket,
        found: Found,
        (service, method): &Names,
        status: Option<Status>,
        mut watch: Option<Box<Watch>>,
    ) {
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let status = status.unwrap_or_else(|| wire.unknown(found, service, method));
        if !ticket.oneway {
            write_failure(wire, &mut self.out, ticket, service, method, &status, &[]);
        }
        if let Some(watch) = &mut watch {
            watch.end(Outcome::Failed(&status));
        }
    }

    /// A call must wait at the gate: it leaves for a task of its own, and is given up when its
    /// connection is gone.
    fn hold(&mut self, held: Held, deadline: Option<Instant>, mut passage: Passage) {
        let busy = Busy::new(&self.shared.away);
        if busy.all() > self.limits().calls {
            let text = "too many calls are waiting on this server (Limits::calls)";
            let status = Status::resource_exhausted(text);
            let Held { ticket, wants, watch } = held;
            return match wants {
                Wants::Method { to, .. } => self.refuse_call(&ticket, to, &status, watch),
                Wants::Page(request) => {
                    self.refuse_call(&ticket, request.to, &status, watch);
                }
                Wants::Unknown(found, missing) => {
                    self.refuse_unknown(&ticket, found, &missing.names, Some(status), watch);
                }
            };
        }
        let seq = held.ticket.seq;
        if self.streaming
            && let Wants::Method { to, .. } = held.wants
            && self.shared.router.entry(to).streams.any()
        {
            // Its items may come before it starts.
            self.prepare(seq);
        }
        let slot = self.slots.take();
        let late = Arc::clone(&self.late);
        let mut outside = Outside { late, busy: Some(busy), slot, held: Some(held), result: None };
        let task = async move {
            let walk = poll_fn(|cx| poll_passage(&mut passage, cx));
            let result = match deadline {
                None => walk.await,
                Some(at) => timeout_at(at, walk).await.unwrap_or_else(|_| {
                    Err(Status::deadline_exceeded("the caller's deadline has passed"))
                }),
            };
            // What the walk holds is the plugin's, and may be what others wait for.
            drop(passage);
            outside.result = Some(result);
            drop(outside);
        };
        let handle = tokio::spawn(task).abort_handle();
        self.slots.fill(slot, seq, handle);
    }
}

/// A call that waits at the gate. Dropping it sends it home: also when its task is aborted or the
/// runtime shuts down, a slot is never lost.
struct Outside {
    late: Arc<Late>,
    busy: Option<Busy>,
    slot: usize,
    held: Option<Held>,
    result: Option<Result<Cx, Status>>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let abandoned = || Err(Status::cancelled("the call was abandoned"));
        let result = self.result.take().unwrap_or_else(abandoned);
        // Counted no more before it can bring the next call.
        drop(self.busy.take());
        self.late.pass(Passed { slot: self.slot, held, result });
    }
}
