//! A connection of the caller's own: any `AsyncRead + AsyncWrite`.

use super::{Peer, ReadHalf, Stream, WriteHalf};
use bytes::BytesMut;
use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
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
        Pin::new(&mut *io).poll_write_vectored(cx, chunks)
    }
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *io).poll_flush(cx)
    }
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut io = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *io).poll_shutdown(cx).map(drop)
    }
}
