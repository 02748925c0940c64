//! Where types are erased: a method is generic until it is registered, and one virtual call after.

use super::{
    cx::Cx,
    reply::{Reply, panicked},
    router::Entry,
    spares::Spares,
};
use crate::{conn::Busy, stream::Pipe};
use farcall_core::{Body, Put, Shape, Status, Streams, Take};
use farcall_wire::Request;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll, Waker, ready},
};
use tokio::{task, time::Instant};

/// A method's names and how it runs. Made by `#[service]`.
#[derive(Debug)]
pub struct MethodInfo {
    /// The service's name, unless the service was added under another.
    pub service: &'static str,
    /// The method's name.
    pub name: &'static str,
    /// The name of its parameter, for error paths; empty when it has none or several.
    pub argument: &'static str,
    /// Running it twice does what running it once does: calls may be repeated.
    pub idempotent: bool,
    /// Its handlers are tasks from the start.
    pub spawn: bool,
}

/// Something that can be served: a name and methods. Made by `#[service]`.
pub trait Service {
    /// The name it is called by.
    fn name(&self) -> &str;
    /// Adds its methods.
    fn register(self, methods: &mut Methods);
}

/// The methods of a service, while a server is being built.
pub struct Methods {
    pub(crate) service: String,
    pub(crate) entries: Vec<Entry>,
}

