//! Reading what valgrind's callgrind wrote: instructions in all, how often memory was allocated,
//! and what each function cost by itself. Figures are differences of two runs, so that start-up
//! cancels.

use crate::Done;
use std::{collections::HashMap, ffi::OsStr, fs, path::Path, process::Command};

/// One run's figures.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// Instructions in user space, all threads together.
    pub(crate) instructions: f64,
    /// Calls of malloc, calloc, realloc and their aligned sisters.
    pub(crate) allocations: f64,
    /// Instructions of each function, without those it called.
    functions: HashMap<String, f64>,
}

/// The functions that make or move a block.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"];

/// The command that runs `program` under callgrind.
pub(crate) fn command(program: impl AsRef<OsStr>, out: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program);
    command
}

impl Profile {
    /// Reads an out-file.
    pub(crate) fn read(path: &Path) -> Done<Profile> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Profile::parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    // <https://valgrind.org/docs/manual/cl-format.html>: names are written out once, as `fn=(7)
    // name`, and are `fn=(7)` from then on; the line after `calls=` holds what was called,
    // included.
    fn parse(text: &str) -> Done<Profile> {
        let mut profile = Profile::default();
        let mut names = HashMap::new();
        let mut costs: HashMap<&str, f64> = HashMap::new();
        let mut here = "";
        let mut called = "";
        let mut total = None;
        let mut inclusive = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                here = named(name, &mut names);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                called = named(name, &mut names);
            } else if let Some(calls) = line.strip_prefix("calls=") {
                if allocates(names.get(called).copied().unwrap_or_default()) {
                    profile.allocations += word(calls, 0)?;
                }
                inclusive = true;
            } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                // A line without a cost is one whose cost is zero.
                if !inclusive && line.contains(' ') {
                    *costs.entry(here).or_default() += word(line, 1)?;
                }
                inclusive = false;
            } else if let Some(all) = line.strip_prefix("totals: ") {
                total = Some(word(all, 0)?);
            } else if let Some(all) = line.strip_prefix("summary: ") {
                total = total.or(Some(word(all, 0)?));
            }
        }
        profile.instructions = total.ok_or("no total: the program did not end by itself")?;
        for (id, cost) in costs {
            let name = names.get(id).copied().unwrap_or("?");
            *profile.functions.entry(plain(name).to_owned()).or_default() += cost;
        }
        Ok(profile)
    }

    /// What one unit cost, where `self` did `units` more of them than `fewer`.
    pub(crate) fn per_unit(&self, fewer: &Profile, units: f64) -> Profile {
        let functions = self.functions.iter().map(|(name, cost)| {
            let before = fewer.functions.get(name).copied().unwrap_or_default();
            (name.clone(), (cost - before) / units)
        });
        Profile {
            instructions: (self.instructions - fewer.instructions) / units,
            allocations: (self.allocations - fewer.allocations) / units,
            functions: functions.collect(),
        }
    }

    /// The functions that cost most, most first.
    pub(crate) fn top(&self, count: usize) -> Vec<(&str, f64)> {
        let mut all: Vec<_> = self.functions.iter().map(|(n, cost)| (n.as_str(), *cost)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(count);
        all
    }
}

/// Learns a name if this is where it is written out; its id.
fn named<'a>(text: &'a str, names: &mut HashMap<&'a str, &'a str>) -> &'a str {
    match text.split_once(' ') {
        Some((id, name)) => {
            names.insert(id, name);
            id
        }
        None => text,
    }
}

/// A function's name without the mark of recursion (`'2`), the hash of its crate and its aliases.
fn plain(name: &str) -> &str {
    let name = match name.rsplit_once('\'') {
        Some((name, level)) if level.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => name,
    };
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 => name,
        _ => name,
    };
    name.strip_prefix("__libc_").unwrap_or(name)
}

fn allocates(name: &str) -> bool {
    ALLOCATORS.contains(&plain(name))
}

fn word(line: &str, at: usize) -> Done<f64> {
    let word = line.split(' ').nth(at).unwrap_or_default();
    Ok(word.parse().map_err(|_| format!("not a number: {line:?}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: &str = "\
events: Ir
fn=(1) main
10 5
+2 7
cfn=(2) malloc
calls=3 0
12 90
fn=(2)
0 90
fn=(3) farcall::turn::h0123456789abcdef'2
* 8
totals: 110
";

    #[test]
    fn calls_and_own_costs_are_told_apart() {
        let profile = Profile::parse(OUT).expect("a profile");
        assert_eq!(profile.instructions, 110.0);
        assert_eq!(profile.allocations, 3.0);
        assert_eq!(profile.top(3), [("malloc", 90.0), ("main", 12.0), ("farcall::turn", 8.0)]);
    }

    #[test]
    fn start_up_cancels() {
        let few = Profile::parse(OUT).expect("a profile");
        let many = OUT.replace("calls=3", "calls=13").replace("totals: 110", "totals: 210");
        let each = Profile::parse(&many).expect("a profile").per_unit(&few, 10.0);
        assert_eq!((each.instructions, each.allocations), (10.0, 1.0));
    }
}
