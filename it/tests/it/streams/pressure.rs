//! Back-pressure: a producer runs ahead of its consumer by what the windows hold, and no further.

use super::kit::*;
use farcall::{Limits, Result};
use farcall_it::windowed::{NARROW, WIDE};
use std::sync::atomic::Ordering;

/// A line without text takes more than this many bytes, in every format.
const LEAST: u64 = 10;

#[tokio::test]
async fn a_server_waits_for_its_reader() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, Limits::default());
    let mut lines = within(client.history(Since::lines(1_000, "end"))).await?;
    // What the window of 64 bytes holds, and one that waits before it.
    let most = 64 / LEAST + 1;
    for read in 0..40 {
        let made = settled(|| counts.made()).await;
        assert!(made <= read + most, "{made} made, {read} read");
        assert_eq!(within(lines.next()).await.expect("one more")?.number, read);
    }
    let (rest, end) = all(lines).await;
    assert_eq!((rest.len(), end), (960, None));
    Ok(())
}

#[tokio::test]
async fn a_client_waits_for_its_reader() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, Limits::default());
    let (endless, made) = Endless::new("wait", 0);
    let upload = tokio::spawn(client.upload(endless));
    until("the first is taken", || counts.taken() == 1).await;
    let made = settled(|| made.load(Ordering::SeqCst)).await;
    assert!(made <= 2 + 64 / LEAST, "{made} made");
    upload.abort();
    until("the handler is gone", || counts.alive() == 0).await;
    Ok(())
}

/// The answers are not read, so the questions stop.
#[tokio::test]
async fn both_directions_wait() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, Limits::default());
    let (endless, made) = Endless::new("", 10);
    let mut lines = within(client.talk(endless)).await?;
    let most = 3 * (64 / LEAST + 1);
    for read in 0..15 {
        settled(|| counts.taken()).await;
        let made = settled(|| made.load(Ordering::SeqCst)).await;
        assert!(made <= read + most, "{made} made, {read} read");
        within(lines.next()).await.expect("one more")?;
    }
    drop(lines);
    until("the handler is gone", || counts.alive() == 0).await;
    Ok(())
}

/// A handler that throws its items away, and one that has ended, stop nobody.
#[tokio::test]
async fn what_nobody_reads_does_not_block() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, Limits::default());
    let (endless, made) = Endless::new("close", 0);
    let upload = tokio::spawn(client.upload(endless));
    until("it runs on", || made.load(Ordering::SeqCst) > 100).await;
    upload.abort();
    until("the handler is gone", || counts.alive() == 0).await;
    Ok(())
}

#[tokio::test]
async fn a_slow_reader_stops_only_itself() -> Result<()> {
    let (client, counts, _memory) = room(&NARROW, Limits::default());
    let mut slow = Vec::new();
    for _ in 0..5 {
        slow.push(within(client.history(Since::lines(50, "end"))).await?);
        slow.push(within(client.talk(lines(50))).await?);
    }
    settled(|| counts.made()).await;
    let (quick, end) = all(client.history(Since::lines(500, "end")).await?).await;
    assert_eq!((quick.len(), end), (500, None));
    assert_eq!(within(client.upload(lines(500))).await?.lines, 500);
    assert_eq!(within(client.add(1, 2)).await?, 3);
    for stream in slow {
        let (lines, end) = all(stream).await;
        assert_eq!((lines.len(), end), (50, None));
    }
    Ok(())
}

/// Where the peer grants much, `Limits::stream_bytes` bounds what waits to be written.
#[tokio::test]
async fn wide_windows_are_used() -> Result<()> {
    let limits = Limits { stream_bytes: 1, output_bytes: 0, ..Limits::default() };
    for limits in [Limits::default(), limits] {
        let (client, counts, _memory) = room(&WIDE, limits);
        let mut stream = within(client.history(Since::lines(1 << 20, "end"))).await?;
        let made = settled(|| counts.made()).await;
        assert!((1_000..2 * 64 * 1024 / LEAST).contains(&made), "{made} made");
        for number in 0..10_000 {
            assert_eq!(within(stream.next()).await.expect("one more")?.number, number);
        }
    }
    Ok(())
}
