//! A server that runs until it is told to stop: `cargo run --example serve`, then, elsewhere,
//! `farcall call rpcx://127.0.0.1:8972/Greeter/Greet '{"name":"Ada"}'`.

use farcall::{Cx, Message, Result, Server, Status};

#[derive(Message)]
struct Person {
    name: String,
}

#[derive(Message)]
struct Greeting {
    text: String,
    /// Absent unless the caller has a visit number.
    visit: Option<u32>,
}

#[farcall::service]
trait Greeter {
    async fn greet(&self, cx: &Cx, who: Person) -> Result<Greeting>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, cx: &Cx, who: Person) -> Result<Greeting> {
        if who.name.is_empty() {
            return Err(Status::invalid_argument("say who you are: {\"name\": …}"));
        }
        cx.set_meta("greeted-by", "serve example");
        let visit = cx.meta().get("visit").and_then(|v| v.parse().ok());
        Ok(Greeting { text: format!("Hello {}, calling from {}", who.name, cx.peer()), visit })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server =
        Server::new().add(GreeterServer::new(Polite)).listen("tcp://127.0.0.1:8972").await?;
    println!("listening on {}", server.addresses().join(", "));
    server.run().await
}
