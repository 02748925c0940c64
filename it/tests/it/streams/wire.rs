//! The windowed wire by itself: cut anywhere it finds the same, and it bears with no nonsense.

use farcall::{
    Compress, Format, Limits,
    protocol::{
        CallHead, Control, EndHead, Fed, Found, Head, ItemHead, MethodId, Out, Protocol, Routes,
        Side, Streams, Wire,
    },
};
use farcall_it::windowed::{CONNECTION, NARROW, frame, kind};
use std::io::IoSlice;

struct Table;

impl Routes for Table {
    fn find(&self, _: &[u8], method: &[u8]) -> Found {
        if method == b"None" { Found::NoMethod } else { Found::Method(MethodId(1)) }
    }
}

fn server() -> Box<dyn Wire> {
    NARROW.open(Side::Server, &Limits::default())
}

fn bytes(out: &mut Out) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let count = out.slices(&mut slices);
    let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
    out.advance(all.len());
    all
}

/// What a wire finds in these bytes, fed in these pieces.
fn found(wire: &mut dyn Wire, pieces: &[&[u8]]) -> Result<(Vec<String>, Vec<u8>), String> {
    let (mut input, mut out, mut events) = (bytes::BytesMut::new(), Out::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        let fed = wire.feed(&mut input, &mut out, &Table, &mut events, usize::MAX);
        let fed = fed.map_err(|broken| broken.to_string())?;
        assert!(matches!(fed, Fed::Hungry { need } if (need == 0) == input.is_empty()));
    }
    Ok((events.iter().map(|event| format!("{event:?}")).collect(), self::bytes(&mut out)))
}

const STREAM: Streams = Streams { inbound: true, outbound: true };

fn head(seq: u64, streams: Streams) -> CallHead<'static> {
    CallHead {
        seq,
        service: "chat.Room",
        method: "Talk",
        format: Format::Json,
        compress: Compress::None,
        oneway: false,
        timeout: None,
        meta: &[],
        shape: &<() as farcall::__private::Shaped>::SHAPE,
        streams,
    }
}

fn put(wire: &mut dyn Wire, head: Head<'_>, body: &[u8], out: &mut Out) {
    let mark = wire.begin(head, out);
    out.tail().extend_from_slice(body);
    wire.end(mark, out);
}

/// What an honest client says.
fn talk() -> Vec<u8> {
    let mut client = NARROW.open(Side::Client, &Limits::default());
    let mut out = Out::new();
    put(&mut *client, Head::Call(head(7, STREAM)), b"", &mut out);
    put(&mut *client, Head::Call(head(8, Streams::default())), b"{}", &mut out);
    let item = |seq| ItemHead { seq, format: Format::Json, compress: Compress::None };
    put(&mut *client, Head::Item(item(7)), b"0123456789", &mut out);
    put(&mut *client, Head::Item(item(7)), b"", &mut out);
    client.control(Control::Ping { seq: 1, token: 2 }, &mut out);
    put(&mut *client, Head::End(EndHead { seq: 7, error: None, meta: &[] }), b"", &mut out);
    client.control(Control::Cancel { seq: 8 }, &mut out);
    bytes(&mut out)
}

