//! Text that shares the frame it came in, and text of others that is shown to people.

use bytes::Bytes;
use std::{fmt, ops::Deref, str::Utf8Error};

/// Text as a counted slice of the received frame: cloning and reading cost no copy. It keeps the
/// whole frame alive, so short text is copied by the formats instead (see `Source::shared_text`).
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Str(Bytes);

impl Str {
    /// Empty text.
    pub const fn new() -> Str {
        Str(Bytes::new())
    }

    /// Text that lives as long as the program.
    pub const fn from_static(text: &'static str) -> Str {
        Str(Bytes::from_static(text.as_bytes()))
    }

    /// Takes bytes that must be UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Str, Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Str(bytes))
    }

    /// Takes bytes that the caller has checked.
    ///
    /// # Safety
    /// `bytes` must be UTF-8.
    #[inline]
    pub unsafe fn from_utf8_unchecked(bytes: Bytes) -> Str {
        debug_assert!(std::str::from_utf8(&bytes).is_ok());
        Str(bytes)
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // SAFETY: every constructor checked that the bytes are UTF-8, or made its caller promise
        // it; `Bytes` is immutable.
        unsafe { std::str::from_utf8_unchecked(&self.0) }
    }

    /// The bytes behind it.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for Str {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Str {
        Str(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Str {
        Str(Bytes::from(text))
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Text that somebody else chose, for a terminal or a log: on one line, and without power over
/// either. Control characters, line breaks included, and those that turn the direction of writing
/// are shown as Rust would write them: `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(has_power) {
            let end = part.chars().next_back().filter(|c| has_power(*c));
            f.write_str(&part[..part.len() - end.map_or(0, char::len_utf8)])?;
            if let Some(c) = end {
                // Not all of them are escaped by `escape_debug`.
                match c {
                    '\t' | '\n' | '\r' => write!(f, "{}", c.escape_default())?,
                    c => write!(f, "{}", c.escape_unicode())?,
                }
            }
        }
        Ok(())
    }
}

/// Whether a character does something where it is shown, instead of being seen: ASCII's and
/// Unicode's controls, separators of lines, and what overrides the direction of writing.
pub(crate) fn has_power(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_power() {
        for (text, want) in [
            ("plain, größer, 世界", "plain, größer, 世界"),
            ("", ""),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("\r\n\t", "\\r\\n\\t"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}txt\u{2066}", "\\u{202e}txt\\u{2066}"),
            ("\u{7f}", "\\u{7f}"),
        ] {
            assert_eq!(Shown(text).to_string(), want);
        }
        let status = crate::Status::unknown("boom \u{1b}]0;x\u{7}\nfarcall: \u{202e}");
        let earlier = vec![crate::Status::unknown("first\u{9b}2J").with_peer("a")];
        let shown = status.with_earlier(earlier).to_string();
        assert!(!shown.contains(has_power), "{shown:?}");
        assert!(shown.contains("boom \\u{1b}]0;x\\u{7}\\nfarcall: \\u{202e}"), "{shown}");
        let json = crate::Value::from("a\u{9b}\u{202e}\u{1b}").to_string();
        assert_eq!(json, r#""a\u009b\u202e\u001b""#);
    }
}
