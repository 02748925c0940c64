//! What Go's programs say, fed whole, byte by byte and cut at every offset; ids, batches and
//! refusals; hostile streams; mutations.

mod batch;
mod hostile;
mod kit;
mod random;
mod transcripts;

use super::{Broken, V1, V2};
use crate::{CallHead, Event, Fed, Head, Out, Protocol, Sniff, Wire, sniff};
use farcall_core::{Code, Compress, Format, Limits, Origin, Shape, Shaped, Status, Value};
use kit::{answer_to, check, client, feed, flat, server, talk};

/// A server's answers to these bytes, when every method gives `body`.
fn said(bytes: &str, body: &str) -> String {
    let (text, end) =
        talk(&mut *server(&Limits::default()), bytes.as_bytes(), |_| Ok(body.to_owned()));
    assert_eq!(end, Ok(Fed::Hungry { need: 0 }), "{bytes}");
    text
}

#[test]
fn the_first_byte_tells() {
    let blank = " ".repeat(24);
    for (first, said) in [
        ("", Sniff::More),
        (" \r\n\t", Sniff::More),
        ("{", Sniff::Yes),
        ("[", Sniff::More),
        ("[1", Sniff::More),
        ("[1,", Sniff::More),
        ("[1,2", Sniff::Yes),
        ("[1]", Sniff::Yes),
        ("[]", Sniff::Yes),
        ("[{", Sniff::Yes),
        ("[1,\"", Sniff::No),
        ("\n\n [", Sniff::Yes),
        ("5", Sniff::No),
        ("\u{8}", Sniff::No),
        ("GET / HTTP/1.1", Sniff::No),
        ("null", Sniff::No),
        (&blank, Sniff::No),
        (&blank[1..], Sniff::More),
        (&format!("{}{{", &blank[1..]), Sniff::Yes),
        (&format!("{blank}{{"), Sniff::No),
    ] {
        assert_eq!(V2.sniff(first.as_bytes()), said, "{first:?}");
    }
    assert!(sniff::by_name("jsonrpc").is_some());
    assert!(V2.with_option("version", "1").is_some() && V2.with_option("ca", "f").is_none());
}

#[test]
fn ids_come_back_as_they_went() {
    let long = format!("\"{}\"", "x".repeat(1022));
    for id in [
        "0",
        "-1",
        "7.0",
        "1.50",
        "1e400",
        "9007199254740993",
        "123456789012345678901234567890",
        "\"\"",
        "\"a\\u0062\\\"\\\\\"",
        "\"\\ud800 许\"",
        "null",
        &long,
    ] {
        let two = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"Arith.Mul\"}}");
        let want = format!("{{\"jsonrpc\":\"2.0\",\"result\":5,\"id\":{id}}}\n");
        assert_eq!(said(&two, "5"), want);
        let one = format!("{{\"id\":{id},\"method\":\"Arith.Mul\",\"params\":[]}}");
        assert_eq!(said(&one, "5"), format!("{{\"id\":{id},\"result\":5,\"error\":null}}\n"));
    }
    // Any value will do in 1.0, without the space in it.
    for (id, back) in [
        ("true", "true"),
        ("{ \"x y\\\" \" : [ 1 ,\n 2 ] }", "{\"x y\\\" \":[1,2]}"),
        ("[\t\"a b\\\\\" , { } ]", "[\"a b\\\\\",{}]"),
    ] {
        let one = format!("{{\"id\":{id},\"method\":\"Arith.Mul\",\"params\":[]}}");
        assert_eq!(said(&one, "5"), format!("{{\"id\":{back},\"result\":5,\"error\":null}}\n"));
        let refused = said(&format!("{{\"id\":{id},\"method\":\"Mul\"}}"), "5");
        assert!(refused.starts_with(&format!("{{\"id\":{back},\"result\":null,")), "{refused}");
        let two = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"Arith.Mul\"}}");
        assert!(said(&two, "5").contains("\"code\":-32600"));
    }
    let one = "{\"method\":\"Arith.Mul\",\"params\":[]}";
    assert_eq!(said(one, "5"), "{\"id\":null,\"result\":5,\"error\":null}\n");
}

/// `-32600` and its text: the connection goes on.
#[test]
fn requests_that_are_none() {
    let long = "x".repeat(1025);
    let id = "\"jsonrpc\":\"2.0\",\"id\":1";
    for (request, id, text) in [
        ("[]".to_owned(), "null", "an empty batch"),
        (format!("{{{id}}}"), "1", "there is no method"),
        (format!("{{{id},\"method\":5}}"), "1", "the method is not text"),
        (format!("{{{id},\"method\":null}}"), "1", "the method is not text"),
        (format!("{{{id},\"method\":\"Arith.{long}\"}}"), "1", "Limits::name_bytes"),
        (format!("{{{id},\"method\":\"A.a\",\"METHOD\":\"A.b\"}}"), "null", "comes twice"),
        (format!("{{{id},\"id\":2,\"method\":\"Arith.Mul\"}}"), "null", "comes twice"),
        (format!("{{{id},\"\\u0069d\":2,\"method\":\"Arith.Mul\"}}"), "null", "comes twice"),
        ("{\"jsonrpc\":\"2.0 \",\"id\":1,\"method\":\"A.m\"}".into(), "1", "the version"),
        ("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"A.m\"}".into(), "1", "the version"),
        ("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"A.m\"}".into(), "null", "an id is"),
        ("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"A.m\"}".into(), "null", "an id is"),
        (format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{long}\"}}"), "null", "Limits::name_bytes"),
        ("{\"jsonrpc\":\"2.0\"}".into(), "null", "there is no method"),
    ] {
        let answer = said(&request, "5");
        let start = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"";
        assert!(answer.starts_with(start), "{request}: {answer}");
        assert!(answer.ends_with(&format!("\"}},\"id\":{id}}}\n")), "{request}: {answer}");
        assert!(answer.contains(text), "{request}: {answer}");
    }
}

