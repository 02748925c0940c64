//! `cargo xtask fuzz`: builds the targets in `fuzz/` once and runs each for a while. What was found
//! interesting stays in `fuzz/corpus`, what went wrong in `fuzz/artifacts`; neither is under
//! version control. The stable compiler is enough: coverage is counted by a pass of LLVM that it
//! has too.

use crate::{
    Done,
    proc::{capture, cargo, run_within, show, version},
    root,
    table::{Table, commas},
    target,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// Counters for every branch and what comparisons compare; as cargo-fuzz does it, less the
/// sanitizers, which need the nightly compiler.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
                     -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Longer inputs reach no limit that shorter ones do not.
const INPUT_BYTES: usize = 16 * 1024;
/// Longer inputs do not become seeds.
const SEED_BYTES: u64 = 4096;
const MEMORY_MIB: usize = 1024;
/// One input may take so long: far more than any should.
const INPUT_SECONDS: usize = 10;

struct Options {
    seconds: u64,
    jobs: usize,
    targets: Vec<String>,
    minimise: Option<usize>,
}

pub(crate) fn run(flags: &[String]) -> Done {
    let mut options = Options { seconds: 60, jobs: 1, targets: Vec::new(), minimise: None };
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let mut number = |name: &str| -> Done<usize> {
            let value = flags.next().and_then(|value| value.parse().ok());
            value.filter(|n| *n > 0).ok_or_else(|| format!("{name} wants a number").into())
        };
        match flag.as_str() {
            "--seconds" => options.seconds = number("--seconds")? as u64,
            "--jobs" => options.jobs = number("--jobs")?,
            "--minimise" => options.minimise = Some(number("--minimise")?),
            flag if flag.starts_with('-') => {
                return Err(format!("there is no flag {flag:?}; see cargo xtask help").into());
            }
            target => options.targets.push(target.to_owned()),
        }
    }
    let all = targets()?;
    if let Some(strange) = options.targets.iter().find(|name| !all.contains(name)) {
        return Err(format!("there is no target {strange:?}; there are: {}", all.join(", ")).into());
    }
    if options.targets.is_empty() {
        options.targets = all;
    }
    let programs = build()?;
    match options.minimise {
        Some(most) => options.targets.iter().try_for_each(|name| minimise(&programs, name, most)),
        None => all_of(&programs, &options),
    }
}

/// A short pass over all targets.
pub(crate) fn pass(seconds: u64) -> Done {
    let options = Options { seconds, jobs: 2, targets: targets()?, minimise: None };
    all_of(&build()?, &options)
}

