//! Messages of the tests, written out as the derive would write them, and the macros that do so for
//! other tests.

use farcall_core::{
    At, END, Fault, Field, Message, Names, OneOf, Put, Schema, Shape, Shaped, Sink, Source, Str,
    Take, Timestamp, Value, tables,
};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The name as a MessagePack string of fewer than 32 bytes.
pub(crate) const fn packed<const N: usize>(name: &str) -> [u8; N] {
    let mut key = [0; N];
    key[0] = 0xa0 | name.len() as u8;
    let mut i = 0;
    while i < name.len() {
        key[i + 1] = name.as_bytes()[i];
        i += 1;
    }
    key
}

/// A field: number, name, shape, whether it is left out when empty.
macro_rules! field {
    ($number:literal, $name:expr, $shape:expr, $omit:expr) => {
        Field::new(
            $number,
            $name,
            $name,
            $name,
            concat!("\"", $name, "\":"),
            const { &packed::<{ $name.len() + 1 }>($name) },
            $shape,
            $omit,
        )
    };
}

macro_rules! omit {
    () => {
        false
    };
    (omit) => {
        true
    };
}

macro_rules! message {
    ($name:ident {
        $($number:literal $text:literal $field:ident: $type:ty $([$shape:expr])?
            $(, $omit:ident)?;)*
        $(oneof $of:ident: $one:ty;)?
    }) => {
        #[derive(Clone, Debug, PartialEq)]
        pub(super) struct $name { $(pub(super) $field: $type,)* $(pub(super) $of: Option<$one>,)? }
        const _: () = {
            #[allow(non_camel_case_types, dead_code)]
            enum Index { $($field,)* Count }
            const OWN: &[Field] = &[$(field!(
                $number,
                $text,
                message!(@shape $type $(, $shape)?),
                omit!($($omit)?)
            )),*];
            const MORE: &[Field] = {
                let none: &[Field] = &[];
                $(let none = { let _ = none; <$one as OneOf>::FIELDS };)?
                none
            };
            const FIELDS: [Field; OWN.len() + MORE.len()] = tables::flatten(&[OWN, MORE]);
            const DENSE: [u8; tables::dense_len(&FIELDS)] = tables::dense(&FIELDS);
            const BY_JSON: [u16; FIELDS.len()] = tables::sorted(&FIELDS, true);
            const BY_NAME: [u16; FIELDS.len()] = tables::sorted(&FIELDS, false);
            static TABLE: Schema = Schema {
                name: stringify!($name),
                fields: &FIELDS,
                dense: &DENSE,
                sorted: (&BY_JSON, &BY_NAME),
            };
            impl Shaped for $name {
                const SHAPE: Shape = Shape::Message(|| &TABLE);
            }
            impl Put for $name {
                fn is_blank(&self) -> bool {
                    false
                }
                fn put_to<S: Sink + ?Sized>(&self, _: &'static Shape, to: &mut S) {
                    self.write(to);
                }
            }
            impl Take for $name {
                fn blank() -> Self {
                    Self { $($field: Take::blank(),)* $($of: None::<$one>,)? }
                }
                fn take_from<S: Source + ?Sized>(
                    &mut self,
                    _: &'static Shape,
                    from: &mut S,
                ) -> Result<(), Fault> {
                    self.read(from)
                }
            }
            impl Message for $name {
                const SCHEMA: &'static Schema = &TABLE;
                fn write<S: Sink + ?Sized>(&self, to: &mut S) {
                    let Some(mut at) = to.open(&TABLE) else { return };
                    $(if to.field(&mut at, &TABLE, Index::$field as usize, self.$field.is_blank()) {
                        self.$field.put_to(const { &OWN[Index::$field as usize].shape }, to);
                    })*
                    $(<$one as OneOf>::put_one(
                        &self.$of, Index::Count as usize, &TABLE, &mut at, to,
                    );)?
                    to.close(at);
                }
                fn read<S: Source + ?Sized>(&mut self, from: &mut S) -> Result<(), Fault> {
                    let mut at = from.open(&TABLE)?;
                    loop {
                        let index = from.field(&mut at, &TABLE)?;
                        $(if index == Index::$field as usize {
                            let shape = const { &OWN[Index::$field as usize].shape };
                            if let Err(fault) = self.$field.take_from(shape, from) {
                                return Err(fault.in_field($text));
                            }
                            continue;
                        })*
                        if index == END {
                            return Ok(());
                        }
                        $(<$one as OneOf>::take_one(
                            &mut self.$of, index - Index::Count as usize, from,
                        ).map_err(|fault| fault.in_field(TABLE.fields[index].name))?;)?
                    }
                }
            }
        };
    };
    (@shape $type:ty) => { <$type as Shaped>::SHAPE };
    (@shape $type:ty, $shape:expr) => { $shape };
}

