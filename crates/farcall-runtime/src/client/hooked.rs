//! Calls that plugins and interceptors stand around: who is asked, in which order, and who is told
//! how it ended.
//!
//! Such a call waits in `Stage::Hooked`, and what its attempts wait for waits in there. An
//! interceptor never holds the call: it says in a cell that it may be made, and finds there what
//! became of it, so that arguments may be borrowed and need not be `Send`. Calls without hooks have
//! nothing of this but a test of a bit that fail modes need as well.

use super::{
    Fail, Handle,
    call::{Raw, Stage, Timer, timer_at},
    link::Link,
    plugin::{Cell, ClientCall, Hooks, Outgoing, lock, panicked, shown},
};
use crate::{
    answer::{Answering, Encoded, Given, Reading},
    clock::after,
    server::{Deciding, Moments, Outcome, Verdict},
    stream::Keep,
};
use farcall_core::{Put, Status, Streams};
use farcall_wire::Reply;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::time::Instant;

/// What stands around a call.
pub(super) struct Hooked {
    step: Step,
    /// What the attempts wait for.
    inner: Stage,
    /// Rings at the deadline, while nothing is attempted.
    timer: Timer,
    ending: Ending,
}

enum Step {
    /// Plugins are asked.
    Asking { call: Outgoing, next: usize, deciding: Option<Deciding> },
    /// Interceptors run, and perhaps the call.
    Around { future: Answering, cell: Arc<Mutex<Cell>>, running: bool },
    /// The call runs, and nobody is around it.
    Alone,
}

/// Who is told how the call ended, once.
pub(super) struct Ending {
    hooks: Arc<Hooks>,
    call: Arc<ClientCall>,
    told: AtomicBool,
}

impl Ending {
    pub(super) fn told(&self, how: Result<(), &Status>) {
        self.end(how.map_or_else(Outcome::Failed, |()| Outcome::Done));
    }

    fn end(&self, outcome: Outcome<'_>) {
        if !self.told.swap(true, Ordering::Relaxed) {
            self.hooks.tell(Moments::REPLY, |plugin| plugin.on_reply(&self.call, outcome));
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.end(Outcome::Lost);
    }
}

/// What a stream that hooks were around keeps until it is over.
pub(super) struct Kept {
    pub(super) ending: Ending,
    /// The connection.
    #[allow(dead_code, reason = "it lives as long as the stream")]
    pub(super) handle: Arc<Handle>,
}

impl Keep for Kept {
    fn over(&self, how: Result<(), &Status>) {
        self.ending.told(how);
    }
}

impl Keep for Handle {}

/// What the attempts of a call are polled by.
pub(super) type Run<'r, Req> =
    &'r mut dyn FnMut(&mut Raw<Req>, &mut Context<'_>) -> Poll<Result<Given, Status>>;

impl Hooked {
    #[cold]
    fn begin<Req>(raw: &mut Raw<Req>, streams: Streams) -> Result<Box<Hooked>, Status> {
        let meta = raw.own_meta().clone();
        let link = raw.client.link();
        let Some(hooks) = link.joins.hooks.clone() else {
            return Err(Status::internal("a call without the hooks it should have"));
        };
        let reading = reading(link);
        let defaults = &raw.client.defaults;
        let (service, method) = raw.to.names();
        let began = Instant::now();
        let call = Arc::new(ClientCall {
            protocol: link.target.protocol.name(),
            info: raw.to.info(),
            service: defaults.service.as_deref().unwrap_or(service).to_owned(),
            method: method.to_owned(),
            oneway: raw.oneway,
            streams,
            format: defaults.format,
            deadline: defaults.timeout.map(|time| after(began, time)),
            began,
        });
        raw.deadline = call.deadline;
        raw.client.defaults.hooked = false;
        if hooks.minds(Moments::RETRY | Moments::SELECT) {
            raw.tries.get_or_insert_default().told = Some((hooks.clone(), call.clone()));
        }
        let outgoing = Outgoing::new(&call, &hooks, meta, reading);
        let step = Step::Asking { call: outgoing, next: 0, deciding: None };
        let ending = Ending { hooks, call, told: AtomicBool::new(false) };
        ending.hooks.tell(Moments::BEGIN, |plugin| plugin.on_begin(&ending.call));
        Ok(Box::new(Hooked { step, inner: Stage::Fresh, timer: None, ending }))
    }

