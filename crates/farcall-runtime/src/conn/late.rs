//! Replies that were not ready at once come home here, in batches.

use crate::server::{Reply, Running};
use farcall_core::{MethodId, Status, Ticket};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};
use tokio::{
    task::AbortHandle,
    time::{Instant, timeout_at},
};

/// What a connection shares with the handlers it is waiting for, and with whoever drains the server.
#[derive(Default)]
pub(crate) struct Late(Mutex<State>);

#[derive(Default)]
struct State {
    home: Vec<Homecomer>,
    waker: Option<Waker>,
    draining: bool,
}

/// A call whose handler is done, or never will be.
pub(crate) struct Homecomer {
    pub(crate) slot: usize,
    pub(crate) ticket: Ticket,
    pub(crate) to: MethodId,
    outcome: Outcome,
}

enum Outcome {
    Done(Pin<Box<dyn Running>>),
    Failed(Status),
}

impl Homecomer {
    /// Writes the answer.
    pub(crate) fn answer(mut self, reply: Reply<'_>) {
        match &mut self.outcome {
            Outcome::Done(run) => run.as_mut().answer(reply),
            Outcome::Failed(status) => reply.fail(status, &[]),
        }
    }
}

impl Late {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes who came home, leaves the waker for those who will, and tells whether to drain.
    #[inline]
    pub(crate) fn collect(&self, cx: &Context<'_>, into: &mut Vec<Homecomer>) -> bool {
        let mut state = self.lock();
        if !state.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        std::mem::swap(&mut state.home, into);
        state.draining
    }

    /// Tells the connection to finish what runs and to close.
    pub(crate) fn drain(&self) {
        let mut state = self.lock();
        state.draining = true;
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn arrive(&self, homecomer: Homecomer) {
        let mut state = self.lock();
        state.home.push(homecomer);
        // The first one wakes the connection; the others travel along.
        let waker = (state.home.len() == 1).then(|| state.waker.clone()).flatten();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Runs a handler as a task. Whatever becomes of it, it comes home; `count` is one lower then.
pub(crate) fn send_out(
    late: Arc<Late>,
    count: Arc<AtomicUsize>,
    slot: usize,
    ticket: Ticket,
    to: MethodId,
    deadline: Option<Instant>,
    run: Pin<Box<dyn Running>>,
) -> AbortHandle {
    let mut away = Away { late, count, slot, ticket, to, run: Some(run), failed: None };
    let task = async move {
        let finished = {
            let run = poll_fn(|cx| match &mut away.run {
                Some(run) => run.as_mut().poll_run(cx),
                None => std::task::Poll::Ready(()),
            });
            within(deadline, run).await
        };
        if !finished {
            // The handler is dropped where it waits: nobody listens any more.
            away.run = None;
            away.failed = Some(Status::deadline_exceeded("the caller's deadline has passed"));
        }
        drop(away);
    };
    tokio::spawn(task).abort_handle()
}

async fn within(deadline: Option<Instant>, run: impl Future<Output = ()>) -> bool {
    match deadline {
        Some(at) => timeout_at(at, run).await.is_ok(),
        None => {
            run.await;
            true
        }
    }
}

/// A call that is away from its connection. Dropping it sends it home: also when its task is aborted
/// or the runtime shuts down, a slot is never lost.
struct Away {
    late: Arc<Late>,
    count: Arc<AtomicUsize>,
    slot: usize,
    ticket: Ticket,
    to: MethodId,
    run: Option<Pin<Box<dyn Running>>>,
    failed: Option<Status>,
}

impl Drop for Away {
    fn drop(&mut self) {
        let outcome = match (self.run.take(), self.failed.take()) {
            (Some(run), None) => Outcome::Done(run),
            (_, Some(status)) => Outcome::Failed(status),
            (None, None) => Outcome::Failed(Status::cancelled("the call was abandoned")),
        };
        self.count.fetch_sub(1, Ordering::Relaxed);
        let Away { slot, ticket, to, .. } = *self;
        self.late.arrive(Homecomer { slot, ticket, to, outcome });
    }
}
