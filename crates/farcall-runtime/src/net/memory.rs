//! The in-process transport: two pipes. For tests, and for services that live in one process.

use super::{Peer, ReadHalf, Stream, WriteHalf};
use bytes::{Buf, BytesMut};
use std::{
    collections::HashMap,
    io::{self, IoSlice},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

/// Bytes one direction holds before its writer must wait: about what a loopback socket does.
const PIPE_BYTES: usize = 256 * 1024;

/// Connections that wait to be accepted before dialling is refused.
const BACKLOG: usize = 1024;

/// The two ends of a connection.
pub(crate) fn pair() -> (Stream, Stream) {
    let (up, down) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let end = |read: &Arc<Pipe>, write: &Arc<Pipe>| Stream {
        read: Box::new(Reader(read.clone())),
        write: Arc::new(Writer(write.clone())),
        peer: Peer::Memory,
    };
    (end(&up, &down), end(&down, &up))
}

#[derive(Default)]
struct Pipe(Mutex<State>);

#[derive(Default)]
struct State {
    bytes: BytesMut,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

struct Reader(Arc<Pipe>);

impl ReadHalf for Reader {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.bytes.is_empty() && !state.closed {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.bytes.is_empty() {
            if state.closed {
                return Poll::Ready(Ok(0));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = state.bytes.len().min((input.capacity() - input.len()).max(1));
        input.extend_from_slice(&state.bytes[..count]);
        state.bytes.advance(count);
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Ok(count))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Writer(Arc<Pipe>);

impl Writer {
    fn write(&self, chunks: &[IoSlice<'_>], waker: Option<&Waker>) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = PIPE_BYTES.saturating_sub(state.bytes.len());
        if room == 0 {
            if let Some(waker) = waker {
                state.writer = Some(waker.clone());
            }
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut written = 0;
        for chunk in chunks {
            let part = chunk.len().min(room - written);
            state.bytes.extend_from_slice(&chunk[..part]);
            written += part;
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(written)
    }
}

impl WriteHalf for Writer {
    fn poll_write(&self, cx: &mut Context<'_>, chunks: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.write(chunks, Some(cx.waker())) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            done => Poll::Ready(done),
        }
    }
    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(chunks, None)
    }
    fn poll_close(&self, _: &mut Context<'_>) -> Poll<()> {
        self.0.close();
        Poll::Ready(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Listeners by name: `mem://NAME`.
static LISTENERS: Mutex<Option<HashMap<String, Weak<Queue>>>> = Mutex::new(None);

#[derive(Default)]
struct Queue(Mutex<(Vec<Stream>, Option<Waker>)>);

/// Accepts what is dialled under its name, until it is dropped.
pub(crate) struct MemoryListener {
    name: String,
    queue: Arc<Queue>,
}

impl MemoryListener {
    /// Takes a name; an error where another listener has it.
    pub(crate) fn bind(name: &str) -> io::Result<MemoryListener> {
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        let listeners = listeners.get_or_insert_default();
        if listeners.get(name).is_some_and(|queue| queue.strong_count() > 0) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let queue = Arc::new(Queue::default());
        listeners.insert(name.to_owned(), Arc::downgrade(&queue));
        Ok(MemoryListener { name: name.to_owned(), queue })
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The next connection.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Stream> {
        let mut queue = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.0.is_empty() {
            queue.1 = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(queue.0.remove(0))
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listeners) = listeners.as_mut() {
            listeners.remove(&self.name);
        }
    }
}

/// Opens a connection to the listener of this name.
pub(crate) fn dial(name: &str) -> io::Result<Stream> {
    let queue = {
        let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.as_ref().and_then(|l| l.get(name)).and_then(Weak::upgrade)
    };
    let Some(queue) = queue else { return Err(io::ErrorKind::ConnectionRefused.into()) };
    let mut state = queue.0.lock().unwrap_or_else(PoisonError::into_inner);
    if state.0.len() >= BACKLOG {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    let (ours, theirs) = pair();
    state.0.push(theirs);
    let acceptor = state.1.take();
    drop(state);
    if let Some(acceptor) = acceptor {
        acceptor.wake();
    }
    Ok(ours)
}
