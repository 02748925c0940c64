//! The head of a request: its first line and its fields, read strictly and once.
//!
//! Source: RFC 9112 §2 to §6 and RFC 9110 §5. Lines are judged one by one as they end, so that the
//! outcome does not depend on how the bytes were cut, and no byte is looked at twice however slowly
//! it comes. Where the grammar lets a reader choose between repairing and refusing, this one
//! refuses: two readers that repair differently are how requests are smuggled.

use super::Broken;
use super::chars::{find, has_control, is_control, is_in_host, is_in_uri, lower};
use farcall_core::Limits;
use std::ops::Range;

pub(super) use super::chars::is_token;

/// The methods that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Connect,
    Options,
    Put,
    /// `DELETE`, `PATCH`, `TRACE`: known, and served by pages alone.
    Other,
}

/// Each method and the space behind it: what a connection begins with. The first is what almost all
/// of them are.
pub(super) const METHODS: [(&[u8], Method); 9] = [
    (b"POST ", Method::Post),
    (b"GET ", Method::Get),
    (b"HEAD ", Method::Head),
    (b"PUT ", Method::Put),
    (b"DELETE ", Method::Other),
    (b"OPTIONS ", Method::Options),
    (b"PATCH ", Method::Other),
    (b"TRACE ", Method::Other),
    (b"CONNECT ", Method::Connect),
];

/// How the body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Fixed(u64),
    Chunked,
}

/// What a head says. Ranges are offsets into it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(super) minor: u8,
    /// The path, without the query.
    pub(super) path: Range<usize>,
    /// The path and the query.
    pub(super) target: Range<usize>,
    /// The field lines, without the empty one.
    pub(super) fields: Range<usize>,
    pub(super) length: Length,
    pub(super) host: Range<usize>,
    pub(super) origin: Option<Range<usize>>,
    /// A browser says that the call comes from another site's page.
    pub(super) other_site: bool,
    /// A content type that is surely not JSON.
    pub(super) media: Option<Range<usize>>,
    pub(super) encoding: Option<Range<usize>>,
    /// `X-Timeout-Ms`; the error is a value that is no number.
    pub(super) timeout: Option<Result<u64, ()>>,
    /// `100-continue` is expected.
    pub(super) expects: bool,
    /// Some field is one of rpcx's gateway: `X-RPCX-…`.
    pub(super) rpcx: bool,
    /// `X-JSONRPC-2.0: true`, by which rpcx tells its JSON-RPC.
    pub(super) rpcx_json: bool,
    close: bool,
    keep: bool,
}

impl Head {
    /// Whether the connection goes on after the answer (RFC 9112 §9.3).
    pub(super) fn persists(&self) -> bool {
        !self.close && (self.minor == 1 || self.keep)
    }
}

/// The bounds of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) fields: usize,
}

impl Bounds {
    pub(super) fn new(limits: &Limits) -> Bounds {
        Bounds { bytes: limits.head_bytes, fields: limits.head_fields }
    }
}

/// Finds ends of lines, and remembers how far it looked.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// Where the line at hand begins.
    pub(super) at: usize,
    seen: usize,
}

impl Lines {
    /// How far it looked.
    #[cfg(test)]
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// The next line among the first `limit` bytes, without its end; whether a carriage return was
    /// there. The error: there is none, and no room for more.
    #[inline]
    pub(super) fn next(
        &mut self,
        input: &[u8],
        limit: usize,
    ) -> Result<Option<(Range<usize>, bool)>, ()> {
        let window = &input[self.seen..input.len().min(limit).max(self.seen)];
        let Some(found) = find(window, b'\n') else {
            self.seen += window.len();
            return if input.len() >= limit { Err(()) } else { Ok(None) };
        };
        let end = self.seen + found;
        let start = std::mem::replace(&mut self.at, end + 1);
        self.seen = end + 1;
        let strict = end > start && input[end - 1] == b'\r';
        Ok(Some((start..end - usize::from(strict), strict)))
    }
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    lines: Lines,
    head: Option<Head>,
    count: usize,
    /// Line feeds alone end lines: Go's rpcx and net/rpc clients say `CONNECT /path HTTP/1.0\n\n`.
    lenient: bool,
    hosts: usize,
    lengths: usize,
    codings: usize,
}

