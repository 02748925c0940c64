//! One connection, one owner: a task that reads, cuts, starts calls in place, and writes once a
//! turn.
//!
//! A turn is bounded in calls, bytes and time, so that a busy connection lets others have theirs.
//! Handlers that are not ready at once leave for tasks of their own and come home through `late`.

mod gate;
mod greet;
mod intercept;
mod late;
mod leave;
mod part;
mod push;
mod request;
mod scratch;
mod slots;
mod streams;
mod timing;
mod work;

pub(crate) use late::{Busy, Late, Stop};
pub(crate) use part::Close;

use crate::{
    clock::after,
    net::{Peer, Stream},
    server::{ConnInfo, Entry, Ran, Shared},
};
use bytes::BytesMut;
use farcall_core::Limits;
use farcall_wire::{Out, Wire, sniff::Spoken};
use gate::Passed;
use late::Homecomer;
use leave::Leave;
use part::Part;
use scratch::READ_BYTES;
use slots::Slots;
use std::{
    collections::VecDeque,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use streams::Streams;
use timing::{Due, Timing};
use tokio::time::Instant;
use work::Parked;

/// The server's end of one connection.
pub(crate) struct Conn {
    stream: Stream,
    shared: Arc<Shared>,
    /// The number it is registered by.
    id: u64,
    spoken: Spoken,
    info: Arc<ConnInfo>,
    late: Arc<Late>,
    /// Opened once the first bytes have named the protocol.
    wire: Option<Box<dyn Wire>>,
    input: BytesMut,
    out: Out,
    /// Calls that came home from the gate.
    passed: VecDeque<Passed>,
    /// The wire carries streams, and calls that may be given up.
    streaming: bool,
    /// Calls that were cut but may not start yet.
    parked: Parked,
    slots: Slots,
    streams: Streams,
    timing: Timing,
    /// How many more bytes the message at hand needs; 0 when none has begun.
    need: usize,
    /// `input` may hold complete messages.
    unfed: bool,
    /// The wire feeds no more until a reply was written.
    waiting: bool,
    /// The peer has sent its last byte.
    ended: bool,
    /// What the connection ends with once all is answered and written.
    part: Option<Box<Part>>,
    /// The transport keeps bytes that it was given.
    flushing: bool,
    /// Its end was told, or nobody was told that it began.
    told: bool,
    /// It was told goodbye. In a box: most connections never are.
    leave: Option<Box<Leave>>,
    home: Vec<Homecomer>,
    home_passed: Vec<Passed>,
    touched: Vec<u64>,
}

/// What is left of a turn.
struct Budget {
    calls: usize,
    bytes: usize,
    until: Instant,
    over: bool,
    /// When the clock was last read.
    seen: Instant,
    /// Before this no handler of the turn can have held its worker for too long.
    suspect: Instant,
}

impl Budget {
    /// A call was taken up, and perhaps its handler ran. The clock is read once a call: what ends
    /// one begins the next.
    #[inline]
    fn ran(&mut self, ran: Option<Ran>, entry: &Entry, shared: &Shared) {
        let now = match ran {
            Some(Ran { began, ended }) => {
                if ended >= self.suspect {
                    shared.look_at_hold(entry, ended - began.unwrap_or(self.seen));
                }
                ended
            }
            None => Instant::now(),
        };
        self.seen = now;
        self.over |= now >= self.until;
    }
}

impl Conn {
    /// The end of a connection that was just accepted.
    pub(crate) fn new(stream: Stream, shared: Arc<Shared>, id: u64, spoken: Spoken) -> Conn {
        let late = Arc::default();
        let info = shared.info(&stream, None, &late);
        Conn {
            stream,
            id,
            spoken,
            info,
            late,
            wire: None,
            input: BytesMut::new(),
            out: Out::new(),
            passed: VecDeque::new(),
            streaming: false,
            parked: Parked::default(),
            slots: Slots::default(),
            streams: Streams::default(),
            timing: Timing::new(Instant::now(), &shared.limits),
            need: 0,
            unfed: false,
            waiting: false,
            ended: false,
            part: None,
            flushing: false,
            told: true,
            leave: None,
            home: Vec::new(),
            home_passed: Vec::new(),
            touched: Vec::new(),
            shared,
        }
    }

    /// The way to reach the connection from outside.
    pub(crate) fn late(&self) -> &Arc<Late> {
        &self.late
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> &Peer {
        &self.stream.peer
    }

    /// It was let in.
    pub(crate) fn begin(&mut self) {
        self.told = false;
        self.shared.opened(&self.info);
    }

    fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// One turn: bring home, start what was cut, cut what was read, write, read.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        match self.bring_home(cx) {
            Stop::Cut => return Poll::Ready(Close::Time("Limits::drain_time")),
            Stop::Room => return Poll::Ready(Close::Room),
            Stop::No | Stop::Drain => {}
        }
        let now = Instant::now();
        if self.leave.is_some() {
            self.look_while_leaving(now);
        }
        let mut budget = Budget {
            calls: self.limits().turn_calls,
            bytes: self.limits().turn_bytes,
            until: after(now, self.limits().turn_time),
            over: false,
            seen: now,
            suspect: after(now, self.limits().hold_time),
        };
        loop {
            let broken = self.work(&mut budget, now).err();
            if self.leave.is_some() {
                self.heed_the_last_word();
            }
            if let Err(error) = self.write(cx) {
                return Poll::Ready(Close::Io(error));
            }
            if let Some(broken) = broken {
                return Poll::Ready(Close::Broken(broken));
            }
            if budget.over {
                if self.timing.is_old(now) {
                    self.say_goodbye();
                }
                // Others first; this connection goes to the back of the queue.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.finished() {
                let parting = self.part.as_ref().is_some_and(|part| part.begun());
                if !parting && self.stream.write.poll_close(cx).is_pending() {
                    self.flushing = true;
                    break;
                }
                return self.take_leave(cx);
            }
            if self.stalled() {
                break;
            }
            if self.unfed || self.may_go_on() {
                // Writing made room for what was held back.
                continue;
            }
            if self.deaf() {
                break;
            }
            match self.read(cx, &mut budget) {
                Poll::Ready(Ok(0)) => {
                    self.ended = true;
                    self.lose_streams();
                }
                Poll::Ready(Ok(_)) => self.unfed = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Close::Io(error)),
                Poll::Pending => break,
            }
        }
        self.rest(cx)
    }

    /// Nothing more is read.
    fn deaf(&self) -> bool {
        self.ended || self.part.is_some()
    }

    /// Everything was said and done.
    fn finished(&self) -> bool {
        self.deaf()
            && self.slots.taken() == 0
            && self.out.is_empty()
            && !self.flushing
            && !self.held_back()
            && !self.streams.again
            && !self.unfed
    }

    /// Something that may not start yet waits.
    fn held_back(&self) -> bool {
        !self.parked.is_empty() || !self.passed.is_empty()
    }

    /// One more call may start: there is a slot, and room for its answer.
    #[inline]
    fn may_start(&self) -> bool {
        self.slots.taken() < self.limits().calls_per_connection
            && self.out.len() <= self.limits().output_bytes
    }

    /// Nothing more is cut nor read: the output is full, the wire waits, or too many calls wait for
    /// slots. What runs goes on.
    fn stalled(&self) -> bool {
        self.waiting
            || self.out.len() > self.limits().output_bytes
            || !self.streaming && self.crowded()
    }

    /// The slots are taken, and no more calls may wait for one.
    fn crowded(&self) -> bool {
        self.slots.taken() >= self.limits().calls_per_connection
            && self.parked.full(&self.shared.limits)
    }

    /// Writes until all is written or the peer must read first.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.out.is_empty() && !self.flushing {
            return Ok(());
        }
        while !self.out.is_empty() {
            let mut chunks = [IoSlice::new(&[]); 16];
            let count = self.out.slices(&mut chunks);
            match self.stream.write.poll_write(cx, &chunks[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    self.timing.wrote();
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        self.flushing = self.stream.write.poll_flush(cx)?.is_pending();
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_>, budget: &mut Budget) -> Poll<io::Result<usize>> {
        if self.input.is_empty() && self.stream.read.poll_ready(cx)?.is_pending() {
            return Poll::Pending;
        }
        scratch::lend_input(&mut self.input);
        if self.input.capacity() - self.input.len() < READ_BYTES / 16 || self.need > READ_BYTES {
            // Memory follows what has come, never what a length claims: at most twice as much.
            self.input.reserve(self.need.min(self.input.len()).max(READ_BYTES));
        }
        let read = self.stream.read.poll_read(cx, &mut self.input);
        if let Poll::Ready(Ok(count)) = read {
            self.timing.read(count);
            if let Some(leave) = &mut self.leave {
                leave.hear();
            }
            budget.bytes = budget.bytes.saturating_sub(count);
            budget.over |= budget.bytes == 0;
        }
        read
    }

    /// Nothing to do until something happens: give the buffers back and see which time limit is
    /// next.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        if self.input.is_empty() {
            scratch::return_input(&mut self.input);
        }
        if self.out.is_empty() {
            scratch::return_tail(&mut self.out);
        }
        let begun = self.need > 0 || (self.wire.is_none() && !self.input.is_empty());
        let state = timing::State {
            silent: self.wire.is_none() && self.input.is_empty(),
            begun: begun && !self.stalled(),
            unwritten: !self.out.is_empty() || self.flushing,
            busy: self.slots.taken() > 0,
            leaving: self.leave.is_some(),
        };
        match self.timing.rest(cx, state, &self.shared.limits) {
            Poll::Pending => {}
            Poll::Ready(Due::Close(limit)) => return Poll::Ready(Close::Time(limit)),
            Poll::Ready(Due::Goodbye) => {
                self.say_goodbye();
                cx.waker().wake_by_ref();
            }
        }
        if self.leave.is_some() {
            self.rest_while_leaving(cx);
        }
        Poll::Pending
    }
}

impl Future for Conn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        match this.turn(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(close) => {
                this.shared.closed(&this.info, &close);
                this.told = true;
                if !matches!(close, Close::Done) {
                    let _ = this.stream.write.poll_close(cx);
                }
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if !self.told {
            self.shared.closed(&self.info, &Close::Dropped);
        }
        self.info.close();
        self.slots.abort();
    }
}
