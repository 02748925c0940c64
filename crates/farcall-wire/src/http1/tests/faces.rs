//! What a request may be beside plain JSON: posted JSON-RPC, rpcx's gateway and its JSON-RPC,
//! pages; and what pages of other origins may.

use super::{
    kit::{self, Shared, answer, answers, check, check_by, feed, flat, respond, ticket, wire},
    pair, post,
};
use crate::{Event, Fed, Out};
use bytes::BytesMut;
use farcall_core::{Code, Cors, Format, Limits, Status};

fn rpc(body: &str) -> String {
    post("/jsonrpc", "Content-Type: application/x-www-form-urlencoded\r\n", body)
}

/// Feeds requests, answers all calls last to first with `"ok"`, and reads what comes.
fn served(requests: &str) -> Vec<kit::Answer> {
    let mut wire = wire(&Limits::default());
    let seen = feed(&mut *wire, requests.as_bytes(), &[]);
    let mut out = Out::new();
    out.tail().extend_from_slice(&seen.out);
    for event in seen.found.iter().rev() {
        match event {
            event if ticket(event).oneway => {}
            Event::Unknown(unknown) => {
                let status = wire.unknown(unknown.found, &unknown.service, &unknown.method);
                answer(&mut *wire, &mut out, event, Err(&status), &[]);
            }
            event => answer(&mut *wire, &mut out, event, Ok("\"ok\""), &[pair("k", "a b\n")]),
        }
    }
    answers(&flat(&out), false)
}

