//! A real browser: a page of one origin whose script calls a server on another, by Chromium.

use farcall::{Cors, HttpRequest, HttpResponse};
use farcall_it::services::Running;
use std::process::Stdio;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};

/// Where a page comes from, which is its origin.
struct Site {
    listener: TcpListener,
    /// `http://HOST:PORT`
    origin: String,
}

impl Site {
    /// On a port of its own.
    async fn new() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        Site { listener, origin }
    }

    /// Serves a page whose script calls and shows what came, and lets Chromium show it; what the
    /// script returned, as text.
    async fn browse(self, script: &str) -> String {
        let Site { listener, origin } = self;
        let serving = tokio::spawn(serve(listener, page(script)));
        let said = browse(&origin).await;
        serving.abort();
        said
    }
}

/// A page that shows what its script returns.
fn page(script: &str) -> String {
    format!(
        "<!doctype html><title>t</title><body><p id=said>nothing</p><script>\
         (async () => {{ let said; try {{ said = await (async () => {{ {script}\n }})(); }} \
         catch (error) {{ said = 'refused: ' + error.name; }} \
         document.getElementById('said').textContent = said; }})();</script>"
    )
}

async fn serve(listener: TcpListener, html: String) {
    while let Ok((mut socket, _)) = listener.accept().await {
        let html = html.clone();
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match socket.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            // Browsers ask for an icon too.
            let (status, body) = match head.starts_with(b"GET / ") {
                true => ("200 OK", html),
                false => ("404 Not Found", String::new()),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            );
            // A browser that has gone needs no answer.
            let _ = socket.write_all(answer.as_bytes()).await;
        });
    }
}

async fn browse(origin: &str) -> String {
    let profile = std::env::temp_dir().join(format!(
        "farcall-browser-{}-{}",
        std::process::id(),
        origin.rsplit(':').next().unwrap_or_default()
    ));
    // Time in the page runs when nothing is being fetched, so it is over when all has come.
    let mut browser = Command::new("timeout");
    browser
        .args(["-s", "KILL", "120", "chromium"])
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("{origin}/"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = browser.output().await.expect("Chromium runs");
    let _ = std::fs::remove_dir_all(&profile);
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = dom.split_once("<p id=\"said\">").and_then(|(_, rest)| rest.split_once("</p>"));
    let said = said.unwrap_or_else(|| {
        panic!("Chromium shows: {dom}\n{}", String::from_utf8_lossy(&output.stderr))
    });
    said.0.to_owned()
}

async fn introduce() {
    let said = Command::new("chromium").arg("--version").output().await;
    println!("{}", String::from_utf8_lossy(&said.expect("Chromium is installed").stdout).trim());
}

/// Nobody allowed it: the browser says no, and the simple requests that it sends without asking
/// first are not served either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_is_refused() {
    introduce().await;
    let running = Running::start(farcall_cli::services::all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    let script = format!(
        "const asked = await fetch('http://{address}/Arith/Mul', {{ method: 'POST', \
         headers: {{ 'content-type': 'application/json', 'x-tenant': 'blue' }}, \
         body: '{{\"A\":6,\"B\":7}}' }}).then(() => 'answered', () => 'refused'); \
         const simple = await fetch('http://{address}/Arith/Mul', {{ method: 'POST', \
         body: '{{\"A\":6,\"B\":7}}' }}).then(() => 'answered', () => 'refused'); \
         const blind = await fetch('http://{address}/Arith/Mul', {{ method: 'POST', \
         mode: 'no-cors', body: '{{\"A\":6,\"B\":7}}' }}).then((r) => r.type, () => 'refused'); \
         return [asked, simple, blind].join(' ');"
    );
    assert_eq!(Site::new().await.browse(&script).await, "refused refused opaque");
}

/// What the server itself gives is of its own origin, and needs no permission.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_own_page_calls() {
    let script = "const answer = await fetch('/Arith/Mul', { method: 'POST', \
                  body: '{\"A\":6,\"B\":7}' }); return await answer.text();";
    let give = move |_: HttpRequest| async move { HttpResponse::html(page(script)) };
    let running = Running::start(farcall_cli::services::all(1).mount("/", give)).await;
    assert_eq!(browse(&running.url.replace("rpcx://", "http://")).await, "{\"C\":42}");
}

/// The origin may call: Chromium asks first, for the content type and for a field of metadata, and
/// the page reads answers and failures. Other origins stay out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_calls_where_its_origin_may() {
    introduce().await;
    let (site, other, stranger) = (Site::new().await, Site::new().await, Site::new().await);
    let cors = Cors::origins([site.origin.clone(), other.origin.clone()]);
    let running = Running::start(farcall_cli::services::all(1).cors(cors)).await;
    let address = running.url.trim_start_matches("rpcx://").to_owned();
    let script = format!(
        "const post = (path, body) => fetch('http://{address}' + path, {{ method: 'POST', \
         headers: {{ 'content-type': 'application/json', 'x-tenant': 'blue' }}, body }}); \
         const plain = await post('/Arith/Mul', '{{\"A\":6,\"B\":7}}'); \
         const rpc = await post('/jsonrpc', '{{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Multiply\",\
         \"params\":[6,7],\"id\":1}}'); \
         const failed = await post('/Arith/Divide', '{{\"A\":1}}'); \
         return [await plain.text(), (await rpc.json()).result, failed.status, \
         (await failed.json()).error.message].join(' ');"
    );
    assert_eq!(site.browse(&script).await, "{\"C\":42} 42 400 divide by zero");
    // As the guide has it.
    let page = include_str!("page.js").replace("127.0.0.1:8972", &address);
    assert_eq!(other.browse(&page).await, "{\"C\":42}");
    assert_eq!(stranger.browse(&script).await, "refused: TypeError");
}
