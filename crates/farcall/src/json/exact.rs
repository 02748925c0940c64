//! JSON that says more than JSON can: which number is unsigned, which text is bytes.

use crate::{Format, Status, Timestamp, Value, format::decode_from};
use std::fmt::Write as _;

/// Reads what a value from JSON says of its own types. Formats without a schema (gob,
/// MessagePack) write what a value is, and JSON has one kind of number, no bytes and no time. An
/// object whose only key begins with `$` stands for a value of another kind:
///
/// | written | becomes |
/// |---|---|
/// | `{"$uint": 6}` | an unsigned integer |
/// | `{"$float": 1}`, `{"$float": "NaN"}`, `"+Inf"`, `"-Inf"` | a float |
/// | `{"$bytes": "00ff"}` | bytes, in hexadecimal |
/// | `{"$time": "2023-11-14T22:13:20Z"}` | a point in time (RFC 3339) |
/// | `{"$map": {"a": 1}}`, `{"$map": [[1, "x"]]}` | a map, never gob's struct; keys of any kind |
///
/// A key that begins with `$` and means itself is written with `$$`. Everything else stays as it
/// is. The error names the place: `args.items[3]: …`.
///
/// ```
/// use farcall::{Format, Value, json};
/// let value = json::exact(Format::Gob, json!({"Id": {"$uint": 6}, "Key": {"$bytes": "00ff"}}))?;
/// assert_eq!(value.get("Id"), Some(&Value::Uint(6)));
/// assert_eq!(value.get("Key"), Some(&Value::Bytes(vec![0, 255])));
/// let status = json::exact(Format::Gob, json!({"Ids": [{"$uint": -6}]})).unwrap_err();
/// assert!(status.text().starts_with("Ids[0]: `$uint`"));
/// # Ok::<(), farcall::Status>(())
/// ```
pub fn exact(format: Format, value: Value) -> Result<Value, Status> {
    let mut reader = Reader { format, path: Vec::new() };
    reader.read(value).map_err(|why| {
        let mut text = String::new();
        for step in &reader.path {
            // Writing to a `String` cannot fail.
            let _ = match step {
                Step::Item(index) => write!(text, "[{index}]"),
                Step::Key(key) if text.is_empty() => write!(text, "{key}"),
                Step::Key(key) => write!(text, ".{key}"),
            };
        }
        text.push_str(if text.is_empty() { "" } else { ": " });
        Status::invalid_argument(text + &why)
    })
}

/// Why a value stands for nothing; the path says where.
type Read<T> = Result<T, String>;

enum Step {
    Key(String),
    Item(usize),
}

struct Reader {
    format: Format,
    /// To the value that is read, or could not be.
    path: Vec<Step>,
}

impl Reader {
    fn read(&mut self, value: Value) -> Read<Value> {
        match value {
            Value::List(items) => self.items(items).map(Value::List),
            Value::Map(mut entries) => {
                if let [(Value::Text(key), _)] = &entries[..]
                    && key.starts_with('$')
                    && !key.starts_with("$$")
                    && let Some((Value::Text(key), inner)) = entries.pop()
                {
                    return self.special(&key, inner);
                }
                self.entries(entries).map(Value::Map)
            }
            plain => Ok(plain),
        }
    }

    fn under(&mut self, step: Step, value: Value) -> Read<Value> {
        self.path.push(step);
        let read = self.read(value)?;
        self.path.pop();
        Ok(read)
    }

    fn items(&mut self, items: Vec<Value>) -> Read<Vec<Value>> {
        let items = items.into_iter().enumerate();
        items.map(|(index, item)| self.under(Step::Item(index), item)).collect()
    }

    fn entries(&mut self, entries: Vec<(Value, Value)>) -> Read<Vec<(Value, Value)>> {
        let entry = |(key, value): (Value, Value)| {
            let key = match key {
                Value::Text(key) => match key.strip_prefix('$') {
                    Some(literal) if literal.starts_with('$') => literal.to_owned(),
                    Some(_) => return Err(lonely(&key)),
                    None => key,
                },
                other => return Ok((other, value)),
            };
            let value = self.under(Step::Key(key.clone()), value)?;
            Ok((Value::Text(key), value))
        };
        entries.into_iter().map(entry).collect()
    }

