//! File transfer and streams beside the calls, both ends ours: names, sizes, quotas, links, tokens
//! and silent connections.

use farcall::{
    Client, Code, Files, Format, Limits, Origin, Result, Server, Side, Status, Value, json,
};
use farcall_cli::services::{Args, ArithClient, all};
use farcall_it::{services::Running, who::Folder};
use std::{collections::BTreeMap, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(30);

/// A server over a folder `inside`, beside which there are things that nobody may reach.
struct Place {
    folder: Folder,
    running: Running,
    client: Client,
}

impl Place {
    async fn new(quota: u64, limits: Limits) -> Place {
        let folder = Folder::new();
        std::fs::create_dir(folder.join("inside")).expect("a folder");
        std::fs::write(folder.join("secret"), "secret").expect("a file");
        std::fs::write(folder.join("inside/old.txt"), "old").expect("a file");
        std::fs::create_dir(folder.join("inside/deeper")).expect("a folder");
        std::fs::write(folder.join("inside/deeper/low.txt"), "low").expect("a file");
        let side = Side::listen("tcp://127.0.0.1:0", &limits).await.expect("a listener");
        let files = Files::of(folder.join("inside")).expect("a folder").take_up_to(quota);
        let server = all(1).files(&side, files).side_streams(&side, accept, echo);
        let running = Running::start(server).await;
        let client = Client::connect(&running.url).await.expect("a connection");
        Place { folder, running, client }
    }

    /// All files, and what is in them.
    fn look(&self) -> BTreeMap<String, Vec<u8>> {
        fn walk(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let entry = entry.expect("an entry");
                let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
                if kind.is_dir() {
                    walk(&path, found);
                } else {
                    // Nobody reads a pipe that nobody writes.
                    let text = if kind.is_file() { std::fs::read(&path) } else { Ok(Vec::new()) };
                    found.insert(path.display().to_string(), text.expect("it can be read"));
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.folder.join(""), &mut found);
        found
    }

    /// Asks for a token to upload, by hand: the connection that has brought it.
    async fn begin(&self, name: &str, size: i64) -> Result<TcpStream> {
        let given = self.token(name, size).await?;
        Ok(bring(&given).await)
    }

    async fn token(&self, name: &str, size: i64) -> Result<Value> {
        let asked = json!({"FileName": name, "FileSize": size, "Meta": {}});
        self.client.call("_filetransfer.TransferFile", asked).await
    }
}

async fn bring(given: &Value) -> TcpStream {
    let (Some(Value::Bytes(token)), Some(address)) =
        (given.get("Token"), given.get("Addr").and_then(Value::as_str))
    else {
        panic!("{given:?}");
    };
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(token).await.expect("the token");
    stream
}

/// What the server says at the end, if it says anything.
async fn end(stream: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut said)).await.expect("in time");
    let _ = read;
    said
}

fn accept(_: &farcall::Cx, call: &farcall::SideCall) -> Result<()> {
    match call.get("refuse") {
        Some(why) => Err(Status::permission_denied(why.to_owned())),
        None => Ok(()),
    }
}

