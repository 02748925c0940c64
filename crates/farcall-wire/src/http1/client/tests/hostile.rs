//! Answers that two readers could read differently, and answers that nobody wrote on purpose.

use super::{check, feed};
use crate::http1::Broken;
use farcall_core::Limits;

/// Each is refused, and so what hides behind it is never taken for another answer.
#[test]
fn what_is_ambiguous_is_refused() {
    use Broken::*;
    let ok = "HTTP/1.1 200 OK\r\n";
    let head = |fields: &str| format!("{ok}{fields}\r\n");
    let chunks = |body: &str| format!("{ok}Transfer-Encoding: chunked\r\n\r\n{body}");
    let hidden = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n9";
    let cases = [
        (head("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), LengthAndCoding),
        (head("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), LengthAndCoding),
        (head("Content-Length: 1\r\nContent-Length: 1\r\n"), LengthRepeated),
        (head("Content-Length: 1\r\nContent-Length: 2\r\n"), LengthRepeated),
        (head("Content-Length: 1, 1\r\n"), Length),
        (head("Content-Length: +1\r\n"), Length),
        (head("Content-Length: -1\r\n"), Length),
        (head("Content-Length: 0x1\r\n"), Length),
        (head("Content-Length: 1_0\r\n"), Length),
        (head("Content-Length: 1 0\r\n"), Length),
        (head("Content-Length:\r\n"), Length),
        (head("Content-Length: 18446744073709551616\r\n"), Length),
        (head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), CodingRepeated),
        (head("Transfer-Encoding: gzip, chunked\r\n"), Coding),
        (head("Transfer-Encoding: chunked, identity\r\n"), Coding),
        (head("Transfer-Encoding: identity\r\n"), Coding),
        (head("Transfer-Encoding: xchunked\r\n"), Coding),
        (head("Transfer-Encoding: \"chunked\"\r\n"), Coding),
        (head("Transfer-Encoding: \x0bchunked\r\n"), Value { byte: 0x0b }),
        (head("Transfer-Encoding : chunked\r\n"), SpaceBeforeColon),
        (head("Content-Length\t: 1\r\n"), SpaceBeforeColon),
        (head("A: b\r\n Content-Length: 1\r\n"), Folded),
        (head("\tContent-Length: 1\r\n"), Folded),
        (head("A: b\nContent-Length: 1\r\n"), BareLf),
        (head("A: b\rContent-Length: 1\r\n"), BareCr),
        (head("A: b\0\r\n"), Value { byte: 0 }),
        (head("A\0: b\r\n"), Name { byte: 0 }),
        (head("Cöntent: b\r\n"), Name { byte: 0xc3 }),
        (head(": 1\r\n"), NameEmpty),
        (head("Content-Length 1\r\n"), NoColon),
        (format!("{ok}Content-Length: 1\n\n"), BareLf),
        ("HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\n".to_owned(), BareLf),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), CodingOld),
        ("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n".to_owned(), BodyForbidden { status: 204 }),
        (
            "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            BodyForbidden { status: 204 },
        ),
        ("HTTP/1.1 100 Go\r\nContent-Length: 5\r\n\r\n".to_owned(), BodyForbidden { status: 100 }),
        (
            "HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            BodyForbidden { status: 103 },
        ),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(), Switched),
        ("HTTP/1.1 100 Go\r\n\r\n".repeat(17), InterimMany { limit: 16 }),
        ("HTTP/2 200\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.2 200 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 20 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 600 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 +20 OK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 200\tOK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 200 O\rK\r\n\r\n".to_owned(), StatusLine),
        ("HTTP/1.1 200 O\0K\r\n\r\n".to_owned(), StatusLine),
        ("http/1.1 200 OK\r\n\r\n".to_owned(), StatusLine),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(), StatusLine),
        ("ICY 200 OK\r\n\r\n".to_owned(), StatusLine),
        ("{\"C\":42}".to_owned(), StatusLine),
        (chunks("g\r\n"), ChunkSize),
        (chunks("0x1\r\n"), ChunkSize),
        (chunks("-1\r\n"), ChunkSize),
        (chunks("\r\n"), ChunkSize),
        (chunks("1 \r\n"), ChunkSize),
        (chunks("10000000000000000\r\n"), ChunkSize),
        (chunks("1\n4\r\n0\r\n\r\n"), BareLf),
        (chunks("1\r\n42\r\n"), ChunkEnd),
        (chunks("1\r\n4\n0\r\n\r\n"), ChunkEnd),
        (chunks("1\r\n40\r\n\r\n"), ChunkEnd),
        (chunks("0\r\nno colon\r\n\r\n"), NoColon),
        (chunks("0\r\nA : b\r\n\r\n"), SpaceBeforeColon),
    ];
    assert!(cases.len() >= 60, "{}", cases.len());
    for (answer, broken) in cases {
        let seen = check(&Limits::default(), 2, format!("{answer}{hidden}").as_bytes(), false);
        assert_eq!(seen.broken(), Some(broken), "{answer:?}");
        assert!(seen.replies.is_empty(), "{answer:?} {seen:?}");
    }
}

