//! Calls that stream: builders and futures as every other call, and a task for the items that a
//! caller sends.

use super::{
    Client,
    call::{Raw, Stage, To},
    hooked::{Ending, Kept, Run, given, reply},
    link::{Link, Started},
};
use crate::{
    answer::Given,
    server::MethodInfo,
    stream::{Codec, Feed, Inbound, Items, Keep, Pipe, Rules, check_format, feed},
    target::Address,
};
use farcall_core::{Compress, Format, Put, Status, Streams, Take};
use farcall_wire::{CallHead, Reply};
use futures_core::Stream;
use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

/// A call that is answered with a stream: set options, then await it. It is ready when the call is
/// on its way; what becomes of it comes out of the [`Inbound`], failures included. There is no
/// deadline unless one is given; it is that of the whole stream.
///
/// ```ignore
/// let mut lines = room.history(since).deadline(Duration::from_secs(60)).await?;
/// while let Some(line) = lines.next().await {
///     println!("{}", line?.text);
/// }
/// ```
#[must_use = "a call does nothing unless it is awaited"]
pub struct StreamCall<Req, Resp> {
    raw: Raw<Req>,
    opening: Opening,
    response: PhantomData<fn() -> Resp>,
}

/// A call whose argument is a stream, answered with one result: set options, then await it. There
/// is no deadline unless one is given. Dropping it gives the call up, and drops the stream.
#[must_use = "a call does nothing unless it is awaited"]
pub struct Upload<Resp> {
    raw: Raw<()>,
    opening: Opening,
    response: PhantomData<fn() -> Resp>,
}

/// A stream that has begun, and whoever is told of its end.
type Begun = (Arc<Pipe>, Option<Ending>);

/// What a call that streams brings along.
pub(super) struct Opening {
    pub(super) streams: Streams,
    /// Once it is first tried.
    pub(super) pipe: Option<Arc<Pipe>>,
    items: Option<Pin<Box<dyn Feed>>>,
}

impl Opening {
    fn new(outbound: bool, items: Option<Pin<Box<dyn Feed>>>) -> Opening {
        let streams = Streams { inbound: items.is_some(), outbound };
        Opening { streams, pipe: None, items }
    }

    /// Whether the protocol carries it.
    pub(super) fn check(&self, link: &Link, head: &CallHead<'_>) -> Result<(), Status> {
        if !link.streaming {
            return Err(Status::unimplemented(format!(
                "{}.{} streams, and {} does not carry streams",
                head.service,
                head.method,
                link.target.protocol.name()
            )));
        }
        check_format(head.format)
    }

    /// One try to get the call on its way; then the items follow by themselves.
    fn start<Req: Put>(
        &mut self,
        raw: &mut Raw<Req>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Arc<Pipe>, Status>> {
        // The pipe belongs to the connection that the call goes to.
        match raw.board(cx) {
            Ok(true) => {}
            Ok(false) => return Poll::Pending,
            Err(status) => return Poll::Ready(Err(raw.end(status))),
        }
        if self.pipe.is_none() {
            let link: Weak<Link> = Arc::downgrade(&raw.client.handle.link);
            self.pipe = Some(Pipe::new(link, true));
        }
        let Some(pipe) = self.pipe.clone() else { return Poll::Pending };
        match raw.start(cx, Some(self)) {
            Ok(Started::Queued(_) | Started::InLine | Started::Hooked) => return Poll::Pending,
            Ok(_) => raw.stage = Stage::Over,
            Err(status) => return Poll::Ready(Err(raw.end(status))),
        }
        if let Some(items) = self.items.take() {
            let link = raw.client.link();
            let codec = Codec {
                format: raw.client.defaults.format,
                compress: raw.client.defaults.compress,
                bounds: link.bounds,
                message_bytes: link.limits.message_bytes,
                fault: Status::invalid_argument,
            };
            // The call was written, so its driver was started: there is a runtime, or there was.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(feed(Arc::clone(&pipe), codec, items))),
                Err(_) => pipe.fail(Status::failed_precondition(
                    "a call that streams was polled outside a tokio runtime",
                )),
            }
        }
        Poll::Ready(Ok(pipe))
    }
}

