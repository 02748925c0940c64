//! A room whose streams do everything a stream may do, and count what they did.

use farcall::{
    Client, Cx, Inbound, Limits, Memory, Message, Result, Server, Status, Stream,
    protocol::Protocol,
};
use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;

/// A generous cap for everything that is waited for.
pub(super) const SOON: Duration = Duration::from_secs(60);

#[derive(Message, Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) text: String,
}

/// Which lines, and what happens after the last.
#[derive(Message, Clone, Debug, Default)]
pub(super) struct Since {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The text of each line is this long.
    pub(super) pad: u64,
    /// `end`, `fail`, `panic`, `wait`, or `refuse` before the first line.
    pub(super) then: String,
}

impl Since {
    pub(super) fn lines(to: u64, then: &str) -> Since {
        Since { from: 0, to, pad: 0, then: then.to_owned() }
    }
}

#[derive(Message, Clone, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

#[farcall::service(name = "chat.Room")]
pub(super) trait Room {
    /// Lines, counted as they are made.
    async fn history(&self, since: Since) -> Result<impl Stream<Item = Result<Line>> + Send>;
    /// Takes lines; the first one's text says how: see `Hall::upload`.
    async fn upload(&self, lines: Inbound<Line>) -> Result<Summary>;
    /// Every line comes back; `fail` fails, `stop` ends.
    async fn talk(&self, lines: Inbound<Line>) -> Result<impl Stream<Item = Result<Line>> + Send>;
    /// Metadata and deadline are seen as in every call.
    async fn about(&self, cx: &Cx) -> Result<impl Stream<Item = Result<String>> + Send>;
    /// A call among streams.
    async fn add(&self, a: i64, b: i64) -> Result<i64>;
    /// One that waits.
    async fn sleep(&self, millis: u64) -> Result<()>;
}

/// What the room did.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Lines that `history` made.
    pub(super) made: AtomicU64,
    /// Lines that `upload` and `talk` took.
    pub(super) taken: AtomicU64,
    /// Handlers and streams that are alive.
    pub(super) alive: AtomicUsize,
}

impl Counts {
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::SeqCst)
    }
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }
}

/// Alive as long as this is.
pub(super) struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Alive<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Alive(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
pub(super) struct Hall {
    pub(super) counts: Arc<Counts>,
}

/// Lines out of a room, which it borrows.
struct Lines<'a> {
    counts: &'a Counts,
    since: Since,
    _alive: Alive<'a>,
}

impl Stream for Lines<'_> {
    type Item = Result<Line>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Line>>> {
        let this = self.get_mut();
        if this.since.from < this.since.to {
            let (number, text) = (this.since.from, "x".repeat(this.since.pad as usize));
            this.since.from += 1;
            this.counts.made.fetch_add(1, Ordering::SeqCst);
            return Poll::Ready(Some(Ok(Line { number, text })));
        }
        match &*this.since.then {
            "fail" => Poll::Ready(Some(Err(Status::not_found("no more lines")))),
            "panic" => panic!("secret of the stream"),
            "wait" => Poll::Pending,
            _ => Poll::Ready(None),
        }
    }
}

/// Every line back.
struct Echo<'a> {
    counts: &'a Counts,
    lines: Inbound<Line>,
    _alive: Alive<'a>,
}

impl Stream for Echo<'_> {
    type Item = Result<Line>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Line>>> {
        let this = self.get_mut();
        let line = match std::task::ready!(Pin::new(&mut this.lines).poll_next(cx)) {
            Some(Ok(line)) => line,
            other => return Poll::Ready(other),
        };
        this.counts.taken.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(match &*line.text {
            "fail" => Some(Err(Status::aborted("as you wish"))),
            "stop" => None,
            "panic" => panic!("secret of the echo"),
            _ => Some(Ok(line)),
        })
    }
}

impl Room for Hall {
    async fn history(&self, since: Since) -> Result<impl Stream<Item = Result<Line>> + Send> {
        if since.then == "refuse" {
            return Err(Status::permission_denied("not for you"));
        }
        let counts = &*self.counts;
        Ok(Lines { counts, since, _alive: Alive::new(&counts.alive) })
    }

