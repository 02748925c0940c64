//! The streams of a client's connection: under the link's lock, what the wire found reaches their
//! pipes, and what their users want reaches the wire.

use super::{
    link::Link,
    slots::{SlotId, Streaming},
    state::State,
};
use crate::stream::{Allowed, End, Home, Pipe, wrong_shape};
use farcall_core::{Limits, Sent, Status};
use farcall_wire::{Control, Event};
use std::{sync::Arc, task::Waker};
use tokio::time::Instant;

impl Home for Link {
    fn touch(&self, seq: u64) {
        let mut state = self.lock();
        state.touched.push(seq);
        // The first one wakes the driver; the others travel along.
        let first = state.touched.len() == 1;
        let driver = first.then(|| state.driver.clone()).flatten();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

fn allowed(limits: &Limits) -> Allowed {
    Allowed { output_bytes: limits.client_output_bytes, stream_bytes: limits.stream_bytes }
}

impl State {
    /// A call that streams was written: it waits in its pipe.
    #[cold]
    pub(super) fn begin_stream(
        &mut self,
        (slot, number): (SlotId, u64),
        pipe: &Arc<Pipe>,
        deadline: Option<Instant>,
        position: u64,
        limits: &Limits,
    ) {
        if let Some(wire) = self.wire.as_deref() {
            pipe.open(number, wire, allowed(limits));
        }
        let pipe = Arc::clone(pipe);
        self.slots.stream(slot, Streaming { pipe, deadline, position });
    }

    /// A call was given up: the peer is told, and its slot is free.
    #[cold]
    pub(super) fn cancel(&mut self, slot: SlotId) -> Option<Waker> {
        let Some((waker, number)) = self.slots.cancel(slot) else {
            return self.slots.abandon(slot);
        };
        self.tell_cancelled(number);
        Some(waker)
    }

    /// Tells the peer that a call was given up.
    pub(super) fn tell_cancelled(&mut self, seq: u64) {
        let before = self.out.len();
        let Some(wire) = self.wire.as_deref_mut() else { return };
        wire.control(Control::Cancel { seq }, &mut self.out);
        self.appended += (self.out.len() - before) as u64;
        self.flush_due |= !self.out.is_empty();
    }

    /// Looks at the streams whose users did something, or at all.
    pub(super) fn attend(&mut self, link: &Link, wakers: &mut Vec<Waker>) {
        let mut touched = std::mem::take(&mut self.touched);
        let unwritten = self.appended.saturating_sub(self.written);
        if self.again && unwritten <= link.limits.client_output_bytes as u64 {
            self.again = false;
            touched = self.slots.numbers();
        }
        for seq in touched.drain(..) {
            self.attend_one(seq, link, wakers);
        }
        if self.touched.is_empty() {
            self.touched = touched;
        }
    }

    fn attend_one(&mut self, seq: u64, link: &Link, wakers: &mut Vec<Waker>) {
        let Some(Streaming { pipe, .. }) = self.slots.find(seq) else { return };
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let before = self.out.len();
        let attended = pipe.attend(wire, &mut self.out, allowed(&link.limits));
        self.appended += (self.out.len() - before) as u64;
        self.flush_due |= !self.out.is_empty();
        self.again |= attended.held;
        wakers.extend(attended.writer);
        if attended.given_up {
            self.tell_cancelled(seq);
            self.over(seq, End::Failed(Status::cancelled("the call was given up")), link, wakers);
        }
    }

    /// A stream is over, both ways: its slot is free for whoever waits.
    fn over(&mut self, seq: u64, end: End, link: &Link, wakers: &mut Vec<Waker>) {
        let Some(stream) = self.slots.end_stream(seq) else { return };
        wakers.extend(stream.pipe.finish(end).into_iter().flatten());
        wakers.extend(self.next(&link.limits));
    }

    /// What a wire with streams found. True where the peer has answered something.
    pub(super) fn stream(&mut self, event: Event, link: &Link, wakers: &mut Vec<Waker>) -> bool {
        match event {
            Event::Reply(mut reply) => {
                if self.slots.find(reply.seq).is_none() {
                    wakers.extend(self.slots.complete(reply));
                    return true;
                }
                let (seq, error) = (reply.seq, reply.error.take());
                let end = error.map_or_else(|| End::Answer(reply), End::Failed);
                self.over(seq, end, link, wakers);
            }
            Event::Item(item) => {
                let (seq, cost) = (item.seq, item.cost);
                let delivered = match self.slots.find(seq) {
                    Some(stream) => stream.pipe.deliver(item),
                    // It was given up: the peer did not know when it wrote.
                    None => Err(item),
                };
                match (delivered, self.wire.as_deref_mut()) {
                    (Ok(reader), _) => wakers.extend(reader),
                    (Err(_), Some(wire)) => {
                        wire.control(Control::Consumed { seq, cost }, &mut self.out);
                    }
                    (Err(_), None) => {}
                }
            }
            Event::End(mut end) => {
                let (seq, error) = (end.seq, end.error.take());
                if self.slots.find(seq).is_some() {
                    let end = error.map_or_else(|| End::Over(end.meta), End::Failed);
                    self.over(seq, end, link, wakers);
                } else {
                    let wrong = || wrong_shape("a stream, where one result was expected");
                    let failed = link.place(error.unwrap_or_else(wrong));
                    wakers.extend(self.slots.fail(seq, failed));
                }
            }
            Event::Cancel { seq } => {
                let status = Status::cancelled("the server gave the call up").with_sent(Sent::Yes);
                let failed = link.place(status);
                if self.slots.find(seq).is_some() {
                    self.over(seq, End::Failed(failed), link, wakers);
                } else {
                    wakers.extend(self.slots.fail(seq, failed));
                }
            }
            Event::Push(push) => wakers.extend(link.joins.inbox.deliver(Ok(push))),
            Event::Room { seq } => {
                // Later, and all of them once: a peer may say so many times in one read.
                match seq {
                    Some(seq) => self.touched.push(seq),
                    None => self.again = true,
                }
                return false;
            }
            Event::Goodbye => link.heed_goodbye(self),
            // Nobody calls a client.
            Event::Call(_) | Event::Unknown(_) | Event::Request(_) => return false,
        }
        true
    }
}
