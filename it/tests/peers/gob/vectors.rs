//! The recorded streams (by Go 1.19, in `farcall-wire/src/gob/testdata`) before today's Go: it must
//! read them as we do, and what we write of what we read must be the same to it.

use super::{
    Judge, hex, read,
    shapes::{FIRST, Root, install},
    types::{Type, alike, told},
    unhex, write,
};
use bytes::BytesMut;
use farcall::{
    Bounds, Complex, Limits, Marshal, Marshaled, Marshaler, Message, Put, Take, Timestamp, Value,
};
use farcall_wire::gob::{self, Decoder, Step};
use serde_json::Value as Json;
use std::collections::BTreeMap;

fn cases(file: &str) -> Vec<Json> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/farcall-wire/src/gob/testdata/");
    let text = std::fs::read_to_string(format!("{folder}{file}")).expect("the recordings");
    serde_json::from_str(&text).expect("a list of cases")
}

fn text<'c>(case: &'c Json, key: &str) -> &'c str {
    case[key].as_str().unwrap_or_default()
}

/// The types of a stream's values as the judge knows them. Recordings name most of them in Go's
/// notation.
fn types_of(case: &Json) -> Vec<String> {
    let name = text(case, "name");
    let one = match name {
        "bytes_large" => "[]byte",
        "struct_point_twice" => "Point",
        "struct_deep" => "Deep1",
        "struct_all_basic" | "struct_all_basic_zero" => "AllBasic",
        "struct_named_basics" => "NamedBasics",
        "struct_unexported_skipped" => "Unexported",
        "struct_embedded_ptr" => "EmbedsPtr",
        "struct_sparse" => "struct{A, B, C, D, E, F, G, H, I, J int}",
        "struct_generic" => "PairStringInt",
        "struct_generic_nested" => "PairPointInts",
        "struct_person" => "Person",
        "rec_mutual" => "MutA",
        "rec_map_struct" => "MapStruct",
        "struct_130_fields_last" => {
            let names: Vec<_> = (0..130).map(|i| format!("F{i:03}")).collect();
            return vec![format!("struct{{{} int}}", names.join(", "))];
        }
        "iface_nested_after_known" => {
            return ["Inner", "Box2", "Box"].map(str::to_owned).to_vec();
        }
        "iface_ptr_struct" => "Holder",
        "iface_top_level" => "any",
        "iface_skip_with_int" => "Skip1",
        "gobenc_fields" => "GobHolder",
        "std_types" => "Std",
        _ if name.starts_with("iface_") && text(case, "go_type").starts_with("Box") => "Box",
        _ => {
            let text = text(case, "go_type");
            let text = text.split(" holding").next().unwrap_or(text);
            match text.strip_prefix("type ") {
                // `type MyByte uint8; []MyByte`
                Some(rest) if rest.contains("; []") => &rest[rest.find("[]").unwrap_or(0)..],
                Some(rest) => rest.split(' ').next().unwrap_or(rest),
                None if text.starts_with("[]Point") => "[]Point",
                None => text,
            }
        }
    };
    vec![one.to_owned()]
}

/// The values of a stream as `T`s, written again.
fn again<T: Take + Put>(stream: &[u8]) -> Result<Vec<u8>, String> {
    write(&read::<T>(stream)?)
}

type Again = fn(&[u8]) -> Result<Vec<u8>, String>;

/// Bytes that a type of Go's makes of itself, whatever they mean.
macro_rules! opaque {
    ($($name:ident)*) => { $(
        #[derive(Clone, Debug, Default, PartialEq)]
        struct $name(Vec<u8>);
        impl Marshal for $name {
            const NAME: &'static str = stringify!($name);
            const BY: Marshaler = Marshaler::$name;
            fn marshal(&self) -> Result<Vec<u8>, String> {
                Ok(self.0.clone())
            }
            fn unmarshal(bytes: &[u8]) -> Result<Self, String> {
                Ok($name(bytes.to_vec()))
            }
        }
    )* };
}
opaque! { Gob Binary }

#[derive(Message, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[message(go_names)]
struct Point {
    x: i64,
    y: i64,
}

