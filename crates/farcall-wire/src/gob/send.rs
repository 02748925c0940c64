//! The sending end of a stream: which types the peer was told, and under which numbers.
//!
//! Numbers are given in the order in which Go gives them, and definitions are sent in the order in
//! which Go sends them, so that the same types make the same bytes: a struct takes its number
//! before its fields, a slice, array or map after what it holds; the outer definition is sent
//! first, and all come before the value, also those that an interface may need. Only structs are
//! told their names.

use super::fit;
use super::ints::{Bad, Cursor, close, open, put_int};
use super::types::{self, Def, Describe, FieldDef, describe};
use farcall_core::{Kind, Marshaler, Marshals, Schema, Shape};
use std::collections::HashMap;

/// What an interface of ours may hold beside scalars: `time.Time`, `[]interface {}` and
/// `map[string]interface {}`. Their numbers are fixed, so that a value can be written before the
/// stream it goes to is known, and out of the way of those that are counted.
pub(super) const ANY_TIME: i32 = 32_765;
pub(super) const ANY_LIST: i32 = 32_766;
pub(super) const ANY_MAP: i32 = 32_767;

/// `time.Time`.
const TIME: Marshals = Marshals { name: "Time", by: Marshaler::Gob };

/// Go's first number until 1.20; later versions begin one lower, and take any.
const FIRST: i32 = 65;

/// Types of dynamic values that are kept in mind, so that they are told once.
const KEPT_TYPES: usize = 4096;

/// The sending end of one stream.
#[derive(Debug)]
pub struct Encoder {
    ids: HashMap<Key, i32>,
    next: i32,
    /// Numbers that were given and not yet defined.
    untold: Vec<i32>,
    /// What was added since the last [`commit`](Encoder::commit), to be taken back, and the number
    /// it began with.
    added: Vec<Key>,
    began: i32,
}

/// A type of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// By the address of its table.
    Schema(usize),
    Fields(Box<[(Box<str>, i32)]>),
    Slice(i32),
    Array(i32, usize),
    Map(i32, i32),
    Marshals(Marshals),
    Fixed(i32),
}

/// An open message.
#[derive(Debug)]
#[must_use = "a message that was begun must be ended, or its stream rolled back"]
pub struct Open {
    /// Where its length is, or where the value that describes itself begins.
    at: usize,
    dynamic: bool,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// A stream that begins.
    pub fn new() -> Encoder {
        let (untold, added) = (Vec::new(), Vec::new());
        Encoder { ids: HashMap::new(), next: FIRST, untold, added, began: FIRST }
    }

    /// Opens a message for a value of this shape: the definitions that the peer lacks, then the
    /// head of the message. The value follows, as [`encode`](super::encode) writes it.
    #[inline]
    pub fn begin(&mut self, shape: &'static Shape, out: &mut Vec<u8>) -> Open {
        if dynamic(shape) {
            return Open { at: out.len(), dynamic: true };
        }
        let id = self.id(shape);
        if !self.untold.is_empty() {
            self.tell(shape, out);
        }
        let at = open(out);
        put_int(out, id.into());
        if !is_struct(shape) {
            out.push(0);
        }
        Open { at, dynamic: false }
    }

    /// Closes the message.
    #[inline]
    pub fn end(&mut self, open: Open, out: &mut Vec<u8>) {
        if open.dynamic {
            self.join(open.at, out);
        } else {
            close(out, open.at);
        }
    }

    /// What was written since the last time will be sent: the peer knows its types.
    #[inline]
    pub fn commit(&mut self) {
        self.added.clear();
        self.began = self.next;
    }

    /// What was written since [`commit`](Encoder::commit) will not be sent.
    pub fn roll_back(&mut self) {
        for key in self.added.drain(..) {
            self.ids.remove(&key);
        }
        self.untold.clear();
        self.next = self.began;
    }

    /// The number of a type, known or new.
    fn id(&mut self, shape: &'static Shape) -> i32 {
        let key = match shape {
            Shape::One(Kind::Time, _) => Key::Marshals(TIME),
            Shape::One(kind, _) => return fit::scalar(*kind),
            Shape::Enum(_) => return types::INT,
            Shape::Marshaled(marshals) => Key::Marshals(**marshals),
            Shape::Maybe(inner) => return self.id(inner),
            Shape::List(item) => Key::Slice(self.id(item)),
            Shape::Array(item, len) => Key::Array(self.id(item), *len),
            Shape::Map(key, value) => Key::Map(self.id(key), self.id(value)),
            Shape::Message(schema) => {
                let schema = schema();
                let key = schema_key(schema);
                if let Some(id) = self.ids.get(&key) {
                    return *id;
                }
                let id = self.add(key);
                for field in schema.fields {
                    self.id(&field.shape);
                }
                return id;
            }
            Shape::Any => {
                for id in [ANY_TIME, ANY_LIST, ANY_MAP] {
                    if !self.ids.contains_key(&Key::Fixed(id)) {
                        self.keep(Key::Fixed(id), id);
                    }
                }
                return types::INTERFACE;
            }
        };
        match self.ids.get(&key) {
            Some(id) => *id,
            None => self.add(key),
        }
    }

    fn add(&mut self, key: Key) -> i32 {
        let id = self.next;
        // Past the fixed ones, which takes a program of thirty thousand types.
        self.next = if id + 1 == ANY_TIME { ANY_MAP + 1 } else { id.saturating_add(1) };
        self.keep(key, id);
        id
    }

    fn keep(&mut self, key: Key, id: i32) {
        self.ids.insert(key.clone(), id);
        self.added.push(key);
        self.untold.push(id);
    }

