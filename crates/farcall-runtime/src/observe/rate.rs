//! How many calls are let in: so many in a time, so many at once. Those beyond are refused before
//! their bodies are looked at.

mod bucket;
mod peers;

#[cfg(test)]
mod tests;

use crate::server::{CallInfo, Cx, Moments, Outcome, Plugin, Served, Verdict};
use bucket::Bucket;
use farcall_core::Status;
use peers::Peers;
use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// So many calls in so much time, and so many at once after a pause: `"1000/s".parse()`.
///
/// A bucket holds `burst` calls and is filled evenly. Written, it is a number of calls, `/` and
/// `s`, `m` or `h`; the burst is then as many calls as fit in a tenth of a second, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    calls: u32,
    per: Duration,
    burst: u32,
}

impl Rate {
    /// So many calls in this time. Zero of either counts as the least there is: one call, one
    /// nanosecond.
    pub fn new(calls: u32, per: Duration) -> Rate {
        let (calls, per) = (calls.max(1), per.max(Duration::from_nanos(1)));
        let tenth = f64::from(calls) * 0.1 / per.as_secs_f64();
        Rate { calls, per, burst: (tenth as u32).max(1) }
    }

    /// So many calls a second.
    pub fn per_second(calls: u32) -> Rate {
        Rate::new(calls, Duration::from_secs(1))
    }

    /// Lets so many come at once.
    #[must_use]
    pub fn burst(mut self, calls: u32) -> Rate {
        self.burst = calls.max(1);
        self
    }

    /// The time that one call takes out of the bucket, in nanoseconds.
    fn interval(self) -> u64 {
        let nanos = self.per.as_nanos() / u128::from(self.calls);
        u64::try_from(nanos).unwrap_or(u64::MAX).max(1)
    }
}

impl FromStr for Rate {
    type Err = Status;

    fn from_str(text: &str) -> Result<Rate, Status> {
        let parse = || {
            let (calls, unit) = text.split_once('/')?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3_600,
                _ => return None,
            };
            let calls = Some(calls).filter(|c| c.bytes().all(|b| b.is_ascii_digit()))?;
            let calls = calls.parse().ok().filter(|calls| *calls > 0)?;
            Some(Rate::new(calls, Duration::from_secs(seconds)))
        };
        parse().ok_or_else(|| {
            Status::invalid_argument(format!("`{}` is not a rate", text.escape_debug()))
                .with_hint("write rates as 1000/s, 60/m or 10/h")
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per.as_secs() {
            1 => write!(f, "{}/s", self.calls),
            60 => write!(f, "{}/m", self.calls),
            3_600 => write!(f, "{}/h", self.calls),
            _ => write!(f, "{} in {:?}", self.calls, self.per),
        }
    }
}

/// Refuses calls beyond these rates with [`Code::ResourceExhausted`](farcall_core::Code), on every
/// protocol and before their bodies are looked at; over HTTP that is 429 with `Retry-After`:
/// `server.plug(RateLimit::new().server(Rate::per_second(10_000)).peer(Rate::per_second(100)))`.
///
/// A call has to pass all that apply, asked in this order: the caller's, the method's, the
/// server's. One that a later one refuses has still been counted by those before. Requests of pages
/// count as calls. Clocks that are set do not matter.
///
/// The order of plugins holds: one behind a check of credentials limits those who passed it.
#[derive(Clone, Debug, Default)]
pub struct RateLimit {
    server: Option<Rate>,
    peer: Option<Rate>,
    peers: Option<usize>,
    methods: Vec<(String, String, Rate)>,
    at_once: Option<usize>,
}

impl RateLimit {
    /// No limit yet.
    pub fn new() -> RateLimit {
        RateLimit::default()
    }

    /// Of all calls of the server.
    #[must_use]
    pub fn server(mut self, rate: Rate) -> RateLimit {
        self.server = Some(rate);
        self
    }

