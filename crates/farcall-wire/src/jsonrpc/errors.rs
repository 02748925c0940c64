//! Failures on the wire: the codes of 2.0, the texts of 1.0, and what a client makes of both.

use super::{Version, quote};
use crate::format::json;
use bytes::Bytes;
use farcall_core::{Bounds, Code, LEAVING, Status, Value};

/// "Invalid JSON was received by the server."
pub(super) const PARSE: i64 = -32700;
/// "The JSON sent is not a valid Request object."
pub(super) const INVALID: i64 = -32600;
/// "The method does not exist / is not available."
pub(super) const NO_METHOD: i64 = -32601;
/// "Invalid method parameter(s)."
pub(super) const PARAMS: i64 = -32602;
/// "Internal JSON-RPC error."
pub(super) const INTERNAL: i64 = -32603;
/// The first of those "reserved for implementation-defined server-errors": a text and no more, as
/// `powerman/rpc-codec` sends it.
const SERVER: i64 = -32000;

/// The number of `Code::Unimplemented` below -32000: the protocol itself is not spoken.
pub(super) const NOT_SPOKEN: i64 = SERVER - Code::Unimplemented as i64;

/// A failure as it is written.
pub(super) struct Failure<'a> {
    pub(super) code: i64,
    pub(super) text: &'a str,
    /// The typed error, as JSON.
    pub(super) detail: Option<&'a [u8]>,
}

impl<'a> Failure<'a> {
    pub(super) fn of(status: &'a Status) -> Failure<'a> {
        let code = match status.code() {
            Code::Unknown => SERVER,
            Code::Unimplemented => NO_METHOD,
            Code::InvalidArgument => PARAMS,
            Code::Internal => INTERNAL,
            other => SERVER - other as i64,
        };
        // Go's client takes an empty error of 1.0 for one without a text, others for a success.
        let text = if status.text().is_empty() { status.code().name() } else { status.text() };
        Failure { code, text, detail: status.detail().map(|json| &**json) }
    }

    /// Appends the answer up to its end: in 1.0 a brace, in 2.0 the id and a brace.
    pub(super) fn write(&self, version: Version, id: &[u8], tail: &mut Vec<u8>) {
        match version {
            Version::One => {
                tail.extend_from_slice(b"{\"id\":");
                tail.extend_from_slice(id);
                tail.extend_from_slice(b",\"result\":null,\"error\":");
                quote(self.text, tail);
            }
            Version::Two => {
                tail.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":");
                tail.extend_from_slice(self.code.to_string().as_bytes());
                tail.extend_from_slice(b",\"message\":");
                quote(self.text, tail);
                let ours = (SERVER - 16..SERVER).contains(&self.code);
                if ours || self.detail.is_some() {
                    tail.extend_from_slice(b",\"data\":{");
                    if ours {
                        tail.extend_from_slice(b"\"code\":");
                        quote(Code::from_number(SERVER - self.code).name(), tail);
                    }
                    if let Some(detail) = self.detail {
                        tail.extend_from_slice(if ours { b",\"fault\":" } else { b"\"fault\":" });
                        tail.extend_from_slice(detail);
                    }
                    tail.push(b'}');
                }
                tail.push(b'}');
            }
        }
    }
}

/// The status of an `error` member that is not null: an object in 2.0, a text in 1.0. Either is
/// understood wherever it comes.
#[cold]
pub(super) fn status(error: &Bytes, bounds: Bounds) -> Status {
    let value = match json::decode::<Value>(error, bounds) {
        Ok(value) => value,
        Err(fault) => return Status::internal(format!("the peer's error cannot be read: {fault}")),
    };
    let (number, name, text) = match &value {
        Value::Text(text) => (SERVER, None, text.as_str()),
        error => {
            let number = error.get("code").and_then(Value::as_i64).unwrap_or(SERVER);
            let name = error.get("data").and_then(|data| data.get("code")).and_then(Value::as_str);
            (number, name, error.get("message").and_then(Value::as_str).unwrap_or_default())
        }
    };
    let code = match number {
        NO_METHOD => Code::Unimplemented,
        PARAMS => Code::InvalidArgument,
        // Go's gorilla/rpc calls arguments of the wrong type an invalid request.
        INVALID if by_text(text) == Code::InvalidArgument => Code::InvalidArgument,
        PARSE | INVALID | INTERNAL => Code::Internal,
        // Other servers use these numbers as they like: they count where the name agrees.
        _ => match Code::from_number(SERVER.saturating_sub(number)) {
            code if name == Some(code.name()) => code,
            _ => by_text(text),
        },
    };
    let status = match text {
        // As Go's client says it.
        "" => Status::remote(code, "unspecified error"),
        text => Status::remote(code, text),
    };
    let mut json = Vec::new();
    match value.get("data").and_then(|data| data.get("fault")) {
        Some(fault) if json::encode(fault, bounds, &mut json).is_ok() => status.with_detail(json),
        _ => status,
    }
}

/// No code crosses the wire in 1.0; the texts of Go's servers tell some of them, and so do ours.
fn by_text(text: &str) -> Code {
    let known = [
        ("rpc: can't find ", Code::Unimplemented),
        ("rpc: service/method request ill-formed", Code::Unimplemented),
        ("jsonrpc: request body missing params", Code::InvalidArgument),
        ("json: cannot unmarshal ", Code::InvalidArgument),
        ("the json argument cannot be read: ", Code::InvalidArgument),
        ("[service internal error]", Code::Internal),
        ("the credentials are ", Code::Unauthenticated),
        (LEAVING, Code::Unavailable),
        // The texts of Go's `context`, which handlers return as they are.
        ("context deadline exceeded", Code::DeadlineExceeded),
        ("context canceled", Code::Cancelled),
    ];
    known.into_iter().find(|(start, _)| text.starts_with(start)).map_or(Code::Unknown, |(_, c)| c)
}
