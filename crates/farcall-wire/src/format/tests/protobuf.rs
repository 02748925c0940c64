//! Protobuf's own rules.

use super::types::{Everything, Item, Order, WHEN};
use super::{read, try_read, try_write, why, write};
use bytes::Bytes;
use farcall_core::{Format::Protobuf, Take, Timestamp, Why};
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn bytes_as_documented() {
    // "Test1 { a = 150 }": encoding guide, "A simple message".
    assert_eq!(&write(Protobuf, &150_i32)[..], b"\x08\x96\x01");
    // A bare message has no wrapper; blanks are left out, -0.0 is none.
    let item = Item { name: "testing".into(), price: -1 };
    let bytes = b"\x0a\x07testing\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_eq!(&write(Protobuf, &item)[..], bytes);
    assert_eq!(&write(Protobuf, &Item::blank())[..], b"");
    assert_eq!(&write(Protobuf, &0.0_f64)[..], b"");
    assert_eq!(&write(Protobuf, &-0.0_f64)[..], b"\x09\0\0\0\0\0\0\0\x80");
    // Packed numbers, and a list of messages: "repeated_elements".
    assert_eq!(
        &write(Protobuf, &vec![3_i32, 270, 86_942])[..],
        b"\x0a\x06\x03\x8e\x02\x9e\xa7\x05"
    );
    assert_eq!(&write(Protobuf, &vec![Item::blank(); 2])[..], b"\x0a\0\x0a\0");
    // Maps: both halves of an entry, blank or not.
    assert_eq!(
        &write(Protobuf, &BTreeMap::from([(0_i32, String::new())]))[..],
        b"\x0a\x04\x08\0\x12\0"
    );
    assert_eq!(&write(Protobuf, &WHEN)[..], b"\x0a\x08\x08\x80\xe2\xcf\xaa\x06\x10\x05");
    assert_eq!(&write(Protobuf, &Duration::from_secs(3))[..], b"\x0a\x02\x08\x03");
}

/// A length of two and three bytes moves what was written.
#[test]
fn lengths_of_every_width() {
    for len in [125, 126, 127, 128, 16_380, 16_384, 70_000, 2_100_000] {
        let order = Order {
            items: vec![Item { name: "x".repeat(len), price: 1 }, Item::blank()],
            ..Order::blank()
        };
        assert_eq!(read::<Order>(Protobuf, write(Protobuf, &order)), order);
    }
}

