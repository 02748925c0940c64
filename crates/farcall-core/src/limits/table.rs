//! A limit as data: its name, what it bounds, its value with a unit; read and set by name.

use super::{Limits, text};
use std::time::Duration;

/// One field of [`Limits`]; all of them are [`Limits::TABLE`].
#[derive(Debug)]
pub struct Limit {
    /// The name of the field.
    pub name: &'static str,
    /// Who holds it.
    pub held_by: HeldBy,
    /// The field's documentation, on one line.
    pub(super) doc: &'static str,
    pub(super) get: fn(&Limits) -> Amount,
    pub(super) set: fn(&mut Limits, &str) -> Result<(), String>,
}

/// Who holds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// Servers.
    Server,
    /// Clients.
    Client,
    /// Both.
    Both,
}

impl HeldBy {
    /// `server`, `client` or `both`.
    pub fn name(self) -> &'static str {
        match self {
            HeldBy::Server => "server",
            HeldBy::Client => "client",
            HeldBy::Both => "both",
        }
    }
}

/// A limit's value with its unit. Prints as the documentation has it: `16 MiB`, `4,096`, `30 s`,
/// `none`, `50 ms to 5 s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// So many of what the limit counts.
    Count(u64),
    /// So much time.
    Time(Duration),
    /// No bound.
    None,
    /// From one time to another.
    Times(Duration, Duration),
}

impl Limit {
    /// What it bounds: `Bytes of one message on the wire.`
    pub fn bounds(&self) -> &'static str {
        self.parts().0
    }

    /// Its default, and what happens there: `16 MiB. A longer one closes the connection, …`.
    pub fn beyond(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, &'static str) {
        let doc = self.doc.trim();
        doc.split_once(" Default ").unwrap_or((doc, ""))
    }

    /// Its value.
    pub fn get(&self, limits: &Limits) -> Amount {
        (self.get)(limits)
    }

    /// Sets it to what a text says: `16 MiB` or `16MiB`, a number of bytes or of things, `500ms`,
    /// `none` where there may be no bound, `50ms to 5s`. An error says what is wrong with it.
    pub fn set(&self, limits: &mut Limits, text: &str) -> Result<(), String> {
        (self.set)(limits, text.trim())
    }
}

impl Limits {
    /// The limit of this name; an error names the one that is nearest.
    pub fn named(name: &str) -> Result<&'static Limit, String> {
        let found = Limits::TABLE.iter().find(|limit| limit.name == name);
        found.ok_or_else(|| match text::nearest(name, Limits::TABLE.iter().map(|l| l.name)) {
            Some(near) => format!("there is no limit `{name}`; did you mean `{near}`?"),
            None => format!("there is no limit `{name}`"),
        })
    }
}

/// A type that limits have.
pub(super) trait Held: Sized {
    fn amount(&self, bytes: bool) -> Amount;
    fn read(text: &str, bytes: bool) -> Result<Self, String>;
}

/// Whether a number of this name counts bytes: names end with their unit.
pub(super) fn in_bytes(name: &str) -> bool {
    name.ends_with("_bytes")
}

impl Held for usize {
    fn amount(&self, bytes: bool) -> Amount {
        match bytes {
            true => Amount::Bytes(*self as u64),
            false => Amount::Count(*self as u64),
        }
    }
    fn read(text: &str, bytes: bool) -> Result<usize, String> {
        let number = if bytes { text::bytes(text)? } else { text::count(text)? };
        usize::try_from(number).map_err(|_| "it is more than this machine can count".to_owned())
    }
}

impl Held for u64 {
    fn amount(&self, bytes: bool) -> Amount {
        if bytes { Amount::Bytes(*self) } else { Amount::Count(*self) }
    }
    fn read(text: &str, bytes: bool) -> Result<u64, String> {
        if bytes { text::bytes(text) } else { text::count(text) }
    }
}

impl Held for u32 {
    fn amount(&self, _: bool) -> Amount {
        Amount::Count(u64::from(*self))
    }
    fn read(text: &str, _: bool) -> Result<u32, String> {
        u32::try_from(text::count(text)?).map_err(|_| format!("at most {}", u32::MAX))
    }
}

impl Held for Duration {
    fn amount(&self, _: bool) -> Amount {
        Amount::Time(*self)
    }
    fn read(text: &str, _: bool) -> Result<Duration, String> {
        text::time(text)
    }
}

