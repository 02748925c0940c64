//! Dynamic values as gob: their types are read off them.
//!
//! | value | gob |
//! |---|---|
//! | map with text keys | struct; the keys must be names that Go exports, nulls are left out |
//! | map with other keys | map; all keys are of one type, and all values |
//! | map with the one key `$map`, a map under it | that map, as a map, text keys or not |
//! | list | slice; all items are of one type |
//! | integer, above `i64::MAX`, float | int, uint, float; where both occur, float |
//! | text, bytes, bool, time | string, bytes, bool, `time.Time` |
//!
//! Structs in one list need not have the same fields: those that one lacks are zero.

use super::FORMAT;
use super::ints::{close, open, put_blob, put_int, put_uint};
use super::send::Encoder;
use super::{time, types};
use farcall_core::{Fault, Value, Why};

/// The key that says that what stands under it is a map, and not a struct. No field is called so.
const AS_MAP: &str = "$map";

/// The type of a value.
enum Type<'v> {
    /// Not known: null, or what an empty list holds.
    Open,
    Bool,
    Int,
    Uint,
    Float,
    Text,
    Bytes,
    Time,
    List(Box<Type<'v>>),
    Map(Box<Type<'v>>, Box<Type<'v>>),
    Struct(Vec<(&'v str, Type<'v>)>),
}

/// Appends a value as a stream of its own: definitions, then the value.
/// [`Encoder::end`](super::Encoder::end) makes it part of another.
pub(super) fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), Fault> {
    let of = infer(value)?;
    let mut alone = Encoder::new();
    let Some(id) = number(&of, &mut alone, out) else {
        return refuse("null or an empty list alone: it has no type");
    };
    let message = open(out);
    put_int(out, id.into());
    if !matches!(of, Type::Struct(_)) {
        out.push(0);
    }
    put(value, &of, out)?;
    close(out, message);
    Ok(())
}

#[cold]
fn refuse<T>(what: &'static str) -> Result<T, Fault> {
    Err(Fault::new(Why::Unsupported { format: FORMAT, what }))
}

/// Depth is bounded by whoever built the value.
fn infer(value: &Value) -> Result<Type<'_>, Fault> {
    Ok(match value {
        Value::Null => Type::Open,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Float(_) => Type::Float,
        Value::Text(_) => Type::Text,
        Value::Bytes(_) => Type::Bytes,
        Value::Time(_) => Type::Time,
        Value::List(items) => {
            let mut of = Type::Open;
            for (i, item) in items.iter().enumerate() {
                of = infer(item).and_then(|t| unite(of, t)).map_err(|f| f.in_item(i))?;
            }
            Type::List(Box::new(of))
        }
        Value::Map(entries) if let Some(entries) = as_map(entries) => infer_map(entries)?,
        Value::Map(entries) if entries.iter().all(|(k, _)| k.as_str().is_some()) => {
            let mut fields = Vec::with_capacity(entries.len());
            for (i, (k, v)) in entries.iter().enumerate() {
                let name = k.as_str().unwrap_or_default();
                if !name.starts_with(char::is_uppercase) {
                    return refuse(
                        "a field whose name does not begin with an upper-case letter: Go exports \
                         no other",
                    );
                }
                fields.push((name, infer(v).map_err(|f| f.in_item(i))?));
            }
            fields.sort_by_key(|(name, _)| *name);
            if fields.windows(2).any(|two| two[0].0 == two[1].0) {
                return refuse("two fields of the same name");
            }
            // In the order they came, as a struct would declare them.
            let place = |name: &str| entries.iter().position(|(k, _)| k.as_str() == Some(name));
            if fields.len() <= 64 {
                fields.sort_by_key(|(name, _)| place(name));
            }
            Type::Struct(fields)
        }
        Value::Map(entries) => infer_map(entries)?,
    })
}

fn infer_map(entries: &[(Value, Value)]) -> Result<Type<'_>, Fault> {
    let (mut key, mut value) = (Type::Open, Type::Open);
    for (i, (k, v)) in entries.iter().enumerate() {
        key = infer(k).and_then(|t| unite(key, t)).map_err(|f| f.in_item(i))?;
        value = infer(v).and_then(|t| unite(value, t)).map_err(|f| f.in_item(i))?;
    }
    Ok(Type::Map(Box::new(key), Box::new(value)))
}

/// What stands under [`AS_MAP`], if that is all there is.
fn as_map(entries: &[(Value, Value)]) -> Option<&[(Value, Value)]> {
    match entries {
        [(Value::Text(key), Value::Map(entries))] if key == AS_MAP => Some(entries),
        _ => None,
    }
}

