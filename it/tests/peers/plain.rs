//! As people write it: shell one-liners with `nc`, `curl` and bash alone, those of the README, and
//! plain JSON by Go's `net/http` and Node's `fetch`.

use crate::go_peer::calls_us;
use farcall::Server;
use farcall_it::services::Running;
use tokio::process::Command;

async fn served(server: Server) -> (Running, String) {
    let running = Running::start(server).await;
    let address = running.url.trim_start_matches("rpcx://").to_owned();
    (running, address)
}

/// What a line prints in `sh`, with `HOST PORT` and `HOST:PORT` put in; whatever its exit code is.
async fn sh(line: &str, address: &str) -> String {
    let (host, port) = address.split_once(':').expect("HOST:PORT");
    let line = line.replace("HOST:PORT", address).replace("HOST PORT", &format!("{host} {port}"));
    let line = line.replace("HOST/PORT", &format!("{host}/{port}"));
    // A line that hangs fails the test, not the run.
    let mut shell = Command::new("timeout");
    shell.args(["-s", "KILL", "60", "bash", "-c", &line]).kill_on_drop(true);
    let output = shell.output().await.expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    String::from_utf8_lossy(&output.stdout).into_owned() + &said
}

/// One request of JSON-RPC 1.0 by three tools, none of which knows what it carries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_three_ways() {
    let (_running, address) = served(farcall_cli::services::all(1)).await;
    let request = r#"{"method":"HelloService.SayHello","params":["x"],"id":1}"#;
    let python = format!(
        "import socket; s = socket.create_connection('HOST:PORT'.split(':')); \
         s.sendall(b'''{request}\\n'''); print(s.makefile().readline(), end='')"
    );
    for line in [
        // It ends when its output is read no more.
        format!("echo '{request}' | timeout 50 nc HOST PORT | head -n 1"),
        // A form, says curl, and accepts anything.
        format!("curl -s --data '{request}' http://HOST:PORT/jsonrpc"),
        format!("python3 - <<'END'\n{python}\nEND"),
    ] {
        let answer = "{\"id\":1,\"result\":\"Hello World:x\",\"error\":null}\n";
        assert_eq!(sh(&line, &address).await, answer, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn netcat() {
    let (_running, address) = served(farcall_cli::services::all(1)).await;
    let said = Command::new("nc").arg("-h").output().await.expect("nc is installed").stderr;
    println!("{}", String::from_utf8_lossy(&said).lines().next().unwrap_or_default());
    let one = r#"{"method":"HelloService.SayHello","params":["x"],"id":1}"#;
    let answer = "{\"id\":1,\"result\":\"Hello World:x\",\"error\":null}\n";
    for line in [
        // Half closed when stdin ends, and answered all the same; and with a line feed or without.
        format!("echo '{one}' | nc -N HOST PORT"),
        format!("printf '{one}' | nc -N HOST PORT"),
        // Left open: nc goes by itself, after a while.
        format!("echo '{one}' | nc -q 3 HOST PORT"),
        format!("echo '{one}' | nc -w 3 HOST PORT"),
        // As it is written most: nc waits for a server that keeps its connections.
        format!("echo '{one}' | timeout 3 nc HOST PORT"),
        format!("exec 3<>/dev/tcp/HOST/PORT; echo '{one}' >&3; head -n 1 <&3"),
    ] {
        assert_eq!(sh(&line, &address).await, answer, "{line}");
    }
    let two = r#"{"jsonrpc":"2.0","method":"Arith.Mul","params":{"A":6,"B":7},"id":"a"}"#;
    let answer = "{\"jsonrpc\":\"2.0\",\"result\":{\"C\":42},\"id\":\"a\"}\n";
    let line = format!("echo '{two}' | nc -N HOST PORT");
    assert_eq!(sh(&line, &address).await, answer);
    let line = format!("(echo '{two}'; sleep 0.1; echo '{two}') | nc -N HOST PORT");
    assert_eq!(sh(&line, &address).await, answer.repeat(2));
    let line = format!("echo '[{two},{two}]' | nc -N HOST PORT | tr -d '\\n'");
    let batch = sh(&line, &address).await;
    assert_eq!(batch.matches("{\"C\":42}").count(), 2, "{batch}");
    let said = sh("echo 'hello there' | nc -N HOST PORT", &address).await;
    assert!(!said.contains("panic"), "{said}");
    let line = "printf 'POST /Arith/Mul HTTP/1.0\\r\\nContent-Length: 13\\r\\n\\r\\n\
                {\"A\":6,\"B\":7}' | nc -N HOST PORT | tail -n 1";
    assert_eq!(sh(line, &address).await, "{\"C\":42}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl() {
    let (_running, address) = served(farcall_cli::services::all(1).list_services()).await;
    println!("{}", sh("curl --version | head -n 1", &address).await.trim());
    let args = r#"'{"A":6,"B":7}'"#;
    for line in [
        format!("curl -s --data {args} HOST:PORT/Arith/Mul"),
        format!("curl -s --json {args} http://HOST:PORT/Arith/Mul"),
        format!("curl -s -H 'Content-Type: application/json' -d {args} HOST:PORT/Arith/Mul"),
        format!("curl -s -H 'Content-Type:' -d {args} HOST:PORT/Arith/Mul"),
        format!("curl -s -X POST -d {args} HOST:PORT/Arith/Mul"),
        format!("curl -s --http1.0 -d {args} HOST:PORT/Arith/Mul"),
        format!("curl -s -H 'Expect: 100-continue' -d {args} HOST:PORT/Arith/Mul"),
        format!("curl -s -H 'Transfer-Encoding: chunked' -d {args} HOST:PORT/Arith/Mul"),
        format!("echo {args} | curl -s -d @- HOST:PORT/Arith/Mul"),
        // A file that is uploaded, with a method of curl's own choosing put right.
        format!("echo {args} | curl -s -X POST -T - HOST:PORT/Arith/Mul"),
    ] {
        assert_eq!(sh(&line, &address).await, "{\"C\":42}", "{line}");
    }
    // One connection for several requests.
    let line = format!(
        "curl -s -d {args} -w '%{{num_connects}} ' HOST:PORT/Arith/Mul HOST:PORT/Arith/Multiply"
    );
    assert_eq!(sh(&line, &address).await, "{\"C\":42}1 420 ");
    for (line, says) in [
        ("curl -s -o /dev/null -w '%{http_code}' -d '{\"A\":1}' HOST:PORT/Arith/Divide", "400"),
        ("curl -s -o /dev/null -w '%{http_code}' -d '{}' HOST:PORT/Nobody/Home", "404"),
        ("curl -s -o /dev/null -w '%{http_code}' HOST:PORT/Arith/Mul", "405"),
        ("curl -s -d '\"Welt\"' HOST:PORT/HelloService/SayHello", "\"Hello World:Welt\""),
    ] {
        assert_eq!(sh(line, &address).await, says, "{line}");
    }
}

/// The README's lines do what is written behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_holds() {
    let (_running, address) = served(farcall_cli::services::all(1).list_services()).await;
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let readme = readme.expect("the README");
    let mut tried = 0;
    for line in readme.lines().filter(|line| line.starts_with("curl ") || line.contains("| nc ")) {
        let (line, comment) = line.split_once("  #").map_or((line, ""), |(l, c)| (l, c.trim()));
        let here = line.replace("127.0.0.1:8972", &address).replace("127.0.0.1 8972", "HOST PORT");
        let here = here.replace("curl ", "curl -s -i ").replace("nc ", "nc -N ");
        let said = sh(&here, &address).await;
        assert!(!said.is_empty(), "{line}");
        // What it says is an answer, or begins with a status.
        let status = comment.split([',', ' ']).next().filter(|word| word.parse::<u16>().is_ok());
        match status {
            Some(status) => assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}"),
            None if comment.starts_with('{') => assert!(said.ends_with(comment), "{line}: {said}"),
            None => assert!(said.starts_with("HTTP/1.1 200"), "{line}: {said}"),
        }
        tried += 1;
    }
    println!("{tried} lines of the README");
    assert!(tried >= 3, "{tried}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gos_net_http() {
    calls_us("jsonrpc-peer", "-addr", &["-lib", "net/http"], &[], 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_fetch() {
    calls_us("node-peer", "--addr", &["--lib", "plain"], &[], 6).await;
}
