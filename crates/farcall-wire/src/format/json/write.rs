//! Writing JSON.
//!
//! Text is scanned sixteen bytes at a time for what must be escaped; in between it is copied whole.
//! Keys of fields are ready-made constants.

use super::{base64, number, paired, time};
use farcall_core::{At, Bounds, Fault, Kind, Names, Pack, Schema, Shape, Sink, Timestamp, Why};
use std::time::Duration;

/// The sink. `At::a`: whether a comma is due. `At::b` of a map: whether it is a list of pairs.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// The next value is the key of a map: it must come out as text.
    key: bool,
    depth: u32,
    limit: u32,
    fault: Option<Fault>,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, bounds: Bounds) -> Writer<'o> {
        Writer { out, key: false, depth: 0, limit: bounds.depth, fault: None }
    }

    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// Begins a list or an object.
    #[inline(always)]
    fn enter(&mut self, opening: u8) -> Option<At> {
        if self.key {
            self.refuse_key();
            return None;
        }
        if self.depth >= self.limit {
            self.fail(Fault::new(Why::TooDeep { limit: self.limit }));
            return None;
        }
        self.depth += 1;
        self.out.push(opening);
        Some(At::default())
    }

    #[inline(always)]
    fn leave(&mut self, closing: u8) {
        self.depth -= 1;
        self.out.push(closing);
    }

    #[inline(always)]
    fn comma(&mut self, at: &mut At) {
        if at.a != 0 {
            self.out.push(b',');
        }
        at.a = 1;
    }

    #[cold]
    #[inline(never)]
    fn refuse_key(&mut self) {
        let what = "a map whose keys are not text, integers, enums or times";
        self.fail(Fault::new(Why::Unsupported { format: "json", what }));
    }

    /// Whether what is about to be written may not stand here because keys are text.
    #[inline(always)]
    fn refused(&mut self) -> bool {
        if self.key {
            self.refuse_key();
        }
        self.key
    }

    fn quoted(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.out.reserve(bytes.len() + 2);
        self.out.push(b'"');
        let mut copied = 0;
        let mut at = plain_until(bytes, 0);
        while let Some(&byte) = bytes.get(at) {
            let next = match (byte, bytes.get(at + 1..at + 3)) {
                // U+2028 and U+2029 are E2 80 A8 and E2 80 A9; other characters share their lead.
                (0xe2, Some(&[0x80, last @ 0xa8..=0xa9])) => {
                    self.out.extend_from_slice(&bytes[copied..at]);
                    self.out.extend_from_slice(b"\\u202");
                    self.out.push(b'8' + (last - 0xa8));
                    copied = at + 3;
                    copied
                }
                (0xe2, _) => at + 1,
                _ => {
                    self.out.extend_from_slice(&bytes[copied..at]);
                    self.escape(byte);
                    copied = at + 1;
                    copied
                }
            };
            at = plain_until(bytes, next);
        }
        self.out.extend_from_slice(&bytes[copied..]);
        self.out.push(b'"');
    }

    /// As Go's `appendString` with HTML escapes, which `json.Marshal` has on.
    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                let digit = |v: u8| b"0123456789abcdef"[usize::from(v & 15)];
                self.out.extend_from_slice(b"\\u00");
                self.out.extend_from_slice(&[digit(byte >> 4), digit(byte)]);
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    #[inline]
    fn number(&mut self, v: i64) {
        if self.key {
            self.out.push(b'"');
        }
        number::write_int(v, self.out);
        if self.key {
            self.out.push(b'"');
        }
    }
}

/// Whether a byte stands for itself: not a control character, `"`, `\`, `<`, `>`, `&`, nor the lead
/// of the two line separators. Each or folds two of them into one comparison.
#[inline(always)]
fn plain(byte: u8) -> bool {
    (byte >= 0x20) & (byte | 4 != b'&') & (byte | 2 != b'>') & (byte != b'\\') & (byte != 0xe2)
}

/// The first byte at or after `at` that needs care.
#[inline]
fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    let all = |chunk: &[u8; 16]| chunk.iter().fold(true, |all, &byte| all & plain(byte));
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        if !all(chunk) {
            break;
        }
        at += 16;
    }
    // The rest is shorter than a chunk: look at the last sixteen bytes, some of them again.
    if bytes.len() - at < 16
        && let Some(last) = bytes.last_chunk::<16>()
        && all(last)
    {
        return bytes.len();
    }
    while at < bytes.len() && plain(bytes[at]) {
        at += 1;
    }
    at
}

