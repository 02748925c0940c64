//! Where a JSON value ends, found in one pass that can stop anywhere.
//!
//! The stream has no frames: values follow each other, with white space between them or without.
//! The scanner is the grammar of RFC 8259 as a state machine over bytes. It looks at every byte
//! once, however the bytes are cut, and on its way notes where the members of the envelope lie, so
//! that what is a body is read only once more: by whoever decodes it.

use super::{Broken, envelope::Envelope, envelope::Member};
use crate::format::json::plain_until;
use farcall_core::Limits;

/// A scan of the value at the front of the input.
pub(super) struct Scan {
    /// How many bytes were looked at.
    at: usize,
    want: Want,
    /// The lists and objects that are open, outermost first, by their opening bracket.
    open: Vec<u8>,
    /// How many of them there are around the members of an envelope: 1, or 2 inside of a batch.
    level: usize,
    /// Where the key or the value at that level begins.
    mark: usize,
    /// The text at hand is a key, and whether it has escapes.
    key: bool,
    escaped: bool,
    /// The member whose value comes next.
    member: Option<Member>,
    /// The envelope at hand, those before it in a batch, and how many there were.
    now: Envelope,
    members: Vec<Envelope>,
    count: usize,
    bounds: Bounds,
}

#[derive(Clone, Copy)]
struct Bounds {
    message_bytes: usize,
    body_depth: u32,
    batch_calls: usize,
}

/// A value that is complete.
pub(super) enum Cut {
    /// An object, or null.
    One(Envelope),
    /// An array: its members up to `Limits::batch_calls`, and how many there are.
    Batch(Vec<Envelope>, usize),
}

/// What may come next.
#[derive(Clone, Copy)]
enum Want {
    Value,
    /// A value, or the end of the list.
    Item,
    Key,
    /// A key, or the end of the object.
    FirstKey,
    Colon,
    /// A comma, or the end of the list or object.
    Comma,
    /// The rest of a text.
    Text,
    Escape,
    /// So many hexadecimal digits.
    Hex(u8),
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    Number(Number),
}

/// What of a number was seen last.
#[derive(Clone, Copy)]
enum Number {
    Minus,
    Zero,
    Whole,
    Dot,
    Fraction,
    E,
    Sign,
    Power,
}

impl Scan {
    /// Offsets in envelopes have 32 bits, and so no message is longer. Whoever writes one holds it
    /// against the limit when its body is there, and closes the envelope after that.
    pub(super) fn new(limits: &Limits) -> Scan {
        let bounds = Bounds {
            message_bytes: limits.message_bytes.saturating_add(CLOSING).min(u32::MAX as usize),
            body_depth: limits.body_depth,
            batch_calls: limits.batch_calls,
        };
        Scan::within(bounds)
    }

    fn within(bounds: Bounds) -> Scan {
        Scan {
            at: 0,
            want: Want::Value,
            open: Vec::new(),
            level: 0,
            mark: 0,
            key: false,
            escaped: false,
            member: None,
            now: Envelope::default(),
            members: Vec::new(),
            count: 0,
            bounds,
        }
    }

    /// Whether no value has begun: white space may be dropped.
    pub(super) fn fresh(&self) -> bool {
        self.at == 0
    }

    /// Goes on where the last run stopped; `input` begins with the same bytes. The length of the
    /// value at the front and what it is, once it is complete; then the next run is the next
    /// value's.
    pub(super) fn run(&mut self, input: &[u8]) -> Result<Option<(usize, Cut)>, Broken> {
        let most = self.bounds.message_bytes;
        // Nothing beyond the limit is looked at, or what is wrong there would be said of messages
        // that come at once, and of others that they are long.
        if !self.walk(&input[..input.len().min(most)])? {
            let limit = most - CLOSING;
            return if input.len() > most { Err(Broken::MessageLong { limit }) } else { Ok(None) };
        }
        let open = std::mem::take(&mut self.open);
        let done = std::mem::replace(self, Scan { open, ..Scan::within(self.bounds) });
        let cut = match done.level {
            2 => Cut::Batch(done.members, done.count),
            _ => Cut::One(done.now),
        };
        Ok(Some((done.at, cut)))
    }

