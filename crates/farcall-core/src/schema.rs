//! The constant table behind every message type: numbers, names and shapes of its fields.
//!
//! `#[derive(Message)]` emits one [`Schema`] per type. Formats read it; nobody builds one at run
//! time in the hot path. Tools that must (a `.proto` read at start-up) intern and leak their
//! schemas, so that `&'static Schema` holds everywhere.

/// What a scalar is. Widths matter to formats that keep them (Thrift, MessagePack in Go).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `bool`
    Bool,
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// `i32`
    I32,
    /// `i64`, `isize`
    I64,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`, `usize`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `String`, `Str`
    Text,
    /// `Vec<u8>`, `Bytes`
    Bytes,
    /// A point in time: `Timestamp`, `SystemTime`
    Time,
    /// A length of time: `Duration`
    Span,
    /// A complex number: `Complex`
    Complex,
}

impl Kind {
    /// Whether it is an integer.
    const fn whole(self) -> bool {
        matches!(
            self,
            Kind::I8
                | Kind::I16
                | Kind::I32
                | Kind::I64
                | Kind::U8
                | Kind::U16
                | Kind::U32
                | Kind::U64
        )
    }

    /// The name people know it by, for error texts.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::I8 => "i8",
            Kind::I16 => "i16",
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::U8 => "u8",
            Kind::U16 => "u16",
            Kind::U32 => "u32",
            Kind::U64 => "u64",
            Kind::F32 => "f32",
            Kind::F64 => "f64",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
            Kind::Time => "a timestamp",
            Kind::Span => "a duration",
            Kind::Complex => "a complex number",
        }
    }
}

/// How an integer prefers to travel in protobuf (`intN`, `sintN`, `fixedN`); formats without the
/// notion ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Pack {
    /// `int32`, `uint64`, …
    Plain,
    /// `sint32`, `sint64`
    Zigzag,
    /// `fixed32`, `sfixed64`, …
    Fixed,
}

/// The shape of a value: what a reader or a writer meets there.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A scalar.
    One(Kind, Pack),
    /// A named integer.
    Enum(&'static Names),
    /// Bytes that a type makes of itself: [`Marshaled`](crate::Marshaled).
    Marshaled(&'static crate::Marshals),
    /// A message. A function, because recursive types would otherwise be a cycle of constants.
    Message(fn() -> &'static Schema),
    /// A value that may be absent.
    Maybe(&'static Shape),
    /// Any number of values.
    List(&'static Shape),
    /// Exactly so many values.
    Array(&'static Shape, usize),
    /// Keys and values.
    Map(&'static Shape, &'static Shape),
    /// A value that describes itself: [`Value`](crate::Value).
    Any,
}

const NOT_PACKED: &str = "`zigzag` and `fixed` are for integers, and containers of integers";

impl Shape {
    /// The same integer, or container of integers, packed as protobuf's `sintN`.
    pub const fn zigzag(self) -> Shape {
        self.packed(Pack::Zigzag)
    }

    /// The same integer, or container of integers, packed as protobuf's `fixedN` or `sfixedN`.
    pub const fn fixed(self) -> Shape {
        self.packed(Pack::Fixed)
    }

    const fn packed(self, pack: Pack) -> Shape {
        match self {
            Shape::One(kind, _) if kind.whole() => Shape::One(kind, pack),
            Shape::List(item) => Shape::List(item.packed_inner(pack)),
            Shape::Array(item, len) => Shape::Array(item.packed_inner(pack), len),
            Shape::Maybe(inner) => Shape::Maybe(inner.packed_inner(pack)),
            // Of a map, whichever of the two is an integer.
            Shape::Map(key, value) => match (key.has_integer(), value.has_integer()) {
                (true, true) => Shape::Map(key.packed_inner(pack), value.packed_inner(pack)),
                (true, false) => Shape::Map(key.packed_inner(pack), value),
                (false, _) => Shape::Map(key, value.packed_inner(pack)),
            },
            _ => panic!("{}", NOT_PACKED),
        }
    }

    const fn has_integer(&self) -> bool {
        match self {
            Shape::One(kind, _) => kind.whole(),
            Shape::List(inner) | Shape::Array(inner, _) | Shape::Maybe(inner) => {
                inner.has_integer()
            }
            _ => false,
        }
    }

    /// A constant expression cannot lend what it has just computed, so the shapes that may be lent
    /// are spelled out: integers, and lists and options of integers.
    const fn packed_inner(&self, pack: Pack) -> &'static Shape {
        macro_rules! spelled_out {
            ($kind:expr, $pack:expr, |$one:ident| $shape:expr) => {
                spelled_out!($kind, $pack, |$one| $shape; I8 I16 I32 I64 U8 U16 U32 U64)
            };
            ($kind:expr, $pack:expr, |$one:ident| $shape:expr; $($name:ident)*) => {
                match ($kind, $pack) {
                    $((Kind::$name, Pack::Fixed) => {
                        const $one: Shape = Shape::One(Kind::$name, Pack::Fixed);
                        const { &$shape }
                    })*
                    $((Kind::$name, _) => {
                        const $one: Shape = Shape::One(Kind::$name, Pack::Zigzag);
                        const { &$shape }
                    })*
                    _ => panic!("{}", NOT_PACKED),
                }
            };
        }
        match self {
            Shape::One(kind, _) => spelled_out!(*kind, pack, |ONE| ONE),
            Shape::List(Shape::One(kind, _)) => spelled_out!(*kind, pack, |ONE| Shape::List(&ONE)),
            Shape::Maybe(Shape::One(kind, _)) => {
                spelled_out!(*kind, pack, |ONE| Shape::Maybe(&ONE))
            }
            _ => panic!("{}", NOT_PACKED),
        }
    }

    /// The protobuf wire type: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes
    /// (protobuf encoding guide, "Message structure").
    pub const fn class(&self) -> u32 {
        match self {
            Shape::One(Kind::F32, _)
            | Shape::One(
                Kind::I8 | Kind::I16 | Kind::I32 | Kind::U8 | Kind::U16 | Kind::U32,
                Pack::Fixed,
            ) => 5,
            Shape::One(Kind::F64, _) | Shape::One(Kind::I64 | Kind::U64, Pack::Fixed) => 1,
            Shape::One(Kind::Text | Kind::Bytes | Kind::Time | Kind::Span | Kind::Complex, _) => 2,
            Shape::One(..) | Shape::Enum(_) => 0,
            Shape::Marshaled(_) => 2,
            Shape::Maybe(inner) => inner.class(),
            Shape::Message(_) | Shape::List(_) | Shape::Array(..) | Shape::Map(..) => 2,
            Shape::Any => 2,
        }
    }

    /// Whether protobuf packs a list of these: numbers, bools and enums.
    #[inline(always)]
    pub const fn scalar(&self) -> bool {
        match self {
            Shape::One(kind, _) => {
                !matches!(kind, Kind::Text | Kind::Bytes | Kind::Time | Kind::Span | Kind::Complex)
            }
            Shape::Enum(_) => true,
            _ => false,
        }
    }

    /// What it is, for error texts.
    pub const fn name(&self) -> &'static str {
        match self {
            Shape::One(kind, _) => kind.name(),
            Shape::Enum(names) => names.name,
            Shape::Marshaled(marshals) => marshals.name,
            Shape::Message(_) => "a message",
            Shape::Maybe(inner) => inner.name(),
            Shape::List(_) => "a list",
            Shape::Array(..) => "an array",
            Shape::Map(..) => "a map",
            Shape::Any => "a dynamic value",
        }
    }
}

/// The names of an enum's numbers.
#[derive(Debug)]
pub struct Names {
    /// The enum's name.
    pub name: &'static str,
    /// Number and name, in order of declaration.
    pub values: &'static [(i32, &'static str)],
    /// Whether the type keeps numbers that have no name here (a variant marked
    /// `#[message(other)]`).
    pub open: bool,
}