#[test]
fn params_that_are_none() {
    for (params, code) in [
        (",\"params\":5", Some(-32602)),
        (",\"params\":\"x\"", Some(-32602)),
        (",\"params\":false", Some(-32602)),
        (",\"params\":null", None),
        (",\"params\":[]", None),
        (",\"params\":{}", None),
        ("", None),
    ] {
        let call = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\"{params},\"id\":1}}");
        let answer = kit::value(&said(&call, "5"));
        let got = answer.get("error").and_then(|e| e.get("code")).and_then(Value::as_i64);
        assert_eq!(got, code, "{call}");
        // The same as a notification is never answered.
        let note = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\"{params}}}");
        assert_eq!(said(&note, "5"), "");
    }
    for method in ["Arith.Nope", "Nope.Mul", "Mul", "", "."] {
        let note = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}");
        assert_eq!(said(&note, "5"), "");
    }
}

#[test]
fn a_failed_encoding_leaves_the_call_open() {
    let mut wire = server(&Limits::default());
    let bytes = b"{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"id\":1}";
    let found = feed(&mut *wire, bytes, &[]).found;
    let [Event::Call(call)] = &found[..] else { panic!("{found:?}") };
    let mut out = Out::new();
    out.tail().extend_from_slice(b"before");
    let ticket = &call.ticket;
    let (service, method, meta, shape) = ("A", "m", &[][..], None);
    let head = crate::ReplyHead { ticket, service, method, error: None, meta, shape };
    let mark = wire.begin(Head::Reply(head), &mut out);
    out.tail().extend_from_slice(b"half a body");
    wire.abandon(mark, &mut out);
    assert_eq!(flat(&out), "before");
    answer_to(&mut *wire, ticket, Err(Status::internal("no")), &mut out);
    let want =
        "before{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"no\"},\"id\":1}\n";
    assert_eq!(flat(&out), want);
    // Answered twice: not written twice.
    answer_to(&mut *wire, ticket, Ok("1".to_owned()), &mut out);
    assert_eq!(flat(&out), want);
}

/// A success is never null in 1.0: Go's client would shut down.
#[test]
fn null_is_an_object_in_version_one() {
    let one = "{\"method\":\"Arith.Mul\",\"params\":[],\"id\":1}";
    assert_eq!(said(one, "null"), "{\"id\":1,\"result\":{},\"error\":null}\n");
    let two = "{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"id\":1}";
    assert_eq!(said(two, "null"), "{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":1}\n");
}

#[test]
fn codes_cross_the_wire() {
    for number in 1..=16 {
        let code = Code::from_number(number);
        for text in ["größer than \"<&>\" \u{2028}", ""] {
            let two = "{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"id\":1}";
            let fail = |_: &Event| Err(Status::new(code, text));
            let answer = talk(&mut *server(&Limits::default()), two.as_bytes(), fail).0;
            let seen = check(&|| client(false, &Limits::default()), answer.as_bytes());
            let [Event::Reply(reply)] = &seen.found[..] else { panic!("{seen:?}") };
            let status = reply.error.as_ref().unwrap();
            let want = if text.is_empty() { code.name() } else { text };
            assert_eq!((status.code(), status.text(), reply.seq), (code, want, 1), "{answer}");
            assert_eq!(status.origin(), Origin::Remote);

            let one = "{\"method\":\"Arith.Mul\",\"params\":[],\"id\":1}";
            let answer = talk(&mut *server(&Limits::default()), one.as_bytes(), fail).0;
            let seen = check(&|| client(true, &Limits::default()), answer.as_bytes());
            let [Event::Reply(reply)] = &seen.found[..] else { panic!("{seen:?}") };
            assert_eq!(reply.error.as_ref().unwrap().text(), want);
        }
    }
}

/// Go's gorilla/rpc says so of arguments that do not fit; others mean the request itself.
#[test]
fn an_invalid_request_may_be_an_argument() {
    for (text, code) in [
        ("json: cannot unmarshal object into Go value of type int", Code::InvalidArgument),
        ("rpc: service/method request ill-formed: Home", Code::Internal),
        ("the request is not one", Code::Internal),
    ] {
        let answer = format!(
            "{{\"jsonrpc\":\"2.0\",\"error\":{{\"code\":-32600,\"message\":\"{text}\"}},\"id\":1}}"
        );
        let seen = check(&|| client(false, &Limits::default()), answer.as_bytes());
        let [Event::Reply(reply)] = &seen.found[..] else { panic!("{seen:?}") };
        let status = reply.error.as_ref().unwrap();
        assert_eq!((status.code(), status.text()), (code, text));
    }
}

