//! MessagePack against rmp-serde.

use super::{
    VALUES, canon,
    schema::{
        Arrays, Lists, Loose, Maybes, Numbers, SdArrays, SdLists, SdLoose, SdMaybes, SdNumbers,
        SdTexts, SdTree, Texts, Tree,
    },
    values::Twin,
};
use farcall::{Format, Put, Take, format};
use farcall_it::dice::{Dice, Random, Taste};
use serde::{Serialize, de::DeserializeOwned};

fn ours<T: Put>(value: &T) -> Vec<u8> {
    format::encode_to_vec(Format::MsgPack, value).expect("MessagePack carries it")
}

fn read<T: Take>(bytes: &[u8]) -> T {
    format::decode_from(Format::MsgPack, bytes).expect("it can be read")
}

/// There and back through both of rmp-serde's forms: maps by name, and lists in the order of
/// fields.
fn both_ways<T, U>(seed: u64)
where
    T: Random + Put + Take + Twin<U> + std::fmt::Debug,
    U: Serialize + DeserializeOwned,
{
    let mut dice = Dice::new(seed, Taste::Any);
    for _ in 0..VALUES {
        let value: T = dice.value();
        let (bytes, key) = (ours(&value), canon(&value));
        let read_by_rmp: U = rmp_serde::from_slice(&bytes).expect("rmp-serde reads it");
        assert_eq!(rmp_serde::to_vec(&read_by_rmp).expect("rmp-serde writes it"), key, "{value:?}");
        let named = rmp_serde::to_vec_named(&value.twin()).expect("rmp-serde writes it");
        assert_eq!(canon(&read::<T>(&named)), key, "{value:?}");
        assert_eq!(canon(&read::<T>(&key)), key, "as a list: {value:?}");
        assert_eq!(canon(&read::<T>(&bytes)), key, "{value:?}");
    }
}

#[test]
fn each_reads_the_other() {
    both_ways::<Tree, SdTree>(21);
}

#[test]
fn what_protobuf_has_no_place_for() {
    both_ways::<Loose, SdLoose>(22);
}

/// Both write every value in its shortest form, and what is left out is not among these messages.
#[test]
fn the_bytes_are_those_of_rmp_serde() {
    fn same<T: Random + Put + Twin<U> + std::fmt::Debug, U: Serialize>(dice: &mut Dice) {
        let value: T = dice.value();
        let named = rmp_serde::to_vec_named(&value.twin()).expect("rmp-serde writes it");
        assert_eq!(ours(&value), named, "{value:?}");
    }
    let mut dice = Dice::new(23, Taste::Any);
    for _ in 0..VALUES {
        same::<Numbers, SdNumbers>(&mut dice);
        same::<Texts, SdTexts>(&mut dice);
        same::<Arrays, SdArrays>(&mut dice);
        same::<Maybes, SdMaybes>(&mut dice);
        same::<Lists, SdLists>(&mut dice);
        same::<Loose, SdLoose>(&mut dice);
    }
}
