//! Complex numbers, types that make bytes of themselves, and maps with any keys: what each format
//! carries them as.

use super::types::{Item, field, message, omit, packed};
use super::{round, round_in, try_read, try_write, why, write};
use crate::format::Format::{self, Json, MsgPack, Protobuf, Raw};
use farcall_core::{
    Complex, END, Fault, Field, Marshal, Marshaled, Marshaler, Message, Put, Schema, Shape, Shaped,
    Sink, Source, Take, Value, Why, tables,
};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// A byte that must be odd.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Odd(pub(crate) u8);

impl Default for Odd {
    fn default() -> Odd {
        Odd(1)
    }
}

impl Marshal for Odd {
    const NAME: &'static str = "Odd";
    const BY: Marshaler = Marshaler::Binary;

    fn marshal(&self) -> Result<Vec<u8>, String> {
        if self.0 % 2 == 1 { Ok(vec![self.0]) } else { Err(format!("{} is even", self.0)) }
    }

    fn unmarshal(bytes: &[u8]) -> Result<Odd, String> {
        match bytes {
            [byte] if byte % 2 == 1 => Ok(Odd(*byte)),
            _ => Err(format!("{} bytes, or an even one", bytes.len())),
        }
    }
}

message! { Own {
    1 "c" c: Complex; 2 "o" o: Marshaled<Odd>; 3 "many" many: Vec<Complex>;
    4 "maybe" maybe: Option<Complex>; 5 "all" all: Vec<Marshaled<Odd>>;
    6 "nil" nil: Option<Marshaled<Odd>>;
} }

message! { Cell { 1 "x" x: i32; 2 "y" y: i32; } }

impl Eq for Cell {}
impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Cell) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Cell {
    fn cmp(&self, other: &Cell) -> std::cmp::Ordering {
        (self.x, self.y).cmp(&(other.x, other.y))
    }
}

/// Written as these bytes, and read back; cut anywhere, refused or another value, and no panic.
#[track_caller]
fn golden<T: Put + Take + PartialEq + Debug>(format: Format, value: &T, bytes: &[u8]) {
    assert_eq!(write(format, value), bytes, "{format:?}");
    round_in(format, value);
    for cut in 0..bytes.len() {
        if let Ok(other) = try_read::<T>(format, &bytes[..cut]) {
            assert!(format == Protobuf || cut == 0, "{format:?} cut at {cut}: {other:?}");
        }
    }
}

fn one() -> Complex {
    Complex { re: 1.0, im: -2.0 }
}

#[test]
fn complex_numbers() {
    golden(Json, &one(), b"[1,-2]");
    golden(MsgPack, &one(), b"\x92\xcb\x3f\xf0\0\0\0\0\0\0\xcb\xc0\0\0\0\0\0\0\0");
    let parts = b"\x09\0\0\0\0\0\0\xf0\x3f\x11\0\0\0\0\0\0\0\xc0";
    golden(Protobuf, &one(), &[&b"\x0a\x12"[..], parts].concat());
    golden(Protobuf, &Complex { re: 0.0, im: 0.0 }, b"");
    golden(Protobuf, &vec![Complex::default()], b"\x0a\0");
    // A zero with a sign is one that is written.
    round(&Complex { re: -0.0, im: 0.0 });
    round(&vec![one(), Complex::default()]);
    round(&BTreeMap::from([(1_i32, one())]));
    round(&Some(one()));
    round(&None::<Complex>);
    let fault = try_write(Json, &Complex { re: f64::NAN, im: 0.0 }).unwrap_err();
    assert_eq!(fault.to_string(), "json cannot carry NaN or infinity");
    assert!(matches!(try_write(Raw, &one()).unwrap_err().why(), Why::Unsupported { .. }));
    assert!(matches!(why::<Complex>(Raw, b"x"), Why::Unsupported { .. }));
}

#[test]
fn complex_numbers_are_two() {
    for (format, wrong) in [
        (Json, &b"[]"[..]),
        (Json, b"[1]"),
        (Json, b"[1,2,3]"),
        (Json, b"[1,\"2\"]"),
        (Json, b"1"),
        (Json, b"{\"re\":1,\"im\":2}"),
        (MsgPack, b"\x90"),
        (MsgPack, b"\x91\x01"),
        (MsgPack, b"\x93\x01\x02\x03"),
        (MsgPack, b"\x01"),
        (Protobuf, b"\x0a\x02\x08\x01"),
        (Protobuf, b"\x0a\x02\x09\x01"),
        (Protobuf, b"\x0a\x09\x0d\0\0\0\0\0\0\0\0"),
    ] {
        assert!(try_read::<Complex>(format, wrong).is_err(), "{format:?} {wrong:?}");
    }
    let got = why::<Complex>(Json, b"[1,2,3]");
    assert!(matches!(got, Why::WrongType { want: "a complex number", .. }), "{got:?}");
    assert_eq!(try_read::<Complex>(Json, b"null").unwrap(), Complex::default());
    assert_eq!(try_read::<Complex>(MsgPack, b"\xc0").unwrap(), Complex::default());
    assert_eq!(try_read::<Complex>(MsgPack, b"\x92\x01\xfe").unwrap(), one());
}

/// Two messages in one field are one, and what nobody knows is passed over.
#[test]
fn parts_of_complex_numbers_are_merged_in_protobuf() {
    let mut body = b"\x0a\x09\x09\0\0\0\0\0\0\xf0\x3f".to_vec();
    body.extend_from_slice(b"\x0a\x0d\x18\x05\x11\0\0\0\0\0\0\0\xc0\x20\x01");
    assert_eq!(try_read::<Complex>(Protobuf, &body).unwrap(), one());
}

