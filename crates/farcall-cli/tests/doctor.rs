//! `farcall doctor` and the limits that `farcall serve` is given, from outside.
#![cfg(unix)]

mod kit;

use farcall::{Limits, Value};
use kit::*;
use std::{
    io::{Read, Write},
    net::TcpListener,
};

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(page: &'a Value, key: &str) -> &'a [Value] {
    match page.get(key) {
        Some(Value::List(items)) => items,
        other => panic!("{key}: {other:?}"),
    }
}

/// A file with this text, gone with the test.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("farcall-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        let file = File(path);
        file.mode(0o600);
        file
    }

    fn mode(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&self.0, mode).expect("ours");
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn every_limit_says_where_it_came_from() {
    let file = File::new("limits", "# ours\nidle = 5m\ncalls = 7\nsilence = 9s\n");
    let mut command = command(&["serve", "--listen", "tcp://127.0.0.1:0"]);
    command.args(["--limits", file.path(), "--limit", "calls=1000", "--drain-time", "2s"]);
    command.env("FARCALL_LIMITS", "silence=5s; calls=8");
    let served = Served::run(command);
    let output = farcall(&["doctor", &served.address, "--strict", "--json"]);
    assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
    let page = json(out(&output));
    let limits = list(&page, "limits");
    assert_eq!(limits.len(), Limits::TABLE.len());
    let file = format!("file {}", file.path());
    for (name, value, set_by) in [
        ("idle", "300 s", file.as_str()),
        ("silence", "5 s", "environment FARCALL_LIMITS"),
        ("calls", "1,000", "flag --limit"),
        ("drain_time", "2 s", "flag --drain-time"),
        ("message_bytes", "16 MiB", "default"),
    ] {
        let limit = limits.iter().find(|limit| text(limit, "name") == name).expect(name);
        assert_eq!((text(limit, "text"), text(limit, "set_by")), (value, set_by), "{name}");
    }

    let output = farcall(&["doctor", &format!("rpcx://{}", served.address)]);
    assert_eq!((code(&output), err(&output)), (0, ""));
    for limit in Limits::TABLE {
        let found = out(&output).lines().any(|line| line.starts_with(&format!("{} ", limit.name)));
        assert!(found, "{} is not in\n{}", limit.name, out(&output));
    }
    for part in ["reached from this machine", "not asked for", "nothing is known to be unsafe"] {
        assert!(out(&output).contains(part), "{part}: {}", out(&output));
    }
    assert!(!out(&output).contains('\x1b'));
}

#[test]
fn what_is_not_safe_is_named() {
    let token = File::new("token", "0123456789abcdef\n");
    let at = format!("@{}", token.path());
    let all = ["serve", "--listen", "tcp://0.0.0.0:0", "--limit", "body_depth=1000"];
    let run = |token: &str| {
        let mut command = command(&all);
        command.args(["--auth-token", token]);
        let mut served = Served::run(command);
        served.address = served.address.replace("0.0.0.0", "127.0.0.1");
        served
    };
    let names = |output: &std::process::Output| {
        let page = json(out(output));
        let findings = list(&page, "findings").iter().map(|finding| text(finding, "name"));
        findings.collect::<Vec<_>>().join(" ")
    };

    let served = run(&at);
    let stranger = farcall(&["doctor", &served.address]);
    assert_eq!(code(&stranger), 1);
    assert!(err(&stranger).contains("--auth @FILE"), "{}", err(&stranger));
    let output = farcall(&["doctor", &served.address, "--auth", &at, "--json"]);
    assert_eq!((code(&output), names(&output).as_str()), (0, "no-tls raised-limit"));
    let output = farcall(&["doctor", &served.address, "--auth", &at, "--strict"]);
    assert_eq!(code(&output), 1);
    assert!(out(&output).contains("body_depth is 1,000, more than 4 times"), "{}", out(&output));
    assert!(out(&output).contains("2 not safe"), "{}", out(&output));

    token.mode(0o644);
    let served = run(&at);
    let output = farcall(&["doctor", &served.address, "--auth", &at, "--json"]);
    assert_eq!((code(&output), names(&output).as_str()), (0, "no-tls open-token raised-limit"));

    let served = run("s3cret");
    let output = farcall(&["doctor", &served.address, "--auth", "s3cret", "--json"]);
    let want = "no-tls secret-on-command-line short-token raised-limit";
    assert_eq!((code(&output), names(&output).as_str()), (0, want));
}

