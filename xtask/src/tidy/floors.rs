//! The least versions of others' crates in the lock files: those below have known faults that a
//! peer can use. The full list of advisories needs a network (`cargo deny`, in `.ci/run`); this one
//! holds everywhere. It names crates before they are used, too.

use super::Findings;

/// Lock files of all workspaces.
pub(super) const LOCKS: [&str; 3] = ["Cargo.lock", "bench/Cargo.lock", "fuzz/Cargo.lock"];

/// Crate, least version, and the advisories on those below, where they have numbers.
const FLOORS: [(&str, [u64; 3], &str); 9] = [
    ("h2", [0, 4, 16], ""),
    ("hyper", [1, 11, 0], ""),
    ("prost-types", [0, 8, 0], "RUSTSEC-2021-0073"),
    ("quinn-proto", [0, 11, 18], "RUSTSEC-2026-0037, -0185, -0340, -0341"),
    ("rustls", [0, 23, 46], "RUSTSEC-2024-0336, -0399, RUSTSEC-2026-0285"),
    ("thrift", [0, 25, 0], ""),
    ("time", [0, 3, 47], ""),
    ("tonic", [0, 12, 3], "RUSTSEC-2024-0376"),
    ("tungstenite", [0, 20, 1], "RUSTSEC-2023-0065"),
];

/// Looks through one lock file.
pub(super) fn check(path: &str, lock: &str, findings: &mut Findings) {
    let mut name = "";
    for (at, line) in lock.lines().enumerate() {
        if let Some(quoted) = value(line, "name") {
            name = quoted;
        }
        let Some(version) = value(line, "version") else { continue };
        let Some((_, floor, advisories)) = FLOORS.iter().find(|(known, ..)| *known == name) else {
            continue;
        };
        if numbers(version) < *floor {
            let [major, minor, patch] = floor;
            let mut text = format!("{name} {version} has known faults: ");
            text += &format!("at least {major}.{minor}.{patch} is wanted {advisories}");
            findings.problem(path, at + 1, text.trim_end());
        }
    }
}

/// What stands in quotes behind `key = `.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')
}

/// The three numbers of a version; what comes before it is one is less.
fn numbers(version: &str) -> [u64; 3] {
    let (release, early) = match version.split_once('-') {
        Some((release, _)) => (release, true),
        None => (version.split('+').next().unwrap_or_default(), false),
    };
    let mut parts = release.split('.').map(|part| part.parse().unwrap_or(0_u64));
    let mut all = [(); 3].map(|()| parts.next().unwrap_or(0));
    // 1.0.0-rc.1 comes before 1.0.0: after all of what came before that.
    if early {
        all = match all {
            [major, 0, 0] => [major.saturating_sub(1), u64::MAX, 0],
            [major, minor, 0] => [major, minor - 1, u64::MAX],
            [major, minor, patch] => [major, minor, patch - 1],
        };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let of = |name: &str, version: &str| {
            let mut findings = Findings::default();
            let lock = format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
            check("Cargo.lock", &lock, &mut findings);
            findings.problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for (name, version) in
            [("rustls", "0.23.46"), ("rustls", "0.24.0"), ("hyper", "1.100.2"), ("other", "0.0.1")]
        {
            assert!(of(name, version).is_empty(), "{name} {version}");
        }
        for (name, version) in
            [("rustls", "0.23.9"), ("hyper", "0.14.32"), ("hyper", "1.11.0-rc.1")]
        {
            assert_eq!(of(name, version).len(), 1, "{name} {version}");
        }
        let said = of("time", "0.3.46");
        assert_eq!(said, ["Cargo.lock:3: time 0.3.46 has known faults: at least 0.3.47 is wanted"]);
    }
}
