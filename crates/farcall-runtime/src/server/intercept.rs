//! Interceptors of a server: async functions around the handler, which see argument and answer,
//! may refuse, and may answer in its place.
//!
//! A handler below an interceptor answers into memory (`Into`), by the same `Reply` as every other;
//! what it said is then said again on the connection. A server without interceptors has nothing of
//! this: calls come here through the gate only.

use super::{
    Cx, Server,
    method::Running,
    reply::{Reply, Rules, panicked},
};
use crate::{
    answer::{Answer, Answering, Around, Encoded, Given, Reading},
    stream::Pipe,
};
use bytes::{Bytes, BytesMut};
use farcall_core::{
    Body, Compress, Format, Meta, Put, Routes, Shape, Status, Str, Streams, Take, Ticket,
};
use farcall_wire::{Broken, Codec, Control, Event, Fed, Head, Mark, Out, Wire, compress::Unfold};
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tokio::task::coop::unconstrained;

impl Server {
    /// Adds an async function around the handlers of all calls, on every protocol: it is given the
    /// call once it may be served, and [`run`](Incoming::run)s it, or does not. Interceptors run in
    /// the order in which they were added, each around all that come after.
    ///
    /// It is asked once for each call of a method that exists, or that the
    /// [`fallback`](Server::fallback) takes: not for what a plugin refused, what came too late, and
    /// pages. One that panics has failed the call. When the call's deadline passes, or its
    /// connection is lost, it is dropped as the handler is.
    ///
    /// ```ignore
    /// Server::new().intercept(|call: Incoming| async move {
    ///     let name = call.cx().method().to_owned();
    ///     let answer = call.run().await;
    ///     println!("{name}: {answer:?}");
    ///     answer
    /// })
    /// ```
    #[must_use]
    pub fn intercept<F, Fut>(mut self, around: F) -> Server
    where
        F: Fn(Incoming) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.around.push(Box::new(move |call| Box::pin(around(call))));
        self
    }
}

/// A call that came, in the hands of an interceptor: see [`Server::intercept`].
pub struct Incoming {
    cx: Cx,
    body: Body,
    rest: Rest,
}

/// What is still to be done for the call.
#[derive(Clone)]
struct Rest {
    around: Arc<Vec<Around<Incoming>>>,
    /// How many interceptors have it already.
    at: usize,
    ticket: Ticket,
    rules: Rules,
    reading: Reading,
    spawn: bool,
    pipe: Option<Arc<Pipe>>,
    streams: Streams,
}

/// What a server knows beside the call.
pub(crate) struct Setting {
    pub(crate) around: Arc<Vec<Around<Incoming>>>,
    pub(crate) rules: Rules,
    pub(crate) reading: Reading,
    pub(crate) spawn: bool,
}

impl Incoming {
    /// What is known of the call; its metadata for the answer may be set there.
    pub fn cx(&self) -> &Cx {
        &self.cx
    }

    /// Whether no answer is wanted.
    pub fn oneway(&self) -> bool {
        self.rest.ticket.oneway
    }

    /// Which sides are streams. Items are not shown to interceptors.
    pub fn streams(&self) -> Streams {
        self.rest.streams
    }

    /// How the body is encoded.
    pub fn format(&self) -> Format {
        self.rest.ticket.format
    }

    /// The argument as it came, unfolded.
    ///
    /// # Errors
    /// `InvalidArgument` where it cannot be unfolded.
    pub fn body(&self) -> Result<Bytes, Status> {
        self.rest.reading.plain(self.rest.ticket.compress, &self.body.bytes)
    }

    /// The argument, decoded: [`Value`](farcall_core::Value) or the method's own type. The handler
    /// decodes it once more for itself.
    ///
    /// # Errors
    /// `InvalidArgument` where it is not of that type.
    pub fn argument<T: Take>(&self) -> Result<T, Status> {
        let Ticket { format, compress, .. } = self.rest.ticket;
        self.rest.reading.decode(format, compress, &self.body)
    }

    /// Answers in the handler's place.
    pub fn answer<T: Put>(mut self, value: &T) -> Answer {
        let Rest { ticket, reading, streams, .. } = self.rest;
        if streams.outbound {
            return Status::internal("a stream was answered with one result").into();
        }
        let body = match reading.encode(ticket.format, value) {
            Ok(body) => body,
            Err(fault) => {
                return Status::internal(format!("the reply cannot be written: {fault}")).into();
            }
        };
        let set = self.cx.reply_meta.pairs().to_vec();
        let (body, shape) = (Body::from(body), Some(&T::SHAPE));
        value_of(ticket.format, body, set, shape, reading)
    }

    /// Runs the next interceptor, and at last the handler. Metadata that was set before goes back
    /// with the answer.
    pub async fn run(mut self) -> Answer {
        self.rest.at += 1;
        let around = Arc::clone(&self.rest.around);
        match around.get(self.rest.at - 1) {
            Some(next) => next(self).await,
            None => self.handle().await,
        }
    }

