//! From a user's stream to the wire: one item at a time, and only while there is room.

use super::{Encoded, Pipe};
use farcall_core::{Bounds, Compress, Format, Put, Status};
use farcall_wire::format;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Items taken from a stream that always has one, before others are let run.
const BATCH: usize = 64;

/// How items are written.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    pub(crate) format: Format,
    pub(crate) compress: Compress,
    pub(crate) bounds: Bounds,
    pub(crate) message_bytes: usize,
    /// The status of an item that cannot be written: whose fault it is.
    pub(crate) fault: fn(String) -> Status,
}

impl Codec {
    fn encode<T: Put>(&self, item: &T) -> Result<Encoded, Status> {
        let Codec { format, compress, bounds, message_bytes, fault } = *self;
        let mut body = Vec::new();
        format::encode(format, item, bounds, &mut body)
            .map_err(|why| fault(format!("the {format} item cannot be written: {why}")))?;
        if body.len() > message_bytes {
            return Err(Status::resource_exhausted(format!(
                "the item has {} bytes; the limit is {message_bytes} (Limits::message_bytes)",
                body.len()
            )));
        }
        Ok(Encoded { format, compress, body })
    }
}

/// Bodies that need the types told before them cannot be written ahead of their turn.
pub(crate) fn check_format(format: Format) -> Result<(), Status> {
    match format {
        Format::Gob => Err(Status::unimplemented(
            "streams do not carry bodies in gob, which do not stand alone; use another format",
        )),
        _ => Ok(()),
    }
}

/// Where a method puts the items that it answers with. Made for it by the server.
pub struct Outbound<T> {
    pipe: Arc<Pipe>,
    codec: Codec,
    items: PhantomData<fn(T)>,
}

impl<T: Put> Outbound<T> {
    pub(crate) fn new(pipe: Arc<Pipe>, codec: Codec) -> Outbound<T> {
        Outbound { pipe, codec, items: PhantomData }
    }

    /// Sends what a stream gives, up to its end or its first error, which is the call's. The stream
    /// is asked only while the peer has room. Ready when all was sent.
    pub async fn pump<E: Into<Status>>(
        &mut self,
        stream: impl Stream<Item = Result<T, E>>,
    ) -> Result<(), Status> {
        check_format(self.codec.format)?;
        let mut stream = pin!(stream);
        let result = poll_fn(|cx| {
            let next = |cx: &mut Context<'_>| {
                stream.as_mut().poll_next(cx).map(|item| item.map(|item| item.map_err(Into::into)))
            };
            poll_pump(&self.pipe, &self.codec, cx, next)
        })
        .await;
        // What came before an error arrives before it.
        poll_fn(|cx| self.pipe.poll_drained(cx)).await;
        result
    }
}

impl<T> fmt::Debug for Outbound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbound")
    }
}

fn poll_pump<T: Put>(
    pipe: &Pipe,
    codec: &Codec,
    cx: &mut Context<'_>,
    mut next: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<T, Status>>>,
) -> Poll<Result<(), Status>> {
    for _ in 0..BATCH {
        if !ready!(pipe.poll_room(cx)) {
            return Poll::Ready(Err(Status::cancelled("the call is over")));
        }
        match next(cx) {
            Poll::Ready(Some(Ok(item))) => pipe.push(codec.encode(&item)?),
            Poll::Ready(Some(Err(status))) => return Poll::Ready(Err(status)),
            Poll::Ready(None) => return Poll::Ready(Ok(())),
            Poll::Pending if pipe.watch(cx) => {
                return Poll::Ready(Err(Status::cancelled("the call is over")));
            }
            Poll::Pending => return Poll::Pending,
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// A client's stream of items, its type erased.
pub(crate) trait Feed: Send {
    /// Sends what there is; ready when all is said, or nobody wants it.
    fn poll_feed(
        self: Pin<&mut Self>,
        pipe: &Pipe,
        codec: &Codec,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>>;
}

pin_project! {
    /// A client's stream of items.
    pub(crate) struct Items<S> {
        #[pin]
        pub(crate) stream: S,
    }
}

impl<S> Feed for Items<S>
where
    S: Stream + Send,
    S::Item: Put,
{
    fn poll_feed(
        self: Pin<&mut Self>,
        pipe: &Pipe,
        codec: &Codec,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        let mut stream = self.project().stream;
        poll_pump(pipe, codec, cx, |cx| stream.as_mut().poll_next(cx).map(|item| item.map(Ok)))
    }
}

/// The task that sends a client's items. Whatever becomes of it, the call does not wait for items
/// that will not come.
pub(crate) fn feed(
    pipe: Arc<Pipe>,
    codec: Codec,
    feed: Pin<Box<dyn Feed>>,
) -> impl Future<Output = ()> + Send {
    let mut feeding = Feeding { pipe, feed: Some(feed) };
    async move {
        let result = poll_fn(|cx| {
            let Some(feed) = &mut feeding.feed else { return Poll::Ready(Ok(())) };
            let poll = || feed.as_mut().poll_feed(&feeding.pipe, &codec, cx);
            catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|_| {
                Poll::Ready(Err(Status::internal("the stream of items panicked")))
            })
        })
        .await;
        // The stream is dropped before the end is told, for whoever waits for that.
        let feed = feeding.feed.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(feed)));
        match result {
            Ok(()) if dropped.is_ok() => feeding.pipe.end_output(),
            Ok(()) => feeding.pipe.fail(Status::internal("the stream of items panicked")),
            Err(status) => feeding.pipe.fail(status),
        }
    }
}

struct Feeding {
    pipe: Arc<Pipe>,
    feed: Option<Pin<Box<dyn Feed>>>,
}

impl Drop for Feeding {
    fn drop(&mut self) {
        if self.feed.is_some() {
            let text = "the runtime that the stream of items ran on has ended";
            self.pipe.fail(Status::cancelled(text));
        }
    }
}
