//! A connection in the hands of a plugin, which may put something of its own around it.

use super::{Identity, Peer, ReadHalf, Stream, WriteHalf, wrap};
use bytes::{Buf, BytesMut};
use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection over which nothing was said yet, in the hands of a plugin:
/// [`Plugin::on_accept`](crate::Plugin::on_accept),
/// [`ClientPlugin::on_dial`](crate::ClientPlugin::on_dial). Inside of TLS, where there is TLS.
pub struct Socket(Stream);

impl Socket {
    pub(crate) fn new(stream: Stream) -> Socket {
        Socket(stream)
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.0
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// Puts something around it, through which all bytes go from now on: a counter, a tap, a
    /// cipher.
    ///
    /// Reading and writing are polled by one task. Such a connection costs a copy of each byte in
    /// each direction, and holds a buffer for reading also while it is idle.
    #[must_use]
    pub fn wrap<T>(self, around: impl FnOnce(SocketIo) -> T) -> Socket
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Stream { read, write, peer } = self.0;
        let below = Arc::clone(&write);
        let Stream { read, write, .. } =
            wrap(around(SocketIo { read, write, input: BytesMut::new() }));
        Socket(Stream { read, write: Arc::new(Around { write, below }), peer })
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(self.peer()).finish()
    }
}

/// The bytes of a connection, for what is put around it: see [`Socket::wrap`].
pub struct SocketIo {
    read: Box<dyn ReadHalf>,
    write: Arc<dyn WriteHalf>,
    /// What was read and not taken.
    input: BytesMut,
}

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

impl AsyncRead for SocketIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let SocketIo { read, input, .. } = self.get_mut();
        if input.is_empty() {
            input.reserve(READ_BYTES.min(buf.remaining()).max(1));
            ready!(read.poll_read(cx, input))?;
        }
        let count = input.len().min(buf.remaining());
        buf.put_slice(&input[..count]);
        input.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SocketIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write.poll_write(cx, &[IoSlice::new(bytes)])
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chunks: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write.poll_write(cx, chunks)
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_close(cx).map(Ok)
    }
}

impl fmt::Debug for SocketIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketIo")
    }
}

/// What was put around, which knows nobody; who the peer is, is known below.
struct Around {
    write: Arc<dyn WriteHalf>,
    below: Arc<dyn WriteHalf>,
}

impl WriteHalf for Around {
    fn poll_write(&self, cx: &mut Context<'_>, chunks: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.write.poll_write(cx, chunks)
    }
    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write.try_write(chunks)
    }
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_flush(cx)
    }
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.write.poll_close(cx)
    }
    fn identity(&self) -> Option<Arc<Identity>> {
        self.below.identity()
    }
}