macro_rules! one_of {
    ($name:ident { $($number:literal $text:literal $variant:ident($type:ty);)* }) => {
        #[derive(Clone, Debug, PartialEq)]
        pub(super) enum $name { $($variant($type)),* }
        const _: () = {
            enum Index { $($variant),* }
            impl OneOf for $name {
                const FIELDS: &'static [Field] =
                    &[$(field!($number, $text, Shape::Maybe(&<$type as Shaped>::SHAPE), true)),*];
                fn put_one<S: Sink + ?Sized>(
                    this: &Option<Self>,
                    base: usize,
                    schema: &'static Schema,
                    at: &mut At,
                    to: &mut S,
                ) {
                    $(if let Some($name::$variant(v)) = this
                        && to.field(at, schema, base + Index::$variant as usize, false)
                    {
                        v.put_to(const { &<$type as Shaped>::SHAPE }, to);
                    })*
                }
                fn take_one<S: Source + ?Sized>(
                    this: &mut Option<Self>,
                    variant: usize,
                    from: &mut S,
                ) -> Result<(), Fault> {
                    $(if variant == Index::$variant as usize {
                        if from.none()? {
                            return Ok(());
                        }
                        if !matches!(this, Some($name::$variant(_))) {
                            *this = Some($name::$variant(Take::blank()));
                        }
                        if let Some($name::$variant(v)) = this {
                            v.take_from(const { &<$type as Shaped>::SHAPE }, from)?;
                        }
                    })*
                    Ok(())
                }
            }
        };
    };
}

macro_rules! choice {
    ($name:ident { $($variant:ident = $number:literal,)* } $($other:ident)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum $name { $($variant,)* $($other(i32),)? }
        const _: () = {
            static NAMES: Names = Names {
                name: stringify!($name),
                values: &[$(($number, stringify!($variant))),*],
                open: choice!(@open $($other)?),
            };
            impl $name {
                fn number(self) -> i32 {
                    match self {
                        $($name::$variant => $number,)*
                        $($name::$other(number) => number,)?
                    }
                }
            }
            impl Shaped for $name {
                const SHAPE: Shape = Shape::Enum(&NAMES);
            }
            impl Put for $name {
                fn is_blank(&self) -> bool {
                    self.number() == 0
                }
                fn put_to<S: Sink + ?Sized>(&self, _: &'static Shape, to: &mut S) {
                    to.choice(self.number(), &NAMES);
                }
            }
            impl Take for $name {
                #[allow(unreachable_code)]
                fn blank() -> Self {
                    $(return $name::$variant;)*
                }
                fn take_from<S: Source + ?Sized>(
                    &mut self,
                    _: &'static Shape,
                    from: &mut S,
                ) -> Result<(), Fault> {
                    let number = from.choice(&NAMES)?;
                    $(if number == $number {
                        *self = $name::$variant;
                        return Ok(());
                    })*
                    $(*self = $name::$other(number);)?
                    Ok(())
                }
            }
        };
    };
    (@open) => { false };
    (@open $other:ident) => { true };
}

pub(crate) use {choice, field, message, omit};

choice! { Colour { Red = 0, Green = 1, Blue = 7, } Other }
choice! { Switch { Off = 0, On = 1, } }

one_of! { What {
    20 "text" Text(String);
    21 "number" Number(i64);
    22 "item" Item(Item);
} }

message! { Item {
    1 "name" name: String;
    2 "price" price: i32;
} }

message! { Order {
    1 "items" items: Vec<Item>;
    2 "rate" rate: f64;
    oneof what: What;
} }

message! { Tree {
    1 "children" children: Vec<Tree>;
} }

message! { Deep {
    1 "inner" inner: Option<Box<Deep>>;
} }

message! { Everything {
    1 "name" name: String;
    2 "left" left: Option<Box<Everything>>;
    3 "kids" kids: Vec<Everything>;
    4 "counts" counts: BTreeMap<String, i64>;
    5 "raw" raw: Vec<u8>;
    6 "colour" colour: Colour;
    7 "maybe" maybe: Option<i32>;
    8 "nums" nums: Vec<i32>;
    9 "zig" zig: i64 [<i64 as Shaped>::SHAPE.zigzag()];
    10 "fix" fix: u32 [<u32 as Shaped>::SHAPE.fixed()];
    11 "rate" rate: f64;
    12 "names" names: Vec<String>;
    13 "on" on: bool, omit;
    14 "one_item" item: Option<Item>;
    15 "by_id" by_id: HashMap<i32, Item>;
    16 "ratio" ratio: f32;
    17 "colours" colours: Vec<Colour>;
    30 "i8" i8: i8;
    31 "i16" i16: i16 [<i16 as Shaped>::SHAPE.fixed()];
    32 "i64" i64: i64;
    33 "u8" u8: u8;
    34 "u16" u16: u16;
    35 "u64" u64: u64;
    36 "zigs" zigs: Vec<i32> [Shape::List(const { &<i32 as Shaped>::SHAPE.zigzag() })];
    37 "fixes" fixes: Vec<i64> [Shape::List(const { &<i64 as Shaped>::SHAPE.fixed() })];
    38 "hash" hash: [u8; 4];
    39 "triple" triple: [i32; 3];
    40 "words" words: [String; 2];
    41 "when" when: Timestamp;
    42 "lasts" lasts: Duration;
    43 "times" times: Vec<Timestamp>;
    44 "str" str: Str;
    45 "bytes" bytes: bytes::Bytes;
    46 "colour_of" colour_of: BTreeMap<Colour, bool>;
    47 "flags" flags: Vec<bool>;
    48 "floats" floats: Vec<f32>;
    49 "some_list" some_list: Option<Vec<i32>>;
    50 "note" note: String, omit;
    2000 "far" far: i32;
    oneof what: What;
} }