    /// Defines the types in a shape that the peer was not told: the outer one first.
    #[cold]
    fn tell(&mut self, shape: &'static Shape, out: &mut Vec<u8>) {
        match shape {
            Shape::Maybe(inner) => self.tell(inner, out),
            Shape::One(Kind::Time, _) => {
                let id = self.id(shape);
                self.tell_one(id, &Describe::Marshals(TIME), out);
            }
            Shape::One(..) | Shape::Enum(_) => {}
            Shape::Marshaled(marshals) => {
                let id = self.id(shape);
                self.tell_one(id, &Describe::Marshals(**marshals), out);
            }
            Shape::List(item) => {
                let (id, elem) = (self.id(shape), self.id(item));
                self.tell_one(id, &Describe::Slice(elem), out);
                self.tell(item, out);
            }
            Shape::Array(item, len) => {
                let (id, elem) = (self.id(shape), self.id(item));
                self.tell_one(id, &Describe::Array(elem, *len), out);
                self.tell(item, out);
            }
            Shape::Map(key, value) => {
                let (id, key_id, value_id) = (self.id(shape), self.id(key), self.id(value));
                self.tell_one(id, &Describe::Map(key_id, value_id), out);
                self.tell(key, out);
                self.tell(value, out);
            }
            Shape::Message(schema) => {
                let (id, schema) = (self.id(shape), schema());
                let fields: Vec<_> =
                    schema.fields.iter().map(|f| (f.go, self.id(&f.shape))).collect();
                if self.tell_one(id, &Describe::Struct(schema.name, &fields), out) {
                    schema.fields.iter().for_each(|f| self.tell(&f.shape, out));
                }
            }
            Shape::Any => {
                self.tell_one(ANY_TIME, &Describe::Marshals(TIME), out);
                self.tell_one(ANY_LIST, &Describe::Slice(types::INTERFACE), out);
                self.tell_one(ANY_MAP, &Describe::Map(types::TEXT, types::INTERFACE), out);
            }
        }
    }

    fn tell_one(&mut self, id: i32, what: &Describe<'_>, out: &mut Vec<u8>) -> bool {
        let Some(at) = self.untold.iter().position(|untold| *untold == id) else { return false };
        self.untold.swap_remove(at);
        let message = open(out);
        put_int(out, -i64::from(id));
        describe(out, id, what);
        close(out, message);
        true
    }

    /// The number of a type that is made of types which the peer knows.
    fn known(&mut self, key: Key, what: &Describe<'_>, out: &mut Vec<u8>) -> i32 {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = if self.ids.len() < KEPT_TYPES {
            self.add(key)
        } else {
            // Each value of a new type, without end: they are defined and forgotten.
            let id = self.next;
            self.next = id.saturating_add(1);
            self.untold.push(id);
            id
        };
        self.tell_one(id, what, out);
        id
    }

    pub(super) fn slice(&mut self, elem: i32, out: &mut Vec<u8>) -> i32 {
        self.known(Key::Slice(elem), &Describe::Slice(elem), out)
    }

    pub(super) fn map(&mut self, key: i32, value: i32, out: &mut Vec<u8>) -> i32 {
        self.known(Key::Map(key, value), &Describe::Map(key, value), out)
    }

    pub(super) fn time(&mut self, out: &mut Vec<u8>) -> i32 {
        self.known(Key::Marshals(TIME), &Describe::Marshals(TIME), out)
    }

    pub(super) fn fields(&mut self, fields: &[(&str, i32)], out: &mut Vec<u8>) -> i32 {
        let key = fields.iter().map(|(name, id)| (Box::from(*name), *id)).collect();
        self.known(Key::Fields(key), &Describe::Struct("", fields), out)
    }

    /// A value that describes itself, at the end of `out`, becomes part of this stream: its types
    /// get the numbers that they have here. See `dynamic::write`, which wrote it.
    #[cold]
    fn join(&mut self, at: usize, out: &mut Vec<u8>) {
        let alone = out.split_off(at);
        if self.adopt(&alone, out).is_err() {
            // Nothing that `dynamic::write` writes comes here. If it did, the peer would be told.
            out.truncate(at);
        }
    }

    fn adopt(&mut self, alone: &[u8], out: &mut Vec<u8>) -> Result<(), Bad> {
        let mut messages = Cursor::new(alone);
        let mut here: HashMap<i32, i32> = HashMap::new();
        loop {
            let message = messages.blob()?;
            let mut from = Cursor::new(message);
            let id = from.int()? as i32;
            let to = |id: &i32| here.get(id).copied().unwrap_or(*id);
            if id > 0 {
                let message = open(out);
                put_int(out, to(&id).into());
                out.extend_from_slice(&from.buf[from.pos..]);
                close(out, message);
                return Ok(());
            }
            let mapped =
                match types::definition(&mut from, &types::Most::OURS).map_err(|_| Bad::Cut)? {
                    Def::Slice { elem } => self.slice(to(&elem), out),
                    Def::Map { key, value } => self.map(to(&key), to(&value), out),
                    Def::Struct { fields } => {
                        let fields: Vec<_> =
                            fields.iter().map(|FieldDef { name, id }| (&**name, to(id))).collect();
                        self.fields(&fields, out)
                    }
                    Def::Opaque { .. } => self.time(out),
                    Def::Array { .. } => return Err(Bad::Cut),
                };
            here.insert(-id, mapped);
        }
    }
}

fn schema_key(schema: &'static Schema) -> Key {
    Key::Schema(std::ptr::from_ref(schema).addr())
}

/// Whether a value of this shape is known by its type only once it is there.
pub(super) fn dynamic(shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Maybe(inner) => dynamic(inner),
        _ => false,
    }
}

fn is_struct(shape: &Shape) -> bool {
    match shape {
        Shape::Message(_) => true,
        Shape::Maybe(inner) => is_struct(inner),
        _ => false,
    }
}
