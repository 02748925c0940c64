//! net/rpc, both sides: the same events however the bytes are cut, bodies that decode or are
//! refused, and answers that our client finds again in the order they were given.

#![no_main]

use farcall_core::{Limits, Take, Value};
use farcall_fuzz::{Table, bounds, feed, kinds, limits, memory, serve, settings};
use farcall_wire::{Event, Protocol, Side, gob, netrpc::NetRpc};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([flags, cuts, dice], bytes)) = settings(data) else { return };
    let (side, limits) = (if flags & 1 == 0 { Side::Server } else { Side::Client }, limits());
    let open = || NetRpc.open(side, &limits);
    let seen = feed::check(&open, &Table, bytes, cuts, 1 + usize::from(flags >> 4));
    for event in &seen.events {
        let body = match event {
            Event::Call(call) => &call.body,
            Event::Reply(reply) => &reply.body,
            _ => continue,
        };
        read::<Value>(body);
        read::<kinds::Args>(body);
        read::<kinds::Kinds>(body);
    }
    if side == Side::Server {
        let served = serve::serve(&mut *open(), &Table, &feed::pieces(bytes, cuts), dice);
        let mut client = NetRpc.open(Side::Client, &Limits::default());
        let replies = feed::feed(&mut *client, &(), &[&served.out], usize::MAX);
        assert!(replies.end.is_ok(), "{served:?} {replies:?}");
        let number = |event: &Event| match event {
            Event::Reply(reply) => reply.seq,
            other => panic!("{other:?}"),
        };
        assert_eq!(replies.events.iter().map(number).collect::<Vec<_>>(), served.answered);
    }
});

fn read<T: Take>(body: &farcall_core::Body) {
    // The plan for a pair of types is part of it.
    memory::within(512 * 1024, || {
        drop(gob::decode::<T>(&body.bytes, body.lent.as_ref(), bounds()))
    });
}
