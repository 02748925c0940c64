//! Go's types as gob sees them, and values of theirs as JSON that loses nothing, as the judge tells
//! and takes them (`peers/gob/values.go`).

use super::{hex, unhex};
use farcall::{Marshaler, Timestamp, Value};
use serde_json::{Value as Json, json};

/// What gob sees of a type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Bool,
    /// Signed, of so many bits.
    Int(u32),
    Uint(u32),
    Float(u32),
    Complex,
    Text,
    Bytes,
    Time,
    Span,
    /// What a marshaler of Go's writes.
    Opaque(Marshaler),
    Any,
    Pointer(Box<Type>),
    List(Box<Type>),
    Array(Box<Type>, usize),
    Map(Box<Type>, Box<Type>),
    Struct(Vec<(String, Type)>),
    /// One of the types around it, the outermost first, pointers not counted.
    Ref(usize),
}

impl Type {
    /// What the judge describes.
    pub(super) fn from_json(told: &Json) -> Type {
        let of = |key: &str| Box::new(Type::from_json(&told[key]));
        match told["k"].as_str().expect("a kind") {
            "bool" => Type::Bool,
            "int" | "int64" => Type::Int(64),
            "int8" => Type::Int(8),
            "int16" => Type::Int(16),
            "int32" => Type::Int(32),
            "uint" | "uint64" | "uintptr" => Type::Uint(64),
            "uint8" => Type::Uint(8),
            "uint16" => Type::Uint(16),
            "uint32" => Type::Uint(32),
            "float32" => Type::Float(32),
            "float64" => Type::Float(64),
            "complex64" | "complex128" => Type::Complex,
            "string" => Type::Text,
            "bytes" => Type::Bytes,
            "time" => Type::Time,
            "span" => Type::Span,
            "opaque" => Type::Opaque(match told["by"].as_str() {
                Some("gob") => Marshaler::Gob,
                Some("binary") => Marshaler::Binary,
                by => panic!("the judge says {by:?}"),
            }),
            "any" => Type::Any,
            "ptr" => Type::Pointer(of("of")),
            "list" => Type::List(of("of")),
            "array" => Type::Array(of("of"), told["len"].as_u64().expect("a length") as usize),
            "map" => Type::Map(of("key"), of("of")),
            "ref" => Type::Ref(told["to"].as_u64().expect("a place") as usize),
            "struct" => {
                let field = |field: &Json| {
                    let name = field[0].as_str().expect("a name").to_owned();
                    (name, Type::from_json(&field[1]))
                };
                Type::Struct(told["fields"].as_array().expect("fields").iter().map(field).collect())
            }
            kind => panic!("the judge says {kind}"),
        }
    }

    /// In Go's notation.
    pub(super) fn go(&self) -> String {
        match self {
            Type::Bool => "bool".into(),
            Type::Int(bits) => format!("int{bits}"),
            Type::Uint(bits) => format!("uint{bits}"),
            Type::Float(bits) => format!("float{bits}"),
            Type::Complex => "complex128".into(),
            Type::Text => "string".into(),
            Type::Bytes => "[]byte".into(),
            Type::Time => "time.Time".into(),
            Type::Span => "time.Duration".into(),
            Type::Any => "any".into(),
            Type::Pointer(to) => format!("*{}", to.go()),
            Type::List(item) => format!("[]{}", item.go()),
            Type::Array(item, len) => format!("[{len}]{}", item.go()),
            Type::Map(key, value) => format!("map[{}]{}", key.go(), value.go()),
            Type::Struct(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, of)| format!("{name} {}", of.go())).collect();
                format!("struct{{{}}}", fields.join("; "))
            }
            Type::Opaque(_) | Type::Ref(_) => panic!("only Go has names for {self:?}"),
        }
    }
}

/// A value as the judge tells it. `around` are the types that a `Ref` may mean.
pub(super) fn told<'t>(of: &'t Type, from: &Json, around: &mut Vec<&'t Type>) -> Value {
    let bits = || {
        let digits = from.as_str().expect("digits of a float");
        Value::Float(f64::from_bits(u64::from_str_radix(digits, 16).expect("digits")))
    };
    if let Type::Ref(at) = of {
        let inner = around[*at];
        let mut outside = around[..*at].to_vec();
        return told(inner, from, &mut outside);
    }
    if !matches!(of, Type::Pointer(_)) {
        around.push(of);
    }
    let mut list = |of: &'t Type| -> Vec<Value> {
        from.as_array().expect("a list").iter().map(|v| told(of, v, around)).collect()
    };
    let value = match of {
        Type::Bool => from.as_bool().expect("a bool").into(),
        Type::Int(_) | Type::Span => from.as_i64().expect("an integer").into(),
        Type::Uint(_) => from.as_u64().expect("an integer").into(),
        Type::Float(_) => bits(),
        Type::Complex => {
            let part = |at: usize| told(&Type::Float(64), &from[at], &mut Vec::new());
            Value::List(vec![part(0), part(1)])
        }
        Type::Text => match from.as_str() {
            Some(text) => text.into(),
            None => Value::Bytes(unhex(from["$hex"].as_str().expect("digits"))),
        },
        Type::Bytes => Value::Bytes(unhex(from.as_str().expect("digits"))),
        Type::Opaque(_) => Value::Bytes(unhex(from["$marshaled"].as_str().expect("digits"))),
        Type::Time => {
            let nanos = from[1].as_u64().expect("nanoseconds") as u32;
            Value::Time(Timestamp { seconds: from[0].as_i64().expect("seconds"), nanos })
        }
        Type::Any if from.is_null() => Value::Null,
        Type::Any => told(&Type::from_json(&from["of"]), &from["value"], &mut Vec::new()),
        Type::Pointer(_) if from.is_null() => Value::Null,
        Type::Pointer(to) => told(to, from, around),
        Type::List(item) | Type::Array(item, _) => Value::List(list(item)),
        Type::Map(key, value) => {
            let pairs = from.as_array().expect("entries").iter();
            let mut pair = |v: &Json| (told(key, &v[0], around), told(value, &v[1], around));
            Value::Map(pairs.map(&mut pair).collect())
        }
        Type::Struct(fields) => {
            let mut field = |(name, of): &'t (String, Type)| {
                (Value::from(name.as_str()), told(of, &from[name], around))
            };
            Value::Map(fields.iter().map(&mut field).collect())
        }
        Type::Ref(_) => unreachable!("looked up above"),
    };
    if !matches!(of, Type::Pointer(_)) {
        around.pop();
    }
    value
}