    /// What stands under the only key of an object.
    fn special(&mut self, key: &str, inner: Value) -> Read<Value> {
        let wants = |what: &str| Err(format!("`{key}` is {what}, not {inner}"));
        Ok(match (key, &inner) {
            ("$uint", Value::Int(v)) if *v >= 0 => Value::Uint(v.unsigned_abs()),
            ("$uint", Value::Uint(v)) => Value::Uint(*v),
            ("$uint", _) => return wants("a whole number from 0 to 18446744073709551615"),
            ("$float", Value::Text(text)) => match text.as_str() {
                "NaN" => Value::Float(f64::NAN),
                "+Inf" | "Inf" => Value::Float(f64::INFINITY),
                "-Inf" => Value::Float(f64::NEG_INFINITY),
                _ => return wants("a number, \"NaN\", \"+Inf\" or \"-Inf\""),
            },
            ("$float", number) => match number.as_f64() {
                Some(v) => Value::Float(v),
                None => return wants("a number, \"NaN\", \"+Inf\" or \"-Inf\""),
            },
            ("$bytes", Value::Text(digits)) => match bytes(digits) {
                Some(bytes) => Value::Bytes(bytes),
                None => return wants("an even number of hexadecimal digits"),
            },
            ("$bytes", _) => return wants("text: hexadecimal digits"),
            ("$time", Value::Text(text)) => match time(text) {
                Some(time) => Value::Time(time),
                None => return wants("a time as RFC 3339 has it, 2023-11-14T22:13:20Z"),
            },
            ("$time", _) => return wants("text: a time as RFC 3339 has it, 2023-11-14T22:13:20Z"),
            ("$map", _) => return self.map(inner),
            _ => return Err(unknown(key)),
        })
    }

    fn map(&mut self, inner: Value) -> Read<Value> {
        self.path.push(Step::Key("$map".to_owned()));
        let entries = match inner {
            Value::Map(entries) => self.entries(entries)?,
            Value::List(pairs) => {
                let mut entries = Vec::with_capacity(pairs.len());
                for (index, pair) in pairs.into_iter().enumerate() {
                    self.path.push(Step::Item(index));
                    let pair = match pair {
                        Value::List(pair) => <[Value; 2]>::try_from(self.items(pair)?).ok(),
                        _ => None,
                    };
                    let Some([key, value]) = pair else {
                        return Err("a pair is a list of a key and a value".to_owned());
                    };
                    entries.push((key, value));
                    self.path.pop();
                }
                entries
            }
            other => {
                return Err(format!("a map is an object, or a list of pairs, not {other}"));
            }
        };
        self.path.pop();
        let map = Value::Map(entries);
        // Only gob has two kinds, and its writer is told which is meant.
        Ok(if self.format == Format::Gob { Value::object([("$map", map)]) } else { map })
    }
}

#[cold]
fn lonely(key: &str) -> String {
    format!("`{key}` says a type where it is alone; as a key it is written `${key}`")
}

#[cold]
fn unknown(key: &str) -> String {
    const KNOWN: &str = "$uint, $float, $bytes, $time, $map";
    format!("`{key}` says no type that is known ({KNOWN}); as a key it is written `${key}`")
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let digit = |b: &u8| char::from(*b).to_digit(16);
    let byte = |two: &[u8]| Some((digit(two.first()?)? << 4 | digit(two.get(1)?)?) as u8);
    digits.chunks(2).map(byte).collect()
}

