//! What to do with a request, decided from its head alone: call a method, or answer at once.

use super::{
    chars::find,
    head::{Head, Method},
    reply,
};
use bytes::Bytes;
use farcall_core::{Compress, Found, MethodId, Routes, Str};
use std::{borrow::Cow, ops::Range, time::Duration};

/// What to do once the body is there.
#[derive(Debug)]
pub(super) enum Plan {
    /// Call this method.
    Call { to: MethodId, compress: Compress, timeout: Option<Duration> },
    /// Say that there is none. `secret`: its body is awaited, as that of a call would be.
    Unknown { found: Found, service: Str, method: Str, timeout: Option<Duration>, secret: bool },
    /// Answer, and forget the body.
    Answer(Answer),
}

/// An answer that calls nothing.
#[derive(Debug)]
pub(super) enum Answer {
    /// The list of services.
    Page(String),
    /// A refusal.
    No { status: u16, text: Cow<'static, str>, allow: Option<&'static str> },
}

impl Plan {
    /// Decides. Plain JSON is `POST /Service/Method`; what else there is: `GET /`, if the table
    /// wants to be read.
    pub(super) fn new(head: &Head, bytes: &[u8], name_bytes: usize, routes: &dyn Routes) -> Plan {
        let text = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        let (path, host) = (text(&head.path), text(&head.host));
        // A page of another site may send forms and plain text without asking: browsers say where
        // such a call comes from, and nobody else does.
        let is_foreign = |origin| {
            let at = text(origin).windows(3).position(|w| w == b"://").map_or(0, |at| at + 3);
            !text(origin)[at..].eq_ignore_ascii_case(host)
        };
        if head.other_site || head.origin.as_ref().is_some_and(is_foreign) {
            return no(403, "calls from pages of another origin are refused");
        }
        if path == b"/" || path.is_empty() {
            return root(head.method, host, routes);
        }
        let mut parts = path.get(1..).unwrap_or_default().split(|b| *b == b'/');
        let (service, method) = match (parts.next(), parts.next(), parts.next()) {
            (Some(service), Some(method), None) if path.first() == Some(&b'/') => {
                (decode(service), decode(method))
            }
            _ => return no(404, "nothing is here; call by POST /Service/Method"),
        };
        if service.len() > name_bytes || method.len() > name_bytes {
            return no(414, format!("names have at most {name_bytes} bytes (Limits::name_bytes)"));
        }
        let found = routes.find(&service, &method);
        let is_method = matches!(found, Found::Method(_));
        match found {
            Found::Method(_) if head.method != Method::Post && !routes.secret() => {
                Plan::Answer(Answer::No {
                    status: 405,
                    text: "methods are called by POST, with the argument as JSON in the body"
                        .into(),
                    allow: Some("POST"),
                })
            }
            _ if head.method != Method::Post => {
                no(404, "no such service or method; call by POST /Service/Method")
            }
            // To strangers everything is said of what does not exist as of what does.
            found => match Ways::read(head, bytes) {
                Err(refusal) if is_method || routes.secret() => refusal,
                ways => {
                    let Ways { compress, timeout } = ways.unwrap_or_default();
                    match found {
                        Found::Method(to) => Plan::Call { to, compress, timeout },
                        found => {
                            let text = |name: &[u8]| Str::from(&*String::from_utf8_lossy(name));
                            let (service, method) = (text(&service), text(&method));
                            let secret = routes.secret();
                            Plan::Unknown { found, service, method, timeout, secret }
                        }
                    }
                }
            },
        }
    }

    /// Whether anybody wants the body.
    pub(super) fn wants_body(&self) -> bool {
        matches!(self, Plan::Call { .. } | Plan::Unknown { secret: true, .. })
    }
}

fn no(status: u16, text: impl Into<Cow<'static, str>>) -> Plan {
    Plan::Answer(Answer::No { status, text: text.into(), allow: None })
}

/// How a call's body is packed, and how long its caller waits.
#[derive(Default)]
struct Ways {
    compress: Compress,
    timeout: Option<Duration>,
}

impl Ways {
    /// What the head says of the body, if it can be understood.
    fn read(head: &Head, bytes: &[u8]) -> Result<Ways, Plan> {
        let text = |range: &Range<usize>| {
            let text = bytes.get(range.clone()).unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        };
        if let Some(media) = &head.media {
            let media = text(media);
            let why = format!("`{media}` is not JSON; send Content-Type: application/json");
            return Err(no(415, why));
        }
        let compress = match head.encoding.as_ref().map(text) {
            None => Compress::None,
            Some(name) if name.eq_ignore_ascii_case("gzip") => Compress::Gzip,
            Some(name) => {
                let why = format!("`{name}` is not understood; send the body plain or as gzip");
                return Err(no(415, why));
            }
        };
        match head.timeout {
            Some(Err(())) => Err(no(400, "X-Timeout-Ms is not a whole number of milliseconds")),
            timeout => {
                let timeout = timeout.and_then(Result::ok).map(Duration::from_millis);
                Ok(Ways { compress, timeout })
            }
        }
    }
}

/// `GET /`: what there is to call, if the table says so.
fn root(method: Method, host: &[u8], routes: &dyn Routes) -> Plan {
    let mut page = "The argument is the body of a POST, as JSON.\n".to_owned();
    let host = match std::str::from_utf8(host) {
        Ok(host) if !host.is_empty() => host,
        _ => "HOST:PORT",
    };
    let mut last = String::new();
    let listed = routes.names(&mut |service, method| {
        if service != last {
            page.push_str(&format!("\n{service}\n"));
            service.clone_into(&mut last);
        }
        let path = [service, method].map(|name| {
            let mut encoded = Vec::new();
            reply::encode(&mut encoded, name);
            String::from_utf8(encoded).unwrap_or_default()
        });
        let path = path.join("/");
        // `null` is the blank value of every type, so that each line works as it stands.
        page.push_str(&format!("  {method:<16} curl -d null http://{host}/{path}\n"));
    });
    match method {
        _ if !listed => no(404, "nothing is here; call by POST /Service/Method"),
        Method::Get | Method::Head => Plan::Answer(Answer::Page(page)),
        _ => Plan::Answer(Answer::No {
            status: 405,
            text: "the list of services is read by GET".into(),
            allow: Some("GET, HEAD"),
        }),
    }
}

/// Undoes percent-encoding (RFC 3986 §2.1). What is decoded is a name, never again a path.
pub(super) fn decode(part: &[u8]) -> Cow<'_, [u8]> {
    if find(part, b'%').is_none() {
        return Cow::Borrowed(part);
    }
    let mut decoded = Vec::with_capacity(part.len());
    let mut rest = part;
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                rest = &after[2..];
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    Cow::Owned(decoded)
}

/// The field lines of a head, for metadata.
pub(super) fn fields(head: &Head, bytes: &Bytes) -> Bytes {
    bytes.slice(head.fields.clone())
}
