//! What a server pushes: written as Go writes it, read however it is cut.

use super::kit::{block, check, feed, frame, pairs, vector, written};
use crate::rpcx::{Broken, Rpcx};
use crate::{Event, Fed, Head, Protocol, PushHead, Side};
use farcall_core::{Format, Limits};

#[test]
fn it_is_written_byte_for_byte() {
    let mut server = Rpcx.open(Side::Server, &Limits::default());
    let (service, method) = ("test_service_path", "test_service_method");
    let head = PushHead { service, method, format: Format::Raw, meta: &[] };
    assert_eq!(written(&mut *server, Head::Push(head), b"abcde"), vector("V6"));

    // The next has the next number; metadata and formats have their places.
    let meta = pairs(&[("number", "1"), ("größe", "")]);
    let head = PushHead { service: "S", method: "m", format: Format::Json, meta: &meta };
    let bytes = written(&mut *server, Head::Push(head), b"{}");
    let expected = frame(0x2010, 2, [b"S", b"m", &block(&[("number", "1"), ("größe", "")]), b"{}"]);
    assert_eq!(bytes, expected);
}

#[test]
fn it_is_read_however_it_is_cut() {
    let meta = block(&[("k", "v")]);
    for size in [0, 1, 20_000] {
        let body = vec![b'x'; size];
        let bytes = frame(0x2430, 7, [b"S", b"m", &meta, &body]);
        let seen = match size {
            20_000 => feed(&mut *Rpcx.open(Side::Client, &Limits::default()), &bytes, &[5, 17]),
            _ => check(Side::Client, &Limits::default(), &bytes),
        };
        let [Event::Push(push)] = &seen.found[..] else { panic!("{:?}", seen.found) };
        assert_eq!((&*push.service, &*push.method, push.format), ("S", "m", Format::MsgPack));
        assert_eq!(push.meta.get("k").as_deref(), Some("v"));
        assert_eq!(push.body.bytes, body);
        assert_eq!(seen.end, Ok(Fed::Hungry { need: 0 }));
    }
}

#[test]
fn names_that_are_no_text_are_let_pass_and_broken_metadata_is_not() {
    let seen = check(Side::Client, &Limits::default(), &frame(0x2000, 1, [&[0xff], b"", b"", b""]));
    assert_eq!(seen.events(), ["push [\u{fffd}.] Raw None"]);
    let seen =
        check(Side::Client, &Limits::default(), &frame(0x2000, 1, [b"S", b"m", b"abc", b""]));
    assert_eq!(seen.end, Err(crate::Broken::Rpcx(Broken::MetaCut { left: 3 })));
    // A one-way heartbeat and a one-way reply are none.
    for bits in [0x6000, 0xa000] {
        let seen = check(Side::Client, &Limits::default(), &frame(bits, 1, [b"S", b"m", b"", b""]));
        assert!(matches!(seen.found[..], [Event::Reply(_)]), "{bits:x}: {:?}", seen.found);
    }
}
