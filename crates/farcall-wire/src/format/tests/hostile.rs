//! Input that was made to harm: cut, mutated, nested without end, unfolding without end.

use super::types::{Deep, Everything, Item, Order, Tree, everything};
use super::{FORMATS, msgpack, read, try_read, why, write};
use bytes::Bytes;
use farcall_core::{Bounds, Format, Shaped, Take, Value, Why};
use std::collections::BTreeMap;

fn numbers() -> impl FnMut() -> usize {
    let mut x = 88_172_645_463_325_252_u64;
    move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as usize
    }
}

/// Nothing panics, and what is accepted can be written again.
#[test]
fn cut_at_every_offset() {
    for format in FORMATS {
        let body = write(format, &everything(1));
        for cut in 0..body.len() {
            match try_read::<Everything>(format, &body[..cut]) {
                Ok(part) => drop(write(format, &part)),
                Err(fault) => assert!(fault.offset().is_none_or(|at| at <= cut), "{fault}"),
            }
            // Both formats say where they end: no part of a body is a body.
            if format != Format::Protobuf {
                assert!(try_read::<Everything>(format, &body[..cut]).is_err());
            }
        }
        assert!(try_read::<Everything>(format, &body).is_ok());
    }
    let golden = msgpack::golden();
    for cut in 0..golden.len() {
        let why = why::<Value>(Format::MsgPack, &golden[..cut]);
        assert!(matches!(why, Why::CutShort | Why::Overrun), "{cut} {why}");
    }
}

#[test]
fn mutations() {
    let mut random = numbers();
    for format in FORMATS {
        let body = write(format, &everything(0));
        let mut accepted = 0;
        for _ in 0..60_000 {
            let mut bad = body.to_vec();
            for _ in 0..1 + random() % 4 {
                let i = random() % bad.len().max(1);
                if i >= bad.len() {
                    continue;
                }
                match random() % 6 {
                    0 => bad[i] = random() as u8,
                    1 => bad.truncate(i + 1),
                    2 => bad[i] ^= 1 << (random() % 8),
                    3 => bad[i] = b"{}[],:\"\\u0"[random() % 10],
                    4 => bad.insert(i, b"\xc0\x80\xff\0\xdd\xdf\x90\x08\x0a\x0b"[random() % 10]),
                    _ => drop(bad.splice(i..bad.len().min(i + random() % 9), [])),
                }
            }
            let bad = Bytes::from(bad);
            let bounds = Bounds { decoded_bytes: 1 << 20, ..Bounds::default() };
            accepted +=
                usize::from(super::decode::<Everything>(format, &bad, None, bounds).is_ok());
            if random() & 7 == 0 {
                let _ = super::decode::<Value>(format, &bad, None, bounds);
                let _ = super::decode::<Order>(format, &bad, None, bounds);
            }
        }
        assert!(accepted > 100, "{format:?}: {accepted} of the mutations were harmless");
    }
}

/// A million levels: a fault, not the end of the stack.
#[test]
fn nesting_without_end() {
    const LEVELS: usize = 1_000_000;
    const DEEP: Why = Why::TooDeep { limit: 100 };
    let open = |piece: &str| piece.repeat(LEVELS);
    // Known fields, unknown fields, and no types at all.
    assert_eq!(why::<Deep>(Format::Json, open("{\"inner\":")), DEEP);
    assert_eq!(why::<Tree>(Format::Json, open("{\"children\":[")), DEEP);
    assert_eq!(why::<Item>(Format::Json, format!("{{\"?\":{}", open("["))), DEEP);
    assert_eq!(why::<Item>(Format::Json, format!("{{\"?\":{}", open("{\"a\":"))), DEEP);
    assert_eq!(why::<Value>(Format::Json, open("[")), DEEP);
    assert_eq!(why::<Value>(Format::Json, open("{\"a\":")), DEEP);
    assert_eq!(
        why::<Vec<u8>>(Format::Json, open("[")),
        Why::WrongType { want: "u8", got: "a list" }
    );

    let tail = [0xc0; 2];
    let packed = |start: &[u8], piece: &[u8]| [start, &piece.repeat(LEVELS), &tail].concat();
    assert_eq!(why::<Deep>(Format::MsgPack, packed(b"", b"\x81\xa5inner")), DEEP);
    assert_eq!(why::<Tree>(Format::MsgPack, packed(b"", b"\x81\xa8children\x91")), DEEP);
    assert_eq!(why::<Item>(Format::MsgPack, packed(b"\x81\xa1?", b"\x91")), DEEP);
    assert_eq!(why::<Item>(Format::MsgPack, packed(b"\x81\xa1?", b"\x81\x01")), DEEP);
    assert_eq!(why::<Value>(Format::MsgPack, packed(b"", b"\x91")), DEEP);
    assert_eq!(why::<Value>(Format::MsgPack, packed(b"", b"\x81\x01")), DEEP);

    let mut body = Vec::new();
    for _ in 0..200 {
        let mut outer = vec![0x0a];
        let mut len = body.len();
        while len >= 128 {
            outer.push(len as u8 | 128);
            len >>= 7;
        }
        outer.push(len as u8);
        outer.append(&mut body);
        body = outer;
    }
    assert_eq!(why::<Deep>(Format::Protobuf, &body), DEEP);
    assert_eq!(why::<Tree>(Format::Protobuf, &body), DEEP);
}

