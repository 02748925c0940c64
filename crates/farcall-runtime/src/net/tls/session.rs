//! A session over a stream: two halves that share one lock, as the socket's halves below share one
//! socket.
//!
//! The half that is read does all that nobody asks for: it shakes hands, answers the protocol's own
//! messages, and writes what another caller could encrypt but not write.

use super::{identity, words};
use crate::{
    clock::{Alarm, after},
    net::{Identity, ReadHalf, Stream, Told, WriteHalf},
};
use bytes::BytesMut;
use farcall_core::Limits;
use rustls::{Connection, Error};
use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, BufRead, IoSlice, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::time::Instant;

/// Bytes of the socket that are read at once.
const CIPHER_BYTES: usize = 64 * 1024;

/// Bytes a caller encrypts by itself, while it holds its client's lock. More is the driver's work.
const TRY_BYTES: usize = 16 * 1024;

/// Reads of a refused connection before others are let run.
const DISCARDS: usize = 16;

/// What is said to HTTP without TLS.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 37\r\nConnection: close\r\n\r\nThis port speaks TLS: ask by https://";

thread_local! {
    /// Ciphertext on its way in: lent by the worker, so that idle sessions hold none.
    static CIPHER: RefCell<BytesMut> = RefCell::default();
}

/// Which end of the session this is.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// `shows`: it has a certificate.
    Client { shows: bool },
    /// `until`: when hands must have been shaken. `linger`: time to let a refused peer read why.
    Server { until: Instant, linger: Duration },
}

impl Role {
    pub(super) fn server(limits: &Limits) -> Role {
        let until = after(Instant::now(), limits.handshake_time);
        Role::Server { until, linger: limits.linger }
    }
}

/// Wraps a stream. Hands are shaken when it is read.
pub(super) fn wrap(stream: Stream, tls: Connection, role: Role) -> Stream {
    let core =
        Core { tls, reader: None, identity: None, closed: false, broken: None, heard: false };
    let session = Arc::new(Session {
        core: Mutex::new(core),
        below: stream.write,
        client: matches!(role, Role::Client { .. }),
    });
    let handshake =
        Some(Box::new(Handshake { first: true, refused: None, alarm: Alarm::default() }));
    Stream {
        read: Box::new(Read {
            session: Arc::clone(&session),
            below: stream.read,
            role,
            handshake,
            early: BytesMut::new(),
            failed: None,
            ended: false,
        }),
        write: Arc::new(Write(session)),
        peer: stream.peer,
    }
}

/// Waits until hands are shaken.
pub(super) async fn shake_hands(stream: &mut Stream) -> io::Result<()> {
    // Ready for reading is more than is asked for: a server need not speak first.
    poll_fn(|cx| stream.read.poll_open(cx)).await
}

struct Session {
    core: Mutex<Core>,
    below: Arc<dyn WriteHalf>,
    client: bool,
}

struct Core {
    tls: Connection,
    /// Whoever reads: it also writes what is left behind.
    reader: Option<Waker>,
    identity: Option<Arc<Identity>>,
    /// The peer was told that nothing more comes.
    closed: bool,
    /// The socket cannot be written. What was received before may say why.
    broken: Option<io::Error>,
    /// Something of the peer's was decrypted.
    heard: bool,
}

