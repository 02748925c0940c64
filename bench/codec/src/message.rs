//! rpcx's `BenchmarkMessage`, three times: for farcall, for prost and for serde. Filled as rpcx's
//! own benchmark fills it: 581 bytes of protobuf.

use farcall_core::{END, Fault, Field, Message, Put, Schema, Shape, Shaped, Sink, Source, Take};

/// The name as a MessagePack string.
const fn packed<const N: usize>(name: &str) -> [u8; N] {
    let mut key = [0; N];
    key[0] = 0xa0 | name.len() as u8;
    let mut i = 0;
    while i < name.len() {
        key[i + 1] = name.as_bytes()[i];
        i += 1;
    }
    key
}

/// The shape of a field; a list of fixed-width integers has the inner shape nested.
macro_rules! shape_of {
    ($type:ty) => {
        <$type as Shaped>::SHAPE
    };
    ($type:ty, fixed) => {
        match <$type as Shaped>::SHAPE {
            Shape::List(_) => Shape::List(const { &<u64 as Shaped>::SHAPE.fixed() }),
            one => one.fixed(),
        }
    };
}

/// What `#[derive(Message)]` writes.
macro_rules! message {
    ($name:ident { $($number:literal $field:ident: $type:ty $(, $pack:ident)?;)* }) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }
        const _: () = {
            #[allow(non_camel_case_types)]
            enum Index { $($field),* }
            const FIELDS: &[Field] = &[$(Field::new(
                $number,
                stringify!($field),
                stringify!($field),
                stringify!($field),
                concat!("\"", stringify!($field), "\":"),
                const { &packed::<{ stringify!($field).len() + 1 }>(stringify!($field)) },
                shape_of!($type $(, $pack)?),
                false,
            )),*];
            const DENSE: [u8; farcall_core::tables::dense_len(FIELDS)] =
                farcall_core::tables::dense(FIELDS);
            const BY_JSON: [u16; FIELDS.len()] = farcall_core::tables::sorted(FIELDS, true);
            const BY_NAME: [u16; FIELDS.len()] = farcall_core::tables::sorted(FIELDS, false);
            static TABLE: Schema = Schema {
                name: stringify!($name),
                fields: FIELDS,
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
                    Self { $($field: Take::blank(),)* }
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
                        self.$field
                            .put_to(const { &FIELDS[Index::$field as usize].shape }, to);
                    })*
                    to.close(at);
                }
                fn read<S: Source + ?Sized>(&mut self, from: &mut S) -> Result<(), Fault> {
                    let mut at = from.open(&TABLE)?;
                    loop {
                        let index = from.field(&mut at, &TABLE)?;
                        $(if index == Index::$field as usize {
                            let shape = const { &FIELDS[Index::$field as usize].shape };
                            if let Err(fault) = self.$field.take_from(shape, from) {
                                return Err(fault.in_field(stringify!($field)));
                            }
                            continue;
                        })*
                        if index == END {
                            return Ok(());
                        }
                    }
                }
            }
        };
    };
}

