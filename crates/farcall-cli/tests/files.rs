//! `farcall serve --files`, `send`, `fetch` and `ls`.

mod kit;

use kit::*;

#[test]
fn files_go_there_and_back() {
    let place = std::env::temp_dir().join(format!("farcall-cli-files-{}", std::process::id()));
    let shared = place.join("shared");
    std::fs::create_dir_all(&shared).expect("a folder");
    let path = |name: &str| place.join(name).display().to_string();
    std::fs::write(place.join("a.bin"), [7; 100_000]).expect("a file");
    let served = Served::start(&["--files", &path("shared"), "--files-quota", "150000"]);
    let url = format!("rpcx://{}", served.address);
    let output = farcall(&["send", &url, &path("a.bin")]);
    assert_eq!((code(&output), err(&output)), (0, ""));
    assert!(out(&output).ends_with("a.bin (100000 bytes)\n"), "{}", out(&output));
    assert_eq!(std::fs::read(shared.join("a.bin")).expect("it"), [7; 100_000]);
    let output = farcall(&["fetch", &url, "a.bin", &path("b.bin")]);
    assert_eq!((code(&output), err(&output)), (0, ""));
    assert_eq!(std::fs::read(place.join("b.bin")).expect("it"), [7; 100_000]);
    for (line, exit, why) in [
        (&["send", &url, &path("a.bin")][..], 1, "there is a file `a.bin`"),
        (&["send", &url, &path("b.bin")], 1, "no room for 100000 more"),
        (&["send", &url, &path("none")], 2, "none"),
        (&["send", &url, &path("")], 2, "is not a file"),
        (&["fetch", &url, "none", &path("c"), "--json"], 1, "\"number\":2,"),
        (&["fetch", &url, "none", &path("c")], 1, "there is no file `none`"),
        (&["fetch", &url, "../a.bin", &path("c")], 1, "is not taken"),
        (&["fetch", &url, "../a.bin"], 2, "say where to write it"),
        (&["fetch", "nowhere", "a"], 2, "no `://`"),
        (&["ls", "netrpc://127.0.0.1:1"], 2, "servers that speak rpcx"),
    ] {
        let output = farcall(line);
        assert_eq!((code(&output), out(&output)), (exit, ""), "{line:?}");
        assert!(err(&output).contains(why), "{line:?}: {}", err(&output));
    }
    assert!(!place.join("c").exists());
    std::fs::remove_dir_all(place).expect("it goes");
}

#[test]
fn ls_shows_what_is_served() {
    let served = Served::start(&[]);
    let url = format!("rpcx://{}", served.address);
    let output = farcall(&["ls", &url]);
    assert_eq!((code(&output), err(&output)), (0, ""));
    for part in ["type Arith struct{}", "SayHello(ctx context.Context, arg *string"] {
        assert!(out(&output).contains(part), "{part}: {}", out(&output));
    }
    let output = farcall(&["ls", &url, "Arith"]);
    assert!(out(&output).contains("Divide(") && !out(&output).contains("SayHello"));
    let output = farcall(&["ls", &url, "Nobody"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("not found service Nobody"), "{}", err(&output));
}