/// Types of ours for those that are no structs.
fn bare(of: &str) -> Option<Again> {
    Some(match of {
        "bool" => again::<bool>,
        "int" | "int64" | "MyInt" => again::<i64>,
        "int8" => again::<i8>,
        "int16" => again::<i16>,
        "uint" | "uint64" | "uintptr" => again::<u64>,
        "uint8" => again::<u8>,
        "uint16" => again::<u16>,
        "uint32" => again::<u32>,
        "float64" => again::<f64>,
        "float32" => again::<f32>,
        "string" => again::<String>,
        "[]byte" | "[]MyByte" => again::<Vec<u8>>,
        "[]int" => again::<Vec<i64>>,
        "[]string" => again::<Vec<String>>,
        "[]float64" => again::<Vec<f64>>,
        "[]uint64" => again::<Vec<u64>>,
        "[]uint16" => again::<Vec<u16>>,
        "[][]byte" => again::<Vec<Vec<u8>>>,
        "[]interface{}" => again::<Vec<Value>>,
        "[]Point" => again::<Vec<Root<FIRST>>>,
        "*Point" => again::<Option<Root<FIRST>>>,
        "[2]Point" => again::<[Root<FIRST>; 2]>,
        "[0]int" => again::<[i64; 0]>,
        "[2][2]int" => again::<[[i64; 2]; 2]>,
        "[4]byte" => again::<[u8; 4]>,
        "map[string]int" => again::<BTreeMap<String, i64>>,
        "map[int]string" => again::<BTreeMap<i64, String>>,
        "map[bool]float64" => again::<BTreeMap<bool, f64>>,
        "map[string]Point" => again::<BTreeMap<String, Root<FIRST>>>,
        "map[Point]string" => again::<BTreeMap<Point, String>>,
        "map[[2]int]string" => again::<BTreeMap<[i64; 2], String>>,
        "map[string]map[string]int" => again::<BTreeMap<String, BTreeMap<String, i64>>>,
        "map[string]interface{}" => again::<BTreeMap<String, Value>>,
        "time.Time" => again::<Timestamp>,
        "complex128" | "complex64" => again::<Complex>,
        "[]complex128" => again::<Vec<Complex>>,
        "GobVal" | "GobPtr" => again::<Marshaled<Gob>>,
        "BinVal" => again::<Marshaled<Binary>>,
        _ => return None,
    })
}

/// What has no type of ours: read dynamically alone.
const NO_TYPE: &[&str] = &[
    // A string that is not UTF-8, and so none of ours.
    "string_invalid_utf8",
    // Types that hold themselves without a struct between: their shape would have no end.
    "rec_map",
    "rec_slice",
    // A message cannot be the whole of an interface.
    "iface_top_level",
    // An interface with methods.
    "iface_ptr_struct",
];

/// What comes back as another value, because a dynamic value names no types: Go's `int` in an
/// interface is still one, its `int64`, `Point` or `[]string` is not.
fn names_lost(case: &Json) -> bool {
    let name = text(case, "name");
    name.starts_with("iface_") || name == "map_string_iface_nil"
}

#[test]
fn every_recorded_stream() {
    let mut judge = Judge::start();
    let (mut typed, mut dynamic, mut count) = (0, 0, 0);
    for case in cases("vectors.json") {
        let name = text(&case, "name");
        let stream = unhex(text(&case, "hex"));
        let types = types_of(&case);
        let types: Vec<&str> = types.iter().map(String::as_str).collect();
        let want = judge.decode(&types, &stream).unwrap_or_else(|e| panic!("{name}: Go: {e}"));

        // Without types: every stream is read as what Go reads.
        let got: Vec<Value> = read(&stream).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(got.len(), want.len(), "{name}");
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let of = Type::from_json(&judge.describe(types[i.min(types.len() - 1)]));
            let want = told(&of, want, &mut Vec::new());
            assert!(alike(got, &want), "{name}: {got} for {want}");
        }
        count += 1;

        // With types: what we write again is the same to Go.
        let point = Type::from_json(&judge.describe("Point"));
        install(&point, FIRST).expect("a struct of ours");
        let root = Type::from_json(&judge.describe(types[0]));
        let ours = match bare(types[0]) {
            _ if NO_TYPE.contains(&name) => None,
            Some(again) => Some(again),
            None if types.len() > 1 => None,
            None => {
                install(&root, FIRST).unwrap_or_else(|| panic!("{name}: no type of ours"));
                Some(again::<Root<FIRST>> as Again)
            }
        };
        if let Some(again) = ours {
            let again = again(&stream).unwrap_or_else(|e| panic!("{name}: {e}"));
            let back = judge.decode(&types, &again);
            let back = back.unwrap_or_else(|e| panic!("{name}: Go: {e}: {}", hex(&again)));
            if names_lost(&case) {
                for (back, want) in back.iter().zip(&want) {
                    let back = told(&root, back, &mut Vec::new());
                    assert!(alike(&back, &told(&root, want, &mut Vec::new())), "{name}: {back}");
                }
            } else {
                assert_eq!(back, want, "{name}: {}", hex(&again));
            }
            typed += 1;
        }

        // Dynamic values out: where ours has the type of Go's, Go reads it.
        if let Ok(again) = write(&got)
            && let Ok(back) = judge.decode(&types, &again)
        {
            for (i, (back, want)) in back.iter().zip(&want).enumerate() {
                let of = Type::from_json(&judge.describe(types[i.min(types.len() - 1)]));
                let told = |from| told(&of, from, &mut Vec::new());
                assert!(alike(&told(back), &told(want)), "{name}: {back} for {want}");
            }
            dynamic += 1;
        }
    }
    println!(
        "encoding/gob judged {count} recorded streams: {typed} written again with types, \
         {dynamic} without"
    );
    assert!(count == 164 && typed == 158 && dynamic >= 90, "{count} {typed} {dynamic}");
}

