//! Typed errors, end to end: what a handler fails with is what its caller gets, over every protocol
//! that has a client, with as much of it as the protocol can carry.

use farcall::{Client, Code, Fault, Result, Server, Status, json};

#[derive(Debug, PartialEq, Fault)]
enum Refused {
    #[fault(NotFound, "no account {name}")]
    NoAccount { name: String },
    #[fault(FailedPrecondition, "{missing} of {needed} cents are missing")]
    TooPoor { needed: u64, missing: i64 },
    #[fault(Unavailable, "closed")]
    Closed,
    #[fault(InvalidArgument, "not {{sold}}: {0}")]
    Other(String),
    /// A text alone does not tell what it was.
    #[fault(Aborted, "several reasons")]
    Several { reasons: Vec<String> },
}

/// Its texts are its own.
#[derive(Debug, PartialEq, Fault)]
enum Plain {
    #[fault(DataLoss)]
    Lost(u8),
}

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Plain::Lost(n) = self;
        write!(f, "lost {n}")
    }
}

#[farcall::service]
trait Bank {
    async fn pay(&self, way: u8) -> Result<u64, Refused>;
    async fn lose(&self) -> Result<(), Plain>;
}

struct Vault;
impl Bank for Vault {
    async fn pay(&self, way: u8) -> Result<u64, Refused> {
        Err(refused(way))
    }
    async fn lose(&self) -> Result<(), Plain> {
        Err(Plain::Lost(3))
    }
}

fn refused(way: u8) -> Refused {
    match way {
        0 => Refused::NoAccount { name: "B\u{f6}b of \"x\"".into() },
        1 => Refused::TooPoor { needed: u64::MAX, missing: -7 },
        2 => Refused::Closed,
        3 => Refused::Other("5".into()),
        _ => Refused::Several { reasons: vec!["a".into(), "b".into()] },
    }
}

#[tokio::test]
async fn callers_get_the_error_that_was_returned() -> Result<()> {
    let codes = [
        Code::NotFound,
        Code::FailedPrecondition,
        Code::Unavailable,
        Code::InvalidArgument,
        Code::Aborted,
    ];
    for protocol in ["rpcx", "jsonrpc", "netrpc"] {
        let server = Server::new().add(BankServer::new(Vault)).memory();
        let bank = BankClient::from_client(Client::over_as(protocol, server)?);
        for way in 0..5 {
            let status = bank.pay(way).await.expect_err("always");
            let text = Status::from(refused(way)).text().to_owned();
            assert_eq!(status.text(), text, "{protocol}");
            // Where only a text travels, what it does not tell cannot be told.
            let expected = (protocol != "netrpc" || way < 4).then(|| refused(way));
            assert_eq!(status.fault::<Refused>(), expected, "{protocol}");
            assert_eq!(status.fault::<Plain>(), None, "{protocol}");
            if protocol == "jsonrpc" {
                assert_eq!(status.code(), codes[usize::from(way)], "{protocol}");
            }
        }
        let status = bank.lose().await.expect_err("always");
        assert_eq!(status.text(), "lost 3");
        let expected = (protocol != "netrpc").then_some(Plain::Lost(3));
        assert_eq!(status.fault::<Plain>(), expected, "{protocol}");
    }
    Ok(())
}

#[tokio::test]
async fn details_are_json_and_have_room() -> Result<()> {
    let status = Status::from(refused(1));
    let detail = status.detail().expect("a typed error");
    assert_eq!(&**detail, br#"{"TooPoor":{"needed":18446744073709551615,"missing":-7}}"#);
    assert_eq!(
        Status::from(Refused::Closed).detail().map(|d| &**d),
        Some(&br#"{"Closed":{}}"#[..])
    );

    // One that does not fit is left out; its text comes.
    let server = Server::new().func("A", "b", |_: ()| async {
        let reasons = vec!["x".repeat(100_000)];
        Err::<(), _>(Refused::Several { reasons }.into())
    });
    let client = Client::over(server.memory());
    let status = client.call("A.b", json!(null)).await.expect_err("always");
    assert_eq!(status.text(), "several reasons");
    assert!(status.detail().is_none());
    Ok(())
}

/// What a stranger sends instead is none of these errors, and no harm.
#[test]
fn other_details_are_no_error_of_ours() {
    for json in [
        "",
        "{}",
        "[]",
        "null",
        "{\"NoAccount\":{\"name\":7}}",
        "{\"NoAccount\":",
        "x",
        "{\"Closed\":{},\"Other\":{}}",
        "{\"Else\":{}}",
    ] {
        let status = Status::unknown("closed").with_detail(json.to_owned());
        let found = status.fault::<Refused>();
        assert!(found.is_none() || found == Some(Refused::Closed), "{json}: {found:?}");
    }
    assert_eq!(Status::unknown("closed").fault::<Refused>(), Some(Refused::Closed));
    assert_eq!(Status::unknown("unlike any").fault::<Refused>(), None);
    let shown = refused(3).to_string();
    assert_eq!(shown, "not {sold}: 5");
}
