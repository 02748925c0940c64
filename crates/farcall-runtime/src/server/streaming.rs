//! Methods that stream: their items take the way of `stream/`, their last word that of every other
//! answer.

use super::{
    cx::Cx,
    method::{Method, MethodInfo, Methods, Ran, Run, Running},
    reply::{Reply, panicked},
};
use crate::stream::{Inbound, Outbound, Pipe, check_format};
use farcall_core::{Body, Put, Shape, Status, Streams, Take};
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

impl Methods {
    /// A method that answers with a stream: its future puts the items into the [`Outbound`].
    pub fn outbound<Req, T, F, Fut>(&mut self, info: &'static MethodInfo, run: F)
    where
        Req: Take + Send + 'static,
        T: Put + Send + 'static,
        F: Fn(Cx, Req, Outbound<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = (Cx, Result<(), Status>)> + Send + 'static,
    {
        let streams = Streams { inbound: false, outbound: true };
        let shapes = [&Req::SHAPE, &T::SHAPE];
        self.stream(info, streams, shapes, move |cx, body, pipe, reply| {
            match reply.decode::<Req>(body, info.argument) {
                Ok(request) => {
                    let out = Outbound::new(Arc::clone(pipe), reply.codec());
                    reply.later(Pumping::boxed(run(cx, request, out)));
                }
                Err(status) => reply.fail(&status, &[]),
            }
        });
    }

    /// A method that takes a stream and answers with one result.
    pub fn inbound<T, Resp, E, F, Fut>(&mut self, info: &'static MethodInfo, run: F)
    where
        T: Take + Send + 'static,
        Resp: Put + Send + 'static,
        E: Into<Status> + Send + 'static,
        F: Fn(Cx, Inbound<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = (Cx, Result<Resp, E>)> + Send + 'static,
    {
        let streams = Streams { inbound: true, outbound: false };
        let shapes = [&T::SHAPE, &Resp::SHAPE];
        self.stream(info, streams, shapes, move |cx, _, pipe, reply| {
            let items = Inbound::new(Arc::clone(pipe), reply.inbound(), None);
            reply.later(Box::pin(Run::new(run(cx, items))));
        });
    }

    /// A method that takes a stream and answers with one.
    pub fn both<T, U, F, Fut>(&mut self, info: &'static MethodInfo, run: F)
    where
        T: Take + Send + 'static,
        U: Put + Send + 'static,
        F: Fn(Cx, Inbound<T>, Outbound<U>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = (Cx, Result<(), Status>)> + Send + 'static,
    {
        let streams = Streams { inbound: true, outbound: true };
        let shapes = [&T::SHAPE, &U::SHAPE];
        self.stream(info, streams, shapes, move |cx, _, pipe, reply| {
            let items = Inbound::new(Arc::clone(pipe), reply.inbound(), None);
            let out = Outbound::new(Arc::clone(pipe), reply.codec());
            reply.later(Pumping::boxed(run(cx, items, out)));
        });
    }

    fn stream<F>(
        &mut self,
        info: &'static MethodInfo,
        streams: Streams,
        shapes: [&'static Shape; 2],
        open: F,
    ) where
        F: Fn(Cx, Body, &Arc<Pipe>, Reply<'_>) + Send + Sync + 'static,
    {
        self.add(info, shapes, Streaming { streams, open });
    }
}

struct Streaming<F> {
    streams: Streams,
    open: F,
}

impl<F> Method for Streaming<F>
where
    F: Fn(Cx, Body, &Arc<Pipe>, Reply<'_>) + Send + Sync,
{
    fn start(&self, _: Cx, _: Body, _: bool, reply: Reply<'_>) -> Option<Ran> {
        // Whoever asks `streams` calls `open`.
        reply.fail(&Status::unimplemented("the method streams"), &[]);
        None
    }

    fn streams(&self) -> Streams {
        self.streams
    }

    fn open(&self, cx: Cx, body: Body, pipe: &Arc<Pipe>, reply: Reply<'_>) {
        match check_format(reply.codec().format) {
            Ok(()) => (self.open)(cx, body, pipe, reply),
            Err(status) => reply.fail(&status, &[]),
        }
    }
}

pin_project! {
    /// A handler whose items are being sent: it ends with an end, not with a value.
    struct Pumping<Fut> {
        #[pin]
        run: Run<Fut, (), Status>,
    }
}

impl<Fut> Pumping<Fut>
where
    Fut: Future<Output = (Cx, Result<(), Status>)> + Send + 'static,
{
    fn boxed(future: Fut) -> Pin<Box<dyn Running>> {
        Box::pin(Pumping { run: Run::new(future) })
    }
}

impl<Fut> Running for Pumping<Fut>
where
    Fut: Future<Output = (Cx, Result<(), Status>)> + Send,
{
    fn poll_run(self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<()> {
        self.project().run.poll_run(waker)
    }

    fn answer(self: Pin<&mut Self>, reply: Reply<'_>) {
        let Some((mut cx, result)) = self.project().run.take() else {
            return reply.fail(&panicked(), &[]);
        };
        let meta = cx.reply_meta.pairs();
        match result {
            Ok(()) => reply.end(meta),
            Err(status) => reply.fail(&status, meta),
        }
    }
}