/// A few bytes of the body stand for many in memory: the budget ends it.
#[test]
fn unfolding() {
    let bounds = Bounds { decoded_bytes: 100_000, ..Bounds::default() };
    #[track_caller]
    fn too_large<T: Take + std::fmt::Debug>(format: Format, body: Vec<u8>, bounds: Bounds) {
        let fault = super::decode::<T>(format, &body.into(), None, bounds).unwrap_err();
        assert_eq!(fault.why(), &Why::TooLarge { limit: 100_000 }, "{format:?} {fault}");
    }
    let count = 10_000;
    let repeated =
        |start: &[u8], piece: &[u8], end: &[u8]| [start, &piece.repeat(count), end].concat();
    // Items of 32 bytes from one or two bytes each.
    too_large::<Vec<Item>>(Format::Protobuf, repeated(b"", b"\x0a\0", b""), bounds);
    too_large::<Vec<Item>>(Format::MsgPack, repeated(b"\xdc\x27\x10", b"\x80", b""), bounds);
    too_large::<Vec<Item>>(Format::Json, repeated(b"[{}", b",{}", b"]"), bounds);
    too_large::<Vec<Value>>(Format::MsgPack, repeated(b"\xdc\x27\x10", b"\xc0", b""), bounds);
    too_large::<Value>(Format::MsgPack, repeated(b"\xdc\x27\x10", b"\xc0", b""), bounds);
    too_large::<Value>(Format::Json, repeated(b"[0", b",0", b"]"), bounds);
    let packed = [&b"\x0a\x90\x4e"[..], &[1; 10_000]].concat();
    assert_eq!(read::<Vec<i64>>(Format::Protobuf, &packed).len(), count);
    too_large::<Vec<Everything>>(Format::Protobuf, repeated(b"", b"\x0a\0", b""), bounds);
    let entries: Vec<u8> = (0..2000_u16)
        .flat_map(|n| {
            let [high, low] = n.to_be_bytes();
            [0xcd, high, low, 0x80]
        })
        .collect();
    too_large::<BTreeMap<u16, Item>>(
        Format::MsgPack,
        [&b"\xde\x07\xd0"[..], &entries].concat(),
        bounds,
    );
}

/// Counts and lengths that nothing backs reserve nothing and end at once.
#[test]
fn claims() {
    for body in
        [&b"\xdd\xff\xff\xff\xff"[..], b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff\xc0\xc0"]
    {
        assert_eq!(why::<Value>(Format::MsgPack, body), Why::Overrun);
        assert!(try_read::<Vec<()>>(Format::MsgPack, body).is_err());
        assert!(try_read::<Vec<Everything>>(Format::MsgPack, body).is_err());
        assert_eq!(why::<Item>(Format::MsgPack, [b"\x81\xa1?", body].concat()), Why::Overrun);
    }
    for body in [&b"\xdb\xff\xff\xff\xff"[..], b"\xc6\xff\xff\xff\xffx", b"\xa2x"] {
        assert_eq!(why::<String>(Format::MsgPack, body), Why::Overrun);
        assert_eq!(why::<Bytes>(Format::MsgPack, body), Why::Overrun);
        assert_eq!(why::<Item>(Format::MsgPack, [b"\x81\xa1?", body].concat()), Why::Overrun);
    }
    for body in [
        &b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..],
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x02x",
    ] {
        assert_eq!(why::<String>(Format::Protobuf, body), Why::Overrun);
        assert_eq!(why::<Bytes>(Format::Protobuf, body), Why::Overrun);
        assert_eq!(why::<Vec<i32>>(Format::Protobuf, body), Why::Overrun);
        assert_eq!(why::<Vec<Item>>(Format::Protobuf, body), Why::Overrun);
        assert_eq!(why::<BTreeMap<i32, i32>>(Format::Protobuf, body), Why::Overrun);
    }
    // A length inside a message that reaches beyond it, though not beyond the body.
    assert_eq!(why::<Order>(Format::Protobuf, b"\x0a\x03\x0a\x05xyzzy"), Why::Overrun);
    assert_eq!(<Vec<()>>::SHAPE.name(), "a list");
}