message! { GoLarge {
    1 "I" int: i64;
    2 "I8" i8: i8;
    3 "I16" i16: i16;
    4 "I32" i32: i32;
    5 "I64" i64: i64;
    6 "U" uint: u64;
    7 "U8" u8: u8;
    8 "U16" u16: u16;
    9 "U32" u32: u32;
    10 "U64" u64: u64;
    11 "F32" f32: f32;
    12 "F64" f64: f64;
    13 "S" text: String;
    14 "By" bytes: Vec<u8>;
    15 "Arr" array: [u8; 3];
    16 "Sl" list: Vec<i32>;
    17 "Nil" nil: Vec<i32>;
    18 "M" map: BTreeMap<String, String>;
    19 "P" pointer: Option<i32>;
    20 "T" time: Timestamp;
    21 "D" span: Duration;
    22 "Any" any: Value;
    23 "J" json: i32;
    24 "kkk" tagged: i32;
    25 "X" embedded: i8;
    26 "B" bool: bool;
} }

pub(super) const WHEN: Timestamp = Timestamp { seconds: 1_700_000_000, nanos: 5 };

/// A chain of so many messages.
pub(super) fn deep(levels: usize) -> Deep {
    let innermost = Deep { inner: None };
    (1..levels).fold(innermost, |deep, _| Deep { inner: Some(Box::new(deep)) })
}

/// Every kind of field, filled; nested so deep.
pub(super) fn everything(depth: u8) -> Everything {
    let text = "许多往事在眼前一幕一幕，变的那麼模糊";
    Everything {
        name: format!("n{depth} \"quoted\" <&> \u{2028} \n {text}"),
        left: (depth > 0).then(|| Box::new(everything(depth - 1))),
        kids: (0..depth).map(|i| everything(i / 2)).collect(),
        counts: [("a".into(), -1), (String::new(), 0), ("z".repeat(200), i64::MAX)].into(),
        raw: vec![0, 255, 3, 4],
        colour: if depth == 1 { Colour::Other(99) } else { Colour::Blue },
        maybe: Some(0),
        nums: vec![0, -1, 1 << 30, 127, 128],
        zig: -5,
        fix: 7,
        rate: -2.5e-9,
        names: vec!["x".into(), String::new()],
        on: true,
        item: Some(Item { name: String::new(), price: -3 }),
        by_id: [(0, Item::blank()), (-4, Item { name: "y".into(), price: 9 })].into(),
        ratio: 0.1,
        colours: vec![Colour::Green, Colour::Red, Colour::Other(-1)],
        what: match depth {
            0 => None,
            1 => Some(What::Text("hi".into())),
            2 => Some(What::Number(0)),
            _ => Some(What::Item(Item { name: "z".into(), price: 0 })),
        },
        i8: i8::MIN,
        i16: i16::MIN,
        i64: i64::MIN,
        u8: u8::MAX,
        u16: u16::MAX,
        u64: u64::MAX,
        zigs: vec![i32::MIN, -1, 0, i32::MAX],
        fixes: vec![i64::MIN, -1],
        hash: [1, 0, 255, 2],
        triple: [0, -1, i32::MAX],
        words: ["first".into(), String::new()],
        when: WHEN,
        lasts: Duration::new(3, 7),
        times: vec![
            Timestamp { seconds: -1, nanos: 999_999_999 },
            Timestamp::default(),
            Timestamp { seconds: 1 << 33, nanos: 0 },
            Timestamp { seconds: 1 << 33, nanos: 1 },
            Timestamp::GO_ZERO,
        ],
        str: "s".repeat(300).as_str().into(),
        bytes: vec![9; 300].into(),
        colour_of: [(Colour::Red, true), (Colour::Blue, false)].into(),
        flags: vec![true, false],
        floats: vec![0.0, -0.0, f32::MAX],
        some_list: Some(vec![]),
        note: String::new(),
        far: -7,
    }
}
