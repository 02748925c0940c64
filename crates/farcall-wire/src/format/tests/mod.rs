//! Tests of all formats: round trips here, each format's own rules beside, hostile input apart.

mod hostile;
mod json;
mod msgpack;
mod own;
mod params;
mod protobuf;
mod raw;
pub(crate) mod types;

use super::{begins_with, decode, encode};
use bytes::Bytes;
use farcall_core::{Bounds, Fault, Format, Put, Str, Take, Value, Why};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use types::{Colour, Deep, Everything, Item, Order, Tree, What, everything};

const FORMATS: [Format; 3] = [Format::Protobuf, Format::MsgPack, Format::Json];

#[track_caller]
fn write<T: Put + ?Sized>(format: Format, value: &T) -> Bytes {
    try_write(format, value).unwrap()
}

fn try_write<T: Put + ?Sized>(format: Format, value: &T) -> Result<Bytes, Fault> {
    let mut out = b"before".to_vec();
    let written = encode(format, value, Bounds::default(), &mut out);
    assert!(out.starts_with(b"before"));
    if written.is_err() {
        assert_eq!(out, b"before", "a fault leaves the output as it was");
    }
    written.map(|()| Bytes::copy_from_slice(&out[6..]))
}

#[track_caller]
fn read<T: Take>(format: Format, body: impl AsRef<[u8]>) -> T {
    try_read(format, body).unwrap()
}

fn try_read<T: Take>(format: Format, body: impl AsRef<[u8]>) -> Result<T, Fault> {
    decode(format, &Bytes::copy_from_slice(body.as_ref()), None, Bounds::default())
}

#[track_caller]
fn why<T: Take + Debug>(format: Format, body: impl AsRef<[u8]>) -> Why {
    try_read::<T>(format, body).unwrap_err().why().clone()
}

/// There and back in every format.
#[track_caller]
fn round<T: Put + Take + PartialEq + Debug>(value: &T) {
    for format in FORMATS {
        round_in(format, value);
    }
}

#[track_caller]
fn round_in<T: Put + Take + PartialEq + Debug>(format: Format, value: &T) {
    let body = write(format, value);
    assert_eq!(&read::<T>(format, &body), value, "{format:?} {body:?}");
}

#[test]
fn every_kind_of_field() {
    for depth in 0..4 {
        round(&everything(depth));
    }
    round(&Everything::blank());
}

#[test]
fn roots_that_are_no_messages() {
    round(&());
    round(&true);
    round(&false);
    round(&i64::MIN);
    round(&u64::MAX);
    round(&-0.0_f64);
    round(&1.5_f32);
    round(&"text".to_owned());
    round(&String::new());
    round(&vec![0_u8, 255]);
    round(&vec![1_i32, -1]);
    round(&Vec::<String>::new());
    round(&vec!["a".to_owned(), String::new()]);
    round(&vec![Item::blank(), Item { name: "x".into(), price: 1 }]);
    round(&BTreeMap::from([("a".to_owned(), 1_u32), (String::new(), 0)]));
    round(&HashMap::from([(-1_i64, Item::blank())]));
    round(&[1_u16, 2, 3]);
    round(&[1_u8, 2, 3]);
    round(&[String::from("a"), String::new(), String::from("b")]);
    round(&Colour::Other(9));
    round(&None::<i32>);
    round(&Some(0_i32));
    round(&None::<Item>);
    round(&Some(Item { name: "x".into(), price: 0 }));
    round(&Box::new(7_u8));
    round(&Arc::new(Item { name: "x".into(), price: 0 }));
    round(&std::time::Duration::new(3, 5));
    round(&std::time::SystemTime::UNIX_EPOCH);
}

