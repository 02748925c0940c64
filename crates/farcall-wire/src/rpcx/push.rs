//! Messages that a server pushes.
//!
//! Source: rpcx `server/server_response.go`, `SendMessage`, and `client/client.go`, `input`: a
//! request with the one-way bit, its body raw and never compressed. Its number counts messages
//! from 1 and means nothing; Go counts them for a whole server, this end for one connection.

use super::{Frames, Place, header, meta, take, write};
use crate::{Event, Mark, Out, Push, PushHead};
use bytes::{Bytes, BytesMut};
use farcall_core::{Compress, Meta, Str};

impl Frames {
    /// Opens the frame of a push.
    #[cold]
    pub(super) fn begin_push(&mut self, head: &PushHead<'_>, out: &mut Out) -> Mark {
        self.pushed += 1;
        let word = header::WORD | header::ONEWAY | header::format_bits(head.format);
        let names = [head.service, head.method];
        let (frame, body) = write(out.tail(), word, self.pushed, names, head.meta, None);
        Mark { frame, body, compress: Compress::None }
    }
}

/// Takes a push off the input. One that is short is copied: it may wait for long to be taken, and
/// must not keep alive the block it came in.
#[cold]
pub(super) fn receive(
    head: header::Header,
    [service, method]: [Str; 2],
    place: Place,
    input: &mut BytesMut,
) -> Event {
    let (format, compress) = (head.format(), head.compress());
    let (meta, body) = match place.end <= COPY_BELOW {
        true => {
            let frame = input.split_to(place.end);
            let block = &frame[..place.body_at - 4][place.body_at - 4 - place.meta_len..];
            let meta = Meta::new(Bytes::copy_from_slice(block), meta::walk);
            (meta, Bytes::copy_from_slice(&frame[place.body_at..]))
        }
        false => take(place, input),
    };
    let body = body.into();
    Event::Push(Box::new(Push { service, method, format, compress, meta, body }))
}

/// Frames up to this many bytes are copied.
const COPY_BELOW: usize = 16 * 1024;
