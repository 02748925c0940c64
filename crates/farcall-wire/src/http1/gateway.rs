//! rpcx's gateway: a call whose head is fields `X-RPCX-…` and whose body is a payload in any of
//! rpcx's formats.
//!
//! Source: rpcx v1.9.4 `server/gateway.go` and `server/converter.go`. The service is named by a
//! field or by the path; what cannot be a call is answered with 200 and an error in the fields,
//! what fails with 500 (401 where nobody is known), and no answer says in its body what went wrong.
//! Unlike Go, a compressed payload is unfolded, and a trace may be named by the fields of W3C Trace
//! Context, which are what libraries of HTTP send by themselves.

use super::{head, head::Head, plan::decode, reply};
use crate::rpcx;
use bytes::Bytes;
use farcall_core::{Code, Compress, Format, Found, Meta, Routes, Status, Str};

/// A call as its fields say it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) found: Found,
    pub(super) service: Str,
    pub(super) method: Str,
    pub(super) format: Format,
    pub(super) compress: Compress,
    pub(super) oneway: bool,
    pub(super) meta: Meta,
    /// The lines that its answer repeats.
    pub(super) echo: Bytes,
}

/// Reads the fields. The error: the lines that say what is wrong with them.
pub(super) fn read(
    head: &Head,
    bytes: &[u8],
    name_bytes: usize,
    routes: &dyn Routes,
) -> Result<Asked, Bytes> {
    let mut fields = Fields::default();
    let block = bytes.get(head.fields.clone()).unwrap_or_default();
    head::walk(block, &mut |name, value| {
        fields.put(name, value);
        true
    });
    let path = bytes.get(head.path.clone()).unwrap_or_default();
    if fields.service.is_empty() {
        fields.service = decode(path.strip_prefix(b"/").unwrap_or(path)).into_owned();
    }
    let echo = fields.echo();
    let refuse = |why: &str| {
        let mut lines = echo.clone();
        failed(&mut lines, why);
        Bytes::from(lines)
    };
    let number = |text: &[u8], function: &str| match go_number(text, function) {
        Ok(number) => Ok(number),
        Err(why) => Err(refuse(&why)),
    };
    if !fields.id.is_empty() {
        number(&fields.id, "ParseUint")?;
    }
    let format = number(&fields.format, "Atoi")?;
    let compress = number(&fields.compress, "Atoi")?;
    let empty = [
        (fields.service.is_empty(), "empty servicepath"),
        (fields.method.is_empty(), "empty servicemethod"),
        (fields.format.is_empty(), "empty serialized type"),
    ];
    if let Some((_, why)) = empty.iter().find(|(is_empty, _)| *is_empty) {
        return Err(refuse(why));
    }
    if fields.service.len().max(fields.method.len()) > name_bytes {
        let why = format!("names have at most {name_bytes} bytes (Limits::name_bytes)");
        return Err(refuse(&why));
    }
    let text = |name: &[u8]| Str::from(&*String::from_utf8_lossy(name));
    Ok(Asked {
        found: routes.find(&fields.service, &fields.method),
        service: text(&fields.service),
        method: text(&fields.method),
        format: rpcx::format(u8::try_from(format).unwrap_or(u8::MAX)),
        compress: rpcx::compression(u8::try_from(compress).unwrap_or(u8::MAX)),
        oneway: fields.oneway,
        meta: fields.meta(),
        echo: echo.into(),
    })
}

/// The metadata that rpcx's fields say, also beside JSON-RPC.
pub(super) fn metadata(head: &Head, bytes: &[u8]) -> Meta {
    let mut fields = Fields::default();
    let block = bytes.get(head.fields.clone()).unwrap_or_default();
    head::walk(block, &mut |name, value| {
        fields.put(name, value);
        true
    });
    fields.meta()
}

/// What a request's fields say. Of those that come twice the first counts, as in Go.
#[derive(Default)]
struct Fields {
    version: Vec<u8>,
    id: Vec<u8>,
    service: Vec<u8>,
    method: Vec<u8>,
    format: Vec<u8>,
    compress: Vec<u8>,
    meta: Vec<u8>,
    token: Option<Vec<u8>>,
    oneway: bool,
    /// `traceparent`, each time it comes; and `tracestate`, whose fields are one list.
    parents: Vec<Vec<u8>>,
    state: Vec<u8>,
}

/// The names of W3C Trace Context, level 1, as fields and as metadata.
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

