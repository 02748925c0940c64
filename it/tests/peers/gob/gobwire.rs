//! The crate `gobwire` as a second opinion: it reads what we write of random types, writes it
//! again, and we read that.
//!
//! What it is not asked: it has no types made up at run time, so its dynamic values stand for them;
//! those do not know pointers (a pointer to zero comes back as nil) and leave empty maps out.

use super::{
    random::{Maker, VALUES, seed},
    read,
    shapes::{FIRST, Root, install},
    types::alike,
    write,
};
use farcall::Value;
use gobwire::{Dynamic, StreamDecoder, StreamEncoder};

/// Types in a run.
const TYPES: usize = 100;

#[test]
fn gobwire_reads_and_writes_the_same() {
    let seed = seed() ^ 0x90b;
    let mut maker = Maker::new(seed);
    let mut streams = 0;
    for round in 0..TYPES {
        let of = maker.root();
        install(&of, FIRST).expect("a type of ours");
        let values: Vec<Value> = (0..VALUES).map(|_| maker.value(&of)).collect();
        let note = format!("FARCALL_SEED={}, type {round}: {}", seed ^ 0x90b, of.go());
        let roots: Vec<Root<FIRST>> = values.iter().cloned().map(Root).collect();
        let ours = write(&roots).unwrap_or_else(|e| panic!("{note}: {e}"));

        let mut from = StreamDecoder::new(&ours[..]);
        let mut to = StreamEncoder::new(Vec::new());
        while let Some(value) = from.decode::<Dynamic>().unwrap_or_else(|e| panic!("{note}: {e}")) {
            to.encode(&value).unwrap_or_else(|e| panic!("{note}: {e}"));
        }
        let theirs = to.into_inner();
        let back: Vec<Root<FIRST>> = read(&theirs).unwrap_or_else(|e| panic!("{note}: {e}"));
        assert_eq!(back.len(), values.len(), "{note}");
        for (Root(back), value) in back.iter().zip(&values) {
            assert!(alike(back, value), "{note}\n got {back}\nwant {value}");
        }
        streams += 1;
    }
    println!("gobwire 0.1.0: {streams} streams of {VALUES} values, there and back");
}
