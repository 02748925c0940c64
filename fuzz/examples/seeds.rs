//! Writes `seeds/TARGET/`: small inputs made from the recordings in the wires' tests, and samples
//! of every format. Run `cargo run --example seeds` in this folder when recordings are added.

use bytes::Bytes;
use farcall_core::{Bounds, Complex, Format, Marshaled, Shaped, Take, Value};
use farcall_fuzz::kinds::{Args, Colour, Inner, Kinds, Odd, Own, Switch, What};
use farcall_wire::{
    format::{encode, json},
    gob,
};
use std::{fs, io, path::PathBuf};

const RPCX: &str = include_str!("../../crates/farcall-wire/src/rpcx/testdata/v1.9.4.txt");
const GOB: &str = include_str!("../../crates/farcall-wire/src/gob/testdata/vectors.json");
const COMPAT: &str = include_str!("../../crates/farcall-wire/src/gob/testdata/compat.json");
const NETRPC: &str = include_str!("../../crates/farcall-wire/src/netrpc/testdata/transcripts.json");
const JSONRPC: &str =
    include_str!("../../crates/farcall-wire/src/jsonrpc/testdata/transcripts.json");

fn main() -> io::Result<()> {
    let mut detector = Vec::new();
    let mut rpcx = Vec::new();
    for line in RPCX.lines().filter(|line| line.starts_with('V')) {
        let (name, digits) = line.split_once(' ').unwrap_or_default();
        let client = matches!(name, "V3" | "V4" | "V6");
        rpcx.push((name.to_owned(), [&[u8::from(client), 7, 3][..], &unhex(digits)].concat()));
    }
    detector.push(("rpcx".to_owned(), vec![8, 0, 0, 0]));
    folder("rpcx", "rpcx-go v1.9.4", rpcx)?;

    let mut gob = Vec::new();
    let mut bare = Vec::new();
    let all = cases(GOB).into_iter().chain(cases(COMPAT));
    // One in eight: the rest is found from these.
    for case in all.step_by(8) {
        let bytes = unhex(text(&case, "hex"));
        if bytes.len() <= 600 {
            gob.push((text(&case, "name").to_owned(), [&[9][..], &bytes].concat()));
            bare.push((text(&case, "name").to_owned(), bytes));
        }
    }
    // Messages of `kinds.rs`: no recording has their fields.
    gob.push(("own".to_owned(), [&[9][..], &stream(&own())].concat()));
    gob.push(("own_blank".to_owned(), [&[9][..], &stream(&Own::blank())].concat()));
    folder("gob", "encoding/gob of Go 1.19, and farcall", gob)?;
    bare.retain(|(name, _)| !name.starts_with("complex"));
    bare.truncate(10);
    folder("gobwire", "encoding/gob of Go 1.19", bare)?;

    let mut netrpc = Vec::new();
    for case in cases(NETRPC) {
        for (client, name) in [(true, "asks"), (false, "answers")] {
            let bytes = said(&case, client, |step| unhex(text(step, "hex")));
            if !bytes.is_empty() && bytes.len() <= 500 {
                let flags = u8::from(!client);
                let name = format!("{}-{name}", text(&case, "name"));
                netrpc.push((name, [&[flags, 5, 2][..], &bytes].concat()));
            }
        }
    }
    netrpc.truncate(16);
    detector.push(("netrpc".to_owned(), netrpc[0].1[3..].to_vec()));
    let found = |end: &str| netrpc.iter().find(|(name, _)| name.ends_with(end));
    let of = |end: &str| found(end).map(|(_, bytes)| bytes[3..].to_vec()).unwrap_or_default();
    let (netrpc_asks, netrpc_answers) = (of("-asks"), of("-answers"));
    folder("netrpc", "net/rpc of Go 1.19", netrpc)?;

    let mut jsonrpc = Vec::new();
    for case in cases(JSONRPC).into_iter().step_by(4) {
        for (client, name) in [(true, "asks"), (false, "answers")] {
            let bytes = said(&case, client, |step| text(step, "text").as_bytes().to_vec());
            if !bytes.is_empty() && bytes.len() <= 400 {
                let one = !text(&case, "name").starts_with("j2_");
                let flags = u8::from(!client) | u8::from(one) << 1;
                let name = format!("{}-{name}", text(&case, "name"));
                jsonrpc.push((name, [&[flags, 5, 2][..], &bytes].concat()));
            }
        }
    }
    jsonrpc.truncate(16);
    detector.push(("jsonrpc".to_owned(), b"  {\"jsonrpc\":\"2.0\"}".to_vec()));
    folder("jsonrpc", "net/rpc/jsonrpc of Go 1.26, powerman/rpc-codec v1.2.2", jsonrpc)?;

    detector.push(("http".to_owned(), b"POST / HTTP/1.1".to_vec()));
    folder("http1", "farcall, by hand", http(&netrpc_asks, &netrpc_answers))?;
    folder("detector", "farcall, by hand", detector)?;

    for (name, format) in
        [("json", Format::Json), ("msgpack", Format::MsgPack), ("protobuf", Format::Protobuf)]
    {
        let mut samples = vec![
            ("args".to_owned(), bytes(format, &Args { a: 6, b: 7 })),
            ("kinds".to_owned(), bytes(format, &kinds())),
            ("blank".to_owned(), bytes(format, &Kinds::blank())),
            ("own".to_owned(), bytes(format, &own())),
        ];
        if format != Format::Protobuf {
            let text = br#"{"any":[1,-2.5e300,null,true,"\u00e9"],"list":[{"x":1}],"next":{}}"#;
            let value: Value = json::decode(&Bytes::from_static(text), Bounds::default())
                .expect("a sample is JSON");
            samples.push(("loose".to_owned(), bytes(format, &value)));
        }
        folder(name, "farcall, by `kinds.rs`", samples)?;
    }
    let raw = vec![("text".to_owned(), "a ü ☃".into()), ("bytes".to_owned(), vec![0, 255, 0xc3])];
    folder("raw", "farcall, by hand", raw)
}