impl Reader {
    /// Nothing was read yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.head.is_none() && (self.lines.at, self.lines.seen) == (0, 0)
    }

    /// The method, once the first line is there.
    pub(super) fn method(&self) -> Option<Method> {
        self.head.as_ref().map(|head| head.method)
    }

    /// Reads on; the head and its length, once its last line is there. Names of fields are turned
    /// to lower case where they stand.
    pub(super) fn read(
        &mut self,
        input: &mut [u8],
        bounds: Bounds,
    ) -> Result<Option<(Head, usize)>, Broken> {
        loop {
            let Ok(line) = self.lines.next(input, bounds.bytes) else {
                let limit = bounds.bytes;
                return Err(match self.head {
                    None => Broken::TargetLong { limit },
                    Some(_) => Broken::HeadLong { limit },
                });
            };
            let Some((line, strict)) = line else { return Ok(None) };
            if self.head.is_none() {
                let text = &input[line.clone()];
                let head = request_line(text, line.start, self.lines.at).map_err(|broken| {
                    // Whatever else it is, that is what is wrong with it.
                    if text.contains(&b'\r') { Broken::BareCr } else { broken }
                })?;
                self.lenient = head.method == Method::Connect && head.minor == 0;
                if !strict && !self.lenient {
                    return Err(Broken::BareLf);
                }
                self.head = Some(head);
                continue;
            }
            if !strict && !self.lenient {
                return Err(Broken::BareLf);
            }
            if line.is_empty() {
                return self.finish(line.start).map(Some);
            }
            self.count += 1;
            if self.count > bounds.fields {
                return Err(Broken::FieldsMany { limit: bounds.fields });
            }
            self.field(input, line)?;
        }
    }

    /// Takes note of one field line.
    fn field(&mut self, input: &mut [u8], line: Range<usize>) -> Result<(), Broken> {
        let (name, value) = split(&input[line.clone()])?;
        lower(&mut input[line.start..line.start + name]);
        let name = &input[line.start..line.start + name];
        let range = line.start + value.start..line.start + value.end;
        let value = &input[range.clone()];
        let Some(head) = &mut self.head else { return Ok(()) };
        match name {
            b"host" => {
                self.hosts += 1;
                if self.hosts > 1 {
                    return Err(Broken::HostRepeated);
                }
                if !is_host(value) {
                    return Err(Broken::Host);
                }
                head.host = range;
            }
            b"content-length" => {
                self.lengths += 1;
                if self.lengths > 1 {
                    return Err(Broken::LengthRepeated);
                }
                head.length = Length::Fixed(decimal(value).ok_or(Broken::Length)?);
            }
            b"transfer-encoding" => {
                self.codings += 1;
                if self.codings > 1 {
                    return Err(Broken::CodingRepeated);
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Broken::Coding);
                }
                if head.minor == 0 {
                    return Err(Broken::CodingOld);
                }
                head.length = Length::Chunked;
            }
            b"connection" => {
                for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    head.close |= option.eq_ignore_ascii_case(b"close");
                    head.keep |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            // HTTP/1.0 has no expectations: they are ignored there (RFC 9110 §10.1.1).
            b"expect" if head.minor == 1 => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Broken::Expectation);
                }
                head.expects = true;
            }
            b"content-type" if !may_be_json(value) => head.media = Some(range),
            b"content-encoding" if !value.eq_ignore_ascii_case(b"identity") => {
                // Two of them are a list, which no one value of ours equals.
                head.encoding = match head.encoding.take() {
                    None => Some(range),
                    Some(first) => Some(first.start..range.end),
                };
            }
            b"x-timeout-ms" => head.timeout = Some(decimal(value).ok_or(())),
            b"origin" => head.origin = Some(range),
            b"x-jsonrpc-2.0" => head.rpcx_json = value == b"true",
            name if name.starts_with(b"x-rpcx-") => head.rpcx = true,
            b"sec-fetch-site" => {
                head.other_site |= !matches!(value, b"same-origin" | b"none");
            }
            _ => {}
        }
        Ok(())
    }

    /// What only the whole head can tell.
    fn finish(&mut self, fields_end: usize) -> Result<(Head, usize), Broken> {
        let Some(mut head) = self.head.take() else { return Err(Broken::RequestLine) };
        head.fields.end = fields_end;
        if self.hosts == 0 && head.minor == 1 {
            return Err(Broken::HostMissing);
        }
        if self.lengths > 0 && self.codings > 0 {
            return Err(Broken::LengthAndCoding);
        }
        // What belongs to the tunnel would be taken for a body by others (RFC 9110 §9.3.6).
        if head.method == Method::Connect && head.length != Length::Fixed(0) {
            return Err(Broken::ConnectBody);
        }
        Ok((head, self.lines.at))
    }
}

