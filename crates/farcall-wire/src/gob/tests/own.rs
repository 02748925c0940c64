//! Complex numbers, types that marshal themselves and maps with any keys, as Go wrote them.

use super::kit::{check, first, read, unnamed, values, write, write_on};
use super::vectors::vector;
use crate::format::tests::types::{field, message, omit, packed};
use crate::gob::Encoder;
use farcall_core::{
    Complex, END, Fault, Field, Marshal, Marshaled, Marshaler, Message, Put, Schema, Shape, Shaped,
    Sink, Source, Take, Timestamp, Value, Why, tables,
};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// A type of the recordings: a letter, a colon, and text; or text alone.
macro_rules! marshals {
    ($($name:ident $by:ident $lead:literal;)*) => { $(
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name(String);
        impl Marshal for $name {
            const NAME: &'static str = stringify!($name);
            const BY: Marshaler = Marshaler::$by;
            fn marshal(&self) -> Result<Vec<u8>, String> {
                match self.0.contains('!') {
                    false => Ok(format!("{}{}", $lead, self.0).into_bytes()),
                    true => Err("no such text".to_owned()),
                }
            }
            fn unmarshal(bytes: &[u8]) -> Result<Self, String> {
                let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
                let text = text.strip_prefix($lead).ok_or("it begins otherwise")?;
                Ok($name(text.to_owned()))
            }
        }
    )* };
}
marshals! { GobVal Gob "g:"; GobPtr Gob "p:"; BinVal Binary ""; Url Binary ""; }

message! { AllBasic {
    1 "B" b: bool; 2 "I" i: i64; 3 "I8" i8: i8; 4 "I16" i16: i16; 5 "I32" i32: i32;
    6 "I64" i64: i64; 7 "U" u: u64; 8 "U8" u8: u8; 9 "U16" u16: u16; 10 "U32" u32: u32;
    11 "U64" u64: u64; 12 "Up" up: u64; 13 "F32" f32: f32; 14 "F64" f64: f64;
    15 "C64" c64: Complex; 16 "C128" c128: Complex; 17 "S" s: String; 18 "By" by: Vec<u8>;
} }
message! { GobHolder {
    1 "A" a: Marshaled<GobVal>; 2 "B" b: Option<Marshaled<GobPtr>>; 3 "C" c: Marshaled<GobPtr>;
    4 "D" d: Marshaled<BinVal>; 5 "E" e: i64;
} }
message! { Txt { 1 "T" t: String; } }
message! { Std {
    1 "IP" ip: Vec<u8>; 2 "URL" url: Marshaled<Url>; 3 "Big" big: Option<Marshaled<Big>>;
    4 "Txt" txt: Txt;
} }
message! { Point { 1 "X" x: i64; 2 "Y" y: i64; } }