impl Methods {
    /// A method, and the shapes of its argument and its result, or of their items.
    pub(super) fn add(
        &mut self,
        info: &'static MethodInfo,
        shapes: [&'static Shape; 2],
        method: impl Method + 'static,
    ) {
        let (service, name) = (self.service.clone(), info.name.to_owned());
        let (streams, method) = (method.streams(), Box::new(method));
        let (shapes, calls) = (shapes.map(Some), AtomicU64::new(0));
        self.entries.push(Entry { service, name, streams, method, shapes, calls });
    }

    /// An async method: polled where the bytes arrived; a task once it waits.
    pub fn unary<Req, Resp, E, F, Fut>(&mut self, info: &'static MethodInfo, run: F)
    where
        Req: Take + Send + 'static,
        Resp: Put + Send + 'static,
        E: Into<Status> + Send + 'static,
        F: Fn(Cx, Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = (Cx, Result<Resp, E>)> + Send + 'static,
    {
        let shapes = [&Req::SHAPE, &Resp::SHAPE];
        self.add(info, shapes, Unary { run, info, spares: Spares::default(), types: PhantomData });
    }

    /// A method that never waits: run where the bytes arrived.
    pub fn direct<Req, Resp, E, F>(&mut self, info: &'static MethodInfo, run: F)
    where
        Req: Take + Send + 'static,
        Resp: Put + Send + 'static,
        E: Into<Status> + Send + 'static,
        F: Fn(&Cx, Req) -> Result<Resp, E> + Send + Sync + 'static,
    {
        let shapes = [&Req::SHAPE, &Resp::SHAPE];
        self.add(info, shapes, Direct { run, info, types: PhantomData });
    }

    /// A method that blocks: run on the blocking pool.
    pub fn blocking<Req, Resp, E, F>(&mut self, info: &'static MethodInfo, run: F)
    where
        Req: Take + Send + 'static,
        Resp: Put + Send + 'static,
        E: Into<Status> + Send + 'static,
        F: Fn(&Cx, Req) -> Result<Resp, E> + Send + Sync + 'static,
    {
        let shapes = [&Req::SHAPE, &Resp::SHAPE];
        self.add(info, shapes, Blocking { run: Arc::new(run), info, types: PhantomData });
    }
}

/// Runs a future on a thread that may block: what `#[method(blocking)] async fn` expands to.
#[doc(hidden)]
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}

/// A registered method: types erased.
pub(crate) trait Method: Send + Sync {
    /// Decodes, runs, and answers or leaves the handler for later. `spawn`: do not poll in place.
    /// Tells when the handler ran here, if it did.
    fn start(&self, cx: Cx, body: Body, spawn: bool, reply: Reply<'_>) -> Option<Ran>;
    /// Which sides are streams; asked once.
    fn streams(&self) -> Streams {
        Streams::default()
    }
    /// The same as `start`, for a method that streams.
    fn open(&self, cx: Cx, body: Body, pipe: &Arc<Pipe>, reply: Reply<'_>) {
        let _ = pipe;
        self.start(cx, body, false, reply);
    }

    /// The same for a request that is no call: only pages are found by one.
    fn show(&self, cx: Cx, request: Request, spawn: bool, reply: Reply<'_>) -> Option<Ran> {
        let _ = (cx, request, spawn);
        refuse(reply, &Status::internal("a method is not a page"))
    }
}

/// When a handler ran in place. Unfolding, decoding and encoding are not the handler's time.
pub(crate) struct Ran {
    /// None: so soon after the call was taken up that it was not worth a look at the clock.
    pub(crate) began: Option<Instant>,
    pub(crate) ended: Instant,
}

impl Ran {
    #[inline]
    pub(super) fn since(began: impl Into<Option<Instant>>) -> Option<Ran> {
        Some(Ran { began: began.into(), ended: Instant::now() })
    }
}

/// A handler at work, or done and not yet answered: one box for both, so that a call which waits
/// allocates no more than its task.
pub(crate) trait Running: Send {
    /// Polls the handler. A panic makes it ready.
    fn poll_run(self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<()>;
    /// Writes the answer.
    fn answer(self: Pin<&mut Self>, reply: Reply<'_>);
}

type Types<Req, Resp, E> = PhantomData<fn(Req) -> Result<Resp, E>>;

struct Unary<F, Fut, Req, Resp, E> {
    run: F,
    info: &'static MethodInfo,
    spares: Spares<Run<Fut, Resp, E>>,
    types: Types<Req, Resp, E>,
}

impl<Req, Resp, E, F, Fut> Method for Unary<F, Fut, Req, Resp, E>
where
    Req: Take + Send + 'static,
    Resp: Put + Send + 'static,
    E: Into<Status> + Send + 'static,
    F: Fn(Cx, Req) -> Fut + Send + Sync,
    Fut: Future<Output = (Cx, Result<Resp, E>)> + Send + 'static,
{
    fn start(&self, cx: Cx, body: Body, spawn: bool, reply: Reply<'_>) -> Option<Ran> {
        let heavy = reply.is_heavy(&body);
        let request = match reply.decode::<Req>(body, self.info.argument) {
            Ok(request) => request,
            Err(status) => return refuse(reply, &status),
        };
        let future = Some((self.run)(cx, request));
        let mut run = match self.spares.take() {
            Some(mut run) => {
                run.as_mut().project().future.set(future);
                run
            }
            None => Box::pin(Run { future, done: None }),
        };
        // The first poll has a waker of its own: a handler that waits moves to a task, which polls
        // it again with the right one, and this connection is not woken for nothing.
        let first = &mut Context::from_waker(Waker::noop());
        if spawn || self.info.spawn {
            reply.later(run);
            return None;
        }
        let began = heavy.then(Instant::now);
        let polled = run.as_mut().poll_once(first);
        let ran = Ran::since(began);
        match polled {
            Poll::Ready(done) => {
                finish(done, reply);
                self.spares.give(run);
            }
            Poll::Pending => reply.later(run),
        }
        ran
    }
}

pin_project! {
    pub(super) struct Run<Fut, Resp, E> {
        #[pin]
        future: Option<Fut>,
        done: Option<(Cx, Result<Resp, E>)>,
    }
}

impl<Fut, Resp, E> Run<Fut, Resp, E> {
    #[inline]
    pub(super) fn new(future: Fut) -> Run<Fut, Resp, E> {
        Run { future: Some(future), done: None }
    }

    /// What came of it; none after a panic.
    pub(super) fn take(self: Pin<&mut Self>) -> Option<(Cx, Result<Resp, E>)> {
        self.project().done.take()
    }
}

impl<Fut, Resp, E> Run<Fut, Resp, E>
where
    Fut: Future<Output = (Cx, Result<Resp, E>)>,
{
    /// Polls the handler, and drops it when it is ready; none after a panic.
    #[inline(always)]
    fn poll_once(self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<Option<Done<Resp, E>>> {
        let mut future = self.project().future;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Ready(None) };
            let done = ready!(running.poll(waker));
            // Dropping the future is the handler's code as well.
            future.set(None);
            Poll::Ready(Some(done))
        }));
        polled.unwrap_or_else(|_| {
            let _ = catch_unwind(AssertUnwindSafe(|| future.set(None)));
            Poll::Ready(None)
        })
    }
}

/// What came of a handler.
type Done<Resp, E> = (Cx, Result<Resp, E>);

impl<Fut, Resp, E> Running for Run<Fut, Resp, E>
where
    Resp: Put + Send,
    E: Into<Status> + Send,
    Fut: Future<Output = (Cx, Result<Resp, E>)> + Send,
{
    fn poll_run(mut self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<()> {
        let done = ready!(self.as_mut().poll_once(waker));
        *self.project().done = done;
        Poll::Ready(())
    }

    fn answer(self: Pin<&mut Self>, reply: Reply<'_>) {
        finish(self.take(), reply);
    }
}

/// Answers with what came of a handler; with nothing, it panicked.
#[inline(always)]
fn finish<Resp: Put, E: Into<Status>>(done: Option<Done<Resp, E>>, reply: Reply<'_>) {
    let Some((mut cx, result)) = done else { return reply.fail(&panicked(), &[]) };
    let meta = cx.reply_meta.pairs();
    match result {
        Ok(value) => reply.ok(&value, meta),
        Err(error) => {
            let status = catch_unwind(AssertUnwindSafe(|| error.into()));
            reply.fail(&status.unwrap_or_else(|_| panicked()), meta);
        }
    }
}

#[cold]
fn refuse(reply: Reply<'_>, status: &Status) -> Option<Ran> {
    reply.fail(status, &[]);
    None
}

struct Direct<F, Req, Resp, E> {
    run: F,
    info: &'static MethodInfo,
    types: Types<Req, Resp, E>,
}

impl<Req, Resp, E, F> Method for Direct<F, Req, Resp, E>
where
    Req: Take + Send + 'static,
    Resp: Put + Send + 'static,
    E: Into<Status> + Send + 'static,
    F: Fn(&Cx, Req) -> Result<Resp, E> + Send + Sync,
{
    fn start(&self, cx: Cx, body: Body, _spawn: bool, reply: Reply<'_>) -> Option<Ran> {
        let heavy = reply.is_heavy(&body);
        let request = match reply.decode::<Req>(body, self.info.argument) {
            Ok(request) => request,
            Err(status) => return refuse(reply, &status),
        };
        let began = heavy.then(Instant::now);
        let result = catch_unwind(AssertUnwindSafe(|| (self.run)(&cx, request)));
        let ran = Ran::since(began);
        finish(result.ok().map(|result| (cx, result)), reply);
        ran
    }
}

struct Blocking<F, Req, Resp, E> {
    run: Arc<F>,
    info: &'static MethodInfo,
    types: Types<Req, Resp, E>,
}

impl<Req, Resp, E, F> Method for Blocking<F, Req, Resp, E>
where
    Req: Take + Send + 'static,
    Resp: Put + Send + 'static,
    E: Into<Status> + Send + 'static,
    F: Fn(&Cx, Req) -> Result<Resp, E> + Send + Sync + 'static,
{
    fn start(&self, cx: Cx, body: Body, _spawn: bool, reply: Reply<'_>) -> Option<Ran> {
        let request = match reply.decode::<Req>(body, self.info.argument) {
            Ok(request) => request,
            Err(status) => return refuse(reply, &status),
        };
        let run = Arc::clone(&self.run);
        // A panic of the work comes out of the join handle; raising it again lets `Run` treat it as
        // every other.
        let future = async move {
            // The work cannot be stopped: it counts as a waiting call of its own, for as long as it
            // lasts, because its caller's may end sooner.
            let busy = Busy::new(&cx.conn.away);
            let span = cx.span();
            let work = task::spawn_blocking(move || {
                let result = span.in_scope(|| run(&cx, request));
                drop(busy);
                (cx, result)
            });
            match work.await {
                Ok(done) => done,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => std::future::pending().await,
                },
            }
        };
        reply.later(Box::pin(Run::new(future)));
        None
    }
}