/// The type that a case reads into, as the judge knows it. `None`: no type of ours.
fn destination(text: &str) -> Option<&str> {
    Some(match text {
        "struct{V Shape}" => "ShapeBox",
        "struct{Base; Name string}, Base struct{ID int}" => "Embeds",
        "struct{P *int; PP **int; ...}" => "Pointers",
        "map preset {old:5,k:9}" => "map[string]int",
        "skip" | "string then int" => return None,
        _ => {
            let ends = [" with", " preset", " of", " (", " then"];
            let end = ends.iter().filter_map(|word| text.find(word)).min();
            &text[..end.unwrap_or(text.len())]
        }
    })
}

/// What we do otherwise than today's Go, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("struct_to_iface", "a dynamic value takes any type"),
    ("skip_iface_nested_newtype", "Go cannot skip it"),
    ("iface_not_assignable", "there are no interfaces with methods"),
    ("promoted_field", "there are no embedded structs"),
    ("raw_iface_unregistered", "the type says it, the name is not needed"),
    ("raw_iface_name_mismatch", "the type says it, the name is not needed"),
    ("raw_id_beyond_int32", "Go cuts the number off"),
    ("raw_two_variants", "Go takes the one it wants"),
    ("raw_dup_field_names", "Go takes the last"),
    ("raw_map_negative", "Go takes it for an empty map"),
    ("raw_zero_length_message", "Go takes it for the end"),
];

/// The first value of a stream as a `T`, on a stream of its own.
fn first<T: Take + Put>(stream: &[u8]) -> Result<Vec<u8>, String> {
    let (mut decoder, mut input) = (Decoder::new(&Limits::default()), BytesMut::from(stream));
    let body = match decoder.next(&mut input) {
        Ok(Step::Value(body)) => body,
        Ok(Step::Need(_)) => return Err("cut short".into()),
        Err(broken) => return Err(broken.to_string()),
    };
    let value: T = gob::decode(&body.bytes, body.lent.as_ref(), Bounds::default())
        .map_err(|fault| fault.to_string())?;
    write(&[value])
}

fn bare_first(of: &str) -> Option<Again> {
    Some(match of {
        "bool" => first::<bool>,
        "int" => first::<i64>,
        "int8" => first::<i8>,
        "uint" => first::<u64>,
        "float64" => first::<f64>,
        "string" => first::<String>,
        "[]byte" | "[]uint8" => first::<Vec<u8>>,
        "[3]int" => first::<[i64; 3]>,
        "[]int" | "[]int64" => first::<Vec<i64>>,
        "[]*int" => first::<Vec<Option<i64>>>,
        "[]struct{}" => first::<Vec<()>>,
        "map[string]int64" | "map[string]int" => first::<BTreeMap<String, i64>>,
        "map[string]uint" => first::<BTreeMap<String, u64>>,
        "interface{}" => first::<Value>,
        "BinVal" => first::<Marshaled<Binary>>,
        "[]Point" => first::<Vec<Root<FIRST>>>,
        _ => return None,
    })
}

/// Types that do not quite fit, malformed streams: Go and we take and refuse the same.
#[test]
fn every_recorded_misfit() {
    let mut judge = Judge::start();
    let (mut taken, mut refused, mut moved) = (0, 0, 0);
    for case in cases("compat.json") {
        let name = text(&case, "name");
        let Some(dest) = destination(text(&case, "dest")) else { continue };
        let stream = unhex(text(&case, "hex"));
        let go = judge.first(dest, &stream);
        // Go itself moves on, but has not changed its mind on any of these.
        moved += usize::from(go.is_ok() != (text(&case, "result") == "ok"));
        let of = Type::from_json(&judge.describe(if dest == "[]Point" { "Point" } else { dest }));
        let ours = match bare_first(dest) {
            Some(_) if dest == "[]Point" => {
                install(&of, FIRST).expect("a struct of ours");
                first::<Vec<Root<FIRST>>>(&stream)
            }
            Some(first) => first(&stream),
            None => {
                install(&of, FIRST).unwrap_or_else(|| panic!("{name}: no type of ours: {dest}"));
                first::<Root<FIRST>>(&stream)
            }
        };
        if EXCEPTIONS.iter().any(|(excepted, _)| *excepted == name) {
            continue;
        }
        match (go, ours) {
            (Err(_), Err(_)) => refused += 1,
            (Ok(want), Ok(ours)) => {
                let of = Type::from_json(&judge.describe(dest));
                let back = judge.decode(&[dest], &ours).unwrap_or_else(|e| panic!("{name}: {e}"));
                let [back, want] = [&back[0], &want].map(|value| told(&of, value, &mut Vec::new()));
                assert!(alike(&back, &want), "{name}: {back} for {want}");
                taken += 1;
            }
            (go, ours) => panic!("{name}: Go: {go:?}, we: {ours:?}"),
        }
    }
    println!("encoding/gob: {taken} recorded misfits taken and {refused} refused by both");
    assert!(moved == 0 && taken >= 20 && refused >= 50, "{moved} {taken} {refused}");
}