impl Session {
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes ciphertext until none is left.
    fn push(
        &self,
        core: &mut Core,
        write: &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while core.tls.wants_write() {
            if core.tls.write_tls(&mut Sink(write))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// The same, and waits for room.
    fn poll_push(&self, core: &mut Core, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut write = |chunks: &[IoSlice<'_>]| match self.below.poll_write(cx, chunks) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        };
        match self.push(core, &mut write) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }

    /// The same, for whoever writes. A server that refuses a client says why and closes, so a
    /// client that cannot write reads first: the half that is read has the error.
    fn poll_out(&self, core: &mut Core, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.client && core.broken.is_some() {
            return Poll::Pending;
        }
        match self.poll_push(core, cx) {
            Poll::Ready(Err(error)) if self.client => {
                core.broken = Some(error);
                core.reader.take().into_iter().for_each(Waker::wake);
                Poll::Pending
            }
            done => done,
        }
    }
}

/// What rustls writes its records to.
struct Sink<'a>(&'a mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(&[IoSlice::new(bytes)])
    }
    fn write_vectored(&mut self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        (self.0)(chunks)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Core {
    /// Decrypts what came, or takes note of the end; plaintext goes to `input`. Whatever was good
    /// before an error is kept.
    fn feed(&mut self, mut cipher: &[u8], input: &mut BytesMut) -> Result<(), Error> {
        loop {
            // Never full: it is emptied after each step. After the peer's goodbye it takes nothing.
            let taken = self.tls.read_tls(&mut cipher).unwrap_or(0);
            let result = self.tls.process_new_packets();
            self.drain(input);
            result?;
            if taken == 0 || cipher.is_empty() {
                return Ok(());
            }
        }
    }

    /// Moves plaintext; true at the end of the session.
    fn drain(&mut self, input: &mut BytesMut) -> bool {
        loop {
            let mut reader = self.tls.reader();
            match reader.fill_buf() {
                Ok([]) => return true,
                Ok(chunk) => {
                    let count = chunk.len();
                    input.extend_from_slice(chunk);
                    reader.consume(count);
                    self.heard = true;
                }
                // A stream that just ends is an end like any other: every protocol here says how
                // long its messages are, so that half a message is known for one.
                Err(error) => return error.kind() == io::ErrorKind::UnexpectedEof,
            }
        }
    }
}

/// The half that is read.
struct Read {
    session: Arc<Session>,
    below: Box<dyn ReadHalf>,
    role: Role,
    /// Until hands are shaken.
    handshake: Option<Box<Handshake>>,
    /// What came along with the end of the handshake.
    early: BytesMut,
    failed: Option<Error>,
    ended: bool,
}

struct Handshake {
    /// Nothing has come yet.
    first: bool,
    /// It failed, and the peer is let read why until then.
    refused: Option<(Told, Instant)>,
    alarm: Alarm,
}

impl ReadHalf for Read {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut handshake) = self.handshake.take() else { return Poll::Ready(Ok(())) };
        let result = self.poll_handshake(&mut handshake, cx);
        if !matches!(result, Poll::Ready(Ok(()))) {
            self.handshake = Some(handshake);
        }
        result
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?;
        {
            let mut core = self.session.lock();
            self.stand_by(&mut core, cx);
            let held = !self.early.is_empty() || core.tls.reader().fill_buf().is_ok();
            if held || self.ended || self.failed.is_some() || core.broken.is_some() {
                return Poll::Ready(Ok(()));
            }
        }
        self.below.poll_ready(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?;
        let before = input.len();
        input.unsplit(std::mem::take(&mut self.early));
        loop {
            {
                let mut core = self.session.lock();
                self.ended |= core.drain(input);
                if input.len() > before || self.ended {
                    return Poll::Ready(Ok(input.len() - before));
                }
                if let Some(error) = &self.failed {
                    let told = words::told(error, &self.role, !core.heard);
                    return Poll::Ready(Err(told.error()));
                }
                self.stand_by(&mut core, cx);
            }
            let mut cipher = CIPHER.take();
            let read = self.poll_cipher(cx, &mut cipher);
            if let Poll::Ready(Ok(_)) = read {
                let mut core = self.session.lock();
                self.failed = core.feed(&cipher, input).err();
                self.ended |= cipher.is_empty();
            }
            give_back(cipher);
            match read {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // Nothing says why the socket cannot be written.
                Poll::Pending => match self.session.lock().broken.take() {
                    Some(error) => return Poll::Ready(Err(error)),
                    None => return Poll::Pending,
                },
            }
        }
    }
}

impl Read {
    /// Writes what others left, and will be called for what they leave.
    fn stand_by(&self, core: &mut Core, cx: &mut Context<'_>) {
        if !core.reader.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            core.reader = Some(cx.waker().clone());
        }
        // What has come is read all the same: the peer may have sent it before it left.
        if core.broken.is_none()
            && let Poll::Ready(Err(error)) = self.session.poll_push(core, cx)
        {
            core.broken = Some(error);
        }
    }

    fn poll_cipher(
        &mut self,
        cx: &mut Context<'_>,
        cipher: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        cipher.clear();
        cipher.reserve(CIPHER_BYTES);
        self.below.poll_read(cx, cipher)
    }

    fn poll_handshake(
        &mut self,
        handshake: &mut Handshake,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if handshake.refused.is_some() {
                return self.poll_refuse(handshake, cx);
            }
            {
                let mut core = self.session.lock();
                self.stand_by(&mut core, cx);
                if !core.tls.is_handshaking() {
                    let shown = core.tls.peer_certificates().and_then(|chain| chain.first());
                    core.identity = shown.map(|own| Arc::new(identity(own)));
                    return Poll::Ready(Ok(()));
                }
            }
            let mut cipher = CIPHER.take();
            let read = self.poll_cipher(cx, &mut cipher);
            let told = match &read {
                Poll::Ready(Ok(0)) => Some(words::ended(&self.role)),
                Poll::Ready(Ok(_)) => self.advance(handshake, &cipher),
                _ => None,
            };
            give_back(cipher);
            if let Some(told) = told {
                let gone = matches!(read, Poll::Ready(Ok(0)));
                match self.role {
                    Role::Server { linger, .. } if !gone => {
                        handshake.refused = Some((told, after(Instant::now(), linger)));
                        continue;
                    }
                    _ => return Poll::Ready(Err(told.error())),
                }
            }
            match read {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    if let Some(error) = self.session.lock().broken.take() {
                        return Poll::Ready(Err(error));
                    }
                    let Role::Server { until, .. } = self.role else { return Poll::Pending };
                    handshake.alarm.set(until);
                    ready!(handshake.alarm.poll(cx));
                    return Poll::Ready(Err(words::too_slow().error()));
                }
            }
        }
    }

    /// One step of the handshake; says what is wrong with it, and so is the peer told.
    fn advance(&mut self, handshake: &mut Handshake, cipher: &[u8]) -> Option<Told> {
        let first = std::mem::take(&mut handshake.first);
        let session = Arc::clone(&self.session);
        let mut core = session.lock();
        let mut write = |chunks: &[IoSlice<'_>]| session.below.try_write(chunks);
        // A handshake begins with a record of type 22 (RFC 8446 §5.1).
        let server = matches!(self.role, Role::Server { .. });
        if server && first && cipher[0] != 22 && cipher[0].is_ascii_uppercase() {
            let _ = write(&[IoSlice::new(PLAIN_HTTP)]);
            return Some(words::not_tls(cipher));
        }
        let error = core.feed(cipher, &mut self.early).err()?;
        let _ = session.push(&mut core, &mut write);
        match server && first && cipher[0] != 22 {
            true => Some(words::not_tls(cipher)),
            false => Some(words::told(&error, &self.role, true)),
        }
    }

    /// The handshake failed, and the peer was told. A socket that is closed with unread input would
    /// take that back, so what still comes is read for a while.
    fn poll_refuse(
        &mut self,
        handshake: &mut Handshake,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some((told, until)) = handshake.refused.take() else { return Poll::Ready(Ok(())) };
        let _ = self.session.below.poll_close(cx);
        for _ in 0..DISCARDS {
            let mut cipher = CIPHER.take();
            let read = self.poll_cipher(cx, &mut cipher);
            give_back(cipher);
            match read {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(told.error())),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    handshake.alarm.set(until);
                    if handshake.alarm.poll(cx).is_ready() {
                        return Poll::Ready(Err(told.error()));
                    }
                    handshake.refused = Some((told, until));
                    return Poll::Pending;
                }
            }
        }
        if Instant::now() >= until {
            return Poll::Ready(Err(told.error()));
        }
        handshake.refused = Some((told, until));
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn give_back(mut cipher: BytesMut) {
    cipher.clear();
    if cipher.capacity() <= 2 * CIPHER_BYTES {
        CIPHER.set(cipher);
    }
}

