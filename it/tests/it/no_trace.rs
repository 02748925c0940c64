//! A body that cannot be written leaves no trace on its connection, whatever the wire: the next
//! call finds it as it was.

use farcall::{Client, Code, Inbound, Limits, Message, Result, Server, Status, Stream};
use farcall_it::{
    http::{Http, post},
    services::{Running, Tree},
    windowed::NARROW,
};

#[derive(Message, Clone, Debug, PartialEq)]
struct Other {
    name: String,
    numbers: Vec<i64>,
}

#[farcall::service]
trait Wood {
    /// A tree of this height: one that is too high cannot be written.
    async fn grow(&self, height: u64) -> Result<Tree>;
    /// How high it is.
    async fn measure(&self, tree: Tree) -> Result<u64>;
    /// Another type, for wires that describe types once.
    async fn other(&self, other: Other) -> Result<Other>;
    /// Trees of these heights.
    async fn forest(&self, heights: Vec<u64>) -> Result<impl Stream<Item = Result<Tree>> + Send>;
    /// How high they are together.
    async fn survey(&self, trees: Inbound<Tree>) -> Result<u64>;
}

struct Forest;

/// Higher than `Limits::body_depth` lets a body be.
const TOO_HIGH: u64 = 200;

fn tree(height: u64) -> Tree {
    let mut tree = Tree { name: "top".to_owned(), kids: Vec::new(), next: None };
    for _ in 1..height {
        tree = Tree { name: "t".to_owned(), kids: Vec::new(), next: Some(Box::new(tree)) };
    }
    tree
}

fn height(tree: &Tree) -> u64 {
    std::iter::successors(Some(tree), |tree| tree.next.as_deref()).count() as u64
}

impl Wood for Forest {
    async fn grow(&self, height: u64) -> Result<Tree> {
        Ok(tree(height))
    }
    async fn measure(&self, tree: Tree) -> Result<u64> {
        Ok(height(&tree))
    }
    async fn other(&self, other: Other) -> Result<Other> {
        Ok(other)
    }
    async fn forest(&self, heights: Vec<u64>) -> Result<impl Stream<Item = Result<Tree>> + Send> {
        Ok(farcall::stream::iter(heights.into_iter().map(|height| Ok(tree(height)))))
    }
    async fn survey(&self, mut trees: Inbound<Tree>) -> Result<u64> {
        let mut all = 0;
        while let Some(tree) = trees.next().await {
            all += height(&tree?);
        }
        Ok(all)
    }
}

fn server() -> Server {
    Server::new().add(WoodServer::new(Forest)).protocol(&NARROW)
}

fn clients() -> Vec<(&'static str, WoodClient)> {
    let named = ["rpcx", "netrpc", "jsonrpc", "http"].map(|protocol| {
        (protocol, Client::over_as(protocol, server().memory()).expect("it is built"))
    });
    let narrow = ("windowed", Client::over_protocol(&NARROW, server().memory()));
    let all = named.into_iter().chain([narrow]);
    all.map(|(protocol, client)| (protocol, WoodClient::from_client(client))).collect()
}

fn named(status: &Status, code: Code) {
    assert_eq!(status.code(), code, "{status}");
    assert!(status.text().contains("cannot be written"), "{status}");
}

fn another() -> Other {
    Other { name: "o".to_owned(), numbers: vec![1, -2, 3] }
}

#[tokio::test]
async fn replies_and_arguments() -> Result<()> {
    for (protocol, client) in clients() {
        // First of all, when no type was described yet; then between calls that go well.
        for round in 0..3 {
            let status = client.grow(TOO_HIGH).await.expect_err(protocol);
            // rpcx and net/rpc carry the text alone.
            named(&status, status.code());
            let status = client.measure(tree(TOO_HIGH)).await.expect_err(protocol);
            named(&status, Code::InvalidArgument);
            assert_eq!(client.other(another()).await?, another(), "{protocol} {round}");
            assert_eq!(client.measure(tree(5)).await?, 5, "{protocol} {round}");
            assert_eq!(client.grow(7).await?, tree(7), "{protocol} {round}");
        }
        // Many at once, good and bad.
        let calls = (0..60).map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                let high = if n % 3 == 0 { TOO_HIGH } else { n };
                (high, client.grow(high).await, client.measure(tree(high)).await)
            })
        });
        for call in calls.collect::<Vec<_>>() {
            let (high, grown, measured) = call.await.expect("no panic");
            assert_eq!((grown.is_ok(), measured.is_ok()), (high < 100, high < 100), "{protocol}");
            assert!(grown.is_err() || grown.is_ok_and(|tree| height(&tree) == high.max(1)));
        }
    }
    Ok(())
}

#[tokio::test]
async fn over_http() {
    let running = Running::start(server().limits(Limits::default())).await;
    let mut http = Http::connect(&running.url).await;
    for _ in 0..3 {
        let answer = http.call(&post("/Wood/Grow", "", "200")).await;
        assert!(answer.status == 500 && answer.body.contains("cannot be written"), "{answer:?}");
        let answer = http.call(&post("/Wood/Grow", "", "1")).await;
        assert_eq!((answer.status, answer.body.contains("top")), (200, true), "{answer:?}");
    }
}

#[tokio::test]
async fn items_on_both_sides() -> Result<()> {
    let client = WoodClient::from_client(Client::over_protocol(&NARROW, server().memory()));
    for _ in 0..3 {
        let mut trees = client.forest(vec![1, 2, TOO_HIGH, 3]).await?;
        for expected in [1, 2] {
            assert_eq!(height(&trees.next().await.expect("one more")?), expected);
        }
        named(&trees.next().await.expect("one more").expect_err("too high"), Code::Internal);
        assert!(trees.next().await.is_none());
        let bad = farcall::stream::iter([tree(1), tree(TOO_HIGH), tree(2)]);
        let status = client.survey(bad).await.expect_err("too high");
        named(&status, Code::InvalidArgument);
        let good = farcall::stream::iter([tree(1), tree(3)]);
        assert_eq!(client.survey(good).await?, 4);
        assert_eq!(client.other(another()).await?, another());
    }
    Ok(())
}

/// An item longer than a message may be, and one that cannot be read.
#[tokio::test]
async fn items_that_are_refused() -> Result<()> {
    let limits = Limits { message_bytes: 100, ..Limits::default() };
    let memory = server().limits(limits).memory();
    let client = WoodClient::from_client(Client::over_protocol(&NARROW, memory));
    let mut trees = client.forest(vec![1, 50]).await?;
    assert_eq!(height(&trees.next().await.expect("one more")?), 1);
    let status = trees.next().await.expect("one more").expect_err("too long");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.text().contains("Limits::message_bytes"), "{status}");
    let limits = Limits { body_depth: 10, ..Limits::default() };
    let memory = server().limits(limits).memory();
    let client = WoodClient::from_client(Client::over_protocol(&NARROW, memory));
    let deep = farcall::stream::iter([tree(1), tree(50), tree(1)]);
    let status = client.survey(deep).await.expect_err("too deep");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.text().contains("item cannot be read"), "{status}");
    assert_eq!(client.measure(tree(2)).await?, 2);
    Ok(())
}
