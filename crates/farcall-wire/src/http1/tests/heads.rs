//! Heads and bodies that are wrong, each with its variant; every one of them fed whole, byte by
//! byte and cut at every offset, and followed by a request that must not be seen.

use super::kit::{answers, check};
use crate::http1::Broken;
use farcall_core::Limits;

/// What a smuggler would have served.
const NEXT: &str = "POST /Arith/Mul HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";

/// Asserts how `request` is broken, with and without something behind it.
fn broken(limits: &Limits, request: &[u8], expected: &Broken) {
    for next in ["", NEXT] {
        let bytes = [request, next.as_bytes()].concat();
        let seen = check(limits, &bytes);
        let text = String::from_utf8_lossy(request);
        assert_eq!(seen.end, Err(expected.clone().into()), "{text:?}");
        assert!(seen.found.is_empty(), "{text:?} gave {:?}", seen.events());
        let answers = answers(&seen.out, text.starts_with("HEAD"));
        // An announcement of the body may come first.
        let last = answers.last().expect("an answer");
        assert_eq!(last.status, expected.status(), "{text:?}");
        assert_eq!(last.field("connection"), Some("close"));
        if !text.starts_with("HEAD") {
            assert!(last.body.contains("{\"error\":{\"code\":\""), "{last:?}");
        }
    }
}

/// A request with these lines between `Host` and the body.
fn post(fields: &str, body: &str) -> String {
    format!("POST /Arith/Mul HTTP/1.1\r\nHost: h\r\n{fields}\r\n{body}")
}

