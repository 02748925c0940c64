//! Pages of other origins (the Fetch standard, §3.2 "CORS protocol"): what browsers must be told so
//! that they let them call, and read what is answered.

use super::head::{self, Head, Method};
use bytes::Bytes;
use farcall_core::Cors;

/// What a request's origin comes to.
pub(super) enum Origin {
    /// It may call; its answer has these lines.
    Welcome(Bytes),
    /// It asks whether it may; the answer is these lines.
    Asks(Bytes),
    /// It is another's, and may not call.
    Foreign,
}

/// Judges where a request comes from. Browsers say so, and nobody else does: a page of another
/// site may send forms and plain text without asking.
pub(super) fn judge(head: &Head, bytes: &[u8], cors: Option<&Cors>) -> Origin {
    let origin = head.origin.clone().map(|range| bytes.get(range).unwrap_or_default());
    let host = bytes.get(head.host.clone()).unwrap_or_default();
    let is_own = |origin: &[u8]| {
        let at = origin.windows(3).position(|w| w == b"://").map_or(0, |at| at + 3);
        origin[at..].eq_ignore_ascii_case(host)
    };
    match (cors, origin) {
        (None, origin) => match head.other_site || !origin.is_none_or(is_own) {
            true => Origin::Foreign,
            false => Origin::Welcome(Bytes::new()),
        },
        (Some(_), None) if head.other_site => Origin::Foreign,
        (Some(cors), None) => Origin::Welcome(lines(cors, None)),
        (Some(cors), Some(origin)) => {
            if !cors.allows(origin) && (head.other_site || !is_own(origin)) {
                return Origin::Foreign;
            }
            let lines = lines(cors, Some(origin));
            match asked(head, bytes) {
                Some(asked) => Origin::Asks(preflight(cors, lines, asked)),
                None => Origin::Welcome(lines),
            }
        }
    }
}

/// The lines of an answer to this origin.
fn lines(cors: &Cors, origin: Option<&[u8]>) -> Bytes {
    if cors.is_any() {
        let any = b"Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: *\r\n";
        return Bytes::from_static(if origin.is_some() { any } else { b"" });
    }
    // Said of every answer, so that no cache gives one origin what another was told.
    let mut lines = b"Vary: Origin\r\n".to_vec();
    let Some(origin) = origin.filter(|origin| cors.allows(origin)) else { return lines.into() };
    lines.extend_from_slice(b"Access-Control-Allow-Origin: ");
    lines.extend_from_slice(origin);
    lines.extend_from_slice(b"\r\nAccess-Control-Expose-Headers: ");
    if cors.has_credentials() {
        // With credentials a star is a name like any other.
        lines.extend_from_slice(OURS.as_bytes());
        for name in cors.exposed().iter().filter(|name| name.bytes().all(head::is_token)) {
            lines.extend_from_slice(b", ");
            lines.extend_from_slice(name.as_bytes());
        }
        lines.extend_from_slice(b"\r\nAccess-Control-Allow-Credentials: true\r\n");
    } else {
        lines.extend_from_slice(b"*\r\n");
    }
    lines.into()
}

/// Fields of our answers that pages want to read.
const OURS: &str = "X-Meta, X-RPCX-MessageStatusType, X-RPCX-ErrorMessage, X-RPCX-Meta, \
    X-RPCX-MessageID, X-RPCX-ServicePath, X-RPCX-ServiceMethod, X-RPCX-SerializeType, \
    X-RPCX-Version";

/// The fields that a preflight asks for; none if this is no preflight.
fn asked<'a>(head: &Head, bytes: &'a [u8]) -> Option<&'a [u8]> {
    if head.method != Method::Options {
        return None;
    }
    let (mut is_asked, mut fields) = (false, &b""[..]);
    let block = bytes.get(head.fields.clone()).unwrap_or_default();
    head::walk(block, &mut |name, value| {
        match name {
            b"access-control-request-method" => is_asked = true,
            b"access-control-request-headers" => {
                let at = value.as_ptr().addr() - bytes.as_ptr().addr();
                fields = &bytes[at..at + value.len()];
            }
            _ => {}
        }
        true
    });
    is_asked.then_some(fields)
}

/// The lines that answer a preflight.
fn preflight(cors: &Cors, lines: Bytes, fields: &[u8]) -> Bytes {
    let mut all = lines.to_vec();
    all.extend_from_slice(b"Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\r\n");
    if !fields.is_empty() {
        all.extend_from_slice(b"Access-Control-Allow-Headers: ");
        all.extend_from_slice(fields);
        all.extend_from_slice(b"\r\n");
    }
    let seconds = cors.seconds();
    all.extend_from_slice(format!("Access-Control-Max-Age: {seconds}\r\n").as_bytes());
    all.into()
}
