//! File transfer and streams beside the calls, when their server ends, and at its door: what runs
//! is waited for or cut so that nobody takes a part for the whole; plugins and limits hold too.

use farcall::{
    Client, Code, Cx, Deny, Files, Limits, Moments, Peer, Plugin, Result, Server, Side, SideCall,
    Status, Value, Verdict, json,
};
use farcall_it::{services::Running, who::Folder};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(30);
/// More than sockets hold on the way.
const LARGE: u64 = 64 << 20;

/// A server over a folder with one large file.
struct Place {
    folder: Folder,
    running: Running,
    client: Client,
    /// It listens when the server is gone, too.
    _side: Side,
}

fn accept(_: &Cx, _: &SideCall) -> Result<()> {
    Ok(())
}

/// Says hello, and ends when the server is to, if it was asked to.
async fn stay(mut stream: TcpStream, call: SideCall) {
    let _ = stream.write_all(b"hello").await;
    if call.get("polite").is_none() {
        std::future::pending::<()>().await;
    }
    call.leaving().await;
    let _ = stream.write_all(b" and goodbye").await;
}

impl Place {
    async fn new(limits: Limits) -> Place {
        Place::of(Server::new(), limits, "tcp://127.0.0.1:0").await
    }

    async fn of(server: Server, limits: Limits, address: &str) -> Place {
        let folder = Folder::new();
        std::fs::create_dir(folder.join("inside")).expect("a folder");
        let large = std::fs::File::create(folder.join("inside/large")).expect("a file");
        large.set_len(LARGE).expect("its length");
        let side = Side::listen("tcp://127.0.0.1:0", &limits).await.expect("a listener");
        let files = Files::of(folder.join("inside")).expect("a folder").take_up_to(1 << 30);
        let server = server.limits(limits).files(&side, files).side_streams(&side, accept, stay);
        let running = Running::start_on(server, address).await.expect("a server");
        let url = match running.url.strip_prefix("unix://") {
            Some(path) => format!("rpcx+unix://{}", path.replace('/', "%2F")),
            None => running.url.clone(),
        };
        let client = Client::connect(&url).await.expect("a connection");
        Place { folder, running, client, _side: side }
    }

    async fn given(&self, method: &str, asked: Value) -> Result<Value> {
        self.client.call(method, asked).await
    }

    async fn begin(&self, method: &str, asked: Value) -> Result<TcpStream> {
        Ok(bring(&self.given(method, asked).await?).await)
    }

    async fn upload(&self, name: &str, size: i64) -> Result<TcpStream> {
        self.begin("_filetransfer.TransferFile", json!({"FileName": name, "FileSize": size})).await
    }

    /// The large file, of which a first part has come.
    async fn download(&self) -> Result<TcpStream> {
        let asked = json!({"FileName": "large"});
        let mut stream = self.begin("_filetransfer.DownloadFile", asked).await?;
        stream.read_exact(&mut [0; 1000]).await.expect("a beginning");
        Ok(stream)
    }

    async fn stream(&self, meta: Value) -> Result<TcpStream> {
        let mut stream = self.begin("_streamservice.Stream", json!({"Meta": meta})).await?;
        stream.read_exact(&mut [0; 5]).await.expect("hello");
        Ok(stream)
    }

    /// How it ended.
    async fn ended(&mut self) -> Result<()> {
        timeout(SOON, &mut self.running.task).await.expect("in time").expect("no panic")
    }

