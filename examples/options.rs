//! What a call can say: deadline, metadata, format, compression, one-way; and calls by name,
//! without types. `cargo run --example options`.

use farcall::{Code, Compress, Cx, Format, Message, Result, Server, json};
use std::time::Duration;

#[derive(Message)]
struct Text {
    text: String,
}

#[farcall::service]
trait Echo {
    #[method(idempotent)]
    async fn echo(&self, cx: &Cx, text: Text) -> Result<Text>;
    async fn sleep(&self, millis: u64) -> Result<()>;
}

struct Back;

impl Echo for Back {
    async fn echo(&self, cx: &Cx, text: Text) -> Result<Text> {
        cx.set_meta("tenant", cx.meta().get("tenant").unwrap_or_default());
        Ok(text)
    }
    async fn sleep(&self, millis: u64) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(())
    }
}

/// A method that is a function.
async fn shout(text: Text) -> Result<String> {
    Ok(text.text.to_uppercase())
}

#[tokio::main]
async fn main() -> Result<()> {
    // No port and no TLS: the server lives in this process.
    let server = Server::new().add(EchoServer::new(Back)).func("Echo", "Shout", shout);
    let echo = EchoClient::over(server.memory());

    let call = echo.echo(Text { text: "as protobuf, folded ".repeat(100) });
    let call = call.format(Format::Protobuf).compress(Compress::Gzip).meta("tenant", "blue");
    let (reply, meta) = call.with_meta().await?;
    println!("{} bytes back, tenant {:?}", reply.text.len(), meta.get("tenant"));

    let late = echo.sleep(1_000).deadline(Duration::from_millis(50)).await;
    match late {
        Err(status) if status.code() == Code::DeadlineExceeded => println!("{status}"),
        other => println!("unexpected: {other:?}"),
    }

    echo.echo(Text { text: "nobody answers this".into() }).oneway().await?;

    let reply = echo.client().call("Echo.Echo", json!({"text": "without types"})).await?;
    println!("{reply}");
    let reply = echo.client().call("Echo.Shout", json!({"text": "a function"})).await?;
    println!("{reply}");
    Ok(())
}