/// The targets there are, by their files.
fn targets() -> Done<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(home().join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn home() -> PathBuf {
    root().join("fuzz")
}

/// Builds all targets; the folder they are in.
fn build() -> Done<PathBuf> {
    let about = capture(Command::new("rustc").arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    if version("c++", "--version").is_none() {
        return Err("libFuzzer is built with a C++ compiler, and there is no `c++`".into());
    }
    let mut command = cargo();
    // A target is named so that build scripts and macros, which are for here, have no counters.
    command.current_dir(home()).args(["build", "--release", "--bins", "--target", host]);
    show(command.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS"))?;
    Ok(target(&home()).join(host).join("release"))
}

/// Runs targets, a few at a time, and says how far each came.
fn all_of(programs: &Path, options: &Options) -> Done {
    let Options { seconds, jobs, targets, .. } = options;
    println!("fuzzing {} targets, {seconds} s each, {jobs} at a time", targets.len());
    let queue = Mutex::new(targets.iter());
    let ended = Mutex::new(BTreeMap::new());
    let work = || {
        // Taken in a statement of its own: the lock must not be held while a target runs.
        let next = || queue.lock().ok()?.next();
        while let Some(name) = next() {
            let run = one(programs, name, *seconds).map_err(|error| error.to_string());
            if let Err(error) = &run {
                println!("{name}: {error}");
            }
            if let Ok(mut ended) = ended.lock() {
                ended.insert(name.as_str(), run);
            }
        }
    };
    thread::scope(|scope| (0..*jobs).for_each(|_| drop(scope.spawn(work))));
    let mut table = Table::new(&["target", "inputs", "edges", "features", "kept"]);
    let mut failed = Vec::new();
    for (name, run) in ended.into_inner().unwrap_or_default() {
        match run {
            Ok(figures) => table.row(figures.row(name)),
            Err(_) => failed.push(name),
        }
    }
    print!("{}", table.to_markdown());
    match &failed[..] {
        [] => Ok(()),
        failed => Err(format!("findings in {}; see fuzz/artifacts", failed.join(", ")).into()),
    }
}

/// How far a run came.
struct Figures {
    inputs: f64,
    edges: f64,
    features: f64,
    kept: String,
}

impl Figures {
    /// From the last line that tells: `#4 DONE cov: 1 ft: 2 corp: 3/4b …`.
    fn parse(said: &str) -> Option<Figures> {
        let line = said.lines().rfind(|line| line.starts_with('#') && line.contains(" cov: "))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        Some(Figures {
            inputs: words.first()?.strip_prefix('#')?.parse().ok()?,
            edges: after("cov:")?.parse().ok()?,
            features: after("ft:")?.parse().ok()?,
            kept: after("corp:")?.to_owned(),
        })
    }

    fn row(self, name: &str) -> Vec<String> {
        let numbers = [self.inputs, self.edges, self.features].map(commas);
        [name.to_owned()].into_iter().chain(numbers).chain([self.kept]).collect()
    }
}

/// A run this short is a pass over what is known.
const SHORT_SECONDS: u64 = 10;

fn one(programs: &Path, name: &str, seconds: u64) -> Done<Figures> {
    let corpus = home().join("corpus").join(name);
    let artifacts = home().join("artifacts").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let log = artifacts.join("log");
    let mut command = Command::new(programs.join(name));
    command.current_dir(home());
    command.args([
        format!("-max_total_time={seconds}"),
        // A short pass takes the same way each time; long ones go where chance leads.
        format!("-seed={}", if seconds <= SHORT_SECONDS { 1 } else { 0 }),
        format!("-max_len={INPUT_BYTES}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-timeout={INPUT_SECONDS}"),
        format!("-artifact_prefix={}/", artifacts.display()),
    ]);
    command.arg(&corpus).arg(home().join("seeds").join(name));
    // libFuzzer speaks on the error output only.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
    let mut child = command.spawn()?;
    let began = Instant::now();
    // It ends by itself; the rest is for one that hangs.
    let limit = Duration::from_secs(seconds + 120);
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if began.elapsed() > limit => {
                child.kill()?;
                break child.wait()?;
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        let from = said.find("panicked at").or_else(|| said.find("ERROR")).unwrap_or_default();
        let shown: Vec<&str> = said[from..].lines().take(6).collect();
        return Err(format!("{}\n(all of it in {})", shown.join("\n"), log.display()).into());
    }
    Figures::parse(&said).ok_or_else(|| "it did not say how far it came".into())
}

/// Keeps the seeds that people made, and at most `most` of what was found, which together reach
/// what all of it reaches, as far as that goes.
fn minimise(programs: &Path, name: &str, most: usize) -> Done {
    let (seeds, corpus) = (home().join("seeds").join(name), home().join("corpus").join(name));
    let found = home().join("artifacts").join(name).join("minimised");
    let _ = fs::remove_dir_all(&found);
    fs::create_dir_all(&found)?;
    for entry in fs::read_dir(&seeds)? {
        let entry = entry?;
        fs::copy(entry.path(), found.join(entry.file_name()))?;
    }
    let mut command = Command::new(programs.join(name));
    command.args(["-set_cover_merge=1", &format!("-max_len={INPUT_BYTES}")]);
    command.arg(&found).arg(&corpus);
    run_within(command, Duration::from_secs(600))?;
    let mut news = Vec::new();
    for entry in fs::read_dir(&found)? {
        let entry = entry?;
        let path = seeds.join(entry.file_name());
        if !path.exists() && entry.metadata()?.len() <= SEED_BYTES {
            news.push((entry.metadata()?.len(), entry.path(), path));
        }
    }
    // Small ones and long ones alike.
    news.sort();
    let (all, kept) = (news.len(), news.len().min(most));
    for at in 0..kept {
        let (_, from, to) = &news[at * all / kept];
        fs::copy(from, to)?;
    }
    println!("{name}: {kept} of {all} inputs added to the seeds");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let said = "INFO: x\n#2 INITED cov: 1 ft: 1 corp: 1/1b\n#384709 DONE   cov: 1265 \
                    ft: 4057 corp: 473/42Kb lim: 9 exec/s: 54958 rss: 31Mb\nDone 384709 runs";
        let figures = Figures::parse(said).expect("there is a line");
        assert_eq!(figures.row("a"), ["a", "384,709", "1,265", "4,057", "473/42Kb"]);
        assert!(Figures::parse("nothing").is_none());
    }

    #[test]
    fn every_target_has_seeds() {
        let targets = targets().expect("the folder can be read");
        assert!(targets.len() >= 10, "{targets:?}");
        for name in targets {
            let mut seeds = fs::read_dir(home().join("seeds").join(&name)).expect(&name);
            assert!(seeds.next().is_some(), "{name}");
        }
    }
}
