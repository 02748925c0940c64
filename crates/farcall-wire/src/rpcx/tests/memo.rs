//! A wire that remembers its last call finds the same as one that has seen nothing.

use super::*;
use crate::rpcx::tests::kit::same;

#[test]
fn what_is_remembered_changes_nothing() {
    let (due, soon) = (block(&[("__ServerTimeout", "50")]), block(&[("__ServerTimeout", "51")]));
    let more = block(&[("k", "v"), ("__ServerTimeout", "50")]);
    let large = vec![b'k'; 300];
    let long = block(&[("long", std::str::from_utf8(&large).unwrap())]);
    let metas: [&[u8]; 5] = [b"", &due, &soon, &more, &long];
    let names: [[&[u8]; 2]; 4] = [[b"A", b"m"], [b"A", b"n"], [b"Am", b""], [b"Zz", b"m"]];
    let bodies: [&[u8]; 3] = [b"", b"x", b"a longer body"];
    // Calls, one-way and compressed ones, and heartbeats of the same names.
    let flags = [0x0030, 0x2010, 0x0430, 0x4030];
    let mut wire = Rpcx.open(Side::Server, &Limits::default());
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice >> 16) as usize % sides
    };
    for seq in 0..20_000 {
        let [service, method] = names[roll(names.len()) * roll(2)];
        let body = bodies[roll(bodies.len())];
        let sections = [service, method, metas[roll(metas.len())], body];
        let mut bytes = frame(flags[roll(flags.len())], seq, sections);
        // Lengths of bodies that say less, as Go lets pass, or more, as nobody does.
        let at = bytes.len() - body.len() - 1;
        let lie = (roll(8) == 0, bytes[at].wrapping_sub(1), bytes[at].wrapping_add(1));
        match lie {
            (true, less, _) if roll(4) > 0 => bytes[at] = less.min(bytes[at]),
            (true, _, more) => bytes[at] = more,
            _ => {}
        }
        let seen = feed(&mut *wire, &bytes, &[]);
        let fresh = feed(&mut *Rpcx.open(Side::Server, &Limits::default()), &bytes, &[]);
        assert!(same(&seen, &fresh), "{seen:?} and {fresh:?}");
    }
}