    /// Runs the handler, and reads off what it answers.
    async fn handle(self) -> Answer {
        let Incoming { cx, body, rest } = self;
        let router = Arc::clone(&cx.conn.router);
        let entry = router.entry(cx.to);
        // An answer that nobody wants is written all the same, for those who look at it here.
        let ticket = Ticket { oneway: false, ..rest.ticket };
        let mut wire = Into { reading: rest.reading, answer: None };
        let (mut out, mut later) = (Out::new(), None);
        let rules = Rules { as_they_are: true, ..rest.rules };
        let reply = Reply::new(&mut wire, &mut out, &ticket, entry, &rules, &mut later);
        match &rest.pipe {
            Some(pipe) => entry.method.open(cx, body, pipe, reply),
            None => drop(entry.method.start(cx, body, rest.spawn, reply)),
        }
        if let Some(mut run) = later {
            poll_fn(|cx| run.as_mut().poll_run(cx)).await;
            let mut none = None;
            let reply = Reply::new(&mut wire, &mut out, &ticket, entry, &rules, &mut none);
            run.as_mut().answer(reply);
        }
        wire.answer.unwrap_or_else(|| panicked().into())
    }
}

fn value_of(
    format: Format,
    body: Body,
    set: Vec<(String, String)>,
    shape: Option<&'static Shape>,
    reading: Reading,
) -> Answer {
    let (compress, meta) = (Compress::None, Meta::default());
    let given = Encoded { format, compress, body, meta, shape, reading };
    Answer { outcome: Ok(Given::Value(Box::new(given))), set }
}

fn failed(status: &Status, set: &[(String, String)]) -> Answer {
    Answer { outcome: Err(status.clone()), set: set.to_vec() }
}

/// A wire that leads nowhere: it keeps what it is told to write.
struct Into {
    reading: Reading,
    answer: Option<Answer>,
}

impl Wire for Into {
    fn feed(
        &mut self,
        _: &mut BytesMut,
        _: &mut Out,
        _: &dyn Routes,
        _: &mut Vec<Event>,
        _: usize,
    ) -> Result<Fed, Broken> {
        Ok(Fed::Hungry { need: 0 })
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let at = out.tail().len();
        self.answer = Some(match head {
            Head::Reply(head) => match head.error {
                Some(status) => failed(status, head.meta),
                None => value_of(
                    head.ticket.format,
                    Body::default(),
                    head.meta.to_vec(),
                    head.shape,
                    self.reading.clone(),
                ),
            },
            Head::End(head) => match head.error {
                Some(status) => failed(status, head.meta),
                None => Answer { outcome: Ok(Given::Items), set: head.meta.to_vec() },
            },
            _ => Status::internal("an interceptor cannot pass this on").into(),
        });
        Mark { frame: at, body: at, compress: Compress::None }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        if let Some(Answer { outcome: Ok(Given::Value(given)), .. }) = &mut self.answer {
            given.body = Bytes::copy_from_slice(&out.tail()[mark.body..]).into();
        }
        out.tail().truncate(mark.frame);
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        out.tail().truncate(mark.frame);
        self.answer = None;
    }

    fn control(&mut self, _: Control, _: &mut Out) {}

    fn codec(&self, format: Format) -> Option<&dyn Codec> {
        self.reading.codec(format)
    }

    fn unfold(&self, compress: Compress, body: Bytes, limit: usize) -> Result<Bytes, Unfold> {
        match &self.reading.known {
            Some(known) => known.compressors.unfold(compress, &body, limit),
            None => Err(Unfold::Unknown(compress)),
        }
    }
}

/// A call whose handler has interceptors around it, as a handler.
pub(crate) struct Intercepted {
    future: Option<Answering>,
    done: Option<Answer>,
    /// What was called.
    names: (Str, Str),
}

impl Intercepted {
    pub(crate) fn new(
        setting: Setting,
        ticket: &Ticket,
        cx: Cx,
        body: Body,
        pipe: Option<Arc<Pipe>>,
    ) -> Intercepted {
        let Setting { around, rules, reading, spawn } = setting;
        let names = (cx.service().into(), cx.method().into());
        let streams = cx.conn.router.entry(cx.to).streams;
        let ticket = *ticket;
        let rest = Rest { around, at: 0, ticket, rules, reading, spawn, pipe, streams };
        let call = Incoming { cx, body, rest };
        Intercepted { future: Some(Box::pin(call.run())), done: None, names }
    }

    /// The first poll, where the bytes arrived: whether it is done.
    pub(crate) fn begin(&mut self) -> bool {
        Pin::new(self).poll_run(&mut Context::from_waker(Waker::noop())).is_ready()
    }
}

impl Running for Intercepted {
    fn poll_run(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let poll = AssertUnwindSafe(|| pin!(unconstrained(future.as_mut())).poll(cx));
        let answer = match catch_unwind(poll) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(answer)) => Some(answer),
            Err(_) => None,
        };
        let future = self.future.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        self.done = answer.filter(|_| dropped.is_ok());
        Poll::Ready(())
    }

    fn answer(mut self: Pin<&mut Self>, reply: Reply<'_>) {
        let answer = self.done.take().unwrap_or_else(|| panicked().into());
        let (names, set) = ((&*self.names.0, &*self.names.1), answer.set);
        match answer.outcome {
            Ok(Given::Value(given)) => {
                reply.encoded(names, &given.body.bytes, &set, given.shape);
            }
            Ok(Given::Items) => reply.end(&set),
            Ok(Given::Nothing) => reply.encoded(names, &[], &set, None),
            Err(status) => reply.fail_as(names, &status, &set),
        }
    }
}
