//! What to do with a request, decided from its head alone: call a method, or answer at once.

use super::{
    Broken,
    chars::find,
    cors::{self, Origin},
    gateway::{self, Asked},
    head::{Head, Method},
};
use crate::{Protocol, jsonrpc::Face, sniff};
use bytes::Bytes;
use farcall_core::{Compress, Found, Meta, MethodId, Routes, Str, Way};
use std::{borrow::Cow, ops::Range, time::Duration};

/// What to do once the body is there.
pub(super) enum Plan {
    /// Call this method.
    Call { to: MethodId, compress: Compress, timeout: Option<Duration> },
    /// Say that there is none.
    Unknown(Box<Missing>),
    /// Call what rpcx's fields name.
    Rpcx(Box<Asked>, Option<Duration>),
    /// Read the body as JSON-RPC.
    Post { face: Face, timeout: Option<Duration>, meta: Option<Meta> },
    /// Show a page.
    Page { to: MethodId, method: Str, target: Str },
    /// Answer, and forget the body.
    Answer(Answer),
    /// Become another protocol.
    Tunnel(&'static dyn Protocol),
}

/// A call of what is not there.
pub(super) struct Missing {
    pub(super) found: Found,
    pub(super) service: Str,
    pub(super) method: Str,
    /// What may have been meant.
    pub(super) hint: String,
    pub(super) compress: Compress,
    pub(super) timeout: Option<Duration>,
    /// Its body is awaited, as that of a call would be: strangers shall not tell them apart, or
    /// somebody takes it.
    pub(super) wanted: bool,
}

/// An answer that calls nothing.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) allow: Option<&'static str>,
    pub(super) says: Says,
}