impl Fields {
    fn put(&mut self, name: &[u8], value: &[u8]) {
        let place = match name {
            b"x-rpcx-version" => &mut self.version,
            b"x-rpcx-messageid" => &mut self.id,
            b"x-rpcx-servicepath" => &mut self.service,
            b"x-rpcx-servicemethod" => &mut self.method,
            b"x-rpcx-serializetype" => &mut self.format,
            b"x-rpcx-compresstype" => &mut self.compress,
            b"x-rpcx-meta" => &mut self.meta,
            b"authorization" if !value.is_empty() => self.token.get_or_insert_default(),
            name if name == TRACEPARENT.as_bytes() => return self.parents.push(value.to_vec()),
            name if name == TRACESTATE.as_bytes() => {
                if !self.state.is_empty() {
                    self.state.push(b',');
                }
                return self.state.extend_from_slice(value);
            }
            // Any text, also `false`.
            b"x-rpcx-oneway" => return self.oneway |= !value.is_empty(),
            _ => return,
        };
        if place.is_empty() {
            place.extend_from_slice(value);
        }
    }

    /// Metadata as `a=b&c=d`, laid out as rpcx's wire does; the token last, so that it holds
    /// against a pair of the same name. What `X-RPCX-Meta` says of a trace goes before what fields
    /// of their own say: whoever wrote it knew the call, and not only the request.
    fn meta(&self) -> Meta {
        let mut pairs = pairs(&self.meta);
        if let [parent] = &self.parents[..]
            && !pairs.iter().any(|(key, _)| key == TRACEPARENT)
        {
            pairs.retain(|(key, _)| key != TRACESTATE);
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            pairs.push((TRACEPARENT.to_owned(), text(parent)));
            if !self.state.is_empty() {
                pairs.push((TRACESTATE.to_owned(), text(&self.state)));
            }
        }
        rpcx::metadata(&pairs, self.token.as_deref())
    }

    fn echo(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for (name, value) in [
            ("Version", &self.version),
            ("MessageID", &self.id),
            ("ServicePath", &self.service),
            ("ServiceMethod", &self.method),
            ("SerializeType", &self.format),
        ] {
            line(&mut lines, name, value);
        }
        lines
    }
}

/// The type of a body in this format.
pub(super) fn kind(format: Format) -> &'static str {
    match format {
        Format::Json => reply::JSON,
        Format::MsgPack => "application/msgpack",
        Format::Protobuf => "application/protobuf",
        _ => "application/octet-stream",
    }
}

/// The status of a call that failed.
pub(super) fn status(code: Code) -> u16 {
    if code == Code::Unauthenticated { 401 } else { 500 }
}

/// The words for a method that is not there.
pub(super) fn unknown(found: Found, service: &str, method: &str) -> Status {
    rpcx::unknown(found, service, method)
}

/// Appends the lines of a failure.
pub(super) fn failed(lines: &mut Vec<u8>, why: &str) {
    line(lines, "MessageStatusType", b"Error");
    line(lines, "ErrorMessage", why.as_bytes());
}

/// Appends the metadata of a reply, which is there even when it is empty.
pub(super) fn metadata_line(lines: &mut Vec<u8>, pairs: &[(String, String)]) {
    let mut text = Vec::new();
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push(b'&');
        }
        reply::encode(&mut text, key);
        text.push(b'=');
        reply::encode(&mut text, value);
    }
    line(lines, "Meta", &text);
}

/// Appends one line. What could end it becomes a space, as in Go's HTTP library.
fn line(lines: &mut Vec<u8>, name: &str, value: &[u8]) {
    lines.extend_from_slice(b"X-RPCX-");
    lines.extend_from_slice(name.as_bytes());
    lines.extend_from_slice(b": ");
    let plain = |b: &u8| if *b < b' ' || *b == 0x7f { b' ' } else { *b };
    lines.extend(String::from_utf8_lossy(value).bytes().map(|b| plain(&b)));
    lines.extend_from_slice(b"\r\n");
}

/// A number as Go's `strconv` reads it, or its words for why it does not. No text is zero.
fn go_number(text: &[u8], function: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let shown = String::from_utf8_lossy(text);
    let why = match shown.parse::<u64>() {
        Ok(number) if text.iter().all(u8::is_ascii_digit) => return Ok(number),
        Err(_) if text.iter().all(u8::is_ascii_digit) => "value out of range",
        _ => "invalid syntax",
    };
    Err(format!("strconv.{function}: parsing \"{shown}\": {why}"))
}

/// The pairs in `a=b&c=d`.
fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let pairs = text.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        let value = pair.get(at + 1..).unwrap_or_default();
        [&pair[..at], value].map(|part| {
            let spaced: Vec<u8> = part.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
            String::from_utf8_lossy(&decode(&spaced)).into_owned()
        })
    });
    // Of a name that comes twice the first counts here, the last in the block.
    let mut pairs: Vec<_> = pairs.map(|[key, value]| (key, value)).collect();
    pairs.reverse();
    pairs
}
