//! `/debug/limits`: what it says, who may read it, and what it calls not safe.

use farcall::{
    Client, Code, Cors, Finding, Format, Limits, Result, Server, SetBy, SourcedLimits, Token,
    Value, format::decode_from, json,
};
use farcall_it::{
    certs::Authority,
    http::{Answer, Http},
    services::{Running, probe},
};

/// Asks by HTTP, with these fields.
async fn ask(url: &str, fields: &str) -> Answer {
    let request = format!("GET /debug/limits HTTP/1.1\r\n{fields}\r\n");
    Http::connect(url).await.call(&request).await
}

/// The page of a server that shows it to anyone.
async fn page(url: &str) -> Value {
    let answer = ask(url, "Host: 127.0.0.1\r\n").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    decode_from(Format::Json, answer.body.as_bytes()).expect("JSON")
}

fn list<'a>(page: &'a Value, key: &str) -> &'a [Value] {
    match page.get(key) {
        Some(Value::List(items)) => items,
        other => panic!("{key}: {other:?}"),
    }
}

fn names(page: &Value) -> Vec<&str> {
    let names = list(page, "findings").iter().filter_map(|finding| finding.get("name")?.as_str());
    names.collect()
}

#[tokio::test]
async fn every_limit_and_where_it_came_from() -> Result<()> {
    let mut limits = SourcedLimits::from(Limits { calls: 100, ..Limits::default() });
    limits.set("meta_bytes", "2KiB", SetBy::File("f".into())).expect("good");
    // No message is longer than a frame can say: the page has what holds, not what was asked for.
    limits.set("message_bytes", "16 GiB", SetBy::Flag("--limit".into())).expect("good");
    let running = Running::start(probe(Limits::default()).limits(limits).debug_limits()).await;
    let page = page(&running.url).await;
    let shown = list(&page, "limits");
    let all: Vec<_> = shown.iter().filter_map(|limit| limit.get("name")?.as_str()).collect();
    let table: Vec<_> = Limits::TABLE.iter().map(|limit| limit.name).collect();
    assert_eq!(all, table);
    let of = |name: &str| {
        let limit = shown.iter().find(|limit| limit.get("name") == Some(&name.into()));
        let limit = limit.expect(name);
        ["text", "default", "set_by"].map(|key| limit.get(key).and_then(Value::as_str).expect(key))
    };
    assert_eq!(of("calls"), ["100", "65,536", "builder"]);
    assert_eq!(of("meta_bytes"), ["2 KiB", "64 KiB", "file f"]);
    assert_eq!(of("message_bytes"), ["3,840 MiB", "16 MiB", "flag --limit"]);
    assert_eq!(of("idle"), ["none", "none", "default"]);
    assert_eq!(names(&page), ["raised-limit"]);
    let door = &list(&page, "listeners")[0];
    assert_eq!(door.get("url"), Some(&running.url.replace("rpcx", "tcp").into()));
    assert_eq!(door.get("reached_from"), Some(&"this machine".into()));
    // The client's way to it.
    let http = Client::connect(running.url.replace("rpcx", "http")).await?;
    assert_eq!(http.call_as::<Value, Value>("debug.limits", json!({})).await?, page);
    Ok(())
}

