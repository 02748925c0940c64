//! rpcx, both sides: the same events however the bytes are cut, memory within the limits, and what
//! was found is written and cut again to the same.

#![no_main]

use farcall_core::{Compress, Limits, Shaped, Ticket};
use farcall_fuzz::{Dice, METHODS, Table, feed, limits, serve, settings};
use farcall_wire::{
    CallHead, Event, Head, Out, Protocol, ReplyHead, Side, Wire, compress, rpcx::Rpcx,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([flags, cuts, dice], bytes)) = settings(data) else { return };
    let (side, limits) = (if flags & 1 == 0 { Side::Server } else { Side::Client }, limits());
    let most = 1 + usize::from(flags >> 4);
    let open = || Rpcx.open(side, &limits);
    let repeated;
    let bytes = match flags & 2 {
        0 => bytes,
        _ => {
            repeated = repeat(bytes, dice);
            &repeated[..]
        }
    };
    let seen = feed::check(&open, &Table, bytes, cuts, most);
    seen.events.iter().for_each(again);
    alone(&open, bytes, &seen);
    if side == Side::Server {
        let served = serve::serve(&mut *open(), &Table, &feed::pieces(bytes, cuts), dice);
        let mut client = Rpcx.open(Side::Client, &Limits::default());
        let replies = feed::feed(&mut *client, &(), &[&served.out], usize::MAX);
        assert!(replies.end.is_ok(), "{served:?} {replies:?}");
        if served.end.is_ok() {
            // Echoes of heartbeats are among them.
            assert!(replies.events.len() >= served.answered.len());
        }
    }
});

/// The first frame of an input, if all of it is there, and the rest.
fn frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let total = u32::from_be_bytes(*bytes.get(12..)?.first_chunk()?) as usize;
    bytes.split_at_checked(total.checked_add(16)?)
}

/// Every frame twice, and between them one that differs by a byte.
fn repeat(bytes: &[u8], seed: u8) -> Vec<u8> {
    let (mut all, mut rest, mut dice) = (Vec::new(), bytes, Dice::new(seed));
    while let Some((frame, behind)) = frame(rest) {
        let start = all.len() + frame.len();
        all.extend_from_slice(&[frame, frame, frame].concat());
        // Names and metadata stand behind the header; in it, flags are what is worth a try.
        let at = [2 + dice.below(2), 16 + dice.below(40), dice.below(frame.len())][dice.below(3)];
        if at < frame.len() {
            all[start + at] = all[start + at].wrapping_add([1, 255, 32][dice.below(3)]);
        }
        rest = behind;
    }
    all.extend_from_slice(rest);
    all
}

/// A wire remembers the last call; one that never saw it must find the same.
fn alone(open: &dyn Fn() -> Box<dyn Wire>, bytes: &[u8], seen: &feed::Seen) {
    let (mut events, mut out, mut rest) = (Vec::new(), Vec::new(), bytes);
    let end = loop {
        let (first, behind) = frame(rest).unwrap_or((rest, &[]));
        let one = feed::feed(&mut *open(), &Table, &[first], usize::MAX);
        events.extend(one.events.iter().map(|event| format!("{event:?}")));
        out.extend_from_slice(&one.out);
        rest = behind;
        if rest.is_empty() || one.end.is_err() {
            break one.end;
        }
    };
    let together: Vec<String> = seen.events.iter().map(|event| format!("{event:?}")).collect();
    assert_eq!((events, out, &end), (together, seen.out.clone(), &seen.end));
}

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
            let found =
                feed::feed(&mut *server, &Table, &[&feed::take(&mut out)], usize::MAX).events;
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
            let found = feed::feed(&mut *client, &(), &[&feed::take(&mut out)], usize::MAX).events;
            let [Event::Reply(found)] = &found[..] else { panic!("{reply:?} became {found:?}") };
            assert_eq!((found.seq, &found.error), (reply.seq, &reply.error));
            assert_eq!(found.body, reply.body);
            unfold(reply.compress, &reply.body);
        }
        Event::Unknown(_) => {}
        other => panic!("rpcx has neither pages nor streams: {other:?}"),
    }
}

/// A body unfolds to what it may, or is refused.
fn unfold(how: Compress, body: &bytes::Bytes) {
    let most = limits().unfolded_bytes;
    if let Ok(unfolded) = compress::unfold(how, body.clone(), most) {
        assert!(unfolded.len() <= most || how == Compress::None);
    }
}