impl Held for Option<Duration> {
    fn amount(&self, _: bool) -> Amount {
        self.map_or(Amount::None, Amount::Time)
    }
    fn read(text: &str, _: bool) -> Result<Option<Duration>, String> {
        match text {
            "none" => Ok(None),
            text => match text::time(text)? {
                Duration::ZERO => Err("it is no time; `none` is no bound".to_owned()),
                time => Ok(Some(time)),
            },
        }
    }
}

impl Held for (Duration, Duration) {
    fn amount(&self, _: bool) -> Amount {
        Amount::Times(self.0, self.1)
    }
    fn read(text: &str, _: bool) -> Result<(Duration, Duration), String> {
        let Some((first, last)) = text.split_once("to") else {
            return Err("write two times: 50ms to 5s".to_owned());
        };
        let (first, last) = (text::time(first.trim())?, text::time(last.trim())?);
        match first <= last {
            true => Ok((first, last)),
            false => Err("the first time is the longer one".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The struct, its defaults, the guide and this table are one text, so that none can lack a
    /// field; what could differ is the default that the words name.
    #[test]
    fn words_and_defaults_agree() {
        let limits = Limits::default();
        for limit in Limits::TABLE {
            let (default, said) = (limit.get(&limits).to_string(), limit.beyond());
            let rest = said.strip_prefix(default.as_str());
            let ends = rest.is_some_and(|rest| rest.starts_with(['.', ',', ';', ' ', ':']));
            assert!(ends, "{}: its default is {default}, its words say {said}", limit.name);
        }
        // The table has what the struct prints.
        let printed = format!("{limits:?}");
        for limit in Limits::TABLE {
            assert!(printed.contains(&format!("{}: ", limit.name)), "{}", limit.name);
        }
    }

    #[test]
    fn every_limit_can_be_set_to_what_it_prints() {
        let defaults = Limits::default();
        for limit in Limits::TABLE {
            let mut limits = Limits::default();
            let text = limit.get(&defaults).to_string();
            limit.set(&mut limits, &text).unwrap_or_else(|why| panic!("{}: {why}", limit.name));
            assert_eq!(limits, defaults, "{}", limit.name);
        }
        let mut limits = Limits::default();
        for (name, text) in [
            ("message_bytes", "1048576"),
            ("meta_bytes", "2KiB"),
            ("calls", "7"),
            ("body_depth", "12"),
            ("silence", "1500ms"),
            ("idle", "2m"),
            ("call_time", "none"),
            ("reconnect", "10ms to 1s"),
        ] {
            let limit = Limits::named(name).expect(name);
            limit.set(&mut limits, text).unwrap_or_else(|why| panic!("{name}={text}: {why}"));
        }
        let want = Limits {
            message_bytes: 1 << 20,
            meta_bytes: 2048,
            calls: 7,
            body_depth: 12,
            silence: Duration::from_millis(1500),
            idle: Some(Duration::from_secs(120)),
            call_time: None,
            reconnect: (Duration::from_millis(10), Duration::from_secs(1)),
            ..Limits::default()
        };
        assert_eq!(limits, want);
    }

    #[test]
    fn mistakes_are_named() {
        let mut limits = Limits::default();
        for (name, text, why) in [
            ("message_bytes", "16 MB", "the units are KiB, MiB and GiB"),
            ("message_bytes", "-1", "not a number of bytes"),
            ("message_bytes", "99999999999 GiB", "more than"),
            ("message_bytes", "none", "not a number of bytes"),
            ("calls", "1 MiB", "not a number"),
            ("calls", "", "not a number"),
            ("body_depth", "4294967296", "at most 4294967295"),
            ("silence", "30", "needs a unit"),
            ("silence", "none", "write a number and a unit"),
            ("silence", "9999h", "at most a year"),
            ("idle", "0s", "`none` is no bound"),
            ("reconnect", "5s", "two times"),
            ("reconnect", "5s to 1s", "the longer one"),
        ] {
            let limit = Limits::named(name).expect(name);
            let error = limit.set(&mut limits, text).expect_err(text);
            assert!(error.contains(why), "{name}={text}: {error}");
        }
        assert_eq!(limits, Limits::default());
        for (name, near) in [
            ("mesage_bytes", Some("message_bytes")),
            ("calls_per_conection", Some("calls_per_connection")),
            ("Silence", Some("silence")),
            ("colour", None),
        ] {
            let error = Limits::named(name).expect_err(name);
            match near {
                Some(near) => assert!(error.ends_with(&format!("`{near}`?")), "{error}"),
                None => assert_eq!(error, format!("there is no limit `{name}`")),
            }
        }
    }
}
