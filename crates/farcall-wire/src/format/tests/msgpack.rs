//! MessagePack's own rules, against what Go writes.

use super::types::{Colour, Everything, GoLarge, Item, Order};
use super::{read, try_read, why, write};
use bytes::Bytes;
use farcall_core::{Format::MsgPack, Take, Timestamp, Value, Why};
use std::collections::BTreeMap;
use std::time::Duration;

/// Written by Go's vmihailenco/msgpack v5 (rpcx wire specification §3.1, "Large reference vector").
const GOLDEN: &str = "de001aa149cd012ca24938d0ffa3493136d10002a3493332d200000003a3493634d3000000000\
    0000004a15505a25538cc06a3553136cd0007a3553332ce00000008a3553634cf0000000000000009a3463332ca3fc0\
    0000a3463634cb4004000000000000a153a173a24279c4020102a3417272c403010203a2536c9101a34e696cc0a14d8\
    1a16ba176a150c0a154d7ff000000146553f100a144d30000000000000003a3416e7907a14a01a36b6b6b02a158d003\
    a142c3";

pub(super) fn golden() -> Vec<u8> {
    let digits: Vec<u8> = GOLDEN.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |b: u8| char::from(b).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn what_go_wrote() {
    let large: GoLarge = read(MsgPack, golden());
    let expected = GoLarge {
        int: 300,
        i8: -1,
        i16: 2,
        i32: 3,
        i64: 4,
        uint: 5,
        u8: 6,
        u16: 7,
        u32: 8,
        u64: 9,
        f32: 1.5,
        f64: 2.5,
        text: "s".into(),
        bytes: vec![1, 2],
        array: [1, 2, 3],
        list: vec![1],
        nil: vec![],
        map: [("k".into(), "v".into())].into(),
        pointer: None,
        time: Timestamp { seconds: 1_700_000_000, nanos: 5 },
        span: Duration::from_nanos(3),
        any: Value::Int(7),
        json: 1,
        tagged: 2,
        embedded: 3,
        bool: true,
    };
    assert_eq!(large, expected);
    assert_eq!(read::<GoLarge>(MsgPack, write(MsgPack, &large)), expected);
    // Without types, and with every field unknown.
    let value: Value = read(MsgPack, golden());
    assert_eq!(value.get("I").and_then(Value::as_i64), Some(300));
    assert_eq!(value.get("By"), Some(&Value::Bytes(vec![1, 2])));
    assert_eq!(read::<Item>(MsgPack, golden()), Item::blank());
    for cut in 0..golden().len() {
        let why = why::<GoLarge>(MsgPack, &golden()[..cut]);
        assert!(matches!(why, Why::CutShort | Why::Overrun), "{cut} {why}");
    }
}

#[test]
fn bytes_as_documented() {
    for (v, bytes) in [
        (0_i64, &b"\x00"[..]),
        (127, b"\x7f"),
        (128, b"\xcc\x80"),
        (256, b"\xcd\x01\x00"),
        (65_536, b"\xce\0\x01\0\0"),
        (1 << 32, b"\xcf\0\0\0\x01\0\0\0\0"),
        (-1, b"\xff"),
        (-32, b"\xe0"),
        (-33, b"\xd0\xdf"),
        (-129, b"\xd1\xff\x7f"),
        (-32_769, b"\xd2\xff\xff\x7f\xff"),
        (-2_147_483_649, b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
    ] {
        assert_eq!(&write(MsgPack, &v)[..], bytes);
        assert_eq!(read::<i64>(MsgPack, bytes), v);
    }
    let item = Item { name: "x".into(), price: 1 };
    assert_eq!(&write(MsgPack, &item)[..], b"\x82\xa4name\xa1x\xa5price\x01");
    assert_eq!(&write(MsgPack, &None::<i32>)[..], b"\xc0");
    assert_eq!(&write(MsgPack, &vec![1_u8])[..], b"\xc4\x01\x01");
    assert_eq!(&write(MsgPack, &[1_u8])[..], b"\xc4\x01\x01");
    assert_eq!(&write(MsgPack, &1.5_f32)[..], b"\xca\x3f\xc0\0\0");
    for (seconds, nanos, bytes) in [
        (1, 0, &b"\xd6\xff\0\0\0\x01"[..]),
        (1, 1, b"\xd7\xff\0\0\0\x04\0\0\0\x01"),
        (1 << 32, 0, b"\xd7\xff\0\0\0\x01\0\0\0\0"),
        (-1, 0, b"\xc7\x0c\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        let time = Timestamp { seconds, nanos };
        assert_eq!(&write(MsgPack, &time)[..], bytes);
        assert_eq!(read::<Timestamp>(MsgPack, bytes), time);
    }
}

#[test]
fn headers_of_every_width() {
    for len in [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        let (text, bytes) = ("x".repeat(len), vec![1_u8; len]);
        assert_eq!(read::<String>(MsgPack, write(MsgPack, &text)), text);
        assert_eq!(read::<Vec<u8>>(MsgPack, write(MsgPack, &bytes)), bytes);
        let list = vec![-1_i8; len];
        assert_eq!(read::<Vec<i8>>(MsgPack, write(MsgPack, &list)), list);
        let map: BTreeMap<u32, bool> = (0..len as u32).map(|n| (n, true)).collect();
        assert_eq!(read::<BTreeMap<u32, bool>>(MsgPack, write(MsgPack, &map)), map);
    }
}

#[test]
fn fields_left_out_are_not_counted() {
    let blank = write(MsgPack, &Everything::blank());
    let value: Value = read(MsgPack, &blank);
    assert_eq!((value.get("on"), value.get("note")), (None, None));
    assert_eq!(value.get("name"), Some(&Value::from("")));
    assert_eq!(read::<Everything>(MsgPack, &blank), Everything::blank());
}

/// rpcx wire specification §3.1, "Decoding tolerance of the Go side".
#[test]
fn what_go_tolerates() {
    // nil for everything.
    assert_eq!(read::<i32>(MsgPack, b"\xc0"), 0);
    assert!(!read::<bool>(MsgPack, b"\xc0"));
    assert_eq!(read::<f64>(MsgPack, b"\xc0"), 0.0);
    assert_eq!(read::<String>(MsgPack, b"\xc0"), "");
    assert_eq!(read::<Bytes>(MsgPack, b"\xc0"), "");
    assert_eq!(read::<Vec<i32>>(MsgPack, b"\xc0"), []);
    assert_eq!(read::<BTreeMap<i32, i32>>(MsgPack, b"\xc0"), BTreeMap::new());
    assert_eq!(read::<Item>(MsgPack, b"\xc0"), Item::blank());
    assert_eq!(read::<Timestamp>(MsgPack, b"\xc0"), Timestamp::default());
    assert_eq!(read::<Duration>(MsgPack, b"\xc0"), Duration::ZERO);
    assert_eq!(read::<Colour>(MsgPack, b"\xc0"), Colour::Red);
    assert_eq!(read::<Vec<Item>>(MsgPack, b"\x92\xc0\x80").len(), 2);
    let array: Everything = read(MsgPack, b"\x82\xa4hash\xc0\xa6triple\xc0");
    assert_eq!(array, Everything::blank());
    // Any width for any integer, integers for floats, not floats for integers.
    assert_eq!(read::<u8>(MsgPack, b"\xd3\0\0\0\0\0\0\0\x07"), 7);
    assert_eq!(read::<i8>(MsgPack, b"\xcf\0\0\0\0\0\0\0\x07"), 7);
    assert_eq!(read::<f64>(MsgPack, b"\xff"), -1.0);
    assert_eq!(read::<f32>(MsgPack, b"\xcb\x3f\xf8\0\0\0\0\0\0"), 1.5);
    assert_eq!(
        why::<i32>(MsgPack, b"\xca\0\0\0\0"),
        Why::WrongType { want: "i32", got: "a float" }
    );
    assert_eq!(why::<i8>(MsgPack, b"\xcc\x80"), Why::OutOfRange { want: "i8" });
    assert_eq!(why::<u8>(MsgPack, b"\xff"), Why::OutOfRange { want: "u8" });
    assert_eq!(why::<i64>(MsgPack, b"\xcf\xff\0\0\0\0\0\0\0"), Why::OutOfRange { want: "i64" });
    assert!(matches!(why::<bool>(MsgPack, b"\x01"), Why::WrongType { .. }));
    // str and bin for one another; not a list of numbers for bytes.
    assert_eq!(read::<String>(MsgPack, b"\xc4\x01x"), "x");
    assert_eq!(read::<Vec<u8>>(MsgPack, b"\xa1x"), b"x");
    assert!(matches!(why::<Vec<u8>>(MsgPack, b"\x91\x01"), Why::WrongType { .. }));
    // A struct as an array, if it has all the fields.
    assert_eq!(read::<Item>(MsgPack, b"\x92\xa1x\x07"), Item { name: "x".into(), price: 7 });
    assert_eq!(read::<Item>(MsgPack, b"\x92\xc0\x07").price, 7);
    assert!(matches!(why::<Item>(MsgPack, b"\x91\xa1x"), Why::WrongType { .. }));
    // Unknown keys, keys out of order and as bin, and bytes after the value.
    let body =
        b"\x83\xa1?\x93\x81\x01\x90\xc7\x02\x05ab\xd4\x05a\xa5price\x07\xc4\x04name\xa1xTRAILING";
    assert_eq!(read::<Item>(MsgPack, body), Item { name: "x".into(), price: 7 });
    assert_eq!(why::<Item>(MsgPack, b""), Why::CutShort);
    assert_eq!(why::<()>(MsgPack, b""), Why::CutShort);
    assert!(matches!(why::<Item>(MsgPack, b"\x81\xa1?\xc1"), Why::Syntax(_)));
    assert!(matches!(why::<Item>(MsgPack, b"\x81\x01\x01"), Why::WrongType { .. }));
    assert!(try_read::<Timestamp>(MsgPack, b"\xd6\x01\0\0\0\x01").is_err());
    assert!(try_read::<Duration>(MsgPack, b"\xff").is_err());
}

/// Every name is case-sensitive here, unlike in JSON.
#[test]
fn names_are_exact() {
    assert_eq!(read::<Item>(MsgPack, b"\x81\xa5PRICE\x07"), Item::blank());
    let order: Order = read(MsgPack, b"\x82\xa6number\x01\xa4text\xa1x");
    assert_eq!(order.what, Some(super::What::Text("x".into())));
}
