//! The two ends of a streaming call, as users hold them: [`Inbound`], a stream of items that come,
//! and [`Outbound`], where items go that are sent.

mod pipe;
mod pump;

pub(crate) use pipe::{Allowed, Encoded, End, Home, Pipe, wrong_shape};
pub use pump::Outbound;
pub(crate) use pump::{Codec, Feed, Items, check_format, feed};

use farcall_core::{Body, Bounds, Meta, Sent, Status, Take};
use farcall_wire::{Item, compress, format};
use futures_core::Stream;
use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// The items of a stream as they come: what a client gets, and what a method that takes a stream is
/// given.
///
/// Either [`next`](Inbound::next) or the [`Stream`] it is. An error is the last there is: the
/// peer's status, the deadline, the loss of the connection, or an item that cannot be read.
/// Whoever lags behind stops the sender, and nobody else. On a client, dropping it gives the call
/// up; in a handler, it throws away what still comes.
pub struct Inbound<T> {
    pipe: Arc<Pipe>,
    rules: Rules,
    /// What must live as long as the stream does: a client's connection.
    keep: Option<Arc<dyn Keep>>,
    meta: Meta,
    over: bool,
    items: PhantomData<fn() -> T>,
}

/// How items are read.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) bounds: Bounds,
    pub(crate) unfolded_bytes: usize,
    /// Taken items are made known when they come to this many bytes.
    pub(crate) spare: usize,
    /// Where the peer is, for statuses: a client's.
    pub(crate) place: Option<Arc<str>>,
}

/// What lives as long as a stream does, and may want to know how that ended.
pub(crate) trait Keep: Send + Sync {
    /// The stream is over.
    fn over(&self, how: Result<(), &Status>) {
        let _ = how;
    }
}

impl<T> Inbound<T> {
    pub(crate) fn new(pipe: Arc<Pipe>, rules: Rules, keep: Option<Arc<dyn Keep>>) -> Inbound<T> {
        Inbound { pipe, rules, keep, meta: Meta::default(), over: false, items: PhantomData }
    }

    /// The metadata that came with the end of the stream; empty before, and where there was none.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }
}

impl<T: Take> Inbound<T> {
    /// The next item; none when there are no more. After an error there are none. A call of it that
    /// is dropped has lost no item.
    pub async fn next(&mut self) -> Option<Result<T, Status>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        // A reader for whom there is always something lets others run, as with every channel.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let item = ready!(self.pipe.poll_item(cx, self.rules.spare));
        coop.made_progress();
        Poll::Ready(match item {
            Some(item) => {
                let read = self.decode(item);
                if let Err(status) = &read {
                    self.keep.take().into_iter().for_each(|keep| keep.over(Err(status)));
                    self.close();
                }
                Some(read)
            }
            None => {
                self.over = true;
                let end = self.pipe.take_end().map_err(|status| self.placed(status));
                if let Some(keep) = self.keep.take() {
                    keep.over(end.as_ref().map(drop));
                }
                match end {
                    Ok(meta) => {
                        self.meta = meta.unwrap_or_default();
                        None
                    }
                    Err(status) => Some(Err(status)),
                }
            }
        })
    }

    fn decode(&self, item: Item) -> Result<T, Status> {
        let Item { format, compress, body: Body { bytes, lent }, .. } = item;
        let bytes = compress::unfold(compress, bytes, self.rules.unfolded_bytes)
            .map_err(|e| self.unreadable(&e))?;
        format::decode(format, &bytes, lent.as_ref(), self.rules.bounds).map_err(|fault| {
            self.unreadable(&format_args!("the {format} item cannot be read: {fault}"))
        })
    }

    #[cold]
    fn unreadable(&self, why: &dyn fmt::Display) -> Status {
        match self.rules.place {
            Some(_) => self.placed(Status::internal(why.to_string()).with_sent(Sent::Yes)),
            None => Status::invalid_argument(why.to_string()),
        }
    }
}

impl<T> Inbound<T> {
    fn close(&mut self) {
        self.over = true;
        self.pipe.leave();
        self.keep = None;
    }

    fn placed(&self, status: Status) -> Status {
        match &self.rules.place {
            Some(place) if place.is_empty() => status.with_attempts(1),
            Some(place) => status.with_peer(place).with_attempts(1),
            None => status,
        }
    }
}

impl<T: Take> Stream for Inbound<T> {
    type Item = Result<T, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

// No item is held while it is made.
impl<T> Unpin for Inbound<T> {}

impl<T> Drop for Inbound<T> {
    fn drop(&mut self) {
        if !self.over {
            self.close();
        }
    }
}

impl<T> fmt::Debug for Inbound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.over { "Inbound(over)" } else { "Inbound" })
    }
}

/// A stream of what an iterator gives, at once: for tests and short lists.
pub fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter(items.into_iter())
}

/// What [`iter`] makes.
#[derive(Clone, Debug)]
pub struct Iter<I>(I);

impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.get_mut().0.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
