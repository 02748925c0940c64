//! What Go reads into which of its types, we read into ours, with the exceptions that are listed.

use super::kit::{alike, cases, first, read, text, unhex, values};
use crate::format::json;
use crate::format::tests::types::{field, message, omit, packed};
use crate::gob::{Broken, Decoder, Step};
use bytes::BytesMut;
use farcall_core::{
    Bounds, END, Fault, Field, Limits, Message, Put, Schema, Shape, Shaped, Sink, Source, Take,
    Value, tables,
};
use std::collections::BTreeMap;

message! { Point { 1 "X" x: i64; 2 "Y" y: i64; } }
message! { Ba { 1 "B" b: i64; 2 "A" a: i64; } }
message! { Abc { 1 "A" a: i64; 2 "B" b: i64; 3 "C" c: i64; } }
message! { B { 1 "B" b: i64; } }
message! { Cd { 1 "C" c: i64; 2 "D" d: i64; } }
message! { Au { 1 "A" a: i64; 2 "B" b: u64; } }
message! { Af { 1 "A" a: i64; 2 "B" b: f64; } }
message! { Ap { 1 "A" a: Option<i64>; 2 "B" b: Option<Option<i64>>; } }
message! { I8 { 1 "A" a: i8; } }
message! { U8 { 1 "A" a: u8; } }
message! { F32 { 1 "A" a: f32; } }
message! { Si8 { 1 "A" a: Vec<i8>; } }
message! { I64 { 1 "A" a: i64; } }
message! { IdName { 1 "ID" id: i64; 2 "Name" name: String; } }
message! { Az { 1 "A" a: i64; 2 "Z" z: i64; } }
message! { As { 1 "A" a: i64; 2 "S" s: String; } }
message! { Holder { 1 "V" v: Value; } }
message! { Pp {
    1 "P" p: Option<i64>; 2 "PP" pp: Option<i64>; 3 "N" n: Option<i64>; 4 "S" s: Option<String>;
    5 "Z" z: Option<i64>;
} }
message! { Sl { 1 "A" a: Vec<i64>; } }
message! { Ma { 1 "A" a: BTreeMap<String, i64>; } }

/// Reads into a type, and as what its JSON says.
fn into<T: Take + Put>(stream: &[u8]) -> Result<Value, String> {
    let value: T = first(stream)?;
    let mut out = Vec::new();
    json::encode(&value, Bounds::default(), &mut out).map_err(|fault| fault.to_string())?;
    json::decode(&out.into(), Bounds::default()).map_err(|fault| fault.to_string())
}

type Into = fn(&[u8]) -> Result<Value, String>;

fn dest(name: &str) -> Option<Into> {
    Some(match name {
        "struct{B,A int}" => into::<Ba>,
        "struct{A,B,C int} with C preset to 9" => into::<Abc>,
        "struct{B int}" => into::<B>,
        "struct{C,D int}" => into::<Cd>,
        "struct{A int; B uint}" => into::<Au>,
        "struct{A int; B float64}" => into::<Af>,
        "struct{A *int; B **int}" => into::<Ap>,
        "struct{A int8}" => into::<I8>,
        "int8" => into::<i8>,
        "struct{A uint8}" => into::<U8>,
        "struct{A float32}" => into::<F32>,
        "struct{A []int8}" => into::<Si8>,
        "uint" => into::<u64>,
        "int" => into::<i64>,
        "float64" => into::<f64>,
        "string" => into::<String>,
        "[]byte" | "[]uint8" => into::<Vec<u8>>,
        "[3]int" => into::<[i64; 3]>,
        "[]int" | "[]int64" => into::<Vec<i64>>,
        "[]*int" => into::<Vec<Option<i64>>>,
        "map[string]int64" | "map[string]int" | "map preset {old:5,k:9}" => {
            into::<BTreeMap<String, i64>>
        }
        "map[string]uint" => into::<BTreeMap<String, u64>>,
        "struct{A int}" => into::<I64>,
        "interface{}" | "skip" => into::<Value>,
        "Point" | "Point preset {9,9}" => into::<Point>,
        "[]Point preset {{9,9},{9,9}}" => into::<Vec<Point>>,
        "struct{ID int; Name string}" | "struct{Base; Name string}, Base struct{ID int}" => {
            into::<IdName>
        }
        "struct{A, Z int}" => into::<Az>,
        "struct{V Shape}" | "Box" | "Box preset {5}" => into::<Holder>,
        "struct{A int; S string} of another name" => into::<As>,
        "bool" => into::<bool>,
        "[]struct{}" => into::<Vec<()>>,
        "struct{P *int; PP **int; ...}" => into::<Pp>,
        "struct{A []int}" => into::<Sl>,
        "struct{A map[string]int}" => into::<Ma>,
        _ => return None,
    })
}

