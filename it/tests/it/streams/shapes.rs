//! The four shapes, and what options do to them.

use super::kit::*;
use farcall::{Code, Compress, Format, Limits, Result, Sent, protocol::Protocol};
use farcall_it::windowed::{NARROW, WIDE};
use std::time::Duration;

fn both() -> [&'static dyn Protocol; 2] {
    [&NARROW, &WIDE]
}

#[tokio::test]
async fn a_server_streams() -> Result<()> {
    for protocol in both() {
        let (client, counts, _memory) = room(protocol, Limits::default());
        let since = Since { from: 5, to: 205, pad: 30, then: "end".to_owned() };
        let (lines, end) = all(within(client.history(since)).await?).await;
        assert_eq!(end, None);
        assert_eq!(lines.len(), 200);
        assert!(lines.iter().zip(5..).all(|(line, number)| line.number == number));
        assert_eq!(counts.made(), 200);
        let (none, end) = all(client.history(Since::lines(0, "end")).await?).await;
        assert_eq!((none, end), (vec![], None));
        until("the handlers are gone", || counts.alive() == 0).await;
        assert_eq!(within(client.add(1, 2)).await?, 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_client_streams() -> Result<()> {
    for protocol in both() {
        let (client, counts, _memory) = room(protocol, Limits::default());
        assert_eq!(within(client.upload(lines(0))).await?, Summary { lines: 0, bytes: 0 });
        let many = farcall::stream::iter((0..200).map(|n| line(n, &"z".repeat(n as usize % 40))));
        let summary = within(client.upload(many)).await?;
        assert_eq!((summary.lines, summary.bytes), (200, 5 * (0..40).sum::<u64>()));
        assert_eq!(counts.taken(), 200);
        until("the handlers are gone", || counts.alive() == 0).await;
    }
    Ok(())
}

#[tokio::test]
async fn both_stream() -> Result<()> {
    for protocol in both() {
        let (client, counts, _memory) = room(protocol, Limits::default());
        let (lines, end) = all(within(client.talk(lines(150))).await?).await;
        assert_eq!(end, None);
        assert!(lines.iter().zip(0..).all(|(line, number)| line.number == number));
        assert_eq!((lines.len(), counts.taken()), (150, 150));
        until("the handlers are gone", || counts.alive() == 0).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_question_and_an_answer_at_a_time() -> Result<()> {
    let (client, _, _memory) = room(&NARROW, Limits::default());
    let (say, said) = tokio::sync::mpsc::channel(1);
    let mut answers =
        within(client.talk(tokio_stream::wrappers::ReceiverStream::new(said))).await?;
    for number in 0..50 {
        say.send(line(number, "hello")).await.expect("it is heard");
        let answer = within(answers.next()).await.expect("one more")?;
        assert_eq!(answer, line(number, "hello"));
    }
    drop(say);
    assert!(within(answers.next()).await.is_none());
    Ok(())
}

#[tokio::test]
async fn an_item_may_be_larger_than_every_window() -> Result<()> {
    let (client, _, _memory) = room(&NARROW, Limits::default());
    let since = Since { from: 0, to: 3, pad: 5_000, then: "end".to_owned() };
    let (got, end) = all(client.history(since).await?).await;
    assert_eq!((got.len(), end), (3, None));
    assert!(got.iter().all(|line| line.text.len() == 5_000));
    let large = farcall::stream::iter((0..3).map(|n| line(n, &"w".repeat(3_000))));
    assert_eq!(within(client.upload(large)).await?, Summary { lines: 3, bytes: 9_000 });
    Ok(())
}

#[tokio::test]
async fn options_are_those_of_every_call() -> Result<()> {
    let (client, _, _memory) = room(&NARROW, Limits::default());
    let (about, end) = all(client.about().await?).await;
    assert_eq!((about, end), (["windowed", "About", "", "false"].map(String::from).to_vec(), None));
    for format in [Format::Json, Format::Protobuf, Format::MsgPack] {
        let call = client.about().meta("tenant", "blue").format(format);
        let mut about = call.deadline(Duration::from_secs(60)).compress(Compress::Gzip).await?;
        for expected in ["windowed", "About", "blue", "true"] {
            assert_eq!(within(about.next()).await.expect("one more")?, expected);
        }
        assert!(about.meta().is_empty(), "it comes with the end");
        assert!(within(about.next()).await.is_none());
        assert_eq!(about.meta().get("lines").as_deref(), Some("4"));
        let text = "a".repeat(500);
        let items = farcall::stream::iter([line(1, &text), line(2, &text)]);
        let summary = client.upload(items).format(format).compress(Compress::Gzip);
        assert_eq!(within(summary).await?.bytes, 1_000);
    }
    Ok(())
}

#[tokio::test]
async fn gob_does_not_stream() -> Result<()> {
    let (client, _, _memory) = room(&NARROW, Limits::default());
    let status = client.history(Since::default()).format(Format::Gob).await.expect_err("gob");
    assert_eq!((status.code(), status.sent()), (Code::Unimplemented, Sent::No), "{status}");
    assert!(status.text().contains("gob"), "{status}");
    Ok(())
}
