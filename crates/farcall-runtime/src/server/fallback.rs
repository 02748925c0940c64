//! Calls whose bodies nobody decodes: of methods that do not exist, for whoever takes them (a
//! proxy), and of methods that want bytes.

use super::{
    Cx, Running, Server,
    cx::More,
    method::{Method, Ran, Run},
    reply::{Reply, panicked},
    router::Entry,
};
use bytes::Bytes;
use farcall_core::{Body, Bounds, Format, Put, Status, Str, Streams, Take, Value};
use farcall_wire::{Codec, format};
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
        self.fallback = Some(entry(String::new(), String::new(), run));
        self
    }

    /// Adds one method that is given its calls' bodies as they came, unfolded and not decoded: what
    /// rpcx-go calls a handler (`AddHandler`). Metadata, names and the body's format are the
    /// context's, and the answer must be in the same format; everything else is as with a
    /// [`fallback`](Server::fallback).
    ///
    /// ```ignore
    /// Server::new().handle("Echo", "Back", |cx, body| async move {
    ///     println!("{} bytes of {}", body.len(), cx.format());
    ///     let args: Args = cx.decode(&body)?;
    ///     cx.encode(&args)
    /// })
    /// ```
    #[must_use]
    pub fn handle<F, Fut>(
        mut self,
        service: impl Into<String>,
        method: impl Into<String>,
        run: F,
    ) -> Server
    where
        F: Fn(Arc<Cx>, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes, Status>> + Send + 'static,
    {
        self.entries.push(entry(service.into(), method.into(), run));
        self
    }
}

fn entry<F, Fut>(service: String, name: String, run: F) -> Entry
where
    F: Fn(Arc<Cx>, Bytes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Bytes, Status>> + Send + 'static,
{
    let (streams, calls) = (Streams::default(), AtomicU64::new(0));
    Entry { service, name, streams, method: Box::new(Undecoded { run }), shapes: [None; 2], calls }
}

impl Cx {
    /// How the body is encoded that a [`fallback`](Server::fallback) or a
    /// [`handle`](Server::handle) is given; `Raw` for all other calls, whose bodies are decoded
    /// before anybody is asked.
    pub fn format(&self) -> Format {
        self.more.as_ref().map_or(Format::Raw, |more| more.format)
    }

    /// Reads a body in the call's [`format`](Cx::format), those that the server was given included
    /// ([`Server::codec`]). What cannot be read is `InvalidArgument`.
    pub fn decode<T: Take>(&self, body: &Bytes) -> Result<T, Status> {
        let (format, bounds) = (self.format(), self.conn.router.bounds);
        let read = match self.codec(format) {
            Some(codec) => codec.take(body, bounds),
            None => format::decode(format, body, None, bounds),
        };
        read.map_err(|fault| {
            Status::invalid_argument(format!("the {format} argument cannot be read: {fault}"))
        })
    }

    /// Writes a value in the call's [`format`](Cx::format). What cannot be written is `Internal`.
    pub fn encode<T: Put + ?Sized>(&self, value: &T) -> Result<Bytes, Status> {
        let (format, bounds, mut out) = (self.format(), self.conn.router.bounds, Vec::new());
        let written = match self.codec(format) {
            Some(codec) => codec.put(value, bounds, &mut out),
            None => format::encode(format, value, bounds, &mut out),
        };
        match written {
            Ok(()) => Ok(out.into()),
            Err(fault) => Err(Status::internal(format!("the reply cannot be written: {fault}"))),
        }
    }

    fn codec(&self, format: Format) -> Option<&dyn Codec> {
        self.conn.router.known.as_ref()?.codec(format)
    }

    /// The same call, for who must own it while somebody else still looks at it.
    fn copy(&self) -> Cx {
        let more = self.unknown().map(|names| Box::new(More::unknown(names.clone())));
        let (conn, meta) = (Arc::clone(&self.conn), self.meta.clone());
        let (to, deadline, reply_meta) = (self.to, self.deadline, self.reply_meta.clone());
        Cx { conn, to, meta, deadline, reply_meta, more }
    }
}

struct Undecoded<F> {
    run: F,
}

impl<F, Fut> Method for Undecoded<F>
where
    F: Fn(Arc<Cx>, Bytes) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Bytes, Status>> + Send + 'static,
{
    fn start(&self, mut cx: Cx, body: Body, spawn: bool, reply: Reply<'_>) -> Option<Ran> {
        let format = reply.format();
        let names = (Str::from(cx.service()), Str::from(cx.method()));
        if format == Format::Gob {
            let text = format!(
                "what takes the calls of {}.{} takes bytes, and gob's do not stand alone",
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
