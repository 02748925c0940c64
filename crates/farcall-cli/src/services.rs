//! The example services: `Arith`, `HelloService` and `Echo`, as the Go peers of the test suites
//! have them. `farcall serve` and `farcall demo` serve them, and integration tests may.
//!
//! Names on the wire are Go's (`A`, `B`, `Quo`), protobuf numbers follow the order of the fields.

use crate::{kinds::Kinds, message581::BenchmarkMessage, own::Own};
use bytes::Bytes;
use farcall::{Code, Cx, Message, Notice, Result, Server, Status};
use std::{panic, sync::Arc, time::Duration};

/// Two numbers: what every method of [`Arith`] takes.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
#[message(go_names)]
pub struct Args {
    /// The first.
    pub a: i64,
    /// The second.
    pub b: i64,
}

/// What `Arith.Mul` answers.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
#[message(go_names)]
pub struct Reply {
    /// The product.
    pub c: i64,
}

/// What `Arith.Divide` answers.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
#[message(go_names)]
pub struct Quotient {
    /// The quotient, rounded towards zero.
    pub quo: i64,
    /// The remainder; it has the sign of the dividend.
    pub rem: i64,
}

/// What `Echo.Sleep` takes.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
#[message(go_names)]
pub struct SleepArgs {
    /// Milliseconds.
    pub ms: i64,
}

/// What `Echo.Push` takes.
#[derive(Message, Clone, Copy, Debug, PartialEq)]
#[message(go_names)]
pub struct PushArgs {
    /// How many messages are wanted, 1,000 at most.
    pub n: i64,
}

/// What `Echo.Fail` takes.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
pub struct FailArgs {
    /// gRPC's number of a code.
    pub code: i64,
    /// The text of the failure.
    pub message: String,
}

/// The calculator of the rpcx and net/rpc documents.
#[farcall::service(name = "Arith")]
pub trait Arith {
    /// The product; overflow wraps around, as in Go.
    #[method(name = "Mul", idempotent)]
    async fn mul(&self, args: Args) -> Result<Reply>;
    /// The product as a bare number.
    #[method(name = "Multiply", idempotent)]
    async fn multiply(&self, args: Args) -> Result<i64>;
    /// Quotient and remainder, or the error `divide by zero`.
    #[method(name = "Divide", idempotent)]
    async fn divide(&self, args: Args) -> Result<Quotient>;
}

/// The service of the net/rpc documents.
#[farcall::service(name = "HelloService")]
pub trait HelloService {
    /// `Hello World:` and the request.
    #[method(name = "SayHello", idempotent)]
    async fn say_hello(&self, name: String) -> Result<String>;
}

/// Replies that tell what arrived, and faults to order: for benches and tests.
#[farcall::service(name = "Echo")]
pub trait Echo {
    /// The message of the rpcx benchmarks, as it came.
    #[method(name = "Echo", idempotent)]
    async fn echo(&self, message: BenchmarkMessage) -> Result<BenchmarkMessage>;
    /// Bytes, as they came.
    #[method(name = "Bytes", idempotent)]
    async fn bytes(&self, bytes: Bytes) -> Result<Bytes>;
    /// A value of every kind, as it came.
    #[method(name = "Kinds", idempotent)]
    async fn kinds(&self, kinds: Kinds) -> Result<Kinds>;
    /// What Go has of its own, as it came.
    #[method(name = "Own", idempotent)]
    async fn own(&self, own: Own) -> Result<Own>;
    /// Answers after a while.
    #[method(name = "Sleep", idempotent)]
    async fn sleep(&self, args: SleepArgs) -> Result<()>;
    /// Fails as it is told.
    #[method(name = "Fail", idempotent)]
    async fn fail(&self, args: FailArgs) -> Result<()>;
    /// Panics.
    #[method(name = "Panic", idempotent)]
    async fn panic(&self) -> Result<()>;
    /// Sends the call's metadata back as the reply's.
    #[method(name = "Meta", idempotent)]
    async fn echo_meta(&self, cx: &Cx) -> Result<()>;
    /// Pushes so many messages to the caller: `Echo.Pushed`, `number` in their metadata and
    /// `message NUMBER` as raw bytes, from 0. Over protocols that cannot, it fails and names them.
    #[method(name = "Push")]
    async fn push(&self, cx: &Cx, args: PushArgs) -> Result<()>;
}