impl Names {
    /// The name of a number.
    pub fn name_of(&self, number: i32) -> Option<&'static str> {
        self.values.iter().find(|v| v.0 == number).map(|v| v.1)
    }

    /// The number of a name.
    pub fn number_of(&self, name: &str) -> Option<i32> {
        self.values.iter().find(|v| v.1 == name).map(|v| v.0)
    }
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The number protobuf and Thrift use.
    pub number: u32,
    /// The protobuf key: `number << 3 | class`.
    pub tag: u32,
    /// The name on the wire for formats that go by name.
    pub name: &'static str,
    /// The name in JSON.
    pub json: &'static str,
    /// The exported Go name, for gob.
    pub go: &'static str,
    /// `"json":`, ready to be copied. Names hold nothing that JSON would escape.
    pub json_key: &'static str,
    /// The name as a MessagePack string, header included, ready to be copied.
    pub packed_key: &'static [u8],
    /// What it holds.
    pub shape: Shape,
    /// Left out when empty, also by formats that write every field (Go's `omitempty`).
    pub omit_empty: bool,
}

impl Field {
    /// A field whose key texts were made by the derive.
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments)]
    pub const fn new(
        number: u32,
        name: &'static str,
        json: &'static str,
        go: &'static str,
        json_key: &'static str,
        packed_key: &'static [u8],
        shape: Shape,
        omit_empty: bool,
    ) -> Field {
        let tag = number << 3 | shape.class();
        Field { number, tag, name, json, go, json_key, packed_key, shape, omit_empty }
    }
}

