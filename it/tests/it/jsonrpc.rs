//! JSON-RPC end to end: our client of both versions over TCP and in memory, and text on a socket as
//! people write it.

use farcall::{Client, Code, Compress, Format, Limits, Origin, Result, Sent, Value, json};
use farcall_cli::{
    kinds::Kinds,
    message581::BenchmarkMessage,
    services::{Args as Two, ArithClient, EchoClient, HelloServiceClient},
};
use farcall_it::services::{Args, ProbeClient, Reply, Running, Tree, probe};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

/// Both versions over both transports, by name.
async fn ways(name: &str, server: impl Fn() -> farcall::Server) -> (Running, Vec<String>) {
    let running = Running::start(server()).await;
    let bound = server().listen(format!("mem://{name}")).await.expect("a free name");
    tokio::spawn(bound.run());
    let tcp = running.url.replace("rpcx", "jsonrpc");
    let memory = format!("jsonrpc+mem://{name}");
    let urls = [tcp, memory].into_iter().flat_map(|url| [format!("{url}?version=1"), url]);
    (running, urls.collect())
}

#[tokio::test]
async fn every_kind_of_argument() -> Result<()> {
    let (_running, urls) = ways("jsonrpc-kinds", || probe(Limits::default())).await;
    for url in urls {
        let client = ProbeClient::connect(&url).await?;
        assert_eq!(client.mul(Args { a: -6, b: 7 }).await?, Reply { c: -42 });
        assert_eq!(client.direct(Args { a: 3, b: 0 }).await?.c, 0);
        assert_eq!(client.add(i64::MAX - 1, 1).await?, i64::MAX);
        assert!(client.sleep(5).await? >= 1);
        assert_eq!(client.block(1).await?, 1);
        client.meta_call().await?;
        let leaf = || Tree { name: "leaf <&> \u{2028}".into(), kids: Vec::new(), next: None };
        let kids = (0..200).map(|i| Tree { name: format!("n{i}"), ..leaf() }).collect();
        let tree = Tree { kids, next: Some(Box::new(leaf())), ..leaf() };
        assert_eq!(client.tree(tree.clone()).await?, tree);
        for size in [0, 1, 1024, 65_536, 2 << 20] {
            let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            assert!(client.bytes(body.clone().into()).await? == body, "{url} {size}");
        }
        // A deadline is the client's own: the wire has no place for it. And 1.0 has none for none.
        if url.ends_with("version=1") {
            assert!(client.left().await.expect_err("an object").text().contains("an object"));
        } else {
            assert_eq!(client.left().await?, None);
        }
        // So what was given up still sleeps on the server.
        let call = client.sleep(5_000).deadline(Duration::from_millis(30));
        assert_eq!(call.await.expect_err("too late").code(), Code::DeadlineExceeded);
        assert_eq!(client.mul(Args { a: 2, b: 3 }).await?.c, 6);
    }
    Ok(())
}

#[tokio::test]
async fn the_example_services() -> Result<()> {
    let (_running, urls) = ways("jsonrpc-examples", || farcall_cli::services::all(1)).await;
    for url in urls {
        let client = Client::connect(&url).await?;
        let hello = HelloServiceClient::from_client(client.clone());
        assert_eq!(hello.say_hello("Gö <&>".into()).await?, "Hello World:Gö <&>");
        let echo = EchoClient::from_client(client.clone());
        assert_eq!(echo.kinds(Kinds::sample()).await?, Kinds::sample());
        let message = BenchmarkMessage::sample();
        assert_eq!(echo.echo(message.clone()).await?, message);
        let reply = client.call("Arith.Mul", json!({"A": 6, "B": 7})).await?;
        assert_eq!(reply, json!({"C": 42}));
        let reply = client.call("HelloService.SayHello", Value::from("you")).await?;
        assert_eq!(reply, Value::from("Hello World:you"));
    }
    Ok(())
}

#[tokio::test]
async fn failures_say_what_and_who() -> Result<()> {
    let (_running, urls) = ways("jsonrpc-failures", || probe(Limits::default())).await;
    for url in urls {
        let one = url.ends_with("version=1");
        let client = ProbeClient::connect(&url).await?;
        let status = client.fail(5, "no such döner".into()).await.expect_err("a failure");
        assert_eq!((status.text(), status.origin()), ("no such döner", Origin::Remote));
        assert_eq!(status.code(), if one { Code::Unknown } else { Code::NotFound });
        assert_eq!(status.sent(), Sent::Yes);
        let status = client.plain().await.expect_err("a failure");
        assert_eq!((status.text(), status.code()), ("a plain text", Code::Unknown));
        for millis in [0, 5] {
            let status = client.panic(millis).await.expect_err("a panic");
            assert_eq!(status.code(), Code::Internal);
            assert!(!status.text().contains("secret"), "{status}");
        }
        let raw = client.client();
        let status = raw.call("Nobody.Home", json!({})).await.expect_err("unknown");
        assert_eq!(status.text(), "rpc: can't find service Nobody.Home");
        assert_eq!(status.code(), Code::Unimplemented);
        let status = raw.call("Probe.Nothing", json!({})).await.expect_err("unknown");
        assert_eq!(status.text(), "rpc: can't find method Probe.Nothing");
        let status = raw.call("Probe.Mul", json!({"A": 1, "B": "two"})).await;
        let status = status.expect_err("not a number");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.text().contains("args.B: expected"), "{status}");
        let status = raw.call_as::<_, Tree>("Probe.Mul", json!({"A": 1})).await;
        assert!(status.is_ok(), "unknown fields are passed over: {status:?}");
        let status = raw.call_as::<_, Tree>("Probe.Add", json!({"a": 1, "b": 2})).await;
        assert_eq!(status.expect_err("not a tree").sent(), Sent::Yes);
        assert_eq!(client.mul(Args { a: 2, b: 3 }).await?.c, 6);
    }
    Ok(())
}

