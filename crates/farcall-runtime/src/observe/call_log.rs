//! Calls worth a line: those that failed, and those that were slow. A storm of them is a few lines
//! and a number.

use crate::{
    net::Peer,
    server::{CallInfo, Moments, Outcome, Plugin},
};
use farcall_core::Status;
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Characters of a name or a text that a peer chose which a line shows at most.
const SHOWN: usize = 200;

/// Says which calls failed or were slow: `server.plug(CallLog::new().slow(limit))`.
///
/// Each is an event of the crate `tracing` at the level `WARN`, or is given to a function of yours
/// ([`CallLog::to`]). At most so many come in a second ([`CallLog::per_second`]); the next one
/// says how many were left out.
pub struct CallLog {
    slow: Duration,
    failures: bool,
    per_second: u32,
    to: Box<dyn Fn(&LoggedCall<'_>) + Send + Sync>,
    told: Mutex<Told>,
}

/// What was told lately.
struct Told {
    since: Instant,
    count: u32,
    left_out: u64,
}

impl CallLog {
    /// Failed calls, and those that take longer than a second; at most 10 a second.
    pub fn new() -> CallLog {
        let told = Told { since: Instant::now(), count: 0, left_out: 0 };
        CallLog {
            slow: Duration::from_secs(1),
            failures: true,
            per_second: 10,
            to: Box::new(event),
            told: Mutex::new(told),
        }
    }

    /// Calls that take longer than this are slow.
    #[must_use]
    pub fn slow(mut self, time: Duration) -> CallLog {
        self.slow = time;
        self
    }

    /// Only slow calls, failed or not.
    #[must_use]
    pub fn only_slow(mut self) -> CallLog {
        self.failures = false;
        self
    }

    /// At most so many a second, at least one.
    #[must_use]
    pub fn per_second(mut self, calls: u32) -> CallLog {
        self.per_second = calls.max(1);
        self
    }

    /// Gives them to this function. It runs where the answer is written: it must not wait.
    #[must_use]
    pub fn to(mut self, tell: impl Fn(&LoggedCall<'_>) + Send + Sync + 'static) -> CallLog {
        self.to = Box::new(tell);
        self
    }

    /// Whether there is room for one more now, and how many had none since the last.
    fn room(&self) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since.elapsed() >= Duration::from_secs(1) {
            (told.since, told.count) = (Instant::now(), 0);
        }
        if told.count >= self.per_second {
            told.left_out += 1;
            return None;
        }
        told.count += 1;
        Some(std::mem::take(&mut told.left_out))
    }
}

impl Default for CallLog {
    fn default() -> CallLog {
        CallLog::new()
    }
}

impl Plugin for CallLog {
    fn moments(&self) -> Moments {
        Moments::REPLY
    }

    fn on_reply(&self, call: &CallInfo<'_>, outcome: Outcome<'_>) {
        let took = call.elapsed();
        let failed = self.failures && !matches!(outcome, Outcome::Done);
        if !failed && took <= self.slow {
            return;
        }
        let Some(left_out) = self.room() else { return };
        (self.to)(&LoggedCall { call, outcome, took, slow: took > self.slow, left_out });
    }
}

impl fmt::Debug for CallLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallLog")
    }
}

/// A call that failed or was slow. Written, it is one line: what a peer chose stands in it escaped
/// and cut.
pub struct LoggedCall<'a> {
    call: &'a CallInfo<'a>,
    outcome: Outcome<'a>,
    took: Duration,
    slow: bool,
    left_out: u64,
}

impl LoggedCall<'_> {
    /// The call: names, protocol, peer, deadline, sizes.
    pub fn call(&self) -> &CallInfo<'_> {
        self.call
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome<'_> {
        self.outcome
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Whether that was too long.
    pub fn is_slow(&self) -> bool {
        self.slow
    }

    /// How many calls were not told since the last that was.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The time its caller gave it, if any.
    fn given(&self) -> Option<Duration> {
        let now = Instant::now();
        let deadline = self.call.deadline()?;
        let began = now.checked_sub(self.took).unwrap_or(now);
        Some(deadline.saturating_duration_since(began))
    }

    fn status(&self) -> Option<&Status> {
        match self.outcome {
            Outcome::Failed(status) => Some(status),
            Outcome::Done | Outcome::Lost => None,
        }
    }

    fn end(&self) -> &'static str {
        match self.outcome {
            Outcome::Done => "ok",
            Outcome::Failed(status) => status.code().name(),
            Outcome::Lost => "lost",
        }
    }
}

impl fmt::Display for LoggedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoggedCall { call, took, .. } = self;
        let (service, method) = (Shown(call.service()), Shown(call.method()));
        let (peer, protocol) = (call.peer(), call.protocol());
        write!(f, "{service}.{method} of {peer} over {protocol}: {} in {took:.1?}", self.end())?;
        if let Some(given) = self.given() {
            write!(f, " of {given:.1?}")?;
        }
        write!(f, ", {} bytes in, {} out", call.bytes_in(), call.bytes_out())?;
        if let Some(status) = self.status() {
            write!(f, ": {}", Shown(status.text()))?;
        }
        match self.left_out {
            0 => Ok(()),
            left_out => write!(f, " ({left_out} others left out)"),
        }
    }
}

/// A text of a peer's: escaped, and cut.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        chars.by_ref().take(SHOWN).try_for_each(|c| write!(f, "{}", c.escape_debug()))?;
        match chars.next() {
            Some(_) => f.write_str("…"),
            None => Ok(()),
        }
    }
}

/// The event of the crate `tracing`.
fn event(logged: &LoggedCall<'_>) {
    let LoggedCall { call, took, left_out, .. } = logged;
    let millis = |time: Duration| time.as_micros() as f64 / 1_000.0;
    let peer: &Peer = call.peer();
    tracing::warn!(
        service = %Shown(call.service()),
        method = %Shown(call.method()),
        %peer,
        protocol = call.protocol(),
        status = logged.end(),
        text = logged.status().map(|status| tracing::field::display(Shown(status.text()))),
        took_ms = millis(*took),
        deadline_ms = logged.given().map(millis),
        bytes_in = call.bytes_in(),
        bytes_out = call.bytes_out(),
        left_out,
        "{}",
        if logged.slow { "slow call" } else { "failed call" },
    );
}
