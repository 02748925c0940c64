//! The ledger of calls: servers write down what they run, clients what they were told, and the
//! two are held against each other when all is over.
//!
//! Servers append to a file, one record for each call they begin. A record of 16 bytes is written
//! by one system call, so that records of several processes do not mix, and one that was written
//! stays although its process is killed.

use farcall::{Sent, Status};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::Mutex,
};

/// The server's side: what was run.
#[derive(Debug)]
pub struct Executions(File);

impl Executions {
    /// Appends to this file.
    pub fn open(path: &Path) -> io::Result<Executions> {
        OpenOptions::new().append(true).create(true).open(path).map(Executions)
    }

    /// This call begins to run here.
    pub fn note(&self, id: u64) {
        let mut record = [0; 16];
        record[..8].copy_from_slice(&id.to_le_bytes());
        record[8..12].copy_from_slice(&std::process::id().to_le_bytes());
        let written = (&self.0).write(&record);
        // A ledger with holes proves nothing.
        assert!(written.is_ok_and(|count| count == record.len()), "the ledger cannot be written");
    }

    /// How often each call was run, and by which processes.
    pub fn read(path: &Path) -> io::Result<HashMap<u64, Vec<u32>>> {
        let mut ran: HashMap<u64, Vec<u32>> = HashMap::new();
        for record in std::fs::read(path)?.chunks_exact(16) {
            let id = record.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            let process = record[8..].first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            ran.entry(id.unwrap_or_default()).or_default().push(process.unwrap_or_default());
        }
        Ok(ran)
    }
}

/// What a server answers to a call: an answer to another call is not it.
pub fn answer(id: u64) -> u64 {
    id ^ 0x00a5_5a5a
}

/// What a client was told of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was run, and the answer is its own.
    Ok,
    /// The answer is another call's.
    Wrong,
    /// It was not run.
    No(String),
    /// Nobody knows.
    Maybe(String),
    /// The server said no.
    Refused(String),
}

impl Outcome {
    /// What a call came to.
    pub fn of(id: u64, result: &Result<u64, Status>) -> Outcome {
        match result {
            Ok(told) if *told == answer(id) => Outcome::Ok,
            Ok(_) => Outcome::Wrong,
            Err(status) => match status.sent() {
                Sent::No => Outcome::No(status.to_string()),
                Sent::Maybe => Outcome::Maybe(status.to_string()),
                Sent::Yes => Outcome::Refused(status.to_string()),
            },
        }
    }
}

/// The client's side: what was called, and what came of it.
#[derive(Debug, Default)]
pub struct Calls {
    told: Mutex<Told>,
}

/// Calls by their numbers, in pages that never move: a table that grows under load would stop all
/// callers for as long as it takes to copy it, and calls would be late for no other reason.
#[derive(Debug, Default)]
struct Told(Vec<Vec<Call>>);

/// Whether it may be run twice, and what came of it.
type Call = (bool, Option<Outcome>);

/// Calls of a page.
const PAGE: usize = 1 << 14;

impl Told {
    fn count(&self) -> u64 {
        self.0.iter().map(Vec::len).sum::<usize>() as u64
    }

    fn push(&mut self, call: Call) -> u64 {
        let id = match self.0.last() {
            Some(page) if page.len() < PAGE => (self.0.len() - 1) * PAGE + page.len(),
            _ => {
                self.0.push(Vec::with_capacity(PAGE));
                (self.0.len() - 1) * PAGE
            }
        };
        self.0.last_mut().expect("there is one").push(call);
        id as u64
    }

    fn call(&mut self, id: u64) -> Option<&mut Call> {
        self.0.get_mut(id as usize / PAGE)?.get_mut(id as usize % PAGE)
    }
}

impl Calls {
    /// The number of a new call.
    pub fn begin(&self, idempotent: bool) -> u64 {
        self.told.lock().expect("no panic").push((idempotent, None))
    }

    /// A call is over.
    pub fn end(&self, id: u64, result: &Result<u64, Status>) -> Outcome {
        let outcome = Outcome::of(id, result);
        let mut told = self.told.lock().expect("no panic");
        if let Some(call) = told.call(id) {
            call.1 = Some(outcome.clone());
        }
        outcome
    }