/// A value as the judge takes it: the other way round.
pub(super) fn tell(of: &Type, value: &Value) -> Json {
    match (of, value) {
        (Type::Any, value) => tell_any(value),
        (Type::Pointer(_), Value::Null) => Json::Null,
        (Type::Pointer(to), value) => tell(to, value),
        (Type::List(item) | Type::Array(item, _), Value::List(items)) => {
            items.iter().map(|v| tell(item, v)).collect()
        }
        (Type::Complex, Value::List(parts)) => parts.iter().map(plain).collect(),
        (Type::Map(key, value), Value::Map(entries)) => {
            entries.iter().map(|(k, v)| json!([tell(key, k), tell(value, v)])).collect()
        }
        (Type::Struct(fields), Value::Map(entries)) => {
            let pairs = fields.iter().zip(entries);
            pairs.map(|((name, of), (_, v))| (name.clone(), tell(of, v))).collect()
        }
        (_, value) => plain(value),
    }
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Bool(v) => json!(v),
        Value::Int(v) => json!(v),
        Value::Uint(v) => json!(v),
        Value::Float(v) => json!(format!("{:016x}", v.to_bits())),
        Value::Text(v) => json!(v),
        Value::Bytes(v) => json!(hex(v)),
        Value::Time(v) => json!([v.seconds, v.nanos]),
        value => panic!("{value} is no scalar"),
    }
}

/// A value in an interface, as the type that we write it as.
fn tell_any(value: &Value) -> Json {
    let (of, value) = match value {
        Value::Null => return Json::Null,
        Value::Bool(_) => ("bool", plain(value)),
        Value::Int(_) => ("int", plain(value)),
        Value::Uint(_) => ("uint64", plain(value)),
        Value::Float(_) => ("float64", plain(value)),
        Value::Text(_) => ("string", plain(value)),
        Value::Bytes(_) => ("[]byte", plain(value)),
        Value::Time(_) => ("time.Time", plain(value)),
        Value::List(items) => ("[]any", items.iter().map(tell_any).collect()),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(k, v)| json!([plain(k), tell_any(v)]));
            ("map[string]any", entries.collect())
        }
    };
    json!({"of": of, "value": value})
}

/// Whether two values of a type are the same: to the bit, but for what a dynamic value does not
/// tell apart (see [`alike`]).
pub(super) fn same(of: &Type, got: &Value, want: &Value) -> bool {
    match (of, got, want) {
        (Type::Any, ..) => alike(got, want),
        (Type::Pointer(to), got, want) if *want != Value::Null && *got != Value::Null => {
            same(to, got, want)
        }
        (Type::List(item) | Type::Array(item, _), Value::List(got), Value::List(want)) => {
            got.len() == want.len() && got.iter().zip(want).all(|(a, b)| same(item, a, b))
        }
        (Type::Map(key, value), Value::Map(got), Value::Map(want)) => {
            let has = |(k, v): &(Value, Value)| {
                got.iter().any(|(l, w)| same(key, l, k) && same(value, w, v))
            };
            got.len() == want.len() && want.iter().all(has)
        }
        (Type::Struct(fields), Value::Map(got), Value::Map(want)) => {
            got.len() == want.len()
                && fields
                    .iter()
                    .enumerate()
                    .all(|(i, (_, of))| got[i].0 == want[i].0 && same(of, &got[i].1, &want[i].1))
        }
        (Type::Complex, Value::List(got), Value::List(want)) => {
            got.iter().zip(want).all(|(a, b)| same(&Type::Float(64), a, b))
        }
        (_, Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (_, got, want) => got == want,
    }
}

/// Equal, but for nil, which is the zero of any type, fields that were left out, and the sign of
/// zero, which is left out with it.
pub(super) fn alike(got: &Value, want: &Value) -> bool {
    match (got, want) {
        (got, Value::Null) => zero(got),
        (Value::Null, want) => zero(want),
        (Value::Map(got), Value::Map(want)) => {
            let has = |(k, v): &(Value, Value)| {
                got.iter().find(|(l, _)| alike(l, k)).map_or(zero(v), |(_, w)| alike(w, v))
            };
            got.len() <= want.len() && want.iter().all(has)
        }
        (Value::List(got), Value::List(want)) => {
            got.len() == want.len() && got.iter().zip(want).all(|(a, b)| alike(a, b))
        }
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits() || *a == 0.0 && *b == 0.0,
        (got, want) => got == want,
    }
}

fn zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) => true,
        Value::Float(v) => *v == 0.0,
        Value::Text(v) => v.is_empty(),
        Value::Bytes(v) => v.is_empty(),
        Value::Time(v) => *v == Timestamp::GO_ZERO,
        Value::List(items) => items.iter().all(zero),
        Value::Map(entries) => entries.iter().all(|(_, v)| zero(v)),
        _ => false,
    }
}
