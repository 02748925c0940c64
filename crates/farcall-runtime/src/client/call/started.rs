//! Calls that are on their way before anybody waits for them.

use super::{Call, CallMeta, Oneway, Raw, Stage};
use farcall_core::{Meta, Put, Status, Take};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::task::JoinHandle;

/// A call that is on its way: await it for the result. Dropping it gives the call up.
///
/// Unlike a task of `tokio::spawn` it costs nothing where the connection is open, and it does not
/// go on without its handle.
#[must_use = "dropping a started call gives it up"]
pub struct Started<T>(State<T>);

enum State<T> {
    /// It is on its way, and waits in its slot.
    Sent(Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>),
    /// It waits for a connection or for room: somebody must be there when its turn comes.
    Task(JoinHandle<Result<T, Status>>),
    Ready(Option<Result<T, Status>>),
}

impl<Req, Resp> Call<Req, Resp>
where
    Req: Put + Send + 'static,
    Resp: Take + Send + 'static,
{
    /// Sends the call now; the result is awaited later, or never. As net/rpc's `Go` does it: calls
    /// are written in the order in which they are started.
    ///
    /// ```ignore
    /// let (one, two) = (arith.mul(a).start(), arith.mul(b).start());
    /// let (one, two) = (one.await?, two.await?);
    /// ```
    pub fn start(self) -> Started<Resp> {
        start(self, |call| &call.raw)
    }
}

impl<Req, Resp> CallMeta<Req, Resp>
where
    Req: Put + Send + 'static,
    Resp: Take + Send + 'static,
{
    /// Sends the call now; see [`Call::start`].
    pub fn start(self) -> Started<(Resp, Meta)> {
        start(self, |call| &call.0.raw)
    }
}

impl<Req: Put + Send + 'static> Oneway<Req> {
    /// Sends the call now; see [`Call::start`].
    pub fn start(self) -> Started<()> {
        start(self, |call| &call.0)
    }
}

fn start<F, Req, T>(mut call: F, raw: impl Fn(&F) -> &Raw<Req>) -> Started<T>
where
    F: Future<Output = Result<T, Status>> + Unpin + Send + 'static,
    T: Send + 'static,
{
    // Whoever awaits it is woken: until then the result waits in its slot.
    let mut nobody = Context::from_waker(Waker::noop());
    if let Poll::Ready(result) = Pin::new(&mut call).poll(&mut nobody) {
        return Started(State::Ready(Some(result)));
    }
    Started(match raw(&call).stage {
        Stage::Waiting(_) => State::Sent(Box::pin(call)),
        // The first poll has found a runtime, or it would have failed.
        _ => State::Task(tokio::spawn(call)),
    })
}

impl<T> Future for Started<T> {
    type Output = Result<T, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            State::Sent(call) => ready!(call.as_mut().poll(cx)),
            State::Task(task) => match ready!(Pin::new(task).poll(cx)) {
                Ok(result) => result,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(Status::cancelled("the runtime that the call ran on has ended")),
                },
            },
            State::Ready(result) => result
                .take()
                .unwrap_or_else(|| Err(Status::internal("a call was polled after it was ready"))),
        };
        self.0 = State::Ready(None);
        Poll::Ready(result)
    }
}

// The call is in a box, and nothing else is pinned.
impl<T> Unpin for Started<T> {}

impl<T> Drop for Started<T> {
    fn drop(&mut self) {
        if let State::Task(task) = &self.0 {
            task.abort();
        }
    }
}

impl<T> fmt::Debug for Started<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}