    /// True when the value is complete.
    fn walk(&mut self, input: &[u8]) -> Result<bool, Broken> {
        while let Some(&byte) = input.get(self.at) {
            let over = match self.want {
                Want::Text => {
                    self.at = plain_until(input, self.at);
                    match input.get(self.at) {
                        None => break,
                        Some(b'"') => {
                            self.at += 1;
                            self.text_ended(input)
                        }
                        Some(b'\\') => {
                            self.escaped = true;
                            self.pass(Want::Escape)
                        }
                        Some(_) => {
                            return self.wrong("control characters in text must be escaped");
                        }
                    }
                }
                Want::Escape => match byte {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.pass(Want::Text),
                    b'u' => self.pass(Want::Hex(4)),
                    _ => return self.wrong("there is no such escape"),
                },
                Want::Hex(left) => match byte.is_ascii_hexdigit() {
                    true if left > 1 => self.pass(Want::Hex(left - 1)),
                    true => self.pass(Want::Text),
                    false => return self.wrong("four hexadecimal digits follow \\u"),
                },
                Want::Word(rest) => match rest.split_first() {
                    Some((&next, rest)) if next == byte => {
                        self.at += 1;
                        self.want = Want::Word(rest);
                        rest.is_empty() && self.ended()
                    }
                    _ => return self.wrong("the only words are true, false and null"),
                },
                Want::Number(seen) => match seen.step(byte) {
                    Step::Seen(now) => self.pass(Want::Number(now)),
                    Step::Over => self.ended(),
                    Step::Wrong => return self.wrong("a number is malformed"),
                },
                _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => self.pass(self.want),
                Want::Item if byte == b']' => self.close(),
                Want::Value | Want::Item => self.begin(byte)?,
                Want::FirstKey if byte == b'}' => self.close(),
                Want::Key | Want::FirstKey if byte == b'"' => {
                    if self.open.len() == self.level {
                        self.mark = self.at;
                    }
                    (self.key, self.escaped) = (true, false);
                    self.pass(Want::Text)
                }
                Want::Key | Want::FirstKey => return self.wrong("keys are text in quotes"),
                Want::Colon if byte == b':' => self.pass(Want::Value),
                Want::Colon => return self.wrong("a colon follows the key"),
                Want::Comma => match (byte, self.open.last()) {
                    (b',', Some(b'{')) => self.pass(Want::Key),
                    (b',', _) => self.pass(Want::Value),
                    (b'}', Some(b'{')) | (b']', Some(b'[')) => self.close(),
                    _ => {
                        return self.wrong("a comma or the end of a list or object was expected");
                    }
                },
            };
            if over {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Passes over one byte.
    #[inline(always)]
    fn pass(&mut self, want: Want) -> bool {
        self.at += 1;
        self.want = want;
        false
    }

    #[cold]
    fn wrong<T>(&self, rule: &'static str) -> Result<T, Broken> {
        Err(Broken::Syntax { at: self.at, rule })
    }

    /// A value begins.
    #[inline]
    fn begin(&mut self, byte: u8) -> Result<bool, Broken> {
        let depth = self.open.len();
        if depth == self.level {
            self.mark = self.at;
        }
        if depth == 0 {
            self.level = match byte {
                b'[' => 2,
                b'{' | b'n' => 1,
                b'"' | b'-' | b'0'..=b'9' | b't' | b'f' => return Err(Broken::Scalar),
                _ => return self.wrong("a value was expected"),
            };
        }
        if depth + 1 == self.level {
            self.now = Envelope::new(byte);
        }
        let want = match byte {
            b'{' | b'[' => {
                // Around a body there are at most a batch, its envelope, and the list of params.
                if depth >= self.bounds.body_depth as usize + 3 {
                    return Err(Broken::TooDeep { limit: self.bounds.body_depth });
                }
                self.open.push(byte);
                if byte == b'{' { Want::FirstKey } else { Want::Item }
            }
            b'"' => {
                self.key = false;
                Want::Text
            }
            b't' => Want::Word(b"rue"),
            b'f' => Want::Word(b"alse"),
            b'n' => Want::Word(b"ull"),
            b'-' => Want::Number(Number::Minus),
            b'0' => Want::Number(Number::Zero),
            b'1'..=b'9' => Want::Number(Number::Whole),
            _ => return self.wrong("a value was expected"),
        };
        Ok(self.pass(want))
    }

    /// The bracket at hand closes a list or an object.
    #[inline]
    fn close(&mut self) -> bool {
        self.at += 1;
        self.open.pop();
        self.ended()
    }

    #[inline]
    fn text_ended(&mut self, input: &[u8]) -> bool {
        if !self.key {
            return self.ended();
        }
        if self.open.len() == self.level {
            self.member = Member::of(&input[self.mark..self.at], self.escaped);
        }
        self.want = Want::Colon;
        false
    }

    /// A value has ended just before `at`; true if it was the outermost.
    #[inline]
    fn ended(&mut self) -> bool {
        self.want = Want::Comma;
        let depth = self.open.len();
        if depth == self.level {
            if let Some(member) = self.member.take() {
                self.now.put(member, self.mark, self.at);
            }
        } else if depth == 1 {
            // One of a batch.
            self.count += 1;
            if self.members.len() < self.bounds.batch_calls {
                self.members.push(self.now);
            }
        }
        depth == 0
    }
}

/// More than our own ends write after a body.
const CLOSING: usize = 64;

enum Step {
    /// The byte belongs to the number.
    Seen(Number),
    /// The number ended before it.
    Over,
    Wrong,
}

impl Number {
    /// The grammar of RFC 8259 §6.
    #[inline]
    fn step(self, byte: u8) -> Step {
        Step::Seen(match (self, byte) {
            (Number::Minus, b'0') => Number::Zero,
            (Number::Minus | Number::Whole, b'0'..=b'9') => Number::Whole,
            (Number::Zero | Number::Whole, b'.') => Number::Dot,
            (Number::Dot | Number::Fraction, b'0'..=b'9') => Number::Fraction,
            (Number::Zero | Number::Whole | Number::Fraction, b'e' | b'E') => Number::E,
            (Number::E, b'+' | b'-') => Number::Sign,
            (Number::E | Number::Sign | Number::Power, b'0'..=b'9') => Number::Power,
            (Number::Zero, b'0'..=b'9') => return Step::Wrong,
            (Number::Zero | Number::Whole | Number::Fraction | Number::Power, _) => {
                return Step::Over;
            }
            _ => return Step::Wrong,
        })
    }
}
