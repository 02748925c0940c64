//! Hooks and interceptors on both sides, made from nothing: who calls, how long it took, which
//! address it goes to, what goes over the wire. `cargo run --example hooks`.

use farcall::{
    Answer, Choice, ClientCall, ClientPlugin, Dialling, Incoming, Moments, Outcome, Outgoing,
    Result, Server, Socket, Status, Verdict,
};
use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[farcall::service]
trait Orders {
    async fn place(&self, article: String) -> Result<String>;
    async fn count(&self) -> Result<u64>;
}

struct Shop(u64);

impl Orders for Shop {
    async fn place(&self, article: String) -> Result<String> {
        Ok(format!("{article}, from shop {}", self.0))
    }
    async fn count(&self) -> Result<u64> {
        Ok(self.0)
    }
}

/// Signs every call, and remembers those that failed or took long.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<String>>>);

impl ClientPlugin for Ledger {
    fn moments(&self) -> Moments {
        Moments::CALL | Moments::REPLY | Moments::RETRY
    }

    fn on_call(&self, call: &mut Outgoing) -> Verdict {
        if call.call().method() == "Place" && call.meta().iter().all(|(key, _)| key != "buyer") {
            return Verdict::Stop(Status::unauthenticated("nobody would pay for it"));
        }
        call.set_meta("signed", "yes");
        Verdict::Go
    }

    fn on_retry(&self, call: &ClientCall, failed: &Status) {
        self.note(format!("{} once more: {failed}", call.method()));
    }

    fn on_reply(&self, call: &ClientCall, outcome: Outcome<'_>) {
        let late = call.elapsed() > Duration::from_secs(1);
        match outcome {
            Outcome::Failed(status) => self.note(format!("{} failed: {status}", call.method())),
            Outcome::Lost => self.note(format!("{} was given up", call.method())),
            Outcome::Done if late => self.note(format!("{} took its time", call.method())),
            Outcome::Done => {}
        }
    }
}

impl Ledger {
    fn note(&self, line: String) {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner()).push(line);
    }
}

/// Counts what a client writes, and asks for a handshake of its own.
#[derive(Clone, Default)]
struct Meter(Arc<AtomicU64>);

impl ClientPlugin for Meter {
    fn moments(&self) -> Moments {
        Moments::DIAL
    }

    fn on_dial(&self, socket: Socket) -> Dialling {
        let meter = self.clone();
        Box::pin(async move {
            if socket.peer().ip().is_some_and(|ip| ip.is_unspecified()) {
                return Err(Status::permission_denied("nobody lives there"));
            }
            Ok(socket.wrap(|io| Metered { io, meter }))
        })
    }
}

/// A connection that is counted.
struct Metered<T> {
    io: T,
    meter: Meter,
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.meter.0.fetch_add(written as u64, Relaxed);
        Poll::Ready(Ok(written))
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What writes goes to the first address that can be called; the client chooses for all else.
struct Leader;

impl ClientPlugin for Leader {
    fn moments(&self) -> Moments {
        Moments::SELECT
    }

    fn on_select(&self, call: &ClientCall, choice: &Choice<'_>) -> Option<usize> {
        let writes = call.method() == "Place";
        (0..choice.count()).find(|at| writes && choice.is_open(*at) && !choice.was_tried(*at))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let served = Arc::new(AtomicUsize::new(0));
    let mut addresses = Vec::new();
    for number in 1..3 {
        let count = served.clone();
        let server =
            Server::new().add(OrdersServer::new(Shop(number))).intercept(move |call: Incoming| {
                let count = count.clone();
                async move {
                    let answer = call.run().await;
                    count.fetch_add(1, Relaxed);
                    answer
                }
            });
        let bound = server.listen("tcp://127.0.0.1:0").await?;
        addresses.push(bound.addresses()[0].replace("tcp://", ""));
        tokio::spawn(bound.run());
    }

    let (ledger, meter) = (Ledger::default(), Meter::default());
    let stock = Arc::new(Mutex::new(None));
    let orders = OrdersClient::builder("rpcx:///Orders")
        .addresses(&addresses)
        .plug(ledger.clone())
        .plug(meter.clone())
        .plug(Leader)
        .intercept(move |call: Outgoing| {
            let stock = stock.clone();
            async move {
                if call.call().method() != "Count" {
                    return call.run().await;
                }
                let known: Option<u64> = *stock.lock().unwrap_or_else(|poison| poison.into_inner());
                if let Some(count) = known {
                    return call.answer(&count);
                }
                let answer: Answer = call.run().await;
                if let Ok(count) = answer.decode::<u64>() {
                    *stock.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(count);
                }
                answer
            }
        })
        .build()
        .await?;

    println!("{}", orders.place("a lamp".into()).meta("buyer", "Ada").await?);
    if let Err(status) = orders.place("a lamp".into()).await {
        println!("{status}");
    }
    println!("{} and {}", orders.count().await?, orders.count().await?);
    println!("{} calls served", served.load(Relaxed));
    println!("{} bytes written", meter.0.load(Relaxed));
    for line in &*ledger.0.lock().unwrap_or_else(|poison| poison.into_inner()) {
        println!("{line}");
    }
    Ok(())
}
