//! A value for callers without types: the tool `farcall call`, calls by name, proxies, tests.

use crate::text::has_power;
use crate::{Fault, Kind, Pack, Part, Put, Shape, Shaped, Sink, Source, Take, Timestamp, Why};
use std::fmt::{self, Write as _};

/// Any value a self-describing format (JSON, MessagePack) can hold.
///
/// `farcall::json!` builds one in place. Formats that need a type (protobuf, raw) refuse it by
/// name.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A bool.
    Bool(bool),
    /// An integer that fits `i64`.
    Int(i64),
    /// An integer above `i64::MAX`. In gob, where no signed number becomes an unsigned one, any
    /// that is to be unsigned.
    Uint(u64),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes: MessagePack's bin; JSON writes them as base64 text and cannot read them back as
    /// bytes.
    Bytes(Vec<u8>),
    /// A point in time: MessagePack's timestamp extension; JSON writes RFC 3339 text.
    Time(Timestamp),
    /// Values in order.
    List(Vec<Value>),
    /// Keys and values, in the order they came. JSON's keys are text.
    Map(Vec<(Value, Value)>),
}

/// What a self-describing source has next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An explicit null.
    Null,
    /// A bool.
    Bool,
    /// An integer that fits `i64`.
    Int,
    /// An integer above `i64::MAX`.
    Uint,
    /// A float.
    Float,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A point in time.
    Time,
    /// A list.
    List,
    /// A map.
    Map,
}

static ANY: Shape = Shape::Any;
static LIST: Shape = Shape::List(&ANY);
static MAP: Shape = Shape::Map(&ANY, &ANY);
static TEXT: Shape = Shape::One(Kind::Text, Pack::Plain);

impl Value {
    /// A map with text keys.
    pub fn object<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(entries.into_iter().map(|(k, v)| (Value::Text(k.into()), v)).collect())
    }

    /// The value under a text key of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let Value::Map(entries) = self else { return None };
        entries.iter().find(|(k, _)| matches!(k, Value::Text(k) if k == key)).map(|(_, v)| v)
    }

    /// The item at a position of a list.
    pub fn at(&self, index: usize) -> Option<&Value> {
        let Value::List(items) = self else { return None };
        items.get(index)
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(v) => Some(*v),
            _ => None,
        }
    }

    /// The number as a float.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(v) => Some(*v as f64),
            Value::Uint(v) => Some(*v as f64),
            Value::Float(v) => Some(*v),
            _ => None,
        }
    }

    /// The text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(v) => Some(v),
            _ => None,
        }
    }
}

impl Shaped for Value {
    const SHAPE: Shape = Shape::Any;
}

impl Put for Value {
    fn is_blank(&self) -> bool {
        matches!(self, Value::Null)
    }

    fn put_to<S: Sink + ?Sized>(&self, _: &'static Shape, to: &mut S) {
        match self {
            Value::Null => to.none(),
            Value::Bool(v) => to.bool(*v),
            Value::Int(v) => to.int(*v, Kind::I64, Pack::Plain),
            Value::Uint(v) => to.uint(*v, Kind::U64, Pack::Plain),
            Value::Float(v) => to.float(*v, Kind::F64),
            Value::Text(v) => to.text(v),
            Value::Bytes(v) => to.bytes(v),
            Value::Time(v) => to.time(*v),
            Value::List(items) => {
                let Some(mut at) = to.list(&LIST, items.len()) else { return };
                for v in items {
                    to.item(&mut at);
                    v.put_to(&ANY, to);
                }
                to.list_end(at);
            }
            Value::Map(entries) => {
                let Some(mut at) = to.map(&MAP, entries.len()) else { return };
                for (k, v) in entries {
                    if to.key(&mut at, if k.as_str().is_some() { &TEXT } else { &ANY }, false) {
                        k.put_to(&ANY, to);
                    }
                    if to.value(&mut at, &ANY, false) {
                        v.put_to(&ANY, to);
                    }
                    to.entry_end(&mut at);
                }
                to.map_end(at);
            }
        }
    }
}

impl Take for Value {
    fn blank() -> Self {
        Value::Null
    }

