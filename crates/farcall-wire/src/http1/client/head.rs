//! The head of an answer, read as strictly as that of a request: where a reader may choose between
//! repairing and refusing, this one refuses (RFC 9112 §11.1, response splitting).

use crate::http1::{
    Broken,
    head::{Bounds, Lines, decimal, split},
};
use std::ops::Range;

/// How the body's end is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Fixed(u64),
    Chunked,
    /// The connection's end is the body's.
    Close,
}

/// What the head of an answer says. Ranges are offsets into it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The status and the reason, as they were written.
    pub(super) line: Range<usize>,
    /// The field lines, without the empty one.
    pub(super) fields: Range<usize>,
    pub(super) length: Length,
    pub(super) encoding: Option<Range<usize>>,
    /// `X-Meta` is among the fields.
    pub(super) meta: bool,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    minor: u8,
    close: bool,
    keep: bool,
}

impl Head {
    /// Whether the connection goes on behind this answer (RFC 9112 §9.3).
    pub(super) fn persists(&self) -> bool {
        let open = !self.close && (self.minor == 1 || self.keep);
        // Nobody asked whether anything was modified, so whoever says that it was not speaks to
        // somebody else.
        open && self.length != Length::Close && self.status != 304
    }
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    lines: Lines,
    head: Option<Head>,
    count: usize,
    length: Option<u64>,
    chunked: bool,
}

impl Reader {
    /// Reads on; the head and its length, once its last line is there. Names of fields are turned
    /// to lower case where they stand.
    pub(super) fn read(
        &mut self,
        input: &mut [u8],
        bounds: Bounds,
    ) -> Result<Option<(Head, usize)>, Broken> {
        self.early(input)?;
        loop {
            let line = self.lines.next(input, bounds.bytes);
            let line = line.map_err(|()| Broken::HeadLong { limit: bounds.bytes })?;
            let Some((line, strict)) = line else { return Ok(None) };
            if !strict {
                return Err(Broken::BareLf);
            }
            let Some(head) = &mut self.head else {
                let (status, minor) = status_line(&input[line.clone()])?;
                self.head = Some(Head {
                    status,
                    line: line.start + VERSION..line.end,
                    fields: self.lines.at..self.lines.at,
                    length: Length::Close,
                    encoding: None,
                    meta: false,
                    minor,
                    close: false,
                    keep: false,
                });
                continue;
            };
            if line.is_empty() {
                head.fields.end = line.start;
                return self.finish().map(Some);
            }
            self.count += 1;
            if self.count > bounds.fields {
                return Err(Broken::FieldsMany { limit: bounds.fields });
            }
            self.field(input, line)?;
        }
    }

    /// Whatever does not begin like an answer is not waited for.
    fn early(&self, input: &[u8]) -> Result<(), Broken> {
        let start = b"HTTP/1.";
        let there = input.len().min(start.len());
        match self.head.is_none() && input[..there] != start[..there] {
            true => Err(Broken::StatusLine),
            false => Ok(()),
        }
    }

    fn field(&mut self, input: &mut [u8], line: Range<usize>) -> Result<(), Broken> {
        let (name, value) = split(&input[line.clone()])?;
        input[line.start..line.start + name].make_ascii_lowercase();
        let name = &input[line.start..line.start + name];
        let range = line.start + value.start..line.start + value.end;
        let value = &input[range.clone()];
        let Some(head) = &mut self.head else { return Ok(()) };
        match name {
            b"content-length" => {
                if self.length.is_some() {
                    return Err(Broken::LengthRepeated);
                }
                self.length = Some(decimal(value).ok_or(Broken::Length)?);
            }
            b"transfer-encoding" => {
                if self.chunked {
                    return Err(Broken::CodingRepeated);
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Broken::Coding);
                }
                if head.minor == 0 {
                    return Err(Broken::CodingOld);
                }
                self.chunked = true;
            }
            b"connection" => {
                for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    head.close |= option.eq_ignore_ascii_case(b"close");
                    head.keep |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            b"content-encoding" if !value.eq_ignore_ascii_case(b"identity") => {
                // Two of them are a list, which no one value of ours equals.
                head.encoding = match head.encoding.take() {
                    None => Some(range),
                    Some(first) => Some(first.start..range.end),
                };
            }
            b"x-meta" => head.meta = true,
            _ => {}
        }
        Ok(())
    }

    /// What only the whole head can tell.
    fn finish(&mut self) -> Result<(Head, usize), Broken> {
        let Some(mut head) = self.head.take() else { return Err(Broken::StatusLine) };
        let status = head.status;
        head.length = match (self.chunked, self.length) {
            (true, Some(_)) => return Err(Broken::LengthAndCoding),
            // "A server MUST NOT send" either with these: who reads them as another would see
            // another message behind them (RFC 9112 §6.3, rules 1 and 3).
            (true, _) | (_, Some(1..)) if matches!(status, 100..200 | 204) => {
                return Err(Broken::BodyForbidden { status });
            }
            _ if matches!(status, 100..200 | 204 | 304) => Length::Fixed(0),
            (true, None) => Length::Chunked,
            (false, Some(length)) => Length::Fixed(length),
            (false, None) => Length::Close,
        };
        Ok((head, self.lines.at))
    }
}

/// Length of `HTTP/1.1 `.
const VERSION: usize = 9;

/// Reads `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 §4): status and version. The
/// second space may be missing where no reason follows.
fn status_line(line: &[u8]) -> Result<(u16, u8), Broken> {
    let Some((version, rest)) = line.split_first_chunk::<VERSION>() else {
        return Err(Broken::StatusLine);
    };
    let minor = match version {
        b"HTTP/1.1 " => 1,
        b"HTTP/1.0 " => 0,
        _ => return Err(Broken::StatusLine),
    };
    let Some((digits, reason)) = rest.split_first_chunk::<3>() else {
        return Err(Broken::StatusLine);
    };
    let number = decimal(digits).filter(|number| (100..600).contains(number));
    let reason_is_good = matches!(reason, [] | [b' ', ..])
        && reason.iter().all(|b| *b >= b' ' && *b != 0x7f || *b == b'\t');
    match number {
        Some(number) if reason_is_good => Ok((number as u16, minor)),
        _ => Err(Broken::StatusLine),
    }
}