/// What we do otherwise, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("struct_to_iface", "a dynamic value takes any type"),
    ("skip_iface_nested_newtype", "Go cannot skip it"),
    ("iface_not_assignable", "there are no interfaces with methods"),
    ("raw_iface_unregistered", "the type says it, the name is not needed"),
    ("raw_iface_name_mismatch", "the type says it, the name is not needed"),
    ("raw_id_beyond_int32", "Go cuts the number off"),
    ("raw_two_variants", "Go takes the one it wants"),
    ("raw_dup_field_names", "Go takes the last"),
    ("raw_map_negative", "Go takes it for an empty map"),
    ("raw_field_delta_overflow", "Go 1.19 panics, later refuses"),
];

/// Ours starts from nothing, Go's from what was there.
const PRESET: &[&str] = &["struct_extra_local", "merge_struct", "merge_map", "merge_slice_reuse"];

#[test]
fn the_same_is_taken_and_refused() {
    let mut count = 0;
    for case in cases(include_str!("../testdata/compat.json")) {
        let name = text(&case, "name");
        let Some(dest) = dest(text(&case, "dest")) else { continue };
        let stream = unhex(text(&case, "hex"));
        let got = dest(&stream);
        let excepted = EXCEPTIONS.iter().any(|(n, _)| *n == name);
        if name == "raw_field_delta_overflow" {
            assert!(got.is_err());
            continue;
        }
        let ok = text(&case, "result") == "ok";
        assert_eq!(got.is_ok() == ok, !excepted, "{name}: {got:?}");
        if let (Ok(got), Some(want), false) = (&got, case.get("value"), excepted)
            && !PRESET.contains(&name)
            && name != "promoted_field"
        {
            assert!(alike(got, want), "{name}: {got} for {want}");
        }
        count += 1;
    }
    assert_eq!(count, 95);
}

/// A value that does not fit is not the end of the stream.
#[test]
fn a_stream_goes_on_after_a_misfit() {
    let cases = cases(include_str!("../testdata/compat.json"));
    let case = cases.iter().find(|case| text(case, "name") == "raw_after_type_error");
    let bodies = values(&unhex(text(case.unwrap(), "hex")), &[]).unwrap();
    assert!(read::<String>(&bodies[0]).is_err());
    assert_eq!(read::<i64>(&bodies[1]).unwrap(), 3);
}

/// Twelve thousand types, each a slice of the next.
#[test]
fn types_are_counted() {
    let (mut input, mut decoder) = (BytesMut::new(), Decoder::new(&Limits::default()));
    for id in 65..12_065_i64 {
        let mut message = Vec::new();
        super::super::ints::put_int(&mut message, -id);
        super::super::types::describe(
            &mut message,
            id as i32,
            &super::super::types::Describe::Slice(id as i32 + 1),
        );
        input.extend_from_slice(&[message.len() as u8]);
        input.extend_from_slice(&message);
    }
    let broken = loop {
        match decoder.next(&mut input) {
            Ok(Step::Need(0)) => panic!("all were taken"),
            Ok(_) => {}
            Err(broken) => break broken,
        }
    };
    assert_eq!(broken, Broken::ManyTypes { limit: 4096 });
}