    fn poll<Req: Put>(
        &mut self,
        raw: &mut Raw<Req>,
        cx: &mut Context<'_>,
        run: Run<'_, Req>,
    ) -> Poll<Result<Given, Status>> {
        loop {
            match &mut self.step {
                Step::Asking { call, next, deciding } => {
                    if let Some(asked) = deciding {
                        let poll = AssertUnwindSafe(|| asked.as_mut().poll(cx));
                        match catch_unwind(poll).unwrap_or_else(|_| Poll::Ready(Err(panicked()))) {
                            Poll::Pending => return self.wait(cx),
                            Poll::Ready(Err(status)) => return Poll::Ready(Err(status)),
                            Poll::Ready(Ok(())) => *deciding = None,
                        }
                    }
                    let verdict;
                    (*next, verdict) = self.ending.hooks.ask(*next, call);
                    match verdict {
                        Verdict::Go => self.pass(raw)?,
                        Verdict::Stop(status) => return Poll::Ready(Err(status)),
                        Verdict::Wait(asked) => *deciding = Some(asked),
                    }
                }
                Step::Around { future, cell, running } => {
                    let poll = AssertUnwindSafe(|| future.as_mut().poll(cx));
                    match catch_unwind(poll) {
                        Ok(Poll::Pending) => {}
                        Ok(Poll::Ready(answer)) => return Poll::Ready(answer.outcome),
                        Err(_) => return Poll::Ready(Err(panicked())),
                    }
                    if !*running {
                        let Some(meta) = lock(cell).take_go(cx) else { return self.wait(cx) };
                        raw.meta = Some(meta);
                        raw.take_what_is_left();
                        *running = true;
                    }
                    std::mem::swap(&mut raw.stage, &mut self.inner);
                    let polled = run(raw, cx);
                    std::mem::swap(&mut raw.stage, &mut self.inner);
                    let Poll::Ready(outcome) = polled else { return Poll::Pending };
                    *running = false;
                    let waker = lock(cell).tell(outcome.into());
                    waker.into_iter().for_each(|waker| waker.wake());
                }
                Step::Alone => {
                    std::mem::swap(&mut raw.stage, &mut self.inner);
                    let polled = run(raw, cx);
                    std::mem::swap(&mut raw.stage, &mut self.inner);
                    return polled;
                }
            }
        }
    }

    /// All plugins let it go.
    fn pass<Req: Put>(&mut self, raw: &mut Raw<Req>) -> Result<(), Status> {
        let Step::Asking { call, .. } = std::mem::replace(&mut self.step, Step::Alone) else {
            return Ok(());
        };
        raw.take_what_is_left();
        if self.ending.hooks.around.is_empty() {
            raw.meta = Some(call.into_meta());
            return Ok(());
        }
        let argument = if self.ending.call.streams.inbound {
            None
        } else {
            let format = raw.encoding(shown(self.ending.call.format));
            let body = reading(raw.client.link()).encode(format, &raw.request);
            Some(body.map_err(|fault| {
                let text = format!("the {format} argument cannot be written: {fault}");
                Status::invalid_argument(text)
            })?)
        };
        let (call, cell) = call.carrying(argument);
        self.step = Step::Around { future: Box::pin(call.run()), cell, running: false };
        Ok(())
    }

    /// Nothing is attempted: the deadline is kept here.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<Given, Status>> {
        let Some(at) = self.ending.call.deadline else { return Poll::Pending };
        if self.timer.is_none() {
            self.timer = Some(timer_at(at, cx)?);
        }
        match self.timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(Status::deadline_exceeded(
                "a plugin or an interceptor of the client was not done before the deadline",
            ))),
            _ => Poll::Pending,
        }
    }

    /// What the attempts wait for, once the call is given up.
    fn take_inner(&mut self) -> Stage {
        std::mem::replace(&mut self.inner, Stage::Over)
    }
}

