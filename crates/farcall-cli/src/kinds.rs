//! A message with a field of every kind that formats treat differently, laid out as the Go peer's.

use farcall::{Message, Timestamp};
use std::collections::HashMap;

/// A field of every kind. What it holds comes back from `Echo.Kinds`.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
#[allow(missing_docs, reason = "the names are the kinds")]
pub struct Kinds {
    pub bool: bool,
    #[field(name = "I8")]
    pub i8: i8,
    #[field(name = "I16")]
    pub i16: i16,
    #[field(name = "I32")]
    pub i32: i32,
    #[field(name = "I64")]
    pub i64: i64,
    #[field(name = "U8")]
    pub u8: u8,
    #[field(name = "U16")]
    pub u16: u16,
    #[field(name = "U32")]
    pub u32: u32,
    #[field(name = "U64")]
    pub u64: u64,
    #[field(name = "F32")]
    pub f32: f32,
    #[field(name = "F64")]
    pub f64: f64,
    pub text: String,
    pub blob: Vec<u8>,
    pub arr: [u8; 4],
    pub ints: Vec<i32>,
    pub names: Vec<String>,
    pub map: HashMap<String, i64>,
    #[field(name = "ByID")]
    pub by_id: HashMap<i32, Inner>,
    pub inner: Inner,
    pub ptr: Option<Box<Inner>>,
    pub kids: Vec<Inner>,
    pub at: Timestamp,
    /// Nanoseconds. Go's `time.Duration` is one number on the wire and may be negative, which
    /// Rust's may not.
    pub span: i64,
}

/// The message inside [`Kinds`].
#[derive(Message, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[message(go_names)]
pub struct Inner {
    /// A number.
    pub x: i64,
    /// A text.
    pub y: String,
}

impl Kinds {
    /// Something in every field.
    pub fn sample() -> Kinds {
        let inner = |x: i64, y: &str| Inner { x, y: y.to_owned() };
        Kinds {
            bool: true,
            i8: -8,
            i16: -300,
            i32: -70_000,
            i64: i64::MIN,
            u8: 8,
            u16: 300,
            u32: 70_000,
            u64: u64::MAX,
            f32: 1.5,
            f64: 0.1,
            text: "farcall \"quoted\" 许多往事".to_owned(),
            blob: vec![0, 1, 254, 255],
            arr: [1, 2, 3, 4],
            ints: vec![1, -1, 200, -70_000],
            names: vec![String::new(), "a".to_owned()],
            map: [("one".to_owned(), 1), (String::new(), -1)].into(),
            by_id: [(1, inner(1, "one")), (-1, inner(-1, "minus one"))].into(),
            inner: inner(7, "seven"),
            ptr: Some(Box::new(inner(8, "eight"))),
            kids: vec![inner(0, ""), inner(9, "nine")],
            at: Timestamp { seconds: 1_709_210_096, nanos: 789 },
            span: -90_000_000_000,
        }
    }
}
