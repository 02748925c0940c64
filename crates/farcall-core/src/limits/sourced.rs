//! Limits that know where each of their values came from.

use super::{Limit, Limits};
use std::{collections::BTreeMap, fmt};

/// Limits, and where each value came from: for programs that take limits from files, the
/// environment or flags, and servers that say so (`Server::debug_limits`).
///
/// ```
/// use farcall_core::{Limits, SetBy, SourcedLimits};
/// let mut limits = SourcedLimits::from(Limits { calls: 100, ..Limits::default() });
/// limits.read("message_bytes = 1 MiB # enough for us", &SetBy::File("rpc.conf".into()))?;
/// assert_eq!(limits.limits().message_bytes, 1 << 20);
/// assert_eq!(limits.set_by("message_bytes").to_string(), "file rpc.conf");
/// assert_eq!(limits.set_by("calls").to_string(), "builder");
/// assert_eq!(limits.set_by("silence").to_string(), "default");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcedLimits {
    limits: Limits,
    /// Of what is not the default, or was set to it on purpose.
    set_by: BTreeMap<&'static str, SetBy>,
}

/// Where a limit's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// Nobody said anything else.
    Default,
    /// The program's own code.
    Builder,
    /// A flag of the command line: `--limit`.
    Flag(String),
    /// A variable of the environment: `FARCALL_LIMITS`.
    Environment(String),
    /// A file.
    File(String),
}

impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetBy::Default => f.write_str("default"),
            SetBy::Builder => f.write_str("builder"),
            SetBy::Flag(name) => write!(f, "flag {name}"),
            SetBy::Environment(name) => write!(f, "environment {name}"),
            SetBy::File(name) => write!(f, "file {name}"),
        }
    }
}

impl From<Limits> for SourcedLimits {
    /// What is not the default came from the program.
    fn from(limits: Limits) -> SourcedLimits {
        let defaults = Limits::default();
        let changed = |limit: &&Limit| limit.get(&limits) != limit.get(&defaults);
        let changed = Limits::TABLE.iter().filter(changed);
        let set_by = changed.map(|limit| (limit.name, SetBy::Builder)).collect();
        SourcedLimits { limits, set_by }
    }
}

impl SourcedLimits {
    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where the value of the limit of this name came from.
    pub fn set_by(&self, name: &str) -> &SetBy {
        self.set_by.get(name).unwrap_or(&SetBy::Default)
    }

    /// Sets the limit of this name to what a text says, see [`Limit::set`]. What came before is
    /// forgotten. An error says what is wrong, and names the limit that may have been meant.
    pub fn set(&mut self, name: &str, text: &str, by: SetBy) -> Result<(), String> {
        let limit = Limits::named(name)?;
        limit.set(&mut self.limits, text).map_err(|why| format!("{name}: {why}"))?;
        self.set_by.insert(limit.name, by);
        Ok(())
    }

    /// Sets what a text says: `NAME = VALUE`, one on a line or between semicolons; what follows a
    /// `#` is a comment. An error names the line.
    pub fn read(&mut self, text: &str, by: &SetBy) -> Result<(), String> {
        for (at, line) in text.lines().enumerate() {
            let said = line.split('#').next().unwrap_or_default();
            for part in said.split(';').map(str::trim).filter(|part| !part.is_empty()) {
                let set = match part.split_once('=') {
                    Some((name, value)) => self.set(name.trim(), value, by.clone()),
                    None => Err(format!("`{part}` is not NAME=VALUE")),
                };
                set.map_err(|why| format!("{by}, line {}: {why}", at + 1))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let mut limits = SourcedLimits::from(Limits { calls: 9, ..Limits::default() });
        let file = SetBy::File("f".into());
        limits
            .read("# ours\n\ncalls = 10; idle=1m\r\n  meta_bytes=1KiB # one", &file)
            .expect("good");
        limits.set("calls", "11", SetBy::Flag("--limit".into())).expect("good");
        assert_eq!(limits.limits().calls, 11);
        let said = ["calls", "idle", "meta_bytes", "silence"].map(|n| limits.set_by(n).to_string());
        assert_eq!(said, ["flag --limit", "file f", "file f", "default"]);
    }

    #[test]
    fn mistakes_have_a_line() {
        let mut limits = SourcedLimits::default();
        let by = SetBy::Environment("FARCALL_LIMITS".into());
        for (text, why) in [
            ("calls", "environment FARCALL_LIMITS, line 1: `calls` is not NAME=VALUE"),
            ("\ncalls=x", "environment FARCALL_LIMITS, line 2: calls: `x` is not a number"),
            ("cals=1", "line 1: there is no limit `cals`; did you mean `calls`?"),
        ] {
            let error = limits.read(text, &by).expect_err(text);
            assert!(error.ends_with(why), "{error}");
        }
        assert_eq!(limits, SourcedLimits::default());
    }
}
