//! Bytes of a Go peer, fed whole, byte by byte and cut at every offset; bad frames; mutations;
//! round trips.

mod kit;
mod memo;
mod push;
mod random;

use super::{Broken, Rpcx};
use crate::compress::{Unfold, unfold};
use crate::{CallHead, Control, Event, Fed, Head, Out, Protocol, ReplyHead, Side, Sniff, sniff};
use bytes::{Bytes, BytesMut};
use farcall_core::{Code, Compress, Format, Limits, Origin, Sent, Status, Ticket};
use kit::{Table, block, call, check, feed, flat, frame, hex, pairs, reply, vector, written};
use std::time::Duration;

#[test]
fn vectors_decode_however_they_are_cut() {
    use Side::{Client, Server};
    let gzip = hex(&vector("V7")[34..]);
    let v7 = format!("call 0 seq=2 echo=000400 Raw Gzip body={gzip}");
    let v9 = "no service [.] seq=0 echo=000400 Raw Gzip oneway=false";
    let error = "error=unimplemented: rpcx: can't find service Foo [said by the peer, sent]";
    let v4 = format!(
        "reply seq=1 {error} MsgPack None \
                      meta={{\"__rpcx_error__\": \"rpcx: can't find service Foo\"}}"
    );
    let table: &[(&str, Side, &[&str])] = &[
        ("V1", Server, &["call 0 seq=1 echo=000030 MsgPack None body=82a1410aa14214"]),
        (
            "V2",
            Server,
            &["call 0 seq=1 echo=000030 MsgPack None meta={\"__AUTH\": \"tok\"} \
               body=82a1410aa14214"],
        ),
        ("V3", Client, &["reply seq=1 MsgPack None body=81a143ccc8"]),
        // A server does not look at the type bit.
        ("V3", Server, &["call 0 seq=1 echo=008030 MsgPack None body=81a143ccc8"]),
        ("V4", Client, &[&v4]),
        ("V5", Server, &[]),
        ("V6", Client, &["push [test_service_path.test_service_method] Raw None body=6162636465"]),
        (
            "V6",
            Server,
            &["no service [test_service_path.test_service_method] seq=1 echo=002000 Raw None \
               oneway=true"],
        ),
        ("V7", Server, &[&v7]),
        ("V9", Server, &[v9]),
    ];
    for (name, side, expected) in table {
        let bytes = vector(name);
        let seen = check(*side, &Limits::default(), &bytes);
        assert_eq!(seen.events(), *expected, "{name}");
        assert_eq!(seen.end, Ok(Fed::Hungry { need: 0 }), "{name}");
        let mut echo = if *name == "V5" { bytes } else { Vec::new() };
        echo.iter_mut().skip(2).take(1).for_each(|flags| *flags |= 0x80);
        assert_eq!(seen.out, echo, "{name}");
    }
    let all: Vec<u8> = ["V1", "V5", "V2", "V7", "V6", "V3"].into_iter().flat_map(vector).collect();
    assert_eq!(check(Server, &Limits::default(), &all).found.len(), 5);
}