impl Sink for Writer<'_> {
    fn open(&mut self, _: &'static Schema) -> Option<At> {
        self.enter(b'{')
    }

    fn field(&mut self, at: &mut At, schema: &'static Schema, index: usize, empty: bool) -> bool {
        let field = &schema.fields[index];
        if empty && field.omit_empty {
            return false;
        }
        self.comma(at);
        self.out.extend_from_slice(field.json_key.as_bytes());
        true
    }

    fn close(&mut self, _: At) {
        self.leave(b'}');
    }

    fn list(&mut self, _: &'static Shape, _: usize) -> Option<At> {
        self.enter(b'[')
    }

    fn item(&mut self, at: &mut At) {
        self.comma(at);
    }

    fn list_end(&mut self, _: At) {
        self.leave(b']');
    }

    fn map(&mut self, shape: &'static Shape, _: usize) -> Option<At> {
        let pairs = paired(shape);
        let at = self.enter(if pairs { b'[' } else { b'{' })?;
        Some(At { b: usize::from(pairs), ..at })
    }

    fn key(&mut self, at: &mut At, _: &'static Shape, _: bool) -> bool {
        self.comma(at);
        match at.b {
            0 => self.key = true,
            _ => self.out.push(b'['),
        }
        true
    }

    fn value(&mut self, at: &mut At, _: &'static Shape, _: bool) -> bool {
        self.key = false;
        self.out.push(if at.b == 0 { b':' } else { b',' });
        true
    }

    fn entry_end(&mut self, at: &mut At) {
        if at.b != 0 {
            self.out.push(b']');
        }
    }

    fn map_end(&mut self, at: At) {
        self.leave(if at.b == 0 { b'}' } else { b']' });
    }

    fn none(&mut self) {
        if !self.refused() {
            self.out.extend_from_slice(b"null");
        }
    }

    fn bool(&mut self, v: bool) {
        if !self.refused() {
            self.out.extend_from_slice(if v { b"true" } else { b"false" });
        }
    }

    fn int(&mut self, v: i64, _: Kind, _: Pack) {
        self.number(v);
    }

    fn uint(&mut self, v: u64, _: Kind, _: Pack) {
        if self.key {
            self.out.push(b'"');
        }
        number::write_uint(v, self.out);
        if self.key {
            self.out.push(b'"');
        }
    }

    fn float(&mut self, v: f64, kind: Kind) {
        if self.refused() {
            return;
        }
        if !v.is_finite() {
            let what = "NaN or infinity";
            return self.fail(Fault::new(Why::Unsupported { format: "json", what }));
        }
        match kind {
            Kind::F32 => number::write_f32(v as f32, self.out),
            _ => number::write_f64(v, self.out),
        }
    }

    fn text(&mut self, v: &str) {
        self.quoted(v);
    }

    fn bytes(&mut self, v: &[u8]) {
        if self.refused() {
            return;
        }
        self.out.push(b'"');
        base64::write(v, self.out);
        self.out.push(b'"');
    }

    /// Go writes `[N]byte` as a list of numbers, unlike `[]byte`.
    fn byte_array(&mut self, v: &[u8]) {
        if self.refused() {
            return;
        }
        self.out.push(b'[');
        for (i, &byte) in v.iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            number::write_uint(byte.into(), self.out);
        }
        self.out.push(b']');
    }

    fn choice(&mut self, v: i32, _: &'static Names) {
        self.number(v.into());
    }

    fn time(&mut self, v: Timestamp) {
        self.out.push(b'"');
        if !time::write(v, self.out) {
            self.fail(Fault::new(Why::OutOfRange { want: "RFC 3339, years 0 to 9999" }));
        }
        self.out.push(b'"');
    }

    /// Go's `time.Duration`: an int64 of nanoseconds.
    fn span(&mut self, v: Duration) {
        match i64::try_from(v.as_nanos()) {
            Ok(nanos) => self.number(nanos),
            Err(_) => self.fail(Fault::new(Why::OutOfRange { want: "Go's time.Duration" })),
        }
    }

    #[cold]
    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn failed(&self) -> bool {
        self.fault.is_some()
    }
}
