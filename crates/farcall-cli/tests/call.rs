//! `farcall call`'s finer points: JSON that says more than JSON can, and the curl line.

mod kit;

use farcall::{Value, json};
use kit::*;
use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
};

/// Every kind of value there is, to a method whose types the server knows.
const KINDS: &str = r#"{
    "U8": {"$uint": 8}, "U64": {"$uint": 18446744073709551615}, "I64": -7,
    "F32": 1.5, "F64": {"$float": 1}, "Text": "$5", "Blob": {"$bytes": "00fF"},
    "Map": {"$map": {"one": 1, "$$uint": 2}},
    "ByID": {"$map": [[1, {"X": 7, "Y": "seven"}], [-1, {"Y": "minus one"}]]},
    "At": {"$time": "2023-11-15T00:13:20.5+02:00"}, "Ints": [1, -1]
}"#;

#[test]
fn json_says_what_gob_and_msgpack_must_know() {
    let served = Served::start(&[]);
    let netrpc = format!("netrpc://{}/Echo/Kinds", served.address);
    for (url, codec) in [(&netrpc, "gob"), (&served.url("Echo/Kinds"), "msgpack")] {
        let output = farcall(&["call", url, KINDS, "--codec", codec]);
        assert_eq!((code(&output), err(&output)), (0, ""));
        let reply = json(out(&output));
        for (key, want) in [
            ("U8", json!(8)),
            ("U64", json!(u64::MAX)),
            ("I64", json!(-7)),
            ("F32", json!(1.5)),
            // Printed as JSON has it: a whole number.
            ("F64", json!(1)),
            ("Text", json!("$5")),
            ("Blob", json!("AP8=")),
            ("At", json!("2023-11-14T22:13:20.5Z")),
            ("Ints", json!([1, -1])),
        ] {
            assert_eq!(reply.get(key), Some(&want), "{codec} {key}: {reply}");
        }
        let under = |map: &str, key: &str| reply.get(map).and_then(|m| m.get(key)).cloned();
        assert_eq!(under("Map", "one"), Some(json!(1)), "{reply}");
        assert_eq!(under("Map", "$uint"), Some(json!(2)), "{reply}");
        let one = under("ByID", "1").expect("an entry");
        assert_eq!(one.get("Y"), Some(&json!("seven")), "{reply}");
    }
    // JSON means what it says, and so does gob where a number is of another kind.
    let json = format!("jsonrpc://{}/Echo/Meta", served.address);
    assert_eq!(code(&farcall(&["call", &json, r#"{"$ref": 1}"#])), 0);
    let output = farcall(&["call", &netrpc, r#"{"U8": 8, "Text": {"$uint": 1}}"#]);
    assert_eq!(code(&output), 1, "{}", err(&output));
}

#[test]
fn what_json_says_wrong_is_told_with_its_place() {
    let url = "netrpc://127.0.0.1:1/My/Own";
    for (text, want) in [
        (r#"{"A": [{"$uint": -1}]}"#, "A[0]: `$uint` is a whole number"),
        (r#"{"A": {"$bytes": "0"}}"#, "A: `$bytes` is an even number"),
        (r#"{"A": {"$int": 1}}"#, "A: `$int` says no type"),
        (r#"{"A": {"$uint": 1, "B": 2}}"#, "A: `$uint` says a type where it is alone"),
    ] {
        let output = farcall(&["call", url, text]);
        assert_eq!((code(&output), out(&output)), (2, ""), "{text}");
        assert!(err(&output).contains(want), "{text}: {}", err(&output));
    }
}

/// What a POSIX shell makes of a line that calls curl: its words.
fn words(line: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{line}\n");
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert!(output.status.success(), "{line}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn a_shell_reads_the_curl_line_as_it_is_meant() {
    for argument in [
        r#"{"A": 6}"#,
        r#""it's `date` $(date) $HOME \\ \" !! 'quoted' & | ; <>""#,
        "\"许多往事\\n\"",
        "[\n  1,\n  \"''\"\n]",
        "-7",
    ] {
        let url = "rpcx://127.0.0.1:1/Echo/Echo";
        let line = farcall(&["call", url, argument, "--curl", "--meta", "k=it's $HOME"]);
        assert_eq!(code(&line), 0, "{}", err(&line));
        let words = words(out(&line));
        assert_eq!(
            words,
            [
                "-H",
                "Content-Type: application/json",
                "-H",
                "X-Timeout-Ms: 10000",
                "-H",
                "k: it's $HOME",
                "-d",
                argument,
                "http://127.0.0.1:1/Echo/Echo",
            ]
        );
    }
}

#[test]
fn the_curl_line_is_printed_and_nobody_called() {
    // Nobody listens on port 1: a call would fail.
    for (url, noted) in
        [("rpcx", "rpcx"), ("netrpc", "netrpc"), ("jsonrpc", "jsonrpc"), ("http", "")]
    {
        let url = format!("{url}://127.0.0.1:1/Arith/Mul");
        let output = farcall(&["call", &url, r#"{"A":6}"#, "--curl", "--deadline", "2s"]);
        assert_eq!(code(&output), 0, "{}", err(&output));
        assert!(out(&output).ends_with("-d '{\"A\":6}' http://127.0.0.1:1/Arith/Mul\n"));
        assert!(out(&output).contains("X-Timeout-Ms: 2000"));
        assert_eq!(err(&output).contains("answers HTTP on the port"), !noted.is_empty());
        assert!(err(&output).contains(noted), "{}", err(&output));
    }
    let url = "jsonrpc+http://127.0.0.1:1/Arith/Mul";
    let mut command = command(&["call", url, "-", "--curl", "--json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), b"[1]").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = json(out(&output));
    let line = said.get("curl").and_then(Value::as_str).expect("a line");
    assert!(line.ends_with("http://127.0.0.1:1/jsonrpc"), "{line}");
    assert!(line.contains(r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":[1],"id":1}"#));
}

/// The line does what the call does, where there is a curl to do it.
#[test]
fn curl_gets_the_same_answer() {
    if !Command::new("curl").arg("--version").output().is_ok_and(|out| out.status.success()) {
        eprintln!("SKIPPED: curl is not installed, so its line was printed and not run");
        return;
    }
    let served = Served::start(&[]);
    let netrpc = format!("netrpc://{}", served.address);
    for (url, argument) in [
        (served.url("Arith/Mul"), r#"{"A": 6, "B": 7}"#),
        (served.url("HelloService/SayHello"), r#""it's `$HOME` \\ \"许多\"""#),
        (format!("{netrpc}/Echo/Bytes"), r#"{"$bytes": "00ff"}"#),
    ] {
        let called = farcall(&["call", &url, argument]);
        let line = farcall(&["call", &url, argument, "--curl"]);
        assert_eq!((code(&called), code(&line)), (0, 0), "{url}");
        let curl = Command::new("sh").args(["-c", out(&line)]).output().expect("a shell");
        assert_eq!(json(out(&curl)), json(out(&called)), "{}", out(&line));
    }
}

/// A server of rpcx that answers one call, with this metadata.
fn answers(meta: &'static [(&'static str, &'static str)], failed: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a caller");
        let mut head = [0; 16];
        socket.read_exact(&mut head).expect("a call");
        let part = |text: &[u8]| [&(text.len() as u32).to_be_bytes(), text].concat();
        let meta = meta.iter().flat_map(|(k, v)| [part(k.as_bytes()), part(v.as_bytes())]);
        let meta: Vec<u8> = meta.flatten().collect();
        let body = br#"{"C":"\u009b2J"}"#;
        let rest = [part(b"Arith"), part(b"Mul"), part(&meta), part(body)].concat();
        let head = [&[8, 0, 0x80 | u8::from(failed), 0x10], &head[4..12]].concat();
        let answer = [&head[..], &(rest.len() as u32).to_be_bytes(), &rest].concat();
        socket.write_all(&answer).expect("it reads");
        // Until the caller has gone.
        let _ = socket.read_to_end(&mut Vec::new());
    });
    format!("rpcx://{address}/Arith/Mul")
}

#[test]
fn a_server_has_no_power_over_the_terminal() {
    let evil = "boom \x1b[2J\x1b]0;mine\x07\u{202e}\r\nfarcall: all is well";
    let has_power = |text: &str| text.replace('\n', "").contains(char::is_control);
    let url = answers(Box::leak(Box::new([("__rpcx_error__", evil)])), true);
    let output = farcall(&["call", &url, "-v"]);
    assert_eq!(code(&output), 1);
    assert!(!has_power(err(&output)) && !err(&output).contains('\u{202e}'), "{}", err(&output));
    let last = err(&output).lines().last().expect("a line");
    assert!(last.contains(r"boom \u{1b}[2J\u{1b}]0;mine\u{7}\u{202e}\r\nfarcall: all"), "{last}");
    let url = answers(&[("k\x1b[31m", "v\x1b[31m\n")], false);
    let output = farcall(&["call", &url, "-v"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(err(&output).contains(r"k\u{1b}[31m: v\u{1b}[31m\n"), "{}", err(&output));
    assert!(!has_power(err(&output)) && !has_power(out(&output)), "{}", out(&output));
}
