//! What strangers may send: refused by name, with memory and work bounded by what came.

use super::kit::{check, client, feed, server, talk};
use super::said;
use crate::jsonrpc::Broken;
use crate::{Event, Fed, Wire};
use farcall_core::Limits;

fn end(text: &str) -> Result<Fed, crate::Broken> {
    feed(&mut *server(&Limits::default()), text.as_bytes(), &[]).end
}

#[test]
fn what_is_no_json_is_told_and_closed() {
    for (text, at, rule) in [
        ("{\"method\":}", 10, "a value was expected"),
        ("{]", 1, "keys are text in quotes"),
        ("{\"a\" 1}", 5, "a colon follows the key"),
        ("{\"a\":01}", 6, "a number is malformed"),
        ("{\"a\":1.}", 7, "a number is malformed"),
        ("{\"a\":+1}", 5, "a value was expected"),
        ("{\"a\":nul}", 8, "the only words are true, false and null"),
        ("{\"a\":NaN}", 5, "a value was expected"),
        ("{\"a\":\"\\x\"}", 7, "there is no such escape"),
        ("{\"a\":\"\\u12g4\"}", 10, "four hexadecimal digits follow \\u"),
        ("{\"a\":\"\n\"}", 6, "control characters in text must be escaped"),
        ("{\"a\":1,}", 7, "keys are text in quotes"),
        ("[1,]", 3, "a value was expected"),
        ("[1}", 2, "a comma or the end of a list or object was expected"),
        ("{\"a\":1]", 6, "a comma or the end of a list or object was expected"),
        ("{}garbage", 0, "a value was expected"),
        ("{}\u{feff}", 0, "a value was expected"),
        ("[{\"jsonrpc\":\"2.0\",\"method\"", 0, ""),
    ] {
        let seen = check(&|| server(&Limits::default()), text.as_bytes());
        if rule.is_empty() {
            assert_eq!(seen.end, Ok(Fed::Hungry { need: 1 }), "{text}");
            continue;
        }
        assert_eq!(seen.end, Err(Broken::Syntax { at, rule }.into()), "{text}");
        assert!(seen.out.contains("\"code\":-32700,"), "{text}: {}", seen.out);
        assert!(seen.out.ends_with("\"id\":null}\n"), "{text}: {}", seen.out);
    }
    for scalar in ["5", "\"x\"", "true", "-1"] {
        assert_eq!(end(scalar), Err(Broken::Scalar.into()));
    }
    assert_eq!(end("{\"method\":7,\"params\":[{}],\"id\":1}"), Err(Broken::Method.into()));
}

#[test]
fn depth_is_bounded() {
    let limits = Limits { body_depth: 10, ..Limits::default() };
    let request = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"params\":{open}{close},\"id\":1}}"
        )
    };
    let seen = check(&|| server(&limits), request(11).as_bytes());
    assert_eq!((seen.found.len(), seen.end), (1, Ok(Fed::Hungry { need: 0 })));
    let seen = check(&|| server(&limits), request(20).as_bytes());
    assert_eq!(seen.end, Err(Broken::TooDeep { limit: 10 }.into()));
    assert!(seen.out.contains("-32600") && seen.out.contains("Limits::body_depth"));
    for bomb in ["[", "{\"a\":", "{\"params\":[", "[{\"id\":"] {
        let bomb = bomb.repeat(1_000_000);
        assert_eq!(end(&bomb), Err(Broken::TooDeep { limit: 100 }.into()));
        let seen = feed(&mut *client(false, &Limits::default()), bomb.as_bytes(), &[]);
        assert_eq!(seen.end, Err(Broken::TooDeep { limit: 100 }.into()));
    }
}

#[test]
fn length_is_bounded() {
    let limits = Limits { message_bytes: 100, ..Limits::default() };
    let text = |len: usize| format!("{{\"jsonrpc\":\"2.0\",\"x\":\"{}\"}}", "x".repeat(len - 24));
    let seen = check(&|| server(&limits), text(164).as_bytes());
    assert_eq!(seen.end, Ok(Fed::Hungry { need: 0 }));
    let long = text(165);
    for cuts in [&[][..], &[50], &[164]] {
        let seen = feed(&mut *server(&limits), long.as_bytes(), cuts);
        assert_eq!(seen.end, Err(Broken::MessageLong { limit: 100 }.into()), "{cuts:?}");
        assert!(seen.out.contains("Limits::message_bytes"));
    }
    // What never ends is not waited for.
    let endless = feed(&mut *server(&limits), &long.as_bytes()[..164], &[]);
    assert_eq!(endless.end, Ok(Fed::Hungry { need: 1 }));
    let endless = feed(&mut *server(&limits), format!("[{}", " ".repeat(164)).as_bytes(), &[]);
    assert_eq!(endless.end, Err(Broken::MessageLong { limit: 100 }.into()));
}

/// What is wrong beyond the limit is not seen, whether or not the bytes are there already.
#[test]
fn nothing_is_looked_at_beyond_the_limit() {
    let limits = Limits { message_bytes: 100, ..Limits::default() };
    for at in [160, 164, 165, 200] {
        let mut text = format!("[{}", " ".repeat(300)).into_bytes();
        text[at] = b'}';
        let long = Err(Broken::MessageLong { limit: 100 }.into());
        for open in [&|| server(&limits), &|| client(false, &limits)] as [&dyn Fn() -> _; 2] {
            let seen = check(open, &text);
            assert_eq!(seen.end == long, at >= 164, "{at}: {seen:?}");
        }
    }
}

