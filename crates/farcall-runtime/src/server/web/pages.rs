//! What a page is, and how its requests run: in place first, as a task once they wait.

use super::{HttpRequest, HttpResponse};
use crate::server::{
    Cx, Reply,
    method::{Method, Ran, Running},
    reply::panicked,
};
use farcall_core::{Body, Status};
use farcall_wire::Request;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::{task, time::Instant};

/// Something that answers requests which are no calls.
pub trait Page: Send + Sync + 'static {
    /// Answers one. A panic becomes a 500 without its text.
    fn answer(&self, request: HttpRequest) -> Answering;
}

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = HttpResponse> + Send>>;

/// What can be mounted: an async function from [`HttpRequest`] to [`HttpResponse`], a [`Page`], and
/// with the feature `tower` any tower service. `By` says which, and is never written.
pub trait IntoPage<By> {
    /// As a page.
    fn into_page(self) -> Box<dyn Page>;
}

/// Marks functions.
#[derive(Debug)]
pub struct ByFunction;

/// Marks pages.
#[derive(Debug)]
pub struct ByPage;

struct Function<F>(F);

impl<F, Fut> Page for Function<F>
where
    F: Fn(HttpRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = HttpResponse> + Send + 'static,
{
    fn answer(&self, request: HttpRequest) -> Answering {
        Box::pin((self.0)(request))
    }
}

impl<F, Fut> IntoPage<ByFunction> for F
where
    F: Fn(HttpRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = HttpResponse> + Send + 'static,
{
    fn into_page(self) -> Box<dyn Page> {
        Box::new(Function(self))
    }
}

impl<P: Page> IntoPage<ByPage> for P {
    fn into_page(self) -> Box<dyn Page> {
        Box::new(self)
    }
}

/// A page as an entry of the router.
pub(crate) struct Mounted {
    pub(crate) page: Box<dyn Page>,
    /// Bytes of the path that lead to it.
    pub(crate) length: usize,
}

impl Method for Mounted {
    /// Nobody finds a page by the name of a method.
    fn start(&self, _: Cx, _: Body, _: bool, reply: Reply<'_>) -> Option<Ran> {
        reply.fail(&Status::internal("a page is not called"), &[]);
        None
    }

    fn show(&self, cx: Cx, request: Request, spawn: bool, reply: Reply<'_>) -> Option<Ran> {
        let Request { method, target, body, .. } = request;
        let (mounted, most) = (self.length, reply.message_bytes());
        let request = HttpRequest { cx, method, target, mounted, most, body };
        let began = Instant::now();
        let answering = catch_unwind(AssertUnwindSafe(|| self.page.answer(request)));
        let Ok(answering) = answering else {
            reply.fail(&panicked(), &[]);
            return Ran::since(began);
        };
        let mut run = Box::pin(Showing { answering: Some(answering), done: None });
        if !spawn {
            // As for calls: the first poll has a waker of its own.
            let first = &mut Context::from_waker(Waker::noop());
            let ready = run.as_mut().poll_run(first).is_ready();
            let ran = Ran::since(began);
            match ready {
                true => run.as_mut().answer(reply),
                false => reply.later(run),
            }
            return ran;
        }
        reply.later(run);
        None
    }
}

/// A page at work, or its answer.
struct Showing {
    answering: Option<Answering>,
    done: Option<HttpResponse>,
}

impl Running for Showing {
    fn poll_run(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(answering) = &mut this.answering else { return Poll::Ready(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            std::pin::pin!(task::coop::unconstrained(answering.as_mut())).poll(cx)
        }));
        let done = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(done)) => Some(done),
            Err(_) => None,
        };
        // Dropping what is done is the page's code as well.
        let dropped = catch_unwind(AssertUnwindSafe(|| this.answering = None));
        this.done = done.filter(|_| dropped.is_ok());
        Poll::Ready(())
    }

    fn answer(self: Pin<&mut Self>, reply: Reply<'_>) {
        match self.get_mut().done.take() {
            Some(response) => reply.respond(&response),
            None => reply.fail(&panicked(), &[]),
        }
    }
}
