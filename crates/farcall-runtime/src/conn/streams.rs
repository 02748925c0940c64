//! The streams of one connection: what is said of them on the wire reaches their pipes, and what
//! their handlers want reaches the wire.

use super::{Conn, late::Leaver};
use crate::{
    server::{Cx, Reply, Watch},
    stream::{Allowed, End, Pipe},
};
use farcall_core::{Body, Status, Ticket};
use farcall_wire::{Control, Event};
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

/// The streams that are open, or parked, by the number of their call.
#[derive(Default)]
pub(super) struct Streams {
    /// None: most connections never have any.
    open: Option<HashMap<u64, Arc<Pipe>>>,
    /// All are to be looked at again: some wait for room in the output, or a window opened.
    pub(super) again: bool,
}

impl Streams {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none()
    }

    fn get(&self, seq: u64) -> Option<&Arc<Pipe>> {
        self.open.as_ref()?.get(&seq)
    }

    /// The stream is over, both ways.
    pub(super) fn close(&mut self, seq: u64) -> bool {
        let Some(open) = &mut self.open else { return false };
        let Some(pipe) = open.remove(&seq) else { return false };
        if open.is_empty() {
            self.open = None;
        }
        // A reader that has outlived its handler learns that items are missing.
        let end = End::Failed(Status::cancelled("the call is over"));
        pipe.finish(end).into_iter().flatten().for_each(|waker| waker.wake());
        true
    }

    fn numbers(&self) -> Vec<u64> {
        self.open.iter().flat_map(|open| open.keys().copied()).collect()
    }
}

impl Conn {
    fn allowed(&self) -> Allowed {
        let limits = &self.shared.limits;
        Allowed { output_bytes: limits.output_bytes, stream_bytes: limits.stream_bytes }
    }

    /// A stream that waits for its handler: what comes for it is kept, up to its window.
    pub(super) fn prepare(&mut self, seq: u64) -> Option<Arc<Pipe>> {
        if let Some(pipe) = self.streams.get(seq) {
            return Some(Arc::clone(pipe));
        }
        let late: Weak<super::Late> = Arc::downgrade(&self.late);
        let pipe = Pipe::new(late, false);
        pipe.open(seq, self.wire.as_deref()?, self.allowed());
        self.streams.open.get_or_insert_default().insert(seq, Arc::clone(&pipe));
        Some(pipe)
    }

    /// Starts the handler of a call that streams, as a task.
    #[inline(never)]
    pub(super) fn open_stream(
        &mut self,
        ticket: Ticket,
        cx: Cx,
        body: Body,
        mut watch: Option<Box<Watch>>,
    ) {
        let (to, deadline) = (cx.to, cx.deadline);
        if !self.streaming {
            let entry = self.shared.router.entry(to);
            let status = Status::unimplemented(format!(
                "{}.{} streams, and {} does not carry streams",
                entry.service, entry.name, self.info.protocol
            ));
            return self.refuse_call(&ticket, to, &status, watch);
        }
        let Some(pipe) = self.prepare(ticket.seq) else { return };
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let entry = self.shared.router.entry(to);
        let mut later = None;
        let reply = Reply::new(wire, &mut self.out, &ticket, entry, &self.shared.rules, &mut later)
            .watched(watch.as_deref_mut());
        entry.method.open(cx, body, &pipe, reply);
        match later {
            Some(run) => self.leave(Leaver { ticket, to, deadline, watch }, run),
            None => drop(self.streams.close(ticket.seq)),
        }
    }

    /// Something was said of a stream.
    #[inline(never)]
    pub(super) fn stream(&mut self, event: Event) {
        match event {
            Event::Item(item) => {
                let (seq, cost) = (item.seq, item.cost);
                let delivered = match self.streams.get(seq) {
                    Some(pipe) => pipe.deliver(item),
                    // Its handler has ended: the peer did not know when it wrote.
                    None => Err(item),
                };
                match delivered {
                    Ok(reader) => reader.into_iter().for_each(|reader| reader.wake()),
                    Err(_) => {
                        if let Some(wire) = self.wire.as_deref_mut() {
                            wire.control(Control::Consumed { seq, cost }, &mut self.out);
                        }
                    }
                }
            }
            Event::End(end) => {
                if let Some(pipe) = self.streams.get(end.seq) {
                    let reader = pipe.end_input(End::Over(end.meta));
                    reader.into_iter().for_each(|reader| reader.wake());
                }
            }
            Event::Cancel { seq } => {
                self.streams.close(seq);
                if !self.slots.cancel(seq) {
                    self.parked.cancel(seq);
                }
            }
            Event::Room { seq: Some(seq) } => self.attend(seq),
            // Once for all that say so in a turn.
            Event::Room { seq: None } => self.streams.again = true,
            // Nobody calls from here, so nobody answers; and only servers push and leave.
            Event::Reply(_)
            | Event::Push(_)
            | Event::Call(_)
            | Event::Unknown(_)
            | Event::Request(_)
            | Event::Goodbye => {}
        }
    }

    /// The peer has gone: it will open no window and send no item.
    #[cold]
    pub(super) fn lose_streams(&mut self) {
        for seq in self.streams.numbers() {
            self.stream(Event::Cancel { seq });
        }
    }

    /// Looks at the streams whose handlers did something.
    #[inline(never)]
    pub(super) fn attend_touched(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.drain(..).for_each(|seq| self.attend(seq));
        self.touched = touched;
        self.write_pushes();
    }

    pub(super) fn attend_all(&mut self) {
        self.streams.again = false;
        for seq in self.streams.numbers() {
            self.attend(seq);
        }
        self.write_pushes();
    }

    fn attend(&mut self, seq: u64) {
        let allowed = self.allowed();
        let Some(wire) = self.wire.as_deref_mut() else { return };
        let Some(pipe) = self.streams.get(seq) else { return };
        let attended = pipe.attend(wire, &mut self.out, allowed);
        self.streams.again |= attended.held;
        if let Some(writer) = attended.writer {
            writer.wake();
        }
    }
}
