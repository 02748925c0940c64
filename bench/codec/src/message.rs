//! rpcx's `BenchmarkMessage`, three times: for farcall, for prost and for serde. Filled as rpcx's
//! own benchmark fills it: 581 bytes of protobuf.

use farcall::Take;

#[derive(farcall::Message, Clone, Debug, PartialEq)]
pub(crate) struct Bench {
    #[field(1)]
    pub(crate) field1: String,
    #[field(2)]
    pub(crate) field2: i32,
    #[field(3)]
    pub(crate) field3: i32,
    #[field(4)]
    pub(crate) field4: String,
    #[field(5, fixed)]
    pub(crate) field5: Vec<u64>,
    #[field(6)]
    pub(crate) field6: i32,
    #[field(7)]
    pub(crate) field7: String,
    #[field(9)]
    pub(crate) field9: String,
    #[field(12)]
    pub(crate) field12: bool,
    #[field(13)]
    pub(crate) field13: bool,
    #[field(14)]
    pub(crate) field14: bool,
    #[field(16)]
    pub(crate) field16: i32,
    #[field(17)]
    pub(crate) field17: bool,
    #[field(18)]
    pub(crate) field18: String,
    #[field(22)]
    pub(crate) field22: i64,
    #[field(23)]
    pub(crate) field23: i32,
    #[field(24)]
    pub(crate) field24: bool,
    #[field(25)]
    pub(crate) field25: i32,
    #[field(29)]
    pub(crate) field29: i32,
    #[field(30)]
    pub(crate) field30: bool,
    #[field(59)]
    pub(crate) field59: bool,
    #[field(60)]
    pub(crate) field60: i32,
    #[field(67)]
    pub(crate) field67: i32,
    #[field(68)]
    pub(crate) field68: i32,
    #[field(78)]
    pub(crate) field78: bool,
    #[field(80)]
    pub(crate) field80: bool,
    #[field(81)]
    pub(crate) field81: bool,
    #[field(100)]
    pub(crate) field100: i32,
    #[field(101)]
    pub(crate) field101: i32,
    #[field(102)]
    pub(crate) field102: String,
    #[field(103)]
    pub(crate) field103: String,
    #[field(104)]
    pub(crate) field104: i32,
    #[field(128)]
    pub(crate) field128: i32,
    #[field(129)]
    pub(crate) field129: String,
    #[field(130)]
    pub(crate) field130: i32,
    #[field(131)]
    pub(crate) field131: i32,
    #[field(150)]
    pub(crate) field150: i32,
    #[field(271)]
    pub(crate) field271: i32,
    #[field(272)]
    pub(crate) field272: i32,
    #[field(280)]
    pub(crate) field280: i32,
}

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

/// Two numbers: what `Arith.Mul` takes.
#[derive(farcall::Message, Clone, Debug, PartialEq)]
#[message(go_names)]
pub(crate) struct Tiny {
    a: i64,
    b: i64,
}

pub(crate) fn tiny() -> Tiny {
    Tiny { a: 6, b: 7 }
}