/// Reads `METHOD SP target SP version` (RFC 9112 §3). `at` is where the line begins, `next` where
/// the fields do.
#[inline]
fn request_line(line: &[u8], at: usize, next: usize) -> Result<Head, Broken> {
    let after_space = |text: &'_ [u8]| find(text, b' ').map(|at| at + 1);
    let target_at = after_space(line).ok_or(Broken::RequestLine)?;
    let (method, rest) = (&line[..target_at - 1], &line[target_at..]);
    let version_at = after_space(rest).ok_or(Broken::RequestLine)?;
    let (target, version) = (&rest[..version_at - 1], &rest[version_at..]);
    if after_space(version).is_some() {
        return Err(Broken::RequestLine);
    }
    let known = METHODS.iter().find(|(m, _)| m.strip_suffix(b" ") == Some(method));
    let Some((_, method)) = known else {
        let is_one = !method.is_empty() && method.iter().all(|b| is_token(*b));
        return Err(if is_one { Broken::MethodUnknown } else { Broken::Method });
    };
    let minor = match version {
        b"HTTP/1.1" => 1,
        b"HTTP/1.0" => 0,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Broken::Version);
        }
        _ => return Err(Broken::RequestLine),
    };
    let target_at = at + target_at;
    let path = path(*method, target)?;
    Ok(Head {
        method: *method,
        minor,
        path: target_at + path.start..target_at + path.end,
        target: target_at + path.start..target_at + target.len(),
        fields: next..next,
        length: Length::Fixed(0),
        host: 0..0,
        origin: None,
        other_site: false,
        media: None,
        encoding: None,
        timeout: None,
        expects: false,
        rpcx: false,
        rpcx_json: false,
        close: false,
        keep: false,
    })
}

/// The path in a target, without the query: in origin form, in absolute form with the scheme
/// `http`, `*` for `OPTIONS`, anything for `CONNECT` (RFC 9112 §3.2).
fn path(method: Method, target: &[u8]) -> Result<Range<usize>, Broken> {
    if !is_encoded(target) {
        return Err(Broken::Target);
    }
    if target == b"*" && method == Method::Options || method == Method::Connect {
        return Ok(0..target.len());
    }
    let mut start = 0;
    if target.first() != Some(&b'/') {
        let Some(colon) = target.windows(3).position(|w| w == b"://") else {
            return Err(Broken::Target);
        };
        if !target[..colon].eq_ignore_ascii_case(b"http") {
            return Err(Broken::Scheme);
        }
        let rest = &target[colon + 3..];
        let length = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
        if length == 0 || !is_host(&rest[..length]) {
            return Err(Broken::Target);
        }
        start = colon + 3 + length;
    }
    let rest = &target[start..];
    Ok(start..start + rest.iter().position(|b| *b == b'?').unwrap_or(rest.len()))
}

