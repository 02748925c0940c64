//! Values of limits as text, both ways, and names that are nearly right.

use super::Amount;
use std::{fmt, time::Duration};

const KIB: u64 = 1024;
const UNITS: [(&str, u64); 3] = [("GiB", KIB * KIB * KIB), ("MiB", KIB * KIB), ("KiB", KIB)];

/// No time of a limit is longer.
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Amount::Bytes(bytes) => {
                let unit = UNITS.iter().find(|(_, size)| bytes > 0 && bytes % size == 0);
                match unit {
                    Some((name, size)) => write!(f, "{} {name}", grouped(bytes / size)),
                    None => write!(f, "{} bytes", grouped(bytes)),
                }
            }
            Amount::Count(count) => f.write_str(&grouped(count)),
            Amount::Time(time) => write_time(f, time),
            Amount::None => f.write_str("none"),
            Amount::Times(first, last) => {
                write_time(f, first)?;
                f.write_str(" to ")?;
                write_time(f, last)
            }
        }
    }
}

fn write_time(f: &mut fmt::Formatter<'_>, time: Duration) -> fmt::Result {
    match time.as_nanos() {
        ns if ns % 1_000_000_000 == 0 => write!(f, "{} s", time.as_secs()),
        ns if ns % 1_000_000 == 0 => write!(f, "{} ms", ns / 1_000_000),
        ns if ns % 1_000 == 0 => write!(f, "{} us", ns / 1_000),
        ns => write!(f, "{ns} ns"),
    }
}

/// `65,536`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number as people write it: `65536`, `65_536`, `65,536`.
fn number(text: &str) -> Option<u64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit());
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    let all = digits.bytes().all(|b| b.is_ascii_digit());
    // Longer than a number can be is the most there is; whoever reads it says that it is too much.
    (plain && all).then(|| digits.parse().unwrap_or(u64::MAX))
}

/// `4,096`
pub(super) fn count(text: &str) -> Result<u64, String> {
    match number(text) {
        Some(u64::MAX) => Err("it is more than this machine can count".to_owned()),
        Some(count) => Ok(count),
        None => Err(format!("`{text}` is not a number")),
    }
}

/// `16 MiB`, `16MiB`, `1,000 bytes`, `1000`
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '_' | ','));
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let Some(number) = number(digits) else {
        return Err(format!("`{text}` is not a number of bytes: 16777216 or 16MiB"));
    };
    let unit = unit.trim();
    let size = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, size)) => *size,
        None if matches!(unit, "" | "bytes" | "B") => 1,
        None => return Err(format!("`{unit}` is no unit; the units are KiB, MiB and GiB")),
    };
    let bytes = number.checked_mul(size).filter(|bytes| *bytes < u64::MAX);
    bytes.ok_or_else(|| "it is more than this machine can count".to_owned())
}

/// `500 ms`, `500ms`, `2s`, `1.5s`, `1m`
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 =
        number.parse().map_err(|_| "write a number and a unit: 500ms, 2s, 1m".to_owned())?;
    let seconds = match unit.trim() {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" => return Err("it needs a unit: us, ms, s, m or h".to_owned()),
        _ => return Err("the units are us, ms, s, m and h".to_owned()),
    };
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(time) if time <= YEAR => Ok(time),
        _ => Err("at most a year".to_owned()),
    }
}

/// The name that a mistyped one was meant to be, if one is near.
pub(super) fn nearest<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let near = names.into_iter().map(|name| (distance(&typed, name), name)).min()?;
    // A third of it may be wrong.
    (near.0 * 3 <= near.1.len()).then_some(near.1)
}

/// Letters to add, take away or change (Levenshtein's distance).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // Of what nobody meant as a name, the beginning says enough.
    let a = a.chars().take(2 * b.len() + 1);
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print() {
        for (amount, want) in [
            (Amount::Bytes(0), "0 bytes"),
            (Amount::Bytes(1), "1 bytes"),
            (Amount::Bytes(1000), "1,000 bytes"),
            (Amount::Bytes(1024), "1 KiB"),
            (Amount::Bytes(48 << 20), "48 MiB"),
            (Amount::Bytes(2 << 30), "2 GiB"),
            (Amount::Count(65_536), "65,536"),
            (Amount::Count(12), "12"),
            (Amount::Count(1_234_567), "1,234,567"),
            (Amount::Time(Duration::from_secs(90)), "90 s"),
            (Amount::Time(Duration::from_millis(1500)), "1500 ms"),
            (Amount::Time(Duration::from_micros(20)), "20 us"),
            (Amount::Time(Duration::from_nanos(20)), "20 ns"),
            (Amount::None, "none"),
        ] {
            assert_eq!(amount.to_string(), want);
        }
    }

    #[test]
    fn distances() {
        for (a, b, far) in [("", "abc", 3), ("abc", "abc", 0), ("axc", "abc", 1), ("ac", "abc", 1)]
        {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
        assert_eq!(nearest("zzz", ["calls", "idle"]), None);
    }
}
