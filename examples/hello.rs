//! A service, its server and a client, in one program: `cargo run --example hello`.

use farcall::{Message, Result, Server};

#[derive(Message)]
#[message(go_names)] // A, B on the wire, as a Go peer writes them
struct Args {
    a: i64,
    b: i64,
}

#[derive(Message)]
#[message(go_names)]
struct Reply {
    c: i64,
}

#[farcall::service]
trait Arith {
    #[method(name = "Mul", idempotent)]
    async fn mul(&self, args: Args) -> Result<Reply>;
}

struct Calculator;

impl Arith for Calculator {
    async fn mul(&self, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a * args.b })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server =
        Server::new().add(ArithServer::new(Calculator)).listen("tcp://127.0.0.1:0").await?;
    let address = server.addresses()[0].replace("tcp://", "rpcx://");
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.run());

    let arith = ArithClient::connect(&address).await?;
    let reply = arith.mul(Args { a: 6, b: 7 }).await?;
    println!("6 * 7 = {}", reply.c);

    stop.shutdown();
    serving.await.map_err(|e| e.to_string())?
}
