//! Messages with a field of every kind.

use bytes::Bytes;
use farcall::{Complex, Marshal, Marshaled, Marshaler, Message, Str, Timestamp, Value};
use std::{collections::BTreeMap, time::Duration};

/// The argument of the recorded calls.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
pub struct Args {
    pub a: i64,
    pub b: i64,
}

/// A message in a message.
#[derive(Message, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[message(go_names)]
pub struct Inner {
    pub x: i64,
    pub y: String,
}

/// An enum that keeps numbers without a name.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    Red,
    Green,
    #[field(7)]
    Blue,
    #[message(other)]
    Other(i32),
}

/// An enum that does not.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    Off,
    On,
}

/// One of several.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum What {
    #[field(50)]
    Text(String),
    #[field(51, zigzag)]
    Number(i64),
    #[field(52)]
    Item(Inner),
}

/// A field of every kind; nested as deep as one likes.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
pub struct Kinds {
    pub bool: bool,
    pub i8: i8,
    #[field(fixed)]
    pub i16: i16,
    pub i32: i32,
    #[field(zigzag)]
    pub i64: i64,
    pub u8: u8,
    pub u16: u16,
    #[field(fixed)]
    pub u32: u32,
    pub u64: u64,
    pub f32: f32,
    pub f64: f64,
    pub text: String,
    pub blob: Vec<u8>,
    pub arr: [u8; 4],
    pub triple: [i32; 3],
    pub words: [String; 2],
    #[field(zigzag)]
    pub ints: Vec<i32>,
    #[field(fixed)]
    pub longs: Vec<i64>,
    pub flags: Vec<bool>,
    pub floats: Vec<f32>,
    pub names: Vec<String>,
    pub map: BTreeMap<String, i64>,
    pub by_id: BTreeMap<i32, Inner>,
    pub colours: BTreeMap<Colour, bool>,
    pub inner: Inner,
    pub ptr: Option<Box<Kinds>>,
    pub kids: Vec<Kinds>,
    pub maybe: Option<i32>,
    pub some_list: Option<Vec<i32>>,
    pub colour: Colour,
    pub switch: Switch,
    pub at: Timestamp,
    pub times: Vec<Timestamp>,
    pub lasts: Duration,
    pub str: Str,
    pub bytes: Bytes,
    #[field(omit_empty)]
    pub note: String,
    #[field(required)]
    pub must: u32,
    #[field(oneof)]
    pub what: Option<What>,
}

/// A message that holds anything, which only formats that describe themselves can read.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct Loose {
    pub any: Value,
    pub list: Vec<Value>,
    pub next: Option<Box<Loose>>,
}

/// Bytes that a type makes of itself: one that is odd, and then as many as it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Odd(u8);

impl Odd {
    /// The odd one that is this, or next.
    pub fn of(byte: u8) -> Odd {
        Odd(byte | 1)
    }
}

impl Default for Odd {
    fn default() -> Odd {
        Odd(1)
    }
}

impl Marshal for Odd {
    const NAME: &'static str = "Odd";
    const BY: Marshaler = Marshaler::Gob;

    fn marshal(&self) -> Result<Vec<u8>, String> {
        Ok(vec![self.0; usize::from(self.0)])
    }

    fn unmarshal(bytes: &[u8]) -> Result<Odd, String> {
        match bytes {
            [first, ..] if first % 2 == 1 && bytes == vec![*first; usize::from(*first)] => {
                Ok(Odd(*first))
            }
            _ => Err("not an odd one, as often as it says".to_owned()),
        }
    }
}

/// What Go has of its own.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
pub struct Own {
    pub c: Complex,
    pub cs: Vec<Complex>,
    pub odd: Marshaled<Odd>,
    pub odds: Vec<Marshaled<Odd>>,
    pub maybe: Option<Marshaled<Odd>>,
    pub by_inner: BTreeMap<Inner, String>,
    pub by_odd: BTreeMap<Marshaled<Odd>, Complex>,
    pub by_flag: BTreeMap<bool, Inner>,
    pub by_bytes: BTreeMap<[u8; 2], i32>,
}