    async fn upload(&self, mut lines: Inbound<Line>) -> Result<Summary> {
        let _alive = Alive::new(&self.counts.alive);
        let mut summary = Summary { lines: 0, bytes: 0 };
        while let Some(line) = lines.next().await {
            let line = line?;
            self.counts.taken.fetch_add(1, Ordering::SeqCst);
            summary.lines += 1;
            summary.bytes += line.text.len() as u64;
            match &*line.text {
                // The first line is enough.
                "enough" => return Ok(summary),
                "fail" => return Err(Status::out_of_range("a bad line")),
                "panic" => panic!("secret of the upload"),
                // Takes no more, and stays.
                "wait" => pending().await,
                // Wants no more, and stays.
                "close" => {
                    drop(lines);
                    return pending().await;
                }
                _ => {}
            }
        }
        Ok(summary)
    }

    async fn talk(&self, lines: Inbound<Line>) -> Result<impl Stream<Item = Result<Line>> + Send> {
        let counts = &*self.counts;
        Ok(Echo { counts, lines, _alive: Alive::new(&counts.alive) })
    }

    async fn about(&self, cx: &Cx) -> Result<impl Stream<Item = Result<String>> + Send> {
        let left = cx.remaining().is_some();
        let texts = [
            cx.protocol().to_owned(),
            cx.method().to_owned(),
            cx.meta().get("tenant").unwrap_or_default(),
            left.to_string(),
        ];
        cx.set_meta("lines", texts.len().to_string());
        Ok(farcall::stream::iter(texts.map(Ok)))
    }

    async fn add(&self, a: i64, b: i64) -> Result<i64> {
        Ok(a + b)
    }

    async fn sleep(&self, millis: u64) -> Result<()> {
        let _alive = Alive::new(&self.counts.alive);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(())
    }
}

/// A room, and a client of it over a protocol with these windows, in memory.
pub(super) fn room(
    protocol: &'static dyn Protocol,
    limits: Limits,
) -> (RoomClient, Arc<Counts>, Memory) {
    let hall = Hall::default();
    let counts = Arc::clone(&hall.counts);
    let server = Server::new().add(RoomServer::new(hall)).protocol(protocol).limits(limits);
    let memory = server.memory();
    let client = Client::over_protocol(protocol, memory.clone());
    (RoomClient::from_client(client), counts, memory)
}

/// A line.
pub(super) fn line(number: u64, text: &str) -> Line {
    Line { number, text: text.to_owned() }
}

/// So many lines, without a word.
pub(super) fn lines(count: u64) -> impl Stream<Item = Line> + Send + 'static {
    farcall::stream::iter((0..count).map(|number| line(number, "")))
}

/// Endless lines, counted; alive as long as it is.
pub(super) struct Endless {
    pub(super) made: Arc<AtomicU64>,
    pub(super) first: Option<Line>,
    pub(super) text: String,
}

impl Endless {
    pub(super) fn new(first: &str, pad: usize) -> (Endless, Arc<AtomicU64>) {
        let made = Arc::new(AtomicU64::new(0));
        let first = (!first.is_empty()).then(|| line(0, first));
        (Endless { made: Arc::clone(&made), first, text: "y".repeat(pad) }, made)
    }
}

impl Stream for Endless {
    type Item = Line;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Line>> {
        let this = self.get_mut();
        let number = this.made.fetch_add(1, Ordering::SeqCst);
        let next = this.first.take().unwrap_or_else(|| line(number, &this.text));
        Poll::Ready(Some(next))
    }
}

/// All that comes, up to the end or the error.
pub(super) async fn all<T: farcall::Take>(mut stream: Inbound<T>) -> (Vec<T>, Option<Status>) {
    let mut items = Vec::new();
    let end = loop {
        match within(stream.next()).await {
            Some(Ok(item)) => items.push(item),
            Some(Err(status)) => break Some(status),
            None => break None,
        }
    };
    assert!(stream.next().await.is_none(), "nothing comes after the end");
    (items, end)
}

/// What comes, soon.
pub(super) async fn within<F: Future>(future: F) -> F::Output {
    timeout(SOON, future).await.expect("in time")
}

/// Waits until something holds.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + SOON;
    while !holds() {
        assert!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until a count stays as it is.
pub(super) async fn settled(count: impl Fn() -> u64) -> u64 {
    let mut last = count();
    let mut same = 0;
    while same < 20 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let now = count();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}
