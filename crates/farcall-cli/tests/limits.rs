//! A refusal names its limit: the guide's words on limits.

use bytes::Bytes;
use farcall::{Limits, Result, Server};

#[farcall::service]
trait Store {
    async fn put(&self, bytes: Bytes) -> Result<()>;
}

struct Shelf;

impl Store for Shelf {
    async fn put(&self, _: Bytes) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_refusal_names_the_limit() {
    let limits = Limits { message_bytes: 1024, ..Limits::default() };
    let server = Server::new().add(StoreServer::new(Shelf)).limits(limits);

    let store = StoreClient::over(server.memory());
    store.put(Bytes::from(vec![1; 512])).await.expect("it fits");
    let status = store.put(Bytes::from(vec![1; 2048])).await.expect_err("too long");
    assert_eq!(status.code(), farcall::Code::Unavailable, "{status}");
}
