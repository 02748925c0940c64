//! `cargo xtask codecs`: what the message formats cost beside each other, as the table of
//! docs/guide/codecs.md. Instructions, not times: they are the same on every machine of a kind, and
//! the table shows only their ratios.

use crate::{
    Done,
    callgrind::{self, Profile},
    guide, known, locked,
    proc::{capture, cargo, show, version},
    root,
    table::Table,
    target,
};
use std::{collections::HashMap, fs, path::Path, process::Command};

const PAGE: &str = "docs/guide/codecs.md";

/// The first is what the others are compared with.
const FORMATS: [&str; 5] = ["protobuf", "msgpack", "json", "gob", "raw"];

/// Two runs; their difference has no start-up in it.
const ITERATIONS: (usize, usize) = (100, 600);

pub(crate) fn run(flags: &[String]) -> Done {
    known(flags, &[])?;
    if version("valgrind", "--version").is_none() {
        return Err("valgrind is not installed; Debian and Ubuntu: apt-get install valgrind".into());
    }
    let bench = root().join("bench");
    show(cargo().current_dir(&bench).args(["build", "--release", "-p", "codec"]))?;
    let program = target(&bench).join("release/codec");
    let sizes = sizes(&capture(Command::new(&program).arg("sizes"))?)?;
    let scratch = target(root()).join("ledger");
    fs::create_dir_all(&scratch)?;
    let out = scratch.join("codecs.out");

    let mut costs: HashMap<String, f64> = HashMap::new();
    for format in FORMATS {
        for op in ["encode", "decode"] {
            for message in ["", "-tiny"] {
                println!("counting: {format}{message}, {op}");
                let who = format!("ours-{format}{message}");
                costs.insert(format!("{who} {op}"), instructions(&program, &out, &who, op)?);
            }
        }
    }
    let mut table = Table::new(&[
        "codec",
        "581: bytes",
        "encode",
        "decode",
        "small: bytes",
        "encode",
        "decode",
    ]);
    for format in FORMATS {
        // Raw carries what somebody else has encoded: here the protobuf.
        let [big, tiny] = sizes.get(format).or_else(|| sizes.get("protobuf")).ok_or("no size")?;
        let ratio = |message: &str, op: &str| {
            let of = |format: &str| costs.get(&format!("ours-{format}{message} {op}"));
            match (of(format), of(FORMATS[0])) {
                (Some(here), Some(first)) => format!("{:.2}", here / first),
                _ => "?".to_owned(),
            }
        };
        table.row(vec![
            format.to_owned(),
            big.clone(),
            ratio("", "encode"),
            ratio("", "decode"),
            tiny.clone(),
            ratio("-tiny", "encode"),
            ratio("-tiny", "decode"),
        ]);
    }
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let text = format!(
        "{}\nfarcall {}, {}, by `cargo xtask codecs`: instructions per message, protobuf's \
         are 1.\n",
        table.to_markdown(),
        locked(&lock, "farcall"),
        version("rustc", "-V").unwrap_or_else(|| "rustc ?".to_owned()),
    );
    println!("\n{text}");
    let page = fs::read_to_string(root().join(PAGE))?;
    fs::write(root().join(PAGE), guide::between(&page, "codecs", &text)?)?;
    println!("written to {PAGE}");
    Ok(())
}

/// The bytes of the big message and of the small one, by format.
fn sizes(text: &str) -> Done<HashMap<String, [String; 2]>> {
    let mut sizes = HashMap::new();
    for line in text.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [format, big, tiny] => {
                sizes.insert(format.to_owned(), [big.to_owned(), tiny.to_owned()]);
            }
            [format, big, tiny, big_first, tiny_first] => {
                let with = |size: &str, first: &str| format!("{size} (first +{first})");
                sizes.insert(format.to_owned(), [with(big, big_first), with(tiny, tiny_first)]);
            }
            _ => return Err(format!("not a line of sizes: {line}").into()),
        }
    }
    Ok(sizes)
}

/// Instructions per message.
fn instructions(program: &Path, out: &Path, who: &str, op: &str) -> Done<f64> {
    let run = |iterations: usize| -> Done<Profile> {
        // A file of the run before must not pass for one of this run.
        let _ = fs::remove_file(out);
        let mut command = callgrind::command(program, out);
        capture(command.args([who, op, &iterations.to_string()]))?;
        Profile::read(out)
    };
    let (few, many) = (run(ITERATIONS.0)?, run(ITERATIONS.1)?);
    Ok(many.per_unit(&few, (ITERATIONS.1 - ITERATIONS.0) as f64).instructions)
}
