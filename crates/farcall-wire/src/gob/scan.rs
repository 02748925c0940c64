//! The receiving end of a stream: messages in, whole values out.
//!
//! Mostly a message is a value, and it is lent as it came. Only a value that can hold an interface
//! may be split: Go puts the definition of a type it has not sent yet into the middle of the value,
//! ends the message there, and goes on in the next one (`encoder.go`, `sendType`; `decoder.go`,
//! `decodeTypeSequence`). Such values are walked as their messages come, each byte once, and
//! written anew without what was put in: definitions, and the byte counts of interfaces, which do
//! not say how long the value is once it was split. What lies inside an interface then reads: name,
//! type, value.

use super::Broken;
use super::fit::Plans;
use super::ints::Cursor;
use super::types::{BOOL, BYTES, COMPLEX, Def, FLOAT, INTERFACE, Most, TEXT, Types};
use bytes::{Bytes, BytesMut};
use farcall_core::{Body, Lent, Limits};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What a stream has said about its types; lent with every value of the stream. It only grows, so
/// that a value can be decoded while the stream goes on.
#[derive(Debug)]
pub(super) struct Peer {
    state: RwLock<Known>,
}

#[derive(Debug)]
pub(super) struct Known {
    pub(super) types: Types,
    pub(super) plans: Plans,
}

impl Peer {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiving end of one stream.
#[derive(Debug)]
pub struct Decoder {
    peer: Arc<Peer>,
    message_bytes: usize,
    depth: u32,
    /// Whether a value of this type is always one message; only what more definitions cannot
    /// change.
    plain: HashMap<i32, bool>,
    /// Values whose types were not all defined.
    holes: u32,
    part: Option<Part>,
    /// Types came, and the value that they came for has not.
    told: bool,
}

/// What [`Decoder::next`] found.
#[derive(Debug)]
pub enum Step {
    /// This many more bytes are needed, as far as can be told; at least 1 when something has begun.
    Need(usize),
    /// A whole value: its type and its bytes, and the types it was written with.
    Value(Body),
}

/// Values of types with holes: Go sends none. Each costs a walk through the types.
const MOST_HOLES: u32 = 64;

impl Decoder {
    /// A stream that begins.
    pub fn new(limits: &Limits) -> Decoder {
        let types = Types::new(Most::new(limits));
        let state = RwLock::new(Known { types, plans: Plans::default() });
        Decoder {
            peer: Arc::new(Peer { state }),
            message_bytes: limits.message_bytes,
            depth: limits.body_depth,
            plain: HashMap::new(),
            holes: 0,
            part: None,
            told: false,
        }
    }

    /// Whether what was taken off the input so far announces a value that has not come.
    pub fn midway(&self) -> bool {
        self.part.is_some() || self.told
    }

    /// Takes messages off the input until a value is whole.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Step, Broken> {
        loop {
            if input.is_empty() {
                return Ok(Step::Need(self.midway().into()));
            }
            let mut head = Cursor::new(input);
            let length = match head.uint() {
                Ok(length) => length,
                Err(super::ints::Bad::Cut) => return Ok(Step::Need(1)),
                Err(bad) => return Err(bad.into()),
            };
            if length == 0 {
                return Err(Broken::MessageEmpty);
            }
            if length > self.message_bytes as u64 {
                return Err(Broken::MessageLong { length, limit: self.message_bytes });
            }
            let (start, length) = (head.pos, length as usize);
            if head.left() < length {
                return Ok(Step::Need(length - head.left()));
            }
            let mut message = input.split_to(start + length);
            bytes::Buf::advance(&mut message, start);
            if let Some(body) = self.message(message)? {
                self.told = false;
                return Ok(Step::Value(body));
            }
        }
    }

