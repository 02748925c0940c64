//! The binary over TLS and over a Unix socket, from outside.
#![cfg(all(feature = "tls", unix))]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

fn farcall(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farcall"));
    command.args(args).stdin(Stdio::null()).output().expect("the binary runs")
}

/// A server, its files, and where it listens.
struct Served {
    child: Child,
    folder: PathBuf,
    places: Vec<String>,
}

impl Served {
    fn start(more: &[&str]) -> Served {
        let folder = std::env::temp_dir().join(format!("farcall-cli-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a pair");
        std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_farcall"));
        command.current_dir(&folder).args(["serve", "--listen", "tls://127.0.0.1:0"]).args(more);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let places = out.lines().map_while(Result::ok);
        let places = places.map(|line| line.replace("listening on ", "")).take(2).collect();
        Served { child, folder, places }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn calls_by_certificate_and_by_path() {
    let flags = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--listen", "unix://s.sock"];
    let served = Served::start(&flags);
    let ca = served.folder.join("cert.pem");
    let ca = ca.to_str().expect("UTF-8");
    let secure = served.places[0].replace("tls://", "rpcx+tls://") + "/Arith/Mul";
    let argument = r#"{"A":6,"B":7}"#;
    for target in [secure.clone(), format!("{secure}?ca={ca}")] {
        let mut args = vec!["call", &target, argument];
        if !target.contains('?') {
            args.extend(["--ca", ca]);
        }
        let output = farcall(&args);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), r#"{"C":42}"#, "{output:?}");
    }
    let output = farcall(&["bench", &secure, "-n", "200", "-c", "8", "--ca", ca]);
    assert!(output.status.success(), "{output:?}");

    let path = served.folder.join("s.sock").to_string_lossy().replace('/', "%2F");
    let local = format!("rpcx+unix://{path}/Arith/Mul");
    let output = farcall(&["call", &local, argument]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), r#"{"C":42}"#, "{output:?}");

    for (args, code, words) in [
        (vec!["--ca", ca, "--server-name", "x.test"], 1, "is not for x.test"),
        (vec!["--ca", ca, "--cert", ca], 2, "--key"),
        (vec!["--ca", "no-such-file"], 1, "no-such-file"),
    ] {
        let output = farcall(&[&["call", &secure, argument], &args[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let output = farcall(&["call", &local, argument, "--ca", ca]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let plain = secure.replace("+tls", "");
    let output = farcall(&["call", &plain, argument]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the server speaks TLS") && said.contains("+tls"), "{said}");
}
