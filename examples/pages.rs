//! A server that web pages call: those of one other origin, and its own. `cargo run --example
//! pages`, and then open http://127.0.0.1:8972/page.

use farcall::{Cors, HttpRequest, HttpResponse, Message, Result, Server};

#[derive(Message)]
struct Person {
    name: String,
}

#[farcall::service]
trait Greeter {
    async fn greet(&self, who: Person) -> Result<String>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, who: Person) -> Result<String> {
        Ok(format!("Hello {}", who.name))
    }
}

/// Its script is of the server's own origin, and needs no permission.
const PAGE: &str = "<!doctype html><title>Greeter</title><p id=said>…</p><script>
    fetch('/Greeter/Greet', { method: 'POST', body: '{\"name\":\"Ada\"}' })
        .then((answer) => answer.json())
        .then((text) => { document.getElementById('said').textContent = text; });
</script>";

async fn page(_request: HttpRequest) -> HttpResponse {
    HttpResponse::html(PAGE)
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::new()
        .add(GreeterServer::new(Polite))
        .cors(Cors::origins(["https://app.example"]))
        .mount("/page", page);
    server.listen("tcp://127.0.0.1:8972").await?.run().await
}