/// A message type: its name and fields, and the tables to find a field by number or name.
#[derive(Debug)]
pub struct Schema {
    /// The type's name.
    pub name: &'static str,
    /// Fields in the order they are written: by number.
    pub fields: &'static [Field],
    /// Field number to index + 1, for numbers below its length; 0: no such field.
    pub dense: &'static [u8],
    /// Field indices sorted by `json` name, and the same by `name`; empty: look through `fields`.
    pub sorted: (&'static [u16], &'static [u16]),
}

impl Schema {
    /// The index of the field with this number.
    #[inline]
    pub fn by_number(&self, number: u32) -> Option<usize> {
        match self.dense.get(number as usize) {
            Some(0) => None,
            Some(&index) => Some(index as usize - 1),
            None => self.fields.iter().position(|f| f.number == number),
        }
    }

    /// The index of the field with this JSON name; exactly first, then without regard to ASCII
    /// case, as Go's `encoding/json` matches.
    pub fn by_json(&self, name: &[u8]) -> Option<usize> {
        self.lookup(self.sorted.0, name, |f| f.json).or_else(|| {
            self.fields.iter().position(|f| f.json.as_bytes().eq_ignore_ascii_case(name))
        })
    }

    /// The index of the field with this wire name, case-sensitive.
    pub fn by_name(&self, name: &[u8]) -> Option<usize> {
        self.lookup(self.sorted.1, name, |f| f.name)
    }

    fn lookup(&self, sorted: &[u16], name: &[u8], of: fn(&Field) -> &str) -> Option<usize> {
        if sorted.len() != self.fields.len() {
            return self.fields.iter().position(|f| of(f).as_bytes() == name);
        }
        let found = sorted.binary_search_by(|&i| of(&self.fields[i as usize]).as_bytes().cmp(name));
        found.ok().map(|at| sorted[at] as usize)
    }
}

/// The length of the table [`dense`] makes: the highest field number below 1,024, plus one. Zero
/// for messages of 255 fields and more, whose indices do not fit a byte.
pub const fn dense_len(fields: &[Field]) -> usize {
    let mut len = 0;
    let mut i = 0;
    while i < fields.len() {
        let number = fields[i].number as usize;
        if number >= len && number < 1024 {
            len = number + 1;
        }
        i += 1;
    }
    if fields.len() < 255 { len } else { 0 }
}