/// What the wire has no place for is refused by name, before anything is sent.
#[tokio::test]
async fn what_cannot_be_carried_is_named() -> Result<()> {
    let (_running, urls) = ways("jsonrpc-refused", || probe(Limits::default())).await;
    for url in urls {
        let client = ProbeClient::connect(&url).await?;
        let args = || Args { a: 2, b: 3 };
        for (call, what) in [
            (client.mul(args()).meta("tenant", "blue"), "metadata (`tenant`)"),
            (client.mul(args()).compress(Compress::Gzip), "compressed bodies (gzip)"),
            (client.mul(args()).format(Format::MsgPack), "bodies in msgpack, only in json"),
        ] {
            let status = call.await.expect_err("refused");
            assert_eq!(status.text(), format!("jsonrpc does not carry {what}"));
            assert_eq!((status.code(), status.sent()), (Code::InvalidArgument, Sent::No));
        }
        assert_eq!(client.mul(args()).await?.c, 6);
    }
    Ok(())
}

#[tokio::test]
async fn one_way_calls_run() -> Result<()> {
    let (_running, urls) = ways("jsonrpc-oneway", || probe(Limits::default())).await;
    let mut before = 0;
    for url in urls {
        let client = ProbeClient::connect(&url).await?;
        for _ in 0..10 {
            client.count(1).oneway().await?;
            client.fail(3, "unseen".into()).oneway().await?;
        }
        let mut counted = 0;
        for _ in 0..100 {
            counted = client.count(10).await?;
            if counted >= before + 10 {
                break;
            }
        }
        assert!(counted >= before + 10, "{url} {counted}");
        // The next way leads to the same server every second time.
        before = if url.ends_with("version=1") { counted } else { 0 };
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_out_of_order_find_their_callers() -> Result<()> {
    let (_running, urls) = ways("jsonrpc-order", || probe(Limits::default())).await;
    for url in urls {
        let client = ProbeClient::connect(&url).await?;
        let callers = (0..32u64).map(|caller| {
            let client = client.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    client.sleep((caller * 7 + round) % 11).await?;
                    let (a, b) = (caller as i64, round as i64);
                    assert_eq!(client.mul(Args { a, b }).await?.c, a * b);
                }
                Ok::<(), farcall::Status>(())
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no panic")?;
        }
    }
    Ok(())
}

/// A socket as people have it in `nc`.
struct Socket(TcpStream);

impl Socket {
    async fn connect(running: &Running) -> Socket {
        let address = running.url.trim_start_matches("rpcx://");
        Socket(TcpStream::connect(address).await.expect("the server accepts"))
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("written");
    }

    /// The next line, or what came before the end.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        let read = async {
            while line.last() != Some(&b'\n') {
                match self.0.read_u8().await {
                    Ok(byte) => line.push(byte),
                    Err(_) => break,
                }
            }
        };
        timeout(Duration::from_secs(10), read).await.expect("an answer or a close");
        String::from_utf8(line).expect("text")
    }

    async fn ask(&mut self, text: &str) -> String {
        self.say(text).await;
        self.line().await
    }
}

