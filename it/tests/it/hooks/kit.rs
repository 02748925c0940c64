//! A service that ends every way a call can end, and hooks on both sides that count.

use farcall::{
    Answer, CallInfo, ClientCall, ClientPlugin, Cx, Dialling, Inbound, Incoming, Moments, Outcome,
    Outgoing, Peer, Plugin, Result, Server, Socket, Status, Stream, Verdict,
};
use std::{
    future::{self, pending},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What is called.
#[farcall::service]
pub(super) trait Work {
    /// One argument, one result.
    async fn run(&self, how: String) -> Result<String>;
    /// Answered with a stream.
    async fn out(&self, how: String) -> Result<impl Stream<Item = Result<String>> + Send>;
    /// Takes a stream.
    async fn take(&self, items: Inbound<String>) -> Result<String>;
    /// Both.
    async fn talk(
        &self,
        items: Inbound<String>,
    ) -> Result<impl Stream<Item = Result<String>> + Send>;
}

/// Does what it is told, and counts how often it was.
#[derive(Clone, Default)]
pub(super) struct Worker(pub(super) Arc<AtomicUsize>);

impl Worker {
    async fn work(&self, how: &str) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match how {
            how if how.contains("error") => Err(Status::not_found("as you wish")),
            how if how.contains("panic") => panic!("secret of the worker"),
            how if how.contains("wait") => pending().await,
            how => Ok(how.to_owned()),
        }
    }

    pub(super) fn entered(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// What comes, until it is told otherwise.
struct Echo {
    worker: Worker,
    items: Inbound<String>,
}

impl Stream for Echo {
    type Item = Result<String>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<String>>> {
        let this = self.get_mut();
        let Some(item) = ready!(Pin::new(&mut this.items).poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let item = item?;
        let worked = std::pin::pin!(this.worker.work(&item)).poll(cx);
        worked.map(Some)
    }
}

impl Work for Worker {
    async fn run(&self, how: String) -> Result<String> {
        self.work(&how).await
    }
    async fn out(&self, how: String) -> Result<impl Stream<Item = Result<String>> + Send> {
        let item = self.work(&how).await?;
        Ok(farcall::stream::iter([Ok(item)]))
    }
    async fn take(&self, mut items: Inbound<String>) -> Result<String> {
        let mut last = String::new();
        while let Some(item) = items.next().await {
            last = self.work(&item?).await?;
        }
        Ok(last)
    }
    async fn talk(
        &self,
        items: Inbound<String>,
    ) -> Result<impl Stream<Item = Result<String>> + Send> {
        Ok(Echo { worker: self.clone(), items })
    }
}

/// A server of it, with a function and perhaps a fallback.
pub(super) fn server(worker: &Worker, fallback: bool) -> Server {
    let function = worker.clone();
    let server = Server::new().add(WorkServer::new(worker.clone())).func(
        "Tool",
        "Run",
        move |how: String| {
            let worker = function.clone();
            async move { worker.work(&how).await }
        },
    );
    let worker = worker.clone();
    match fallback {
        false => server,
        true => server.fallback(move |_, body| {
            let worker = worker.clone();
            async move {
                worker.work(&String::from_utf8_lossy(&body)).await?;
                Ok(body)
            }
        }),
    }
}

/// How often each hook was asked, on one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) connect: usize,
    pub(super) close: usize,
    pub(super) miss: usize,
    /// Connections that were shown, to be wrapped.
    pub(super) dial: usize,
    /// Calls that were begun, whoever refused them then.
    pub(super) begin: usize,
    pub(super) call: usize,
    pub(super) around: usize,
    /// Interceptors that saw an answer.
    pub(super) seen: usize,
    pub(super) retry: usize,
    pub(super) reply: usize,
    pub(super) ends: Vec<&'static str>,
}

/// Counts, and refuses or answers if it is told to.
#[derive(Clone, Default)]
pub(super) struct Hook {
    pub(super) counts: Arc<Mutex<Counts>>,
    pub(super) refuses: bool,
    pub(super) answers: bool,
}

impl Hook {
    pub(super) fn counts(&self) -> Counts {
        self.counts.lock().expect("no panic").clone()
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock().expect("no panic"));
    }

    fn verdict(&self) -> Verdict {
        self.count(|counts| counts.call += 1);
        match self.refuses {
            true => Verdict::Stop(Status::permission_denied("not today")),
            false => Verdict::Go,
        }
    }

    fn ended(&self, outcome: Outcome<'_>) {
        let end = match outcome {
            Outcome::Done => "done",
            Outcome::Failed(_) => "failed",
            Outcome::Lost => "lost",
        };
        self.count(|counts| {
            counts.reply += 1;
            counts.ends.push(end);
        });
    }

    /// Around every call that comes.
    pub(super) fn incoming(
        self,
    ) -> impl Fn(Incoming) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        move |call| {
            let hook = self.clone();
            Box::pin(async move {
                hook.count(|counts| counts.around += 1);
                if hook.answers {
                    return call.answer(&"instead".to_owned());
                }
                let answer = call.run().await;
                hook.count(|counts| counts.seen += 1);
                answer
            })
        }
    }

    /// Around every call that goes.
    pub(super) fn outgoing(
        self,
    ) -> impl Fn(Outgoing) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        move |call| {
            let hook = self.clone();
            Box::pin(async move {
                hook.count(|counts| counts.around += 1);
                if hook.answers {
                    return call.answer(&"instead".to_owned());
                }
                let answer = call.run().await;
                hook.count(|counts| counts.seen += 1);
                answer
            })
        }
    }
}