#[test]
fn cut_anywhere_it_is_the_same() {
    let bytes = talk();
    let whole = found(&mut *server(), &[&bytes]).expect("honest");
    assert_eq!(whole.0.len(), 6, "{:?}", whole.0);
    for cut in 0..=bytes.len() {
        let parts = bytes.split_at(cut);
        assert_eq!(found(&mut *server(), &[parts.0, parts.1]).expect("honest"), whole, "{cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(found(&mut *server(), &single).expect("honest"), whole);
}

/// A frame of these.
fn one(kind: u8, seq: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(kind, seq, payload, &mut bytes);
    bytes
}

fn item(seq: u64, body: &[u8]) -> Vec<u8> {
    one(kind::ITEM, seq, &[&[1, 1, 0], body].concat())
}

fn opened(streams: Streams) -> (Box<dyn Wire>, Vec<u8>) {
    let mut client = NARROW.open(Side::Client, &Limits::default());
    let mut out = Out::new();
    put(&mut *client, Head::Call(head(7, streams)), b"", &mut out);
    let bytes = bytes(&mut out);
    let mut wire = server();
    found(&mut *wire, &[&bytes]).expect("honest");
    (wire, bytes)
}

#[test]
fn nonsense_is_named() {
    let end = one(kind::END, 7, &[0, 0, 0, 0, 0]);
    let cases: &[(Streams, &[Vec<u8>], &str)] = &[
        (STREAM, &[end.clone(), item(7, b"")], "an item after the end"),
        (STREAM, &[end.clone(), end.clone()], "ends twice"),
        (Streams { inbound: false, outbound: true }, &[item(7, b"")], "an item after the end"),
        (STREAM, &[item(7, &[b'x'; 64])], "overran its window"),
        (STREAM, &[item(7, &[b'x'; 30]), item(7, &[b'x'; 40])], "overran its window"),
        (STREAM, &[opened(STREAM).1], "opened twice"),
        (STREAM, &[one(kind::ITEM, 7, &[0, 1, 0, 5]), end.clone()], "in the middle of an item"),
        (STREAM, &[one(kind::WINDOW, 7, &[0])], "a window without a size"),
        (STREAM, &[one(kind::ITEM, 7, &[])], "ends too early"),
        (STREAM, &[one(kind::REPLY, 7, &[])], "kind 3"),
        (STREAM, &[one(77, 7, &[])], "kind 77"),
    ];
    for (streams, frames, expected) in cases {
        let (mut wire, _) = opened(*streams);
        let broken = found(&mut *wire, &[&frames.concat()]).expect_err(expected);
        assert!(broken.starts_with("windowed: ") && broken.contains(expected), "{broken}");
    }
    let (mut wire, _) = opened(STREAM);
    assert!(found(&mut *wire, &[b"GET / HTTP/1.1\r\n"]).is_err());
}

/// What may come late, comes late: nobody minds, and the window is given back.
#[test]
fn what_is_late_is_dropped() {
    let (mut wire, _) = opened(STREAM);
    let cancel = one(kind::CANCEL, 7, &[]);
    let late = [item(99, b"abc"), one(kind::END, 99, &[0, 0, 0, 0, 0]), cancel.clone(), cancel];
    let late = [late.concat(), item(7, b"abc"), one(kind::WINDOW, 7, &[0, 0, 0, 9])].concat();
    let (events, out) = found(&mut *wire, &[&late]).expect("late, not wrong");
    assert_eq!(events.len(), 2, "{events:?}");
    let back = one(kind::WINDOW, CONNECTION, &[0, 0, 0, 4]);
    assert_eq!(out, [back.clone(), back].concat());
    assert_eq!((wire.room(7), wire.parked(7)), (0, 0));
}

/// A window lets through what it says, byte for byte, and what it does not is parked.
#[test]
fn windows_open_by_the_byte() {
    let (mut wire, _) = opened(STREAM);
    let mut out = Out::new();
    let head = ItemHead { seq: 7, format: Format::Json, compress: Compress::None };
    assert_eq!(wire.room(7), 64);
    put(&mut *wire, Head::Item(head), &[b'x'; 100], &mut out);
    let first = bytes(&mut out);
    assert_eq!(first.iter().filter(|byte| **byte == b'x').count(), 63, "and one for the fragment");
    assert_eq!((wire.room(7), wire.parked(7)), (0, 38));
    let mut sent = 63;
    for _ in 0..60 {
        let (events, out) =
            found(&mut *wire, &[&one(kind::WINDOW, 7, &[0, 0, 0, 3])]).expect("honest");
        assert_eq!(events, ["Room { seq: Some(7) }"]);
        let more = out.iter().filter(|byte| **byte == b'x').count();
        assert!(more <= 2, "{more} through a window of three");
        sent += more;
        // The connection's window is the narrower one, sooner or later.
        found(&mut *wire, &[&one(kind::WINDOW, CONNECTION, &[0, 0, 0, 3])]).expect("honest");
    }
    assert_eq!((sent, wire.parked(7)), (100, 0));
    assert!(wire.room(7) > 0);
}