#[test]
fn servers_that_show_nothing() {
    let served = Served::start(&["--debug-limits", "off"]);
    let output = farcall(&["doctor", &served.address]);
    assert_eq!((code(&output), out(&output)), (1, ""));
    assert!(err(&output).contains("Server::debug_limits"), "{}", err(&output));
    let output = farcall(&["doctor", "127.0.0.1:1", "--json"]);
    assert_eq!(code(&output), 1);
    assert_eq!(json(err(&output)).get("number"), Some(&Value::Int(14)));
}

/// What a server says that is none of ours, or means harm, is never read as "nothing is unsafe".
#[test]
fn servers_that_say_something_else() {
    let whole = r#"{"farcall":"1\u001b[2J","limits":[{"name":"calls\u001b","text":"\u202e1",
        "default":"1","set_by":"default","of":"both"}],"listeners":[],"auth":false,
        "client_certificates":"none","findings":[]}"#;
    for (body, good) in [
        ("{}", false),
        (r#"{"limits":[]}"#, false),
        (r#"{"limits":[1,"x",null,{"name":{}}],"listeners":7,"findings":{"a":1}}"#, false),
        (&whole.replace("\"findings\":[]", "\"findings\":7"), false),
        (&whole.replace("\"auth\":false,", ""), false),
        ("<html>", false),
        (whole, true),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let body = body.to_owned();
        let serving = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a caller");
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") && !asked.ends_with(b"{}") {
                let mut byte = [0];
                socket.read_exact(&mut byte).expect("a request");
                asked.extend(byte);
            }
            let kind = "Content-Type: application/json\r\nConnection: close";
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {length}\r\n\r\n");
            socket.write_all((answer + &body).as_bytes()).expect("it reads");
        });
        let output = farcall(&["doctor", &address]);
        serving.join().expect("it served");
        assert_eq!(code(&output), i32::from(!good), "{}{}", out(&output), err(&output));
        assert_eq!(out(&output).contains("nothing is known"), good, "{}", out(&output));
        let said = out(&output).replace('\n', "");
        assert!(!said.contains(char::is_control) && !said.contains('\u{202e}'), "{said:?}");
    }
}

/// Doors beside that of the calls are doors.
#[test]
fn side_doors_are_named() {
    let folder = std::env::temp_dir().display().to_string();
    let side = "tcp://0.0.0.0:0?advertise=h:1";
    let open = ["--files", &folder, "--files-listen", side, "--metrics", "http://0.0.0.0:0"];
    let near = ["--files", &folder, "--metrics", "http://127.0.0.1:0"];
    for (flags, want) in [(&open[..], "side-in-the-open open-metrics"), (&near, "")] {
        let served = Served::start(flags);
        let output = farcall(&["doctor", &served.address, "--json"]);
        let page = json(out(&output));
        let names: Vec<_> = list(&page, "findings").iter().map(|f| text(f, "name")).collect();
        assert_eq!(names.join(" "), want);
    }
}

#[test]
fn mistakes_in_limits_exit_2() {
    let file = File::new("wrong", "calls = 7\nsilense = 9s\n");
    for (args, want) in [
        (&["serve", "--limit", "mesage_bytes=1MiB"][..], "did you mean `message_bytes`?"),
        (&["serve", "--limit", "message_bytes=lots"], "message_bytes: `lots` is not a number"),
        (&["serve", "--limit", "silence"], "write NAME=VALUE"),
        (&["serve", "--limit", "silence=5"], "silence: it needs a unit"),
        (&["serve", "--limits", file.path()], "line 2: there is no limit `silense`; did you mean"),
        (&["serve", "--limits", "/no/such/file"], "cannot read /no/such/file"),
        (&["serve", "--auth-token", "@/no/such/file"], "cannot read /no/such/file"),
        (&["doctor"], "ADDRESS"),
        (&["doctor", "127.0.0.1"], "no port"),
        (&["doctor", "rpcx+mem://here"], "from another process"),
        (&["doctor", "127.0.0.1:1", "--ca", "x.pem"], "over TLS"),
    ] {
        let output = farcall(args);
        assert_eq!((code(&output), out(&output)), (2, ""), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(want), "{args:?}: {}", err(&output));
    }
    let mut command = command(&["serve"]);
    let output = command.env("FARCALL_LIMITS", "calls=x").output().expect("it runs");
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("environment FARCALL_LIMITS, line 1: calls"), "{}", err(&output));
}