impl Plugin for Hook {
    fn moments(&self) -> Moments {
        let calls = Moments::BEGIN | Moments::CALL | Moments::REPLY;
        Moments::CONNECT | Moments::ACCEPT | Moments::CLOSE | calls
    }
    fn on_accept(&self, socket: Socket) -> Socket {
        self.count(|counts| counts.dial += 1);
        socket
    }
    fn on_begin(&self, _: &CallInfo<'_>) {
        self.count(|counts| counts.begin += 1);
    }
    fn on_connect(&self, _: &Peer) -> Verdict {
        self.count(|counts| counts.connect += 1);
        Verdict::Go
    }
    fn on_close(&self, _: &Peer) {
        self.count(|counts| counts.close += 1);
    }
    fn on_call(&self, _: &Cx) -> Verdict {
        self.verdict()
    }
    fn on_reply(&self, _: &CallInfo<'_>, outcome: Outcome<'_>) {
        self.ended(outcome);
    }
}

impl ClientPlugin for Hook {
    fn moments(&self) -> Moments {
        Plugin::moments(self) | Moments::DIAL | Moments::RETRY | Moments::MISS
    }
    fn on_dial(&self, socket: Socket) -> Dialling {
        self.count(|counts| counts.dial += 1);
        Box::pin(future::ready(Ok(socket)))
    }
    fn on_begin(&self, call: &ClientCall) {
        assert_eq!(call.info().is_some(), call.service() == "Work");
        self.count(|counts| counts.begin += 1);
    }
    fn on_call(&self, call: &mut Outgoing) -> Verdict {
        assert!(!call.call().service().is_empty() && !call.call().protocol().is_empty());
        self.verdict()
    }
    fn on_reply(&self, _: &ClientCall, outcome: Outcome<'_>) {
        self.ended(outcome);
    }
    fn on_retry(&self, _: &ClientCall, _: &Status) {
        self.count(|counts| counts.retry += 1);
    }
    fn on_connect(&self, address: &str) {
        assert!(!address.is_empty());
        self.count(|counts| counts.connect += 1);
    }
    fn on_miss(&self, _: &str, _: &Status) {
        self.count(|counts| counts.miss += 1);
    }
    fn on_close(&self, _: &str) {
        self.count(|counts| counts.close += 1);
    }
}

/// Stands between client and server until it is cut.
pub(super) struct Relay {
    pub(super) address: String,
    cut: watch::Sender<bool>,
}

impl Relay {
    pub(super) async fn to(server: String) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (cut, told) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (server, mut told) = (server.clone(), told.clone());
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    let cut = tokio::select! {
                        biased;
                        _ = told.wait_for(|cut| *cut) => true,
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
                    };
                    // A mere end would let the server answer what runs.
                    if cut {
                        let _ = (near.set_zero_linger(), far.set_zero_linger());
                    }
                });
            }
        });
        Relay { address, cut }
    }

    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }
}

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