/// What protobuf cannot carry, the others can.
#[test]
fn shapes_that_protobuf_does_not_have() {
    #[track_caller]
    fn only_others<T: Put + Take + PartialEq + Debug>(value: &T) {
        round_in(Format::MsgPack, value);
        round_in(Format::Json, value);
        let fault = try_write(Format::Protobuf, value).unwrap_err();
        assert!(matches!(fault.why(), Why::Unsupported { format: "protobuf", .. }), "{fault}");
        let body = b"\x0a\x02\x08\x01";
        let fault = try_read::<T>(Format::Protobuf, body).unwrap_err();
        assert!(matches!(fault.why(), Why::Unsupported { format: "protobuf", .. }), "{fault}");
    }
    only_others(&vec![vec![1_i32], vec![]]);
    only_others(&vec![BTreeMap::from([(1_i32, 2_i32)])]);
    only_others(&vec![Some(1_i32), None]);
    only_others(&BTreeMap::from([(1_i32, vec![1_i32])]));
    only_others(&BTreeMap::from([(1_i32, Some(1_i32))]));
    only_others(&[[1_i32, 2], [3, 4]]);
    only_others(&Value::from(7));
    only_others(&vec![Value::from("x"), Value::Null]);
    // Arrays of bytes are bytes, and so may be items.
    round(&vec![[1_u8, 2], [3, 4]]);
    assert!(try_write(Format::Protobuf, &Some(None::<i32>)).is_err());
}

#[test]
fn dynamic_values() {
    let value = Value::object([
        ("null", Value::Null),
        ("yes", Value::from(true)),
        ("int", Value::from(i64::MIN)),
        ("uint", Value::from(u64::MAX)),
        ("float", Value::from(0.5)),
        ("text", Value::from("\u{1F600}\n\"")),
        ("list", Value::from(vec![Value::from(1), Value::from(vec![])])),
        ("map", Value::object([("", Value::Null)])),
    ]);
    round_in(Format::MsgPack, &value);
    round_in(Format::Json, &value);
    round_in(Format::MsgPack, &Value::Bytes(vec![1, 2]));
    round_in(Format::MsgPack, &Value::Map(vec![(Value::Int(1), Value::Time(types::WHEN))]));
    // Anything that was written typed can be read without its type.
    for format in [Format::MsgPack, Format::Json] {
        let value: Value = read(format, write(format, &everything(2)));
        assert_eq!(value.get("name").and_then(Value::as_str), Some(everything(2).name.as_str()));
    }
}

#[test]
fn faults_name_the_field() {
    for format in FORMATS {
        let order = Order { items: vec![Item::blank(); 5], ..Order::blank() };
        let mut body = write(format, &order).to_vec();
        assert_eq!(read::<Order>(format, &body), order);
        // The price of the fourth item becomes text.
        body = match format {
            Format::Protobuf => {
                let mut body = vec![0x0a, 0, 0x0a, 0, 0x0a, 0];
                body.extend_from_slice(&[0x0a, 3, 0x12, 1, b'x']);
                body
            }
            Format::MsgPack => {
                let mut body = b"\x81\xa5items\x94\x80\xc0\x80\x81".to_vec();
                body.extend_from_slice(b"\xa5price\xa1x");
                body
            }
            _ => br#"{"items":[{},null,{},{"price":"x"}]}"#.to_vec(),
        };
        let fault = try_read::<Order>(format, &body).unwrap_err();
        assert_eq!(fault.path(), "items[3].price", "{format:?} {fault}");
        assert!(matches!(fault.why(), Why::WrongType { .. }), "{format:?} {fault}");
    }
    let order = Order { rate: f64::NAN, ..Order::blank() };
    let order = vec![Order::blank(), order];
    let fault = try_write(Format::Json, &order).unwrap_err();
    assert_eq!(fault.path(), "[1].rate");
    assert_eq!(fault.to_string(), "[1].rate: json cannot carry NaN or infinity");
    let spans = BTreeMap::from([(1_i32, std::time::Duration::MAX)]);
    for format in FORMATS {
        let fault = try_write(format, &spans).unwrap_err();
        assert_eq!(fault.path(), "[0]", "{format:?}");
        assert!(matches!(fault.why(), Why::OutOfRange { .. }), "{format:?}");
    }
}