impl<Req: Put> Raw<Req> {
    /// Polls a call and what stands around it. Who is to be told how it ended comes with what it
    /// came to.
    #[cold]
    pub(super) fn poll_around(
        &mut self,
        streams: Streams,
        cx: &mut Context<'_>,
        run: Run<'_, Req>,
    ) -> Poll<(Option<Ending>, Result<Given, Status>)> {
        let mut hooked = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Hooked(hooked) => hooked,
            _ => match Hooked::begin(self, streams) {
                Ok(hooked) => hooked,
                Err(status) => return Poll::Ready((None, Err(status))),
            },
        };
        let Poll::Ready(result) = hooked.poll(self, cx, run) else {
            self.stage = Stage::Hooked(hooked);
            return Poll::Pending;
        };
        // What an interceptor did not wait for is given up.
        self.stage = hooked.take_inner();
        if !matches!(self.stage, Stage::Over | Stage::Fresh) {
            self.leave();
        }
        self.stage = Stage::Over;
        Poll::Ready((Some(hooked.ending), result))
    }

    /// The same, down to a result.
    #[cold]
    pub(super) fn poll_hooked<T>(
        &mut self,
        streams: Streams,
        cx: &mut Context<'_>,
        run: Run<'_, Req>,
        finish: impl FnOnce(&Raw<Req>, Given) -> Result<T, Status>,
    ) -> Poll<Result<T, Status>> {
        self.poll_around(streams, cx, run).map(|(ending, result)| {
            let result = result.and_then(|given| finish(self, given));
            if let Some(ending) = ending {
                ending.told(result.as_ref().map(drop));
            }
            result
        })
    }

    /// A call that waits for its answer.
    #[cold]
    pub(super) fn poll_reply_hooked<T>(
        &mut self,
        cx: &mut Context<'_>,
        finish: impl FnOnce(&Raw<Req>, Reply) -> Result<T, Status>,
    ) -> Poll<Result<T, Status>> {
        // Not a closure: each would be a type of its own, for ever.
        let run: Run<'_, Req> = &mut |raw, cx| raw.poll_as(cx, shown_reply);
        self.poll_hooked(Streams::default(), cx, run, |raw, given| finish(raw, reply(given)?))
    }

    /// A one-way call.
    #[cold]
    pub(super) fn poll_sent_hooked(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let run: Run<'_, Req> =
            &mut |raw, cx| raw.poll_sent(cx).map(|sent| sent.map(|()| Given::Nothing));
        self.poll_hooked(Streams::default(), cx, run, |_, _| Ok(()))
    }
}

impl<Req> Raw<Req> {
    /// The one test before each try: whether hooks have the call. Where it may be made more than
    /// once, it is counted.
    #[cold]
    pub(super) fn minds(&mut self) -> bool {
        let hooked = self.is_hooked();
        if !hooked && self.client.defaults.fail != Fail::Fast {
            self.earn();
        }
        hooked
    }

    /// The call is given up.
    #[cold]
    pub(super) fn leave_hooked(&mut self, mut hooked: Hooked) {
        self.stage = hooked.take_inner();
        // First what interceptors hold, then the call itself.
        hooked.step = Step::Alone;
        self.leave();
    }

    /// Whether hooks are still to be asked about the call, or have it in hand.
    #[inline]
    pub(super) fn is_hooked(&self) -> bool {
        self.client.defaults.hooked || matches!(self.stage, Stage::Hooked(_))
    }
}

fn reading(link: &Link) -> Reading {
    let Link { bounds, limits, joins, .. } = link;
    let (unfolded_bytes, known) = (limits.unfolded_bytes, joins.inbox.known());
    Reading { bounds: *bounds, unfolded_bytes, known }
}

/// An answer that came, as interceptors see it.
pub(super) fn given(reply: Reply, link: &Link) -> Given {
    let Reply { format, compress, meta, body, .. } = reply;
    let (shape, reading) = (None, reading(link));
    Given::Value(Box::new(Encoded { format, compress, body, meta, shape, reading }))
}

fn shown_reply<Req>(raw: &Raw<Req>, reply: Reply) -> Result<Given, Status> {
    Ok(given(reply, raw.client.link()))
}

/// And as the call sees it.
pub(super) fn reply(given: Given) -> Result<Reply, Status> {
    match given {
        Given::Value(given) => {
            let Encoded { format, compress, body, meta, .. } = *given;
            Ok(Reply { seq: 0, error: None, format, compress, meta, body })
        }
        Given::Items | Given::Nothing => Err(Status::internal("an answer without a result")),
    }
}
