//! The detector: it answers at 24 bytes at the latest, and once it has answered, more bytes change
//! nothing; so of every protocol alone.

#![no_main]

use farcall_wire::{
    Protocol, Sniff, jsonrpc,
    sniff::{Detected, PROTOCOLS, Spoken, detect},
};
use libfuzzer_sys::fuzz_target;

/// At most so many bytes are looked at.
const MOST: usize = 24;

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(4 * MOST)];
    for protocol in PROTOCOLS.iter().copied().chain([&jsonrpc::V1 as &dyn Protocol]) {
        settles(data, protocol.name(), |first| match protocol.sniff(first) {
            Sniff::More => None,
            sniff => Some(format!("{sniff:?}")),
        });
    }
    settles(data, "all", |first| match detect(first, Spoken::all()) {
        Detected::More => None,
        Detected::None => Some("none".to_owned()),
        Detected::NotBuilt(name) => Some(name.to_owned()),
        Detected::Is(protocol) | Detected::Off(protocol) => Some(protocol.name().to_owned()),
    });
});

fn settles(data: &[u8], who: &str, ask: impl Fn(&[u8]) -> Option<String>) {
    let mut said = None;
    for end in 0..=data.len() {
        let now = ask(&data[..end]);
        assert!(said.is_none() || said == now, "{who}: {said:?}, then {now:?} at {end} bytes");
        assert!(end < MOST || now.is_some(), "{who}: cannot tell {end} bytes");
        said = now;
    }
}