    /// One message; a value, if it completes one.
    fn message(&mut self, message: BytesMut) -> Result<Option<Body>, Broken> {
        if let Some(mut part) = self.part.take() {
            return self.go_on(&mut part, &message).map(|whole| self.whole(part, whole));
        }
        let mut from = Cursor::new(&message);
        let id = from.int()?;
        if id < 0 {
            self.peer.write().types.define(id.saturating_neg(), &mut from)?;
            self.told = true;
            return if from.left() == 0 { Ok(None) } else { Err(Broken::Trailing) };
        }
        // What is no type at all is one message too: decoding it says so.
        let id = i32::try_from(id).unwrap_or(0);
        if self.is_plain(id)? {
            return Ok(Some(self.lend(message.freeze())));
        }
        let mut part =
            Part { kept: Vec::new(), stack: Vec::new(), depth: self.depth, at_type: false };
        let whole = {
            let peer = Arc::clone(&self.peer);
            let mut known = peer.write();
            part.kept.extend_from_slice(&message[..from.pos]);
            let mut walk =
                Walk { part: &mut part, from, kept_to: from.pos, types: &mut known.types };
            if !walk.types.is_struct(id) {
                walk.singleton()?;
            }
            walk.begin(id)?;
            walk.run()?
        };
        Ok(self.whole(part, whole))
    }

    fn go_on(&mut self, part: &mut Part, message: &[u8]) -> Result<bool, Broken> {
        if part.kept.len() + message.len() > self.message_bytes {
            return Err(Broken::ValueLong { limit: self.message_bytes });
        }
        let mut known = self.peer.write();
        let from = Cursor::new(message);
        Walk { part, from, kept_to: 0, types: &mut known.types }.run()
    }

    fn whole(&mut self, part: Part, whole: bool) -> Option<Body> {
        if whole {
            return Some(self.lend(part.kept.into()));
        }
        self.part = Some(part);
        None
    }

    fn lend(&self, bytes: Bytes) -> Body {
        let peer: Lent = Arc::clone(&self.peer) as Lent;
        Body { bytes, lent: Some(peer) }
    }

    /// Whether no interface can lie in a value of this type.
    fn is_plain(&mut self, id: i32) -> Result<bool, Broken> {
        if (BOOL..=COMPLEX).contains(&id) {
            return Ok(true);
        }
        if let Some(plain) = self.plain.get(&id) {
            return Ok(*plain);
        }
        let (mut plain, mut hole) = (true, false);
        {
            let known = self.peer.read();
            let (mut seen, mut left) = (std::collections::HashSet::new(), vec![id]);
            while let Some(id) = left.pop() {
                let mut to = |id: i32| {
                    if id > COMPLEX && seen.insert(id) {
                        left.push(id);
                    }
                };
                match known.types.get(id) {
                    Some(Def::Array { elem, .. } | Def::Slice { elem }) => to(*elem),
                    Some(Def::Map { key, value }) => {
                        to(*key);
                        to(*value);
                    }
                    Some(Def::Struct { fields }) => fields.iter().for_each(|f| to(f.id)),
                    Some(Def::Opaque { .. }) => {}
                    None if id == INTERFACE => {
                        plain = false;
                        break;
                    }
                    None => hole |= !known.types.has(id),
                }
            }
        }
        if plain && hole {
            self.holes += 1;
            if self.holes > MOST_HOLES {
                return Err(Broken::Undefined { id: id.into() });
            }
        } else {
            self.plain.insert(id, plain);
        }
        Ok(plain)
    }
}

/// A value of which more messages must come.
#[derive(Debug)]
struct Part {
    /// What was walked, without definitions and counts.
    kept: Vec<u8>,
    stack: Vec<Frame>,
    depth: u32,
    /// The name of an interface's type was read; definitions or the type come next.
    at_type: bool,
}

#[derive(Debug)]
enum Frame {
    Struct {
        id: i32,
        next: usize,
    },
    Items {
        id: i32,
        left: u64,
    },
    /// Keys and values in turn.
    Pairs {
        key: i32,
        value: i32,
        left: u64,
    },
}

/// The walk through one message of a value.
struct Walk<'w> {
    part: &'w mut Part,
    from: Cursor<'w>,
    /// Up to where the message was copied, or dropped.
    kept_to: usize,
    types: &'w mut Types,
}

