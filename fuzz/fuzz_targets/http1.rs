//! HTTP/1.1, the server's side: the same requests however the bytes are cut, answers that can be
//! read, as many as there were requests, in their order.

#![no_main]

use farcall_fuzz::{feed, limits, serve, settings};
use farcall_wire::{Protocol, Side, http1::Http};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([flags, cuts, dice], bytes)) = settings(data) else { return };
    let limits = limits();
    feed::check(&Http, Side::Server, &limits, bytes, cuts, 1 + usize::from(flags >> 4));
    let served =
        serve::serve(&mut *Http.open(Side::Server, &limits), &feed::pieces(bytes, cuts), dice);
    // Answers to HEAD have a length and no body: only who asked can read them.
    if !bytes.windows(5).any(|word| word == b"HEAD ") {
        assert!(answers(&served.out) >= served.answered.len(), "{served:?}");
    }
});

/// Reads answers as RFC 9112 §6.3 says; how many there are.
fn answers(mut rest: &[u8]) -> usize {
    let mut count = 0;
    while !rest.is_empty() {
        let end = rest.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&rest[..end]).expect("text");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head:?}");
        let status: u16 = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|line| line.get(..3)?.parse().ok())
            .expect("a line of status");
        rest = &rest[end + 4..];
        if status >= 200 {
            let length = head.split("\r\n").find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim())
            });
            let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
            std::str::from_utf8(&rest[..length]).expect("text");
            rest = &rest[length..];
            count += 1;
        }
    }
    count
}