#[tokio::test]
async fn as_people_write_it() {
    let running = Running::start(farcall_cli::services::all(1)).await;
    let mut socket = Socket::connect(&running).await;
    let hello = r#"{"method":"HelloService.SayHello","params":["x"],"id":1}"#;
    let want = "{\"id\":1,\"result\":\"Hello World:x\",\"error\":null}\n";
    assert_eq!(socket.ask(hello).await, want);
    assert_eq!(socket.ask(&format!("{hello}\r\n")).await, want);
    socket.say(&hello.repeat(3)).await;
    for _ in 0..3 {
        assert_eq!(socket.line().await, want);
    }
    for piece in hello.as_bytes().chunks(7) {
        socket.say(std::str::from_utf8(piece).expect("ASCII")).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(socket.line().await, want);
    for (text, want) in [
        (
            r#"{"method":"Arith.Multiply","params":[{"A":7,"B":8}],"id":0}"#,
            "{\"id\":0,\"result\":56,\"error\":null}",
        ),
        (
            r#"{"method":"Arith.Divide","params":[{"A":7}],"id":"x"}"#,
            "{\"id\":\"x\",\"result\":null,\"error\":\"divide by zero\"}",
        ),
        (
            r#"{"method":"Echo.Sleep","params":[{"Ms":1}],"id":null}"#,
            "{\"id\":null,\"result\":{},\"error\":null}",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"Arith.Multiply","params":[7,8],"id":1}"#,
            "{\"jsonrpc\":\"2.0\",\"result\":56,\"id\":1}",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"HelloService.SayHello","params":["y"],"id":2.5}"#,
            "{\"jsonrpc\":\"2.0\",\"result\":\"Hello World:y\",\"id\":2.5}",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"Arith.Divide","params":[1],"id":3}"#,
            "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32602,\"message\":\"divide by zero\"},\
             \"id\":3}",
        ),
    ] {
        assert_eq!(socket.ask(text).await, format!("{want}\n"), "{text}");
    }
    // Notifications are not answered, and a batch is, once its last call has ended.
    let slow = r#"{"jsonrpc":"2.0","method":"Echo.Sleep","params":{"Ms":50},"id":1}"#;
    let note = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{}}"#;
    let quick = r#"{"jsonrpc":"2.0","method":"Arith.Multiply","params":[2,3],"id":2}"#;
    let answer = socket.ask(&format!("{note}[{note}] [{slow},{note},{quick}]")).await;
    let want = "[{\"jsonrpc\":\"2.0\",\"result\":6,\"id\":2},\
                {\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}]\n";
    assert_eq!(answer, want);
    // What is no JSON is told, and the connection closed once what ran before it is answered.
    let answer = socket.ask(&format!("{slow}{{\"method\" \"x\"}}{}", "x".repeat(100_000))).await;
    assert!(answer.contains("-32700"), "{answer}");
    assert_eq!(socket.line().await, "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}\n");
    assert_eq!(socket.line().await, "");
}

/// More calls in one batch than may run at once.
#[tokio::test]
async fn a_batch_larger_than_the_connection() {
    let limits = Limits { calls_per_connection: 8, turn_calls: 5, ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    let mut socket = Socket::connect(&running).await;
    let call = |id: usize| {
        let (method, params) =
            if id.is_multiple_of(3) { ("Direct", "[]") } else { ("Sleep", "[2]") };
        format!(r#"{{"jsonrpc":"2.0","method":"Probe.{method}","params":{params},"id":{id}}}"#)
    };
    let calls: Vec<_> = (0..500).map(call).collect();
    let answer = socket.ask(&format!("[{}]", calls.join(","))).await;
    for id in 0..500 {
        assert_eq!(answer.matches(&format!("\"id\":{id}}}")).count(), 1, "{id}");
    }
    // Direct calls do not count what sleeps; sleepers see at most seven others.
    assert!(!answer.contains("\"error\""), "{answer}");
    let next = socket.ask(&call(7)).await;
    assert!(next.ends_with("\"id\":7}\n"), "{next}");
}

/// Only white space, for ever: no protocol begins like that.
#[tokio::test]
async fn white_space_is_not_waited_for() {
    let running = Running::start(probe(Limits::default())).await;
    let mut socket = Socket::connect(&running).await;
    socket.say(&" ".repeat(100)).await;
    assert_eq!(socket.line().await, "");
}

/// Another language's standard library, with nothing but a socket.
#[tokio::test]
async fn python_with_a_socket() {
    let running = Running::start(farcall_cli::services::all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    let port = address.rsplit(':').next().expect("a port");
    let program = r#"
import json, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
f = s.makefile("rw", encoding="utf-8", newline="\n")
for i in range(100):
    call = {"jsonrpc": "2.0", "method": "Arith.Mul", "params": {"A": i, "B": 7}, "id": i}
    f.write(json.dumps(call))
f.flush()
seen = {}
for i in range(100):
    r = json.loads(f.readline())
    seen[r["id"]] = r["result"]["C"]
assert seen == {i: i * 7 for i in range(100)}, seen
call = {"method": "HelloService.SayHello", "params": ["G\u00f6 \U0001f600"], "id": "x"}
f.write(json.dumps(call))
f.flush()
r = json.loads(f.readline())
assert r == {"id": "x", "result": "Hello World:G\u00f6 \U0001f600", "error": None}, r
print("fine")
"#;
    let python = Command::new("python3")
        .args(["-c", program, port])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    match python.await {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let wrong = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said.trim(), "fine", "{wrong}");
        }
        Err(error) => println!("SKIPPED: python3 did not start ({error}); nothing was checked"),
    }
}

#[tokio::test]
async fn arith_by_its_client() -> Result<()> {
    let running = Running::start(farcall_cli::services::all(1)).await;
    let arith = ArithClient::connect(running.url.replace("rpcx", "jsonrpc")).await?;
    let status = arith.divide(Two { a: 1, b: 0 }).await.expect_err("by zero");
    assert_eq!((status.text(), status.code()), ("divide by zero", Code::InvalidArgument));
    assert_eq!(arith.multiply(Two { a: 6, b: 7 }).await?, 42);
    Ok(())
}