impl Walk<'_> {
    fn keep(&mut self) {
        self.part.kept.extend_from_slice(&self.from.buf[self.kept_to..self.from.pos]);
        self.kept_to = self.from.pos;
    }

    /// Goes on until the value is whole (true) or the message is over.
    fn run(&mut self) -> Result<bool, Broken> {
        loop {
            if self.part.at_type {
                if self.from.left() == 0 {
                    self.keep();
                    return Ok(false);
                }
                self.typed()?;
                continue;
            }
            let next = match self.part.stack.last_mut() {
                None => {
                    self.keep();
                    return Ok(true);
                }
                Some(Frame::Struct { id, next }) => {
                    if self.from.left() == 0 {
                        // Go takes the end of the message for the end of the struct. Here it is
                        // written out.
                        self.keep();
                        self.part.kept.push(0);
                        self.part.stack.pop();
                        continue;
                    }
                    let delta = self.from.uint()?;
                    if delta == 0 {
                        self.part.stack.pop();
                        continue;
                    }
                    let Some(Def::Struct { fields }) = self.types.get(*id) else {
                        return Err(Broken::Field);
                    };
                    let after = usize::try_from(delta).ok().and_then(|d| next.checked_add(d));
                    let Some(field) = after.and_then(|after| fields.get(after - 1)) else {
                        return Err(Broken::Field);
                    };
                    *next = after.unwrap_or(0);
                    field.id
                }
                Some(Frame::Items { left: 0, .. } | Frame::Pairs { left: 0, .. }) => {
                    self.part.stack.pop();
                    continue;
                }
                Some(Frame::Items { id, left }) => {
                    *left -= 1;
                    *id
                }
                Some(Frame::Pairs { key, value, left }) => {
                    *left -= 1;
                    // An even count was whole pairs.
                    if *left % 2 == 1 { *key } else { *value }
                }
            };
            self.begin(next)?;
        }
    }

    /// The type of what an interface holds, or a definition on the way to it.
    fn typed(&mut self) -> Result<(), Broken> {
        self.keep();
        let id = self.from.int()?;
        if id < 0 {
            self.types.define(id.saturating_neg(), &mut self.from)?;
            if self.from.left() > 0 {
                // The byte count of what remains of the value in this message: Go
                // reads it and throws it away too (`decoder.go`, `decodeTypeSequence`).
                self.from.uint()?;
            }
            self.kept_to = self.from.pos;
            return Ok(());
        }
        let Ok(id) = i32::try_from(id) else { return Err(Broken::Undefined { id }) };
        self.keep();
        self.from.uint()?;
        self.kept_to = self.from.pos;
        self.part.at_type = false;
        if !self.types.is_struct(id) {
            self.singleton()?;
        }
        self.begin(id)
    }

    fn singleton(&mut self) -> Result<(), Broken> {
        if self.from.uint()? == 0 { Ok(()) } else { Err(Broken::Singleton) }
    }

    fn push(&mut self, frame: Frame) -> Result<(), Broken> {
        if self.part.stack.len() >= self.part.depth as usize {
            return Err(Broken::TooDeep { limit: self.part.depth });
        }
        self.part.stack.push(frame);
        Ok(())
    }

    /// Passes a value without parts, or the head of one that has some.
    fn begin(&mut self, id: i32) -> Result<(), Broken> {
        // Each value takes a byte at least, so that no count can make this loop for nothing.
        if self.from.left() == 0 {
            return Err(Broken::CutShort);
        }
        match id {
            BOOL..=FLOAT => drop(self.from.uint()?),
            BYTES | TEXT => drop(self.from.blob()?),
            COMPLEX => {
                self.from.uint()?;
                self.from.uint()?;
            }
            INTERFACE => {
                // An interface without a name is nil, and over.
                self.part.at_type = !self.types.most.name(&mut self.from)?.is_empty();
            }
            _ => match self.types.get(id) {
                Some(Def::Struct { .. }) => self.push(Frame::Struct { id, next: 0 })?,
                Some(Def::Slice { elem }) => {
                    let id = *elem;
                    let left = self.from.uint()?;
                    self.push(Frame::Items { id, left })?;
                }
                Some(Def::Array { elem, len }) => {
                    let (id, len) = (*elem, *len as u64);
                    let left = self.from.uint()?;
                    if left != len {
                        return Err(Broken::ArrayLength);
                    }
                    self.push(Frame::Items { id, left })?;
                }
                Some(Def::Map { key, value }) => {
                    let (key, value) = (*key, *value);
                    let Some(left) = self.from.uint()?.checked_mul(2) else {
                        return Err(Broken::CutShort);
                    };
                    self.push(Frame::Pairs { key, value, left })?;
                }
                Some(Def::Opaque { .. }) => drop(self.from.blob()?),
                None => return Err(Broken::Undefined { id: id.into() }),
            },
        }
        Ok(())
    }
}
