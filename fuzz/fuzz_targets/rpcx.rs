//! rpcx, both sides: the same events however the bytes are cut, memory within the limits, and what
//! was found is written and cut again to the same.

#![no_main]

use farcall_core::{Compress, Limits, Shaped, Ticket};
use farcall_fuzz::{METHODS, feed, limits, serve, settings};
use farcall_wire::{CallHead, Event, Head, Out, Protocol, ReplyHead, Side, compress, rpcx::Rpcx};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([flags, cuts, dice], bytes)) = settings(data) else { return };
    let (side, limits) = (if flags & 1 == 0 { Side::Server } else { Side::Client }, limits());
    let most = 1 + usize::from(flags >> 4);
    let seen = feed::check(&Rpcx, side, &limits, bytes, cuts, most);
    seen.events.iter().for_each(again);
    if side == Side::Server {
        let served = serve::serve(&mut *Rpcx.open(side, &limits), &feed::pieces(bytes, cuts), dice);
        let mut client = Rpcx.open(Side::Client, &Limits::default());
        let replies = feed::feed(&mut *client, &[&served.out], usize::MAX);
        assert!(replies.end.is_ok(), "{served:?} {replies:?}");
        if served.end.is_ok() {
            // Echoes of heartbeats are among them.
            assert!(replies.events.len() >= served.answered.len());
        }
    }
});

/// Writes what was found, and finds it again.
fn again(event: &Event) {
    // Text that is not UTF-8 becomes longer.
    let limits = Limits::default();
    let (mut out, shape) = (Out::new(), &<() as Shaped>::SHAPE);
    match event {
        Event::Call(call) => {
            let (service, method) = METHODS[call.to.0 as usize];
            let meta = call.meta.pairs();
            let Ticket { seq, format, oneway, .. } = call.ticket;
            let (compress, timeout) = (Compress::None, None);
            let head = CallHead {
                seq,
                service,
                method,
                format,
                compress,
                oneway,
                timeout,
                meta: &meta,
                shape,
                streams: farcall_core::Streams::default(),
            };
            let mut client = Rpcx.open(Side::Client, &limits);
            let mark = client.begin(Head::Call(head), &mut out);
            out.tail().extend_from_slice(&call.body);
            client.end(mark, &mut out);
            let mut server = Rpcx.open(Side::Server, &limits);
            let found = feed::feed(&mut *server, &[&feed::take(&mut out)], usize::MAX).events;
            let [Event::Call(found)] = &found[..] else { panic!("{call:?} became {found:?}") };
            assert_eq!((found.to, found.timeout, &found.body), (call.to, call.timeout, &call.body));
            assert_eq!(found.meta.pairs(), meta);
            let ticket = found.ticket;
            assert_eq!((ticket.seq, ticket.format, ticket.oneway), (seq, format, oneway));
            unfold(call.ticket.compress, &call.body);
        }
        Event::Reply(reply) => {
            let (seq, echo, format) = (reply.seq, 0, reply.format);
            let ticket = Ticket { seq, echo, format, compress: Compress::None, oneway: false };
            let (service, method, error) = ("", "", reply.error.as_ref());
            let head =
                ReplyHead { ticket: &ticket, service, method, error, meta: &[], shape: None };
            let mut server = Rpcx.open(Side::Server, &limits);
            let mark = server.begin(Head::Reply(head), &mut out);
            out.tail().extend_from_slice(&reply.body);
            server.end(mark, &mut out);
            let mut client = Rpcx.open(Side::Client, &limits);
            let found = feed::feed(&mut *client, &[&feed::take(&mut out)], usize::MAX).events;
            let [Event::Reply(found)] = &found[..] else { panic!("{reply:?} became {found:?}") };
            assert_eq!((found.seq, &found.error), (reply.seq, &reply.error));
            assert_eq!(found.body, reply.body);
            unfold(reply.compress, &reply.body);
        }
        Event::Unknown(_) => {}
    }
}

/// A body unfolds to what it may, or is refused.
fn unfold(how: Compress, body: &bytes::Bytes) {
    let most = limits().unfolded_bytes;
    if let Ok(unfolded) = compress::unfold(how, body.clone(), most) {
        assert!(unfolded.len() <= most || how == Compress::None);
    }
}