#[test]
fn a_goodbye_is_a_reply_that_nobody_waits_for() {
    let mut server = Rpcx.open(Side::Server, &Limits::default());
    let mut out = Out::new();
    server.control(Control::Goodbye, &mut out);
    let text = farcall_core::LEAVING;
    let meta = block(&[("__rpcx_error__", text)]);
    // Type and status bits of an error reply, no format.
    assert_eq!(flat(&out), frame(0x8100, u64::MAX, [b"", b"", &meta, b""]));
    let mut client = Rpcx.open(Side::Client, &Limits::default());
    let found = feed(&mut *client, &flat(&out), &[]).found;
    assert!(matches!(found[..], [Event::Goodbye]), "{found:?}");
    // A call that was not run is named in another, which Go's client drops as well.
    let (format, compress) = (Format::MsgPack, Compress::None);
    let ticket = Ticket { seq: 7, echo: 0x30, format, compress, oneway: false };
    let status = Status::leaving();
    let head = ReplyHead { error: Some(&status), ..reply(&ticket) };
    let refusal = written(&mut *server, Head::Reply(head), b"");
    let named = block(&[("__not_run", "7"), ("__rpcx_error__", text)]);
    assert_eq!(refusal, frame(0x8100, u64::MAX, [b"", b"", &named, b""]));
    let found = feed(&mut *client, &refusal, &[]).found;
    let [Event::Reply(reply)] = &found[..] else { panic!("{found:?}") };
    assert!(reply.seq == 7 && reply.error.as_ref().is_some_and(Status::is_leaving), "{reply:?}");
    // The same words to a call are its refusal.
    let refusal = frame(0x8100, 7, [b"", b"", &meta, b""]);
    let found = feed(&mut *client, &refusal, &[]).found;
    let [Event::Reply(reply)] = &found[..] else { panic!("{found:?}") };
    assert!(reply.error.as_ref().is_some_and(Status::is_leaving), "{reply:?}");
}

#[test]
fn vectors_are_written_byte_for_byte() {
    let mut client = Rpcx.open(Side::Client, &Limits::default());
    let auth = pairs(&[("__AUTH", "tok")]);
    let args = vector("V8");
    for (name, meta) in [("V1", &[][..]), ("V2", &auth)] {
        let head = CallHead { meta, ..call() };
        assert_eq!(written(&mut *client, Head::Call(head), &args), vector(name), "{name}");
    }
    let mut out = Out::new();
    client.control(Control::Ping { seq: 0, token: 0x0102_0304_0506_0708 }, &mut out);
    assert_eq!(flat(&out), vector("V5"));

    let mut server = Rpcx.open(Side::Server, &Limits::default());
    let found = feed(&mut *server, &vector("V1"), &[]).found;
    let [Event::Call(call)] = &found[..] else { panic!("{found:?}") };
    let head = reply(&call.ticket);
    let success = vector("V3");
    assert_eq!(written(&mut *server, Head::Reply(head), &success[40..]), success);
    let status = Status::unimplemented("rpcx: can't find service Foo");
    let head = ReplyHead { error: Some(&status), ..reply(&call.ticket) };
    assert_eq!(written(&mut *server, Head::Reply(head), &[]), vector("V4"));

    let thrift = CallHead { format: Format::Thrift, ..self::call() };
    let bytes = written(&mut *client, Head::Call(thrift), &vector("V10"));
    let expected = "call 0 seq=1 echo=000040 Thrift None body=0800010000000a0800020000001400";
    assert_eq!(check(Side::Server, &Limits::default(), &bytes).events(), [expected]);
}

#[test]
fn gzip_of_go_unfolds() {
    for (name, at, plain) in [("V7", 34, vec![b'a'; 1100]), ("V9", 32, Vec::new())] {
        let body = Bytes::from(vector(name)).slice(at..);
        assert_eq!(unfold(Compress::Gzip, body, 1100), Ok(plain.into()), "{name}");
    }
    // gzip of nothing at all is left to the unfolding as well.
    let bytes = frame(0x0400, 1, [b"A", b"m", b"", b""]);
    let found = check(Side::Server, &Limits::default(), &bytes).found;
    let [Event::Call(call)] = &found[..] else { panic!("{found:?}") };
    let unfolded = unfold(call.ticket.compress, call.body.bytes.clone(), 10);
    assert!(matches!(unfolded, Err(Unfold::Corrupt(_))), "{unfolded:?}");
}