    fn take_from<S: Source + ?Sized>(
        &mut self,
        _: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        *self = match from.next()? {
            Next::Null => {
                from.none()?;
                Value::Null
            }
            Next::Bool => Value::Bool(from.bool()?),
            Next::Int => Value::Int(from.int(Kind::I64, Pack::Plain)?),
            Next::Uint => Value::Uint(from.uint(Kind::U64, Pack::Plain)?),
            Next::Float => Value::Float(from.float(Kind::F64)?),
            Next::Text => Value::Text(from.text()?.to_owned()),
            Next::Bytes => Value::Bytes(from.bytes()?.to_vec()),
            Next::Time => Value::Time(from.time()?),
            Next::List => {
                let mut items = Vec::new();
                Value::take_list(&mut items, &LIST, from)?;
                Value::List(items)
            }
            Next::Map => take_map(from)?,
        };
        Ok(())
    }
}

fn take_map<S: Source + ?Sized>(from: &mut S) -> Result<Value, Fault> {
    let mut entries = Vec::new();
    let mut at = from.map(&MAP)?;
    let (mut k, mut v) = (Value::Null, Value::Null);
    loop {
        match from.part(&mut at)? {
            Part::Key => k.take_from(&ANY, from)?,
            Part::Value => v.take_from(&ANY, from).map_err(|f| f.in_item(entries.len()))?,
            Part::Entry => {
                from.spend(size_of::<(Value, Value)>())?;
                entries.push((std::mem::take(&mut k), std::mem::take(&mut v)));
            }
            Part::End => return Ok(Value::Map(entries)),
        }
    }
}

/// Compact JSON, for people. Bytes print as `{"$bytes":"hex"}`, so that nothing is lost to the eye.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(v) => write!(f, "{v}"),
            Value::Int(v) => write!(f, "{v}"),
            Value::Uint(v) => write!(f, "{v}"),
            Value::Float(v) => write!(f, "{v}"),
            Value::Text(v) => quoted(f, v),
            Value::Bytes(v) => {
                f.write_str("{\"$bytes\":\"")?;
                v.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
                f.write_str("\"}")
            }
            Value::Time(v) => {
                let (year, month, day, second) = v.civil();
                let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
                write!(f, "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
                if v.nanos != 0 {
                    let digits = format!("{:09}", v.nanos);
                    write!(f, ".{}", digits.trim_end_matches('0'))?;
                }
                f.write_str("Z\"")
            }
            Value::List(items) => {
                f.write_char('[')?;
                for (i, v) in items.iter().enumerate() {
                    write!(f, "{}{v}", if i == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Value::Map(entries) => {
                f.write_char('{')?;
                for (i, (k, v)) in entries.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "," })?;
                    match k {
                        Value::Text(k) => quoted(f, k)?,
                        k => quoted(f, &k.to_string())?,
                    }
                    write!(f, ":{v}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            // None of them is beyond four digits.
            c if has_power(c) => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

macro_rules! from {
    ($($type:ty, |$v:ident| $value:expr;)*) => { $(
        impl From<$type> for Value {
            fn from($v: $type) -> Value {
                $value
            }
        }
    )* };
}
from! {
    bool, |v| Value::Bool(v);
    i8, |v| Value::Int(v.into());
    i16, |v| Value::Int(v.into());
    i32, |v| Value::Int(v.into());
    i64, |v| Value::Int(v);
    u8, |v| Value::Int(v.into());
    u16, |v| Value::Int(v.into());
    u32, |v| Value::Int(v.into());
    u64, |v| i64::try_from(v).map_or(Value::Uint(v), Value::Int);
    usize, |v| Value::from(v as u64);
    f32, |v| Value::Float(v.into());
    f64, |v| Value::Float(v);
    &str, |v| Value::Text(v.to_owned());
    String, |v| Value::Text(v);
    Timestamp, |v| Value::Time(v);
    Vec<Value>, |v| Value::List(v);
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Value {
        v.map_or(Value::Null, Into::into)
    }
}

/// The fault of a format that does not describe itself, asked what comes next.
impl Why {
    /// What a typed format answers to a dynamic value.
    pub const fn no_dynamic(format: &'static str) -> Why {
        Why::Unsupported { format, what: "a value without a type; name the type, or use JSON" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_json() {
        let value = Value::object([
            ("a", Value::from(7)),
            ("b", Value::from(vec![Value::Null, Value::from(true), Value::from("x\"\n\u{1}")])),
            ("t", Value::from(Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 })),
        ]);
        assert_eq!(
            value.to_string(),
            "{\"a\":7,\"b\":[null,true,\"x\\\"\\n\\u0001\"],\"t\":\"2023-11-14T22:13:20.5Z\"}"
        );
        assert_eq!(value.get("a").and_then(Value::as_i64), Some(7));
        assert_eq!(value.get("b").and_then(|b| b.at(1)), Some(&Value::Bool(true)));
    }
}