fn time(text: &str) -> Option<Timestamp> {
    decode_from(Format::Json, Value::from(text).to_string().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn gob(text: &str) -> Result<Value, Status> {
        exact(Format::Gob, decode_from(Format::Json, text.as_bytes()).expect(text))
    }

    #[test]
    fn values_that_say_what_they_are() {
        let at = Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 };
        for (text, want) in [
            ("{\"$uint\": 6}", Value::Uint(6)),
            ("{\"$uint\": 18446744073709551615}", Value::Uint(u64::MAX)),
            ("{\"$float\": 1}", Value::Float(1.0)),
            ("{\"$float\": \"-Inf\"}", Value::Float(f64::NEG_INFINITY)),
            ("{\"$bytes\": \"\"}", Value::Bytes(vec![])),
            ("{\"$bytes\": \"00fF\"}", Value::Bytes(vec![0, 255])),
            ("{\"$time\": \"2023-11-15T00:13:20.5+02:00\"}", Value::Time(at)),
            ("[1, 1.5, -7, \"$x\", {\"A\": null}]", json!([1, 1.5, -7, "$x", {"A": null}])),
            // What means itself.
            ("{\"$$uint\": 6}", json!({"$uint": 6})),
            ("{\"$$\": 6, \"$$$a\": [{\"$uint\": 7}]}", {
                json!({"$": 6, "$$a": [Value::Uint(7)]})
            }),
            ("{}", json!({})),
            ("{\"$map\": {\"a\": {\"$uint\": 1}}}", json!({"$map": {"a": Value::Uint(1)}})),
            ("{\"$map\": {\"$$a\": 1}}", json!({"$map": {"$a": 1}})),
            ("{\"$map\": [[1, \"x\"], [{\"$uint\": 2}, \"y\"]]}", {
                let pairs = vec![(1.into(), "x".into()), (Value::Uint(2), "y".into())];
                json!({"$map": Value::Map(pairs)})
            }),
        ] {
            assert_eq!(gob(text), Ok(want), "{text}");
        }
        assert!(matches!(gob("{\"$float\": \"NaN\"}"), Ok(Value::Float(v)) if v.is_nan()));
        // Where maps are all there is, nobody needs to be told.
        let map = json!({"M": {"$map": {"a": 1}}});
        assert_eq!(exact(Format::MsgPack, map), Ok(json!({"M": {"a": 1}})));
    }

    #[test]
    fn what_says_nothing_says_where() {
        for (text, want) in [
            ("{\"$uint\": -1}", "`$uint` is a whole number from 0 to 18446744073709551615, not -1"),
            ("{\"A\": {\"$uint\": 1.5}}", "A: `$uint` is a whole number"),
            ("{\"A\": [0, {\"B\": {\"$bytes\": \"0\"}}]}", "A[1].B: `$bytes` is an even number"),
            (
                "{\"$bytes\": \"0g\"}",
                "`$bytes` is an even number of hexadecimal digits, not \"0g\"",
            ),
            ("{\"$bytes\": \"é\"}", "`$bytes` is an even number of hex"),
            ("{\"$bytes\": 7}", "`$bytes` is text"),
            ("{\"$float\": \"1\"}", "`$float` is a number"),
            ("{\"$float\": null}", "`$float` is a number"),
            ("{\"$time\": \"yesterday\"}", "`$time` is a time as RFC 3339"),
            ("{\"$time\": 0}", "`$time` is text"),
            ("{\"A\": {\"$int\": 1}}", "A: `$int` says no type that is known"),
            (
                "{\"$uint\": 1, \"B\": 2}",
                "`$uint` says a type where it is alone; as a key it is written `$$uint`",
            ),
            ("{\"$map\": 1}", "$map: a map is an object, or a list of pairs, not 1"),
            ("{\"A\": {\"$map\": [[1, 2], [3]]}}", "A.$map[1]: a pair is a list of a key"),
            ("{\"$map\": {\"x\": {\"$uint\": \"\"}}}", "$map.x: `$uint` is a whole number"),
            ("{\"$map\": {\"$x\": 1, \"b\": 2}}", "$map: `$x` says a type where it is alone"),
        ] {
            let status = gob(text).expect_err(text);
            assert!(status.text().starts_with(want), "{text}: {}", status.text());
        }
    }
}
