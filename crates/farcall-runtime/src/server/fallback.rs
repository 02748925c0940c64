//! Calls of methods that do not exist, for whoever takes them: a proxy.

use super::{
    Cx, Running, Server,
    cx::More,
    method::{Method, Ran, Run},
    reply::{Reply, panicked},
    router::Entry,
};
use bytes::Bytes;
use farcall_core::{Body, Bounds, Format, Status, Streams, Value};
use farcall_wire::format;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll, Waker},
};

impl Server {
    /// Gives the calls of methods that do not exist to an async function, with their bodies as
    /// they came, unfolded and not decoded. [`Cx::service`] and [`Cx::method`] say what was called,
    /// [`Cx::format`] how the body is encoded; the answer must be in the same format. With
    /// [`Client::call_raw`](crate::Client::call_raw) it is a proxy:
    ///
    /// ```ignore
    /// Server::new().fallback(move |cx, body| {
    ///     let name = format!("{}.{}", cx.service(), cx.method());
    ///     let call = client.call_raw(name, body).format(cx.format());
    ///     async move { call.await }
    /// })
    /// ```
    ///
    /// It serves every protocol whose bodies stand alone, and passes the gate as all calls; over
    /// net/rpc, whose gob leans on what its connection has said before, such calls fail and say so.
    /// Over JSON-RPC the body is the `params`, as they came. Without a body, calls over HTTP bring
    /// `null`. Status and metadata of the answer are the function's: a status that another server
    /// gave crosses the wire as `Internal`, like that of every handler.
    ///
    /// The last one that was added holds.
    #[must_use]
    pub fn fallback<F, Fut>(mut self, run: F) -> Server
    where
        F: Fn(Arc<Cx>, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes, Status>> + Send + 'static,
    {
        self.fallback = Some(Entry {
            service: String::new(),
            name: String::new(),
            streams: Streams::default(),
            method: Box::new(Fallback { run }),
            shapes: [None; 2],
            calls: AtomicU64::new(0),
        });
        self
    }
}

impl Cx {
    /// How the body is encoded that a [`fallback`](Server::fallback) is given; `Raw` for all other
    /// calls, whose bodies are decoded before anybody is asked.
    pub fn format(&self) -> Format {
        self.more.as_ref().map_or(Format::Raw, |more| more.format)
    }

    /// The same call, for who must own it while somebody else still looks at it.
    fn copy(&self) -> Cx {
        let more = self.unknown().map(|names| Box::new(More::unknown(names.clone())));
        let (conn, meta) = (Arc::clone(&self.conn), self.meta.clone());
        let (to, deadline, reply_meta) = (self.to, self.deadline, self.reply_meta.clone());
        Cx { conn, to, meta, deadline, reply_meta, more }
    }
}

struct Fallback<F> {
    run: F,
}

impl<F, Fut> Method for Fallback<F>
where
    F: Fn(Arc<Cx>, Bytes) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Bytes, Status>> + Send + 'static,
{
    fn start(&self, mut cx: Cx, body: Body, spawn: bool, reply: Reply<'_>) -> Option<Ran> {
        let format = reply.format();
        let names = cx.unknown().cloned().unwrap_or_default();
        if format == Format::Gob {
            let text = format!(
                "{}.{} does not exist, and what takes such calls takes no gob",
                names.0, names.1
            );
            reply.fail_as((&names.0, &names.1), &Status::unimplemented(text), &[]);
            return None;
        }
        let body = match reply.unfold(body) {
            Ok(body) => body,
            Err(status) => {
                reply.fail_as((&names.0, &names.1), &status, &[]);
                return None;
            }
        };
        cx.more.get_or_insert_default().format = format;
        let cx = Arc::new(cx);
        // In the first poll, where a panic is caught.
        let running = std::panic::AssertUnwindSafe(|| (self.run)(Arc::clone(&cx), body));
        let Ok(running) = std::panic::catch_unwind(running) else {
            reply.fail_as((&names.0, &names.1), &panicked(), &[]);
            return None;
        };
        let future = async move {
            let result = running.await;
            (Arc::try_unwrap(cx).unwrap_or_else(|cx| cx.copy()), result)
        };
        let mut run = Box::pin(Passing { run: Run::new(future), format });
        if spawn {
            reply.later(run);
            return None;
        }
        let began = tokio::time::Instant::now();
        let first = &mut Context::from_waker(Waker::noop());
        let ready = run.as_mut().poll_run(first).is_ready();
        let ran = Ran::since(began);
        match ready {
            true => run.as_mut().answer(reply),
            false => reply.later(run),
        }
        ran
    }
}

pin_project! {
    /// A call that somebody else may be answering.
    struct Passing<Fut> {
        #[pin]
        run: Run<Fut, Bytes, Status>,
        format: Format,
    }
}

impl<Fut> Running for Passing<Fut>
where
    Fut: Future<Output = (Cx, Result<Bytes, Status>)> + Send,
{
    fn poll_run(self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<()> {
        self.project().run.poll_run(waker)
    }

    fn answer(self: Pin<&mut Self>, reply: Reply<'_>) {
        let format = self.format;
        let Some((mut cx, result)) = self.project().run.take() else {
            return reply.fail(&panicked(), &[]);
        };
        let mut back = std::mem::take(&mut cx.reply_meta);
        let (names, meta) = ((cx.service(), cx.method()), back.pairs());
        match result.and_then(|body| fit(format, cx.protocol(), body)) {
            Ok(body) => reply.raw(names, &body, meta),
            Err(status) => reply.fail_as(names, &status, meta),
        }
    }
}

/// Texts become part of a larger one over JSON-RPC, posted or not: what is no JSON must not.
fn fit(format: Format, protocol: &str, body: Bytes) -> Result<Bytes, Status> {
    if format == Format::Json && protocol != "rpcx" {
        format::decode::<Value>(format, &body, None, Bounds::default())
            .map_err(|fault| Status::internal(format!("the answer is not JSON: {fault}")))?;
    }
    Ok(body)
}
