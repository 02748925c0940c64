//! A server that says goodbye: calls that come now go to another connection, and those that are on
//! this one get their answers.
//!
//! When all that was appended is written, the driver lets go of the connection and is free to open
//! the next. A task of its own reads what the old one still brings. Both complete calls in the same
//! slots: numbers are never shared, and each connection has its part of the output's positions, by
//! which its calls are told when it breaks.
//!
//! Over a protocol with streams the connection is not let go of: what runs is waited for first.

use super::{
    driver::READ_BYTES,
    link::Link,
    plugin::Opened,
    state::{Phase, State, expired},
};
use crate::{
    clock::Alarm,
    net::{ReadHalf, WriteHalf},
};
use bytes::BytesMut;
use farcall_core::Status;
use farcall_wire::{Event, Fed, Out, Wire};
use std::{
    future::{Future, poll_fn},
    ops::Range,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};
use tokio::time::Instant;

impl Link {
    /// The server takes no more calls on this connection.
    #[cold]
    pub(super) fn heed_goodbye(&self, state: &mut State) {
        if matches!(state.phase, Phase::Up) {
            self.set(state, Phase::Leaving);
        }
    }
}

impl State {
    /// Nothing is left of the connection here.
    pub(super) fn forget_connection(&mut self) {
        self.wire = None;
        self.write = None;
        self.out = Out::new();
        self.driver_writes = false;
        self.flush_due = false;
        self.alarm = None;
        self.touched.clear();
        self.again = false;
        // What was not written is lost. Positions go on, so that none is ever used again.
        (self.written, self.base) = (self.appended, self.appended);
    }
}

/// A connection that only brings answers any more.
pub(super) struct Leaver {
    link: Arc<Link>,
    read: Box<dyn ReadHalf>,
    write: Arc<dyn WriteHalf>,
    wire: Box<dyn Wire>,
    input: BytesMut,
    need: usize,
    /// Where its calls began.
    positions: Range<u64>,
    /// Rings at the next deadline of a call.
    alarm: Alarm,
    events: Vec<Event>,
    wakers: Vec<Waker>,
}

/// What the driver gives up with a connection.
pub(super) struct Halves {
    pub(super) read: Box<dyn ReadHalf>,
    pub(super) write: Arc<dyn WriteHalf>,
    pub(super) input: BytesMut,
    pub(super) need: usize,
    pub(super) opened: Option<Opened>,
}

/// Lets go of a connection that has nothing left to write. `None`: nobody waits for it.
pub(super) fn let_go(link: &Arc<Link>, halves: Halves) -> Option<impl Future<Output = ()> + use<>> {
    let mut wakers = Vec::new();
    let mut state = link.lock();
    let positions = state.base..state.appended;
    let at = state.alarm;
    let wire = state.wire.take();
    state.forget_connection();
    if matches!(state.phase, Phase::Leaving) {
        link.set(&mut state, Phase::Down);
    }
    let wire = wire.filter(|_| state.slots.waits_in(&positions));
    state.left += usize::from(wire.is_some());
    state.queue.call_all(&mut wakers);
    drop(state);
    // Who waits for any address may ask this one for its next connection.
    link.tell(None);
    wakers.into_iter().for_each(Waker::wake);
    let Halves { read, write, input, need, opened } = halves;
    let (link, mut alarm) = (Arc::clone(link), Alarm::default());
    if let Some(at) = at {
        alarm.set(at);
    }
    let (events, wakers) = (Vec::new(), Vec::new());
    let mut leaver =
        Leaver { link, read, write, wire: wire?, input, need, positions, alarm, events, wakers };
    Some(async move {
        poll_fn(|cx| leaver.poll(cx)).await;
        let _ = poll_fn(|cx| Poll::Ready(leaver.write.poll_close(cx))).await;
        drop(opened);
    })
}

impl Leaver {
    /// Ready when nobody waits for this connection any more, or it is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.ring(cx);
            if !self.link.lock().slots.waits_in(&self.positions) {
                return Poll::Ready(());
            }
            if self.input.capacity() - self.input.len() < READ_BYTES / 16 || self.need > READ_BYTES
            {
                self.input.reserve(self.need.min(self.input.len()).max(READ_BYTES));
            }
            let read = ready!(self.read.poll_read(cx, &mut self.input));
            if !matches!(read, Ok(1..)) || !self.receive() {
                return Poll::Ready(());
            }
        }
    }

    /// Completes the calls whose answers are there; false when no more can come.
    fn receive(&mut self) -> bool {
        let mut nothing = Out::new();
        let going_on = loop {
            let (input, events) = (&mut self.input, &mut self.events);
            match self.wire.feed(input, &mut nothing, &(), events, usize::MAX) {
                Ok(Fed::Full | Fed::Became(_)) => {}
                Ok(Fed::Hungry { need }) => {
                    self.need = need;
                    break true;
                }
                Ok(Fed::Waiting) => break true,
                Ok(Fed::Closing) | Err(_) => break false,
            }
        };
        let mut state = self.link.lock();
        for event in self.events.drain(..) {
            if let Event::Reply(reply) = event {
                self.wakers.extend(state.slots.complete(reply));
            }
        }
        self.wakers.extend(state.next(&self.link.limits));
        drop(state);
        self.wakers.drain(..).for_each(Waker::wake);
        going_on
    }

    /// Fails the calls whose deadline has passed: the driver may have no connection, and so no
    /// timer.
    fn ring(&mut self, cx: &mut Context<'_>) {
        while self.alarm.poll(cx).is_ready() {
            let mut state = self.link.lock();
            let written = state.written;
            let next = state.slots.expire(Instant::now(), &mut self.wakers, None, |position| {
                self.link.place(expired(State::sent(written, position)))
            });
            drop(state);
            self.wakers.drain(..).for_each(Waker::wake);
            if let Some(at) = next {
                self.alarm.set(at);
            }
        }
    }
}

impl Drop for Leaver {
    fn drop(&mut self) {
        let status = Status::unavailable("the server closed the connection that it was leaving");
        let status = self.link.place(status);
        let mut state = self.link.lock();
        let written = state.written;
        let sent = |position| status.clone().with_sent(State::sent(written, position));
        state.slots.fail_all(&self.positions, &mut self.wakers, sent);
        state.left -= 1;
        if state.left == 0 {
            self.wakers.append(&mut state.closers);
        }
        self.wakers.extend(state.next(&self.link.limits));
        drop(state);
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
