//! Plugins and checks that count what they see.

use farcall::{Auth, CallInfo, Cx, Moments, Outcome, Peer, Plugin, Result, Verdict};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Waits until this holds.
///
/// # Panics
/// When it does not for half a minute.
pub(super) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

/// Counts.
#[derive(Clone, Default)]
pub(super) struct Watcher(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    connected: usize,
    closed: usize,
    calls: usize,
    ends: Vec<(String, String)>,
}

impl Watcher {
    fn seen<T>(&self, read: impl FnOnce(&mut Seen) -> T) -> T {
        read(&mut self.0.lock().expect("no panic"))
    }
    pub(super) fn connected(&self) -> usize {
        self.seen(|seen| seen.connected)
    }
    pub(super) fn closed(&self) -> usize {
        self.seen(|seen| seen.closed)
    }
    pub(super) fn calls(&self) -> usize {
        self.seen(|seen| seen.calls)
    }
    pub(super) fn replies(&self) -> usize {
        self.seen(|seen| seen.ends.len())
    }
    /// How many calls ended so.
    pub(super) fn ends(&self, how: &str) -> usize {
        self.seen(|seen| seen.ends.iter().filter(|(_, end)| end == how).count())
    }
    /// How the last call of this method ended.
    pub(super) fn end_of(&self, method: &str) -> Option<String> {
        self.seen(|seen| {
            let mut ends = seen.ends.iter().rev();
            ends.find(|(name, _)| name == method).map(|(_, end)| end.clone())
        })
    }
}

impl Plugin for Watcher {
    fn moments(&self) -> Moments {
        Moments::CONNECT | Moments::CLOSE | Moments::CALL | Moments::REPLY
    }
    fn on_connect(&self, _: &Peer) -> Verdict {
        self.seen(|seen| seen.connected += 1);
        Verdict::Go
    }
    fn on_close(&self, _: &Peer) {
        self.seen(|seen| seen.closed += 1);
    }
    fn on_call(&self, cx: &Cx) -> Verdict {
        assert!(!cx.service().is_empty() && !cx.protocol().is_empty());
        self.seen(|seen| seen.calls += 1);
        Verdict::Go
    }
    fn on_reply(&self, call: &CallInfo<'_>, outcome: Outcome<'_>) {
        let end = match outcome {
            Outcome::Done => "done",
            Outcome::Failed(status) => status.code().name(),
            Outcome::Lost => "lost",
        };
        let oneway = if call.oneway() { " one way" } else { "" };
        let name = format!("{}{oneway}", call.method());
        self.seen(|seen| seen.ends.push((name, end.to_owned())));
    }
}

/// A check that waits until it is opened, and then lets everybody in.
#[derive(Clone)]
pub(super) struct Latch {
    open: Arc<Semaphore>,
    counts: Arc<Mutex<(usize, usize)>>,
}

impl Default for Latch {
    fn default() -> Latch {
        Latch { open: Arc::new(Semaphore::new(0)), counts: Arc::default() }
    }
}

impl Latch {
    pub(super) fn open(&self) {
        self.open.add_permits(1_000);
    }
    /// How many checks are at work.
    pub(super) fn waiting(&self) -> usize {
        self.counts.lock().expect("no panic").0
    }
    /// How many were stopped or are done.
    pub(super) fn dropped(&self) -> usize {
        self.counts.lock().expect("no panic").1
    }
}

impl Auth for Latch {
    type User = &'static str;
    async fn check(&self, _: &Cx) -> Result<&'static str> {
        struct Leave<'a>(&'a Latch);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                let mut counts = self.0.counts.lock().expect("no panic");
                (counts.0, counts.1) = (counts.0 - 1, counts.1 + 1);
            }
        }
        self.counts.lock().expect("no panic").0 += 1;
        let _leave = Leave(self);
        let _permit = self.open.acquire().await;
        Ok("let in")
    }
}