/// What an answer's body says.
#[derive(Debug)]
pub(super) enum Says {
    /// A failure, as JSON.
    Failure(Cow<'static, str>),
    /// Plain text.
    Text(&'static str),
    /// Nothing; the lines say it.
    Lines(Bytes),
}

/// What is decided from a head: what to do, and the lines that the answer has in any case.
pub(super) struct Decided {
    pub(super) plan: Plan,
    pub(super) lines: Bytes,
}

/// Decides. In this order: what other origins may not, `CONNECT`, rpcx's fields, pages, JSON-RPC,
/// and plain JSON, which is `POST /Service/Method`.
pub(super) fn decide(
    head: &Head,
    bytes: &[u8],
    name_bytes: usize,
    routes: &dyn Routes,
) -> Result<Decided, Broken> {
    let path = bytes.get(head.path.clone()).unwrap_or_default();
    let way = routes.way(path);
    let lines = match cors::judge(head, bytes, routes.cors()) {
        Origin::Welcome(lines) => lines,
        Origin::Asks(lines) => {
            let answer = Answer { status: 204, allow: None, says: Says::Lines(Bytes::new()) };
            return Ok(Decided { plan: Plan::Answer(answer), lines });
        }
        // Who follows a link from another site has not been sent by a script.
        Origin::Foreign if is_link(head, way) => Bytes::new(),
        Origin::Foreign => {
            let plan = no(403, "calls from pages of another origin are refused");
            return Ok(Decided { plan, lines: Bytes::new() });
        }
    };
    if head.method == Method::Connect {
        let plan = tunnel(way, routes)?;
        return Ok(Decided { plan, lines });
    }
    let plan = if head.rpcx_json || head.rpcx {
        rpcx(head, bytes, name_bytes, routes)
    } else {
        match way {
            Way::Tunnel(name) if routes.speaks(name) => Plan::Answer(Answer {
                status: 405,
                allow: Some("CONNECT"),
                // `net/rpc/server.go` and `server/server_conn.go`, `ServeHTTP`.
                says: Says::Text("405 must CONNECT\n"),
            }),
            Way::Page(to) => page(head, bytes, to),
            Way::JsonRpc => json_rpc(head, bytes, routes),
            Way::Tunnel(_) | Way::Methods => methods(head, bytes, name_bytes, routes),
        }
    };
    Ok(Decided { plan, lines })
}

impl Plan {
    /// Whether anybody wants the body.
    pub(super) fn wants_body(&self) -> bool {
        match self {
            Plan::Answer(_) | Plan::Tunnel(_) => false,
            Plan::Unknown(missing) => missing.wanted,
            _ => true,
        }
    }
}

/// Whether a browser follows a link to a page: no script of the other site reads the answer.
fn is_link(head: &Head, way: Way) -> bool {
    matches!(way, Way::Page(_))
        && matches!(head.method, Method::Get | Method::Head)
        && head.origin.is_none()
}

fn tunnel(way: Way, routes: &dyn Routes) -> Result<Plan, Broken> {
    let Way::Tunnel(name) = way else { return Err(Broken::Connect) };
    let protocol = sniff::by_name(name).filter(|protocol| protocol.connected().is_some());
    let Some(protocol) = protocol else { return Err(Broken::Connect) };
    match routes.speaks(name) {
        true => Ok(Plan::Tunnel(protocol)),
        false => Err(Broken::ConnectOff { protocol: protocol.name() }),
    }
}

/// What has one of rpcx's fields: its JSON-RPC on any path, or its gateway.
fn rpcx(head: &Head, bytes: &[u8], name_bytes: usize, routes: &dyn Routes) -> Plan {
    if !routes.speaks("rpcx") {
        return no(404, "`rpcx` is not spoken on this server (Server::speak)");
    }
    if !matches!(head.method, Method::Post | Method::Get | Method::Put) {
        return not_allowed("GET, POST, PUT", "rpcx is called by POST");
    }
    let timeout = match timeout(head) {
        Ok(timeout) => timeout,
        Err(plan) => return plan,
    };
    if head.rpcx_json {
        let meta = Some(gateway::metadata(head, bytes));
        return Plan::Post { face: Face::Rpcx, timeout, meta };
    }
    match gateway::read(head, bytes, name_bytes, routes) {
        Ok(asked) => Plan::Rpcx(Box::new(asked), timeout),
        Err(lines) => Plan::Answer(Answer { status: 200, allow: None, says: Says::Lines(lines) }),
    }
}

fn page(head: &Head, bytes: &[u8], to: MethodId) -> Plan {
    let text = |bytes: &[u8]| Str::from(&*String::from_utf8_lossy(bytes));
    let method = bytes.split(|b| *b == b' ').next().unwrap_or_default();
    let target = bytes.get(head.target.clone()).unwrap_or_default();
    Plan::Page { to, method: text(method), target: text(target) }
}

fn json_rpc(head: &Head, bytes: &[u8], routes: &dyn Routes) -> Plan {
    if !routes.speaks("jsonrpc") {
        return no(404, "`jsonrpc` is not spoken on this server (Server::speak)");
    }
    if head.method != Method::Post {
        return not_allowed("POST", "JSON-RPC is called by POST, with the request in the body");
    }
    if let Some(name) = &head.encoding {
        let name = String::from_utf8_lossy(bytes.get(name.clone()).unwrap_or_default());
        return no(415, format!("`{name}` is not understood here; send the body plain"));
    }
    match timeout(head) {
        Ok(timeout) => Plan::Post { face: Face::Ours, timeout, meta: None },
        Err(plan) => plan,
    }
}

/// `POST /Service/Method`.
fn methods(head: &Head, bytes: &[u8], name_bytes: usize, routes: &dyn Routes) -> Plan {
    let path = bytes.get(head.path.clone()).unwrap_or_default();
    let nothing = |text: &'static str| match routes.rest() {
        Some(to) => page(head, bytes, to),
        None => no(404, text),
    };
    let mut parts = path.get(1..).unwrap_or_default().split(|b| *b == b'/');
    let (service, method) = match (parts.next(), parts.next(), parts.next()) {
        (Some(service), Some(method), None) if path.first() == Some(&b'/') => {
            (decode(service), decode(method))
        }
        _ => return nothing("nothing is here; call by POST /Service/Method"),
    };
    if service.len() > name_bytes || method.len() > name_bytes {
        return no(414, format!("names have at most {name_bytes} bytes (Limits::name_bytes)"));
    }
    let found = routes.find(&service, &method);
    let wanted = routes.secret() || routes.fallback();
    match found {
        Found::Method(_) if head.method != Method::Post && !routes.secret() => {
            not_allowed("POST", "methods are called by POST, with the argument as JSON in the body")
        }
        Found::NoService | Found::NoMethod if routes.rest().is_some() => nothing(""),
        _ if head.method != Method::Post => {
            no(404, "no such service or method; call by POST /Service/Method")
        }
        // To strangers everything is said of what does not exist as of what does.
        found => match Ways::read(head, bytes) {
            Err(refusal) if matches!(found, Found::Method(_)) || wanted => refusal,
            ways => {
                let Ways { compress, timeout } = ways.unwrap_or_default();
                match found {
                    Found::Method(to) => Plan::Call { to, compress, timeout },
                    found => {
                        let text = |name: &[u8]| Str::from(&*String::from_utf8_lossy(name));
                        let hint = hint(&service, &method, routes);
                        let (service, method) = (text(&service), text(&method));
                        Plan::Unknown(Box::new(Missing {
                            found,
                            service,
                            method,
                            hint,
                            compress,
                            timeout,
                            wanted,
                        }))
                    }
                }
            }
        },
    }
}

/// What may have been meant, where the table may be read by peers: names that differ in case only,
/// or else the list.
fn hint(service: &[u8], method: &[u8], routes: &dyn Routes) -> String {
    let mut meant = None;
    let listed = routes.names(&mut |s, m| {
        let same = |name: &str, asked: &[u8]| name.as_bytes().eq_ignore_ascii_case(asked);
        if same(s, service) && same(m, method) {
            meant = Some(format!("; /{s}/{m} is there"));
        }
    });
    match meant {
        Some(meant) => meant,
        None if listed => "; GET / lists what there is".to_owned(),
        None => String::new(),
    }
}

fn no(status: u16, text: impl Into<Cow<'static, str>>) -> Plan {
    Plan::Answer(Answer { status, allow: None, says: Says::Failure(text.into()) })
}

fn not_allowed(allow: &'static str, text: &'static str) -> Plan {
    let says = Says::Failure(text.into());
    Plan::Answer(Answer { status: 405, allow: Some(allow), says })
}

/// How long the caller waits.
fn timeout(head: &Head) -> Result<Option<Duration>, Plan> {
    match head.timeout {
        Some(Err(())) => Err(no(400, "X-Timeout-Ms is not a whole number of milliseconds")),
        timeout => Ok(timeout.and_then(Result::ok).map(Duration::from_millis)),
    }
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
        Ok(Ways { compress, timeout: timeout(head)? })
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