#[test]
fn first_lines() {
    use Broken::*;
    for (line, expected) in [
        ("", RequestLine),
        ("POST", RequestLine),
        ("POST /", RequestLine),
        ("POST / HTTP/1.1 ", RequestLine),
        (" POST / HTTP/1.1", RequestLine),
        ("POST  / HTTP/1.1", RequestLine),
        ("POST /  HTTP/1.1", RequestLine),
        ("POST / x HTTP/1.1", RequestLine),
        ("POST / HTTP/1.10", RequestLine),
        ("POST / HTTP/11", RequestLine),
        ("POST / http/1.1", RequestLine),
        ("POST / HTTP/1.a", RequestLine),
        ("POST / HTTP/1.1\t", RequestLine),
        ("POST / HTTPS/1.1", RequestLine),
        ("POST / HTTP/0.9", Version),
        ("POST / HTTP/1.2", Version),
        ("POST / HTTP/2.0", Version),
        ("GET / HTTP/3.0", Version),
        ("P\u{0}ST / HTTP/1.1", Method),
        ("PO(ST / HTTP/1.1", Method),
        ("\u{fe}POST / HTTP/1.1", Method),
        ("post / HTTP/1.1", MethodUnknown),
        ("POSTS / HTTP/1.1", MethodUnknown),
        ("PRI * HTTP/2.0", MethodUnknown),
        ("BREW /pot HTTP/1.1", MethodUnknown),
        ("POST /a\tb HTTP/1.1", Target),
        ("POST /a\u{0}b HTTP/1.1", Target),
        ("POST /ä HTTP/1.1", Target),
        ("POST /a#b HTTP/1.1", Target),
        ("POST /a\\b HTTP/1.1", Target),
        ("POST /a%2 HTTP/1.1", Target),
        ("POST /a%zz HTTP/1.1", Target),
        ("POST /a?b=% HTTP/1.1", Target),
        ("POST * HTTP/1.1", Target),
        ("POST Arith/Mul HTTP/1.1", Target),
        ("POST h:80 HTTP/1.1", Target),
        ("POST http:///Arith/Mul HTTP/1.1", Target),
        ("POST http://u@h/Arith/Mul HTTP/1.1", Target),
        ("POST https://h/Arith/Mul HTTP/1.1", Scheme),
        ("POST ftp://h/Arith/Mul HTTP/1.1", Scheme),
        ("POST / \rHTTP/1.1", BareCr),
        ("POST /\r HTTP/1.1", BareCr),
        ("CONNECT h:80 HTTP/1.1", Connect),
        ("CONNECT /_rpcx HTTP/1.0", Connect),
        ("CONNECT /_rpcx_/ HTTP/1.0", Connect),
        ("CONNECT /_rpcx_?x HTTP/1.1", Connect),
        ("CONNECT http://h/_rpcx_ HTTP/1.1", Connect),
        ("CONNECT /%5frpcx_ HTTP/1.1", Connect),
        ("CONNECT /jsonrpc HTTP/1.1", Connect),
        ("CONNECT /Arith/Mul HTTP/1.1", Connect),
        ("CONNECT /page HTTP/1.1", Connect),
    ] {
        let request = format!("{line}\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        // The first empty line is let pass, the second is not.
        let request = if line.is_empty() { format!("\r\n{request}") } else { request };
        broken(&Limits::default(), request.as_bytes(), &expected);
    }
}

#[test]
fn line_ends() {
    for request in [
        "POST /Arith/Mul HTTP/1.1\nHost: h\n\n",
        "POST /Arith/Mul HTTP/1.1\r\nHost: h\n\r\n",
        "POST /Arith/Mul HTTP/1.1\r\nHost: h\r\n\n",
        "POST /Arith/Mul HTTP/1.0\n\n",
        "CONNECT /_rpcx_ HTTP/1.1\n\n",
    ] {
        broken(&Limits::default(), request.as_bytes(), &Broken::BareLf);
    }
    // Go's clients write this where they get no further.
    broken(&Limits::default(), b"CONNECT /_rpcx HTTP/1.0\n\n", &Broken::Connect);
    broken(&Limits::default(), b"CONNECT /_rpcx_ HTTP/1.0\nA: b\rc\n\n", &Broken::BareCr);
    broken(&Limits::default(), post("A: b\rc\r\n", "").as_bytes(), &Broken::BareCr);
    broken(&Limits::default(), post("A: b\r\r\n", "").as_bytes(), &Broken::BareCr);
    broken(&Limits::default(), post("\rA: b\r\n", "").as_bytes(), &Broken::BareCr);
}

#[test]
fn fields() {
    use Broken::*;
    let table: &[(&str, Broken)] = &[
        (" Content-Length: 5\r\n", Folded),
        ("A: b\r\n c\r\n", Folded),
        ("A: b\r\n\tc\r\n", Folded),
        ("Transfer-Encoding:\r\n chunked\r\n", Coding),
        ("Content-Length : 5\r\n", SpaceBeforeColon),
        ("Transfer-Encoding\t: chunked\r\n", SpaceBeforeColon),
        ("A b: c\r\n", Name { byte: b' ' }),
        ("A(b: c\r\n", Name { byte: b'(' }),
        ("A\u{0}: c\r\n", Name { byte: 0 }),
        ("\u{e9}: c\r\n", Name { byte: 0xc3 }),
        ("A\"b: c\r\n", Name { byte: b'"' }),
        (": c\r\n", NameEmpty),
        ("Content-Length\r\n", NoColon),
        ("garbage\r\n", NoColon),
        ("A: b\u{0}c\r\n", Value { byte: 0 }),
        ("A: b\u{1}c\r\n", Value { byte: 1 }),
        ("A: b\u{b}c\r\n", Value { byte: 0xb }),
        ("A: b\u{7f}\r\n", Value { byte: 0x7f }),
        ("A: \u{1b}[2J\r\n", Value { byte: 0x1b }),
        ("Host: h\r\n", HostRepeated),
        ("host: other\r\n", HostRepeated),
        ("Expect: 200-maybe\r\n", Expectation),
        ("Expect: 100-continue, 100-continue\r\n", Expectation),
    ];
    for (fields, expected) in table {
        broken(&Limits::default(), post(fields, "").as_bytes(), expected);
    }
    for host in ["a,b", "a b", "a@b", "a/b", "a:b", "a:1:2", ":1", "[::1", "[]", "[::1]x", "a'b"] {
        let request = format!("POST /Arith/Mul HTTP/1.1\r\nHost: {host}\r\n\r\n");
        broken(&Limits::default(), request.as_bytes(), &Host);
    }
    broken(&Limits::default(), b"POST /Arith/Mul HTTP/1.1\r\n\r\n", &HostMissing);
    broken(&Limits::default(), b"POST http://h/Arith/Mul HTTP/1.1\r\n\r\n", &HostMissing);
    let twice = b"POST /Arith/Mul HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n";
    broken(&Limits::default(), twice, &HostRepeated);
}

#[test]
fn lengths() {
    use Broken::*;
    for value in [
        "",
        "+5",
        "-5",
        "5 5",
        "5,5",
        "5, 5",
        "5,6",
        "0x5",
        "5a",
        "5.0",
        "5;",
        "\"5\"",
        "٥",
        "1e3",
        "5\t5",
        "18446744073709551616",
        "99999999999999999999999",
        ",5",
        "5,",
    ] {
        let request = post(&format!("Content-Length: {value}\r\n"), "12345");
        broken(&Limits::default(), request.as_bytes(), &Length);
    }
    let coding = "Transfer-Encoding: chunked\r\n";
    for (fields, expected) in [
        ("Content-Length: 5\r\nContent-Length: 5\r\n".to_owned(), LengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 6\r\n".to_owned(), LengthRepeated),
        ("Content-Length: 5\r\ncontent-length: 5\r\n".to_owned(), LengthRepeated),
        (format!("Content-Length: 5\r\n{coding}"), LengthAndCoding),
        (format!("{coding}Content-Length: 5\r\n"), LengthAndCoding),
        (format!("Content-Length: 0\r\n{coding}"), LengthAndCoding),
        (format!("{coding}{coding}"), CodingRepeated),
        (format!("{coding}Transfer-Encoding: identity\r\n"), CodingRepeated),
        (format!("Transfer-Encoding: gzip\r\n{coding}"), Coding),
        ("Content-Length: 16777217\r\n".to_owned(), BodyLong { limit: 16 << 20 }),
        ("Content-Length: 18446744073709551615\r\n".to_owned(), BodyLong { limit: 16 << 20 }),
    ] {
        broken(&Limits::default(), post(&fields, "0\r\n\r\n").as_bytes(), &expected);
    }
    for value in [
        "",
        "identity",
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked;q=1",
        "chunk\ted",
        "cow",
    ] {
        let request = post(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n");
        broken(&Limits::default(), request.as_bytes(), &Coding);
    }
    let old = "POST /Arith/Mul HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    broken(&Limits::default(), old.as_bytes(), &CodingOld);
}

#[test]
fn chunks() {
    use Broken::*;
    let limits =
        Limits { message_bytes: 100, head_bytes: 200, head_fields: 4, ..Limits::default() };
    let long = format!("1;{}\r\n", "x".repeat(200));
    let twice = format!("1;{}\r\nx\r\n", "x".repeat(99)).repeat(3);
    let trailers = format!("0\r\nA: {}\r\n\r\n", "x".repeat(200));
    for (body, expected) in [
        ("\r\n", ChunkSize),
        ("x\r\n", ChunkSize),
        ("+1\r\nx\r\n0\r\n\r\n", ChunkSize),
        ("-1\r\nx\r\n0\r\n\r\n", ChunkSize),
        ("0x1\r\nx\r\n0\r\n\r\n", ChunkSize),
        (" 1\r\nx\r\n0\r\n\r\n", ChunkSize),
        ("1 \r\nx\r\n0\r\n\r\n", ChunkSize),
        ("1 ;a=b\r\nx\r\n0\r\n\r\n", ChunkSize),
        ("1\tx\r\n", ChunkSize),
        ("1,1\r\nx\r\n", ChunkSize),
        ("1;a\u{0}\r\nx\r\n", ChunkSize),
        ("1;a\rb\r\nx\r\n", ChunkSize),
        ("00000000000000001\r\nx\r\n", ChunkSize),
        ("1\nx\r\n0\r\n\r\n", BareLf),
        ("1;a=b\nx\r\n0\r\n\r\n", BareLf),
        ("1\r\nx\n0\r\n\r\n", ChunkEnd),
        ("1\r\nxy\r\n0\r\n\r\n", ChunkEnd),
        ("2\r\nx\r\n0\r\n\r\n", ChunkEnd),
        ("1\r\nx0\r\n\r\n", ChunkEnd),
        ("65\r\n", BodyLong { limit: 100 }),
        ("ffffffffffffffff\r\n", BodyLong { limit: 100 }),
        ("8000000000000000\r\n", BodyLong { limit: 100 }),
        (&long, ChunkLong { limit: 200 }),
        (&twice, ChunkLong { limit: 200 }),
        (&trailers, TrailersLong { limit: 200 }),
        ("0\r\nA: b\r\n\n", BareLf),
        ("0\r\nA : b\r\n\r\n", SpaceBeforeColon),
        ("0\r\n A: b\r\n\r\n", Folded),
        ("0\r\nA\r\n\r\n", NoColon),
        ("0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n", FieldsMany { limit: 4 }),
    ] {
        for path in ["/Arith/Mul", "/not/there", "/"] {
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
            broken(&limits, [&head, body].concat().as_bytes(), &expected);
        }
    }
}

#[test]
fn limits() {
    let limits = Limits { head_bytes: 128, head_fields: 4, ..Limits::default() };
    let (limit, fields) = (limits.head_bytes, limits.head_fields);
    let lines = |count| (1..count).map(|n| format!("A{n}: b\r\n")).collect::<String>();
    assert!(check(&limits, post(&lines(fields), "").as_bytes()).end.is_ok());
    let request = post(&lines(fields + 1), "");
    broken(&limits, request.as_bytes(), &Broken::FieldsMany { limit: fields });
    // Exactly as long as allowed, and one byte more.
    let sized = |bytes: usize| {
        let empty = post("A: \r\n", "").len();
        post(&format!("A: {}\r\n", "x".repeat(bytes - empty)), "")
    };
    assert!(check(&limits, sized(limit).as_bytes()).end.is_ok());
    broken(&limits, sized(limit + 1).as_bytes(), &Broken::HeadLong { limit });
    let request = format!("POST /{}", "a".repeat(limit));
    broken(&limits, request.as_bytes(), &Broken::TargetLong { limit });
    broken(&limits, &[b'A'; 200], &Broken::TargetLong { limit });
    // The answer to a broken `HEAD` has no body either.
    broken(&limits, b"HEAD / HTTP/1.1\r\nHost: h\r\nA\r\n\r\n", &Broken::NoColon);
}

/// What lies behind `CONNECT` is a tunnel's, or nobody's: never a body that others may see there.
#[test]
fn connects() {
    use Broken::*;
    let coding = "Transfer-Encoding: chunked\r\n";
    for path in ["/_rpcx_", "/_goRPC_", "h:80"] {
        for (fields, expected) in [
            ("Content-Length: 4\r\n".to_owned(), ConnectBody),
            (coding.to_owned(), ConnectBody),
            (format!("{coding}Content-Length: 4\r\n"), LengthAndCoding),
            (format!("Content-Length: 0\r\n{coding}"), LengthAndCoding),
            ("Content-Length: 0\r\nContent-Length: 0\r\n".to_owned(), LengthRepeated),
            ("Content-Length: +0\r\n".to_owned(), Length),
            ("Transfer-Encoding: identity\r\n".to_owned(), Coding),
            ("Content-Length : 0\r\n".to_owned(), SpaceBeforeColon),
            ("Host: h\r\n".to_owned(), HostRepeated),
            (" A: b\r\n".to_owned(), Folded),
            ("A: b\nC: d\r\n".to_owned(), BareLf),
        ] {
            let request = format!("CONNECT {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n0\r\n\r\n");
            broken(&Limits::default(), request.as_bytes(), &expected);
        }
        // Line feeds alone are Go's way, and no reason to be lenient otherwise.
        for (fields, expected) in [
            ("Content-Length: 4\n", ConnectBody),
            ("Transfer-Encoding: chunked\n", CodingOld),
            ("Content-Length : 4\n", SpaceBeforeColon),
            (" A: b\n", Folded),
            ("A\n", NoColon),
        ] {
            let request = format!("CONNECT {path} HTTP/1.0\n{fields}\n0\r\n\r\n");
            broken(&Limits::default(), request.as_bytes(), &expected);
        }
    }
    // Both lengths are refused on every path that has a meaning of its own.
    for line in ["POST /jsonrpc", "POST /page", "GET /page", "PUT /page", "POST /_rpcx_"] {
        for fields in ["", "X-RPCX-ServicePath: Arith\r\n", "X-JSONRPC-2.0: true\r\n"] {
            let request = format!(
                "{line} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: 4\r\n{coding}\r\n0\r\n\r\n"
            );
            broken(&Limits::default(), request.as_bytes(), &LengthAndCoding);
        }
    }
}

/// There is one way to write a path, but for percent-encoding, which is undone once.
#[test]
fn paths() {
    let ask = |path: &str| {
        let request = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1");
        check(&Limits::default(), request.as_bytes()).events()
    };
    for path in ["/Arith/Mul", "/Arith/Mul?x", "/%41rith/Mul", "/%41%72%69%74%68/%4d%75%6C"] {
        assert_eq!(ask(path), ["call 0 #0 none 1"], "{path}");
    }
    let others = "/Arith//Mul //Arith/Mul /Arith/./Mul /Arith/../Arith/Mul /./Arith/Mul \
        /Arith/Mul/ /Arith/Mul/. /Arith/Mul/.. /Arith%2FMul /Arith%2fMul /%2FArith/Mul \
        /Arith/%2FMul /Arith/Mul%2F /Arith/Mul%00 /Arith/Mul%20 /Arith/%20Mul /Arith/Mul%0d%0a \
        /Arith/Mul;a=b /Arith;x/Mul /Arith/Mul: /arith/mul /ARITH/MUL /Arith.Mul /Arith%2EMul \
        /Arith/Mul. /Arith/.Mul /%2e/Arith/Mul /%2e%2e/Arith/Mul /Arith/%2e%2e/Mul \
        /Arith/%252fMul /%2541rith/Mul /Arith/Mu%256c /Arith/Mul%3Fx /Arith/Mul%23 /Arith%5CMul \
        /Arith/Mul, /Arith/M%C3%BCl /Arith/Mul* /Arith/Mul~1 /Arith/Mul@h /Ar/ith/Mul \
        /Arith/Mul/Mul /?/Arith/Mul /Arith?/Mul";
    assert!(others.split_whitespace().count() >= 40);
    for path in others.split_whitespace() {
        let events = ask(path);
        assert!(events.iter().all(|event| event.starts_with("no ")), "{path} gave {events:?}");
    }
}
