//! What a failure says, and what may be repeated. `cargo run --example errors`.

use farcall::{Code, Fault, Message, Origin, Result, Sent, Server, Status};

#[derive(Message)]
struct Key {
    name: String,
}

#[derive(Message)]
struct Treasure {
    gold: u64,
}

#[farcall::service]
trait Vault {
    #[method(idempotent)]
    async fn open(&self, key: Key) -> Result<Treasure>;
}

struct Cellar;

impl Vault for Cellar {
    async fn open(&self, key: Key) -> Result<Treasure> {
        match key.name.as_str() {
            "" => Err(Status::invalid_argument("a key has a name")),
            "bent" => Err("it turns, and nothing happens".into()), // a text alone: Code::Unknown
            "iron" => Ok(Treasure { gold: 7 }),
            other => Err(Status::not_found(format!("no door takes the key {other}"))),
        }
    }
}

#[derive(Debug, Fault)]
enum Refused {
    #[fault(NotFound, "no account {name}")]
    NoAccount { name: String },
    #[fault(FailedPrecondition, "{missing} cents are missing")]
    TooPoor { missing: u64 },
}

#[farcall::service]
trait Bank {
    async fn pay(&self, name: String, cents: u64) -> Result<u64, Refused>;
}

struct Till;

impl Bank for Till {
    async fn pay(&self, name: String, cents: u64) -> Result<u64, Refused> {
        match name.as_str() {
            "Ada" => 70_u64.checked_sub(cents).ok_or(Refused::TooPoor { missing: cents - 70 }),
            _ => Err(Refused::NoAccount { name }),
        }
    }
}

/// Whether a call that failed so may be made again.
fn may_repeat(status: &Status, idempotent: bool) -> bool {
    // The other codes say that it would fail again, or that nobody can tell.
    let passes = status.code() == Code::Unavailable;
    passes && (status.sent() == Sent::No || idempotent)
}

#[tokio::main]
async fn main() -> Result<()> {
    let vault = VaultClient::over(Server::new().add(VaultServer::new(Cellar)).memory());
    let key = |name: &str| Key { name: name.into() };
    println!("{} gold", vault.open(key("iron")).await?.gold);

    match vault.open(key("glass")).await {
        Ok(treasure) => println!("{} gold", treasure.gold),
        Err(status) => {
            println!("{:?}: {}", status.code(), status.text());
            println!("said by the server: {}", status.origin() == Origin::Remote);
            println!("all of it: {status}");
        }
    }

    let bank = BankClient::over(Server::new().add(BankServer::new(Till)).memory());
    let status = bank.pay("Ada".into(), 100).await.err().ok_or("Ada has 70 cents")?;
    match status.fault::<Refused>() {
        Some(Refused::TooPoor { missing }) => println!("bring {missing} cents more"),
        Some(Refused::NoAccount { name }) => println!("who is {name}?"),
        None => return Err(status),
    }

    // Nobody listens there: the call never left, and may be made again.
    let nobody = VaultClient::connect("rpcx://127.0.0.1:1").await;
    let status = nobody.err().ok_or("somebody listens on port 1")?;
    println!("{status}; again: {}", may_repeat(&status, false));
    Ok(())
}