#[test]
fn posted_messages_are_answered() {
    let one = r#"{"method":"Arith.Mul","params":["x"],"id":1}"#;
    let two = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":[1],"id":"a"}"#;
    let notice = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":[1]}"#;
    let unknown = r#"{"jsonrpc":"2.0","method":"Arith.Nope","id":2}"#;
    let ok_two = r#"{"jsonrpc":"2.0","result":"ok","id":"a"}"#;
    let no = concat!(
        r#"{"jsonrpc":"2.0","error":{"code":-32601,"#,
        r#""message":"rpc: can't find method Arith.Mul"},"id":2}"#
    );
    for (body, status, expected) in [
        (one.to_owned(), 200, r#"{"id":1,"result":"ok","error":null}"#.to_owned()),
        (format!(" \r\n{two}\n "), 200, ok_two.to_owned()),
        (notice.to_owned(), 204, String::new()),
        (unknown.to_owned(), 200, no.to_owned()),
        (format!("[{two},{notice},{two}]"), 200, format!("[{ok_two},{ok_two}]")),
        (format!("[{notice},{notice}]"), 204, String::new()),
        (format!("[{unknown},{two}]"), 200, format!("[{ok_two},{no}]")),
    ] {
        check(&Limits::default(), rpc(&body).as_bytes());
        let [answer] = &served(&rpc(&body))[..] else { panic!("{body}") };
        assert_eq!((answer.status, answer.body.trim_end()), (status, &*expected), "{body}");
        // Go's powerman takes no 204 without it.
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(answer.field("content-length").is_none(), status == 204);
    }
    // Metadata of a single reply is fields; of a batch there is no place for it.
    assert_eq!(served(&rpc(one))[0].field("x-meta"), Some("k=a%20b%0A"));
    for (body, code, text) in [
        ("", -32700, "the body is empty"),
        ("{\"jsonrpc\":\"2.0\",", -32700, "ends within the message"),
        ("nonsense", -32700, ""),
        (&format!("{two}{two}"), -32700, "something follows"),
        (&format!("{two} x"), -32700, "something follows"),
        ("[]", -32600, "an empty batch"),
        ("1", -32600, ""),
        ("[1,2]", -32600, ""),
        (r#"{"jsonrpc":"1.9","method":"Arith.Mul","id":1}"#, -32600, "version"),
        (r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":1,"id":1}"#, -32602, "params"),
        (r#"{"jsonrpc":"2.0","method":"nodot","id":1}"#, -32601, "ill-formed"),
    ] {
        // The connection goes on.
        let twice = [rpc(body), rpc(one)].concat();
        let seen = check(&Limits::default(), twice.as_bytes());
        assert_eq!((seen.found.len(), &seen.end), (1, &Ok(Fed::Hungry { need: 0 })), "{body}");
        let [answer, second] = &served(&twice)[..] else { panic!("{body}") };
        assert_eq!((answer.status, second.status), (200, 200), "{body}");
        assert!(answer.body.contains(&format!("\"code\":{code},")), "{body} {answer:?}");
        assert!(answer.body.contains(text), "{body} {answer:?}");
    }
    let encoded = post("/jsonrpc", "Content-Encoding: gzip\r\n", one);
    assert_eq!(served(&encoded)[0].status, 415);
}

/// Batches and single calls in one pipeline, answered last to first and through each other.
#[test]
fn posted_pipelines_are_answered_in_order() {
    let call =
        |id: usize| format!(r#"{{"jsonrpc":"2.0","method":"Arith.Mul","params":[1],"id":{id}}}"#);
    let mut requests = String::new();
    for n in 0..8 {
        let (a, b, c) = (call(n * 10), call(n * 10 + 1), call(n * 10 + 2));
        requests += &rpc(&a);
        requests += &rpc(&format!("[{a},{b},{c}]"));
        requests += &post("/Arith/Mul", "", "1");
        requests += &rpc("[]");
        requests += &rpc(r#"{"jsonrpc":"2.0","method":"Arith.Mul"}"#);
    }
    let answers = served(&requests);
    assert_eq!(answers.len(), 40);
    for (n, five) in answers.chunks(5).enumerate() {
        let id = |id: usize| format!(r#"{{"jsonrpc":"2.0","result":"ok","id":{id}}}"#);
        let (a, b, c) = (id(n * 10), id(n * 10 + 1), id(n * 10 + 2));
        assert_eq!(five[0].body.trim_end(), a);
        assert_eq!(five[1].body.trim_end(), format!("[{c},{b},{a}]"));
        assert_eq!(five[2].body, "\"ok\"");
        assert!(five[3].body.contains("-32600"));
        assert_eq!(five[4].status, 204);
    }
}

/// A batch is looked at as far as there is room for its calls.
#[test]
fn batches_heed_how_many_may_start() {
    let call = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":[1],"id":1}"#;
    let batch = format!("[{}]", [call; 10].join(","));
    let bytes = [rpc(&batch), post("/Arith/Mul", "", "1")].concat();
    let mut wire = wire(&Limits::default());
    let (mut input, mut out, mut found) = (BytesMut::from(&*bytes), Out::new(), Vec::new());
    for (most, total, fed) in
        [(3, 3, Fed::Full), (6, 9, Fed::Full), (1, 10, Fed::Full), (9, 11, Fed::Hungry { need: 0 })]
    {
        let said = wire.feed(&mut input, &mut out, &kit::Table, &mut found, most);
        assert_eq!((found.len(), said), (total, Ok(fed)));
    }
    for event in &found {
        answer(&mut *wire, &mut out, event, Ok("1"), &[]);
    }
    let answers = answers(&flat(&out), false);
    assert_eq!((answers.len(), answers[0].body.matches("\"id\":1").count()), (2, 10));
    // What is too much for a batch is refused in it, and what is too large leaves nothing behind.
    let mut wire = kit::wire(&Limits { batch_calls: 5, ..Limits::default() });
    let seen = feed(&mut *wire, rpc(&batch).as_bytes(), &[]);
    assert!(seen.found.is_empty());
    assert!(kit::answers(&seen.out, false)[0].body.contains("Limits::batch_calls"));
}

#[test]
fn requests_lend_their_fields_to_posted_calls() {
    let fields = "X-Tenant: blue\r\nX-Timeout-Ms: 50\r\n";
    let call = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":[1],"id":1}"#;
    let seen =
        check(&Limits::default(), post("/jsonrpc", fields, &format!("[{call},{call}]")).as_bytes());
    for event in &seen.found {
        let Event::Call(call) = event else { panic!() };
        assert_eq!(call.meta.get("x-tenant").as_deref(), Some("blue"));
        assert_eq!(call.timeout.map(|t| t.as_millis()), Some(50));
    }
    assert_eq!(seen.found.len(), 2);
}

fn gateway(fields: &str, body: &str) -> String {
    let fields = format!(
        "X-RPCX-ServicePath: Arith\r\nX-RPCX-ServiceMethod: Mul\r\nX-RPCX-SerializeType: 1\r\n\
         {fields}"
    );
    post("/", &fields, body)
}

#[test]
fn the_gateway_calls() {
    let request = gateway(
        "X-Rpcx-MessageID: 12345\r\nX-RPCX-Version: 0\r\n\
         X-RPCX-Meta: a=b+c&d=%26&a=late&__AUTH=forged\r\nAuthorization: Bearer t\r\n",
        "{}",
    );
    let seen = check(&Limits::default(), request.as_bytes());
    let [Event::Call(call)] = &seen.found[..] else { panic!("{:?}", seen.found) };
    assert_eq!((call.ticket.format, &call.body[..]), (Format::Json, &b"{}"[..]));
    let get = |key| call.meta.get(key);
    assert_eq!(get("a").as_deref(), Some("b c"));
    assert_eq!(get("d").as_deref(), Some("&"));
    assert_eq!(get("__AUTH").as_deref(), Some("Bearer t"));
    let [answer] = &served(&request)[..] else { panic!() };
    assert_eq!((answer.status, &*answer.body), (200, "\"ok\""));
    for (name, value) in [
        ("x-rpcx-meta", "k=a%20b%0A"),
        ("x-rpcx-messageid", "12345"),
        ("x-rpcx-version", "0"),
        ("x-rpcx-servicepath", "Arith"),
        ("x-rpcx-servicemethod", "Mul"),
        ("x-rpcx-serializetype", "1"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(answer.field(name), Some(value), "{name}");
    }
    assert_eq!(answer.field("x-rpcx-messagestatustype"), None);
    // The service may be the path, and the method another than POST.
    for line in ["POST /Arith?x", "GET /Arith", "PUT /%41rith"] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: h\r\nX-RPCX-ServiceMethod: Mul\r\n\
             X-RPCX-SerializeType: 3\r\n\r\n"
        );
        let seen = check(&Limits::default(), request.as_bytes());
        let [Event::Call(call)] = &seen.found[..] else { panic!("{line} {:?}", seen.found) };
        assert_eq!((call.ticket.format, call.to.0), (Format::MsgPack, 0));
        assert_eq!(served(&request)[0].field("x-rpcx-servicepath"), Some("Arith"));
    }
    // One way: answered before it runs, and only so.
    let oneway = gateway("X-RPCX-Oneway: false\r\n", "1");
    let seen = check(&Limits::default(), oneway.as_bytes());
    assert!(matches!(&seen.found[..], [Event::Call(call)] if call.ticket.oneway));
    let [answer] = &answers(&seen.out, false)[..] else { panic!() };
    assert_eq!((answer.status, &*answer.body), (200, ""));
}

#[test]
fn the_gateway_refuses() {
    let strange =
        "X-RPCX-ServicePath: Arith\r\nX-RPCX-ServiceMethod: Nope\r\nX-RPCX-SerializeType: 1\r\n";
    for (request, status, text) in [
        (post("/", "X-RPCX-ServiceMethod: Mul\r\n", ""), 200, "empty servicepath"),
        (post("/Arith", "X-RPCX-SerializeType: 1\r\n", ""), 200, "empty servicemethod"),
        (post("/Arith", "X-RPCX-ServiceMethod: Mul\r\n", ""), 200, "empty serialized type"),
        (
            gateway("X-RPCX-MessageID: x\r\n", ""),
            200,
            "strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            gateway("X-RPCX-MessageID: 18446744073709551616\r\n", ""),
            200,
            "strconv.ParseUint: parsing \"18446744073709551616\": value out of range",
        ),
        (
            gateway("X-RPCX-CompressType: gzip\r\n", ""),
            200,
            "strconv.Atoi: parsing \"gzip\": invalid syntax",
        ),
        (post("/", strange, ""), 500, "rpcx: can't find method Mul"),
        (post("/", &strange.replace("Arith", "No"), ""), 500, "rpcx: can't find service Arith"),
    ] {
        let [answer] = &served(&request)[..] else { panic!("{request}") };
        assert_eq!((answer.status, &*answer.body), (status, ""), "{request}");
        assert_eq!(answer.field("x-rpcx-messagestatustype"), Some("Error"), "{request}");
        assert_eq!(answer.field("x-rpcx-errormessage"), Some(text), "{request}");
        check(&Limits::default(), request.as_bytes());
    }
    for (code, status) in [(Code::Unknown, 500), (Code::Unauthenticated, 401)] {
        let mut wire = wire(&Limits::default());
        let seen = feed(&mut *wire, gateway("", "").as_bytes(), &[]);
        let mut out = Out::new();
        let failure = Status::new(code, "no\r\nX-Evil: 1");
        answer(&mut *wire, &mut out, &seen.found[0], Err(&failure), &[]);
        let [answer] = &answers(&flat(&out), false)[..] else { panic!() };
        assert_eq!((answer.status, answer.field("x-evil")), (status, None));
        assert_eq!(answer.field("x-rpcx-errormessage"), Some("no  X-Evil: 1"));
    }
    let delete = "DELETE / HTTP/1.1\r\nHost: h\r\nX-RPCX-Version: 0\r\n\r\n";
    assert_eq!(served(delete)[0].field("allow"), Some("GET, POST, PUT"));
}

/// The trace that fields of their own name, and `X-RPCX-Meta`, which goes before them.
#[test]
fn the_gateway_takes_plain_traces() {
    for json in ["", "X-JSONRPC-2.0: true\r\n"] {
        for (fields, parent, state) in [
            (
                "Traceparent: p\r\nTracestate: a=1\r\ntracestate: b=2\r\n",
                Some("p"),
                Some("a=1,b=2"),
            ),
            ("traceparent: p\r\nX-RPCX-Meta: tracestate=x&k=v\r\n", Some("p"), None),
            ("traceparent: p\r\nX-RPCX-Meta: k=v&traceparent=q\r\n", Some("q"), None),
            (
                "tracestate: a=1\r\nX-RPCX-Meta: traceparent=q&tracestate=x\r\n",
                Some("q"),
                Some("x"),
            ),
            ("traceparent: p\r\ntraceparent: q\r\ntracestate: a=1\r\n", None, None),
            ("tracestate: a=1\r\n", None, None),
        ] {
            let body = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":1},"id":1}"#;
            let request = gateway(&format!("{fields}{json}"), body);
            let seen = check(&Limits::default(), request.as_bytes());
            let [Event::Call(call)] = &seen.found[..] else { panic!("{:?}", seen.found) };
            let get = |key| call.meta.get(key);
            assert_eq!(get("traceparent").as_deref(), parent, "{fields}");
            assert_eq!(get("tracestate").as_deref(), state, "{fields}");
        }
    }
}

#[test]
fn rpcx_has_its_own_json_rpc() {
    let ask = |path: &str, body: &str| {
        let fields = "X-JSONRPC-2.0: true\r\nX-RPCX-Meta: a=b\r\nAuthorization: t\r\n";
        let request = post(path, fields, body);
        let seen = check(&Limits::default(), request.as_bytes());
        for event in &seen.found {
            if let Event::Call(call) = event {
                assert_eq!(call.meta.get("a").as_deref(), Some("b"));
                assert_eq!(call.meta.get("__AUTH").as_deref(), Some("t"));
            }
        }
        let [answer] = &served(&request)[..] else { panic!("{request}") };
        (answer.status, answer.body.trim_end().to_owned())
    };
    let ok = r#"{"jsonrpc":"2.0","result":"ok","id":1}"#.to_owned();
    for path in ["/", "/page", "/Arith/Mul", "/jsonrpc"] {
        let body = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":1},"id":1}"#;
        assert_eq!(ask(path, body), (200, ok.clone()));
    }
    // No version is 2.0, and null is no id.
    assert_eq!(ask("/", r#"{"method":"Arith.Mul","params":{"A":1},"id":1}"#), (200, ok));
    for body in [r#"{"method":"Arith.Mul","id":null}"#, r#"{"method":"Arith.Mul"}"#] {
        assert_eq!(ask("/", body), (200, String::new()), "{body}");
    }
    for (body, code, text) in [
        (r#"{"method":"No.Mul","id":1}"#, -32603, "rpcx: can't find service Arith"),
        (r#"{"method":"Mul","id":1}"#, -32601, "must contains servicepath and method"),
        ("{", -32700, "ends within"),
    ] {
        let (status, said) = ask("/", body);
        assert_eq!(status, 200);
        assert!(said.contains(&format!("\"code\":{code},")) && said.contains(text), "{said}");
    }
}

/// What a request asks for is decided in one order: `CONNECT`, rpcx's JSON-RPC, any of rpcx's
/// fields, pages, JSON-RPC, plain JSON.
#[test]
fn the_first_that_fits_is_asked() {
    let (json, any) = ("X-JSONRPC-2.0: true\r\n", "X-RPCX-Whatever: 1\r\n");
    let call = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":[1],"id":1}"#;
    for (path, tail) in [("/page", "page"), ("/jsonrpc", "posted"), ("/Arith/Mul", "plain")] {
        for (fields, want) in [
            (format!("{json}{any}"), "posted"),
            (format!("{any}{json}"), "posted"),
            (any.to_owned(), "gateway"),
            (String::new(), tail),
        ] {
            let request = post(path, &fields, call);
            let got = match &check(&Limits::default(), request.as_bytes()).found[..] {
                [Event::Request(_)] => "page",
                [] => {
                    let [answer] = &served(&request)[..] else { panic!("{request}") };
                    assert!(answer.field("x-rpcx-errormessage").is_some(), "{answer:?}");
                    "gateway"
                }
                // What is posted is cut out of its envelope.
                [Event::Call(call)] if &call.body[..] == b"[1]" => "posted",
                [Event::Call(_)] => "plain",
                other => panic!("{request} gave {other:?}"),
            };
            assert_eq!(got, want, "{request}");
        }
    }
    // `CONNECT` leads to its tunnel whatever the fields say, and elsewhere to nothing.
    for fields in [json, any, ""] {
        let tunnel = format!("CONNECT /_rpcx_ HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        let seen = check(&Limits::default(), tunnel.as_bytes());
        assert!(seen.out.starts_with(b"HTTP/1.0 200 Connected to rpcx"), "{fields}");
        let page = format!("CONNECT /page HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        assert!(check(&Limits::default(), page.as_bytes()).end.is_err(), "{fields}");
        // And asked for in any other way a tunnel says how, unless rpcx's fields speak first.
        let asked = post("/_rpcx_", fields, call);
        let [answer] = &served(&asked)[..] else { panic!("{asked}") };
        assert_eq!(answer.status == 405, fields.is_empty(), "{answer:?}");
    }
}

#[test]
fn pages_are_asked_and_answered() {
    let put = "PUT /page?a=/b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabc";
    let seen = check(&Limits::default(), put.as_bytes());
    assert_eq!(seen.events(), ["page 9 #0 PUT /page?a=/b [abc]"]);
    let fields = [
        pair("Content-Type", "text/html"),
        pair("Set-Cookie", "a=b"),
        pair("Set-Cookie", "c=d"),
        pair("Content-Length", "1"),
        pair("Transfer-Encoding", "chunked"),
        pair("Connection", "close"),
        pair("X-Split", "a\r\nX-Evil: 1"),
        pair("Bad Name", "a"),
    ];
    for (method, status, body) in [
        ("GET", 200, "page"),
        ("GET", 404, "page"),
        ("GET", 204, ""),
        ("HEAD", 200, ""),
        ("DELETE", 299, "page"),
        ("OPTIONS", 200, "page"),
    ] {
        let request = format!("{method} http://h/page HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut wire = wire(&Limits::default());
        let seen = feed(&mut *wire, request.as_bytes(), &[]);
        let mut out = Out::new();
        respond(&mut *wire, &mut out, &seen.found[0], status, &fields, "page");
        let [answer] = &answers(&flat(&out), method == "HEAD")[..] else { panic!() };
        assert_eq!((answer.status, &*answer.body), (status, body));
        let names: Vec<_> = answer.fields.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["Content-Type", "Set-Cookie", "Set-Cookie", "Content-Length"];
        assert_eq!(names, expected[..4 - usize::from(status == 204)]);
    }
    // A failure is told as every other.
    let mut wire = wire(&Limits::default());
    let seen = feed(&mut *wire, b"GET /page HTTP/1.0\r\n\r\n", &[]);
    let mut out = Out::new();
    answer(&mut *wire, &mut out, &seen.found[0], Err(&Status::internal("no")), &[]);
    let [answer] = &answers(&flat(&out), false)[..] else { panic!() };
    assert_eq!((answer.status, answer.field("connection")), (500, Some("close")));
    assert!(answer.body.contains("\"internal\""));
    // Who follows a link is no script; who fetches is.
    for (fields, found) in [
        ("Sec-Fetch-Site: cross-site\r\n", 1),
        ("Sec-Fetch-Site: cross-site\r\nOrigin: http://evil\r\n", 0),
    ] {
        let request = format!("GET /page HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        assert_eq!(check(&Limits::default(), request.as_bytes()).found.len(), found);
    }
}

#[test]
fn other_origins_are_let_in_where_told() {
    let app = "Origin: https://app.example\r\n";
    let evil = "Origin: https://evil.example\r\n";
    let own = "Origin: http://h:1\r\n";
    let list = Shared(Cors::origins(["https://app.example"]));
    let secret = Shared(Cors::origins(["https://app.example"]).credentials().expose(["X-Mine"]));
    let any = Shared(Cors::any());
    let allow = "access-control-allow-origin";
    for (routes, fields, status, origin, vary) in [
        (&list, app, 200, Some("https://app.example"), Some("Origin")),
        (&list, own, 200, None, Some("Origin")),
        (&list, "", 200, None, Some("Origin")),
        (&list, evil, 403, None, None),
        (&list, "Origin: null\r\n", 403, None, None),
        (&list, "Sec-Fetch-Site: cross-site\r\n", 403, None, None),
        (&secret, app, 200, Some("https://app.example"), Some("Origin")),
        (&any, app, 200, Some("*"), None),
        (&any, evil, 200, Some("*"), None),
        (&any, "", 200, None, None),
    ] {
        for (path, body) in [("/Arith/Mul", "1"), ("/Arith", "1"), ("/jsonrpc", "x"), ("/page", "")]
        {
            let mut wire = wire(&Limits::default());
            let request = post(path, fields, body);
            check_by(routes, &Limits::default(), request.as_bytes());
            let seen = kit::feed_by(routes, &mut *wire, request.as_bytes(), &[]);
            let mut out = Out::new();
            out.tail().extend_from_slice(&seen.out);
            for event in &seen.found {
                match event {
                    Event::Request(_) => {
                        let forged = [pair("Access-Control-Allow-Origin", "*")];
                        respond(&mut *wire, &mut out, event, 200, &forged, "");
                    }
                    _ => answer(&mut *wire, &mut out, event, Ok("1"), &[]),
                }
            }
            let [answer] = &answers(&flat(&out), false)[..] else { panic!("{request}") };
            let expected = if path == "/Arith" && status == 200 { 404 } else { status };
            assert_eq!(answer.status, expected, "{request}");
            if status == 403 || path != "/page" || origin.is_some() || vary.is_some() {
                assert_eq!(
                    (answer.field(allow), answer.field("vary")),
                    (origin, vary),
                    "{request}"
                );
            }
            let credentials = answer.field("access-control-allow-credentials");
            assert_eq!(credentials.is_some(), std::ptr::eq(routes, &secret), "{request}");
        }
    }
    let ask = |routes: &Shared, origin: &str, fields: &str| {
        let request = format!(
            "OPTIONS /Arith/Mul HTTP/1.1\r\nHost: h:1\r\n{origin}\
             Access-Control-Request-Method: POST\r\n{fields}\r\n"
        );
        let seen = check_by(routes, &Limits::default(), request.as_bytes());
        assert!(seen.found.is_empty());
        answers(&seen.out, false).remove(0)
    };
    let headers = "Access-Control-Request-Headers: content-type,x-rpcx-meta\r\n";
    for routes in [&list, &secret, &any] {
        let answer = ask(routes, app, headers);
        assert_eq!((answer.status, answer.field("content-length")), (204, None));
        let headers = answer.field("access-control-allow-headers");
        assert_eq!(headers, Some("content-type,x-rpcx-meta"));
        let methods = answer.field("access-control-allow-methods").unwrap();
        assert!(methods.contains("POST") && answer.field(allow).is_some(), "{answer:?}");
        assert_eq!(answer.field("access-control-max-age"), Some("600"));
    }
    assert!(ask(&list, app, "").field("access-control-allow-headers").is_none());
    let refused = ask(&list, evil, headers);
    assert_eq!((refused.status, refused.field(allow)), (403, None));
    // What is broken says so to the page, too.
    let long = format!(
        "POST /Arith/Mul HTTP/1.1\r\nHost: h\r\n{app}Transfer-Encoding: chunked\r\n\r\nx\r\n"
    );
    let seen = check_by(&list, &Limits::default(), long.as_bytes());
    let [answer] = &answers(&seen.out, false)[..] else { panic!() };
    assert_eq!((answer.status, answer.field(allow)), (400, Some("https://app.example")));
}
