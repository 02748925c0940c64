//! Protobuf against prost.
//!
//! Two differences are known and stand in tests of their own: prost leaves out default keys and
//! values of map entries, and fields that are -0.0. The official implementations write both, and so
//! does farcall.

use super::{
    VALUES, canon,
    schema::{
        Inner, Narrow, Numbers, PbChoice, PbInner, PbMaps, PbNumbers, PbSwitched, PbTexts, PbTree,
        SdTree, Switched, Texts, Tree,
    },
    values::Twin,
};
use farcall::{Format, Message, Take, Timestamp, Why, format};
use farcall_it::dice::{Dice, Random, Taste};
use prost::Message as _;

fn ours<T: farcall::Put>(value: &T) -> Vec<u8> {
    format::encode_to_vec(Format::Protobuf, value).expect("protobuf carries it")
}

fn read<T: Take>(bytes: &[u8]) -> T {
    format::decode_from(Format::Protobuf, bytes).expect("it can be read")
}

fn twin(value: &Tree) -> PbTree {
    value.twin()
}

fn key(tree: &Tree) -> Vec<u8> {
    canon::<Tree, SdTree>(tree)
}

#[test]
fn the_bytes_are_those_of_prost() {
    let mut dice = Dice::new(1, Taste::Strict);
    for _ in 0..VALUES {
        let tree: Tree = dice.value();
        assert_eq!(ours(&tree), twin(&tree).encode_to_vec(), "{tree:?}");
    }
}

#[test]
fn each_reads_the_other() {
    let mut dice = Dice::new(2, Taste::Any);
    for _ in 0..VALUES {
        let tree: Tree = dice.value();
        let (twin, bytes) = (twin(&tree), ours(&tree));
        let theirs = twin.encode_to_vec();
        let read_by_prost = PbTree::decode(&bytes[..]).expect("prost reads it");
        // Compared as bytes, for NaN is not equal to itself.
        assert_eq!(read_by_prost.encode_to_vec(), theirs, "{tree:?}");
        assert_eq!(key(&read(&bytes)), key(&tree), "{tree:?}");
        assert_eq!(self::twin(&read(&theirs)).encode_to_vec(), theirs, "{tree:?}");
    }
}

#[test]
fn in_pieces_each_message_alone() {
    fn one<
        T: Random + Message + Twin<P> + PartialEq + std::fmt::Debug,
        P: prost::Message + Default,
    >(
        dice: &mut Dice,
    ) {
        let value: T = dice.value();
        let (bytes, theirs) = (ours(&value), value.twin().encode_to_vec());
        assert_eq!(bytes, theirs, "{value:?}");
        assert_eq!(read::<T>(&bytes).twin().encode_to_vec(), theirs, "{value:?}");
    }
    let mut dice = Dice::new(3, Taste::Strict);
    for _ in 0..VALUES {
        one::<Inner, PbInner>(&mut dice);
        one::<Numbers, PbNumbers>(&mut dice);
        one::<Texts, PbTexts>(&mut dice);
        one::<super::schema::Maps, PbMaps>(&mut dice);
    }
}

/// The top-level fields, each with its key.
fn split(bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &[u8]) -> (u64, usize) {
        let len = bytes.iter().take_while(|b| **b >= 0x80).count() + 1;
        let groups = bytes[..len].iter().rev();
        (groups.fold(0, |v, b| v << 7 | u64::from(b & 0x7f)), len)
    }
    let (mut fields, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (key, mut len) = varint(rest);
        len += match key & 7 {
            0 => varint(&rest[len..]).1,
            1 => 8,
            5 => 4,
            _ => {
                let (content, width) = varint(&rest[len..]);
                width + content as usize
            }
        };
        let (field, after) = rest.split_at(len);
        fields.push((key >> 3, field));
        rest = after;
    }
    fields
}

/// Fields in random order, those of one number as they were, and unknown ones in between.
fn shuffled(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut fields = split(bytes);
    for last in (1..fields.len()).rev() {
        fields.swap(last, dice.below(last + 1));
    }
    let mut numbers: Vec<u64> = fields.iter().map(|f| f.0).collect();
    fields = split(bytes);
    let mut out = Vec::new();
    for number in numbers.drain(..) {
        // Numbers 100 and 1000, one of each wire type, a group in a group among them.
        let unknown: &[&[u8]] = &[
            b"",
            b"\xa0\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\xa1\x0612345678",
            b"\xa2\x06\x03abc",
            b"\xc3\x3e\x0b\x08\x01\x0c\xc4\x3e",
            b"\xa5\x061234",
        ];
        out.extend_from_slice(dice.pick(unknown));
        let next = fields.iter().position(|f| f.0 == number).expect("as many as there were");
        out.extend_from_slice(fields.remove(next).1);
    }
    out
}

#[test]
fn order_does_not_matter_and_unknown_fields_are_skipped() {
    let mut dice = Dice::new(4, Taste::Any);
    for _ in 0..VALUES {
        let tree: Tree = dice.value();
        let bytes = ours(&tree);
        let mixed = shuffled(&bytes, &mut dice);
        assert_eq!(key(&read(&mixed)), key(&tree), "{tree:?}");
        let read_by_prost = PbTree::decode(&mixed[..]).expect("prost reads it");
        assert_eq!(read_by_prost.encode_to_vec(), twin(&tree).encode_to_vec(), "{tree:?}");
        assert_eq!(read::<Narrow>(&mixed), tree.narrow());
    }
}