#[tokio::test]
async fn strangers_do_not_read_it() -> Result<()> {
    let running = Running::start(probe(Limits::default()).debug_limits()).await;
    for (fields, why) in [
        ("Host: evil.example\r\n", "another site"),
        ("Host: 127.0.0.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "through a proxy"),
        ("Host: 127.0.0.1\r\nForwarded: for=192.0.2.1\r\n", "through a proxy"),
    ] {
        let answer = ask(&running.url, fields).await;
        assert_eq!(answer.status, 403, "{fields}");
        assert!(answer.body.contains(why), "{answer:?}");
    }
    for fields in ["Host: localhost:8972\r\n", "Host: [::1]\r\n"] {
        assert_eq!(ask(&running.url, fields).await.status, 200, "{fields}");
    }
    // Scripts of other origins are refused as everywhere.
    let answer = ask(&running.url, "Host: localhost\r\nOrigin: https://evil.example\r\n").await;
    assert_eq!(answer.status, 403, "{answer:?}");
    // In memory, requests may have come from anywhere before: a tower service is such a case.
    let inside = probe(Limits::default()).debug_limits().memory();
    let client = Client::over_as("http", inside)?;
    let status = client.call_as::<Value, Value>("debug.limits", json!({})).await;
    assert_eq!(status.expect_err("refused").code(), Code::PermissionDenied);
    // Nobody asked for it.
    let running = Running::start(probe(Limits::default())).await;
    assert_eq!(ask(&running.url, "Host: localhost\r\n").await.status, 404);

    let secret = "a secret of some length";
    let server = probe(Limits::default()).auth(Token::new(secret)).debug_limits();
    let running = Running::start(server).await;
    assert_eq!(ask(&running.url, "Host: localhost\r\n").await.status, 401);
    let fields = format!("Host: evil.example\r\nAuthorization: Bearer {secret}\r\n");
    assert_eq!(ask(&running.url, &fields).await.status, 200);
    Ok(())
}

/// An address of this machine that others could use, if it has one.
fn outer() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: the system only looks up where it would go.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[tokio::test]
async fn other_machines_do_not_read_it_unless_asked() -> Result<()> {
    let Some(ip) = outer() else {
        println!("SKIPPED: this machine has no address but loopback");
        return Ok(());
    };
    let mut found = Vec::new();
    for (anyone, status) in [(false, 403), (true, 200)] {
        let server = probe(Limits::default()).list_services().cors(Cors::any());
        let server = if anyone { server.debug_limits_for_anyone() } else { server.debug_limits() };
        let running = Running::start_on(server, "tcp://0.0.0.0:0").await?;
        let (_, port) = running.url.rsplit_once(':').expect("a port");
        let url = format!("rpcx://{ip}:{port}");
        assert_eq!(ask(&url, &format!("Host: {ip}\r\n")).await.status, status);
        let page = page(&format!("rpcx://127.0.0.1:{port}")).await;
        assert_eq!(names(&page), ["no-tls", "no-auth", "open-pages", "any-origin"]);
        found.push(list(&page, "findings")[2].to_string());
    }
    assert!(
        found[0].contains("can read /\"") && found[1].contains("/, /debug/limits"),
        "{found:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_not_safe_about_tls() -> Result<()> {
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1"]);
    let own = authority.pair("client", &["client.test"]);
    let findings = |server: Server, client: String| async move {
        let server = server.debug_limits();
        let running = Running::start_on(server, "tls://0.0.0.0:0").await?;
        let place = running.url.replace("tls://0.0.0.0", "http+tls://127.0.0.1");
        let client = Client::connect(format!("{place}{client}")).await?;
        let page = client.call_as::<Value, Value>("debug.limits", json!({})).await?;
        // Keys of tests are there for everybody.
        let names = names(&page).into_iter().filter(|name| *name != "open-key");
        Ok::<_, farcall::Status>(names.map(str::to_owned).collect::<Vec<_>>())
    };
    let plain = || probe(Limits::default());
    let ca = authority.option();
    let shown = format!("{ca}{}", own.option());
    let required = || pair.tls().client_ca(&authority.ca);
    for (server, client, want) in [
        (plain().tls(pair.tls()), &ca, &["no-client-identity"][..]),
        (plain().tls(required().client_optional()), &ca, &["optional-client-identity"]),
        (plain().tls(required()), &shown, &[]),
        (
            plain().tls(required()).finding(Finding::new("own", "known to it", "mend it")),
            &shown,
            &["own"],
        ),
    ] {
        assert_eq!(findings(server, client.clone()).await?, want);
    }
    Ok(())
}