/// The type that two values share.
fn unite<'v>(a: Type<'v>, b: Type<'v>) -> Result<Type<'v>, Fault> {
    Ok(match (a, b) {
        (Type::Open, of) | (of, Type::Open) => of,
        (Type::Int | Type::Float, Type::Float) | (Type::Float, Type::Int) => Type::Float,
        (Type::List(a), Type::List(b)) => Type::List(Box::new(unite(*a, *b)?)),
        (Type::Map(k, v), Type::Map(l, w)) => {
            Type::Map(Box::new(unite(*k, *l)?), Box::new(unite(*v, *w)?))
        }
        (Type::Struct(mut a), Type::Struct(b)) => {
            for (at, (name, of)) in b.into_iter().enumerate() {
                // Mostly they are the same, in the same order.
                let at = match a.get(at) {
                    Some(field) if field.0 == name => Some(at),
                    _ => a.iter().position(|field| field.0 == name),
                };
                match at {
                    Some(at) => {
                        let before = std::mem::replace(&mut a[at].1, Type::Open);
                        a[at].1 = unite(before, of)?;
                    }
                    None => a.push((name, of)),
                }
            }
            Type::Struct(a)
        }
        (a, b) if std::mem::discriminant(&a) == std::mem::discriminant(&b) => a,
        _ => return refuse("values of several types in one list, or in one map"),
    })
}

/// The number of a type, defined before if it must be; none for what has no type.
fn number(of: &Type<'_>, to: &mut Encoder, out: &mut Vec<u8>) -> Option<i32> {
    Some(match of {
        Type::Open => return None,
        Type::Bool => types::BOOL,
        Type::Int => types::INT,
        Type::Uint => types::UINT,
        Type::Float => types::FLOAT,
        Type::Text => types::TEXT,
        Type::Bytes => types::BYTES,
        Type::Time => to.time(out),
        Type::List(item) => {
            let item = number(item, to, out)?;
            to.slice(item, out)
        }
        Type::Map(key, value) => {
            let (key, value) = (number(key, to, out)?, number(value, to, out)?);
            to.map(key, value, out)
        }
        Type::Struct(fields) => {
            let known: Vec<_> = fields
                .iter()
                .filter_map(|(name, of)| Some((*name, number(of, to, out)?)))
                .collect();
            to.fields(&known, out)
        }
    })
}

/// Whether a type has a number.
fn closed(of: &Type<'_>) -> bool {
    match of {
        Type::Open => false,
        Type::List(item) => closed(item),
        Type::Map(key, value) => closed(key) && closed(value),
        _ => true,
    }
}

fn put(value: &Value, of: &Type<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    match (value, of) {
        (Value::Bool(v), _) => out.push((*v).into()),
        (Value::Int(v), Type::Float) => put_uint(out, (*v as f64).to_bits().swap_bytes()),
        (Value::Int(v), _) => put_int(out, *v),
        (Value::Uint(v), _) => put_uint(out, *v),
        (Value::Float(v), _) => put_uint(out, v.to_bits().swap_bytes()),
        (Value::Text(v), _) => put_blob(out, v.as_bytes()),
        (Value::Bytes(v), _) => put_blob(out, v),
        (Value::Time(v), _) => match time::bytes(*v) {
            Some(bytes) => put_blob(out, &bytes),
            None => return Err(Fault::new(Why::OutOfRange { want: "Go's time.Time" })),
        },
        (Value::List(items), Type::List(of)) => {
            put_uint(out, items.len() as u64);
            for (i, item) in items.iter().enumerate() {
                put(item, of, out).map_err(|f| f.in_item(i))?;
            }
        }
        (Value::Map(entries), Type::Map(key, of)) => {
            let entries = as_map(entries).unwrap_or(entries);
            put_uint(out, entries.len() as u64);
            for (i, (k, v)) in entries.iter().enumerate() {
                put(k, key, out).map_err(|f| f.in_item(i))?;
                put(v, of, out).map_err(|f| f.in_item(i))?;
            }
        }
        (Value::Map(entries), Type::Struct(fields)) => {
            let mut last = 0;
            let known = fields.iter().filter(|(_, of)| closed(of));
            for (index, (name, of)) in known.enumerate() {
                let is = |entry: &&(Value, Value)| entry.0.as_str() == Some(name);
                let found = entries.get(index).filter(is).or_else(|| entries.iter().find(is));
                let Some((_, v)) = found else { continue };
                if !matches!(v, Value::Null) {
                    put_uint(out, (index + 1 - last) as u64);
                    last = index + 1;
                    put(v, of, out).map_err(|f| f.in_item(index))?;
                }
            }
            out.push(0);
        }
        _ => return refuse("null, unless it is a field"),
    }
    Ok(())
}
