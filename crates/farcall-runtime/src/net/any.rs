//! A connection of the caller's own: any `AsyncRead + AsyncWrite`.

use super::{Peer, ReadHalf, Stream, WriteHalf};
use bytes::BytesMut;
use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf as IoRead, WriteHalf as IoWrite};

/// Wraps a stream. Callers never write to it directly: it cannot be tried without a task.
pub(crate) fn wrap<T>(io: T) -> Stream
where
    T: AsyncRead + AsyncWrite + Send + 'static,
{
    let (read, write) = tokio::io::split(io);
    Stream {
        read: Box::new(Read(read)),
        write: Arc::new(Write(Mutex::new(write))),
        peer: Peer::Unknown,
    }
}

struct Read<T>(IoRead<T>);

impl<T: AsyncRead + Send> ReadHalf for Read<T> {
    /// Nobody can ask such a stream whether it is ready: reading is the question.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        pin!(self.0.read_buf(input)).poll(cx)
    }
}

struct Write<T>(Mutex<IoWrite<T>>);

impl<T: AsyncWrite + Send> WriteHalf for Write<T> {
    fn poll_write(&self, cx: &mut Context<'_>, chunks: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut io = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = ready!(Pin::new(&mut *io).poll_write_vectored(cx, chunks))?;
        // Streams with buffers of their own keep bytes back until they are flushed. If that waits, the
        // task is woken and flushes with the next write or never needs to: the bytes count as written.
        let _ = Pin::new(&mut *io).poll_flush(cx)?;
        Poll::Ready(Ok(written))
    }
    fn close(&self) {
        let mut io = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = Pin::new(&mut *io).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}
