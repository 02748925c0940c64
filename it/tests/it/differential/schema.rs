//! One schema three times: for farcall, for prost (`Pb…`), and for serde (`Sd…`).
//!
//! Every kind of field the derive offers is here. The twins are spelled out by hand, one line per
//! field: `field: farcall's type => #[prost(…)] prost's type, serde's type`.

use super::{
    leaves::{Blob, Four, PbSpan, Time},
    values::Twin,
};
use bytes::Bytes;
use farcall::{Message, Str, Timestamp};
use farcall_it::dice::{Dice, Random};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

macro_rules! message {
    ($ours:ident $pb:ident $sd:ident { $(
        $(#[$attr:meta])* $field:ident: $type:ty => #[$prost:meta] $pb_type:ty, $sd_type:ty;
    )* }) => {
        message! { $ours $sd { $($(#[$attr])* $field: $type => $sd_type;)* } }

        #[derive(prost::Message, Clone, PartialEq)]
        pub(super) struct $pb { $(#[$prost] pub(super) $field: $pb_type,)* }

        impl Twin<$pb> for $ours {
            fn twin(&self) -> $pb {
                $pb { $($field: self.$field.twin(),)* }
            }
        }
    };
    ($ours:ident $sd:ident { $(
        $(#[$attr:meta])* $field:ident: $type:ty => $sd_type:ty;
    )* }) => {
        #[derive(Message, Clone, PartialEq, Debug)]
        pub(super) struct $ours { $($(#[$attr])* pub(super) $field: $type,)* }

        #[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
        pub(super) struct $sd { $(pub(super) $field: $sd_type,)* }

        impl Random for $ours {
            const LARGE_LISTS: bool = false;

            fn random(dice: &mut Dice) -> $ours {
                dice.message(|dice| $ours { $($field: Random::random(dice),)* })
            }
        }

        impl Twin<$sd> for $ours {
            fn twin(&self) -> $sd {
                $sd { $($field: self.$field.twin(),)* }
            }
        }
    };
}

/// Refuses numbers it has no name for.
#[derive(Message, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Colour {
    Red,
    Green = 5,
    Blue = -1,
}

/// Keeps them.
#[derive(Message, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Mood {
    Calm,
    #[field(200)]
    Wild,
    #[message(other)]
    Other(i32),
}

impl Random for Colour {
    fn random(dice: &mut Dice) -> Colour {
        dice.pick(&[Colour::Red, Colour::Green, Colour::Blue])
    }
}

impl Random for Mood {
    fn random(dice: &mut Dice) -> Mood {
        match i32::random(dice) {
            0 => Mood::Calm,
            n @ 1..=99 | n @ 201.. => Mood::Other(n),
            n if n < 0 => Mood::Other(n),
            _ => Mood::Wild,
        }
    }
}

message! { Inner PbInner SdInner {
    x: i64 => #[prost(int64, tag = "1")] i64, i64;
    y: String => #[prost(string, tag = "2")] String, String;
}}

impl Twin<PbInner> for Box<Inner> {
    fn twin(&self) -> PbInner {
        (**self).twin()
    }
}

message! { Numbers PbNumbers SdNumbers {
    flag: bool => #[prost(bool, tag = "1")] bool, bool;
    i8_: i8 => #[prost(int32, tag = "2")] i32, i8;
    i16_: i16 => #[prost(int32, tag = "3")] i32, i16;
    i32_: i32 => #[prost(int32, tag = "4")] i32, i32;
    i64_: i64 => #[prost(int64, tag = "5")] i64, i64;
    isize_: isize => #[prost(int64, tag = "6")] i64, i64;
    u8_: u8 => #[prost(uint32, tag = "7")] u32, u8;
    u16_: u16 => #[prost(uint32, tag = "8")] u32, u16;
    u32_: u32 => #[prost(uint32, tag = "9")] u32, u32;
    u64_: u64 => #[prost(uint64, tag = "10")] u64, u64;
    usize_: usize => #[prost(uint64, tag = "11")] u64, u64;
    #[field(zigzag)]
    z8: i8 => #[prost(sint32, tag = "12")] i32, i8;
    #[field(zigzag)]
    z16: i16 => #[prost(sint32, tag = "13")] i32, i16;
    #[field(zigzag)]
    z32: i32 => #[prost(sint32, tag = "14")] i32, i32;
    // From here on the key has two bytes.
    #[field(zigzag)]
    z64: i64 => #[prost(sint64, tag = "15")] i64, i64;
    #[field(16, fixed)]
    f8: u8 => #[prost(fixed32, tag = "16")] u32, u8;
    #[field(fixed)]
    f16: i16 => #[prost(sfixed32, tag = "17")] i32, i16;
    #[field(fixed)]
    f32_: u32 => #[prost(fixed32, tag = "18")] u32, u32;
    #[field(fixed)]
    s32: i32 => #[prost(sfixed32, tag = "19")] i32, i32;
    #[field(fixed)]
    f64_: u64 => #[prost(fixed64, tag = "20")] u64, u64;
    #[field(fixed)]
    s64: i64 => #[prost(sfixed64, tag = "21")] i64, i64;
    single: f32 => #[prost(float, tag = "22")] f32, f32;
    double: f64 => #[prost(double, tag = "23")] f64, f64;
    colour: Colour => #[prost(int32, tag = "24")] i32, i32;
    mood: Mood => #[prost(int32, tag = "25")] i32, i32;
    #[field(2047)]
    high: u32 => #[prost(uint32, tag = "2047")] u32, u32;
    // Three bytes, and the largest number there is.
    #[field(2048)]
    higher: u32 => #[prost(uint32, tag = "2048")] u32, u32;
    #[field(536_870_911, zigzag)]
    highest: i32 => #[prost(sint32, tag = "536870911")] i32, i32;
}}

message! { Texts PbTexts SdTexts {
    text: String => #[prost(string, tag = "1")] String, String;
    shared: Str => #[prost(string, tag = "2")] String, String;
    blob: Vec<u8> => #[prost(bytes = "vec", tag = "3")] Vec<u8>, Blob;
    slice: Bytes => #[prost(bytes = "vec", tag = "4")] Vec<u8>, Blob;
    at: Timestamp => #[prost(message, optional, tag = "5")] Option<PbSpan>, Time;
    system: SystemTime => #[prost(message, optional, tag = "6")] Option<PbSpan>, Time;
    lasts: Duration => #[prost(message, optional, tag = "7")] Option<PbSpan>, i64;
}}

message! { Arrays PbArrays SdArrays {
    // An array is always there, so it is never left out.
    digest: [u8; 4] => #[prost(bytes = "vec", required, tag = "1")] Vec<u8>, Four;
    triple: [i32; 3] => #[prost(int32, repeated, tag = "2")] Vec<i32>, [i32; 3];
    #[field(zigzag)]
    signed: [i32; 3] => #[prost(sint32, repeated, tag = "3")] Vec<i32>, [i32; 3];
    #[field(fixed)]
    pair: [u64; 2] => #[prost(fixed64, repeated, tag = "4")] Vec<u64>, [u64; 2];
    names: [String; 2] => #[prost(string, repeated, tag = "5")] Vec<String>, [String; 2];
    inners: [Inner; 2] => #[prost(message, repeated, tag = "6")] Vec<PbInner>, [SdInner; 2];
}}

message! { Maybes PbMaybes SdMaybes {
    flag: Option<bool> => #[prost(bool, optional, tag = "1")] Option<bool>, Option<bool>;
    small: Option<i8> => #[prost(int32, optional, tag = "2")] Option<i32>, Option<i8>;
    int: Option<i32> => #[prost(int32, optional, tag = "3")] Option<i32>, Option<i32>;
    uint: Option<u64> => #[prost(uint64, optional, tag = "4")] Option<u64>, Option<u64>;
    #[field(zigzag)]
    signed: Option<i64> => #[prost(sint64, optional, tag = "5")] Option<i64>, Option<i64>;
    #[field(fixed)]
    fixed: Option<u32> => #[prost(fixed32, optional, tag = "6")] Option<u32>, Option<u32>;
    single: Option<f32> => #[prost(float, optional, tag = "7")] Option<f32>, Option<f32>;
    double: Option<f64> => #[prost(double, optional, tag = "8")] Option<f64>, Option<f64>;
    text: Option<String> => #[prost(string, optional, tag = "9")] Option<String>, Option<String>;
    shared: Option<Str> => #[prost(string, optional, tag = "10")] Option<String>, Option<String>;
    blob: Option<Vec<u8>> =>
        #[prost(bytes = "vec", optional, tag = "11")] Option<Vec<u8>>, Option<Blob>;
    slice: Option<Bytes> =>
        #[prost(bytes = "vec", optional, tag = "12")] Option<Vec<u8>>, Option<Blob>;
    digest: Option<[u8; 4]> =>
        #[prost(bytes = "vec", optional, tag = "13")] Option<Vec<u8>>, Option<Four>;
    colour: Option<Colour> => #[prost(int32, optional, tag = "14")] Option<i32>, Option<i32>;
    mood: Option<Mood> => #[prost(int32, optional, tag = "15")] Option<i32>, Option<i32>;
    inner: Option<Inner> =>
        #[prost(message, optional, tag = "16")] Option<PbInner>, Option<SdInner>;
    boxed: Option<Box<Inner>> =>
        #[prost(message, optional, boxed, tag = "17")] Option<Box<PbInner>>, Option<Box<SdInner>>;
    at: Option<Timestamp> => #[prost(message, optional, tag = "18")] Option<PbSpan>, Option<Time>;
    lasts: Option<Duration> => #[prost(message, optional, tag = "19")] Option<PbSpan>, Option<i64>;
}}

message! { Lists PbLists SdLists {
    flags: Vec<bool> => #[prost(bool, repeated, tag = "1")] Vec<bool>, Vec<bool>;
    i8s: Vec<i8> => #[prost(int32, repeated, tag = "2")] Vec<i32>, Vec<i8>;
    i16s: Vec<i16> => #[prost(int32, repeated, tag = "3")] Vec<i32>, Vec<i16>;
    i32s: Vec<i32> => #[prost(int32, repeated, tag = "4")] Vec<i32>, Vec<i32>;
    i64s: Vec<i64> => #[prost(int64, repeated, tag = "5")] Vec<i64>, Vec<i64>;
    u16s: Vec<u16> => #[prost(uint32, repeated, tag = "6")] Vec<u32>, Vec<u16>;
    u32s: Vec<u32> => #[prost(uint32, repeated, tag = "7")] Vec<u32>, Vec<u32>;
    u64s: Vec<u64> => #[prost(uint64, repeated, tag = "8")] Vec<u64>, Vec<u64>;
    #[field(zigzag)]
    z16s: Vec<i16> => #[prost(sint32, repeated, tag = "9")] Vec<i32>, Vec<i16>;
    #[field(zigzag)]
    z64s: Vec<i64> => #[prost(sint64, repeated, tag = "10")] Vec<i64>, Vec<i64>;
    #[field(fixed)]
    f32s: Vec<u32> => #[prost(fixed32, repeated, tag = "11")] Vec<u32>, Vec<u32>;
    #[field(fixed)]
    s64s: Vec<i64> => #[prost(sfixed64, repeated, tag = "12")] Vec<i64>, Vec<i64>;
    singles: Vec<f32> => #[prost(float, repeated, tag = "13")] Vec<f32>, Vec<f32>;
    doubles: Vec<f64> => #[prost(double, repeated, tag = "14")] Vec<f64>, Vec<f64>;
    texts: Vec<String> => #[prost(string, repeated, tag = "15")] Vec<String>, Vec<String>;
    shared: Vec<Str> => #[prost(string, repeated, tag = "16")] Vec<String>, Vec<String>;
    blobs: Vec<Vec<u8>> => #[prost(bytes = "vec", repeated, tag = "17")] Vec<Vec<u8>>, Vec<Blob>;
    slices: Vec<Bytes> => #[prost(bytes = "vec", repeated, tag = "18")] Vec<Vec<u8>>, Vec<Blob>;
    digests: Vec<[u8; 4]> => #[prost(bytes = "vec", repeated, tag = "19")] Vec<Vec<u8>>, Vec<Four>;
    colours: Vec<Colour> => #[prost(int32, repeated, tag = "20")] Vec<i32>, Vec<i32>;
    moods: Vec<Mood> => #[prost(int32, repeated, tag = "21")] Vec<i32>, Vec<i32>;
    inners: Vec<Inner> => #[prost(message, repeated, tag = "22")] Vec<PbInner>, Vec<SdInner>;
    boxes: Vec<Box<Inner>> =>
        #[prost(message, repeated, tag = "23")] Vec<PbInner>, Vec<Box<SdInner>>;
    ats: Vec<Timestamp> => #[prost(message, repeated, tag = "24")] Vec<PbSpan>, Vec<Time>;
    last: Vec<Duration> => #[prost(message, repeated, tag = "25")] Vec<PbSpan>, Vec<i64>;
}}

message! { Maps PbMaps SdMaps {
    counts: BTreeMap<String, i64> =>
        #[prost(btree_map = "string, int64", tag = "1")] BTreeMap<String, i64>,
        BTreeMap<String, i64>;
    by_id: HashMap<i32, Inner> =>
        #[prost(btree_map = "int32, message", tag = "2")] BTreeMap<i32, PbInner>,
        BTreeMap<i32, SdInner>;
    by_name: HashMap<Str, Inner> =>
        #[prost(btree_map = "string, message", tag = "3")] BTreeMap<String, PbInner>,
        BTreeMap<String, SdInner>;
    blobs: BTreeMap<u64, Vec<u8>> =>
        #[prost(btree_map = "uint64, bytes", tag = "4")] BTreeMap<u64, Vec<u8>>,
        BTreeMap<u64, Blob>;
    slices: BTreeMap<i16, Bytes> =>
        #[prost(btree_map = "int32, bytes", tag = "5")] BTreeMap<i32, Vec<u8>>,
        BTreeMap<i16, Blob>;
    ratios: BTreeMap<i64, f64> =>
        #[prost(btree_map = "int64, double", tag = "6")] BTreeMap<i64, f64>,
        BTreeMap<i64, f64>;
    #[field(zigzag)]
    signed: BTreeMap<i32, i64> =>
        #[prost(btree_map = "sint32, sint64", tag = "7")] BTreeMap<i32, i64>,
        BTreeMap<i32, i64>;
    #[field(zigzag)]
    deltas: BTreeMap<String, i16> =>
        #[prost(btree_map = "string, sint32", tag = "8")] BTreeMap<String, i32>,
        BTreeMap<String, i16>;
    #[field(fixed)]
    fixed: BTreeMap<u32, u64> =>
        #[prost(btree_map = "fixed32, fixed64", tag = "9")] BTreeMap<u32, u64>,
        BTreeMap<u32, u64>;
    #[field(fixed)]
    stamped: HashMap<i64, String> =>
        #[prost(btree_map = "sfixed64, string", tag = "10")] BTreeMap<i64, String>,
        BTreeMap<i64, String>;
    tints: HashMap<Colour, Mood> =>
        #[prost(btree_map = "int32, int32", tag = "11")] BTreeMap<i32, i32>,
        BTreeMap<i32, i32>;
    ats: BTreeMap<u8, Timestamp> =>
        #[prost(btree_map = "uint32, message", tag = "12")] BTreeMap<u32, PbSpan>,
        BTreeMap<u8, Time>;
    last: BTreeMap<String, Duration> =>
        #[prost(btree_map = "string, message", tag = "13")] BTreeMap<String, PbSpan>,
        BTreeMap<String, i64>;
    digests: BTreeMap<u16, [u8; 4]> =>
        #[prost(btree_map = "uint32, bytes", tag = "14")] BTreeMap<u32, Vec<u8>>,
        BTreeMap<u16, Four>;
    switches: BTreeMap<String, bool> =>
        #[prost(btree_map = "string, bool", tag = "15")] BTreeMap<String, bool>,
        BTreeMap<String, bool>;
}}

message! { Tree PbTree SdTree {
    name: String => #[prost(string, tag = "1")] String, String;
    numbers: Numbers => #[prost(message, required, tag = "2")] PbNumbers, SdNumbers;
    texts: Texts => #[prost(message, required, tag = "3")] PbTexts, SdTexts;
    arrays: Arrays => #[prost(message, required, tag = "4")] PbArrays, SdArrays;
    maybes: Maybes => #[prost(message, required, tag = "5")] PbMaybes, SdMaybes;
    lists: Lists => #[prost(message, required, tag = "6")] PbLists, SdLists;
    maps: Maps => #[prost(message, required, tag = "7")] PbMaps, SdMaps;
    picked: Picked => #[prost(message, required, tag = "8")] PbPicked, SdPicked;
    alone: Choice => #[prost(message, required, tag = "9")] PbChoices, SdChoices;
    ints: Pair<i64> => #[prost(message, required, tag = "10")] PbPairOfInts, SdPair<i64>;
    inners: Pair<Inner> => #[prost(message, required, tag = "11")] PbPairOfInners, SdPair<SdInner>;
    boxed: Box<Inner> => #[prost(message, required, tag = "12")] PbInner, Box<SdInner>;
    child: Option<Box<Tree>> =>
        #[prost(message, optional, boxed, tag = "13")] Option<Box<PbTree>>, Option<Box<SdTree>>;
    kids: Vec<Tree> => #[prost(message, repeated, tag = "14")] Vec<PbTree>, Vec<SdTree>;
    by_name: BTreeMap<String, Tree> =>
        #[prost(btree_map = "string, message", tag = "15")] BTreeMap<String, PbTree>,
        BTreeMap<String, SdTree>;
}}

// What protobuf has no place for.
message! { Loose SdLoose {
    rows: Vec<Vec<i32>> => Vec<Vec<i32>>;
    gaps: Vec<Option<String>> => Vec<Option<String>>;
    lists: BTreeMap<String, Vec<u32>> => BTreeMap<String, Vec<u32>>;
    maps: Vec<BTreeMap<i32, Inner>> => Vec<BTreeMap<i32, SdInner>>;
    corners: [[f64; 2]; 2] => [[f64; 2]; 2];
    maybe_list: Option<Vec<String>> => Option<Vec<String>>;
    maybe_map: Option<BTreeMap<String, u8>> => Option<BTreeMap<String, u8>>;
    choices: Vec<Option<Colour>> => Vec<Option<i32>>;
    times: BTreeMap<String, Option<Timestamp>> => BTreeMap<String, Option<Time>>;
    deep: Vec<BTreeMap<String, Vec<Option<Box<Inner>>>>> =>
        Vec<BTreeMap<String, Vec<Option<Box<SdInner>>>>>;
}}

// Only protobuf has bools for keys.
#[derive(Message, Clone, PartialEq, Debug)]
pub(super) struct Switched {
    #[field(9)]
    pub(super) last: String,
    pub(super) by_flag: BTreeMap<bool, String>,
    #[field(3)]
    pub(super) middle: i32,
}

#[derive(prost::Message, Clone, PartialEq)]
pub(super) struct PbSwitched {
    #[prost(string, tag = "9")]
    pub(super) last: String,
    #[prost(btree_map = "bool, string", tag = "2")]
    pub(super) by_flag: BTreeMap<bool, String>,
    #[prost(int32, tag = "3")]
    pub(super) middle: i32,
}

/// A [`Tree`] of which only some is known.
#[derive(Message, Clone, PartialEq, Debug)]
pub(super) struct Narrow {
    pub(super) name: String,
    #[field(8)]
    pub(super) picked: NarrowPicked,
    #[field(14)]
    pub(super) kids: Vec<Narrow>,
}

#[derive(Message, Clone, PartialEq, Debug)]
pub(super) struct NarrowPicked {
    #[field(30)]
    pub(super) after: String,
}

impl Tree {
    pub(super) fn narrow(&self) -> Narrow {
        Narrow {
            name: self.name.clone(),
            picked: NarrowPicked { after: self.picked.after.clone() },
            kids: self.kids.iter().map(Tree::narrow).collect(),
        }
    }
}

/// A message of any two of a kind.
#[derive(Message, Clone, PartialEq, Debug)]
pub(super) struct Pair<T> {
    pub(super) first: T,
    pub(super) rest: Vec<T>,
    pub(super) named: BTreeMap<String, T>,
}

#[derive(prost::Message, Clone, PartialEq)]
pub(super) struct PbPairOfInts {
    #[prost(int64, tag = "1")]
    first: i64,
    #[prost(int64, repeated, tag = "2")]
    rest: Vec<i64>,
    #[prost(btree_map = "string, int64", tag = "3")]
    named: BTreeMap<String, i64>,
}

#[derive(prost::Message, Clone, PartialEq)]
pub(super) struct PbPairOfInners {
    #[prost(message, required, tag = "1")]
    first: PbInner,
    #[prost(message, repeated, tag = "2")]
    rest: Vec<PbInner>,
    #[prost(btree_map = "string, message", tag = "3")]
    named: BTreeMap<String, PbInner>,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct SdPair<T> {
    first: T,
    rest: Vec<T>,
    named: BTreeMap<String, T>,
}

impl<T: Random + farcall::Put + farcall::Take + PartialEq> Random for Pair<T> {
    const LARGE_LISTS: bool = false;

    fn random(dice: &mut Dice) -> Pair<T> {
        dice.message(|dice| Pair {
            first: T::random(dice),
            rest: Random::random(dice),
            named: Random::random(dice),
        })
    }
}

macro_rules! twins_of_pairs {
    ($($item:ty => $pair:ident $(<$of:ty>)?;)*) => { $(
        impl Twin<$pair $(<$of>)?> for Pair<$item> {
            fn twin(&self) -> $pair $(<$of>)? {
                $pair {
                    first: self.first.twin(),
                    rest: self.rest.twin(),
                    named: self.named.twin(),
                }
            }
        }
    )* };
}
twins_of_pairs! {
    i64 => PbPairOfInts;
    i64 => SdPair<i64>;
    Inner => PbPairOfInners;
    Inner => SdPair<SdInner>;
}

/// Serves as a `oneof` in [`Picked`] and on its own in [`Tree`].
#[derive(Message, Clone, PartialEq, Debug)]
pub(super) enum Choice {
    #[field(11)]
    Text(String),
    #[field(12, zigzag)]
    Number(i64),
    #[field(13)]
    Nothing,
    #[field(14)]
    Colour(Colour),
    #[field(15)]
    Inner(Inner),
    #[field(16)]
    Tree(Box<Tree>),
    #[field(17)]
    Blob(Vec<u8>),
    #[field(18)]
    At(Timestamp),
    #[field(19)]
    Ratio(f32),
}

#[derive(prost::Oneof, Clone, PartialEq)]
pub(super) enum PbChoice {
    #[prost(string, tag = "11")]
    Text(String),
    #[prost(sint64, tag = "12")]
    Number(i64),
    #[prost(message, tag = "13")]
    Nothing(()),
    #[prost(int32, tag = "14")]
    Colour(i32),
    #[prost(message, tag = "15")]
    Inner(PbInner),
    #[prost(message, tag = "16")]
    Tree(Box<PbTree>),
    #[prost(bytes, tag = "17")]
    Blob(Vec<u8>),
    #[prost(message, tag = "18")]
    At(PbSpan),
    #[prost(float, tag = "19")]
    Ratio(f32),
}

#[derive(prost::Message, Clone, PartialEq)]
pub(super) struct PbChoices {
    #[prost(oneof = "PbChoice", tags = "11, 12, 13, 14, 15, 16, 17, 18, 19")]
    pub(super) choice: Option<PbChoice>,
}

/// Names of fields that may be absent where the twin has null: variants that are not set, and what
/// is left out when empty.
pub(super) const LEFT_OUT: [&str; 10] =
    ["text", "number", "nothing", "colour", "inner", "tree", "blob", "at", "ratio", "note"];

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(super) struct SdChoices {
    text: Option<String>,
    number: Option<i64>,
    nothing: Option<SdEmpty>,
    colour: Option<i32>,
    inner: Option<SdInner>,
    tree: Option<Box<SdTree>>,
    blob: Option<Blob>,
    at: Option<Time>,
    ratio: Option<f32>,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct SdEmpty {}

impl Random for Choice {
    const LARGE_LISTS: bool = false;

    fn random(dice: &mut Dice) -> Choice {
        let deep = dice.may_nest();
        match dice.below(9) {
            0 => Choice::Text(Random::random(dice)),
            1 => Choice::Number(Random::random(dice)),
            2 => Choice::Nothing,
            3 => Choice::Colour(Random::random(dice)),
            4 => Choice::Inner(Random::random(dice)),
            5 if deep => Choice::Tree(Random::random(dice)),
            6 => Choice::Blob(Random::random(dice)),
            7 => Choice::At(Random::random(dice)),
            _ => Choice::Ratio(Random::random(dice)),
        }
    }
}

impl Twin<PbChoice> for Choice {
    fn twin(&self) -> PbChoice {
        match self {
            Choice::Text(v) => PbChoice::Text(v.clone()),
            Choice::Number(v) => PbChoice::Number(*v),
            Choice::Nothing => PbChoice::Nothing(()),
            Choice::Colour(v) => PbChoice::Colour(v.twin()),
            Choice::Inner(v) => PbChoice::Inner(v.twin()),
            Choice::Tree(v) => PbChoice::Tree(v.twin()),
            Choice::Blob(v) => PbChoice::Blob(v.clone()),
            Choice::At(v) => PbChoice::At(v.twin()),
            Choice::Ratio(v) => PbChoice::Ratio(*v),
        }
    }
}

impl Twin<PbChoices> for Choice {
    fn twin(&self) -> PbChoices {
        PbChoices { choice: Some(self.twin()) }
    }
}

impl Twin<SdChoices> for Choice {
    fn twin(&self) -> SdChoices {
        let mut all = SdChoices::default();
        match self {
            Choice::Text(v) => all.text = Some(v.clone()),
            Choice::Number(v) => all.number = Some(*v),
            Choice::Nothing => all.nothing = Some(SdEmpty {}),
            Choice::Colour(v) => all.colour = Some(v.twin()),
            Choice::Inner(v) => all.inner = Some(v.twin()),
            Choice::Tree(v) => all.tree = Some(v.twin()),
            Choice::Blob(v) => all.blob = Some(v.twin()),
            Choice::At(v) => all.at = Some(v.twin()),
            Choice::Ratio(v) => all.ratio = Some(*v),
        }
        all
    }
}

/// A `oneof` between fields.
#[derive(Message, Clone, PartialEq, Debug)]
pub(super) struct Picked {
    pub(super) before: u32,
    #[field(oneof)]
    pub(super) choice: Option<Choice>,
    #[field(30)]
    pub(super) after: String,
    #[field(skip)]
    pub(super) cache: u32,
    #[field(31, omit_empty)]
    pub(super) note: String,
    #[field(32, required)]
    pub(super) must: u32,
}

#[derive(prost::Message, Clone, PartialEq)]
pub(super) struct PbPicked {
    #[prost(uint32, tag = "1")]
    before: u32,
    #[prost(oneof = "PbChoice", tags = "11, 12, 13, 14, 15, 16, 17, 18, 19")]
    pub(super) choice: Option<PbChoice>,
    #[prost(string, tag = "30")]
    after: String,
    #[prost(string, tag = "31")]
    note: String,
    #[prost(uint32, required, tag = "32")]
    must: u32,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct SdPicked {
    before: u32,
    text: Option<String>,
    number: Option<i64>,
    nothing: Option<SdEmpty>,
    colour: Option<i32>,
    inner: Option<SdInner>,
    tree: Option<Box<SdTree>>,
    blob: Option<Blob>,
    at: Option<Time>,
    ratio: Option<f32>,
    after: String,
    note: Option<String>,
    must: u32,
}

impl Random for Picked {
    const LARGE_LISTS: bool = false;

    fn random(dice: &mut Dice) -> Picked {
        dice.message(|dice| Picked {
            before: Random::random(dice),
            choice: Random::random(dice),
            after: Random::random(dice),
            cache: 0,
            note: Random::random(dice),
            must: Random::random(dice),
        })
    }
}

impl Twin<PbPicked> for Picked {
    fn twin(&self) -> PbPicked {
        PbPicked {
            before: self.before,
            choice: self.choice.twin(),
            after: self.after.clone(),
            note: self.note.clone(),
            must: self.must,
        }
    }
}

impl Twin<SdPicked> for Picked {
    fn twin(&self) -> SdPicked {
        let choice = self.choice.as_ref().map(Twin::<SdChoices>::twin).unwrap_or_default();
        let SdChoices { text, number, nothing, colour, inner, tree, blob, at, ratio } = choice;
        SdPicked {
            before: self.before,
            text,
            number,
            nothing,
            colour,
            inner,
            tree,
            blob,
            at,
            ratio,
            after: self.after.clone(),
            note: Some(self.note.clone()).filter(|note| !note.is_empty()),
            must: self.must,
        }
    }
}
