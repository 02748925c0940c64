//! What `#[derive(Fault)]` expands to: typed errors into statuses, and back.

use bytes::Bytes;
use farcall_core::{Bounds, Code, Put, Status, Take, Value};
use farcall_wire::format::json;

/// The status of a variant and its fields.
pub fn status<T: Put>(code: Code, text: String, variant: &str, fields: &T) -> Status {
    let status = Status::new(code, text);
    let mut detail = Vec::from(*b"{\"");
    detail.extend_from_slice(variant.as_bytes());
    detail.extend_from_slice(b"\":");
    // Fields that no JSON can hold leave the text.
    match json::encode(fields, Bounds::default(), &mut detail) {
        Ok(()) => {
            detail.push(b'}');
            status.with_detail(detail)
        }
        Err(_) => status,
    }
}

/// The variant that a status carries, and its fields.
pub fn detail(status: &Status) -> Option<(String, Bytes)> {
    let Ok(Value::Map(entries)) = json::decode(status.detail()?, Bounds::default()) else {
        return None;
    };
    let [(Value::Text(variant), fields)] = &entries[..] else { return None };
    let mut body = Vec::new();
    json::encode(fields, Bounds::default(), &mut body).ok()?;
    Some((variant.clone(), body.into()))
}

/// The fields of a variant.
pub fn read<T: Take>(body: &Bytes) -> Option<T> {
    json::decode_strict(body, Bounds::default()).ok()
}

/// What stands between the pieces of a text, if it is made of them.
pub fn places<'a>(text: &'a str, pieces: &[&str]) -> Option<Vec<&'a str>> {
    let (first, pieces) = pieces.split_first()?;
    let mut rest = text.strip_prefix(first)?;
    let Some((last, between)) = pieces.split_last() else {
        return rest.is_empty().then(Vec::new);
    };
    let mut places = Vec::new();
    for piece in between {
        let (place, after) = rest.split_once(piece)?;
        places.push(place);
        rest = after;
    }
    places.push(rest.strip_suffix(last)?);
    Some(places)
}

/// A value out of a text: a number, a bool, or the text itself.
pub fn read_text<T: Take>(text: &str) -> Option<T> {
    read(&Bytes::copy_from_slice(text.as_bytes())).or_else(|| {
        let mut quoted = Vec::new();
        json::encode(text, Bounds::default(), &mut quoted).ok()?;
        read(&quoted.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stand_between_pieces() {
        let cut = |text, pieces: &[&str]| places(text, pieces).map(|places| places.join("|"));
        assert_eq!(cut("closed", &["closed"]).as_deref(), Some(""));
        assert_eq!(cut("closed!", &["closed"]), None);
        assert_eq!(cut("no account x", &["no account ", ""]).as_deref(), Some("x"));
        assert_eq!(cut("a is b, not c", &["", " is ", ", not ", ""]).as_deref(), Some("a|b|c"));
        assert_eq!(cut("a is b", &["", " is ", ", not ", ""]), None);
        assert_eq!(cut("12 of 3.", &["", " of ", "."]).as_deref(), Some("12|3"));
        assert_eq!(cut("12 of 3", &["", " of ", "."]), None);
    }

    #[test]
    fn texts_become_values() {
        assert_eq!(read_text::<i64>("-42"), Some(-42));
        assert_eq!(read_text::<bool>("true"), Some(true));
        assert_eq!(read_text::<String>("42 \"q\"").as_deref(), Some("42 \"q\""));
        assert_eq!(read_text::<String>("true").as_deref(), Some("true"));
        assert_eq!(read_text::<i64>("x"), None);
    }
}
