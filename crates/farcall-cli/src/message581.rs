//! The message of the rpcx benchmarks, `bench.proto`: forty scalars under numbers up to 280.
//!
//! JSON knows the fields as `field1`, MessagePack as `Field1`: Go's generated struct has tags for
//! the one and none for the other.

use farcall::Message;

/// The benchmark message; [`sample`](BenchmarkMessage::sample) has 581 bytes in protobuf.
#[derive(Message, Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields have numbers and no meaning")]
pub struct BenchmarkMessage {
    #[field(1, name = "Field1", json = "field1")]
    pub field1: String,
    #[field(2, name = "Field2", json = "field2")]
    pub field2: i32,
    #[field(3, name = "Field3", json = "field3")]
    pub field3: i32,
    #[field(4, name = "Field4", json = "field4")]
    pub field4: String,
    #[field(5, name = "Field5", json = "field5", fixed)]
    pub field5: Vec<u64>,
    #[field(6, name = "Field6", json = "field6")]
    pub field6: i32,
    #[field(7, name = "Field7", json = "field7")]
    pub field7: String,
    #[field(9, name = "Field9", json = "field9")]
    pub field9: String,
    #[field(12, name = "Field12", json = "field12")]
    pub field12: bool,
    #[field(13, name = "Field13", json = "field13")]
    pub field13: bool,
    #[field(14, name = "Field14", json = "field14")]
    pub field14: bool,
    #[field(16, name = "Field16", json = "field16")]
    pub field16: i32,
    #[field(17, name = "Field17", json = "field17")]
    pub field17: bool,
    #[field(18, name = "Field18", json = "field18")]
    pub field18: String,
    #[field(22, name = "Field22", json = "field22")]
    pub field22: i64,
    #[field(23, name = "Field23", json = "field23")]
    pub field23: i32,
    #[field(24, name = "Field24", json = "field24")]
    pub field24: bool,
    #[field(25, name = "Field25", json = "field25")]
    pub field25: i32,
    #[field(29, name = "Field29", json = "field29")]
    pub field29: i32,
    #[field(30, name = "Field30", json = "field30")]
    pub field30: bool,
    #[field(59, name = "Field59", json = "field59")]
    pub field59: bool,
    #[field(60, name = "Field60", json = "field60")]
    pub field60: i32,
    #[field(67, name = "Field67", json = "field67")]
    pub field67: i32,
    #[field(68, name = "Field68", json = "field68")]
    pub field68: i32,
    #[field(78, name = "Field78", json = "field78")]
    pub field78: bool,
    #[field(80, name = "Field80", json = "field80")]
    pub field80: bool,
    #[field(81, name = "Field81", json = "field81")]
    pub field81: bool,
    #[field(100, name = "Field100", json = "field100")]
    pub field100: i32,
    #[field(101, name = "Field101", json = "field101")]
    pub field101: i32,
    #[field(102, name = "Field102", json = "field102")]
    pub field102: String,
    #[field(103, name = "Field103", json = "field103")]
    pub field103: String,
    #[field(104, name = "Field104", json = "field104")]
    pub field104: i32,
    #[field(128, name = "Field128", json = "field128")]
    pub field128: i32,
    #[field(129, name = "Field129", json = "field129")]
    pub field129: String,
    #[field(130, name = "Field130", json = "field130")]
    pub field130: i32,
    #[field(131, name = "Field131", json = "field131")]
    pub field131: i32,
    #[field(150, name = "Field150", json = "field150")]
    pub field150: i32,
    #[field(271, name = "Field271", json = "field271")]
    pub field271: i32,
    #[field(272, name = "Field272", json = "field272")]
    pub field272: i32,
    #[field(280, name = "Field280", json = "field280")]
    pub field280: i32,
}

impl BenchmarkMessage {
    /// The values of the rpcx benchmarks: every text and number is set, the list is empty.
    pub fn sample() -> BenchmarkMessage {
        let text = || "许多往事在眼前一幕一幕，变的那麼模糊".to_owned();
        BenchmarkMessage {
            field1: text(),
            field2: 100_000,
            field3: 100_000,
            field4: text(),
            field5: Vec::new(),
            field6: 100_000,
            field7: text(),
            field9: text(),
            field12: true,
            field13: true,
            field14: true,
            field16: 100_000,
            field17: true,
            field18: text(),
            field22: 100_000,
            field23: 100_000,
            field24: true,
            field25: 100_000,
            field29: 100_000,
            field30: true,
            field59: true,
            field60: 100_000,
            field67: 100_000,
            field68: 100_000,
            field78: true,
            field80: true,
            field81: true,
            field100: 100_000,
            field101: 100_000,
            field102: text(),
            field103: text(),
            field104: 100_000,
            field128: 100_000,
            field129: text(),
            field130: 100_000,
            field131: 100_000,
            field150: 100_000,
            field271: 100_000,
            field272: 100_000,
            field280: 100_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farcall::{Format, format::encode_to_vec};

    #[test]
    fn the_sample_has_581_bytes() {
        let bytes = encode_to_vec(Format::Protobuf, &BenchmarkMessage::sample());
        assert_eq!(bytes.ok().map(|bytes| bytes.len()), Some(581));
    }
}