/// The text that `Echo.Panic` panics with.
const PANIC_TEXT: &str = "asked to panic";

/// Lets `Echo.Panic` panic without a message on standard error, which would look like a mistake.
/// Other panics are told as before.
pub fn expect_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() != Some(PANIC_TEXT) {
            usual(info);
        }
    }));
}

/// What tells two servers of the same services apart.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `Arith.Mul` multiplies its result by this.
    pub factor: i64,
    /// `Echo.Meta` sends this back under `instance`.
    pub instance: Option<Arc<str>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { factor: 1, instance: None }
    }
}

/// A server with all example services, `Arith.Mul` multiplied by `factor`.
pub fn all(factor: i64) -> Server {
    with(Settings { factor, ..Settings::default() })
}

/// A server with all example services.
pub fn with(settings: Settings) -> Server {
    Server::new()
        .add(ArithServer::new(Calculator { factor: settings.factor }))
        .add(HelloServiceServer::new(Hello))
        .add(EchoServer::new(Mirror { instance: settings.instance }))
}

struct Calculator {
    factor: i64,
}

impl Arith for Calculator {
    async fn mul(&self, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a.wrapping_mul(args.b).wrapping_mul(self.factor) })
    }

    async fn multiply(&self, args: Args) -> Result<i64> {
        Ok(args.a.wrapping_mul(args.b))
    }

    async fn divide(&self, args: Args) -> Result<Quotient> {
        let Args { a, b } = args;
        if b == 0 {
            return Err(Status::invalid_argument("divide by zero"));
        }
        Ok(Quotient { quo: a.wrapping_div(b), rem: a.wrapping_rem(b) })
    }
}

struct Hello;

impl HelloService for Hello {
    async fn say_hello(&self, name: String) -> Result<String> {
        Ok(format!("Hello World:{name}"))
    }
}

struct Mirror {
    instance: Option<Arc<str>>,
}

impl Echo for Mirror {
    async fn echo(&self, message: BenchmarkMessage) -> Result<BenchmarkMessage> {
        Ok(message)
    }

    async fn bytes(&self, bytes: Bytes) -> Result<Bytes> {
        Ok(bytes)
    }

    async fn kinds(&self, kinds: Kinds) -> Result<Kinds> {
        Ok(kinds)
    }

    async fn own(&self, own: Own) -> Result<Own> {
        Ok(own)
    }

    async fn sleep(&self, args: SleepArgs) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(args.ms.max(0).unsigned_abs())).await;
        Ok(())
    }

    async fn fail(&self, args: FailArgs) -> Result<()> {
        Err(Status::new(Code::from_number(args.code), args.message))
    }

    async fn panic(&self) -> Result<()> {
        panic!("{PANIC_TEXT}")
    }

    async fn echo_meta(&self, cx: &Cx) -> Result<()> {
        for (key, value) in cx.meta().pairs() {
            cx.set_meta(key, value);
        }
        if let Some(instance) = &self.instance {
            cx.set_meta("instance", &**instance);
        }
        Ok(())
    }

    async fn push(&self, cx: &Cx, args: PushArgs) -> Result<()> {
        let pusher = cx.pusher()?;
        if args.n > 1000 {
            return Err(Status::invalid_argument("more than 1,000 messages are not pushed"));
        }
        for number in 0..args.n {
            let notice = Notice::new("Echo", "Pushed", format!("message {number}"));
            pusher.send(notice.meta("number", number.to_string()))?;
        }
        Ok(())
    }
}
