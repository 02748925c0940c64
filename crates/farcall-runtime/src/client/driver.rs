//! The task behind a client: dials when a call asks for it, reads and writes the open connection,
//! fails calls whose time is up, and backs off when the server cannot be reached.

mod ending;

use super::{
    leave::{self, Halves},
    link::Link,
    over::Connector,
    plugin::Opened,
    pulse::Pulse,
    state::{self, Phase, State, expired},
};
use crate::{
    clock::{Alarm, after},
    net::{ReadHalf, Stream, Told, WriteHalf, told},
    pace::cut,
    target::Target,
};
use bytes::BytesMut;
use farcall_core::Status;
use farcall_wire::{Event, Fed, Out};
use std::{
    cell::Cell,
    collections::hash_map::RandomState,
    future::poll_fn,
    hash::{BuildHasher, Hasher},
    io::{self, IoSlice},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes read at once.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Turns of reading and writing before others are let run.
const TURNS: usize = 16;

/// What calls hear that were on a connection when its server left.
const HUNG_UP: &str = "the server closed the connection";

/// Time for a transport to say goodbye.
const CLOSE_TIME: Duration = Duration::from_millis(500);

/// A connection that ends sooner than this, without an answer, counts as a failed attempt.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// Drives a client until it is closed or its last handle is gone.
pub(crate) fn drive(link: Arc<Link>, connector: Connector) -> impl Future<Output = ()> + Send {
    // Made before the task is: a runtime that is shutting down drops the task without polling it.
    let gone = Gone { link, connector: Some(connector) };
    async move {
        let mut gone = gone;
        let Gone { link, connector: Some(connector) } = &mut gone else { return };
        let (first, most) = link.limits.reconnect;
        let mut pause = Duration::ZERO;
        // The last connection hung: the next one is given calls when the server has answered.
        let mut prove = false;
        let mut not_before = Instant::now();
        while wanted(link).await {
            if unless_closed(link, sleep_until(not_before)).await.is_none() {
                break;
            }
            let dialled = timeout(link.limits.connect_time, connector.dial(&link.limits));
            let failure = match unless_closed(link, dialled).await {
                Some(Ok(Ok(stream))) => {
                    let since = Instant::now();
                    prove |= link.is_aside();
                    let ended = run(link, stream, prove).await;
                    if matches!(link.lock().phase, Phase::Closed) {
                        break;
                    }
                    // One that was let go of is nobody's any more, and nothing is pushed over it.
                    match &ended.status {
                        Some(status) => {
                            link.down(status, ended.answered, ended.unread);
                            link.joins.inbox.lost(status);
                        }
                        None => link.joins.inbox.lost(&link.place(Status::leaving())),
                    }
                    prove = ended.hung || prove && !ended.answered;
                    let lived = ended.answered || since.elapsed() >= SHORT_LIFE;
                    if !prove && lived {
                        pause = Duration::ZERO;
                    }
                    if !prove && lived && ended.leaving {
                        // Nothing is wrong with the server, or with its successor.
                        not_before = Instant::now();
                        continue;
                    }
                    None
                }
                Some(Ok(Err(error))) => Some(match Told::of(&error) {
                    Some(told) => told.status(),
                    None => unreached(format!("cannot connect: {error}")),
                }),
                Some(Err(_)) => Some(unreached(format!(
                    "no connection within {:?} (Limits::connect_time)",
                    link.limits.connect_time
                ))),
                None => break,
            };
            if let Some(status) = failure {
                let status = link.place(status);
                link.missed(&status);
                link.down(&status, false, true);
            }
            pause = if pause.is_zero() { first } else { pause.saturating_mul(2).min(most) };
            not_before = after(Instant::now(), jittered(pause));
        }
    }
}

fn unreached(text: String) -> Status {
    Status::unavailable(text).with_hint("is the server running, and is the address right?")
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
            Phase::Down | Phase::Up | Phase::Leaving => {
                state.driver = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// Waits for something, but not for a client that is closed: then it is given up.
async fn unless_closed<F: Future>(link: &Link, wait: F) -> Option<F::Output> {
    let mut wait = pin!(wait);
    poll_fn(|cx| {
        {
            let mut state = link.lock();
            if matches!(state.phase, Phase::Closed) {
                return Poll::Ready(None);
            }
            state.driver = Some(cx.waker().clone());
        }
        wait.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The driver's task, and what it leaves behind when it ends: because the client is closed, or
/// because its runtime is. Calls must not wait for it; the next one may start another on a runtime
/// that lives.
struct Gone {
    link: Arc<Link>,
    connector: Option<Connector>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        let closed = matches!(self.link.lock().phase, Phase::Closed);
        let status = if closed {
            state::closed()
        } else {
            Status::cancelled("the runtime that the client ran on has ended")
        };
        // Callers in the line have lost nothing: they try again.
        self.link.down(&status, true, false);
        self.link.unclaim(self.connector.take().filter(|_| !closed));
    }
}

/// How a connection ended.
struct Ended {
    /// Why; none where the server said goodbye and nothing is lost.
    status: Option<Status>,
    answered: bool,
    /// The server said goodbye.
    leaving: bool,
    hung: bool,
    /// The server refused the connection before it read anything.
    unread: bool,
}

async fn run(link: &Arc<Link>, stream: Stream, prove: bool) -> Ended {
    {
        let mut state = link.lock();
        let Target { protocol, .. } = link.target;
        let mut wire = protocol.open_to(&link.target.place(), &link.limits);
        link.joins.inbox.introduce(&mut *wire);
        state.wire = Some(wire);
        state.write = Some(Arc::clone(&stream.write));
    }
    let opened = Opened::new(link);
    let mut pulse = Pulse::default();
    pulse.begin(link, prove);
    if !pulse.proving {
        link.open();
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
        stall: Alarm::default(),
        leave: Alarm::default(),
        flushing: false,
        answered: false,
        leaving: false,
        let_go: false,
        pulse,
        hung: false,
        unread: false,
    };
    let status = poll_fn(|cx| connected.poll(cx)).await;
    let Connected { read, write, input, need, leaving, let_go, hung, unread, .. } = connected;
    let answered = connected.answered && !hung;
    if prove && answered {
        // Also where its only answer was the last it said.
        link.heard();
    }
    if let_go {
        let halves = Halves { read, write: Arc::clone(&write), input, need, opened };
        if let Some(leaver) = leave::let_go(link, halves) {
            tokio::spawn(leaver);
            return Ended { status: None, answered, leaving, hung, unread };
        }
    }
    // What a transport still has to say at its end, it says soon or not at all.
    let _ = timeout(CLOSE_TIME, poll_fn(|cx| write.poll_close(cx))).await;
    let status = (!let_go).then(|| link.place(status));
    Ended { status, answered, leaving, hung, unread }
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
    /// Rings at the first deadline of a call.
    alarm: Alarm,
    /// Rings when the server has not taken any output for too long.
    stall: Alarm,
    /// Rings when a closed client has waited long enough.
    leave: Alarm,
    /// The transport keeps bytes that it was given.
    flushing: bool,
    answered: bool,
    /// The server said goodbye.
    leaving: bool,
    /// All is written: others may read what comes.
    let_go: bool,
    pulse: Pulse,
    hung: bool,
    unread: bool,
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
                if !state.touched.is_empty() || state.again {
                    state.attend(self.link, &mut self.wakers);
                }
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
            self.wakers.drain(..).for_each(Waker::wake);
            let flushed = match self.flush(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Status::unavailable(format!("cannot write: {error}")));
                }
            };
            self.ring(cx);
            if closed && self.left(cx, flushed) {
                return Poll::Ready(state::closed());
            }
            if self.leaving && !closed && flushed && self.may_let_go() {
                self.let_go = true;
                return Poll::Ready(Status::unavailable(HUNG_UP));
            }
            if self.stall.poll(cx).is_ready() {
                let text = "the server does not read (Limits::write_stall)";
                return Poll::Ready(Status::unavailable(text));
            }
            if let Poll::Ready(status) = self.pulse.poll(self.link, cx) {
                self.hung = true;
                return Poll::Ready(status);
            }
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
        if self.pending.is_empty() && !self.flushing {
            return Poll::Ready(Ok(()));
        }
        let mut total = 0;
        let result = loop {
            let mut chunks = [IoSlice::new(&[]); 16];
            let count = self.pending.slices(&mut chunks);
            if count == 0 {
                let flushed = self.write.poll_flush(cx);
                self.flushing = flushed.is_pending();
                break flushed;
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
        if result.is_ready() {
            self.stall.clear();
        } else if total > 0 || self.stall.at().is_none() {
            self.stall.set(after(Instant::now(), self.link.limits.write_stall));
        }
        let mut state = self.link.lock();
        state.written += total as u64;
        state.driver_writes = !self.pending.is_empty();
        // Room in the output: whoever waits for it may come.
        let next = state.next(&self.link.limits);
        drop(state);
        if let Some(next) = next {
            next.wake();
        }
        result
    }

    /// Reads once, cuts replies and completes the calls that wait for them: all under one lock, and
    /// wakes their callers outside of it.
    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if self.input.capacity() - self.input.len() < READ_BYTES / 16 || self.need > READ_BYTES {
            self.input.reserve(self.need.min(self.input.len()).max(READ_BYTES));
        }
        match self.read.poll_read(cx, &mut self.input) {
            Poll::Ready(Ok(0)) if told::is_alert(&self.input) => {
                return Poll::Ready(Err(self.told(&told::wants_tls())));
            }
            Poll::Ready(Ok(0)) => {
                self.hear_the_end();
                let text = match self.need {
                    0 => HUNG_UP,
                    _ => "the connection ended in the middle of a message",
                };
                return Poll::Ready(Err(Status::unavailable(text)));
            }
            Poll::Ready(Ok(_)) => self.pulse.heard = true,
            Poll::Ready(Err(error)) => {
                return Poll::Ready(Err(match Told::of(&error) {
                    Some(told) => self.told(told),
                    None => Status::unavailable(format!("cannot read: {error}")),
                }));
            }
            Poll::Pending => return Poll::Pending,
        }
        let mut guard = self.link.lock();
        let state = &mut *guard;
        let Some(wire) = state.wire.as_deref_mut() else {
            return Poll::Ready(Err(Status::internal("a connection without a wire")));
        };
        let before = state.out.len();
        let fed = loop {
            let fed = wire.feed(&mut self.input, &mut state.out, &(), &mut self.events, usize::MAX);
            match fed {
                Ok(Fed::Full | Fed::Became(_)) => {}
                Ok(Fed::Hungry { need }) => break Ok(need),
                // Clients answer nothing, so there is nothing to wait for.
                Ok(Fed::Waiting) => break Ok(0),
                Ok(Fed::Closing) => break Err(Status::unavailable(HUNG_UP)),
                Err(_) if told::is_alert(&self.input) => {
                    break Err(self.told(&told::wants_tls()));
                }
                Err(broken) => {
                    let text = format!("the server broke the protocol: {broken}");
                    break Err(Status::internal(text));
                }
            }
        };
        // Answers that came together bring their callers back together: the first of them, who
        // finds nothing on its way, leaves the writing to the driver.
        state.crowd = self.events.len() > 1;
        cut(self.events.len());
        for event in self.events.drain(..) {
            match event {
                Event::Reply(reply) if !state.slots.has_streams() => {
                    self.answered = true;
                    if reply.error.as_ref().is_some_and(Status::is_leaving) {
                        self.link.heed_goodbye(state);
                    }
                    self.wakers.extend(state.slots.complete(reply));
                }
                event => self.answered |= state.stream(event, self.link, &mut self.wakers),
            }
        }
        self.leaving |= matches!(state.phase, Phase::Leaving);
        state.appended += (state.out.len() - before) as u64;
        if !state.out.is_empty() && !state.flush_due {
            // The wire has something of its own to say.
            state.flush_due = true;
            cx.waker().wake_by_ref();
        }
        if fed.is_err() && !matches!(state.phase, Phase::Closed) {
            // Before anybody who is woken now can come back with another call.
            self.link.set(state, Phase::Down);
        }
        drop(guard);
        self.wakers.drain(..).for_each(Waker::wake);
        if std::mem::take(&mut self.pulse.proving) && fed.is_ok() {
            self.link.heard();
            self.link.open();
        }
        Poll::Ready(fed.map(|need| self.need = need))
    }

    /// Fails the calls whose deadline has passed.
    fn ring(&mut self, cx: &mut Context<'_>) {
        while self.alarm.poll(cx).is_ready() {
            let mut state = self.link.lock();
            let (written, base) = (state.written, state.base);
            let missed = Cell::new(0);
            let mut cancelled = Vec::new();
            let told = self.link.streaming.then_some(&mut cancelled);
            let next = state.slots.expire(Instant::now(), &mut self.wakers, told, |position| {
                missed.set(missed.get() + u32::from(position >= base));
                self.link.place(expired(State::sent(written, position)))
            });
            state.alarm = next;
            cancelled.into_iter().for_each(|seq| state.tell_cancelled(seq));
            if state.flush_due {
                cx.waker().wake_by_ref();
            }
            drop(state);
            self.wakers.drain(..).for_each(Waker::wake);
            if let Some(at) = next {
                self.alarm.set(at);
            }
            if missed.get() > 0 {
                self.pulse.missed(missed.get(), self.link);
            }
        }
    }
}