    /// Holds what was told against what was run.
    pub fn settle(&self, ran: &HashMap<u64, Vec<u32>>) -> Settled {
        let told = self.told.lock().expect("no panic");
        let mut settled = Settled { calls: told.count(), ..Settled::default() };
        for (id, (idempotent, outcome)) in (0u64..).zip(told.0.iter().flatten()) {
            let runs = ran.get(&id).map_or(0, Vec::len);
            settled.ran_twice += u64::from(!idempotent && runs > 1);
            let failed = match outcome {
                Some(Outcome::Ok) => {
                    settled.ok += 1;
                    settled.ok_not_run += u64::from(runs == 0);
                    continue;
                }
                Some(Outcome::Wrong) => {
                    settled.wrong += 1;
                    "an answer to another call"
                }
                Some(Outcome::No(text)) => {
                    settled.no += 1;
                    settled.no_but_run += u64::from(!idempotent && runs > 0);
                    text
                }
                Some(Outcome::Maybe(text)) => {
                    settled.maybe += 1;
                    text
                }
                Some(Outcome::Refused(text)) => {
                    settled.refused += 1;
                    text
                }
                None => {
                    settled.unknown += 1;
                    "never ended"
                }
            };
            settled.failed_idempotent += u64::from(*idempotent);
            settled.failed_others += u64::from(!*idempotent);
            if settled.reasons.len() < 8 && !settled.reasons.iter().any(|r| r == failed) {
                settled.reasons.push(failed.to_owned());
            }
        }
        settled.strangers = ran.keys().filter(|id| **id >= settled.calls).count() as u64;
        settled
    }
}

/// What the ledger says at the end of a run.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Calls that were made.
    pub calls: u64,
    /// Those that were answered with their own answer.
    pub ok: u64,
    /// Those that were said not to have been run.
    pub no: u64,
    /// Those of which nobody knows.
    pub maybe: u64,
    /// Those that a server answered with an error.
    pub refused: u64,
    /// Those that have not ended.
    pub unknown: u64,
    /// Answers to other calls.
    pub wrong: u64,
    /// Calls that were answered and not run.
    pub ok_not_run: u64,
    /// Calls that are not idempotent and were run more than once.
    pub ran_twice: u64,
    /// Calls that were said not to have been run, and were.
    pub no_but_run: u64,
    /// Calls that nobody made, and that were run.
    pub strangers: u64,
    /// Idempotent calls that failed.
    pub failed_idempotent: u64,
    /// Other calls that failed.
    pub failed_others: u64,
    /// Some of the reasons.
    pub reasons: Vec<String>,
}

impl Settled {
    /// The rules that hold whatever happens.
    pub fn judge(&self, verdict: &mut crate::verdict::Verdict) {
        verdict.at_least("calls_answered", self.ok as f64, 1.0);
        verdict.none("answers_to_other_calls", self.wrong);
        verdict.none("answered_but_not_run", self.ok_not_run);
        verdict.none("run_twice", self.ran_twice);
        verdict.none("said_not_run_but_run", self.no_but_run);
        verdict.none("run_but_never_called", self.strangers);
        verdict.none("never_ended", self.unknown);
        verdict.note("calls", self.calls);
        verdict.note("failed_not_run", self.no);
        verdict.note("failed_unknown", self.maybe);
        verdict.note("failed_refused", self.refused);
        if !self.reasons.is_empty() {
            verdict.note("reasons", self.reasons.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farcall_it::who::Folder;

    #[test]
    fn the_rules_find_what_breaks_them() {
        let folder = Folder::new();
        let (path, calls) = (folder.join("book"), Calls::default());
        let (one, two) =
            (Executions::open(&path).expect("a file"), Executions::open(&path).expect("a file"));
        let unsent = || Err(Status::unavailable("gone").with_sent(Sent::No));
        let lost = || Err(Status::unavailable("gone").with_sent(Sent::Maybe));
        // Each line: how often it is run, what is told.
        let good = calls.begin(false);
        one.note(good);
        calls.end(good, &Ok(answer(good)));
        let twice = calls.begin(false);
        one.note(twice);
        two.note(twice);
        calls.end(twice, &Ok(answer(twice)));
        let again = calls.begin(true);
        one.note(again);
        two.note(again);
        calls.end(again, &Ok(answer(again)));
        let never = calls.begin(false);
        calls.end(never, &Ok(answer(never)));
        let mixed = calls.begin(false);
        one.note(mixed);
        calls.end(mixed, &Ok(answer(good)));
        let denied = calls.begin(false);
        one.note(denied);
        calls.end(denied, &unsent());
        calls.end(calls.begin(false), &unsent());
        calls.end(calls.begin(true), &lost());
        let _ = calls.begin(false);
        two.note(1_000);
        let settled = calls.settle(&Executions::read(&path).expect("a file"));
        assert_eq!((settled.calls, settled.ok, settled.wrong), (9, 4, 1));
        assert_eq!((settled.ran_twice, settled.ok_not_run), (1, 1));
        assert_eq!((settled.no, settled.no_but_run, settled.maybe), (2, 1, 1));
        assert_eq!((settled.unknown, settled.strangers), (1, 1));
        assert_eq!((settled.failed_idempotent, settled.failed_others), (1, 4));
        let mut verdict = crate::verdict::Verdict::new();
        settled.judge(&mut verdict);
        assert_eq!(verdict.failures().len(), 6, "{:?}", verdict.failures());
    }
}