/// Numbers of a list may come one by one, whatever the schema says.
#[test]
fn packed_lists_may_come_unpacked() {
    let mut dice = Dice::new(5, Taste::Strict);
    for _ in 0..VALUES {
        let list: Vec<i32> = dice.value();
        let mut bytes = Vec::new();
        for item in &list {
            bytes.push(4 << 3);
            prost::encoding::encode_varint(*item as u64, &mut bytes);
        }
        assert_eq!(read::<super::schema::Lists>(&bytes).i32s, list);
    }
}

/// prost knows no arrays and appends where farcall replaces: the last items are the array.
fn settle(tree: &mut PbTree) {
    fn last<T>(list: &mut Vec<T>, n: usize) {
        list.drain(..list.len() - n);
    }
    let arrays = &mut tree.arrays;
    last(&mut arrays.triple, 3);
    last(&mut arrays.signed, 3);
    last(&mut arrays.pair, 2);
    last(&mut arrays.names, 2);
    last(&mut arrays.inners, 2);
    let choices = [&mut tree.picked.choice, &mut tree.alone.choice];
    let chosen = choices.into_iter().filter_map(|choice| match choice {
        Some(PbChoice::Tree(tree)) => Some(tree),
        _ => None,
    });
    chosen.chain(&mut tree.child).for_each(|tree| settle(tree));
}

/// "parsing the concatenation of two encoded messages produces the same result as if you had
/// parsed the input strings separately and merged the resulting objects" (encoding guide, "Last One
/// Wins").
#[test]
fn concatenations_merge() {
    let mut dice = Dice::new(6, Taste::Any);
    for _ in 0..VALUES {
        let (first, second): (Tree, Tree) = (dice.value(), dice.value());
        let bytes = [ours(&first), ours(&second)].concat();
        let mut merged = PbTree::decode(&bytes[..]).expect("prost reads it");
        settle(&mut merged);
        let read: Tree = read(&bytes);
        assert_eq!(twin(&read).encode_to_vec(), merged.encode_to_vec(), "{first:?} {second:?}");
    }
}

#[test]
fn times_merge_as_the_messages_they_are() {
    let bytes = b"\x2a\x02\x08\x05\x2a\x02\x10\x07\x3a\x02\x10\x07\x3a\x02\x08\x05";
    let texts: Texts = read(bytes);
    assert_eq!(texts.at, Timestamp { seconds: 5, nanos: 7 });
    assert_eq!(texts.lasts, std::time::Duration::new(5, 7));
}

#[test]
fn prost_leaves_out_default_halves_of_entries() {
    let by_flag = [(false, String::new()), (true, String::new())].into();
    let switched = Switched { last: "z".into(), by_flag, middle: -1 };
    let twin = PbSwitched { last: "z".into(), by_flag: switched.by_flag.clone(), middle: -1 };
    let (bytes, theirs) = (ours(&switched), twin.encode_to_vec());
    let rest = b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x4a\x01z";
    assert_eq!(bytes, [b"\x12\x04\x08\0\x12\0\x12\x04\x08\x01\x12\0", &rest[..]].concat());
    assert_eq!(theirs, [b"\x12\0\x12\x02\x08\x01", &rest[..]].concat());
    assert_eq!(read::<Switched>(&theirs), switched);
    assert_eq!(PbSwitched::decode(&bytes[..]).expect("prost reads it"), twin);
}

/// "if a float or double value is set to +0 … it will not be serialized. However, -0 is considered
/// different and will be serialized" (proto3 language guide, "Default Field Values").
#[test]
fn prost_leaves_out_negative_zero() {
    let numbers = Numbers { single: -0.0, double: -0.0, ..Numbers::blank() };
    let bytes = ours(&numbers);
    assert_eq!(bytes, b"\xb5\x01\0\0\0\x80\xb9\x01\0\0\0\0\0\0\0\x80");
    let back: Numbers = read(&bytes);
    assert!(back.single.is_sign_negative() && back.double.is_sign_negative());
    let twin: PbNumbers = numbers.twin();
    assert_eq!(twin.encode_to_vec(), b"");
    let read_by_prost = PbNumbers::decode(&bytes[..]).expect("prost reads it");
    assert!(read_by_prost.single.is_sign_negative() && read_by_prost.double.is_sign_negative());
}

#[test]
fn a_closed_enum_refuses_what_an_open_one_keeps() {
    for number in [1, 6, -2, i32::MAX, i32::MIN] {
        let colour = PbNumbers { colour: number, ..PbNumbers::default() }.encode_to_vec();
        let fault = format::decode_from::<Numbers>(Format::Protobuf, &colour).expect_err("closed");
        assert_eq!(
            (fault.why(), fault.path().as_str()),
            (&Why::NoSuchChoice { of: "Colour" }, "colour",)
        );
        let mood = PbNumbers { mood: number, ..PbNumbers::default() };
        let back: PbNumbers = read::<Numbers>(&mood.encode_to_vec()).twin();
        assert_eq!(back, mood);
    }
}
