//! A type is one walk over its fields; it knows no format. Formats are [`Sink`]s and [`Source`]s.
//!
//! `#[derive(Message)]` writes the walk; the formats live in `farcall-wire`. Both ends are
//! object-safe: hot formats are monomorphised, cold ones go through `&mut dyn`.

use crate::{Complex, Fault, Field, Kind, Names, Next, Pack, Schema, Shape, Str, Timestamp, Why};
use bytes::Bytes;

/// Two words that live on the walker's stack and that only the format reads, so that formats need
/// no stack of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct At {
    /// First word.
    pub a: usize,
    /// Second word.
    pub b: usize,
}

/// What [`Source::field`] answers when the message is over.
pub const END: usize = usize::MAX;

/// What [`Source::part`] found in a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A key follows.
    Key,
    /// A value follows.
    Value,
    /// The entry is over: insert it.
    Entry,
    /// The map is over.
    End,
}

/// The parts of a complex number, where they are a list.
static PART: Shape = Shape::One(Kind::F64, Pack::Plain);
static PARTS: Shape = Shape::Array(&PART, 2);

/// Where a walk writes to. Infallible in shape: the first fault is kept and returned by the format
/// when it is finished.
pub trait Sink {
    /// A message begins. `None`: too deep, do not descend (the fault is noted).
    fn open(&mut self, schema: &'static Schema) -> Option<At>;
    /// May this field be written? The format decides what to leave out; when true, it has written
    /// the key and the value must follow.
    fn field(&mut self, at: &mut At, schema: &'static Schema, index: usize, empty: bool) -> bool;
    /// The message ends.
    fn close(&mut self, at: At);
    /// A list or array begins; `shape` is `Shape::List` or `Shape::Array`. `None`: do not descend.
    fn list(&mut self, shape: &'static Shape, len: usize) -> Option<At>;
    /// An item follows.
    fn item(&mut self, at: &mut At);
    /// The list ends.
    fn list_end(&mut self, at: At);
    /// A map begins; `shape` is `Shape::Map`. `None`: do not descend.
    fn map(&mut self, shape: &'static Shape, len: usize) -> Option<At>;
    /// A key follows, if true.
    fn key(&mut self, at: &mut At, key: &'static Shape, empty: bool) -> bool;
    /// A value follows, if true.
    fn value(&mut self, at: &mut At, value: &'static Shape, empty: bool) -> bool;
    /// The entry ends.
    fn entry_end(&mut self, at: &mut At);
    /// The map ends.
    fn map_end(&mut self, at: At);
    /// An absent value, where one is written at all.
    fn none(&mut self);
    /// A bool.
    fn bool(&mut self, v: bool);
    /// A signed integer.
    fn int(&mut self, v: i64, kind: Kind, pack: Pack);
    /// An unsigned integer.
    fn uint(&mut self, v: u64, kind: Kind, pack: Pack);
    /// A float.
    fn float(&mut self, v: f64, kind: Kind);
    /// Text.
    fn text(&mut self, v: &str);
    /// Bytes.
    fn bytes(&mut self, v: &[u8]);
    /// An array of bytes: like [`bytes`](Sink::bytes), except where Go tells `[N]byte` from
    /// `[]byte`.
    fn byte_array(&mut self, v: &[u8]) {
        self.bytes(v);
    }
    /// A named integer.
    fn choice(&mut self, v: i32, names: &'static Names);
    /// A point in time.
    fn time(&mut self, v: Timestamp);
    /// A length of time.
    fn span(&mut self, v: std::time::Duration);
    /// A complex number: a list of two floats, where the format has nothing of its own.
    fn complex(&mut self, v: Complex) {
        let Some(mut at) = self.list(&PARTS, 2) else { return };
        for part in [v.re, v.im] {
            self.item(&mut at);
            self.float(part, Kind::F64);
        }
        self.list_end(at);
    }
    /// Keeps the first fault.
    fn fail(&mut self, fault: Fault);
    /// Whether a fault was kept.
    fn failed(&self) -> bool;
}

/// Where a walk reads from.
pub trait Source {
    /// A message begins.
    fn open(&mut self, schema: &'static Schema) -> Result<At, Fault>;
    /// The index of the next field that the schema knows (unknown ones are skipped, and so are
    /// fields that are explicitly null); [`END`] when the message is over.
    fn field(&mut self, at: &mut At, schema: &'static Schema) -> Result<usize, Fault>;
    /// A list or array begins; `shape` is `Shape::List` or `Shape::Array`.
    fn list(&mut self, shape: &'static Shape) -> Result<At, Fault>;
    /// Whether one more item follows.
    fn item(&mut self, at: &mut At) -> Result<bool, Fault>;
    /// A map begins; `shape` is `Shape::Map`.
    fn map(&mut self, shape: &'static Shape) -> Result<At, Fault>;
    /// The next piece of the map.
    fn part(&mut self, at: &mut At) -> Result<Part, Fault>;
    /// Consumes an explicit null, if one is here.
    fn none(&mut self) -> Result<bool, Fault>;
    /// A bool.
    fn bool(&mut self) -> Result<bool, Fault>;
    /// A signed integer, checked to fit `kind`.
    fn int(&mut self, kind: Kind, pack: Pack) -> Result<i64, Fault>;
    /// An unsigned integer, checked to fit `kind`.
    fn uint(&mut self, kind: Kind, pack: Pack) -> Result<u64, Fault>;
    /// A float.
    fn float(&mut self, kind: Kind) -> Result<f64, Fault>;
    /// Text, lent from the frame or from a scratch buffer.
    fn text(&mut self) -> Result<&str, Fault>;
    /// Bytes, lent from the frame or from a scratch buffer.
    fn bytes(&mut self) -> Result<&[u8], Fault>;
    /// An array of bytes; the counterpart of [`Sink::byte_array`].
    fn byte_array(&mut self) -> Result<&[u8], Fault> {
        self.bytes()
    }
    /// A named integer, by number or by name. Numbers without a name pass when `names.open`.
    fn choice(&mut self, names: &'static Names) -> Result<i32, Fault>;
    /// A point in time.
    fn time(&mut self) -> Result<Timestamp, Fault>;
    /// A length of time.
    fn span(&mut self) -> Result<std::time::Duration, Fault>;
    /// A point in time that comes after `before` in the same field. Protobuf merges the two, which
    /// are messages there; elsewhere the later one replaces.
    fn time_after(&mut self, before: Timestamp) -> Result<Timestamp, Fault> {
        let _ = before;
        self.time()
    }
    /// A length of time that comes after `before` in the same field: see
    /// [`time_after`](Source::time_after).
    fn span_after(&mut self, before: std::time::Duration) -> Result<std::time::Duration, Fault> {
        let _ = before;
        self.span()
    }
    /// A complex number; the counterpart of [`Sink::complex`].
    fn complex(&mut self) -> Result<Complex, Fault> {
        if self.none()? {
            return Ok(Complex::default());
        }
        let mut at = self.list(&PARTS)?;
        let (mut parts, mut count) = ([0.0; 2], 0);
        while self.item(&mut at)? {
            count += 1;
            match parts.get_mut(count - 1) {
                Some(part) => *part = self.float(Kind::F64)?,
                None => break,
            }
        }
        if count != 2 {
            let got = "another number of items than two";
            return Err(Fault::new(Why::WrongType { want: Kind::Complex.name(), got }));
        }
        Ok(Complex { re: parts[0], im: parts[1] })
    }
    /// A complex number that comes after `before` in the same field: see
    /// [`time_after`](Source::time_after).
    fn complex_after(&mut self, before: Complex) -> Result<Complex, Fault> {
        let _ = before;
        self.complex()
    }
    /// What comes next, for [`Value`](crate::Value). Formats that do not describe themselves
    /// refuse.
    fn next(&mut self) -> Result<Next, Fault>;
    /// Text as a counted slice of the frame, where the format can share it.
    fn shared_text(&mut self) -> Result<Str, Fault> {
        Ok(Str::from(self.text()?))
    }
    /// Bytes as a counted slice of the frame, where the format can share it.
    fn shared_bytes(&mut self) -> Result<Bytes, Fault> {
        Ok(Bytes::copy_from_slice(self.bytes()?))
    }
    /// Whether one field may come in several pieces that add up (protobuf). Elsewhere a repeated
    /// field replaces what came before.
    fn merges(&self) -> bool {
        false
    }
    /// How many items may honestly be reserved for: never more than the bytes at hand could hold.
    fn room(&self, at: &At) -> usize {
        let _ = at;
        0
    }
    /// Charges memory that the body does not itself contain against `Limits::decoded_bytes`: items
    /// of lists, entries of maps, boxes. A body of one-byte items cannot unfold to gigabytes.
    fn spend(&mut self, bytes: usize) -> Result<(), Fault>;
}

/// A type with a shape.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a message: farcall does not know its shape",
    label = "not a type that farcall can carry",
    note = "add `#[derive(Message)]` to `{Self}`, or use a type that the formats know: integers up \
            to 64 bits, floats, bool, String, Vec, Option, arrays, maps, SystemTime, Duration"
)]
pub trait Shaped {
    /// The shape of one value.
    const SHAPE: Shape;
    /// The shape of a list of them. Bytes are the exception that this constant exists for.
    #[doc(hidden)]
    const LIST: Shape = Shape::List(&Self::SHAPE);
    /// A message of one field, number 1, that holds such a value: how protobuf carries bare
    /// scalars, lists and maps (the layout of `google.protobuf.Int64Value` and its siblings).
    #[doc(hidden)]
    const ROOT: &'static Schema = &Schema {
        name: "",
        fields: &[Field {
            number: 1,
            tag: 1 << 3 | Self::SHAPE.class(),
            name: "value",
            json: "value",
            go: "Value",
            json_key: "\"value\":",
            packed_key: b"\xa5value",
            shape: Self::SHAPE,
            omit_empty: false,
        }],
        dense: &[0, 1],
        sorted: (&[0], &[0]),
    };
}

/// A value that can be written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a message: farcall does not know how to write it",
    label = "not a type that farcall can carry",
    note = "add `#[derive(Message)]` to `{Self}`, or use a type that the formats know: integers up \
            to 64 bits, floats, bool, String, Vec, Option, arrays, maps, SystemTime, Duration"
)]
pub trait Put: Shaped {
    /// Whether formats may leave the field out.
    fn is_blank(&self) -> bool;
    /// Writes the value. `shape` is [`Shaped::SHAPE`] or a packed variant of it.
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S);
    /// Writes a list of such values; `shape` is the list's.
    #[doc(hidden)]
    fn put_list<S: Sink + ?Sized>(list: &[Self], shape: &'static Shape, to: &mut S)
    where
        Self: Sized,
    {
        let (Shape::List(item) | Shape::Array(item, _)) = *shape else { return };
        let Some(mut at) = to.list(shape, list.len()) else { return };
        for v in list {
            to.item(&mut at);
            v.put_to(item, to);
        }
        to.list_end(at);
    }
    /// Writes an array of such values; `shape` is the array's.
    #[doc(hidden)]
    fn put_array<S: Sink + ?Sized>(list: &[Self], shape: &'static Shape, to: &mut S)
    where
        Self: Sized,
    {
        Self::put_list(list, shape, to);
    }
}

/// A value that can be read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a message: farcall does not know how to read it",
    label = "not a type that farcall can read",
    note = "add `#[derive(Message)]` to `{Self}`; borrowed types such as `&str` can only be sent: \
            use `String`, `Str` or `Bytes` to receive"
)]
pub trait Take: Shaped + Sized {
    /// The value of an absent field: zero, empty, none.
    fn blank() -> Self;
    /// Reads into a value. `shape` is [`Shaped::SHAPE`] or a packed variant of it.
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault>;
    /// Reads a list of such values; `shape` is the list's.
    #[doc(hidden)]
    fn take_list<S: Source + ?Sized>(
        list: &mut Vec<Self>,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        let (Shape::List(item) | Shape::Array(item, _)) = *shape else { return Ok(()) };
        if !from.merges() {
            list.clear();
        }
        let mut at = from.list(shape)?;
        // A claimed count is only a hint: reserve for at most 4 KiB, then grow with what really
        // comes.
        list.reserve(from.room(&at).min(4096 / size_of::<Self>().max(1)));
        while from.item(&mut at)? {
            from.spend(size_of::<Self>())?;
            let mut v = Self::blank();
            match v.take_from(item, from) {
                Ok(()) => list.push(v),
                Err(fault) => return Err(fault.in_item(list.len())),
            }
        }
        Ok(())
    }
    /// Reads exactly `into.len()` such values; `shape` is the array's. Returns how many came.
    #[doc(hidden)]
    fn take_array<S: Source + ?Sized>(
        into: &mut [Self],
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<usize, Fault> {
        let Shape::Array(item, _) = *shape else { return Ok(0) };
        let mut at = from.list(shape)?;
        let mut count = 0;
        while from.item(&mut at)? {
            let Some(v) = into.get_mut(count) else { return Ok(count + 1) };
            if from.merges() {
                // Fields merge, the items of an array do not: what came before is replaced.
                *v = Self::blank();
            }
            if let Err(fault) = v.take_from(item, from) {
                return Err(fault.in_item(count));
            }
            count += 1;
        }
        Ok(count)
    }
}

/// A type with numbered, named fields. Implemented by `#[derive(Message)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a farcall message",
    note = "add `#[derive(Message)]` to it"
)]
pub trait Message: Put + Take {
    /// The table of its fields.
    const SCHEMA: &'static Schema;
    /// Walks the fields, writing.
    fn write<S: Sink + ?Sized>(&self, to: &mut S);
    /// Walks the fields, reading.
    fn read<S: Source + ?Sized>(&mut self, from: &mut S) -> Result<(), Fault>;
}

/// An enum with payloads whose variants are fields of the message around it (protobuf's `oneof`).
/// Implemented by `#[derive(Message)]` on such enums; used by `#[field(oneof)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a `oneof` field",
    note = "`#[field(oneof)]` is for `Option<E>` where `E` is an enum with `#[derive(Message)]` \
            whose variants hold one value each"
)]
pub trait OneOf: Sized {
    /// One field per variant.
    const FIELDS: &'static [Field];
    /// Writes the variant that is set. `base` is the index of the first variant in `schema`.
    fn put_one<S: Sink + ?Sized>(
        this: &Option<Self>,
        base: usize,
        schema: &'static Schema,
        at: &mut At,
        to: &mut S,
    );
    /// Reads the variant whose index, less the base, is `variant`.
    fn take_one<S: Source + ?Sized>(
        this: &mut Option<Self>,
        variant: usize,
        from: &mut S,
    ) -> Result<(), Fault>;
}
