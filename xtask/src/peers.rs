//! `cargo xtask peers`: builds the programs in `peers/` that hold other RPC implementations, and
//! runs the tests that talk to them. They go to `target/peers`, with everything Go downloads or
//! caches. Node's and Python's packages go there too; see `install.rs`. At the end comes what has
//! no peer but chance: a short pass of the fuzz targets.

mod install;

use crate::{
    Done, fuzz, known,
    proc::{capture, cargo, show, version},
    root, target,
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// One program of another implementation.
struct Peer {
    /// The folder in `peers/`, a Go module or a workspace of Cargo's of its own.
    folder: &'static str,
    program: &'static str,
}

const PEERS: [Peer; 4] = [
    Peer { folder: "rpcx", program: "rpcx-peer" },
    Peer { folder: "netrpc", program: "netrpc-peer" },
    Peer { folder: "gob", program: "gob-peer" },
    Peer { folder: "jsonrpc", program: "jsonrpc-peer" },
];

/// rpcx's own crates for Rust, in a workspace of their own.
const RUST: Peer = Peer { folder: "rpcx-rs", program: "rpcxrs-peer" };

/// How long each fuzz target runs, two at a time: not long, but each time from all that was found.
const FUZZ_SECONDS: u64 = 5;

pub(crate) fn run(flags: &[String]) -> Done {
    known(flags, &[])?;
    let began = Instant::now();
    for peer in &PEERS {
        let program = build(peer)?;
        for line in capture(Command::new(program).arg("versions"))?.lines() {
            println!("  {line}");
        }
    }
    rust(&RUST)?;
    install::node(&home())?;
    install::python(&home())?;
    install::tools()?;
    let bin = bin();
    let test = ["test", "-p", "farcall-it", "--features", "peers", "--test", "peers"];
    show(cargo().current_dir(root()).args(test).env("FARCALL_PEERS_BIN", &bin))?;
    fuzz::pass(FUZZ_SECONDS)?;
    let others = [RUST.folder, "node", "python"];
    let names: Vec<&str> = PEERS.iter().map(|peer| peer.folder).chain(others).collect();
    println!(
        "peers: {} built, the tests against {} passed, fuzzing found nothing, {:.0} s",
        names.len(),
        names.join(", "),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Builds rpcx-go's peer; where the program is.
pub(crate) fn rpcx() -> Done<PathBuf> {
    build(&PEERS[0])
}

/// Builds the peer of Go's net/rpc; where the program is.
pub(crate) fn netrpc() -> Done<PathBuf> {
    build(&PEERS[1])
}

/// What a peer says it was built with, in its first line.
pub(crate) fn describe(program: &Path) -> Done<String> {
    let text = capture(Command::new(program).arg("versions"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Where the programs are put. Absolute: tests run in folders of their own.
fn bin() -> PathBuf {
    home().join("bin")
}

fn home() -> PathBuf {
    let home = target(root()).join("peers");
    // Go wants an absolute GOPATH, without `..`.
    fs::create_dir_all(&home).and_then(|()| home.canonicalize()).unwrap_or(home)
}

/// Builds one peer, as `peers/README.md` says; where the program is.
fn build(peer: &Peer) -> Done<PathBuf> {
    let Some(go) = version("go", "version") else {
        return Err("`go` is not installed, and the peers are Go programs: install Go 1.26 or \
             later and put its bin folder into PATH"
            .into());
    };
    println!("building peers/{} ({go})", peer.folder);
    let home = home();
    let program = bin().join(peer.program);
    // What the caller's environment says stays: it may name a proxy.
    let mut flags = env::var("GOFLAGS").unwrap_or_default();
    // Without -modcacherw, what Go downloads could not be removed by `cargo clean`.
    flags += " -buildvcs=false -modcacherw";
    let mut command = Command::new("go");
    command
        .arg("build")
        .args(["-C", &format!("peers/{}", peer.folder)])
        .arg("-mod=readonly")
        .arg("-o")
        .arg(&program)
        .arg(".")
        .current_dir(root())
        .env("GOPATH", home.join("gopath"))
        .env("GOCACHE", home.join("gocache"))
        .env("GOFLAGS", flags.trim());
    show(&mut command)?;
    Ok(program)
}

/// Builds the peer that is written in Rust; names its versions.
fn rust(peer: &Peer) -> Done {
    println!("building peers/{}", peer.folder);
    let (home, folder) = (home(), root().join("peers").join(peer.folder));
    let target = home.join(peer.folder);
    let mut build = cargo();
    build.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&target);
    show(build.current_dir(folder))?;
    fs::create_dir_all(bin())?;
    let program = bin().join(peer.program);
    fs::copy(target.join("debug").join(peer.program), &program)?;
    for line in capture(Command::new(program).arg("versions"))?.lines() {
        println!("  {line}");
    }
    Ok(())
}