fn call(shape: &'static Shape) -> CallHead<'static> {
    CallHead {
        seq: 7,
        service: "Arith",
        method: "Mul",
        format: Format::Json,
        compress: Compress::None,
        oneway: false,
        timeout: None,
        meta: &[],
        shape,
        streams: Default::default(),
    }
}

fn written(wire: &mut dyn Wire, head: CallHead<'_>, body: &str) -> String {
    let mut out = Out::new();
    out.tail().push(b'-');
    let mark = wire.begin(Head::Call(head), &mut out);
    out.tail().extend_from_slice(body.as_bytes());
    wire.end(mark, &mut out);
    flat(&out)[1..].to_owned()
}

#[test]
fn calls_are_written() {
    let limits = Limits::default();
    let (mut one, mut two) = (client(true, &limits), client(false, &limits));
    const ANY: Shape = <Value as Shaped>::SHAPE;
    const TEXT: Shape = <String as Shaped>::SHAPE;
    const LIST: Shape = <Vec<i64> as Shaped>::SHAPE;
    let start = "{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"params\":";
    for (shape, body, params) in [
        (&ANY, "{\"A\":6}", "{\"A\":6}"),
        (&ANY, "[1,2]", "[1,2]"),
        (&ANY, "\"x\"", "[\"x\"]"),
        (&ANY, "null", "[null]"),
        (&TEXT, "\"x\"", "[\"x\"]"),
        (&LIST, "[1]", "[1]"),
    ] {
        let text = written(&mut *two, call(shape), body);
        assert_eq!(text, format!("{start}{params},\"id\":7}}\n"));
        let text = written(&mut *one, call(shape), body);
        let want = format!("{{\"method\":\"Arith.Mul\",\"params\":[{body}],\"id\":7}}\n");
        assert_eq!(text, want);
        assert_eq!(check(&|| server(&limits), text.as_bytes()).found.len(), 1);
    }
    let note = CallHead { oneway: true, ..call(&ANY) };
    assert_eq!(written(&mut *two, note, "{}"), format!("{start}{{}}}}\n"));
    let odd = CallHead { service: "", method: "a\"\n许", ..call(&ANY) };
    let text = written(&mut *two, odd, "{}");
    assert!(text.contains("\"method\":\"a\\\"\\n许\""), "{text}");
    let mut out = Out::new();
    let mark = two.begin(Head::Call(call(&ANY)), &mut out);
    two.abandon(mark, &mut out);
    assert!(out.is_empty());
}

/// Replies that are none end the connection, by name.
#[test]
fn replies_that_are_none() {
    let limits = Limits::default();
    for (text, broken) in [
        ("{}", Broken::NoResult),
        ("{\"id\":1,\"error\":null}", Broken::NoResult),
        ("null", Broken::NotReply),
        ("[5]", Broken::NotReply),
        ("5", Broken::Scalar),
        ("{\"id\":\"1\",\"result\":5}", Broken::ReplyId),
        ("{\"id\":-1,\"result\":5}", Broken::ReplyId),
        ("{\"id\":1.5,\"result\":5}", Broken::ReplyId),
        (
            "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"no\"},\"id\":null}",
            Broken::Refused { text: "no".into() },
        ),
        (
            "{\"id\":1 \"",
            Broken::Syntax { at: 8, rule: "a comma or the end of a list or object was expected" },
        ),
    ] {
        let end = check(&|| client(false, &limits), text.as_bytes()).end;
        assert_eq!(end, Err(broken.into()), "{text}");
    }
    // What a server may say without being asked is passed over, and so is what nobody waits for.
    let text = "{\"jsonrpc\":\"2.0\",\"method\":\"tick\",\"params\":[1]} \
                {\"id\":null,\"result\":1,\"error\":null}\n[{\"id\":3,\"result\":[ ]}]";
    assert_eq!(check(&|| client(true, &limits), text.as_bytes()).events(), ["reply 3 [ ]"]);
    let status = |error: &str| {
        let text = format!("{{\"id\":1,\"error\":{error}}}");
        check(&|| client(false, &limits), text.as_bytes()).events().concat()
    };
    assert_eq!(status("\"\""), "reply 1 Unknown: unspecified error");
    assert_eq!(status("7"), "reply 1 Unknown: unspecified error");
    assert_eq!(status("{\"code\":-32001,\"message\":\"x\"}"), "reply 1 Unknown: x");
    assert_eq!(status("{\"code\":-9223372036854775808,\"message\":\"x\"}"), "reply 1 Unknown: x");
    assert!(status(&format!("{}1{}", "[".repeat(101), "]".repeat(101))).contains("Internal"));
    let _ = &V1;
}