#[test]
fn bodies_are_compressed_above_1024_bytes() {
    let mut client = Rpcx.open(Side::Client, &Limits::default());
    let mut server = Rpcx.open(Side::Server, &Limits::default());
    for (asked, len, compress) in [
        (Compress::Gzip, 1024, Compress::None),
        (Compress::Gzip, 1025, Compress::Gzip),
        (Compress::None, 5000, Compress::None),
        (Compress::Other(5), 5000, Compress::None),
    ] {
        let body = vec![b'x'; len];
        let head = Head::Call(CallHead { compress: asked, ..call() });
        let bytes = written(&mut *client, head, &body);
        let mut found = feed(&mut *server, &bytes, &[]).found;
        let Some(Event::Call(call)) = found.pop() else { panic!() };
        assert_eq!(call.ticket.compress, compress, "{asked} {len}");
        assert_eq!(unfold(compress, call.body.bytes, len), Ok(body.clone().into()));

        // The reply does as the request says, whatever the request's own body was worth.
        let mut ticket = call.ticket;
        ticket.compress = asked;
        ticket.echo |= 0x1c00;
        let bytes = written(&mut *server, Head::Reply(reply(&ticket)), &body);
        let mut found = feed(&mut *client, &bytes, &[]).found;
        let Some(Event::Reply(reply)) = found.pop() else { panic!() };
        assert_eq!(reply.compress, compress, "{asked} {len}");
        assert_eq!(unfold(compress, reply.body.bytes, len), Ok(body.into()));
    }
}

#[test]
fn replies_echo_the_head() {
    let mut server = Rpcx.open(Side::Server, &Limits::default());
    for status in 0..4_u8 {
        for oneway in [0, 0x20] {
            let mut bytes = frame(0, u64::MAX - 1, [b"A", b"m", b"", b"x"]);
            (bytes[1], bytes[2], bytes[3]) = (7, 0x04 | oneway | status, 0x3b);
            let found = feed(&mut *server, &bytes, &[]).found;
            let [Event::Call(call)] = &found[..] else { panic!("{found:?}") };
            assert_eq!(call.ticket.oneway, oneway != 0);
            let failure = Status::internal("no");
            for (error, status) in [(None, status), (Some(&failure), 1)] {
                let head = ReplyHead { error, ..reply(&call.ticket) };
                let reply = written(&mut *server, Head::Reply(head), b"y");
                assert_eq!(reply[..4], [8, 7, 0x80 | oneway | status, 0x3b]);
                assert_eq!(reply[4..12], bytes[4..12]);
            }
        }
    }
    // Numbers without a name keep their bits.
    let head = Head::Call(CallHead { format: Format::Other(9), oneway: true, ..call() });
    let bytes = written(&mut *server, head, b"");
    let expected = "call 0 seq=1 echo=002090 Other(9) None oneway";
    assert_eq!(check(Side::Server, &Limits::default(), &bytes).events(), [expected]);
}

#[test]
fn heartbeats_are_echoed_and_replies_to_them_are_events() {
    let meta = block(&[("k", "v")]);
    let long = vec![7; 10_000];
    for flags in [0x4030, 0x6030, 0xc030, 0x4430, 0x4133] {
        for body in [&b"x"[..], &long] {
            // A body length that says less is set right.
            let mut bytes = frame(flags, 5, [b"S", b"m", &meta, body]);
            let mut echo = bytes.clone();
            echo[2] |= 0x80;
            let at = bytes.len() - body.len();
            bytes[at - 4..at].copy_from_slice(&[0; 4]);
            let twice = [&bytes[..], &bytes].concat();
            let seen = feed(&mut *Rpcx.open(Side::Server, &Limits::default()), &twice, &[]);
            assert_eq!((seen.found.len(), seen.out), (0, [&echo[..], &echo].concat()));
            let found = feed(&mut *Rpcx.open(Side::Client, &Limits::default()), &echo, &[]).found;
            let [Event::Reply(reply)] = &found[..] else { panic!("{found:?}") };
            assert_eq!((reply.seq, reply.meta.get("k").as_deref()), (5, Some("v")));
            assert_eq!(reply.body.bytes, body);
        }
    }
}

