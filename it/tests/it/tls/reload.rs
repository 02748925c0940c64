//! Certificates that are replaced while the server serves.

use super::{blocking, service};
use farcall::{Result, Status, TlsHandle};
use farcall_it::{
    certs::{Authority, Pair},
    http::post,
    raw::{self, Options},
    services::ProbeClient,
};
use std::time::Duration;

/// A server, its address, and the way to reload it.
async fn start(
    tls: farcall::Tls,
) -> Result<(tokio::task::JoinHandle<Result<()>>, String, TlsHandle)> {
    let bound = service().tls(tls).listen("tls://127.0.0.1:0").await?;
    let place = bound.addresses()[0].trim_start_matches("tls://").to_owned();
    let handle = bound.tls_handle().expect("it has certificates");
    Ok((tokio::spawn(bound.run()), place, handle))
}

async fn call(place: &str, ca: &Authority, name: &str) -> Result<i64> {
    let url = format!("rpcx+tls://{place}{}&server_name={name}", ca.option());
    ProbeClient::connect(url).await?.add(1, 2).await
}

fn put(from: &Pair, to: &Pair) {
    std::fs::copy(&from.cert, &to.cert).expect("copied");
    std::fs::copy(&from.key, &to.key).expect("copied");
}

#[tokio::test]
async fn when_told_to() -> Result<()> {
    let authority = Authority::new();
    let old = authority.pair("live", &["old.test"]);
    let new = authority.pair("new", &["new.test"]);
    let (_serving, place, handle) = start(old.tls()).await?;
    let url = format!("rpcx+tls://{place}{}&server_name=old.test", authority.option());
    let before = ProbeClient::connect(url).await?;
    assert_eq!(before.add(1, 2).await?, 3);

    std::fs::copy(&new.cert, &old.cert).expect("copied");
    let status = handle.reload().expect_err("the key is still the old one");
    assert!(status.text().contains("live-key.pem"), "{status}");
    assert_eq!(call(&place, &authority, "old.test").await, Ok(3), "the old one stays");

    put(&new, &old);
    handle.reload()?;
    assert_eq!(call(&place, &authority, "new.test").await, Ok(3));
    let status = call(&place, &authority, "old.test").await.expect_err("it is gone");
    assert!(status.text().contains("is not for old.test: new.test"), "{status}");
    assert_eq!(before.add(2, 2).await?, 4, "open connections stay");
    Ok(())
}

#[tokio::test]
async fn by_itself_while_serving() -> Result<()> {
    let authority = Authority::new();
    let live = authority.pair("live", &["all.test", "old.test"]);
    let new = authority.pair("new", &["all.test", "new.test"]);
    let (_serving, place, _handle) = start(live.tls()).await?;
    // Half a file is met on the way.
    let half = std::fs::read(&new.cert).expect("read");
    std::fs::write(&live.cert, &half[..half.len() / 2]).expect("written");
    for _ in 0..5 {
        assert_eq!(call(&place, &authority, "all.test").await, Ok(3));
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    put(&new, &live);
    let renewed = async {
        while call(&place, &authority, "new.test").await.is_err() {
            // Whoever comes meanwhile is served.
            call(&place, &authority, "all.test").await?;
        }
        Ok::<(), Status>(())
    };
    tokio::time::timeout(Duration::from_secs(60), renewed).await.expect("renewed")
}

#[tokio::test]
async fn sessions_of_an_old_authority_end() -> Result<()> {
    let (one, two) = (Authority::new(), Authority::new());
    let server = one.pair("server", &["127.0.0.1"]);
    let trusted = super::Folder::new();
    let ca = trusted.join("trusted.pem");
    std::fs::copy(&one.ca, &ca).expect("copied");
    let (_serving, place, handle) = start(server.tls().client_ca(&ca)).await?;
    for version in rustls::ALL_VERSIONS {
        std::fs::copy(&one.ca, &ca).expect("copied");
        handle.reload()?;
        let pair = Some(one.pair("client", &["c.test"]));
        let options = Options { versions: vec![version], pair, ..Options::default() };
        let config = raw::config(&one, options);
        let request = post("/Who/Names", "Connection: close\r\n", "");
        let ask = || {
            let (raw, request) = (raw::connect(&place, config.clone()), request.clone());
            blocking(move || super::ask(raw, &request))
        };
        for _ in 0..2 {
            assert!(ask().await.expect("let in").contains("c.test"));
        }
        std::fs::copy(&two.ca, &ca).expect("copied");
        handle.reload()?;
        let error = ask().await.expect_err("its authority is trusted no more");
        assert!(error.to_string().contains("UnknownCA"), "{version:?}: {error}");
    }
    Ok(())
}
