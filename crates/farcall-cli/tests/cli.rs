//! The binary, from outside: what it prints where, and how it exits.

mod kit;

use farcall::Value;
use kit::*;
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
};

#[test]
fn demo_is_all_right() {
    let output = farcall(&["demo", "--json"]);
    let report = json(out(&output));
    assert_eq!(report.get("right"), Some(&Value::Bool(true)), "{report}");
    assert_eq!((code(&output), err(&output)), (0, ""));
    let Some(Value::List(checks)) = report.get("checks") else { panic!("{report}") };
    assert!(checks.len() >= 30);
}

#[test]
fn demo_prints_a_table_without_escapes_into_a_pipe() {
    let output = farcall(&["demo"]);
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(out(&output).contains("rpcx+mem protobuf gzip"));
    assert!(out(&output).contains("checks are right"));
    assert!(!out(&output).contains('\x1b'));
}

#[test]
fn serve_says_how_to_curl_and_answers_so() {
    let served = Served::start(&["--factor", "2"]);
    let call = |request: &str| {
        let mut socket = std::net::TcpStream::connect(&served.address).expect("it listens");
        socket.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers and closes");
        answer
    };
    let end = "Connection: close\r\n";
    let body = r#"{"A":6,"B":7}"#;
    let post =
        format!("POST /Arith/Mul HTTP/1.1\r\nHost: h\r\n{end}Content-Length: 13\r\n\r\n{body}");
    let answer = call(&post);
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n{\"C\":84}"),
        "{answer}"
    );
    let page = call(&format!("GET / HTTP/1.1\r\nHost: {}\r\n{end}\r\n", served.address));
    assert!(page.contains(&format!("http://{}/Arith/Mul", served.address)), "{page}");
}

#[test]
fn calls_in_every_codec() {
    let served = Served::start(&["--factor", "2", "--instance", "blue"]);
    for codec in ["json", "msgpack", "protobuf"] {
        for compress in ["none", "gzip"] {
            let args = r#"{"A": 6, "B": 7}"#;
            let url = served.url("Arith/Mul");
            let output = farcall(&["call", &url, args, "--codec", codec, "--compress", compress]);
            assert_eq!((code(&output), out(&output), err(&output)), (0, "{\"C\":84}\n", ""));
        }
        let output = farcall(&["call", &served.url("Arith/Multiply"), "{}", "--codec", codec]);
        assert_eq!((code(&output), out(&output)), (0, "0\n"));
    }
    let bytes = "any\0thing";
    let output = command(&["call", &served.url("Echo/Bytes"), "-", "--codec", "raw"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            child.stdin.take().expect("piped").write_all(bytes.as_bytes())?;
            child.wait_with_output()
        });
    assert_eq!(out(&output.expect("it runs")), bytes);
}

#[test]
fn verbose_goes_to_standard_error() {
    let served = Served::start(&["--instance", "blue"]);
    let url = served.url("Echo/Meta");
    let output = farcall(&["call", &url, "--meta", "tenant=red", "--meta", "k=", "-v"]);
    assert_eq!((code(&output), out(&output)), (0, "{}\n"));
    for part in [
        url.as_str(),
        "rpcx over 127.0.0.1:",
        "connected in",
        "json, 2 bytes, compression none, deadline 10s",
        "encoded and sent in",
        "waited",
        "decoded in",
        "tenant: red",
        "instance: blue",
        "__ServerTimeout",
    ] {
        assert!(err(&output).contains(part), "{part} is not in {}", err(&output));
    }
    assert!(!err(&output).contains('\x1b'));
}

