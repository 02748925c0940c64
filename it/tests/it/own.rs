//! Complex numbers, types that make bytes of themselves and maps with any keys, from our client to
//! our server: in every codec and over every protocol.

use farcall::{Client, Complex, Format, Marshaled, Result, Take};
use farcall_cli::{
    own::{Own, Url},
    services::{EchoClient, all},
};
use farcall_it::services::Running;
use std::collections::{BTreeMap, HashMap};

/// What JSON can carry as well: it has no infinity.
fn finite() -> Own {
    Own { many: vec![Complex::default(), Complex { re: -0.5, im: 1e300 }], ..Own::sample() }
}

#[tokio::test]
async fn over_every_protocol() -> Result<()> {
    let running = Running::start(all(1)).await;
    let address = running.url.trim_start_matches("rpcx://");
    for (scheme, end) in [
        ("rpcx", ""),
        ("rpcx+http", ""),
        ("netrpc", ""),
        ("netrpc+http", ""),
        ("jsonrpc", ""),
        ("jsonrpc", "?version=1"),
        ("jsonrpc+http", ""),
        ("http", ""),
    ] {
        let url = format!("{scheme}://{address}{end}");
        let echo = EchoClient::connect(&url).await?;
        // Twice: gob tells types once.
        for _ in 0..2 {
            assert_eq!(echo.own(finite()).await?, finite(), "{url}");
            assert_eq!(echo.own(Own::blank()).await?, Own::blank(), "{url}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn in_every_codec() -> Result<()> {
    let running = Running::start(all(1)).await;
    let client = Client::connect(&running.url).await?;
    for format in [Format::MsgPack, Format::Json] {
        let echo = EchoClient::from_client(client.clone()).format(format);
        assert_eq!(echo.own(finite()).await?, finite(), "{format}");
    }
    let echo = EchoClient::from_client(client.clone()).format(Format::MsgPack);
    assert_eq!(echo.own(Own::sample()).await?, Own::sample());
    // Protobuf has no lists of lists, and none in maps; it is told before anything is sent.
    let echo = EchoClient::from_client(client).format(Format::Protobuf);
    let flat = Own { by_pair: HashMap::new(), nested: BTreeMap::new(), ..Own::sample() };
    assert_eq!(echo.own(flat.clone()).await?, flat);
    let status = echo.own(Own::sample()).await.expect_err("keys that are lists");
    assert!(status.text().contains("ByPair: protobuf cannot carry lists inside"), "{status}");
    Ok(())
}

/// What a type refuses costs its call alone, at either end.
#[tokio::test]
async fn what_a_type_refuses() -> Result<()> {
    let running = Running::start(all(1)).await;
    let url = running.url.replace("rpcx://", "netrpc://");
    let client = Client::connect(&url).await?;
    let odd = farcall::Value::object([("Big", farcall::Value::Bytes(vec![9]))]);
    let status = client.call("Echo.Own", odd).await.expect_err("bytes are no big.Int");
    assert!(status.text().contains("Big: expected Int, found bytes"), "{status}");
    let http = Client::connect(running.url.replace("rpcx://", "http://")).await?;
    let odd = farcall::json!({"Big": "CQ=="});
    let status = http.call("Echo.Own", odd).await.expect_err("no such version");
    assert!(status.text().contains("Big: `Int`: version 4 is not known"), "{status}");
    let echo = EchoClient::from_client(client);
    let url = Some(Marshaled(Url("anything".to_owned())));
    let own = Own { url, ..finite() };
    assert_eq!(echo.own(own.clone()).await?, own);
    Ok(())
}
