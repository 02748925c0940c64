//! Names: how Rust spells them, how Go does, and which of them every format can carry as they are.

use proc_macro2::Span;
use syn::{Error, Ident, Result, ext::IdentExt};

/// Words that Go writes in capitals (the list of golint).
const INITIALISMS: &[&str] = &[
    "API", "ASCII", "CPU", "CSS", "DNS", "EOF", "GUID", "HTML", "HTTP", "HTTPS", "ID", "IP",
    "JSON", "LHS", "QPS", "RAM", "RHS", "RPC", "SLA", "SMTP", "SQL", "SSH", "TCP", "TLS", "TTL",
    "UDP", "UI", "UID", "UUID", "URI", "URL", "UTF8", "VM", "XML", "XMPP", "XSRF", "XSS",
];

/// An identifier as people read it: `r#type` is `type`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// `say_hello` → `SayHello`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('_').map(capital).collect()
}

/// `HttpAddr` → `http_addr`.
pub(crate) fn snake(name: &str) -> String {
    words(name).iter().map(|w| w.to_lowercase()).collect::<Vec<_>>().join("_")
}

/// The exported Go name: `http_addr` → `HTTPAddr`.
pub(crate) fn go(name: &str) -> String {
    let name: String = words(name).iter().map(|w| go_word(w)).collect();
    // Go exports what starts with an upper-case letter; a digit or an uncased letter needs one.
    if name.starts_with(char::is_uppercase) { name } else { format!("X{name}") }
}

/// Whether Go takes it as an exported name.
pub(crate) fn is_go(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn go_word(word: &str) -> String {
    let known = |w: &str| INITIALISMS.iter().copied().find(|i| i.eq_ignore_ascii_case(w));
    // `utf8` is in the list as it is; `http2` is `http` and a number.
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    match (known(word), known(letters)) {
        (Some(word), _) => word.to_owned(),
        (None, Some(initials)) => format!("{initials}{}", &word[letters.len()..]),
        (None, None) => capital(word),
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Splits at what is neither letter nor digit, before a capital that follows a small letter or
/// digit, and before the last of several capitals that a small letter follows (`HTTPAddr`:
/// `HTTP`, `Addr`).
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| chars[i]);
        let after_small = before.is_some_and(|b| b.is_lowercase() || b.is_numeric());
        let ends_capitals = before.is_some_and(char::is_uppercase)
            && chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        if !c.is_alphanumeric() || c.is_uppercase() && (after_small || ends_capitals) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.push(c);
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Refuses names that a format would have to escape, so that keys can be copied as they stand.
pub(crate) fn check(name: &str, at: Span) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(at, "a name on the wire cannot be empty"));
    }
    if name.len() > 255 {
        return Err(Error::new(at, "a name on the wire holds at most 255 bytes"));
    }
    // U+2028 and U+2029 are escaped by Go's encoder, as <, > and & are.
    let escaped = |c: char| c.is_control() || "\"\\<>&\u{2028}\u{2029}".contains(c);
    match name.chars().find(|&c| escaped(c)) {
        Some(c) => Err(Error::new(
            at,
            format!(
                "`{}` cannot stand in a name on the wire: JSON would have to escape it",
                c.escape_debug()
            ),
        )),
        None => Ok(()),
    }
}

/// A name as JSON writes a key.
pub(crate) fn json_key(name: &str) -> String {
    format!("\"{name}\":")
}

/// A name as MessagePack writes a string, header included. [`check`] has bounded its length.
pub(crate) fn packed_key(name: &str) -> Vec<u8> {
    let mut key = match name.len() {
        len @ 0..=31 => vec![0xa0 | len as u8],
        len => vec![0xd9, len as u8],
    };
    key.extend_from_slice(name.as_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_spells_initialisms_in_capitals() {
        let cases = [
            ("a", "A"),
            ("id", "ID"),
            ("url", "URL"),
            ("http_addr", "HTTPAddr"),
            ("user_id", "UserID"),
            ("userId", "UserID"),
            ("utf8_text", "UTF8Text"),
            ("http2", "HTTP2"),
            ("ids", "Ids"),
            ("HTTPAddr", "HTTPAddr"),
            ("user-name", "UserName"),
            ("_1st", "X1st"),
            ("v2_api", "V2API"),
            ("trailing_", "Trailing"),
        ];
        for (name, want) in cases {
            assert_eq!(go(name), want, "{name}");
            assert!(is_go(want));
        }
        assert!(!is_go("a") && !is_go("A-B") && !is_go(""));
    }

    #[test]
    fn rust_spells_words() {
        assert_eq!(pascal("say_hello"), "SayHello");
        assert_eq!(pascal("mul"), "Mul");
        assert_eq!(snake("HttpAddr"), "http_addr");
        assert_eq!(snake("HTTPAddr"), "http_addr");
        assert_eq!(snake("Num"), "num");
        assert_eq!(snake("V2Api"), "v2_api");
    }

    #[test]
    fn keys_are_ready_to_be_copied() {
        assert_eq!(json_key("a"), "\"a\":");
        assert_eq!(packed_key("value"), b"\xa5value");
        let long = "x".repeat(31);
        assert_eq!(packed_key(&long)[..2], [0xbf, b'x']);
        let long = "x".repeat(32);
        assert_eq!(packed_key(&long)[..3], [0xd9, 32, b'x']);
    }

    #[test]
    fn names_that_need_escapes_are_refused() {
        for name in ["", "a\"b", "a\\b", "a\nb", "a<b", "a>b", "a&b", "a\u{2028}", "\u{7f}"] {
            assert!(check(name, Span::call_site()).is_err(), "{name:?}");
        }
        assert!(check(&"x".repeat(256), Span::call_site()).is_err());
        assert!(check("größe.of-it/all", Span::call_site()).is_ok());
    }
}