/// Splits a field line into the length of its name and where its value lies (RFC 9112 §5).
#[inline]
pub(super) fn split(line: &[u8]) -> Result<(usize, Range<usize>), Broken> {
    let colon = line.iter().position(|b| !is_token(*b)).unwrap_or(line.len());
    let value = match line[colon..].split_first() {
        Some((b':', value)) if colon > 0 && !has_control(value) => value,
        _ => return Err(wrong(line)),
    };
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !is_space(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !is_space(b)).map_or(start, |last| last + 1);
    Ok((colon, colon + 1 + start..colon + 1 + end))
}

/// What is wrong with a line that is not a token, a colon and a value.
#[cold]
fn wrong(line: &[u8]) -> Broken {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Broken::Folded;
    }
    if line.contains(&b'\r') {
        return Broken::BareCr;
    }
    let Some(colon) = line.iter().position(|b| *b == b':') else { return Broken::NoColon };
    if colon == 0 {
        return Broken::NameEmpty;
    }
    if matches!(line[colon - 1], b' ' | b'\t') {
        return Broken::SpaceBeforeColon;
    }
    if let Some(byte) = line[..colon].iter().find(|b| !is_token(**b)) {
        return Broken::Name { byte: *byte };
    }
    let byte = line[colon + 1..].iter().find(|b| is_control(**b));
    Broken::Value { byte: byte.copied().unwrap_or_default() }
}

/// How [`farcall_core::Meta`] walks the field lines of a head that was read.
pub(super) fn walk(block: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
    for line in block.split_inclusive(|b| *b == b'\n') {
        let Some(line) = line.strip_suffix(b"\r\n") else { continue };
        let Ok((name, value)) = split(line) else { continue };
        if !each(&line[..name], &line[value]) {
            return;
        }
    }
}

/// Only characters of a URI's path and query, and `%` only before two digits (RFC 3986 §3.3, §3.4).
fn is_encoded(target: &[u8]) -> bool {
    if target.is_empty() || !target.iter().all(|b| is_in_uri(*b)) {
        return false;
    }
    let mut percents = target.iter().enumerate().filter(|(_, b)| **b == b'%');
    find(target, b'%').is_none()
        || percents.all(|(at, _)| {
            let digits = target.get(at + 1..at + 3);
            digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
        })
}

/// A host and perhaps a port, or nothing.
fn is_host(value: &[u8]) -> bool {
    let name = match value.first() {
        Some(b'[') => {
            let in_address = |b: &u8| b.is_ascii_hexdigit() || b":.".contains(b);
            let end = value[1..].iter().position(|b| !in_address(b)).map(|at| at + 1);
            match end.filter(|end| *end > 1 && value[*end] == b']') {
                Some(end) => end + 1,
                None => return false,
            }
        }
        _ => value.iter().position(|b| !is_in_host(*b)).unwrap_or(value.len()),
    };
    match &value[name..] {
        [] => true,
        [b':', digits @ ..] => name > 0 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Digits and nothing else, within range.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    value.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// Whether a body of this type may be JSON: JSON by any of its names, and what clients say that
/// were not told better (`curl -d` says a form).
fn may_be_json(value: &[u8]) -> bool {
    if value == b"application/json" {
        return true;
    }
    let kind = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let plain: [&[u8]; 7] = [
        b"",
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"application/octet-stream",
        b"text/json",
        b"text/plain",
        b"text/x-json",
    ];
    let has = |part: Option<&[u8]>, text: &[u8]| part.is_some_and(|p| p.eq_ignore_ascii_case(text));
    let (json, grpc) = (b"+json", b"application/grpc");
    plain.iter().any(|known| kind.eq_ignore_ascii_case(known))
        || has(kind.len().checked_sub(json.len()).and_then(|at| kind.get(at..)), json)
            && !has(kind.get(..grpc.len()), grpc)
}