message! { Bench {
    1 field1: String;
    2 field2: i32;
    3 field3: i32;
    4 field4: String;
    5 field5: Vec<u64>, fixed;
    6 field6: i32;
    7 field7: String;
    9 field9: String;
    12 field12: bool;
    13 field13: bool;
    14 field14: bool;
    16 field16: i32;
    17 field17: bool;
    18 field18: String;
    22 field22: i64;
    23 field23: i32;
    24 field24: bool;
    25 field25: i32;
    29 field29: i32;
    30 field30: bool;
    59 field59: bool;
    60 field60: i32;
    67 field67: i32;
    68 field68: i32;
    78 field78: bool;
    80 field80: bool;
    81 field81: bool;
    100 field100: i32;
    101 field101: i32;
    102 field102: String;
    103 field103: String;
    104 field104: i32;
    128 field128: i32;
    129 field129: String;
    130 field130: i32;
    131 field131: i32;
    150 field150: i32;
    271 field271: i32;
    272 field272: i32;
    280 field280: i32;
} }

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ProstBench {
    #[prost(string, tag = "1")]
    pub(crate) field1: String,
    #[prost(int32, tag = "2")]
    pub(crate) field2: i32,
    #[prost(int32, tag = "3")]
    pub(crate) field3: i32,
    #[prost(string, tag = "4")]
    pub(crate) field4: String,
    #[prost(fixed64, repeated, tag = "5")]
    pub(crate) field5: Vec<u64>,
    #[prost(int32, tag = "6")]
    pub(crate) field6: i32,
    #[prost(string, tag = "7")]
    pub(crate) field7: String,
    #[prost(string, tag = "9")]
    pub(crate) field9: String,
    #[prost(bool, tag = "12")]
    pub(crate) field12: bool,
    #[prost(bool, tag = "13")]
    pub(crate) field13: bool,
    #[prost(bool, tag = "14")]
    pub(crate) field14: bool,
    #[prost(int32, tag = "16")]
    pub(crate) field16: i32,
    #[prost(bool, tag = "17")]
    pub(crate) field17: bool,
    #[prost(string, tag = "18")]
    pub(crate) field18: String,
    #[prost(int64, tag = "22")]
    pub(crate) field22: i64,
    #[prost(int32, tag = "23")]
    pub(crate) field23: i32,
    #[prost(bool, tag = "24")]
    pub(crate) field24: bool,
    #[prost(int32, tag = "25")]
    pub(crate) field25: i32,
    #[prost(int32, tag = "29")]
    pub(crate) field29: i32,
    #[prost(bool, tag = "30")]
    pub(crate) field30: bool,
    #[prost(bool, tag = "59")]
    pub(crate) field59: bool,
    #[prost(int32, tag = "60")]
    pub(crate) field60: i32,
    #[prost(int32, tag = "67")]
    pub(crate) field67: i32,
    #[prost(int32, tag = "68")]
    pub(crate) field68: i32,
    #[prost(bool, tag = "78")]
    pub(crate) field78: bool,
    #[prost(bool, tag = "80")]
    pub(crate) field80: bool,
    #[prost(bool, tag = "81")]
    pub(crate) field81: bool,
    #[prost(int32, tag = "100")]
    pub(crate) field100: i32,
    #[prost(int32, tag = "101")]
    pub(crate) field101: i32,
    #[prost(string, tag = "102")]
    pub(crate) field102: String,
    #[prost(string, tag = "103")]
    pub(crate) field103: String,
    #[prost(int32, tag = "104")]
    pub(crate) field104: i32,
    #[prost(int32, tag = "128")]
    pub(crate) field128: i32,
    #[prost(string, tag = "129")]
    pub(crate) field129: String,
    #[prost(int32, tag = "130")]
    pub(crate) field130: i32,
    #[prost(int32, tag = "131")]
    pub(crate) field131: i32,
    #[prost(int32, tag = "150")]
    pub(crate) field150: i32,
    #[prost(int32, tag = "271")]
    pub(crate) field271: i32,
    #[prost(int32, tag = "272")]
    pub(crate) field272: i32,
    #[prost(int32, tag = "280")]
    pub(crate) field280: i32,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct SerdeBench {
    pub(crate) field1: String,
    pub(crate) field2: i32,
    pub(crate) field3: i32,
    pub(crate) field4: String,
    pub(crate) field5: Vec<u64>,
    pub(crate) field6: i32,
    pub(crate) field7: String,
    pub(crate) field9: String,
    pub(crate) field12: bool,
    pub(crate) field13: bool,
    pub(crate) field14: bool,
    pub(crate) field16: i32,
    pub(crate) field17: bool,
    pub(crate) field18: String,
    pub(crate) field22: i64,
    pub(crate) field23: i32,
    pub(crate) field24: bool,
    pub(crate) field25: i32,
    pub(crate) field29: i32,
    pub(crate) field30: bool,
    pub(crate) field59: bool,
    pub(crate) field60: i32,
    pub(crate) field67: i32,
    pub(crate) field68: i32,
    pub(crate) field78: bool,
    pub(crate) field80: bool,
    pub(crate) field81: bool,
    pub(crate) field100: i32,
    pub(crate) field101: i32,
    pub(crate) field102: String,
    pub(crate) field103: String,
    pub(crate) field104: i32,
    pub(crate) field128: i32,
    pub(crate) field129: String,
    pub(crate) field130: i32,
    pub(crate) field131: i32,
    pub(crate) field150: i32,
    pub(crate) field271: i32,
    pub(crate) field272: i32,
    pub(crate) field280: i32,
}

const TEXT: &str = "许多往事在眼前一幕一幕，变的那麼模糊";

macro_rules! fill {
    ($message:expr) => {{
        let mut m = $message;
        m.field1 = TEXT.into();
        m.field9 = TEXT.into();
        m.field18 = TEXT.into();
        m.field80 = true;
        m.field81 = true;
        m.field2 = 100_000;
        m.field3 = 100_000;
        m.field280 = 100_000;
        m.field6 = 100_000;
        m.field22 = 100_000;
        m.field4 = TEXT.into();
        m.field59 = true;
        m.field7 = TEXT.into();
        m.field16 = 100_000;
        m.field130 = 100_000;
        m.field12 = true;
        m.field17 = true;
        m.field13 = true;
        m.field14 = true;
        m.field104 = 100_000;
        m.field100 = 100_000;
        m.field101 = 100_000;
        m.field102 = TEXT.into();
        m.field103 = TEXT.into();
        m.field29 = 100_000;
        m.field30 = true;
        m.field60 = 100_000;
        m.field271 = 100_000;
        m.field272 = 100_000;
        m.field150 = 100_000;
        m.field23 = 100_000;
        m.field24 = true;
        m.field25 = 100_000;
        m.field78 = true;
        m.field67 = 100_000;
        m.field68 = 100_000;
        m.field128 = 100_000;
        m.field129 = TEXT.into();
        m.field131 = 100_000;
        m
    }};
}

pub(crate) fn ours() -> Bench {
    fill!(Bench::blank())
}

#[allow(clippy::field_reassign_with_default)]
pub(crate) fn for_prost() -> ProstBench {
    fill!(ProstBench::default())
}

#[allow(clippy::field_reassign_with_default)]
pub(crate) fn for_serde() -> SerdeBench {
    fill!(SerdeBench::default())
}
