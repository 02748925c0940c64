//! The task behind a client: dials when a call asks for it, reads and writes the open connection,
//! fails calls whose time is up, and backs off when the server cannot be reached.

use super::{
    link::{Link, Phase, State, expired},
    over::Connector,
};
use crate::{
    clock::Alarm,
    net::{ReadHalf, Stream, WriteHalf},
};
use bytes::BytesMut;
use farcall_core::Status;
use farcall_wire::{Event, Fed, Out, Side};
use std::{
    collections::hash_map::RandomState,
    future::poll_fn,
    hash::{BuildHasher, Hasher},
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// Turns of reading and writing before others are let run.
const TURNS: usize = 16;

/// A connection that ends sooner than this, without an answer, counts as a failed attempt.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// Drives a client until its last handle is gone.
pub(crate) async fn drive(link: Arc<Link>, mut connector: Connector) {
    let gone = Gone(&link);
    let (first, most) = link.limits.reconnect;
    let mut pause = Duration::ZERO;
    let mut not_before = Instant::now();
    while wanted(&link).await {
        tokio::time::sleep_until(not_before).await;
        let dialled = timeout(link.limits.connect_time, connector.dial()).await;
        let failure = match dialled {
            Ok(Ok(stream)) => {
                let since = Instant::now();
                let ended = run(&link, stream).await;
                if matches!(link.lock().phase, Phase::Closed) {
                    break;
                }
                down(&link, &ended.status, ended.answered);
                if ended.answered || since.elapsed() >= SHORT_LIFE {
                    pause = Duration::ZERO;
                }
                None
            }
            Ok(Err(error)) => Some(format!("cannot connect: {error}")),
            Err(_) => Some(format!(
                "no connection within {:?} (Limits::connect_time)",
                link.limits.connect_time
            )),
        };
        if let Some(text) = failure {
            let status = Status::unavailable(text)
                .with_hint("is the server running, and is the address right?");
            down(&link, &link.place(status), false);
        }
        pause = if pause.is_zero() { first } else { (pause * 2).min(most) };
        not_before = Instant::now() + jittered(pause);
    }
    drop(gone);
}

/// The pause less a random quarter at most, so that clients of one server do not return together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() as u32;
    pause - pause.mul_f64(0.25 * f64::from(random) / f64::from(u32::MAX))
}