    /// Of each IP address; IPv6 addresses of one network of 64 bits count as one, because whoever
    /// has one of them has all. Peers without an address (a Unix socket's, this process) are not
    /// limited by this.
    #[must_use]
    pub fn peer(mut self, rate: Rate) -> RateLimit {
        self.peer = Some(rate);
        self
    }

    /// How many addresses are kept apart. Default 65,536. Those that were quiet for long enough
    /// are forgotten; when all were busy, new ones share what one would have.
    #[must_use]
    pub fn peers(mut self, most: usize) -> RateLimit {
        self.peers = Some(most);
        self
    }

    /// Of one method, by its own names. Nothing is limited by a name that the server does not have.
    #[must_use]
    pub fn method(
        mut self,
        service: impl Into<String>,
        method: impl Into<String>,
        rate: Rate,
    ) -> RateLimit {
        self.methods.push((service.into(), method.into(), rate));
        self
    }

    /// Lets at most so many calls be under way at once. Further ones are refused, and do not wait
    /// as they would for [`Limits::calls_per_connection`](farcall_core::Limits).
    #[must_use]
    pub fn at_once(mut self, calls: usize) -> RateLimit {
        self.at_once = Some(calls);
        self
    }
}

impl Plugin for RateLimit {
    fn moments(&self) -> Moments {
        Moments::CALL
    }

    fn on_serve(&self, served: &Served<'_>) -> Option<Box<dyn Plugin>> {
        let of = |(service, method): &(&str, &str)| {
            let mut rates = self.methods.iter().rev();
            let found = rates.find(|(s, m, _)| s == service && m == method);
            found.map(|(.., rate)| Bucket::new(*rate))
        };
        let methods: Vec<_> = served.methods().iter().map(of).collect();
        Some(Box::new(Limiting {
            began: Instant::now(),
            server: self.server.map(Bucket::new),
            peers: self.peer.map(|rate| Peers::new(rate, self.peers.unwrap_or(1 << 16))),
            methods,
            at_once: self.at_once,
            under_way: AtomicUsize::new(0),
        }))
    }
}

/// The plugin of one server.
struct Limiting {
    /// What times are counted from.
    began: Instant,
    server: Option<Bucket>,
    peers: Option<Peers>,
    /// By number.
    methods: Vec<Option<Bucket>>,
    at_once: Option<usize>,
    under_way: AtomicUsize,
}

impl Limiting {
    /// How long to wait, and for which limit's sake.
    fn take(&self, cx: &Cx) -> Result<(), (Duration, &'static str)> {
        let now = self.began.elapsed().as_nanos() as u64;
        if let Some(peers) = &self.peers
            && let Some(ip) = cx.peer().ip()
        {
            peers.take(ip, now).map_err(|wait| (wait, "this address"))?;
        }
        let method = cx.number().and_then(|number| self.methods.get(number)?.as_ref());
        if let Some(bucket) = method {
            bucket.take(now).map_err(|wait| (wait, "this method"))?;
        }
        if let Some(bucket) = &self.server {
            bucket.take(now).map_err(|wait| (wait, "this server"))?;
        }
        Ok(())
    }
}

impl Plugin for Limiting {
    fn moments(&self) -> Moments {
        match self.at_once {
            None => Moments::CALL,
            Some(_) => Moments::BEGIN | Moments::CALL | Moments::REPLY,
        }
    }

    fn on_begin(&self, _: &CallInfo<'_>) {
        self.under_way.fetch_add(1, Relaxed);
    }

    fn on_call(&self, cx: &Cx) -> Verdict {
        // The call itself is counted already.
        if self.at_once.is_some_and(|most| self.under_way.load(Relaxed) > most) {
            return Verdict::Stop(Status::resource_exhausted("too many calls are under way"));
        }
        match self.take(cx) {
            Ok(()) => Verdict::Go,
            Err((wait, whose)) => {
                let text = format!("too many calls: the rate of {whose} is limited");
                Verdict::Stop(Status::resource_exhausted(text).with_retry_after(wait))
            }
        }
    }

    fn on_reply(&self, _: &CallInfo<'_>, _: Outcome<'_>) {
        self.under_way.fetch_sub(1, Relaxed);
    }
}
