//! `cargo xtask accept ID`: decides criteria with the proof kit and prints a line of JSON for each.
//! The kit is built as what is shipped is, but for S3, where a debug build is the point; S8 and S9
//! are tests, which are run and counted.

use crate::{
    Done,
    proc::{capture, cargo},
    root, target,
};
use std::{
    process::{Command, Stdio},
    time::Instant,
};

/// Criteria that are tests of `it`: their filters, and at least how many there are.
const TESTS: [(&str, &[&str], usize); 2] =
    [("S8", &["gate::", "tls::inside"], 20), ("S9", &["sniff"], 4)];

/// Decided in a debug build.
const DEBUG: &str = "S3";

pub(crate) fn run(flags: &[String]) -> Done {
    let (mut ids, mut options, mut debug) = (Vec::new(), Vec::new(), false);
    let mut rest = flags.iter();
    while let Some(flag) = rest.next() {
        match flag.as_str() {
            "--seconds" | "--seed" => {
                let value = rest.next().ok_or_else(|| format!("{flag} wants a number"))?;
                options.extend([flag.as_str(), value.as_str()]);
            }
            "--debug" => debug = true,
            flag if flag.starts_with('-') => {
                return Err(format!("there is no flag {flag:?}; see cargo xtask help").into());
            }
            id => ids.push(id),
        }
    }
    let kit = match debug {
        true => build(&[], "debug")?,
        false => build(&["--profile", "accept"], "accept")?,
    };
    let listed = capture(Command::new(&kit).args(["accept", "--list"]))?;
    let known: Vec<&str> = listed.lines().filter_map(|l| l.split_whitespace().next()).collect();
    if ids.is_empty() {
        return Err(format!("which? all, S8, S9, or one of {}", known.join(", ")).into());
    }
    if ids.contains(&"all") {
        ids = known.iter().copied().chain(TESTS.map(|test| test.0)).collect();
    }
    let mut failed = Vec::new();
    for id in ids {
        let test = TESTS.iter().find(|test| test.0.eq_ignore_ascii_case(id));
        let passed = match test {
            Some((id, filters, least)) => tests(id, filters, *least)?,
            None if id.eq_ignore_ascii_case(DEBUG) => {
                kit_says(&build(&[], "debug")?, id, &options)?
            }
            None => kit_says(&kit, id, &options)?,
        };
        if !passed {
            failed.push(id);
        }
    }
    match &failed[..] {
        [] => Ok(()),
        failed => Err(format!("{} not met", failed.join(", ")).into()),
    }
}

fn build(flags: &[&str], folder: &str) -> Done<std::path::PathBuf> {
    let mut command = cargo();
    command.current_dir(root()).args(["build", "--quiet", "-p", "farcall-proof"]).args(flags);
    if !command.status()?.success() {
        return Err("the proof kit cannot be built".into());
    }
    Ok(target(root()).join(folder).join("farcall-proof"))
}

/// Runs the kit with as many descriptors as it may have; whether all passed.
fn kit_says(kit: &std::path::Path, id: &str, options: &[&str]) -> Done<bool> {
    let line = "ulimit -n $(ulimit -Hn) 2>/dev/null; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", line, "sh"]).arg(kit).args(["accept", id]).args(options);
    let status = command.stdin(Stdio::null()).status()?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("{id}: the kit ended with {status}").into()),
    }
}

/// Runs tests by their names and says so in the same words.
fn tests(id: &str, filters: &[&str], least: usize) -> Done<bool> {
    let (mut passed, mut failed, began) = (0, 0, Instant::now());
    let package = |name| if name == "S9" { "farcall-wire" } else { "farcall-it" };
    for filter in filters {
        let mut command = cargo();
        command.current_dir(root()).args(["test", "--quiet", "-p", package(id), filter]);
        let output = command.output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some(counts) = line.strip_prefix("test result:") else { continue };
            let count = |word: &str| {
                let before = counts.split(word).next().unwrap_or_default();
                let number = before.trim().rsplit([' ', ';']).next().unwrap_or_default();
                number.parse::<usize>().unwrap_or_default()
            };
            passed += count(" passed");
            failed += count(" failed");
        }
        failed += usize::from(!output.status.success() && failed == 0);
    }
    let pass = failed == 0 && passed >= least;
    println!(
        "{{\"failed\":[],\"id\":\"{id}\",\"limit\":{{\"tests_failed\":\"<= 0\",\
         \"tests_passed\":\">= {least}\"}},\"measured\":{{\"seconds\":{},\
         \"tests_failed\":{failed},\"tests_passed\":{passed}}},\"pass\":{pass},\"seed\":0}}",
        began.elapsed().as_secs()
    );
    Ok(pass)
}
