//! Chunked bodies (RFC 9112 §7.1): sizes in hexadecimal, extensions ignored, trailers read and
//! dropped, all of it bounded.

use super::{
    Broken,
    head::{self, Bounds, Lines},
};
use bytes::{Buf, BytesMut};

/// A chunked body that is being read.
#[derive(Debug)]
pub(super) struct Chunks {
    step: Step,
    lines: Lines,
    pub(super) body: BytesMut,
    /// Bytes of data so far, kept or not.
    total: usize,
    /// `Limits::message_bytes`.
    limit: usize,
    bounds: Bounds,
    /// Bytes of extensions so far; then bytes of trailers.
    extra: usize,
    fields: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Size,
    Data(usize),
    End,
    Trailers,
}

/// Hexadecimal digits of a size at most; more would not fit 64 bits.
const DIGITS: usize = 16;

impl Chunks {
    pub(super) fn new(limit: usize, bounds: Bounds) -> Chunks {
        Chunks {
            step: Step::Size,
            lines: Lines::default(),
            body: BytesMut::new(),
            total: 0,
            limit,
            bounds,
            extra: 0,
            fields: 0,
        }
    }

    /// How many more bytes are needed, as far as can be told.
    pub(super) fn need(&self) -> usize {
        if let Step::Data(left) = self.step { left + 2 } else { 1 }
    }

    /// Takes what has come off the input, and keeps the data if `keep`; true at the end.
    pub(super) fn read(&mut self, input: &mut BytesMut, keep: bool) -> Result<bool, Broken> {
        loop {
            match self.step {
                Step::Size => {
                    let limit = self.bounds.bytes;
                    let window = DIGITS + 2 + limit.saturating_sub(self.extra);
                    let found = self.lines.next(input, window);
                    let found = found.map_err(|()| Broken::ChunkLong { limit })?;
                    let Some((line, strict)) = found else { return Ok(false) };
                    if !strict {
                        return Err(Broken::BareLf);
                    }
                    let (size, extra) = size(&input[line])?;
                    self.extra += extra;
                    if self.extra > limit {
                        return Err(Broken::ChunkLong { limit });
                    }
                    self.take_line(input);
                    let room = (self.limit - self.total) as u64;
                    self.step = match size {
                        0 => Step::Trailers,
                        size if size > room => return Err(Broken::BodyLong { limit: self.limit }),
                        size => Step::Data(size as usize),
                    };
                    if size == 0 {
                        self.extra = 0;
                    }
                }
                Step::Data(left) => {
                    let part = left.min(input.len());
                    if keep {
                        self.body.extend_from_slice(&input[..part]);
                    }
                    input.advance(part);
                    self.total += part;
                    if part < left {
                        self.step = Step::Data(left - part);
                        return Ok(false);
                    }
                    self.step = Step::End;
                }
                Step::End => match input.first_chunk::<2>() {
                    Some(b"\r\n") => {
                        input.advance(2);
                        self.step = Step::Size;
                    }
                    None if matches!(input[..], [] | [b'\r']) => return Ok(false),
                    _ => return Err(Broken::ChunkEnd),
                },
                Step::Trailers => {
                    let limit = self.bounds.bytes;
                    let found = self.lines.next(input, limit.saturating_sub(self.extra));
                    let found = found.map_err(|()| Broken::TrailersLong { limit })?;
                    let Some((line, strict)) = found else { return Ok(false) };
                    if !strict {
                        return Err(Broken::BareLf);
                    }
                    let last = line.is_empty();
                    if !last {
                        self.fields += 1;
                        if self.fields > self.bounds.fields {
                            return Err(Broken::FieldsMany { limit: self.bounds.fields });
                        }
                        head::split(&input[line])?;
                    }
                    self.extra += self.lines.at;
                    self.take_line(input);
                    if last {
                        return Ok(true);
                    }
                }
            }
        }
    }

    fn take_line(&mut self, input: &mut BytesMut) {
        input.advance(self.lines.at);
        self.lines = Lines::default();
    }
}

/// The size in a chunk's first line, and how long the extensions behind it are.
fn size(line: &[u8]) -> Result<(u64, usize), Broken> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (digits, extra) = line.split_at(digits);
    let is_text = |b: &u8| (b' '..0x7f).contains(b) || *b == b'\t' || *b >= 0x80;
    if digits.is_empty()
        || digits.len() > DIGITS
        || !matches!(extra.first(), None | Some(b';'))
        || !extra.iter().all(is_text)
    {
        return Err(Broken::ChunkSize);
    }
    let size = digits.iter().fold(0, |size, digit| {
        let value = char::from(*digit).to_digit(16).unwrap_or_default();
        size << 4 | u64::from(value)
    });
    Ok((size, extra.len()))
}
