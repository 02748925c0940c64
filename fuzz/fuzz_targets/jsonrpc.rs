//! JSON-RPC 1.0 and 2.0, both sides: the same events however the bytes are cut; whatever is
//! answered is JSON, a line each.

#![no_main]

use bytes::Bytes;
use farcall_core::{Value, Why};
use farcall_fuzz::{Table, feed, limits, serve, settings, wide};
use farcall_wire::{Protocol, Side, format::json, jsonrpc};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([flags, cuts, dice], bytes)) = settings(data) else { return };
    let (side, limits) = (if flags & 1 == 0 { Side::Server } else { Side::Client }, limits());
    let version = if flags & 2 == 0 { &jsonrpc::V2 } else { &jsonrpc::V1 };
    let open = || version.open(side, &limits);
    feed::check(&open, &Table, bytes, cuts, 1 + usize::from(flags >> 4));
    if side == Side::Server {
        let served = serve::serve(&mut *open(), &Table, &feed::pieces(bytes, cuts), dice);
        let text = std::str::from_utf8(&served.out).expect("answers are UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        text.lines().for_each(is_json);
    }
});

/// Ids are echoed as they came, and no number is too large for JSON.
fn is_json(line: &str) {
    match json::decode_strict::<Value>(&Bytes::copy_from_slice(line.as_bytes()), wide()) {
        Err(fault) => assert!(matches!(fault.why(), Why::OutOfRange { .. }), "{line}: {fault}"),
        Ok(value) => drop(value),
    }
}