/// With a server that says more than it was asked, nobody speaks again.
#[test]
fn what_follows_an_answer_must_have_been_asked_for() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
    for more in ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2", "2", "\r\n", "\0"] {
        let seen = check(&Limits::default(), 1, format!("{answer}{more}").as_bytes(), false);
        assert_eq!((seen.replies.len(), seen.broken()), (1, Some(Broken::Unasked)), "{more:?}");
    }
    let seen = check(&Limits::default(), 0, answer.as_bytes(), false);
    assert_eq!(seen.broken(), Some(Broken::Unasked));
}

#[test]
fn limits_are_exact() {
    let limits = Limits { message_bytes: 10, head_bytes: 100, head_fields: 3, ..Limits::default() };
    let ok = "HTTP/1.1 200 OK\r\n";
    let fields =
        |count: usize| format!("{ok}{}Content-Length: 0\r\n\r\n", "A: b\r\n".repeat(count));
    let long = |length: usize| {
        let rest = "\r\nContent-Length: 0\r\n\r\n";
        format!("{ok}A: {}{rest}", "b".repeat(length - ok.len() - 3 - rest.len()))
    };
    for (answer, ended, broken) in [
        (format!("{ok}Content-Length: 10\r\n\r\n0123456789"), false, None),
        (format!("{ok}Content-Length: 11\r\n\r\n"), false, Some(Broken::BodyLong { limit: 10 })),
        (format!("{ok}\r\n0123456789"), true, None),
        (format!("{ok}\r\n0123456789a"), true, Some(Broken::BodyLong { limit: 10 })),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"),
            false,
            None,
        ),
        (
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n"),
            false,
            Some(Broken::BodyLong { limit: 10 }),
        ),
        (fields(2), false, None),
        (fields(3), false, Some(Broken::FieldsMany { limit: 3 })),
        (long(100), false, None),
        (long(101), false, Some(Broken::HeadLong { limit: 100 })),
    ] {
        let seen = check(&limits, 1, answer.as_bytes(), ended);
        assert_eq!(seen.broken(), broken, "{answer:?} {seen:?}");
        assert_eq!(seen.replies.len(), usize::from(broken.is_none()), "{answer:?}");
    }
}

#[test]
fn mutations_never_panic_and_never_depend_on_cuts() {
    let limits = Limits { message_bytes: 64, head_bytes: 256, head_fields: 8, ..Limits::default() };
    let seeds = [
        "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Meta: a%20=b&c\r\n\r\n{\"C\":42}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nno\n",
        "HTTP/1.1 500 Oops\r\nContent-Length: 37\r\n\r\n\
         {\"error\":{\"code\":\"aborted\",\"message\":1}}",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |sides: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % sides
    };
    let (mut broken, mut replies, mut bytes) = (0, 0, Vec::new());
    for _ in 0..30_000 {
        bytes.clear();
        for _ in 0..1 + below(3) {
            bytes.extend_from_slice(seeds[below(seeds.len())].as_bytes());
        }
        for _ in 0..below(4) {
            let at = below(bytes.len());
            match below(6) {
                0 => bytes[at] = below(256) as u8,
                1 => bytes[at] ^= 1 << below(8),
                2 => bytes[at] = b"\r\n\0 :,;\t%/0"[below(11)],
                3 if bytes.len() > 1 => drop(bytes.remove(at)),
                4 => bytes.insert(at, b"\r\n\0 :,;\t%/0"[below(11)]),
                _ => bytes.truncate(at + 1),
            }
        }
        let mut cuts = [below(bytes.len()), below(bytes.len())];
        cuts.sort_unstable();
        let whole = feed(&limits, 3, &bytes, &[], true);
        let cut = feed(&limits, 3, &bytes, &cuts, true);
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(whole.short(), cut.short(), "{text:?} cut at {cuts:?}");
        broken += usize::from(whole.end.is_err());
        replies += whole.replies.len();
    }
    assert!(broken > 3000 && replies > 10_000, "{broken} {replies}");
}