/// The half that is written.
struct Write(Arc<Session>);

impl WriteHalf for Write {
    fn poll_write(&self, cx: &mut Context<'_>, chunks: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut core = self.0.lock();
        ready!(self.0.poll_out(&mut core, cx))?;
        let count = core.tls.writer().write_vectored(chunks)?;
        match self.0.poll_out(&mut core, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What the socket does not take now is written before anything else is.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(count)),
        }
    }

    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        let blocked = || io::Error::from(io::ErrorKind::WouldBlock);
        if chunks.iter().map(|chunk| chunk.len()).sum::<usize>() > TRY_BYTES {
            return Err(blocked());
        }
        let mut core = self.0.core.try_lock().map_err(|_| blocked())?;
        if core.tls.wants_write() || core.tls.is_handshaking() || core.broken.is_some() {
            return Err(blocked());
        }
        let count = core.tls.writer().write_vectored(chunks)?;
        if self.0.push(&mut core, &mut |chunks| self.0.below.try_write(chunks)).is_err() {
            // Whoever reads tries again, and meets the same error if it is one.
            core.reader.take().into_iter().for_each(Waker::wake);
        }
        Ok(count)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut core = self.0.lock();
        self.0.poll_out(&mut core, cx)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()> {
        {
            let mut core = self.0.lock();
            if !std::mem::replace(&mut core.closed, true) {
                core.tls.send_close_notify();
            }
            if core.broken.is_none() {
                let _ = ready!(self.0.poll_push(&mut core, cx));
            }
        }
        self.0.below.poll_close(cx)
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.0.lock().identity.clone()
    }
}