#[test]
fn timeouts_are_whole_milliseconds() {
    let mut client = Rpcx.open(Side::Client, &Limits::default());
    let (ns, ms) = (Duration::from_nanos, Duration::from_millis);
    for (asked, text) in [
        (Duration::ZERO, "1"),
        (ns(1), "1"),
        (ms(1), "1"),
        (ns(1_000_001), "2"),
        (ns(999_999_999), "1000"),
        (ms(10_900), "10900"),
        (Duration::MAX, "9223372036854"),
    ] {
        let meta = pairs(&[("a", "b"), ("__ServerTimeout", "7")]);
        let head = CallHead { timeout: Some(asked), meta: &meta, ..call() };
        let bytes = written(&mut *client, Head::Call(head), b"");
        let found = feed(&mut *Rpcx.open(Side::Server, &Limits::default()), &bytes, &[]).found;
        let [Event::Call(call)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(call.meta.get("__ServerTimeout").as_deref(), Some(text));
        assert_eq!(call.timeout, Some(ms(text.parse().unwrap())));
        assert_eq!(call.meta.pairs()[..2], meta, "user's pairs come first, in order");
    }
    for (texts, expected) in [
        (&["0"][..], Some(Duration::ZERO)),
        (&["-5"], Some(Duration::ZERO)),
        (&["+5"], Some(ms(5))),
        (&["9223372036854775807"], Some(ms(i64::MAX as u64))),
        (&["9223372036854775808"], None),
        (&["-9223372036854775808"], Some(Duration::ZERO)),
        (&["-9223372036854775809"], None),
        (&["-"], None),
        (&["+-5"], None),
        (&[""], None),
        (&["5s"], None),
        (&[" 5"], None),
        (&["\u{fffd}"], None),
        (&["5", "6"], Some(ms(6))),
        (&["5", "junk"], None),
    ] {
        let meta: Vec<_> = texts.iter().map(|t| ("__ServerTimeout", *t)).collect();
        let bytes = frame(0, 1, [b"A", b"m", &block(&meta), b""]);
        let found = feed(&mut *Rpcx.open(Side::Server, &Limits::default()), &bytes, &[]).found;
        let [Event::Call(call)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(call.timeout, expected, "{texts:?}");
    }
}

#[test]
fn errors_have_codes_and_texts() {
    let none = "the peer reported an error without a text";
    let key = "__rpcx_error__";
    for (meta, code, text) in [
        (&[][..], Code::Unknown, none),
        (&[("a", "b")], Code::Unknown, none),
        (&[(key, "boom")], Code::Unknown, "boom"),
        (&[(key, "one"), (key, "two")], Code::Unknown, "two"),
        (&[(key, "rpcx: can't find service X")], Code::Unimplemented, "rpcx: can't find service X"),
        (&[(key, "rpcx: can't find method X")], Code::Unimplemented, "rpcx: can't find method X"),
        (&[(key, "can not find codec for 9")], Code::Unimplemented, "can not find codec for 9"),
        (
            &[(key, "request reached rate limit")],
            Code::ResourceExhausted,
            "request reached rate limit",
        ),
        (&[(key, "[service internal error]: x")], Code::Internal, "[service internal error]: x"),
        // rpcx-java: a code, and the text under its own key, in any order.
        (&[(key, "-2"), ("_rpcx_error_message", "boom")], Code::Unknown, "boom"),
        (&[("_rpcx_error_message", "boom"), (key, "-2")], Code::Unknown, "boom"),
    ] {
        let bytes = frame(0x8130, 3, [b"A", b"m", &block(meta), b"value"]);
        let found = check(Side::Client, &Limits::default(), &bytes).found;
        let [Event::Reply(reply)] = &found[..] else { panic!("{found:?}") };
        let error = reply.error.as_ref().unwrap();
        assert_eq!((error.code(), error.text()), (code, text));
        assert_eq!((error.origin(), error.sent()), (Origin::Remote, Sent::Yes));
        assert_eq!(reply.body.bytes, "value");
    }
    for status in [0x8000, 0x8200, 0x8300] {
        let bytes = frame(status, 3, [b"", b"", &block(&[(key, "x")]), b""]);
        let found = check(Side::Client, &Limits::default(), &bytes).found;
        assert!(matches!(&found[..], [Event::Reply(r)] if r.error.is_none()), "{status:x}");
    }
}

#[test]
fn an_error_text_is_cut_to_what_a_peer_takes() {
    let limits = Limits { meta_bytes: 100, ..Limits::default() };
    let ticket = farcall_core::Ticket {
        seq: 1,
        echo: 0,
        format: Format::Raw,
        compress: Compress::None,
        oneway: false,
    };
    let meta = pairs(&[("k", "v")]);
    let status = Status::internal("ä".repeat(100));
    let head = ReplyHead { error: Some(&status), meta: &meta, ..reply(&ticket) };
    let bytes = written(&mut *Rpcx.open(Side::Server, &limits), Head::Reply(head), b"");
    let found = check(Side::Client, &limits, &bytes).found;
    let [Event::Reply(reply)] = &found[..] else { panic!("{found:?}") };
    // 100 - 10 for the pair - 22 for the key and the lengths.
    assert_eq!(reply.error.as_ref().unwrap().text(), "ä".repeat(34));
}

#[test]
fn bad_frames_are_named() {
    let limits = Limits { message_bytes: 200, name_bytes: 8, meta_bytes: 64, ..Limits::default() };
    let good = frame(0, 1, [b"A", b"m", b"", b"body"]);
    let patched = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        bytes
    };
    let with_meta = |meta: &[u8]| frame(0, 1, [b"A", b"m", meta, b""]);
    let max = u32::MAX;
    let mut table = vec![
        (b"\x09".to_vec(), Broken::Magic { byte: 9 }),
        (b"\x00\x00\x00".to_vec(), Broken::Magic { byte: 0 }),
        (patched(12, 201)[..16].to_vec(), Broken::MessageLong { total: 201, limit: 200 }),
        (patched(12, max)[..16].to_vec(), Broken::MessageLong { total: max, limit: 200 }),
        (patched(12, 15)[..16].to_vec(), Broken::MessageShort { total: 15 }),
        (patched(12, 0)[..16].to_vec(), Broken::MessageShort { total: 0 }),
        (frame(0, 1, [b"ninebytes", b"m", b"", b""]), Broken::ServiceLong { length: 9, limit: 8 }),
        (frame(0, 1, [b"A", b"ninebytes", b"", b""]), Broken::MethodLong { length: 9, limit: 8 }),
        (with_meta(&[0; 65]), Broken::MetaLong { length: 65, limit: 64 }),
        (with_meta(&[0; 1]), Broken::MetaCut { left: 1 }),
        (with_meta(&[0; 11]), Broken::MetaCut { left: 3 }),
        (with_meta(&[0; 15]), Broken::MetaCut { left: 7 }),
        (with_meta(&[0, 0, 0, 2, 1, 0, 0, 0, 0]), Broken::MetaKey { length: 2, room: 1 }),
        (with_meta(&[0, 0, 0, 0, 0, 0, 0, 1]), Broken::MetaValue { length: 1, room: 0 }),
    ];
    // `good` is 16 + 4+1 + 4+1 + 4+0 + 4+4: what each section could have at most.
    for length in [0x7fff_ffff, 0x8000_0000, max - 3, max] {
        table.push((patched(16, length), Broken::Service { length, room: 6 }));
        table.push((patched(21, length), Broken::Method { length, room: 5 }));
        table.push((patched(26, length), Broken::Meta { length, room: 4 }));
        table.push((patched(30, length), Broken::Body { length, room: 4 }));
        let key = [&length.to_be_bytes()[..], &[0; 8]].concat();
        table.push((with_meta(&key), Broken::MetaKey { length, room: 4 }));
        let value = [&[0; 4][..], &length.to_be_bytes(), &[0; 4]].concat();
        table.push((with_meta(&value), Broken::MetaValue { length, room: 4 }));
    }
    // One byte too many.
    table.extend([
        (patched(16, 7), Broken::Service { length: 7, room: 6 }),
        (patched(21, 6), Broken::Method { length: 6, room: 5 }),
        (patched(26, 5), Broken::Meta { length: 5, room: 4 }),
        (patched(30, 5), Broken::Body { length: 5, room: 4 }),
    ]);
    for (bytes, broken) in &table {
        for side in [Side::Server, Side::Client] {
            // A good frame before it is still found.
            let first = feed(&mut *Rpcx.open(side, &limits), bytes, &[]);
            assert_eq!(first.end, Err(broken.clone().into()), "{bytes:02x?}");
            assert_eq!(first.found.len(), 0);
            let seen = check(side, &limits, &[&good[..], bytes].concat());
            assert_eq!((seen.found.len(), seen.end), (1, Err(broken.clone().into())));
        }
        // The text names each number in it.
        let (text, debug) = (broken.to_string(), format!("{broken:?}"));
        let numbers = debug.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
        for number in numbers {
            assert!(text.contains(number), "{text} lacks {number}");
        }
    }
    // At the limits is within them; less body than the frame holds is let pass.
    let most =
        frame(0, 1, [b"eightlet", b"eightlet", &block(&[("key", &"v".repeat(53))]), &[1; 104]]);
    assert_eq!(most.len(), 216);
    for (bytes, body) in [(most, 104), (patched(30, 0), 4), (patched(30, 3), 4)] {
        let found = check(Side::Client, &limits, &bytes).found;
        assert!(matches!(&found[..], [Event::Reply(r)] if r.body.len() == body));
    }
}

#[test]
fn unknown_names_are_reported_as_text() {
    let bytes = frame(0, 1, [b"A", b"\xffx", b"", b"body"]);
    let expected = "no method [A.\u{fffd}x] seq=1 echo=000000 Raw None oneway=false";
    assert_eq!(check(Side::Server, &Limits::default(), &bytes).events(), [expected]);
}

#[test]
fn feeding_stops_where_it_is_told() {
    let mut wire = Rpcx.open(Side::Server, &Limits::default());
    let frames = ["V1", "V5", "V2", "V1", "V1"].into_iter().flat_map(vector);
    let mut input: BytesMut = frames.collect::<Vec<u8>>()[..].into();
    input.extend_from_slice(&vector("V1")[..20]);
    let (mut out, mut events) = (Out::new(), Vec::new());
    for (most, found, fed) in [
        (0, 0, Fed::Full),
        (2, 2, Fed::Full),
        (1, 1, Fed::Full),
        (2, 1, Fed::Hungry { need: vector("V1").len() - 20 }),
    ] {
        let before = events.len();
        assert_eq!(wire.feed(&mut input, &mut out, &Table, &mut events, most), Ok(fed));
        assert_eq!(events.len() - before, found);
    }
    for (bytes, need) in [(&[8_u8][..], 15), (&vector("V1")[..16], 31), (&[], 0)] {
        let end = feed(&mut *wire, bytes, &[]).end;
        assert_eq!(end, Ok(Fed::Hungry { need }));
    }
}

#[test]
fn abandoned_frames_leave_no_trace() {
    let mut wire = Rpcx.open(Side::Client, &Limits::default());
    let mut out = Out::new();
    out.tail().extend_from_slice(b"before");
    let mark = wire.begin(Head::Call(call()), &mut out);
    out.tail().extend_from_slice(b"half a body");
    wire.abandon(mark, &mut out);
    assert_eq!(flat(&out), b"before");
}

#[test]
fn the_first_byte_tells() {
    let first = [b"", &b"\x08"[..], b"\x08\x00", b"\x09", b"GET /"];
    let said = first.map(|f| Rpcx.sniff(f));
    assert_eq!(said, [Sniff::More, Sniff::Yes, Sniff::Yes, Sniff::No, Sniff::No]);
    assert!(sniff::by_name("rpcx").is_some());
}
