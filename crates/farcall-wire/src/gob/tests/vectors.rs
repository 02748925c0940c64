//! Every stream that was recorded from Go 1.19, decoded without types and with some.

use super::kit::{alike, cases, check, read, text, unhex, write, write_on};
use crate::gob::Encoder;
use farcall_core::{Timestamp, Value};

fn vectors() -> Vec<Value> {
    cases(include_str!("../testdata/vectors.json"))
}

pub(super) fn vector(name: &str) -> Vec<u8> {
    let vectors = vectors();
    let case = vectors.iter().find(|case| text(case, "name") == name);
    unhex(text(case.unwrap_or_else(|| panic!("no vector {name}")), "hex"))
}

#[test]
fn all_decode_without_types_however_they_are_cut() {
    let mut count = 0;
    for case in vectors() {
        let name = text(&case, "name");
        let found = check(&unhex(text(&case, "hex"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        let want = case.get("decoded_value").or(case.get("value"));
        let want = match (case.get("values"), want) {
            (Some(Value::List(values)), _) => values.clone(),
            (_, want) => vec![want.cloned().unwrap_or_default()],
        };
        assert_eq!(found.len(), want.len(), "{name}");
        for (body, want) in found.iter().zip(&want) {
            let got: Value = read(body).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(alike(&got, want), "{name}: {got} for {want}");
            count += 1;
        }
    }
    assert_eq!(count, 168);
}

/// What was read without types can be written without types, and read again.
#[test]
fn dynamic_values_go_there_and_back() {
    let mut stream = Encoder::new();
    let (mut bytes, mut sent) = (Vec::new(), Vec::new());
    for case in vectors() {
        for body in check(&unhex(text(&case, "hex"))).unwrap() {
            let value: Value = read(&body).unwrap();
            // Mixed lists, lists that hold null, null alone, and complex zeros have no type.
            if let Ok(more) = write_on(&mut stream, &value) {
                bytes.extend(more);
                sent.push((text(&case, "name").to_owned(), value));
            }
        }
    }
    assert!(sent.len() > 140, "{}", sent.len());
    let found = super::kit::values(&bytes, &[]).unwrap();
    assert_eq!(found.len(), sent.len());
    for (body, (name, sent)) in found.iter().zip(&sent) {
        let got: Value = read(body).unwrap();
        assert!(same(&got, sent), "{name}: {got} for {sent}");
    }
}

/// Equal, but for nulls that became the zero of what others in the list have there, or were left
/// out.
fn same(got: &Value, sent: &Value) -> bool {
    match (got, sent) {
        (Value::Map(got), Value::Map(sent)) => sent.iter().all(|(k, v)| {
            let found = got.iter().find(|(l, _)| same(l, k)).map(|(_, w)| w);
            found.map_or(matches!(v, Value::Null) || empty(v), |w| same(w, v))
        }),
        (Value::List(got), Value::List(sent)) => {
            got.len() == sent.len() && got.iter().zip(sent).all(|(a, b)| same(a, b))
        }
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (_, Value::Null) => true,
        _ => got == sent,
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().all(empty),
        Value::Map(entries) => entries.iter().all(|(_, v)| empty(v)),
        Value::Null => true,
        _ => false,
    }
}

#[test]
fn dynamic_values_as_go_would_write_them() {
    let object = Value::object([("X", Value::from(22)), ("Y", Value::from(33))]);
    let mut point = vector("struct_point");
    // The name alone: a dynamic struct has none.
    assert_eq!(point.splice(5..13, [2]).count(), 8);
    point[0] -= 7;
    assert_eq!(write(&object), point);
    assert_eq!(write(&Value::from(3)), vector("int_3"));
    assert_eq!(write(&Value::from(u64::MAX)), vector("uint64_max"));
    assert_eq!(write(&Value::from("hello")), vector("string_hello"));
    let time = Timestamp { seconds: 0, nanos: 0 };
    assert_eq!(write(&Value::Time(time)), vector("time_1970"));
    let texts = ["a", "", "ccc"].map(Value::from).to_vec();
    assert_eq!(write(&Value::from(texts)), vector("slice_string"));
    // The types of a stream are defined once.
    let mut stream = Encoder::new();
    write_on(&mut stream, &object).unwrap();
    assert_eq!(write_on(&mut stream, &object).unwrap(), [7, 0xff, 0x82, 1, 44, 1, 66, 0]);
    for (value, why) in [
        (Value::Null, "it has no type"),
        (Value::from(vec![]), "it has no type"),
        (Value::object([("x", Value::from(1))]), "upper-case"),
        (Value::from(vec![Value::from(1), Value::from("x")]), "several types"),
        (Value::from(vec![Value::Null, Value::from("x")]), "[0]: gob cannot carry null"),
    ] {
        let fault = write_on(&mut stream, &value).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
    let mixed = Value::from(vec![Value::from(1), Value::from(2.5)]);
    let got: Value = super::kit::first(&write(&mixed)).unwrap();
    assert_eq!(got, Value::from(vec![Value::from(1.0), Value::from(2.5)]));
}