impl Opening {
    /// The one result of a call that is not answered with a stream.
    fn poll_answer(
        &mut self,
        raw: &mut Raw<()>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reply, Status>> {
        let pipe = match &self.pipe {
            Some(pipe) if matches!(raw.stage, Stage::Over) => Arc::clone(pipe),
            _ => ready!(self.start(raw, cx))?,
        };
        let answer = ready!(pipe.poll_answer(cx));
        self.pipe = None;
        Poll::Ready(answer.map_err(|status| raw.end(status)))
    }

    /// The stream of a call that hooks are around, and whoever is told of its end.
    #[cold]
    fn start_hooked<Req: Put>(
        &mut self,
        raw: &mut Raw<Req>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Begun, Status>> {
        let streams = self.streams;
        let run: Run<'_, Req> =
            &mut |raw, cx| self.start(raw, cx).map(|begun| begun.map(|_| Given::Items));
        let (ending, result) = ready!(raw.poll_around(streams, cx, run));
        let result = match (result, &self.pipe) {
            (Ok(Given::Items), Some(pipe)) => return Poll::Ready(Ok((Arc::clone(pipe), ending))),
            (Ok(_), _) => Err(Status::internal("a stream was answered with one result")),
            (Err(status), _) => Err(status),
        };
        if let (Err(status), Some(ending)) = (&result, &ending) {
            ending.told(Err(status));
        }
        Poll::Ready(result)
    }
}

macro_rules! options {
    ($call:ident<$($parameter:ident),*>) => {
        impl<$($parameter),*> $call<$($parameter),*> {
            /// Gives the whole stream this long; the server is told. Default: no deadline.
            pub fn deadline(mut self, time: Duration) -> Self {
                self.raw.client.defaults.timeout = Some(time);
                self
            }

            /// Sends metadata along.
            pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
                self.raw.own_meta().push((key.into(), value.into()));
                self
            }

            /// Encodes argument and items this way.
            pub fn format(mut self, format: Format) -> Self {
                self.raw.client.defaults.format = format;
                self
            }

            /// Compresses argument and items this way, where it is worth it.
            pub fn compress(mut self, compress: Compress) -> Self {
                self.raw.client.defaults.compress = compress;
                self
            }
        }

        // Nothing in a call is pinned: the request is only read, a stream has a box of its own.
        impl<$($parameter),*> Unpin for $call<$($parameter),*> {}

        impl<$($parameter),*> fmt::Debug for $call<$($parameter),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($call))
            }
        }
    };
}
options!(StreamCall<Req, Resp>);
options!(Upload<Resp>);

impl<Req: Put, Resp: Take> Future for StreamCall<Req, Resp> {
    type Output = Result<Inbound<Resp>, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let StreamCall { raw, opening, .. } = self.get_mut();
        let (pipe, ending) = match raw.is_hooked() {
            true => ready!(opening.start_hooked(raw, cx))?,
            false => (ready!(opening.start(raw, cx))?, None),
        };
        let Link { limits, bounds, target, .. } = raw.client.link();
        let place = match &target.address {
            Address::Given => Arc::from(""),
            address => Arc::from(address.to_string()),
        };
        let rules = Rules {
            bounds: *bounds,
            unfolded_bytes: limits.unfolded_bytes,
            spare: limits.stream_bytes / 4,
            place: Some(place),
        };
        let handle = raw.client.handle.clone();
        let keep: Arc<dyn Keep> = match ending {
            Some(ending) => Arc::new(Kept { ending, handle }),
            None => handle,
        };
        Poll::Ready(Ok(Inbound::new(pipe, rules, Some(keep))))
    }
}

impl<Resp: Take> Future for Upload<Resp> {
    type Output = Result<Resp, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Upload { raw, opening, .. } = self.get_mut();
        if raw.is_hooked() {
            let streams = opening.streams;
            let run: Run<'_, ()> = &mut |raw, cx| {
                let answer = ready!(opening.poll_answer(raw, cx));
                Poll::Ready(answer.map(|reply| given(reply, raw.client.link())))
            };
            return raw.poll_hooked(streams, cx, run, |raw, given| raw.decode(reply(given)?));
        }
        opening.poll_answer(raw, cx).map(|answer| raw.decode(answer?))
    }
}

impl<Resp> Drop for Upload<Resp> {
    fn drop(&mut self) {
        if let Some(pipe) = &self.opening.pipe {
            pipe.leave();
        }
    }
}

impl Client {
    /// Calls a method of a `#[service]` that answers with a stream.
    pub fn method_stream<Req, Resp>(
        &self,
        info: &'static MethodInfo,
        request: Req,
    ) -> StreamCall<Req, Resp> {
        self.streaming(info, request, None)
    }

    /// Calls a method of a `#[service]` that takes a stream and answers with one.
    pub fn method_talk<S, Resp>(&self, info: &'static MethodInfo, items: S) -> StreamCall<(), Resp>
    where
        S: Stream + Send + 'static,
        S::Item: Put,
    {
        self.streaming(info, (), Some(Box::pin(Items { stream: items })))
    }

    /// Calls a method of a `#[service]` that takes a stream and answers with one result.
    pub fn method_upload<S, Resp>(&self, info: &'static MethodInfo, items: S) -> Upload<Resp>
    where
        S: Stream + Send + 'static,
        S::Item: Put,
    {
        let StreamCall { raw, opening, .. } =
            self.streaming::<(), Resp>(info, (), Some(Box::pin(Items { stream: items })));
        let opening =
            Opening { streams: Streams { outbound: false, ..opening.streams }, ..opening };
        Upload { raw, opening, response: PhantomData }
    }

    fn streaming<Req, Resp>(
        &self,
        info: &'static MethodInfo,
        request: Req,
        items: Option<Pin<Box<dyn Feed>>>,
    ) -> StreamCall<Req, Resp> {
        let mut client = self.clone();
        client.defaults.timeout = None;
        let raw = Raw::new(client, To::Static(info), request);
        StreamCall { raw, opening: Opening::new(true, items), response: PhantomData }
    }
}