    /// Waits until the server leaves.
    async fn leaves(&self) {
        self.running.stop();
        let refuses = async {
            while Client::connect(&self.running.url).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, refuses).await.expect("in time");
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

/// What comes until the end, or how it breaks off.
async fn rest(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut said = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut said)).await.expect("in time");
    read.map(|_| said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_waits_for_what_was_begun() -> Result<()> {
    let mut place = Place::new(Limits::default()).await;
    let mut upload = place.upload("new", 10).await?;
    upload.write_all(b"first").await.expect("written");
    let mut download = place.download().await?;
    let mut polite = place.stream(json!({"polite": "yes"})).await?;
    place.leaves().await;
    assert_eq!(rest(&mut polite).await.expect("all of it"), b" and goodbye");
    let rest_of_it = rest(&mut download).await.expect("all of it");
    assert_eq!(rest_of_it.len() as u64, LARGE - 1000);
    assert!(!place.running.task.is_finished(), "the upload is not over");
    upload.write_all(b"later").await.expect("written");
    upload.shutdown().await.expect("the end");
    assert_eq!(rest(&mut upload).await.expect("an answer"), b"+");
    drop(download);
    place.ended().await?;
    assert_eq!(std::fs::read(place.folder.join("inside/new")).expect("it"), b"firstlater");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_cut_and_not_taken_for_the_whole() -> Result<()> {
    let limits = Limits { drain_time: Duration::from_millis(300), ..Limits::default() };
    let mut place = Place::new(limits).await;
    let mut upload = place.upload("new", 10).await?;
    upload.write_all(b"first").await.expect("written");
    let mut download = place.download().await?;
    let mut stream = place.stream(json!({})).await?;
    place.running.stop();
    let status = place.ended().await.expect_err("cut");
    let text = "3 transfers were still busy after Limits::drain_time";
    assert_eq!((status.code(), status.text()), (Code::DeadlineExceeded, text));
    rest(&mut upload).await.expect_err("a reset");
    rest(&mut download).await.expect_err("a reset");
    assert_eq!(rest(&mut stream).await.expect("the end"), b"");
    let left = std::fs::read_dir(place.folder.join("inside")).expect("the folder").count();
    assert_eq!(left, 1, "what did not come is gone");
    Ok(())
}

/// A client of ours is told that its file broke off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_is_told() -> Result<()> {
    let limits = Limits { drain_time: Duration::from_millis(300), ..Limits::default() };
    let mut place = Place::new(limits).await;
    let (reader, mut writer) = tokio::io::duplex(64);
    let upload = tokio::spawn({
        let transfer = place.client.transfer().named("new");
        async move { transfer.upload(reader, 1000).await }
    });
    writer.write_all(b"some").await.expect("written");
    let begun = async {
        let parts = || std::fs::read_dir(place.folder.join("inside")).expect("it").count();
        while parts() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, begun).await.expect("in time");
    place.running.stop();
    place.ended().await.expect_err("cut");
    let ended = async {
        // It may not have noticed before it has something to write.
        while writer.write_all(&[0; 16]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        upload.await.expect("no panic")
    };
    let status = timeout(SOON, ended).await.expect("in time").expect_err("cut");
    assert_eq!(status.code(), Code::Aborted, "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_nobody_brings_holds_nobody_up() -> Result<()> {
    let limits = Limits { goodbye: Duration::from_millis(50), ..Limits::default() };
    let mut place = Place::new(limits).await;
    let asked = json!({"FileName": "late", "FileSize": 3});
    let given = place.given("_filetransfer.TransferFile", asked).await?;
    place.running.stop();
    place.ended().await?;
    let mut late = bring(&given).await;
    let _ = late.write_all(b"abc").await;
    assert_ne!(rest(&mut late).await.ok().as_deref(), Some(&b"+"[..]));
    Ok(())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_are_denied_beside_the_calls_as_well() -> Result<()> {
    let folder = Folder::new();
    // Whoever calls over the Unix socket has no address that could be denied.
    for (number, denied) in ["127.0.0.0/8", "10.0.0.0/8"].into_iter().enumerate() {
        let address = format!("unix://{}", folder.join(format!("{number}.sock")).display());
        let server = Server::new().plug(Deny::new([denied])?);
        let place = Place::of(server, Limits::default(), &address).await;
        let mut upload = place.upload("new", 3).await?;
        let _ = upload.write_all(b"new").await;
        let _ = upload.shutdown().await;
        let kept = rest(&mut upload).await.is_ok_and(|said| said == b"+");
        assert_eq!(kept, denied == "10.0.0.0/8", "{denied}");
    }
    Ok(())
}

/// Counts who comes and goes, and takes its time.
#[derive(Clone, Default)]
struct Porter(Arc<[AtomicUsize; 2]>);

impl Plugin for Porter {
    fn moments(&self) -> Moments {
        Moments::CONNECT | Moments::CLOSE
    }
    fn on_connect(&self, _: &Peer) -> Verdict {
        self.0[0].fetch_add(1, SeqCst);
        Verdict::wait(async {
            tokio::task::yield_now().await;
            Ok::<(), Status>(())
        })
    }
    fn on_close(&self, _: &Peer) {
        self.0[1].fetch_add(1, SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_see_who_comes_and_goes_and_connections_count() -> Result<()> {
    let porter = Porter::default();
    let limits = Limits { connections: 2, ..Limits::default() };
    let server = Server::new().plug(porter.clone());
    let place = Place::of(server, limits, "tcp://127.0.0.1:0").await;
    let polite = place.stream(json!({})).await?;
    // The call's connection and the stream's: no third.
    let mut third = place.upload("new", 3).await?;
    assert_ne!(rest(&mut third).await.ok().as_deref(), Some(&b"+"[..]));
    let other = Client::builder(&place.running.url).deadline(Duration::from_millis(300)).lazy()?;
    let status = other.call("_filetransfer.DownloadFile", json!({"FileName": "large"})).await;
    assert!(status.is_err(), "a third connection");
    drop(other);
    drop(polite);
    let [came, went] = &*porter.0;
    assert!(came.load(SeqCst) >= 3);
    assert!(went.load(SeqCst) >= 1, "the third was refused after the plugin let it in");
    Ok(())
}
