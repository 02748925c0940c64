//! The small languages of values: durations, `k=v`, limits, secrets.

use farcall::{Compress, Format, Rate, SetBy, SourcedLimits};
use std::{fmt, path::PathBuf, time::Duration};

pub(super) fn codec(text: &str) -> Result<Format, String> {
    match Format::from_name(text) {
        Some(Format::Thrift) => Err("thrift is not built yet".to_owned()),
        Some(format) => Ok(format),
        None => Err("known: json, msgpack, protobuf, raw, gob".to_owned()),
    }
}

pub(super) fn compress(text: &str) -> Result<Compress, String> {
    Compress::from_name(text).ok_or_else(|| "known: none, gzip".to_owned())
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("the key is empty".to_owned()),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("write KEY=VALUE".to_owned()),
    }
}

/// A token, and whether it was typed for everybody on the machine to see.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) text: String,
    /// The file that it was read from; none: it stands on the command line, which other users can
    /// list.
    pub(crate) file: Option<PathBuf>,
}

impl Secret {
    /// Whether others can see it.
    pub(crate) fn typed(&self) -> bool {
        self.file.is_none()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A token, or `@FILE` that holds one.
pub(super) fn secret(text: &str) -> Result<Secret, String> {
    let secret = match text.strip_prefix('@') {
        None => Secret { text: text.to_owned(), file: None },
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|error| format!("cannot read {file}: {error}"))?;
            let text = text.trim_end_matches(['\r', '\n']).to_owned();
            Secret { text, file: Some(file.into()) }
        }
    };
    match secret.text.as_str() {
        "" => Err("it is empty".to_owned()),
        _ => Ok(secret),
    }
}

/// The same for who only sends it.
pub(crate) fn token(text: &str) -> Result<String, String> {
    secret(text).map(|secret| secret.text)
}

/// A limit's name and value, which must be good.
pub(super) fn limit(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE: message_bytes=1MiB")?;
    let (name, value) = (name.trim(), value.trim());
    let flag = SetBy::Flag("--limit".to_owned());
    SourcedLimits::default().set(name, value, flag)?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("not a number".to_owned()),
    }
}

/// So many calls in a time.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    text.parse().map_err(|_| "write a rate as 1000/s, 60/m or 10/h".to_owned())
}

/// A number and its unit: `250us`, `500ms`, `2s`, `1.5s`, `1m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" => return Err("it needs a unit: us, ms, s, m or h".to_owned()),
        _ => return Err("the units are us, ms, s, m and h".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "write a number and a unit: 500ms, 2s, 1m")?;
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing".to_owned()),
        Ok(time) if time <= Duration::from_secs(366 * 24 * 3600) => Ok(time),
        _ => Err("at most a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("250us", Duration::from_micros(250)),
            ("500ms", Duration::from_millis(500)),
            ("2s", Duration::from_secs(2)),
            ("1.5s", Duration::from_millis(1500)),
            ("1m", Duration::from_secs(60)),
        ] {
            assert_eq!(duration(text), Ok(want), "{text}");
        }
        for (text, why) in [
            ("5", "needs a unit"),
            ("5 s", "the units are"),
            ("s", "write a number"),
            ("1.2.3s", "write a number"),
            ("", "needs a unit"),
            ("0s", "longer than nothing"),
            ("-1s", "the units are"),
            ("99999h", "at most a year"),
        ] {
            let error = duration(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn pairs() {
        assert_eq!(pair("k=v=w"), Ok(("k".into(), "v=w".into())));
        assert_eq!(pair("k="), Ok(("k".into(), String::new())));
        assert!(pair("k").is_err() && pair("=v").is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let secret = secret("s3cret").expect("a token");
        assert!(secret.typed() && !format!("{secret:?}").contains("s3cret"));
        let missing = super::secret("@/no/such/file").expect_err("no such file");
        assert!(missing.contains("cannot read /no/such/file"), "{missing}");
    }

    #[test]
    fn limits_name_the_nearest() {
        assert!(limit("message_bytes=1MiB").is_ok());
        let mistyped = limit("mesage_bytes=1MiB").expect_err("mistyped");
        assert!(mistyped.contains("did you mean `message_bytes`?"), "{mistyped}");
        let odd = limit("message_bytes=1MB").expect_err("no unit");
        assert!(odd.contains("message_bytes: `MB` is no unit"), "{odd}");
        assert!(limit("message_bytes").is_err());
    }
}
