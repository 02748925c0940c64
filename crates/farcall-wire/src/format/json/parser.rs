//! The grammar of JSON: a pull parser over text that was checked for UTF-8 once, as a whole.
//!
//! Nothing here recurses. Text without escapes is lent from the body; sixteen bytes of it at a time
//! are looked at for the closing quote.

use super::{base64, number};
use crate::format::utf8;
use bytes::Bytes;
use farcall_core::{At, Bounds, END, Fault, Kind, Pack, Part, Schema, Source, Why};

/// `At::a`: nothing was read yet.
pub(super) const START: usize = 0;
/// `At::a`: a field, item or entry was read; a comma must follow, or the end.
pub(super) const LATER: usize = 1;
/// `At::a`: a null stood for the whole; there is nothing to read.
pub(super) const NULL: usize = 2;
/// `At::a` of a map: its key was read.
pub(super) const KEY: usize = 3;
/// `At::a` of a map: its value was read.
pub(super) const VALUE: usize = 4;
/// `At::a` of a message: its fields stand in a list, in their order.
pub(super) const ROW: usize = 5;

/// `At::b` of a map: it is a list of pairs.
pub(super) const PAIRS: usize = 1;

/// The source. `At::b` of a message: the index of the field to expect.
pub(super) struct Reader<'a> {
    pub(super) frame: &'a Bytes,
    pub(super) src: &'a str,
    pub(super) pos: usize,
    pub(super) depth: u32,
    pub(super) bounds: Bounds,
    /// What is left of `Bounds::decoded_bytes`.
    pub(super) budget: usize,
    /// Text with its escapes resolved.
    pub(super) text: String,
    /// Bytes from base64.
    pub(super) bytes: Vec<u8>,
    /// The next message may stand as the list of its fields.
    pub(super) row: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'a Bytes, bounds: Bounds) -> Result<Reader<'a>, Fault> {
        let Some(src) = utf8::check(frame) else { return Err(Fault::new(Why::NotUtf8)) };
        Ok(Reader {
            frame,
            src,
            pos: 0,
            depth: 0,
            bounds,
            budget: bounds.decoded_bytes,
            text: String::new(),
            bytes: Vec::new(),
            row: false,
        })
    }

    /// Only space may follow.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.peek();
        if self.pos < self.src.len() { self.fault(Why::Trailing) } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn fault<T>(&self, why: Why) -> Result<T, Fault> {
        Err(Fault::at(why, self.pos))
    }

    /// A rule of the grammar is broken here, unless the body simply ends here.
    #[cold]
    #[inline(never)]
    pub(super) fn syntax<T>(&self, rule: &'static str) -> Result<T, Fault> {
        if self.pos >= self.src.len() {
            return self.fault(Why::CutShort);
        }
        self.fault(Why::Syntax(rule))
    }

    /// Something else stands here than what the type wants.
    #[cold]
    #[inline(never)]
    pub(super) fn unexpected<T>(&mut self, want: &'static str) -> Result<T, Fault> {
        let got = match self.peek() {
            b'{' => "an object",
            b'[' => "a list",
            b'"' => "text",
            b't' | b'f' => "a bool",
            b'n' => "null",
            b'-' | b'0'..=b'9' => "a number",
            _ => return self.syntax("a value was expected"),
        };
        self.fault(Why::WrongType { want, got })
    }

    /// The next byte that is not space; 0 at the end, which no rule of the grammar accepts either.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> u8 {
        match self.src.as_bytes().get(self.pos) {
            Some(&byte) if byte > b' ' => byte,
            Some(_) => self.space(),
            None => 0,
        }
    }

    #[inline(never)]
    pub(super) fn space(&mut self) -> u8 {
        while let Some(&byte) = self.src.as_bytes().get(self.pos) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return byte;
            }
            self.pos += 1;
        }
        0
    }

    #[inline(always)]
    pub(super) fn eat(&mut self, byte: u8, rule: &'static str) -> Result<(), Fault> {
        if self.peek() != byte {
            return self.syntax(rule);
        }
        self.pos += 1;
        Ok(())
    }

    pub(super) fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        let rest = &self.src.as_bytes()[self.pos..];
        if rest.starts_with(word.as_bytes()) {
            self.pos += word.len();
            return Ok(());
        }
        if word.as_bytes().starts_with(rest) {
            return self.fault(Why::CutShort);
        }
        self.fault(Why::Syntax("the only words are true, false and null"))
    }

    #[inline(always)]
    pub(super) fn null(&mut self) -> Result<bool, Fault> {
        if self.peek() != b'n' {
            return Ok(false);
        }
        self.word("null")?;
        Ok(true)
    }

    /// Enters a list or an object; a null there is an empty one.
    #[inline]
    pub(super) fn enter(&mut self, opening: u8, want: &'static str) -> Result<At, Fault> {
        if self.depth >= self.bounds.depth {
            return self.fault(Why::TooDeep { limit: self.bounds.depth });
        }
        let state = if self.peek() == opening {
            self.pos += 1;
            START
        } else if self.null()? {
            NULL
        } else {
            return self.unexpected(want);
        };
        self.depth += 1;
        Ok(At { a: state, b: 0 })
    }

    /// Whether one more field, item or entry follows; the comma before it is then consumed.
    #[inline(always)]
    pub(super) fn more(&mut self, at: &mut At, closing: u8) -> Result<bool, Fault> {
        let next = self.peek();
        if at.a == NULL {
            self.depth -= 1;
            return Ok(false);
        }
        if next == closing {
            self.pos += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if at.a != START {
            if next != b',' {
                return self.syntax("a comma or the end of a list or object was expected");
            }
            self.pos += 1;
        }
        at.a = LATER;
        Ok(true)
    }

    /// The next piece of a map that is a list of pairs.
    pub(super) fn pair(&mut self, at: &mut At) -> Result<Part, Fault> {
        const RULE: &str = "an entry of this map is a list of its key and its value";
        match at.a {
            KEY => {
                self.eat(b',', RULE)?;
                at.a = VALUE;
                Ok(Part::Value)
            }
            VALUE => {
                self.eat(b']', RULE)?;
                at.a = LATER;
                Ok(Part::Entry)
            }
            _ => {
                if !self.more(at, b']')? {
                    return Ok(Part::End);
                }
                self.eat(b'[', RULE)?;
                at.a = KEY;
                Ok(Part::Key)
            }
        }
    }

    /// Text: its range in the source, or none if it had escapes and is now in `self.text`.
    #[inline(never)]
    pub(super) fn string(&mut self, want: &'static str) -> Result<Option<(usize, usize)>, Fault> {
        if self.peek() != b'"' {
            return self.unexpected(want);
        }
        let start = self.pos + 1;
        let end = plain_until(self.src.as_bytes(), start);
        if self.src.as_bytes().get(end) == Some(&b'"') {
            self.pos = end + 1;
            return Ok(Some((start, end)));
        }
        self.escaped(start, end)?;
        Ok(None)
    }

    #[inline(always)]
    pub(super) fn lend(&self, range: Option<(usize, usize)>) -> &str {
        match range {
            // Both ends are next to a quote, and so between characters.
            Some((start, end)) => self.src.get(start..end).unwrap_or_default(),
            None => &self.text,
        }
    }

    #[inline(never)]
    pub(super) fn escaped(&mut self, mut start: usize, mut end: usize) -> Result<(), Fault> {
        let bytes = self.src.as_bytes();
        self.text.clear();
        loop {
            self.text.push_str(self.src.get(start..end).unwrap_or_default());
            self.pos = end;
            match bytes.get(end) {
                Some(b'"') => {
                    self.pos = end + 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let c = match bytes.get(end + 1) {
                        Some(&same @ (b'"' | b'\\' | b'/')) => char::from(same),
                        Some(b'b') => '\u{8}',
                        Some(b'f') => '\u{c}',
                        Some(b'n') => '\n',
                        Some(b'r') => '\r',
                        Some(b't') => '\t',
                        Some(b'u') => {
                            let Some((c, after)) = unicode(bytes, end) else {
                                let cut = end + 6 > bytes.len();
                                let rule = "four hexadecimal digits follow \\u";
                                return self.fault(if cut {
                                    Why::CutShort
                                } else {
                                    Why::Syntax(rule)
                                });
                            };
                            end = after - 2;
                            c
                        }
                        Some(_) => return self.fault(Why::Syntax("there is no such escape")),
                        None => return self.fault(Why::CutShort),
                    };
                    self.text.push(c);
                    end += 2;
                }
                _ => return self.syntax("control characters in text must be escaped"),
            }
            start = end;
            end = plain_until(bytes, end);
        }
    }

    /// The sign and the digits of a whole number, which may be quoted; a null is 0.
    #[inline(never)]
    pub(super) fn whole(&mut self, kind: Kind) -> Result<(bool, u64), Fault> {
        let first = self.peek();
        if first == b'n' {
            self.word("null")?;
            return Ok((false, 0));
        }
        let bytes = self.src.as_bytes();
        let quoted = first == b'"';
        let start = self.pos + usize::from(quoted);
        let negative = bytes.get(start) == Some(&b'-');
        let digits = start + usize::from(negative);
        let mut at = digits;
        let mut v = 0_u64;
        while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0'))
            && digit < 10
        {
            v = match v.checked_mul(10).and_then(|v| v.checked_add(digit.into())) {
                Some(v) => v,
                None => return self.fault(Why::OutOfRange { want: kind.name() }),
            };
            at += 1;
        }
        if at == digits {
            return self.unexpected(kind.name());
        }
        if bytes[digits] == b'0' && at > digits + 1 {
            return self.fault(Why::Syntax("numbers do not begin with 0"));
        }
        match bytes.get(at) {
            // "7.0" is no integer in Go either.
            Some(b'.' | b'e' | b'E') => {
                let got = "a number with a fraction or exponent";
                return self.fault(Why::WrongType { want: kind.name(), got });
            }
            Some(b'"') if quoted => at += 1,
            _ if quoted => return self.unexpected(kind.name()),
            _ => {}
        }
        self.pos = at;
        Ok((negative, v))
    }

    /// The field of a key that was not the expected one; `END` when it is unknown.
    #[inline(never)]
    pub(super) fn find(&mut self, schema: &'static Schema) -> Result<usize, Fault> {
        let range = self.string("a field name")?;
        let index = schema.by_json(self.lend(range).as_bytes());
        self.eat(b':', "a colon follows the key")?;
        Ok(index.unwrap_or(END))
    }

    /// Passes over one value. Nested ones are kept on a heap stack that the depth limit bounds.
    #[inline(never)]
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        // What closes the lists and objects that are open.
        let mut open: Vec<u8> = Vec::new();
        loop {
            let first = self.peek();
            let mut begun = false;
            match first {
                b'"' => drop(self.string("text")?),
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                b'{' | b'[' => {
                    if self.depth as usize + open.len() >= self.bounds.depth as usize {
                        return self.fault(Why::TooDeep { limit: self.bounds.depth });
                    }
                    self.pos += 1;
                    // In ASCII both closing brackets follow two after the opening ones.
                    open.push(first + 2);
                    begun = true;
                }
                _ => match number::scan(self.src.as_bytes(), self.pos) {
                    Some((end, _)) => self.pos = end,
                    None => return self.unexpected("a value"),
                },
            }
            loop {
                let Some(&closing) = open.last() else { return Ok(()) };
                let next = self.peek();
                if next == closing {
                    self.pos += 1;
                    open.pop();
                    begun = false;
                    continue;
                }
                if !begun {
                    self.eat(b',', "a comma or the end of a list or object was expected")?;
                }
                if closing == b'}' {
                    self.string("a key")?;
                    self.eat(b':', "a colon follows the key")?;
                }
                break;
            }
        }
    }

    /// Bytes into `self.bytes`: base64, or a list of numbers.
    #[inline(never)]
    pub(super) fn fill_bytes(&mut self) -> Result<(), Fault> {
        self.bytes.clear();
        match self.peek() {
            b'n' => self.word("null"),
            b'[' => {
                let mut at = self.enter(b'[', "bytes")?;
                while self.more(&mut at, b']')? {
                    let byte = self.uint(Kind::U8, Pack::Plain)? as u8;
                    self.bytes.push(byte);
                }
                Ok(())
            }
            _ => {
                let at = self.pos;
                let range = self.string("bytes")?;
                let text = match range {
                    Some((start, end)) => self.src.get(start..end).unwrap_or_default(),
                    None => &self.text,
                };
                if base64::read(text.as_bytes(), &mut self.bytes) {
                    return Ok(());
                }
                Err(Fault::at(Why::Syntax("text that stands for bytes is not base64"), at))
            }
        }
    }
}

/// Whether a byte of text stands for itself.
#[inline(always)]
pub(super) fn plain(byte: u8) -> bool {
    (byte >= 0x20) & (byte != b'"') & (byte != b'\\')
}

/// The first byte at or after `at` that ends the text or needs care.
#[inline(always)]
pub(crate) fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        if !chunk.iter().fold(true, |all, &byte| all & plain(byte)) {
            break;
        }
        at += 16;
    }
    while at < bytes.len() && plain(bytes[at]) {
        at += 1;
    }
    at
}

/// The character of the escape `\uXXXX` at `at`, with the low half after it if it is a high
/// surrogate, and where it ends. Halves alone are U+FFFD, as Go has it.
pub(super) fn unicode(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = hex(bytes, at)?;
    if (0xd800..0xdc00).contains(&unit)
        && let Some(low @ 0xdc00..0xe000) = hex(bytes, at + 6)
    {
        let c = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10 | (low - 0xdc00)));
        return Some((c.unwrap_or(char::REPLACEMENT_CHARACTER), at + 12));
    }
    Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), at + 6))
}

pub(super) fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |v, &b| Some(v << 4 | char::from(b).to_digit(16)?))
}