/// Requests and answers of HTTP, and what stands in tunnels.
fn http(netrpc_asks: &[u8], netrpc_answers: &[u8]) -> Vec<(String, Vec<u8>)> {
    let http = [
        (
            "call",
            "POST /Arith/Mul HTTP/1.1\r\nHost: h\r\nX-Timeout-Ms: 15\r\n\
          Content-Length: 13\r\n\r\n{\"A\":6,\"B\":7}",
        ),
        (
            "pipelined",
            "POST /a.b.C/m HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n[]\
          POST /Nope/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            "chunked",
            "POST /E/e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
          3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
        ),
        (
            "expects",
            "POST /E/e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\
          Content-Length: 4\r\n\r\nnull",
        ),
        (
            "encoded",
            "POST /odd%2Fname/%25 HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n\
          Content-Type: application/json; charset=utf-8\r\nContent-Length: 1\r\n\r\n1",
        ),
        (
            "foreign",
            "POST /E/e HTTP/1.1\r\nHost: h:1\r\nOrigin: http://h:2\r\n\
          Content-Length: 0\r\n\r\n",
        ),
        ("page", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("head", "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        ("connect", "CONNECT /_goRPC_ HTTP/1.0\n\n"),
        (
            "gateway",
            "POST /Arith HTTP/1.1\r\nHost: h\r\nX-RPCX-Version: 0\r\nX-RPCX-MessageID: 7\r\n\
          X-RPCX-ServiceMethod: Mul\r\nX-RPCX-SerializeType: 1\r\nX-RPCX-Meta: a=b+c&d=%26\r\n\
          Authorization: t\r\nX-RPCX-CompressType: 0\r\nContent-Length: 1\r\n\r\n1",
        ),
        (
            "gateway_oneway",
            "GET /x HTTP/1.1\r\nHost: h\r\nX-RPCX-ServicePath: Arith\r\n\
          X-RPCX-ServiceMethod: No\r\nX-RPCX-SerializeType: 3\r\nX-RPCX-Oneway: 1\r\n\r\n",
        ),
        (
            "gateway_json",
            "POST /x HTTP/1.1\r\nHost: h\r\nX-JSONRPC-2.0: true\r\nX-RPCX-Meta: a=b\r\n\
          Content-Length: 34\r\n\r\n{\"method\":\"Arith.Mul\",\"id\":null}  \n",
        ),
        (
            "posted",
            "POST /jsonrpc HTTP/1.1\r\nHost: h\r\nX-Timeout-Ms: 5\r\nContent-Length: 61\r\n\r\n\
          {\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"params\":[1],\"id\":\"a\"} \
          POST /rpc HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n\
          {\"method\":\"Arith.No\",\"params\":[],\"id\":1}",
        ),
        (
            "posted_batch",
            "POST /jsonrpc HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n87\r\n\
          [{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"params\":[1],\"id\":1},\
          {\"jsonrpc\":\"2.0\",\"method\":\"E.e\"},1,\
          {\"jsonrpc\":\"2.0\",\"method\":\"N.n\",\"id\":2}]\r\n0\r\n\r\n",
        ),
    ];
    // The settings say which side, and which of several servers or clients.
    let http = http.iter().map(|(name, text)| (*name, 0, text.as_bytes().to_vec()));
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Meta: a=%20b&c\r\n";
    let asks = |name: &str| {
        let line = RPCX.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        unhex(line.split_once(' ').unwrap_or_default().1)
    };
    let more = [
        (
            "page_posted",
            4,
            "PUT /page?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx".into(),
        ),
        ("page_rest", 4, "GET /some/where/else HTTP/1.1\r\nHost: h\r\n\r\n".into()),
        (
            "preflight",
            8,
            "OPTIONS /Arith/Mul HTTP/1.1\r\nHost: h\r\nOrigin: https://a.b\r\n\
             Access-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: content-type,x-a\r\n\r\n"
                .into(),
        ),
        (
            "cross",
            8,
            "POST /Arith/Mul HTTP/1.1\r\nHost: h\r\nOrigin: null\r\nSec-Fetch-Site: cross-site\r\n\
             Content-Length: 1\r\n\r\n1"
                .into(),
        ),
        (
            "secret",
            12,
            "GET /Arith/Mul HTTP/1.1\r\nHost: h\r\nOrigin: x://y\r\n\r\n\
             POST /No/m HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1"
                .into(),
        ),
        (
            "tunnel_rpcx",
            0,
            [
                &b"POST /E/e HTTP/1.1\r\nHost: h\r\n\r\nCONNECT /_rpcx_ HTTP/1.0\n\n"[..],
                &asks("V1 "),
            ]
            .concat(),
        ),
        ("tunnel_netrpc", 0, [&b"CONNECT /_goRPC_ HTTP/1.0\nA: b\n\n"[..], netrpc_asks].concat()),
        ("client", 1, [ok, "Content-Length: 8\r\n\r\n{\"C\":42}"].concat().into()),
        (
            "client_failed",
            1,
            "HTTP/1.1 100 Continue\r\n\r\n\
             HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n\
             2c\r\n{\"error\":{\"code\":\"not_found\",\"message\":\"n\"}}\r\n0\r\nA: b\r\n\r\n\
             HTTP/1.0 503 No\r\nRetry-After: 3\r\n\r\nuntil the end"
                .into(),
        ),
        (
            "client_posts",
            2,
            [
                ok,
                "Content-Length: 35\r\n\r\n{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":1}",
                "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
            ]
            .concat()
            .into(),
        ),
        (
            "client_posts_v1",
            6,
            [ok, "Content-Length: 34\r\n\r\n{\"result\":null,\"error\":\"e\",\"id\":1}"]
                .concat()
                .into(),
        ),
        ("opening_rpcx", 3, [&b"HTTP/1.0 200 Connected to rpcx\n\n"[..], &asks("V3 ")].concat()),
        (
            "opening_netrpc",
            7,
            [&b"HTTP/1.0 200 Connected to Go RPC\r\nA: b\r\n\r\n"[..], netrpc_answers].concat(),
        ),
        ("asks_json", 11, "h:1\0a.b\0c\0".into()),
        ("asks", 15, "h\0a/b\r\n\0%\0k\0v\0Content-Length\x005\0a b\0c\r\nd".into()),
    ];
    let all = http.chain(more).map(|(name, flags, bytes): (&str, u8, Vec<u8>)| {
        (name.to_owned(), [&[flags, 5, 2][..], &bytes].concat())
    });
    all.collect()
}

/// Writes one folder; files of the last run stay, and with them what fuzzing found.
fn folder(target: &str, made_by: &str, files: Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    println!("{target}: {} files, made by {made_by}", files.len());
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

fn bytes<T: farcall_core::Put>(format: Format, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode(format, value, Bounds::default(), &mut out).expect("samples have a form");
    out
}

/// A value as a stream of gob.
fn stream<T: farcall_core::Put>(value: &T) -> Vec<u8> {
    let (mut stream, mut out) = (gob::Encoder::new(), Vec::new());
    let open = stream.begin(const { &<T as Shaped>::SHAPE }, &mut out);
    gob::encode(value, Bounds::default(), &mut out).expect("samples have a form");
    stream.end(open, &mut out);
    out
}

/// Something in every field.
fn own() -> Own {
    let inner = |x, y: &str| Inner { x, y: y.to_owned() };
    let (one, odd) = (Complex { re: 1.0, im: -2.5 }, Marshaled(Odd::of(3)));
    Own {
        c: one,
        cs: vec![Complex::default(), one],
        odd: odd.clone(),
        odds: vec![Marshaled(Odd::of(1)), odd.clone()],
        maybe: Some(odd.clone()),
        by_inner: [(inner(1, "one"), "a".to_owned()), (inner(0, ""), String::new())].into(),
        by_odd: [(odd, one)].into(),
        by_flag: [(true, inner(2, "y")), (false, inner(0, ""))].into(),
        by_bytes: [([1, 255], 7), ([0, 0], 0)].into(),
    }
}

fn cases(file: &'static str) -> Vec<Value> {
    match json::decode(&Bytes::from_static(file.as_bytes()), Bounds::default()) {
        Ok(Value::List(cases)) => cases,
        other => panic!("not a list of cases: {other:?}"),
    }
}

fn text<'v>(case: &'v Value, key: &str) -> &'v str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// All that one side said.
fn said(case: &Value, client: bool, bytes: impl Fn(&Value) -> Vec<u8>) -> Vec<u8> {
    let Some(Value::List(steps)) = case.get("steps") else { return Vec::new() };
    steps.iter().filter(|s| (text(s, "dir") == "c2s") == client).flat_map(bytes).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Something in every field.
fn kinds() -> Kinds {
    let inner = |x, y: &str| Inner { x, y: y.to_owned() };
    let mut kinds = Kinds::blank();
    kinds.bool = true;
    (kinds.i8, kinds.i16, kinds.i32, kinds.i64) = (i8::MIN, -300, -70_000, i64::MIN);
    (kinds.u8, kinds.u16, kinds.u32, kinds.u64) = (8, 300, 70_000, u64::MAX);
    (kinds.f32, kinds.f64) = (1.5, -2.5e-9);
    kinds.text = "quoted \" \\ \u{2028} 许多往事".to_owned();
    kinds.blob = vec![0, 1, 254, 255];
    (kinds.arr, kinds.triple) = ([1, 2, 3, 4], [0, -1, i32::MAX]);
    kinds.words = ["first".to_owned(), String::new()];
    (kinds.ints, kinds.longs) = (vec![1, -1, 200, -70_000], vec![i64::MIN, -1]);
    (kinds.flags, kinds.floats) = (vec![true, false], vec![0.0, -0.0, f32::MAX]);
    kinds.names = vec![String::new(), "a".to_owned()];
    kinds.map = [("one".to_owned(), 1), (String::new(), -1)].into();
    kinds.by_id = [(1, inner(1, "one")), (-1, inner(-1, ""))].into();
    kinds.colours = [(Colour::Red, true), (Colour::Other(-5), false)].into();
    kinds.ptr = Some(Box::new(Kinds { what: Some(What::Number(0)), ..Kinds::blank() }));
    kinds.kids = vec![Kinds { what: Some(What::Item(inner(0, ""))), ..Kinds::blank() }];
    (kinds.maybe, kinds.some_list) = (Some(0), Some(Vec::new()));
    (kinds.colour, kinds.switch) = (Colour::Other(99), Switch::On);
    kinds.at = farcall::Timestamp { seconds: 1_709_210_096, nanos: 789 };
    kinds.times = vec![farcall::Timestamp { seconds: -1, nanos: 999_999_999 }];
    kinds.lasts = std::time::Duration::new(3, 7);
    kinds.str = "str".into();
    kinds.bytes = Bytes::from_static(b"bytes");
    kinds.must = 7;
    kinds.what = Some(What::Text("hi".to_owned()));
    kinds
}