/// Waits for a caller that needs a connection; false when the client is gone.
async fn wanted(link: &Link) -> bool {
    poll_fn(|cx| {
        let mut state = link.lock();
        match state.phase {
            Phase::Closed => Poll::Ready(false),
            Phase::Dialling => Poll::Ready(true),
            Phase::Down | Phase::Up => {
                state.driver = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// There is no connection any more, or still none: every call that was on it fails, and callers
/// that wait learn of it.
fn down(link: &Link, status: &Status, answered: bool) {
    let mut wakers = Vec::new();
    let mut state = link.lock();
    let written = state.written;
    state
        .slots
        .fail_all(&mut wakers, |waiting| status.clone().with_sent(State::sent(written, waiting)));
    if !matches!(state.phase, Phase::Closed) {
        state.phase = Phase::Down;
    }
    // A connection that answered and ended is no failed attempt: who waits asks for another.
    if !answered {
        state.failures += 1;
        state.failure = Some(status.clone());
    }
    state.wire = None;
    state.write = None;
    state.out = Out::new();
    state.driver_writes = false;
    state.flush_due = false;
    state.alarm = None;
    (state.appended, state.written) = (0, 0);
    wakers.append(&mut state.queue);
    drop(state);
    wakers.into_iter().for_each(Waker::wake);
}

/// The driver's task ended, perhaps because its runtime did: calls must not wait for it.
struct Gone<'a>(&'a Link);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let status = Status::cancelled("the client's runtime has ended");
        self.0.lock().phase = Phase::Closed;
        down(self.0, &status, false);
    }
}

/// How a connection ended.
struct Ended {
    status: Status,
    answered: bool,
}

async fn run(link: &Link, stream: Stream) -> Ended {
    {
        let mut state = link.lock();
        state.wire = Some(link.target.protocol.open(Side::Client, &link.limits));
        state.write = Some(Arc::clone(&stream.write));
        if !matches!(state.phase, Phase::Closed) {
            state.phase = Phase::Up;
        }
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        queue.into_iter().for_each(Waker::wake);
    }
    let mut connected = Connected {
        link,
        read: stream.read,
        write: stream.write,
        pending: Out::new(),
        input: BytesMut::new(),
        need: 0,
        events: Vec::new(),
        wakers: Vec::new(),
        yielded: false,
        alarm: Alarm::default(),
        answered: false,
    };
    let status = poll_fn(|cx| connected.poll(cx)).await;
    connected.write.close();
    Ended { status: link.place(status), answered: connected.answered }
}

/// An open connection, as its driver sees it.
struct Connected<'l> {
    link: &'l Link,
    read: Box<dyn ReadHalf>,
    write: Arc<dyn WriteHalf>,
    /// Output that the driver took from the callers and is writing.
    pending: Out,
    input: BytesMut,
    need: usize,
    events: Vec<Event>,
    wakers: Vec<Waker>,
    yielded: bool,
    alarm: Alarm,
    answered: bool,
}

impl Connected<'_> {
    /// Ready with the reason when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        for _ in 0..TURNS {
            let closed = {
                let mut state = self.link.lock();
                if !state.driver.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                    state.driver = Some(cx.waker().clone());
                }
                if state.flush_due && !self.yielded {
                    // Go to the back of the queue once: every caller that the same read has made
                    // runnable appends first, and one write carries them all.
                    self.yielded = true;
                    drop(state);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.yielded = false;
                if state.flush_due && self.pending.is_empty() {
                    state.flush_due = false;
                    state.out.drain_into(&mut self.pending);
                    state.driver_writes = !self.pending.is_empty();
                }
                if let Some(at) = state.alarm {
                    self.alarm.set(at);
                }
                matches!(state.phase, Phase::Closed)
            };
            match self.flush(cx) {
                Poll::Ready(Ok(())) if closed => {
                    return Poll::Ready(Status::cancelled("the client is closed"));
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Status::unavailable(format!("cannot write: {error}")));
                }
            }
            self.ring(cx);
            match self.receive(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(status)) => return Poll::Ready(status),
                Poll::Pending => {
                    // Callers may have appended while bytes of theirs were being written.
                    let more = self.pending.is_empty() && self.link.lock().flush_due;
                    if !more {
                        return Poll::Pending;
                    }
                    self.yielded = true;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what the driver holds.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pending.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut total = 0;
        let result = loop {
            let mut chunks = [IoSlice::new(&[]); 16];
            let count = self.pending.slices(&mut chunks);
            if count == 0 {
                break Poll::Ready(Ok(()));
            }
            match self.write.poll_write(cx, &chunks[..count]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    total += written;
                    self.pending.advance(written);
                }
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        let mut state = self.link.lock();
        state.written += total as u64;
        state.driver_writes = !self.pending.is_empty();
        // Room in the output: whoever waits for it may come.
        if total > 0 && !state.queue.is_empty() {
            self.wakers.append(&mut state.queue);
        }
        drop(state);
        self.wakers.drain(..).for_each(Waker::wake);
        result
    }

    /// Reads once, cuts replies and completes the calls that wait for them: all under one lock, and
    /// wakes their callers outside of it.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if self.input.capacity() - self.input.len() < READ_BYTES / 16 || self.need > READ_BYTES {
            self.input.reserve(self.need.min(self.input.len()).max(READ_BYTES));
        }
        match self.read.poll_read(cx, &mut self.input) {
            Poll::Ready(Ok(0)) => {
                let text = match self.need {
                    0 => "the server closed the connection",
                    _ => "the connection ended in the middle of a message",
                };
                return Poll::Ready(Err(Status::unavailable(text)));
            }
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                return Poll::Ready(Err(Status::unavailable(format!("cannot read: {error}"))));
            }
            Poll::Pending => return Poll::Pending,
        }
        let mut guard = self.link.lock();
        let state = &mut *guard;
        let Some(wire) = state.wire.as_deref_mut() else {
            return Poll::Ready(Err(Status::internal("a connection without a wire")));
        };
        let fed = loop {
            let fed = wire.feed(&mut self.input, &mut state.out, &(), &mut self.events, usize::MAX);
            match fed {
                Ok(Fed::Full) => {}
                Ok(Fed::Hungry { need }) => break Ok(need),
                Err(broken) => break Err(broken),
            }
        };
        for event in self.events.drain(..) {
            if let Event::Reply(reply) = event {
                self.answered = true;
                self.wakers.extend(state.slots.complete(reply));
            }
        }
        if !state.out.is_empty() && !state.flush_due {
            // The wire has something of its own to say.
            state.flush_due = true;
            cx.waker().wake_by_ref();
        }
        drop(guard);
        self.wakers.drain(..).for_each(Waker::wake);
        match fed {
            Ok(need) => {
                self.need = need;
                Poll::Ready(Ok(()))
            }
            Err(broken) => {
                let text = format!("the server broke the protocol: {broken}");
                Poll::Ready(Err(Status::internal(text)))
            }
        }
    }

    /// Fails the calls whose deadline has passed.
    fn ring(&mut self, cx: &mut Context<'_>) {
        while self.alarm.poll(cx).is_ready() {
            let mut state = self.link.lock();
            let written = state.written;
            let next = state.slots.expire(Instant::now(), &mut self.wakers, |waiting| {
                self.link.place(expired(State::sent(written, waiting)))
            });
            state.alarm = next;
            drop(state);
            self.wakers.drain(..).for_each(Waker::wake);
            if let Some(at) = next {
                self.alarm.set(at);
            }
        }
    }
}