impl Eq for Point {}
impl PartialOrd for Point {
    fn partial_cmp(&self, other: &Point) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Point {
    fn cmp(&self, other: &Point) -> std::cmp::Ordering {
        (self.x, self.y).cmp(&(other.x, other.y))
    }
}

/// `big.Int`: a byte of version and sign, and the digits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Big(Vec<u8>);

impl Marshal for Big {
    const NAME: &'static str = "Int";
    const BY: Marshaler = Marshaler::Gob;
    fn marshal(&self) -> Result<Vec<u8>, String> {
        Ok(self.0.clone())
    }
    fn unmarshal(bytes: &[u8]) -> Result<Big, String> {
        Ok(Big(bytes.to_vec()))
    }
}

/// There and back; the same bytes as Go's but for names of types.
#[track_caller]
fn same<T: Put + Take + PartialEq + Debug>(name: &str, value: &T, exact: bool) {
    let bytes = vector(name);
    let found = check(&bytes).unwrap();
    assert_eq!(&read::<T>(&found[0]).unwrap(), value, "{name}");
    let ours = write(value);
    assert_eq!(check(&ours).unwrap().len(), 1, "{name}");
    if exact {
        assert_eq!(ours, bytes, "{name}");
        assert_eq!(unnamed(&ours), unnamed(&bytes), "{name}");
    }
    assert_eq!(&first::<T>(&ours).unwrap(), value, "{name}");
    // What is cut off inside of the value is no value.
    let bodies = values(&ours, &[]).unwrap();
    for cut in 0..bodies[0].bytes.len() {
        let (bytes, lent) = (bodies[0].bytes.slice(..cut), bodies[0].lent.as_ref());
        let cut_off = crate::gob::decode::<T>(&bytes, lent, farcall_core::Bounds::default());
        // Go takes the end of a message for the end of its structs.
        assert!(
            cut_off.ok().as_ref() != Some(value) || cut + 2 >= bodies[0].bytes.len(),
            "{name} {cut}"
        );
    }
}

#[test]
fn complex_numbers() {
    same("complex128_1_2", &Complex { re: 1.0, im: 2.0 }, true);
    same("complex128_0", &Complex::default(), true);
    same("complex64_1_5_neg2_5", &Complex { re: 1.5, im: -2.5 }, true);
    same("slice_complex128", &vec![Complex::default(), Complex { re: 1.0, im: -1.0 }], true);
    let all = AllBasic {
        b: true,
        i: -1,
        i8: -8,
        i16: -16,
        i32: -32,
        i64: -64,
        u: 1,
        u8: 8,
        u16: 16,
        u32: 32,
        u64: u64::MAX,
        up: 4096,
        f32: 0.5,
        f64: std::f64::consts::PI,
        c64: Complex { re: 1.0, im: 2.0 },
        c128: Complex { re: 3.0, im: 4.0 },
        s: "s".into(),
        by: vec![1, 2],
    };
    same("struct_all_basic", &all, true);
    same("struct_all_basic_zero", &AllBasic::blank(), true);
    let odd = Complex { re: f64::NEG_INFINITY, im: -0.0 };
    let back: Complex = first(&write(&odd)).unwrap();
    assert_eq!((back.re, back.im.to_bits()), (odd.re, odd.im.to_bits()));
    for wrong in ["float64_pi", "int_3", "slice_float64", "struct_point"] {
        let fault = first::<Complex>(&vector(wrong)).unwrap_err();
        assert!(fault.starts_with("expected a complex number, found"), "{fault}");
    }
    let fault = first::<f64>(&vector("complex128_1_2")).unwrap_err();
    assert_eq!(fault, "expected f64, found a complex number");
}

#[test]
fn types_that_marshal_themselves() {
    same("gobenc_value_receiver", &Marshaled(GobVal("hi".into())), true);
    // Go has no name for what it met as a pointer, and another number inside.
    same("gobenc_pointer_receiver", &Marshaled(GobPtr("hi".into())), false);
    same("binary_marshaler", &Marshaled(BinVal("B".into())), true);
    let holder = GobHolder {
        a: Marshaled(GobVal("a".into())),
        b: Some(Marshaled(GobPtr("b".into()))),
        c: Marshaled(GobPtr("c".into())),
        d: Marshaled(BinVal("\u{1}".into())),
        e: 5,
    };
    same("gobenc_fields", &holder, false);
    let std = Std {
        ip: vec![10, 0, 0, 1],
        url: Marshaled(Url("https://u:p@h:8/p?q=1#f".into())),
        big: Some(Marshaled(Big(vec![3, 1, 0, 0, 0, 0, 0]))),
        txt: Txt { t: "x".into() },
    };
    same("std_types", &std, false);
}

/// A field that Go left out is the type's zero; ours are all sent.
#[test]
fn zeros_of_marshalers() {
    let blank = write(&GobHolder::blank());
    assert!(blank.ends_with(&[0xff, 0x82, 1, 2, b'g', b':', 2, 2, b'p', b':', 1, 0, 0]));
    message! { Fewer { 5 "E" e: i64; } }
    let gone: GobHolder = first(&write(&Fewer { e: 7 })).unwrap();
    assert_eq!(gone, GobHolder { e: 7, ..GobHolder::blank() });
}

/// One kind is not another, and what is no marshaler's is refused before a byte is read.
#[test]
fn kinds_of_marshalers_are_told_apart() {
    for (name, got) in [
        ("binary_marshaler", "expected GobVal, found a BinaryMarshaler"),
        ("bytes_123", "expected GobVal, found bytes"),
        ("string_hello", "expected GobVal, found text"),
        ("struct_point", "expected GobVal, found a struct"),
    ] {
        assert_eq!(first::<Marshaled<GobVal>>(&vector(name)).unwrap_err(), got);
    }
    let stream = vector("gobenc_value_receiver");
    let fault = first::<Marshaled<BinVal>>(&stream).unwrap_err();
    assert_eq!(fault, "expected BinVal, found a GobEncoder");
    assert!(first::<Vec<u8>>(&stream).is_err());
    assert!(first::<Timestamp>(&stream).unwrap_err().contains("not the bytes of a time.Time"));
    // A TextMarshaler, which Go knows and never sends.
    let text: Vec<u8> = stream.iter().map(|b| if *b == 5 { 7 } else { *b }).collect();
    let fault = first::<Marshaled<GobVal>>(&text).unwrap_err();
    assert_eq!(fault, "expected GobVal, found a TextMarshaler");
    assert_eq!(first::<Value>(&text).unwrap(), Value::Bytes(b"g:hi".to_vec()));
}

#[test]
fn what_marshalers_refuse() {
    let fault = first::<Marshaled<GobPtr>>(&vector("gobenc_value_receiver")).unwrap_err();
    assert_eq!(fault, "`GobPtr`: it begins otherwise");
    let wrong = GobHolder { c: Marshaled(GobPtr("!".into())), ..GobHolder::blank() };
    let mut stream = Encoder::new();
    let fault = write_on(&mut stream, &wrong).unwrap_err();
    assert_eq!(fault.to_string(), "C: `GobPtr`: no such text");
    assert!(matches!(fault.why(), Why::Marshal { of: "GobPtr", .. }));
    // Nothing of it is on the stream.
    assert_eq!(write_on(&mut stream, &7_i64).unwrap(), write(&7_i64));
    assert_eq!(write_on(&mut stream, &GobHolder::blank()).unwrap(), write(&GobHolder::blank()));
}

/// Each type is told once on a stream, by its name; without types they are bytes, and no times.
#[test]
fn marshalers_are_told_once() {
    let mut stream = Encoder::new();
    let one = write_on(&mut stream, &Marshaled(GobVal("a".into()))).unwrap();
    let two = write_on(&mut stream, &Marshaled(GobVal("b".into()))).unwrap();
    let other = write_on(&mut stream, &Marshaled(GobPtr("c".into()))).unwrap();
    let time = write_on(&mut stream, &Timestamp::default()).unwrap();
    let all = [one, two, other, time].concat();
    let found = check(&all).unwrap();
    let bytes = |text: &str| Value::Bytes(text.as_bytes().to_vec());
    let want = [bytes("g:a"), bytes("g:b"), bytes("p:c"), Value::Time(Timestamp::default())];
    for (body, want) in found.iter().zip(want) {
        assert_eq!(read::<Value>(body).unwrap(), want);
    }
    assert_eq!(read::<Marshaled<GobVal>>(&found[1]).unwrap(), Marshaled(GobVal("b".into())));
}

#[test]
fn maps_with_any_keys() {
    let point = |x, y| Point { x, y };
    same("map_point_string", &BTreeMap::from([(point(1, 2), "v".to_owned())]), false);
    same("map_array_key", &BTreeMap::from([([1_i64, 2], "v".to_owned())]), true);
    // Go names no struct that it met first as a key.
    let (ours, go) =
        (write(&BTreeMap::from([(point(1, 2), "v".to_owned())])), vector("map_point_string"));
    assert_eq!(unnamed(&ours), unnamed(&go));
    let keys = BTreeMap::from([(Marshaled(GobVal("k".into())), point(0, 0))]);
    assert_eq!(first(&write(&keys)), Ok(keys));
    let keys = BTreeMap::from([(BTreeMap::from([(point(0, 0), true)]), vec![point(0, 1)])]);
    assert_eq!(first(&write(&keys)), Ok(keys));
    let fault = first::<BTreeMap<[i64; 3], String>>(&vector("map_array_key")).unwrap_err();
    assert_eq!(fault, "expected an array, found an array of another length");
}