/// Field number to index + 1.
pub const fn dense<const N: usize>(fields: &[Field]) -> [u8; N] {
    let mut table = [0; N];
    let mut i = 0;
    while i < fields.len() && N > 0 {
        let number = fields[i].number as usize;
        if number < N {
            assert!(table[number] == 0, "two fields of this message have the same number");
            table[number] = i as u8 + 1;
        }
        i += 1;
    }
    table
}

/// Field indices sorted by JSON name, or by wire name.
pub const fn sorted<const N: usize>(fields: &[Field], by_json: bool) -> [u16; N] {
    let mut table = [0u16; N];
    let mut i = 0;
    while i < N {
        table[i] = i as u16;
        let mut j = i;
        while j > 0 && less(fields, table[j] as usize, table[j - 1] as usize, by_json) {
            let swapped = table[j];
            table[j] = table[j - 1];
            table[j - 1] = swapped;
            j -= 1;
        }
        i += 1;
    }
    table
}

const fn less(fields: &[Field], left: usize, right: usize, by_json: bool) -> bool {
    let (left, right) = if by_json {
        (fields[left].json.as_bytes(), fields[right].json.as_bytes())
    } else {
        (fields[left].name.as_bytes(), fields[right].name.as_bytes())
    };
    let mut i = 0;
    while i < left.len() && i < right.len() {
        if left[i] != right[i] {
            return left[i] < right[i];
        }
        i += 1;
    }
    left.len() < right.len()
}

/// The field tables of a message and of its `oneof`s in one; what is left of it is padding.
pub const fn flatten<const N: usize>(parts: &[&[Field]]) -> [Field; N] {
    const NONE: Field =
        Field::new(1, "", "", "", "", b"", Shape::One(Kind::Bool, Pack::Plain), false);
    let mut table = [NONE; N];
    let (mut part, mut len) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            assert!(len < N, "the `oneof`s of a generic message hold at most 128 variants");
            table[len] = parts[part][i];
            let mut j = 0;
            while j < len {
                assert!(
                    table[j].number != table[len].number,
                    "two fields have the same number: the variants of a `oneof` are fields of the \
                     message around it"
                );
                assert!(
                    !same(table[j].name, table[len].name) && !same(table[j].json, table[len].json),
                    "two fields have the same name: the variants of a `oneof` are fields of the \
                     message around it"
                );
                j += 1;
            }
            len += 1;
            i += 1;
        }
        part += 1;
    }
    table
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut i = 0;
    while i < left.len() && i < right.len() && left[i] == right[i] {
        i += 1;
    }
    i == left.len() && i == right.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_reaches_into_containers() {
        const ONE: Shape = Shape::One(Kind::I64, Pack::Plain);
        const TEXT: Shape = Shape::One(Kind::Text, Pack::Plain);
        let shown = |shape: Shape| format!("{shape:?}");
        assert_eq!(shown(ONE.zigzag()), "One(I64, Zigzag)");
        assert_eq!(shown(Shape::List(&ONE).fixed()), "List(One(I64, Fixed))");
        assert_eq!(shown(Shape::Array(&ONE, 3).zigzag()), "Array(One(I64, Zigzag), 3)");
        const LIST: Shape = Shape::List(&ONE);
        assert_eq!(shown(Shape::Maybe(&LIST).zigzag()), "Maybe(List(One(I64, Zigzag)))");
        assert_eq!(shown(Shape::Map(&ONE, &ONE).fixed()), "Map(One(I64, Fixed), One(I64, Fixed))");
        assert_eq!(
            shown(Shape::Map(&TEXT, &ONE).fixed()),
            "Map(One(Text, Plain), One(I64, Fixed))"
        );
        assert_eq!(
            shown(Shape::Map(&ONE, &TEXT).fixed()),
            "Map(One(I64, Fixed), One(Text, Plain))"
        );
    }

    #[test]
    #[should_panic = "for integers"]
    fn text_is_not_packed() {
        let _ = Shape::One(Kind::Text, Pack::Plain).fixed();
    }
}