#[test]
fn failures_exit_1_and_say_why() {
    let served = Served::start(&[]);
    let output = farcall(&["call", &served.url("Arith/Divide"), r#"{"A": 1}"#]);
    assert_eq!((code(&output), out(&output)), (1, ""));
    assert!(err(&output).contains("divide by zero"), "{}", err(&output));

    let output = farcall(&["call", &served.url("Arith/Divide"), r#"{"A": 1}"#, "--json"]);
    let status = json(err(&output));
    assert_eq!(status.get("text").and_then(Value::as_str), Some("divide by zero"));
    assert_eq!(status.get("origin").and_then(Value::as_str), Some("remote"));
    assert_eq!(status.get("peer").and_then(Value::as_str), Some(served.address.as_str()));

    let sleep = r#"{"Ms": 60000}"#;
    let url = served.url("Echo/Sleep");
    let output = farcall(&["call", &url, sleep, "--deadline", "100ms", "--json"]);
    assert_eq!(code(&output), 1);
    assert_eq!(json(err(&output)).get("number"), Some(&Value::Int(4)));

    let output = farcall(&["call", &url, sleep, "--oneway"]);
    assert_eq!((code(&output), out(&output), err(&output)), (0, "", ""));

    // The panic is the server's affair; its caller learns that it failed, and no more.
    let output = farcall(&["call", &served.url("Echo/Panic")]);
    assert_eq!(code(&output), 1);
    assert!(!err(&output).contains("asked to panic"), "{}", err(&output));

    // Nobody listens on port 1.
    let output = farcall(&["call", "rpcx://127.0.0.1:1/Arith/Mul", "--json"]);
    assert_eq!(code(&output), 1);
    assert_eq!(json(err(&output)).get("sent").and_then(Value::as_str), Some("no"));
}

#[test]
fn wrong_usage_exits_2() {
    let call = "rpcx://127.0.0.1:1/Arith/Mul";
    for (args, want) in [
        (&["call"][..], "TARGET"),
        (&["call", "127.0.0.1:1/Arith/Mul"], "no `://`"),
        (&["call", "smtp://127.0.0.1:1/Arith/Mul"], "protocol `smtp` is not built"),
        (&["call", "rpcx://127.0.0.1:1/Arith"], "names no method"),
        (&["call", call, "{"], "not JSON"),
        (&["call", call, "{}", "--codec", "yaml"], "known: json"),
        (&["call", call, "{}", "--deadline", "5"], "needs a unit"),
        (&["call", call, "{}", "--meta", "novalue"], "KEY=VALUE"),
        (&["call", "rpcx://127.0.0.1:1/My/Own", "{}", "--codec", "protobuf"], "needs a schema"),
        (&["call", call, "@/no/such/file"], "cannot read"),
        (&["call", call, "{", "--curl"], "not JSON"),
        (&["call", call, "--thrift", "f"], "`--thrift` is not built yet"),
        (&["serve", "--listen", "udp://127.0.0.1:0"], "transport `udp` is not built"),
        (&["serve", "--tls-cert", "a"], "--tls-key"),
        (&["serve", "--registry", "etcd://h:1/b"], "`--registry` is not built yet"),
        (
            &["serve", "--tls-cert", "/no/c", "--tls-key", "/no/k"],
            "`/no/c` cannot be used: No such",
        ),
        (&["serve", "--listen", "tls://127.0.0.1:0"], "the server has no certificate"),
        (&["serve", "--metrics", "nowhere"], "`nowhere`"),
        (&["serve", "--files", "/no/such/folder"], "`/no/such/folder`"),
        (&["serve", "--listen", "fd://1"], "below 3"),
        (&["send", "rpcx://127.0.0.1:1", "/dev/null"], "`/dev/null` is not a file"),
        (&["send", "rpcx://127.0.0.1:1", "/no/such/file"], "cannot read `/no/such/file`"),
        (&["bench", "rpcx://127.0.0.1:1"], "names no service"),
        (&["bench", "rpcx://127.0.0.1:1/Echo/Echo", "--payload", "tiny"], "/Arith/Mul"),
        (&["bench", call, "-n", "0"], "0"),
        (&["ls", "etcd://127.0.0.1:2379/base"], "registries are not built yet"),
        (&["frobnicate"], "frobnicate"),
    ] {
        let output = farcall(args);
        assert_eq!((code(&output), out(&output)), (2, ""), "{args:?}");
        assert!(err(&output).contains(want), "{args:?}: {}", err(&output));
        assert!(!err(&output).contains('\x1b'), "{args:?}: {}", err(&output));
    }
}

/// What keeps a server from listening is said, with what to do about that and nothing else.
#[test]
fn a_port_that_cannot_be_had_is_no_wrong_usage() {
    let served = Served::start(&[]);
    for (url, why, hint) in [
        (format!("tcp://{}", served.address), "in use", true),
        ("unix:///no/such/folder/s".to_owned(), "No such file", false),
    ] {
        let output = farcall(&["serve", "--listen", &url]);
        assert_eq!((code(&output), out(&output)), (1, ""), "{url}");
        let said = err(&output);
        assert!(said.contains(why) && !said.contains("said here"), "{said}");
        assert_eq!(said.contains("another process may have the address"), hint, "{said}");
    }
}

#[test]
fn help_has_examples() {
    for args in [
        &["--help"][..],
        &["serve", "--help"],
        &["call", "-h"],
        &["bench", "--help"],
        &["doctor", "--help"],
    ] {
        let output = farcall(args);
        assert_eq!((code(&output), err(&output)), (0, ""));
        assert!(out(&output).contains("Examples:"), "{args:?}");
    }
}

#[test]
fn bench_counts() {
    let served = Served::start(&[]);
    let mul = served.url("Arith/Mul");
    for codec in ["json", "msgpack", "protobuf"] {
        let args = ["bench", &mul, "-n", "200", "-c", "7", "--codec", codec, "--json"];
        let output = farcall(&args);
        let report = json(out(&output));
        assert_eq!((code(&output), err(&output)), (0, ""));
        assert_eq!(report.get("calls"), Some(&Value::Int(200)), "{report}");
        assert_eq!(report.get("failed"), Some(&Value::Int(0)), "{report}");
        assert!(report.get("p99_us").and_then(Value::as_f64) > Some(0.0), "{report}");
    }
    let host = served.url("");
    let of = |protocol: &str, path: &str| format!("{protocol}://{}/{path}", served.address);
    for protocol in ["rpcx", "netrpc", "jsonrpc"] {
        for args in [
            &[of(protocol, "Arith/Mul")][..],
            &[of(protocol, "Arith/Mul"), "{\"A\": 6, \"B\": 7}".to_owned()],
            &[of(protocol, ""), "--payload".to_owned(), "581".to_owned()],
            &[of(protocol, "HelloService/SayHello"), "\"gopher\"".to_owned()],
        ] {
            let mut words = vec!["bench", "-n", "100", "--json"];
            words.extend(args.iter().map(String::as_str));
            let output = farcall(&words);
            assert_eq!((code(&output), err(&output)), (0, ""), "{words:?}");
            assert_eq!(json(out(&output)).get("calls"), Some(&Value::Int(100)), "{words:?}");
        }
    }
    for args in [
        &["bench", &host, "--payload", "581", "-n", "200", "--connections", "3"][..],
        &["bench", &host, "--payload", "tiny", "-n", "200", "--rate", "10000", "-c", "4"],
        &["bench", &mul, r#"{"A": 1, "B": 2}"#, "-n", "200", "-d", "60s"],
    ] {
        let output = farcall(args);
        assert_eq!((code(&output), err(&output)), (0, ""), "{args:?}");
        let first = out(&output).lines().nth(1).unwrap_or_default();
        assert_eq!(first.split_whitespace().collect::<Vec<_>>(), ["calls", "200"], "{args:?}");
    }
}

#[test]
fn bench_counts_failures() {
    let served = Served::start(&[]);
    let fail = r#"{"Code": 5, "Message": "no such thing"}"#;
    let output = farcall(&["bench", &served.url("Echo/Fail"), fail, "-n", "50", "--json"]);
    let report = json(out(&output));
    assert_eq!(code(&output), 1);
    assert_eq!(report.get("failed"), Some(&Value::Int(50)), "{report}");
    let output = farcall(&["bench", "rpcx://127.0.0.1:1/Arith/Mul", "-n", "1", "--json"]);
    assert_eq!((code(&output), out(&output)), (1, ""));
    assert_eq!(json(err(&output)).get("number"), Some(&Value::Int(14)));
}

#[cfg(unix)]
/// A server without a descriptor to spare: accepting fails, pauses, and goes on when there is one.
#[test]
fn serve_outlives_a_lack_of_descriptors() {
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_farcall");
    shell.args(["-c", "ulimit -n 24; exec \"$0\" serve --listen tcp://127.0.0.1:0 --workers 1"]);
    shell.arg(program).stderr(Stdio::piped());
    let mut served = Served::run(shell);
    let many: Vec<_> = (0..60)
        .map(|_| std::net::TcpStream::connect(&served.address).expect("the backlog takes it"))
        .collect();
    // What it says of it comes before anything is let go.
    let mut said = BufReader::new(served.child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("accepting failed") {
        line.clear();
        assert_ne!(said.read_line(&mut line).expect("text"), 0, "it ended");
    }
    assert!(line.contains("pause_ms"), "{line}");
    drop(many);
    let output = farcall(&["call", &served.url("Arith/Mul"), "{\"A\":6,\"B\":7}"]);
    assert_eq!(out(&output).trim(), "{\"C\":42}", "{}", err(&output));
}

#[test]
fn serve_finishes_on_sigterm() {
    let mut served = Served::start(&["--workers", "1"]);
    let url = served.url("Echo/Sleep");
    let running = command(&["call", &url, r#"{"Ms": 700}"#, "-v"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut running = running.expect("it starts");
    // The call is on its way when its connection is there.
    let mut progress = BufReader::new(running.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.starts_with("sent") {
        line.clear();
        assert_ne!(progress.read_line(&mut line).expect("a line"), 0, "it said no more");
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    signal("-TERM", &served.child);
    let answered = running.wait().expect("it ends");
    assert_eq!(answered.code(), Some(0), "a running call was cut off");
    assert_eq!(served.child.wait().expect("it ends").code(), Some(0));
}

#[cfg(unix)]
#[test]
fn an_interrupted_call_exits_130() {
    let served = Served::start(&[]);
    let sleep = r#"{"Ms": 60000}"#;
    let calls: [&[&str]; 2] =
        [&["call", &served.url("Echo/Sleep"), sleep, "-v"], &["bench", &served.url("Arith/Mul")]];
    for args in calls {
        let mut running =
            command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(std::time::Duration::from_secs(1));
        signal("-INT", &running);
        assert_eq!(running.wait().expect("it ends").code(), Some(130), "{args:?}");
    }
}

#[cfg(unix)]
fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|sent| sent.success()));
}

#[test]
fn strangers_and_tokens() {
    let served = Served::start(&["--auth-token", "s3cret", "--allow", "127.0.0.0/8"]);
    let url = served.url("Arith/Mul");
    let call = |more: &[&str]| farcall(&[&["call", &url, r#"{"A":6,"B":7}"#], more].concat());
    let known = call(&["--auth", "s3cret"]);
    assert_eq!((code(&known), json(out(&known))), (0, json(r#"{"C":42}"#)), "{}", err(&known));
    let wrong = call(&["--auth", "s3cre"]);
    assert!(code(&wrong) == 1 && err(&wrong).contains("credentials are wrong"), "{}", err(&wrong));
    let none = call(&["--json"]);
    assert!(err(&none).contains("unauthenticated"), "{}", err(&none));
    let other = format!("jsonrpc://{}/Arith/Mul", served.address);
    let other = farcall(&["call", &other, "{}", "--auth", "s3cret"]);
    assert_eq!(code(&other), 2);
    assert!(err(&other).contains("jsonrpc has no place for --auth"), "{}", err(&other));
}

#[test]
fn listeners_choose_and_addresses_are_refused() {
    let mut command = command(&["serve", "--listen", "tcp://127.0.0.1:0?speak=rpcx"]);
    command.args(["--deny", "10.0.0.0/8"]);
    let served = Served::run(command);
    assert_eq!(code(&farcall(&["call", &served.url("Arith/Mul"), "{}"])), 0);
    let url = format!("jsonrpc://{}/Arith/Mul", served.address);
    let other = farcall(&["call", &url, "{}"]);
    assert!(err(&other).contains("jsonrpc is not spoken on this listener"), "{}", err(&other));
    let denied = Served::start(&["--deny", "127.0.0.1"]);
    assert_eq!(code(&farcall(&["call", &denied.url("Arith/Mul"), "{}"])), 1);
    for (flags, why) in [
        (["--listen", "tcp://127.0.0.1:0?speak=smtp"], "protocol `smtp` is not built"),
        (["--allow", "10.0.0"], "`10.0.0` is not a range of addresses"),
        (["--auth-token", ""], "empty"),
    ] {
        let refused = farcall(&[&["serve"], &flags[..]].concat());
        assert_eq!(code(&refused), 2, "{flags:?}");
        assert!(err(&refused).contains(why), "{}", err(&refused));
    }
}