#[test]
fn a_million_members() {
    let id = "\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"id\":1";
    let members = "\"m\":0,".repeat(1_000_000);
    assert!(said(&format!("{{{members}{id}}}"), "5").contains("\"result\":5"));
    let escaped = "\"\\u0069\\u0064\\u0000\":0,".repeat(100_000);
    assert!(said(&format!("{{{escaped}{id}}}"), "5").contains("\"result\":5"));
    let ids = "\"id\":0,".repeat(1_000_000);
    assert!(said(&format!("{{{ids}{id}}}"), "5").contains("a member comes twice"));
    // The last one counts in 1.0, as in Go.
    let one = format!("{{{ids}\"method\":\"Arith.Mul\",\"params\":[],\"ID\":2}}");
    assert_eq!(said(&one, "5"), "{\"id\":2,\"result\":5,\"error\":null}\n");
    let bomb = format!("[{}1]", "1,".repeat(1_000_000));
    let answer = said(&bomb, "5");
    assert!(answer.len() < 200 && answer.contains("1000001 calls"), "{answer}");
    let empty = "[]".repeat(10_000);
    assert_eq!(said(&empty, "").matches("an empty batch").count(), 10_000);
}

#[test]
fn long_ids_and_names() {
    let mega = "x".repeat(1 << 20);
    let number = "1".repeat(1 << 20);
    for id in [format!("\"{mega}\""), number] {
        for version in ["", "\"jsonrpc\":\"2.0\","] {
            let call = format!("{{{version}\"method\":\"Arith.Mul\",\"params\":[],\"id\":{id}}}");
            let answer = said(&call, "5");
            assert!(answer.len() < 200 && answer.contains("Limits::name_bytes"), "{answer}");
        }
    }
    for version in ["", "\"jsonrpc\":\"2.0\","] {
        let call = format!("{{{version}\"method\":\"{mega}.Mul\",\"params\":[],\"id\":1}}");
        let answer = said(&call, "5");
        assert!(answer.len() < 200 && answer.contains("Limits::name_bytes"), "{answer}");
    }
}

/// Lone halves of surrogates are JSON, and no characters; bytes that are not UTF-8 are neither.
#[test]
fn text_that_is_none() {
    let call = "{\"jsonrpc\":\"2.0\",\"method\":\"Arith.\\ud800x\",\"id\":\"\\udc00\"}";
    let seen = check(&|| server(&Limits::default()), call.as_bytes());
    assert_eq!(seen.events(), ["call V2 "]);
    assert!(said(call, "5").ends_with("\"id\":\"\\udc00\"}\n"));
    for (method, id, text) in [
        (&b"Arith.\xff"[..], &b"1"[..], ""),
        (b"\xff.Mul", b"1", "can't find service"),
        (b"A\\n\xff", b"1", "the method is not UTF-8"),
        (b"Arith.Mul", b"\"\xff\"", "the id is not UTF-8"),
        (b"Arith.\\u004dul", b"1", ""),
    ] {
        for version in [&b"{"[..], b"{\"jsonrpc\":\"2.0\","] {
            let call = [version, b"\"params\":[],\"method\":\"", method, b"\",\"id\":", id, b"}"];
            let (answer, end) =
                talk(&mut *server(&Limits::default()), &call.concat(), |_| Ok("5".into()));
            assert_eq!(end, Ok(Fed::Hungry { need: 0 }));
            assert_eq!(answer.contains("\"result\":5"), text.is_empty(), "{answer}");
            assert!(answer.contains(text), "{answer}");
        }
    }
}

/// A flood of what the wire answers by itself lets the machine write in between.
#[test]
fn refusals_do_not_pile_up() {
    let flood = format!("[{}]", "1,".repeat(1000) + "1").repeat(200);
    let mut wire = server(&Limits::default());
    let mut input = flood.as_str().into();
    let (mut events, mut turns) = (Vec::<Event>::new(), 0);
    loop {
        let mut out = crate::Out::new();
        let fed = wire.feed(&mut input, &mut out, &super::kit::Table, &mut events, 1);
        assert!(out.len() < 300_000, "{}", out.len());
        turns += 1;
        if fed != Ok(Fed::Full) {
            break assert_eq!(fed, Ok(Fed::Hungry { need: 0 }));
        }
    }
    assert!(turns > 50, "{turns}");
}

/// Bytes looked at once: a hundred times the message byte by byte takes a hundred times the work.
/// No time is asserted; a quadratic scan would take hours here.
#[test]
fn byte_by_byte_is_linear() {
    let body = "[1.5e3,\"\\u00e9 text\",{\"k\":null}],".repeat(30_000);
    let call =
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"Echo.Any\",\"params\":[{body}0],\"id\":1}}");
    assert!(call.len() > 900_000);
    let cuts: Vec<usize> = (0..call.len()).collect();
    let seen = feed(&mut *server(&Limits::default()), call.as_bytes(), &cuts);
    assert_eq!(seen.found.len(), 1);
    let wire: &mut dyn Wire = &mut *client(false, &Limits::default());
    let reply = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[{body}0]}}");
    let cuts: Vec<usize> = (0..reply.len()).collect();
    assert_eq!(feed(wire, reply.as_bytes(), &cuts).found.len(), 1);
}
