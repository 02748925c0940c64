//! A connection behind HTTP's `CONNECT`: asked for as part of dialling, and then a stream like any
//! other.

use super::{ReadHalf, Stream, told};
use bytes::{Buf, BytesMut};
use farcall_wire::{Tunnel, http1::Opening};
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    task::{Context, Poll},
};

/// Bytes read at once while the answer is awaited: it is one line.
const READ_BYTES: usize = 1024;

/// Asks the server for the tunnel and waits for its answer. Nothing is written behind the request
/// before that: Go's servers lose it.
pub(crate) async fn tunnel(
    mut stream: Stream,
    tunnel: Tunnel,
    path: Option<&str>,
    head_bytes: usize,
) -> io::Result<Stream> {
    let (mut opening, request) = Opening::new(tunnel, path, head_bytes);
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        match poll_fn(|cx| stream.write.poll_write(cx, &[IoSlice::new(rest)])).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => rest = &rest[written..],
        }
    }
    poll_fn(|cx| stream.write.poll_flush(cx)).await?;
    let mut input = BytesMut::new();
    let length = loop {
        if told::is_alert(&input) {
            return Err(told::wants_tls().error());
        }
        if let Some(length) = opening.read(&input).map_err(io::Error::other)? {
            break length;
        }
        input.reserve(READ_BYTES);
        if poll_fn(|cx| stream.read.poll_read(cx, &mut input)).await? == 0 {
            let text = "the server closed the connection instead of answering CONNECT";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
    };
    input.advance(length);
    if !input.is_empty() {
        stream.read = Box::new(Early { early: input, rest: stream.read });
    }
    Ok(stream)
}

/// What came together with the answer, and then the rest.
struct Early {
    early: BytesMut,
    rest: Box<dyn ReadHalf>,
}

impl ReadHalf for Early {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.early.is_empty() {
            true => self.rest.poll_ready(cx),
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.early.is_empty() {
            return self.rest.poll_read(cx, input);
        }
        let count = self.early.len().min((input.capacity() - input.len()).max(1));
        input.extend_from_slice(&self.early[..count]);
        self.early.advance(count);
        Poll::Ready(Ok(count))
    }
}
