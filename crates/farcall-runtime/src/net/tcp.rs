//! TCP.

use super::{Peer, ReadHalf, Stream, Tcp, WriteHalf};
use bytes::BytesMut;
use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::AsyncReadExt,
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Opens a connection.
pub(crate) async fn dial(address: &str, settings: &Tcp) -> io::Result<Stream> {
    let socket = TcpStream::connect(address).await?;
    settings.apply(socket2::SockRef::from(&socket))?;
    adopt(socket, settings)
}

/// Listens on the first address of a name that can be had.
pub(crate) async fn bind(address: &str, settings: &Tcp) -> io::Result<TcpListener> {
    let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for address in tokio::net::lookup_host(address).await? {
        result = open(address, settings);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn open(address: SocketAddr, settings: &Tcp) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows it would let others take the address.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    settings.apply(socket2::SockRef::from(&socket))?;
    socket.bind(address)?;
    socket.listen(settings.backlog)
}

/// Takes a connected socket.
pub(crate) fn adopt(socket: TcpStream, settings: &Tcp) -> io::Result<Stream> {
    socket.set_nodelay(settings.nodelay)?;
    let peer = Peer::Tcp(socket.peer_addr()?);
    let (read, write) = socket.into_split();
    Ok(Stream { read: Box::new(Read(read)), write: Arc::new(Write(write)), peer })
}

struct Read(OwnedReadHalf);

impl ReadHalf for Read {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().poll_read_ready(cx)
    }
    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        // The future of `read_buf` holds no state between polls, so a fresh one each time is sound.
        pin!(self.0.read_buf(input)).poll(cx)
    }
}

struct Write(OwnedWriteHalf);

impl WriteHalf for Write {
    fn poll_write(&self, cx: &mut Context<'_>, chunks: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            // Try first: a socket is nearly always writable, and asking costs as much as writing.
            match self.try_write(chunks) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
            ready!(self.0.as_ref().poll_write_ready(cx))?;
        }
    }
    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        match chunks {
            // The kernel has less to do for one.
            [only] => self.0.try_write(only),
            several => self.0.try_write_vectored(several),
        }
    }
    fn poll_close(&self, _: &mut Context<'_>) -> Poll<()> {
        // Dropping the owned half shuts the direction down as well; this is for a stream whose
        // halves live on while the peer finishes.
        let _ = socket_of(&self.0).shutdown(std::net::Shutdown::Write);
        Poll::Ready(())
    }
}

fn socket_of(half: &OwnedWriteHalf) -> socket2::SockRef<'_> {
    socket2::SockRef::from(half.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    #[tokio::test]
    async fn small_writes_wait_only_where_that_was_asked_for() {
        let listener = bind("127.0.0.1:0", &Tcp::default()).await.expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        for nodelay in [true, false] {
            let settings = Tcp { nodelay, ..Tcp::default() };
            let dialled = TcpStream::connect(&address).await.expect("it listens");
            let copy = SockRef::from(&dialled).try_clone().expect("a copy");
            let stream = adopt(dialled, &settings).expect("it is connected");
            assert_eq!(copy.tcp_nodelay().expect("it is TCP"), nodelay);
            drop(stream);
        }
    }
}