#[test]
fn types_that_make_bytes_of_themselves() {
    golden(Json, &Marshaled(Odd(255)), b"\"/w==\"");
    golden(MsgPack, &Marshaled(Odd(255)), b"\xc4\x01\xff");
    golden(Protobuf, &Marshaled(Odd(255)), b"\x0a\x01\xff");
    golden(Raw, &Marshaled(Odd(255)), b"\xff");
    for format in [Json, MsgPack, Protobuf, Raw] {
        let fault = try_write(format, &Marshaled(Odd(4))).unwrap_err();
        assert_eq!(fault.to_string(), "`Odd`: 4 is even", "{format:?}");
        let fault = try_read::<Marshaled<Odd>>(format, write(format, &vec![4_u8])).unwrap_err();
        assert_eq!(fault.to_string(), "`Odd`: 1 bytes, or an even one", "{format:?}");
    }
    let own = Own {
        c: one(),
        o: Marshaled(Odd(3)),
        many: vec![one(), Complex::default()],
        maybe: Some(Complex::default()),
        all: vec![Marshaled(Odd(5)), Marshaled(Odd(7))],
        nil: Some(Marshaled(Odd(9))),
    };
    round(&own);
    round(&Own::blank());
    let json = r#"{"c":[0,0],"o":"AQ==","many":[],"maybe":null,"all":[],"nil":null}"#;
    golden(Json, &Own::blank(), json.as_bytes());
    assert_eq!(try_read::<Own>(Json, r#"{"o":null,"all":null}"#).unwrap(), Own::blank());
    let wrong = Own { all: vec![Marshaled(Odd(5)), Marshaled(Odd(6))], ..own };
    for format in [Json, MsgPack, Protobuf] {
        let fault = try_write(format, &wrong).unwrap_err();
        assert_eq!(fault.to_string(), "all[1]: `Odd`: 6 is even", "{format:?}");
    }
}

#[test]
fn maps_with_any_keys() {
    let cell = |x, y| Cell { x, y };
    let board = BTreeMap::from([(cell(0, 0), "a".to_owned()), (cell(1, 2), String::new())]);
    golden(Json, &board, br#"[[{"x":0,"y":0},"a"],[{"x":1,"y":2},""]]"#);
    golden(Protobuf, &board, b"\x0a\x05\x0a\0\x12\x01a\x0a\x08\x0a\x04\x08\x01\x10\x02\x12\0");
    golden(MsgPack, &board, b"\x82\x82\xa1x\0\xa1y\0\xa1a\x82\xa1x\x01\xa1y\x02\xa0");
    round(&BTreeMap::<Cell, Item>::new());
    round(&BTreeMap::from([(true, 1_i32), (false, 0)]));
    round(&BTreeMap::from([(vec![1_u8, 255], 1_i32), (vec![], 0)]));
    round(&BTreeMap::from([(Marshaled(Odd(7)), cell(1, 1))]));
    round(&BTreeMap::from([([1_u8, 2], Complex::default())]));
    // Protobuf has no lists of lists, and none in maps.
    for format in [Json, MsgPack] {
        round_in(format, &BTreeMap::from([([1_i64, 2], 3_i32), ([1, 3], 0)]));
        round_in(format, &BTreeMap::from([(vec![cell(1, 2)], board.clone())]));
        round_in(format, &BTreeMap::from([(board.clone(), board.clone())]));
    }
    for fault in [
        try_write(Protobuf, &BTreeMap::from([([1_i64, 2], 3_i32)])).unwrap_err(),
        try_read::<BTreeMap<[i64; 2], i32>>(Protobuf, b"\x0a\x02\x10\x01").unwrap_err(),
    ] {
        assert!(fault.to_string().contains("wrap the inner list in a message"), "{fault}");
    }
}

#[test]
fn maps_that_are_lists_of_pairs() {
    type Board = BTreeMap<Cell, i32>;
    let one = Board::from([(Cell { x: 1, y: 0 }, 5)]);
    assert_eq!(try_read::<Board>(Json, " [ [ {\"x\":1} , 5 ] ] ").unwrap(), one);
    assert_eq!(try_read::<Board>(Json, "[[{\"x\":1},4],[{\"x\":1},5]]").unwrap(), one);
    assert_eq!(try_read::<Board>(Json, "null").unwrap(), Board::new());
    assert_eq!(try_read::<Board>(Json, "[[{\"x\":1},null]]").unwrap().len(), 1);
    let pair = Why::Syntax("an entry of this map is a list of its key and its value");
    for wrong in ["[[{}]]", "[[{},1,2]]", "[1]", "[null]", "[{}]"] {
        let got = try_read::<Board>(Json, wrong).unwrap_err();
        assert!(got.why() == &pair || matches!(got.why(), Why::WrongType { .. }), "{wrong} {got}");
    }
    assert_eq!(why::<Board>(Json, "[[]]"), Why::Syntax("a value was expected"));
    let got = why::<Board>(Json, "{}");
    assert!(matches!(got, Why::WrongType { .. }), "{got:?}");
    let fault = try_read::<Board>(Json, "[[{},1],[{\"x\":\"a\"},1]]").unwrap_err();
    assert_eq!(fault.path(), "[1].x");
    // Read without its type, it is what it looks like.
    let value = Value::from(vec![Value::from(vec![
        Value::object([("x", Value::from(1)), ("y", Value::from(0))]),
        Value::from(5),
    ])]);
    assert_eq!(try_read::<Value>(Json, write(Json, &one)).unwrap(), value);
}