async fn echo(mut stream: TcpStream, call: farcall::SideCall) {
    let hello = format!("hello {}\n", call.get("name").unwrap_or_default());
    let _ = stream.write_all(hello.as_bytes()).await;
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_both_ways() -> Result<()> {
    let place = Place::new(100 << 20, Limits::default()).await;
    for size in [0usize, 1, 65_535, 65_536, 65_537, 5 << 20] {
        let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        let (here, there) = (place.folder.join(format!("{size}.bin")), format!("{size}.bin"));
        std::fs::write(&here, &body).expect("a file");
        assert_eq!(place.client.transfer().send(&here).await?, size as u64);
        assert_eq!(std::fs::read(place.folder.join("inside").join(&there)).expect("it"), body);
        let back = place.folder.join(format!("{size}.back"));
        assert_eq!(place.client.transfer().fetch(&there, &back).await?, size as u64);
        assert_eq!(std::fs::read(&back).expect("it"), body);
    }
    let transfer = place.client.transfer();
    let status = transfer.clone().named("old.txt").upload(&b"new"[..], 3).await;
    assert_eq!(status.expect_err("taken").text(), "there is a file `old.txt`");
    let status = transfer.clone().named("short").upload(&b"four"[..], 5).await;
    assert_eq!(status.expect_err("cut short").code(), Code::Aborted);
    let status = transfer.clone().fetch("nothing", place.folder.join("x")).await;
    assert_eq!(status.expect_err("no such file").text(), "there is no file `nothing`");
    let status = transfer.fetch("old.txt", place.folder.join("secret")).await;
    assert_eq!(status.expect_err("taken").code(), Code::AlreadyExists);
    // In JSON the names are those of Go's tags.
    let asked = json!({"file_name": "old.txt"});
    let call = place.client.call("_filetransfer.DownloadFile", asked).format(Format::Json);
    let given = call.await?;
    assert!(given.get("token").is_some() && given.get("addr").is_some(), "{given:?}");
    assert_eq!(std::fs::read_dir(place.folder.join("inside")).expect("it").count(), 2 + 6);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_lead_nowhere_else() -> Result<()> {
    let place = Place::new(1 << 20, Limits::default()).await;
    let inside = |name: &str| place.folder.join("inside").join(name);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret", inside("soft")).expect("a link");
        std::os::unix::fs::symlink("../made", inside("dangling")).expect("a link");
        std::fs::hard_link(place.folder.join("secret"), inside("hard")).expect("a link");
        let pipe = std::process::Command::new("mkfifo").arg(inside("pipe")).status();
        assert!(pipe.expect("mkfifo").success());
        let _socket = std::os::unix::net::UnixListener::bind(inside("socket")).expect("one");
        drop(_socket);
    }
    let absolute = place.folder.join("secret").display().to_string();
    let names = [
        "../secret",
        "..",
        ".",
        "",
        "/etc/passwd",
        "/etc/hostname",
        absolute.as_str(),
        "deeper/low.txt",
        "deeper",
        "./old.txt",
        "inside/../old.txt",
        "deeper/../../secret",
        "..\\secret",
        "soft",
        "dangling",
        "hard",
        "pipe",
        "socket",
        "old.txt\0",
        "old.txt ",
        "C:\\x",
        "nul",
        "COM1.txt",
        ".hidden",
        "%2e%2e/secret",
    ];
    let before = place.look();
    for name in names {
        let fetched = place.client.transfer().download(name).await;
        let status = fetched.map(drop).expect_err(name);
        let [gone, wrong] = ["there is no file", "is not taken: "];
        let refused = |status: &Status, why: &str| {
            status.origin() == Origin::Remote
                && (status.text().contains(why) || status.text().contains(wrong))
        };
        assert!(refused(&status, gone), "{name}: {status}");
        let sent = place.client.transfer().named(name).upload(&b"evil"[..], 4).await;
        let status = sent.expect_err(name);
        assert!(refused(&status, "there is a file"), "{name}: {status}");
    }
    // An entry that becomes a link between the call and the connection is not followed.
    #[cfg(unix)]
    {
        let mut stream = place.begin("late", 4).await?;
        std::os::unix::fs::symlink("../made", inside("late")).expect("a link");
        stream.write_all(b"evil").await.expect("written");
        stream.shutdown().await.expect("the end");
        assert_eq!(end(&mut stream).await, b"");
        std::fs::remove_file(inside("late")).expect("the link");
    }
    assert_eq!(place.look(), before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_are_held() -> Result<()> {
    let limits = Limits { file_bytes: 1000, ..Limits::default() };
    // "old.txt" has three bytes of it.
    let place = Place::new(1503, limits).await;
    for (size, why) in [
        (1001, "Limits::file_bytes"),
        (-1, "cannot have -1 bytes"),
        (i64::MAX, "Limits::file_bytes"),
    ] {
        let status = place.token("name", size).await.expect_err(why);
        assert!(status.text().contains(why), "{status}");
    }
    // More than was declared, fewer, none.
    for (declared, sent) in [(10, 11), (10, 9), (10, 0), (0, 1), (1000, 100_000)] {
        let mut stream = place.begin("wrong", declared).await?;
        let _ = stream.write_all(&vec![b'x'; sent]).await;
        let _ = stream.shutdown().await;
        assert_eq!(end(&mut stream).await, b"", "{declared} {sent}");
    }
    // Two that are under way have their room, and give it back.
    let mut first = place.begin("first", 1000).await?;
    let status = place.token("second", 501).await.expect_err("no room");
    assert!(status.text().starts_with("there is no room for 501 more"), "{status}");
    let mut second = place.begin("second", 500).await?;
    drop(first.write_all(&[b'1'; 400]).await);
    drop(first);
    second.write_all(&[b'2'; 500]).await.expect("written");
    second.shutdown().await.expect("the end");
    assert_eq!(end(&mut second).await, b"+");
    let again = async {
        loop {
            match place.begin("third", 1000).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let mut third = timeout(SOON, again).await.expect("room");
    third.write_all(&[b'3'; 1000]).await.expect("written");
    third.shutdown().await.expect("the end");
    assert_eq!(end(&mut third).await, b"+");
    assert!(place.token("one", 1).await.expect_err("full").text().contains("no room for 1 more"));
    // What lies there and is too long for this client.
    let folder = Folder::new();
    let fetched = place.client.transfer().fetch("third", folder.join("x")).await?;
    assert_eq!(fetched, 1000);
    let strict = Limits { file_bytes: 999, ..Limits::default() };
    let client = Client::builder(&place.running.url).limits(strict).build().await?;
    let status = client.transfer().fetch("third", folder.join("y")).await.expect_err("too long");
    assert!(status.text().contains("Limits::file_bytes"), "{status}");
    assert!(!folder.join("y").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_good_once_and_silence_harms_nobody() -> Result<()> {
    let limits = Limits { side_connections: 8, ..Limits::default() };
    let place = Place::new(1 << 20, limits).await;
    let given = place.token("once", 3).await?;
    let mut stream = bring(&given).await;
    stream.write_all(b"one").await.expect("written");
    stream.shutdown().await.expect("the end");
    assert_eq!(end(&mut stream).await, b"+");
    let mut again = bring(&given).await;
    let _ = again.write_all(b"two").await;
    assert_eq!(end(&mut again).await, b"");
    // More silent connections than there is room for, and some that bring half a token.
    let Some(address) = given.get("Addr").and_then(Value::as_str) else { panic!("{given:?}") };
    let mut silent = Vec::new();
    for round in 0..40 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        if round % 2 == 0 {
            let _ = stream.write_all(b"half a token").await;
        }
        silent.push(stream);
        let mut back = Vec::new();
        let mut download = place.client.transfer().download("old.txt").await?;
        timeout(SOON, download.copy_to(&mut back)).await.expect("in time")?;
        assert_eq!(back, b"old");
    }
    // The oldest gave way.
    assert_eq!(end(&mut silent[0]).await, b"");
    // No more tokens than there is room for, and none are robbed of theirs.
    let mut tokens = Vec::new();
    while tokens.len() < 8 {
        // What was fetched before may not have ended yet.
        match place.token(&format!("n{}", tokens.len()), 1).await {
            Ok(token) => tokens.push(token),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    let status = place.token("one more", 1).await.expect_err("too many");
    assert!(status.text().contains("Limits::side_connections"), "{status}");
    for given in &tokens {
        let mut stream = bring(given).await;
        stream.write_all(b"n").await.expect("written");
        stream.shutdown().await.expect("the end");
        assert_eq!(end(&mut stream).await, b"+");
    }
    assert_eq!(ArithClient::from(&place).mul(Args { a: 6, b: 7 }).await?.c, 42);
    Ok(())
}

impl From<&Place> for ArithClient {
    fn from(place: &Place) -> ArithClient {
        farcall::ServiceClient::from_client(place.client.clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_expire_and_stalls_end() -> Result<()> {
    let short = Duration::from_millis(40);
    let limits =
        Limits { side_wait: short, write_stall: short, side_connections: 2, ..Limits::default() };
    let place = Place::new(1 << 20, limits).await;
    let given = place.token("late", 3).await?;
    tokio::time::sleep(4 * short).await;
    let mut stream = bring(&given).await;
    let _ = stream.write_all(b"one").await;
    assert_eq!(end(&mut stream).await, b"");
    // Those that were never brought make room again, for their bytes too.
    for round in 0..10 {
        let token = place.token(&format!("n{round}"), 1 << 19).await;
        if token.is_err() {
            tokio::time::sleep(2 * short).await;
        }
    }
    tokio::time::sleep(2 * short).await;
    // One that stops in the middle is given up, and one that brings nothing at all.
    let mut stream = place.begin("stalls", 100).await?;
    stream.write_all(b"some").await.expect("written");
    assert_eq!(end(&mut stream).await, b"");
    let Some(address) = given.get("Addr").and_then(Value::as_str) else { panic!("{given:?}") };
    let mut silent = TcpStream::connect(address).await.expect("a connection");
    assert_eq!(end(&mut silent).await, b"");
    let left: Vec<_> = place.look().into_keys().filter(|name| name.contains(".part")).collect();
    assert_eq!(left, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_the_applications_own() -> Result<()> {
    let place = Place::new(0, Limits::default()).await;
    let mut stream = place.client.transfer().meta("name", "Gö").stream().await?;
    let mut hello = [0; "hello Gö\n".len()];
    stream.read_exact(&mut hello).await.expect("a greeting");
    assert_eq!(hello, "hello Gö\n".as_bytes());
    for round in 0..100u8 {
        stream.write_all(&[round; 100]).await.expect("written");
        let mut back = [0; 100];
        stream.read_exact(&mut back).await.expect("the same");
        assert_eq!(back, [round; 100]);
    }
    stream.shutdown().await.expect("the end");
    assert_eq!(end(&mut stream).await, b"");
    let status = place.client.transfer().meta("refuse", "not you").stream().await;
    assert_eq!(status.map(drop).expect_err("refused").text(), "not you");
    Ok(())
}

#[tokio::test]
async fn strangers_get_no_token() -> Result<()> {
    let folder = Folder::new();
    std::fs::write(folder.join("a"), "a").expect("a file");
    let side = Side::listen("tcp://127.0.0.1:0", &Limits::default()).await?;
    let files = Files::of(folder.join(""))?;
    let server = Server::new().auth(farcall::Token::new("letmein")).files(&side, files);
    let running = Running::start(server).await;
    let client = Client::connect(&running.url).await?;
    let status = client.transfer().download("a").await.map(drop).expect_err("a stranger");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let known = client.auth("letmein");
    let mut back = Vec::new();
    known.transfer().download("a").await?.copy_to(&mut back).await?;
    assert_eq!(back, b"a");
    // It takes none unless it was asked to.
    let status = known.transfer().named("b").upload(&b"b"[..], 1).await.expect_err("no uploads");
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    for (url, text) in [
        ("tcp://0.0.0.0:0", "advertise"),
        ("unix:///x", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:0?x=y", "advertise=HOST:PORT"),
    ] {
        let status = Side::listen(url, &Limits::default()).await.map(drop).expect_err(url);
        assert!(status.text().contains(text), "{status}");
    }
    let url = "tcp://0.0.0.0:0?advertise=files.test:1";
    assert_eq!(Side::listen(url, &Limits::default()).await?.address(), "files.test:1");
    assert!(Files::of(folder.join("a")).is_err());
    Ok(())
}
