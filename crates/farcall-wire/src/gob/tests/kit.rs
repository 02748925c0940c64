//! What the tests of gob share: recorded streams, feeding in pieces, comparing with their JSON.

use crate::format::json;
use crate::gob::{Broken, Decoder, Encoder, Step, decode, encode, ints, time, types};
use bytes::{Bytes, BytesMut};
use farcall_core::{Body, Bounds, Fault, Limits, Put, Take, Value};

/// The recorded cases of a file.
pub(super) fn cases(file: &'static str) -> Vec<Value> {
    let Ok(Value::List(cases)) =
        json::decode(&Bytes::from_static(file.as_bytes()), Bounds::default())
    else {
        panic!("not a list of cases")
    };
    cases
}

pub(super) fn text<'v>(case: &'v Value, key: &str) -> &'v str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// All values of a stream that is fed in pieces, cut at these offsets.
pub(super) fn values(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Body>, Broken> {
    let (mut decoder, mut input) = (Decoder::new(&Limits::default()), BytesMut::new());
    let (mut found, mut from) = (Vec::new(), 0);
    for &to in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[from..to]);
        from = to;
        loop {
            match decoder.next(&mut input)? {
                Step::Value(body) => found.push(body),
                Step::Need(need) => {
                    assert!(need > 0 || input.is_empty());
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// A stream whole, byte by byte and cut at every offset: the same must come of it each time.
pub(super) fn check(bytes: &[u8]) -> Result<Vec<Body>, Broken> {
    let whole = values(bytes, &[]);
    let single: Vec<usize> = (0..bytes.len()).collect();
    let every = if bytes.len() < 2000 { 1 } else { 997 };
    let cuts = (0..bytes.len()).step_by(every).map(|at| vec![at]);
    for cuts in cuts.chain([single]) {
        assert_eq!(values(bytes, &cuts), whole, "cut at {cuts:?}");
    }
    whole
}

pub(super) fn read<T: Take>(body: &Body) -> Result<T, Fault> {
    decode(&body.bytes, body.lent.as_ref(), Bounds::default())
}

/// The first value of a stream.
pub(super) fn first<T: Take>(stream: &[u8]) -> Result<T, String> {
    let bodies = values(stream, &[]).map_err(|broken| broken.to_string())?;
    let body = bodies.first().ok_or("no value")?;
    read(body).map_err(|fault| fault.to_string())
}

/// One value on a stream that is there.
pub(super) fn write_on<T: Put + ?Sized>(stream: &mut Encoder, value: &T) -> Result<Vec<u8>, Fault> {
    let mut out = b"-".to_vec();
    let open = stream.begin(const { &T::SHAPE }, &mut out);
    if let Err(fault) = encode(value, Bounds::default(), &mut out) {
        stream.roll_back();
        return Err(fault);
    }
    stream.end(open, &mut out);
    stream.commit();
    Ok(out.split_off(1))
}

pub(super) fn write<T: Put + ?Sized>(value: &T) -> Vec<u8> {
    write_on(&mut Encoder::new(), value).unwrap()
}

/// The stream with all names of types taken out: Go names a type by where it met it first.
pub(super) fn unnamed(stream: &[u8]) -> Vec<u8> {
    let (mut messages, mut out) = (ints::Cursor::new(stream), Vec::new());
    while messages.left() > 0 {
        let message = messages.blob().unwrap();
        let mut from = ints::Cursor::new(message);
        let id = from.int().unwrap();
        if id > 0 {
            out.extend_from_slice(message);
            continue;
        }
        let def = types::definition(&mut from, &types::Most::OURS).unwrap();
        out.extend_from_slice(format!("{id} {def:?}").as_bytes());
    }
    out
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Float(v) => *v == 0.0,
        Value::Text(v) => v.is_empty(),
        Value::Bytes(v) => v.is_empty(),
        Value::List(v) => v.is_empty(),
        _ => false,
    }
}

/// Whether what was read is what the recording says.
pub(super) fn alike(got: &Value, want: &Value) -> bool {
    if let Value::Map(entries) = want
        && let Some((Value::Text(special), inner)) = entries.first()
        && special.starts_with('$')
    {
        return alike_special(got, special, inner, want);
    }
    match (got, want) {
        (got, Value::Null) => is_zero(got),
        (Value::Map(got), Value::Map(want)) => {
            let has = |k: &Value, v: &Value| got.iter().any(|(l, w)| l == k && alike(w, v));
            got.len() == want.len() && want.iter().all(|(k, v)| has(k, v))
        }
        (Value::List(got), Value::List(want)) => {
            got.len() == want.len() && got.iter().zip(want).all(|(a, b)| alike(a, b))
        }
        (Value::Float(got), want) => want.as_f64() == Some(*got),
        _ => got == want,
    }
}

fn alike_special(got: &Value, special: &str, inner: &Value, whole: &Value) -> bool {
    let hex = || unhex(inner.as_str().unwrap_or_default());
    match special {
        "$iface" => whole.get("value").is_some_and(|want| alike(got, want)),
        "$gob" | "$binary" | "$bytes" | "$string_hex" => match got {
            Value::Time(time) => Some(*time) == time::read(&hex()),
            Value::Bytes(got) => *got == hex(),
            _ => false,
        },
        "$float" => match (got, inner.as_str().unwrap_or_default()) {
            (Value::Float(v), "NaN") => v.to_bits() == 0x7ff8_0000_0000_0001,
            (Value::Float(v), "+Inf") => *v == f64::INFINITY,
            (Value::Float(v), "-Inf") => *v == f64::NEG_INFINITY,
            (Value::Float(v), "-0") => v.to_bits() == (-0.0_f64).to_bits(),
            _ => false,
        },
        "$complex" => alike(got, inner) || got == &Value::Null,
        "$generated" => {
            let bytes = (0..100_000_usize).map(|i| (i * 7) as u8).collect();
            got == &Value::Bytes(bytes)
        }
        "$map" => {
            let (Value::Map(got), Value::List(want)) = (got, inner) else { return false };
            let pair = |pair: &Value| Some((pair.at(0)?.clone(), pair.at(1)?.clone()));
            let want: Vec<_> = want.iter().filter_map(pair).collect();
            let has = |(k, v): &(Value, Value)| got.iter().any(|(l, w)| alike(l, k) && alike(w, v));
            got.len() == want.len() && want.iter().all(has)
        }
        _ => false,
    }
}
