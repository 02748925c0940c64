//! Calls beyond a rate are refused, and those worth a line get one.

use super::{WAYS, client, eventually};
use farcall::{CallLog, Limits, Outcome, Rate, RateLimit, Result, Token};
use farcall_it::{
    frames::{Frame, Raw},
    http::{Http, post},
    services::{Args, Running, probe},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

/// Two calls, and then none for as long as a test may take.
fn two() -> Rate {
    Rate::new(2, Duration::from_secs(10 * 3_600)).burst(2)
}

const MUL: Args = Args { a: 6, b: 7 };

#[tokio::test]
async fn a_servers_rate_holds_over_every_protocol() -> Result<()> {
    for (way, _) in WAYS {
        let limit = RateLimit::new().server(two());
        let running = Running::start(probe(Limits::default()).plug(limit)).await;
        let probe = client(way, &running).await;
        for _ in 0..2 {
            assert_eq!(probe.mul(MUL).await?.c, 42, "{way}");
        }
        for _ in 0..3 {
            let status = probe.mul(MUL).await.expect_err("one too many");
            assert!(status.text().contains("the rate of this server"), "{way} {status}");
        }
        // What does not exist is refused alike, and a body that cannot be read is not looked at.
        let mut raw = Raw::connect(&running.url).await;
        for (method, body) in [("Nothing", &b"\xc0"[..]), ("Mul", b"\xff\xff")] {
            let answer = raw.call(&Frame::call(1, "Probe", method, 3, body)).await;
            let error = answer.expect("an answer").error().expect("refused");
            assert!(error.contains("rate of this server"), "{error}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn http_is_told_when_to_try_again() -> Result<()> {
    let limit = RateLimit::new().method("Probe", "Mul", two());
    let running = Running::start(probe(Limits::default()).plug(limit)).await;
    let mut http = Http::connect(&running.url).await;
    let mul = post("/Probe/Mul", "", r#"{"A":6,"B":7}"#);
    for status in [200, 200, 429, 429] {
        assert_eq!(http.call(&mul).await.status, status);
    }
    let answer = http.call(&mul).await;
    assert!(answer.body.contains("resource_exhausted"), "{answer:?}");
    let seconds: u64 = answer.field("retry-after").expect("when").parse().expect("seconds");
    assert!((1..=5 * 3_600).contains(&seconds), "{seconds}");
    // Other methods are none of its business.
    assert_eq!(http.call(&post("/Probe/Count", "", "0")).await.status, 200);
    Ok(())
}

#[tokio::test]
async fn addresses_have_rates_of_their_own() -> Result<()> {
    let limit = RateLimit::new().peer(two());
    let running = Running::start(probe(Limits::default()).plug(limit)).await;
    let server: SocketAddr = running.url.trim_start_matches("rpcx://").parse().expect("one");
    for last in [1, 2, 3] {
        for want in ["200", "200", "429"] {
            // A new connection is no new caller.
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).expect("loopback is a network");
            let mut socket = socket.connect(server).await.expect("it listens");
            let request = post("/Probe/Count", "Connection: close\r\n", "0");
            socket.write_all(request.as_bytes()).await.expect("it reads");
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.expect("an answer");
            assert_eq!(answer.get(9..12), Some(want), "127.0.0.{last}: {answer}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn so_many_at_once() -> Result<()> {
    for (way, _) in WAYS {
        let limit = RateLimit::new().at_once(2);
        let running = Running::start(probe(Limits::default()).plug(limit)).await;
        let (probe, other) = (client(way, &running).await, client("http", &running).await);
        // Those that end make room.
        for _ in 0..5 {
            tokio::try_join!(probe.mul(MUL), probe.mul(MUL))?;
        }
        let _both = [probe.sleep(60_000).start(), probe.sleep(60_000).start()];
        for at in 0.. {
            assert!(at < 10_000, "never: both run");
            match other.mul(MUL).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                Err(status) => {
                    assert!(status.text().contains("too many calls are under way"), "{status}");
                    break;
                }
            }
        }
        probe.mul(MUL).await.expect_err("one too many");
    }
    Ok(())
}

#[tokio::test]
async fn checks_and_rates_keep_their_order() -> Result<()> {
    // Behind the check, only those who passed it count.
    let limit = RateLimit::new().server(two());
    let server = probe(Limits::default()).auth(Token::new("open")).plug(limit);
    let running = Running::start(server).await;
    let mut http = Http::connect(&running.url).await;
    let mut call = async |token: &str| {
        let fields = format!("Authorization: Bearer {token}\r\n");
        http.call(&post("/Probe/Count", &fields, "0")).await.status
    };
    for _ in 0..5 {
        assert_eq!(call("wrong").await, 401);
    }
    assert_eq!((call("open").await, call("open").await, call("open").await), (200, 200, 429));
    Ok(())
}

/// A log into memory.
fn log(log: CallLog) -> (CallLog, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let into = Arc::clone(&lines);
    (log.to(move |call| into.lock().expect("no panic").push(call.to_string())), lines)
}

#[tokio::test]
async fn slow_and_failed_calls_get_a_line() -> Result<()> {
    let slow = CallLog::new().slow(Duration::from_millis(20)).per_second(1_000);
    let (plugin, lines) = log(slow);
    let running = Running::start(probe(Limits::default()).plug(plugin)).await;
    let count = || lines.lock().expect("no panic").len();
    for (way, protocol) in WAYS {
        let before = count();
        let probe = client(way, &running).await;
        probe.sleep(30).await?;
        probe.fail(5, "no\n\u{1b}[31m".into()).await.expect_err("a failure");
        eventually("both are told", || count() >= before + 2).await;
        let lines = lines.lock().expect("no panic")[before..].to_vec();
        let of = |method: &str| lines.iter().find(|line| line.starts_with(method)).expect(method);
        let slow = of("Probe.Sleep of 127.0.0.1:");
        assert!(slow.contains(&format!(" over {protocol}: ok in ")), "{slow}");
        assert!(slow.contains(" bytes in, "), "{slow}");
        let failed = of("Probe.Fail of 127.0.0.1:");
        assert!(failed.contains(": not found in ") && failed.contains(r": no\n\u{1b}[31m"));
        assert!(lines.iter().all(|line| !line.contains(['\n', '\u{1b}'])), "{lines:?}");
    }
    // What a caller makes up stays one line, and a short one.
    let mut raw = Raw::connect(&running.url).await;
    let name = format!("x\n\u{1b}[2J{}", "y".repeat(900));
    raw.call(&Frame::call(1, "Probe", &name, 3, b"\xc0")).await.expect("an answer");
    let last = lines.lock().expect("no panic").last().expect("a line").clone();
    assert!(last.starts_with(r"Probe.x\n\u{1b}[2Jyyy") && last.len() < 1_000, "{last}");
    Ok(())
}

#[tokio::test]
async fn a_storm_is_a_few_lines() -> Result<()> {
    let told = Arc::new(Mutex::new((0_u64, 0_u64)));
    let into = Arc::clone(&told);
    let plugin = CallLog::new().per_second(2).to(move |call| {
        assert!(matches!(call.outcome(), Outcome::Failed(_)));
        let mut told = into.lock().expect("no panic");
        *told = (told.0 + 1, told.1 + call.left_out());
    });
    let running = Running::start(probe(Limits::default()).plug(plugin)).await;
    let probe = client("rpcx", &running).await;
    let began = tokio::time::Instant::now();
    let mut failed = 0;
    // For as long as it takes until one says what was left out.
    while told.lock().expect("no panic").1 == 0 {
        assert!(failed < 1_000_000, "nothing is left out");
        probe.plain().await.expect_err("a failure");
        failed += 1;
    }
    let (lines, left_out) = *told.lock().expect("no panic");
    let seconds = began.elapsed().as_secs() + 1;
    assert_eq!(lines + left_out, failed);
    assert!(lines <= 2 * (seconds + 1), "{lines} lines in {seconds} s");
    Ok(())
}
