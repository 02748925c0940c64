//! Replies that were not ready at once come home here, in batches.

use super::{Conn, gate::Passed};
use crate::{
    server::{Reply, Running, Watch},
    stream::Home,
};
use farcall_core::{MethodId, Status, Ticket};
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
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

/// What a connection shares with the handlers it is waiting for, and with whoever drains the
/// server.
#[derive(Default)]
pub(crate) struct Late(Mutex<State>);

#[derive(Default)]
struct State {
    home: Vec<Homecomer>,
    /// Calls whose walk through the gate is over.
    passed: Vec<Passed>,
    /// The numbers of streams that want to be attended to.
    touched: Vec<u64>,
    waker: Option<Waker>,
    stop: Stop,
    /// All is answered and written; the connection lives for its peer to read that.
    parting: bool,
}

impl State {
    #[inline]
    fn leave_waker(&mut self, cx: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }

    /// The first one wakes the connection; the others travel along.
    fn wake_first(state: MutexGuard<'_, State>) {
        let first = state.home.len() + state.passed.len() + state.touched.len() == 1;
        let waker = first.then(|| state.waker.clone()).flatten();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What whoever ends the server wants of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing.
    #[default]
    No,
    /// To finish what runs and to close.
    Drain,
    /// To close now: it was given time enough.
    Cut,
    /// To close now: it has said nothing, and others want its place.
    Room,
}

/// A call whose handler is done, or never will be.
pub(crate) struct Homecomer {
    pub(crate) slot: usize,
    pub(crate) ticket: Ticket,
    pub(crate) to: MethodId,
    pub(crate) watch: Option<Box<Watch>>,
    outcome: Outcome,
}

enum Outcome {
    Done(Pin<Box<dyn Running>>),
    Failed(Status),
}

impl Homecomer {
    /// Nobody wants the answer.
    #[cold]
    pub(crate) fn forget(self) {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self.outcome)));
    }

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

    /// Takes who came home and which streams were touched, leaves the waker for those who will, and
    /// tells whether to stop.
    #[inline]
    pub(super) fn collect(
        &self,
        cx: &Context<'_>,
        into: &mut Vec<Homecomer>,
        passed: &mut Vec<Passed>,
        touched: &mut Vec<u64>,
    ) -> Stop {
        let mut state = self.lock();
        state.leave_waker(cx);
        std::mem::swap(&mut state.home, into);
        passed.append(&mut state.passed);
        if !state.touched.is_empty() {
            std::mem::swap(&mut state.touched, touched);
        }
        state.stop
    }

    /// Leaves the waker, and tells whether to stop.
    pub(crate) fn told(&self, cx: &Context<'_>) -> Stop {
        let mut state = self.lock();
        state.leave_waker(cx);
        state.stop
    }

    /// Tells the connection to finish what runs and to close, or to close now.
    pub(crate) fn stop(&self, how: Stop) {
        let mut state = self.lock();
        state.stop = how;
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// All is answered and written.
    pub(super) fn parting(&self) {
        self.lock().parting = true;
    }

    /// Whether only the peer has something left to do: to read.
    pub(crate) fn is_parting(&self) -> bool {
        self.lock().parting
    }

    fn arrive(&self, homecomer: Homecomer) {
        let mut state = self.lock();
        state.home.push(homecomer);
        State::wake_first(state);
    }

    /// A walk through the gate is over.
    pub(super) fn pass(&self, passed: Passed) {
        let mut state = self.lock();
        state.passed.push(passed);
        State::wake_first(state);
    }
}

impl Home for Late {
    fn touch(&self, seq: u64) {
        let mut state = self.lock();
        state.touched.push(seq);
        State::wake_first(state);
    }
}

/// One of the calls that wait on a server: counted as long as this lives.
pub(crate) struct Busy(Arc<AtomicUsize>);

impl Busy {
    /// Counts one more.
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Busy {
        count.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(count))
    }

    /// How many there are, this one included.
    pub(crate) fn all(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call whose handler leaves.
pub(super) struct Leaver {
    pub(super) ticket: Ticket,
    pub(super) to: MethodId,
    pub(super) deadline: Option<Instant>,
    pub(super) watch: Option<Box<Watch>>,
}

impl Conn {
    /// A handler must wait: it leaves for a task of its own.
    pub(super) fn leave(&mut self, leaver: Leaver, run: Pin<Box<dyn Running>>) {
        let busy = Busy::new(&self.shared.away);
        if busy.all() > self.limits().calls {
            let text = "too many calls are waiting on this server (Limits::calls)";
            let Leaver { ticket, to, watch, .. } = leaver;
            return self.refuse_call(&ticket, to, &Status::resource_exhausted(text), watch);
        }
        let slot = self.slots.take();
        let late = Arc::clone(&self.late);
        let Ticket { seq, oneway, .. } = leaver.ticket;
        let handle = send_out(late, busy, slot, leaver, run);
        // What wants no answer is finished even when its caller is gone; the rest is stopped then.
        if !oneway {
            self.slots.fill(slot, seq, handle);
        }
    }
}

/// Runs a handler as a task. Whatever becomes of it, it comes home.
fn send_out(
    late: Arc<Late>,
    busy: Busy,
    slot: usize,
    leaver: Leaver,
    run: Pin<Box<dyn Running>>,
) -> AbortHandle {
    let Leaver { ticket, to, deadline, watch } = leaver;
    let (busy, run) = (Some(busy), Some(run));
    let mut away = Away { late, busy, slot, ticket, to, watch, run, end: End::Stopped };
    let task = async move {
        let finished = {
            let run = poll_fn(|cx| {
                let _entered = away.watch.as_ref().map(|watch| watch.span().enter());
                match &mut away.run {
                    Some(run) => run.as_mut().poll_run(cx),
                    None => std::task::Poll::Ready(()),
                }
            });
            within(deadline, run).await
        };
        away.end = if finished { End::Finished } else { End::Late };
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

/// A call that is away from its connection. Dropping it sends it home: also when its task is
/// aborted or the runtime shuts down, a slot is never lost.
struct Away {
    late: Arc<Late>,
    busy: Option<Busy>,
    slot: usize,
    ticket: Ticket,
    to: MethodId,
    watch: Option<Box<Watch>>,
    run: Option<Pin<Box<dyn Running>>>,
    end: End,
}

/// How a handler that was away came to its end.
enum End {
    Finished,
    /// Its caller's deadline passed.
    Late,
    /// It was stopped: its connection is closed, or its runtime ends.
    Stopped,
}

impl Drop for Away {
    fn drop(&mut self) {
        // A handler that is not done is dropped here and now, not where its answer would have been
        // written: nobody listens any more, and it may hold what others wait for.
        let stopped = |run, status| {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(run)));
            Outcome::Failed(status)
        };
        let outcome = match (self.run.take(), &self.end) {
            (Some(run), End::Finished) => Outcome::Done(run),
            (run, End::Late) => {
                stopped(run, Status::deadline_exceeded("the caller's deadline has passed"))
            }
            (run, _) => stopped(run, Status::cancelled("the call was abandoned")),
        };
        // Counted no more before its answer can bring the next call.
        drop(self.busy.take());
        let Away { slot, ticket, to, .. } = *self;
        let watch = self.watch.take();
        self.late.arrive(Homecomer { slot, ticket, to, watch, outcome });
    }
}