#[test]
fn varints_of_every_width() {
    for bits in 0..64 {
        for v in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
            assert_eq!(read::<u64>(Protobuf, write(Protobuf, &v)), v);
            // Also far from the end of the body, where eight bytes are read at once.
            let list = vec![v; 20];
            assert_eq!(read::<Vec<u64>>(Protobuf, write(Protobuf, &list)), list);
        }
    }
    let long = why::<u64>(Protobuf, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    assert_eq!(long, Why::Syntax("a varint is longer than 64 bits"));
    let endless = why::<u64>(Protobuf, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00");
    assert_eq!(endless, Why::Syntax("a varint is longer than 64 bits"));
    // A varint may be longer than it must be.
    assert_eq!(read::<u64>(Protobuf, b"\x88\x80\x00\x81\x80\x80\x00"), 1);
}

#[test]
fn widths() {
    // Parsers of 32-bit fields truncate what is longer; narrower types must hold the number.
    assert_eq!(read::<u32>(Protobuf, b"\x08\xff\xff\xff\xff\x1f"), u32::MAX);
    assert_eq!(read::<i32>(Protobuf, b"\x08\xff\xff\xff\xff\x0f"), -1);
    assert_eq!(why::<u8>(Protobuf, b"\x08\x80\x02"), Why::OutOfRange { want: "u8" });
    assert_eq!(why::<i8>(Protobuf, b"\x08\x80\x01"), Why::OutOfRange { want: "i8" });
    assert!(read::<bool>(Protobuf, b"\x08\x80\x01"));
}

#[test]
fn packed_and_not() {
    assert_eq!(
        read::<Vec<i32>>(Protobuf, b"\x08\x05\x08\x06\x0a\x02\x07\x08\x08\x09"),
        [5, 6, 7, 8, 9]
    );
    assert_eq!(read::<[i32; 3]>(Protobuf, b"\x08\x05\x08\x06\x08\x07"), [5, 6, 7]);
    assert_eq!(read::<[i32; 3]>(Protobuf, b"\x0a\x03\x05\x06\x07"), [5, 6, 7]);
    let everything: Everything =
        read(Protobuf, b"\xa9\x02\x01\0\0\0\0\0\0\0\xa9\x02\x02\0\0\0\0\0\0\0");
    assert_eq!(everything.fixes, [1, 2]);
    assert!(try_read::<[i32; 3]>(Protobuf, b"\x0a\x02\x05\x06").is_err());
    assert!(try_read::<[u8; 3]>(Protobuf, b"\x0a\x02\x05\x06").is_err());
    // A number that runs over the end of its list.
    assert_eq!(why::<Vec<i32>>(Protobuf, b"\x0a\x02\x05\xff\x01"), Why::Overrun);
}

#[test]
fn merging() {
    // "the parser merges multiple instances of the same field": scalars replace, messages merge.
    let one = Order { items: vec![Item::blank()], rate: 1.0, what: None };
    let two = Order { items: vec![Item::blank()], rate: 2.0, what: None };
    let both = [write(Protobuf, &one), write(Protobuf, &two)].concat();
    let order: Order = read(Protobuf, both);
    assert_eq!((order.items.len(), order.rate), (2, 2.0));
    let everything: Everything =
        read(Protobuf, b"\x72\x03\x0a\x01x\x72\x02\x10\x07\x72\x02\x10\x08");
    assert_eq!(everything.item, Some(Item { name: "x".into(), price: 8 }));
}

#[test]
fn map_entries_in_any_order() {
    type Map = BTreeMap<i32, String>;
    let map: Map =
        read(Protobuf, b"\x0a\x05\x12\x01v\x08\x07\x0a\0\x0a\x02\x08\x08\x0a\x04\x08\x09\x18\x01");
    let expected = [(7, "v"), (0, ""), (8, ""), (9, "")];
    assert_eq!(map, expected.map(|(k, v)| (k, v.to_owned())).into());
    // A value where the key's type says otherwise.
    assert!(matches!(why::<Map>(Protobuf, b"\x0a\x02\x0a\0"), Why::WrongType { .. }));
    // The value runs over the end of its entry.
    assert_eq!(why::<Map>(Protobuf, b"\x0a\x03\x12\x02vw"), Why::Overrun);
    // The path counts entries across the keys in between.
    let fault = try_read::<Map>(Protobuf, b"\x0a\x02\x08\x01\x0a\x03\x12\x01\xff").unwrap_err();
    assert_eq!((fault.path(), fault.why()), ("[1]".into(), &Why::NotUtf8));
    let fault = try_write(Protobuf, &BTreeMap::from([(vec![1_i32], 1_i32)])).unwrap_err();
    assert!(matches!(fault.why(), Why::Unsupported { .. }));
}

#[test]
fn unknown_fields() {
    // One of each wire type, a group with a group inside, and then the price.
    let mut body = b"\x18\x96\x01\x19\0\0\0\0\0\0\0\0\x1a\x02xy\x1d\0\0\0\0".to_vec();
    body.extend_from_slice(b"\x1b\x23\x08\x01\x24\x0a\x01x\x1c\x10\x07");
    assert_eq!(read::<Item>(Protobuf, &body).price, 7);
    let deep = [b"\x1b".repeat(1_000_000), b"\x1c".repeat(1_000_000)].concat();
    assert_eq!(why::<Item>(Protobuf, &deep), Why::TooDeep { limit: 100 });
    assert!(matches!(why::<Item>(Protobuf, b"\x1c"), Why::Syntax(_)));
    assert!(matches!(why::<Item>(Protobuf, b"\x1e"), Why::Syntax(_)));
    assert!(matches!(why::<Item>(Protobuf, b"\x00"), Why::Syntax(_)));
    assert!(matches!(why::<Item>(Protobuf, b"\x80\x80\x80\x80\x10\x01"), Why::Syntax(_)));
    assert_eq!(why::<Item>(Protobuf, b"\x1b"), Why::CutShort);
    assert_eq!(why::<Item>(Protobuf, b"\x1a\x05xy"), Why::Overrun);
}

#[test]
fn wire_types_are_checked_and_named() {
    let fault = try_read::<Item>(Protobuf, b"\x0d\0\0\0\0").unwrap_err();
    assert_eq!(fault.to_string(), "name: expected text, found four fixed bytes (byte 1)");
    let fault = try_read::<Everything>(Protobuf, b"\x2b\x2c").unwrap_err();
    assert_eq!(fault.to_string(), "raw: expected bytes, found a group (byte 1)");
}

#[test]
fn times() {
    assert_eq!(
        why::<Timestamp>(Protobuf, b"\x0a\x06\x10\x80\x94\xeb\xdc\x03"),
        Why::OutOfRange { want: "google.protobuf.Timestamp" }
    );
    let time: Timestamp = read(Protobuf, b"\x0a\x06\x10\x05\x1a\0\x08\x07");
    assert_eq!(time, Timestamp { seconds: 7, nanos: 5 });
    assert!(try_read::<Timestamp>(Protobuf, b"\x0a\x02\x0a\x00").is_err());
    // A field that comes twice is merged: the two are messages.
    let time: Timestamp = read(Protobuf, b"\x0a\x02\x08\x07\x0a\x02\x10\x05");
    assert_eq!(time, Timestamp { seconds: 7, nanos: 5 });
    let span: Duration = read(Protobuf, b"\x0a\x04\x10\x05\x08\x01\x0a\x02\x08\x07");
    assert_eq!(span, Duration::new(7, 5));
    // The items of an array are not.
    let bytes = b"\x0a\x02\x10\x05\x0a\0\x12\0\x0a\x02\x08\x07\x0a\0";
    let pair: [Duration; 2] = read(Protobuf, bytes);
    assert_eq!(pair, [Duration::from_secs(7), Duration::ZERO]);
    let spans: Vec<Duration> = read(Protobuf, b"\x0a\x02\x08\x07\x0a\x02\x10\x05");
    assert_eq!(spans, [Duration::from_secs(7), Duration::from_nanos(5)]);
    let negative = b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert!(matches!(why::<Duration>(Protobuf, negative), Why::OutOfRange { .. }));
    assert_eq!(read::<Timestamp>(Protobuf, negative).seconds, -1);
}

#[test]
fn an_empty_body_is_a_blank_message() {
    assert_eq!(read::<Item>(Protobuf, b""), Item::blank());
    assert_eq!(read::<Option<Item>>(Protobuf, b""), None);
    assert_eq!(read::<Bytes>(Protobuf, b""), Bytes::new());
}
