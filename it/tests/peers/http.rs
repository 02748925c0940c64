//! HTTP servers that nobody here wrote, called by our client: Python's `http.server`, and Go's
//! `net/http` with net/rpc behind `CONNECT`.

use crate::go_peer::{GoServer, named};
use farcall::{Client, Code, Limits, Origin, Result, Sent, json};
use farcall_cli::services::{Args, ArithClient, EchoClient, SleepArgs};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Answers `POST /Arith/Mul` and a few odd paths; says its address first.
const PYTHON: &str = r#"
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = sys.argv[1]
    def log_message(self, *args): pass
    def do_POST(self):
        args = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/Arith/Mul":
            body = json.dumps({"C": args["A"] * args["B"]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Tenant", self.headers.get("X-Tenant", "nobody"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.path == "/Arith/Chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in [b"[1,", b"2", b"]\n"]:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/Arith/Close":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"[3]")
            self.close_connection = True
        elif self.path == "/Arith/Nothing":
            self.send_response(204)
            self.end_headers()
        else:
            self.send_error(404)

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"#;

struct Python(Child, String);

impl Python {
    fn start(version: &str) -> Python {
        let mut child = Command::new("python3")
            .args(["-c", PYTHON, version])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let stdout = child.stdout.take().expect("piped");
        let mut port = String::new();
        BufReader::new(stdout).read_line(&mut port).expect("its first line");
        let url = format!("http://127.0.0.1:{}", port.trim());
        Python(child, url)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pythons_server() -> Result<()> {
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let python = Python::start(version);
        let client = Client::connect(&python.1).await?;
        let arith = ArithClient::from_client(client.clone());
        for n in 0..20 {
            assert_eq!(arith.mul(Args { a: n, b: 7 }).await?.c, 7 * n, "{version}");
        }
        let (reply, meta) =
            arith.mul(Args { a: 6, b: 7 }).meta("X-Tenant", "blue").with_meta().await?;
        assert_eq!((reply.c, meta.get("x-tenant").as_deref()), (42, Some("blue")));
        if version == "HTTP/1.1" {
            assert_eq!(client.call("Arith.Chunks", json!({})).await?, json!([1, 2]));
        } else {
            let status = client.call("Arith.Chunks", json!({})).await.expect_err("no such thing");
            assert!(status.text().contains("HTTP/1.0 has no Transfer-Encoding"), "{status}");
        }
        assert_eq!(client.call("Arith.Close", json!({})).await?, json!([3]));
        assert_eq!(client.call("Arith.Nothing", json!({})).await?, json!(null));
        let status = client.call("Arith.Nope", json!({})).await.expect_err("404");
        assert_eq!((status.code(), status.origin()), (Code::Unimplemented, Origin::Remote));
        assert!(status.text().starts_with("404 Not Found: "), "{status}");
        let callers = (0..16i64).map(|n| {
            let arith = arith.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    assert_eq!(arith.mul(Args { a: n, b: 2 }).await?.c, 2 * n);
                }
                Ok::<_, farcall::Status>(())
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("no panic")?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn gos_tunnel() -> Result<()> {
    let flags = ["-codec", "gob", "-http"];
    let go = GoServer::of(&named("netrpc-peer"), &flags, "netrpc+http");
    let client = Client::connect(&go.url).await?;
    let (arith, echo) = (ArithClient::from_client(client.clone()), EchoClient::from_client(client));
    for n in 0..50 {
        assert_eq!(arith.mul(Args { a: n, b: 7 }).await?.c, 7 * n);
    }
    let slow = echo.sleep(SleepArgs { ms: 50 }).start();
    let fast = arith.mul(Args { a: 6, b: 7 }).start();
    assert_eq!(fast.await?.c, 42);
    slow.await?;
    let limits = Limits { reconnect: (Duration::ZERO, Duration::ZERO), ..Limits::default() };
    let elsewhere = format!("{}?path=/elsewhere", go.url);
    let client = Client::builder(&elsewhere).limits(limits).lazy()?;
    let status = client.call("Arith.Mul", json!({})).await.expect_err("nothing is there");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No));
    assert!(status.text().contains("unexpected HTTP response: 404 Not Found"), "{status}");
    // What `net/http` says to a call that it does not know.
    let client = Client::connect(go.url.replace("netrpc+http://", "http://")).await?;
    for _ in 0..3 {
        let status = client.call("Arith.Mul", json!({})).await.expect_err("no JSON is spoken");
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(status.text(), "404 Not Found: 404 page not found");
    }
    Ok(())
}
