//! What is printed: data on standard output, everything else on standard error; values as JSON.
//!
//! Printing goes through here because `println!` panics when the reader of a pipe has left.

use crate::style::Style;
use farcall::{Origin, Sent, Status, Value, json};
use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    time::Duration,
};

/// Prints bytes on standard output, and sees that they are out. Ends the process when they cannot
/// be.
pub(crate) fn data(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever reads has read enough: `farcall … | head`.
        if error.kind() != io::ErrorKind::BrokenPipe {
            self::error(&format!("cannot write to standard output: {error}"));
        }
        std::process::exit(crate::FAILED.into());
    }
}

/// Prints a line on standard output.
pub(crate) fn line(text: &str) {
    data(format!("{text}\n").as_bytes());
}

/// Prints a value on standard output: for people on a terminal, on one line for programs.
pub(crate) fn value(value: &Value) {
    line(&render(value, io::stdout().is_terminal()));
}

/// Prints a line on standard error.
pub(crate) fn note(text: &str) {
    // Nobody is left to tell when this fails.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a mistake on standard error.
pub(crate) fn error(text: &str) {
    note(&format!("{} {text}", Style::stderr().bad("farcall:")));
}

/// Prints why a call failed on standard error.
pub(crate) fn failure(status: &Status, as_json: bool) {
    match as_json {
        true => note(&render(&status_value(status), false)),
        false => error(&status.to_string()),
    }
}

fn status_value(status: &Status) -> Value {
    let sent = match status.sent() {
        Sent::No => "no",
        Sent::Maybe => "maybe",
        Sent::Yes => "yes",
    };
    let mut value = json!({
        "code": status.code().name(),
        "number": status.code() as u8,
        "text": status.text(),
        "origin": match status.origin() { Origin::Local => "local", Origin::Remote => "remote" },
        "sent": sent,
        "peer": status.peer(),
        "attempts": status.attempts(),
        "hint": status.hint(),
    });
    if let (Value::Map(entries), [_, ..]) = (&mut value, status.earlier()) {
        let one = |s: &Status| json!({ "peer": s.peer(), "text": s.text() });
        let earlier = status.earlier().iter().map(one).collect();
        entries.push((Value::from("earlier"), Value::List(earlier)));
    }
    value
}

/// A length of time with three digits that mean something: `1.23 ms`.
pub(crate) fn time(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    let (number, unit) = match ns {
        0.0..1e3 => return format!("{ns} ns"),
        1e3..1e6 => (ns / 1e3, "µs"),
        1e6..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let digits = match number {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$} {unit}")
}

/// A value as JSON. Bytes become base64 text, as in Go; keys that are not text become text; floats
/// that JSON has not become text too.
pub(crate) fn render(value: &Value, pretty: bool) -> String {
    let mut out = String::new();
    write(&mut out, value, pretty.then_some(0));
    out
}

/// `depth`: of the indentation; none when all goes on one line.
fn write(out: &mut String, value: &Value, depth: Option<usize>) {
    match value {
        Value::Float(v) if !v.is_finite() => quoted(out, &v.to_string()),
        Value::Float(v) => float(out, *v),
        Value::Text(text) => quoted(out, text),
        Value::Bytes(bytes) => quoted(out, &base64(bytes)),
        Value::List(items) => {
            let items = items.iter().map(|item| (None, item));
            block(out, "[]", items.collect(), depth);
        }
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (Some(key), value));
            block(out, "{}", entries.collect(), depth);
        }
        // Null, bools, integers and times print as JSON has them.
        other => drop(write!(out, "{other}")),
    }
}

fn block(out: &mut String, ends: &str, parts: Vec<(Option<&Value>, &Value)>, depth: Option<usize>) {
    let (open, close) = ends.split_at(1);
    out.push_str(open);
    let inner = depth.map(|depth| depth + 1);
    let new_line = |out: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str("  "));
        }
    };
    for (i, (key, value)) in parts.iter().enumerate() {
        out.push_str(if i == 0 { "" } else { "," });
        new_line(out, inner);
        match key {
            Some(Value::Text(key)) => quoted(out, key),
            Some(key) => quoted(out, &render(key, false)),
            None => {}
        }
        if key.is_some() {
            out.push_str(if depth.is_some() { ": " } else { ":" });
        }
        write(out, value, inner);
    }
    if !parts.is_empty() {
        new_line(out, depth);
    }
    out.push_str(close);
}

/// The shortest digits that read back as the same number, with an exponent where they would be
/// many.
fn float(out: &mut String, v: f64) {
    let _ = match v.abs() {
        0.0 | 1e-6..1e21 => write!(out, "{v}"),
        _ => write!(out, "{v:e}"),
    };
}

fn quoted(out: &mut String, text: &str) {
    let text = Value::Text(text.to_owned());
    let _ = write!(out, "{text}");
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, b| word << 8 | u32::from(*b));
        let word = word << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= chunk.len() { letter as char } else { '=' });
        }
    }
    text
}

/// A table whose columns are as wide as their widest cell.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|&h| h.to_owned()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines; `paint` colours a padded cell, given its row (0 is the headings) and column.
    pub(crate) fn lines(&self, paint: impl Fn(usize, usize, &str) -> String) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |(r, row): (usize, &Vec<String>)| {
            let cells = row.iter().enumerate().map(|(c, cell)| {
                let last = c + 1 == row.len();
                let padded = match widths.get(c) {
                    Some(width) if !last => format!("{cell:<width$}"),
                    _ => cell.clone(),
                };
                paint(r, c, &padded)
            });
            cells.collect::<Vec<_>>().join("  ")
        };
        self.rows.iter().enumerate().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_json() {
        let value = json!({
            "text": "a\"<b>\n",
            "bytes": Value::Bytes(vec![0, 255, 1, 2]),
            "list": [1, [], {}, null],
            "floats": [0.1, 1e300, -0.5, f64::NAN, 3.0],
        });
        assert_eq!(
            render(&value, false),
            "{\"text\":\"a\\\"<b>\\n\",\"bytes\":\"AP8BAg==\",\"list\":[1,[],{},null],\
             \"floats\":[0.1,1e300,-0.5,\"NaN\",3]}"
        );
        let pretty = render(&json!({"a": [1, {"b": null}], "c": []}), true);
        assert_eq!(
            pretty,
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": []\n}"
        );
        let keys = Value::Map(vec![(Value::Int(-1), Value::Bool(true))]);
        assert_eq!(render(&keys, false), "{\"-1\":true}");
    }

    #[test]
    fn base64_pads() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn times() {
        for (ns, want) in
            [(7, "7 ns"), (1_234, "1.23 µs"), (45_678_901, "45.7 ms"), (2_000_000_000, "2.00 s")]
        {
            assert_eq!(time(Duration::from_nanos(ns)), want);
        }
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["what", "time"]);
        table.row(vec!["µ".into(), "1".into()]);
        let lines = table.lines(|_, _, cell| cell.to_owned());
        assert_eq!(lines, ["what  time", "µ     1"]);
    }
}
