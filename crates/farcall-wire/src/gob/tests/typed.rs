//! Streams of Go's read into types, and the same bytes written from them.

use super::kit::{check, first, read, unhex, unnamed, values, write, write_on};
use super::vectors::vector;
use crate::format::tests::types::{choice, field, message, omit, packed};
use crate::gob::Encoder;
use crate::gob::ints::{put_blob, put_int};
use crate::gob::types::{Describe, describe};
use farcall_core::{
    END, Fault, Field, Message, Names, Put, Schema, Shape, Shaped, Sink, Source, Take, Timestamp,
    Value, tables,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

message! { Point { 1 "X" x: i64; 2 "Y" y: i64; } }
message! { Named { 1 "Name" name: String; 2 "P" p: Point; } }
message! { ZeroNested { 1 "A" a: i64; 2 "P" p: Point; 3 "B" b: i64; } }
message! { Inner { 1 "A" a: i64; 2 "S" s: String; } }
message! { Outer { 1 "I" i: Inner; 2 "Ptr" ptr: Option<Inner>; 3 "N" n: i64; } }
message! { Slices {
    1 "Nil" nil: Vec<i64>; 2 "Empty" empty: Vec<i64>; 3 "Some" some: Vec<i64>; 4 "After" after: i64;
} }
message! { Arrays { 1 "A" a: [i64; 3]; 2 "B" b: i64; } }
message! { Pointers { 1 "P" p: Option<Point>; 2 "Q" q: Option<Point>; } }
message! { Node { 1 "Name" name: String; 2 "Children" children: Vec<Node>; } }
message! { MapStruct { 1 "M" m: Option<BTreeMap<String, MapStruct>>; 2 "V" v: i64; } }
message! { Person {
    1 "Name" name: String; 2 "Age" age: i64; 3 "Emails" emails: Vec<String>;
    4 "Attrs" attrs: Option<BTreeMap<String, String>>; 5 "Boss" boss: Option<Box<Person>>;
    6 "Tags" tags: [String; 2]; 7 "Score" score: f64; 8 "Active" active: bool;
    9 "Blob" blob: Vec<u8>; 10 "Balance" balance: i64;
} }
message! { Holder { 1 "V" v: Value; } }
message! { Many { 1 "L" l: Vec<Value>; } }
message! { Named2 {
    1 "I" i: i64; 2 "S" s: String; 3 "B" b: Vec<u8>; 4 "C" c: f64; 5 "D" d: Duration;
} }
message! { Log { 1 "At" at: Timestamp; 2 "N" n: i64; 3 "End" end: Timestamp; } }
message! { Kinds { 1 "C" c: Level; 2 "L" list: Vec<Level>; 3 "H" hash: [u8; 4]; } }
choice! { Level { Low = 0, High = 5, } }

/// There and back, byte for byte as Go but for names.
#[track_caller]
fn same<T: Put + Take + PartialEq + Debug>(name: &str, value: &T, exact: bool) {
    let bytes = vector(name);
    let found = check(&bytes).unwrap();
    assert_eq!(&read::<T>(&found[0]).unwrap(), value, "{name}");
    let ours = write(value);
    if exact {
        assert_eq!(ours, bytes, "{name}");
    }
    assert_eq!(unnamed(&ours), unnamed(&bytes), "{name}");
}

#[test]
fn go_and_we_write_the_same() {
    same("bool_true", &true, true);
    same("int_0", &0_i64, true);
    same("int_min64", &i64::MIN, true);
    same("int8_neg128", &-128_i8, true);
    same("uint64_max", &u64::MAX, true);
    same("uint8_200", &200_u8, true);
    same("float64_pi", &std::f64::consts::PI, true);
    same("float64_negzero", &-0.0_f64, true);
    same("float32_max", &f32::MAX, true);
    same("string_200", &"x".repeat(200), true);
    same("bytes_123", &vec![1_u8, 2, 3], true);
    same("slice_int_nil", &Vec::<i64>::new(), true);
    same("slice_float64", &vec![0.0, 1.5, -2.0], true);
    same(
        "slice_point",
        &vec![Point { x: 1, y: 2 }, Point { x: 0, y: 0 }, Point { x: 0, y: 5 }],
        true,
    );
    same("array_int0", &[0_i64; 0], true);
    same("array_2x2", &[[1_i64, 2], [3, 4]], true);
    same("array_byte4", &[1_u8, 2, 200, 0], true);
    same("map_string_int_empty", &BTreeMap::<String, i64>::new(), true);
    same("map_int_string", &BTreeMap::from([(-5_i64, "minus five".to_owned())]), true);
    let map = BTreeMap::from([("a".to_owned(), BTreeMap::from([("b".to_owned(), 3_i64)]))]);
    same("map_map", &map, true);
    same("struct_point", &Point { x: 22, y: 33 }, true);
    same("struct_point_ptr", &Some(Point { x: 1, y: -1 }), true);
    same("struct_point_zero", &Point { x: 0, y: 0 }, true);
    let point = Point { x: 1, y: 2 };
    same("struct_named", &Named { name: "n".into(), p: point.clone() }, true);
    same("struct_zero_nested", &ZeroNested { a: 0, p: Point { x: 0, y: 0 }, b: 5 }, true);
    same("struct_empty_named", &(), true);
    let inner = |a, s: &str| Inner { a, s: s.into() };
    same("struct_outer", &Outer { i: inner(1, "a"), ptr: Some(inner(2, "b")), n: 3 }, true);
    same("struct_outer_nil_ptr", &Outer { i: inner(1, "a"), ptr: None, n: 3 }, true);
    let pointers = Pointers { p: Some(Point { x: 0, y: 0 }), q: None };
    same("struct_ptr_to_zero_struct", &pointers, false);
    let nil = Vec::new;
    same(
        "struct_slice_fields",
        &Slices { nil: nil(), empty: nil(), some: vec![0, 1], after: 2 },
        false,
    );
    same("struct_array_field_zero", &Arrays { a: [0; 3], b: 1 }, false);
    let leaf = |name: &str| Node { name: name.into(), children: vec![] };
    let b = Node { name: "b".into(), children: vec![leaf("c")] };
    same("rec_node_slice", &Node { name: "root".into(), children: vec![leaf("a"), b] }, false);
    let inside = BTreeMap::from([("k".to_owned(), MapStruct { m: None, v: 2 })]);
    same("rec_map_struct", &MapStruct { m: Some(inside), v: 1 }, false);
    let bob = Person { name: "Bob".into(), active: true, ..Person::blank() };
    let ada = Person {
        name: "Ada".into(),
        age: 36,
        emails: vec!["a@x".into(), "b@y".into()],
        attrs: Some([("k".to_owned(), "v".to_owned())].into()),
        boss: Some(Box::new(bob)),
        tags: ["t".into(), String::new()],
        score: 1.25,
        active: true,
        blob: b"blob".to_vec(),
        balance: -12_345_678_901,
    };
    same("struct_person", &ada, false);
    let second = Duration::from_secs(1);
    let named = Named2 { i: -3, s: "s".into(), b: vec![1], c: 36.6, d: second };
    same("struct_named_basics", &named, false);
    same("time_1970", &Timestamp::default(), true);
    same("time_zero", &Timestamp::GO_ZERO, true);
}

#[test]
fn types_are_defined_once() {
    let mut stream = Encoder::new();
    let mut bytes = write_on(&mut stream, &Point { x: 22, y: 33 }).unwrap();
    bytes.extend(write_on(&mut stream, &Point { x: 0, y: 7 }).unwrap());
    assert_eq!(bytes, vector("struct_point_twice"));
}

/// What was rolled back was never said: the next message defines it.
#[test]
fn rolling_back_leaves_no_trace() {
    let (mut stream, mut out) = (Encoder::new(), Vec::new());
    let open = stream.begin(&Named::SHAPE_HERE, &mut out);
    drop(open);
    stream.roll_back();
    assert_eq!(write_on(&mut stream, &Point { x: 22, y: 33 }).unwrap(), vector("struct_point"));
    assert!(write_on(&mut stream, &vec![Some(1_i64), None]).is_err());
    let other = write_on(&mut stream, &vec![1_i64]).unwrap();
    assert_eq!(other[..4], [12, 0xff, 0x83, 2], "the next number is 66");
}

impl Named {
    const SHAPE_HERE: Shape = Shape::Message(|| Self::SCHEMA);
}

#[test]
fn interfaces_hold_what_they_hold() {
    for (name, want) in [
        ("iface_int", Value::from(5)),
        ("iface_int_zero", Value::from(0)),
        ("iface_string", Value::from("str")),
        ("iface_uint64", Value::from(u64::MAX)),
        ("iface_bytes", Value::Bytes(vec![1, 2])),
        ("iface_nil", Value::Null),
    ] {
        let holder = Holder { v: want };
        assert_eq!(first::<Holder>(&vector(name)).unwrap(), holder, "{name}");
        // Behind the three definitions that ours sends for interfaces.
        let (ours, go) = (write(&holder), vector(name));
        let mine = values(&ours, &[]).unwrap();
        assert_eq!(mine[0].bytes, values(&go, &[]).unwrap()[0].bytes, "{name}");
        assert!(name == "iface_nil" || ours.ends_with(&go[go.len() - 6..]), "{name}");
    }
    let deep = Value::object([
        ("list", Value::from(vec![Value::from(1), Value::Null, Value::object([("", 1.5.into())])])),
        ("when", Value::Time(Timestamp { seconds: 5, nanos: 6 })),
        ("long", Value::from("x".repeat(300))),
    ]);
    let many = Many { l: vec![deep, Value::Null, Value::from(vec![]), Value::from(true)] };
    assert_eq!(first::<Many>(&write(&many)).unwrap(), many);
    let keys = Holder { v: Value::Map(vec![(Value::Int(1), Value::Null)]) };
    let fault = write_on(&mut Encoder::new(), &keys).unwrap_err();
    assert!(fault.to_string().contains("keys are not text"), "{fault}");
}

/// Go leaves out a zero time, which is not ours.
#[test]
fn a_time_that_was_left_out_is_the_year_one() {
    let (now, zero) = (Timestamp { seconds: 9, nanos: 1 }, Timestamp::GO_ZERO);
    for (at, end) in [(now, zero), (zero, now), (zero, zero), (now, now)] {
        let log = Log { at, n: 3, end };
        let whole = write(&log);
        assert_eq!(first::<Log>(&whole).unwrap(), log);
    }
    // The value that Go would send for two zero times: the second field alone.
    let mut bytes = write(&Log { at: zero, n: 3, end: zero });
    let value = bytes.windows(3).rposition(|w| w == [0xff, 0x82, 1]).unwrap();
    bytes.truncate(value - 1);
    bytes.extend([5, 0xff, 0x82, 2, 6, 0]);
    assert_eq!(first::<Log>(&bytes).unwrap(), Log { at: zero, n: 3, end: zero });
    let dynamic: Value = first(&bytes).unwrap();
    assert_eq!(dynamic.get("End"), Some(&Value::Time(zero)));
}

/// Go gives no name to a type that it met behind a pointer: a `*time.Time` is known by its bytes,
/// and `nil` is nothing.
#[test]
fn a_time_without_a_name() {
    // struct { At, Nil *time.Time; N int }, by Go 1.26.
    let bytes = unhex(NAMELESS);
    let dynamic: Value = first(&bytes).unwrap();
    let at = Timestamp { seconds: 1_700_000_000, nanos: 5 };
    assert_eq!(dynamic.get("At"), Some(&Value::Time(at)));
    assert_eq!(dynamic.get("Nil"), Some(&Value::Null));
    // A marshaler without a name whose bytes are no time.
    let mut other = bytes.clone();
    let version = bytes.windows(2).rposition(|two| two == [15, 1]).unwrap() + 1;
    other[version] = 9;
    let dynamic: Value = first(&other).unwrap();
    assert!(matches!(dynamic.get("At"), Some(Value::Bytes(bytes)) if bytes.len() == 15));
}

const NAMELESS: &str = "227f030102ff800001030102417401ff820001034e696c01ff820001014e01\
    040000000aff81050102ff8400000016ff80010f010000000edce5e80000000005ffff020600";

/// Go names a struct without a name by writing it out, however long that is.
#[test]
fn names_of_types_may_be_long() {
    let long = "x".repeat(5000);
    let point = [("X", 2), ("Y", 2)];
    let mut content = Vec::new();
    put_int(&mut content, -65);
    describe(&mut content, 65, &Describe::Struct(&long, &point));
    let mut stream = Vec::new();
    put_blob(&mut stream, &content);
    stream.extend([5, 0xff, 0x82, 1, 44, 0]);
    assert_eq!(first::<Point>(&stream).unwrap(), Point { x: 22, y: 0 });
}

#[test]
fn enums_are_ints_and_byte_arrays_are_not_bytes() {
    let kinds =
        Kinds { c: Level::High, list: vec![Level::Low, Level::High], hash: [0, 127, 128, 255] };
    let bytes = write(&kinds);
    assert_eq!(first::<Kinds>(&bytes).unwrap(), kinds);
    let fault = first::<Level>(&write(&4_i64)).unwrap_err();
    assert!(fault.contains("`Level` has no such value"), "{fault}");
    assert!(first::<Vec<u8>>(&write(&[1_u8, 2])).is_err());
}

/// A message without fields takes what comes, as Go's handlers without parameters are called.
#[test]
fn the_empty_message_takes_anything() {
    for name in ["int_3", "slice_point", "struct_person", "iface_nested", "struct_empty_anonymous"]
    {
        first::<()>(&vector(name)).unwrap();
    }
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    message! { Only { 1 "Z" z: i64; } }
    let only = first::<Only>(&vector("iface_skip_with_int")).unwrap();
    assert_eq!(only, Only { z: 2 });
    let person = first::<Named2>(&vector("struct_person")).unwrap_err();
    assert!(person.contains("has none of its fields"), "{person}");
}

#[test]
fn faults_name_the_field() {
    message! { Wrong { 1 "Name" name: String; 2 "P" p: WrongPoint; } }
    message! { WrongPoint { 1 "X" x: u64; } }
    let fault = first::<Wrong>(&vector("struct_named")).unwrap_err();
    assert_eq!(fault, "P.X: expected u64, found a signed integer");
    message! { Small { 1 "X" x: i8; } }
    let fault = first::<Vec<Small>>(&write(&vec![Point { x: 1, y: 0 }, Point { x: 300, y: 0 }]));
    assert!(fault.unwrap_err().starts_with("[1].X: the number does not fit i8"));
    let fault = write_on(&mut Encoder::new(), &vec![vec![Some(1_i64)], vec![None]]).unwrap_err();
    assert_eq!(fault.path(), "[1][0]");
    let body = &values(&vector("int_3"), &[]).unwrap()[0];
    let alone = crate::gob::decode::<i64>(&body.bytes, None, farcall_core::Bounds::default());
    assert!(alone.unwrap_err().to_string().contains("apart from the stream"));
}

/// What a value says of itself goes out as it says it: nothing is lost on the way to its type.
#[test]
fn values_say_their_types() {
    assert_eq!(write(&Value::Uint(6)), write(&6_u64));
    assert_eq!(write(&Some(Value::Uint(6))), write(&6_u64));
    assert_eq!(write(&Value::Int(6)), write(&6_i64));
    assert_eq!(write(&Value::Float(6.0)), write(&6.0_f64));
    assert_eq!(write(&Value::Bytes(vec![1])), write(&vec![1_u8]));
    let map = |key: &str, value| Value::object([("$map", Value::object([(key, value)]))]);
    let typed = BTreeMap::from([("a".to_owned(), 3_i64)]);
    assert_eq!(write(&map("a", Value::Int(3))), write(&typed));
    let typed = BTreeMap::from([("a".to_owned(), typed)]);
    assert_eq!(first(&write(&map("a", map("a", Value::Int(3))))), Ok(typed));
    let keys = Value::Map(vec![(Value::Int(-5), Value::from("minus five"))]);
    let typed = BTreeMap::from([(-5_i64, "minus five".to_owned())]);
    assert_eq!(write(&Value::object([("$map", keys)])), write(&typed));
    // A name is no field's, and a map must be one.
    for wrong in [map("a", Value::Null), Value::object([("$map", Value::Int(1))])] {
        assert!(write_on(&mut Encoder::new(), &wrong).is_err(), "{wrong}");
    }
    let deep = (0..101).fold(Value::Int(1), |inner, _| Value::List(vec![inner]));
    let fault = write_on(&mut Encoder::new(), &deep).unwrap_err();
    assert!(fault.to_string().contains("Limits::body_depth"), "{fault}");
}