#[test]
fn depth_is_limited_both_ways() {
    let bounds = Bounds { depth: 10, ..Bounds::default() };
    for format in FORMATS {
        let mut out = Vec::new();
        encode(format, &types::deep(10), bounds, &mut out).unwrap();
        assert_eq!(decode::<Deep>(format, &out.into(), None, bounds).unwrap(), types::deep(10));
        let mut out = Vec::new();
        let fault = encode(format, &types::deep(11), bounds, &mut out).unwrap_err();
        assert_eq!(fault.why(), &Why::TooDeep { limit: 10 }, "{format:?}");
        assert_eq!(fault.path(), ["inner"; 10].join("."));
        assert!(out.is_empty());
        let body = write(format, &types::deep(11));
        let fault = decode::<Deep>(format, &body, None, bounds).unwrap_err();
        assert_eq!(fault.why(), &Why::TooDeep { limit: 10 }, "{format:?}");
        assert_eq!(fault.path(), ["inner"; 10].join("."));
    }
}

#[test]
fn enums_that_are_closed_refuse_strangers() {
    for format in FORMATS {
        let body = write(format, &8_i32);
        assert_eq!(read::<Colour>(format, &body), Colour::Other(8));
        let fault = try_read::<types::Switch>(format, &body).unwrap_err();
        assert_eq!(fault.why(), &Why::NoSuchChoice { of: "Switch" }, "{format:?}");
        assert_eq!(read::<types::Switch>(format, write(format, &1_i32)), types::Switch::On);
    }
    assert_eq!(read::<Colour>(Format::Json, "\"Blue\""), Colour::Blue);
    assert_eq!(read::<Colour>(Format::MsgPack, b"\xa4Blue"), Colour::Blue);
    let strange = why::<Colour>(Format::Json, "\"Mauve\"");
    assert_eq!(strange, Why::NoSuchChoice { of: "Colour" });
}

/// Long text and bytes share the frame, short ones must not keep it alive.
#[test]
fn sharing() {
    fn inside(part: &[u8], frame: &Bytes) -> bool {
        frame.as_ptr_range().contains(&part.as_ptr())
    }
    for format in FORMATS {
        for len in [255, 256] {
            let shared = len == 256;
            let body = write(format, &"x".repeat(len));
            let text: Str = decode(format, &body, None, Bounds::default()).unwrap();
            assert_eq!((text.len(), inside(text.as_bytes(), &body)), (len, shared), "{format:?}");
            let body = write(format, &vec![7_u8; len]);
            let bytes: Bytes = decode(format, &body, None, Bounds::default()).unwrap();
            assert_eq!(bytes, vec![7; len]);
            assert_eq!(inside(&bytes, &body), shared && format != Format::Json, "{format:?}");
        }
    }
}

#[test]
fn a_list_read_twice_adds_up_only_in_protobuf() {
    let mut twice = write(Format::Protobuf, &vec![1_i32]).to_vec();
    twice.extend_from_slice(&write(Format::Protobuf, &vec![2_i32]));
    assert_eq!(read::<Vec<i32>>(Format::Protobuf, &twice), [1, 2]);
    let order: Order = read(Format::Json, r#"{"items":[{}],"items":[{},{}]}"#);
    assert_eq!(order.items.len(), 2);
    let order: Order = read(Format::MsgPack, b"\x82\xa5items\x91\x80\xa5items\x92\x80\x80");
    assert_eq!(order.items.len(), 2);
}

#[test]
fn choices_between_types() {
    for what in [
        None,
        Some(What::Text(String::new())),
        Some(What::Number(0)),
        Some(What::Item(Item { name: "x".into(), price: 2 })),
    ] {
        round(&Order { what, ..Order::blank() });
    }
    round(&Tree { children: vec![Tree::blank(), Tree { children: vec![Tree::blank()] }] });
}

#[test]
fn keys_are_compared_whole() {
    let key: Vec<u8> = (1..=40).collect();
    for len in 0..key.len() {
        let key = &key[..len];
        assert!(begins_with(key, key));
        assert!(begins_with(&[key, &[0]].concat(), key));
        for changed in 0..len {
            let mut other = key.to_vec();
            other[changed] ^= 0x80;
            assert!(!begins_with(&other, key), "{len} {changed}");
            assert!(!begins_with(&key[..changed], key));
        }
    }
}
