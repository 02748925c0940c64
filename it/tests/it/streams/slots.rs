//! When all slots are taken, calls wait, and nothing else does.

use super::kit::*;
use farcall::{Code, Limits, Result};
use farcall_it::{
    frames::{Frame, Raw},
    services::{Running, probe},
    windowed::NARROW,
};

const HEARTBEAT: u8 = 0x40;

/// A call of `Probe.Sleep` in JSON.
fn sleep(seq: u64, millis: u64) -> Vec<u8> {
    Frame::call(seq, "Probe", "Sleep", 1, millis.to_string().as_bytes()).bytes()
}

fn heartbeat(seq: u64) -> Vec<u8> {
    Frame { flags: HEARTBEAT, ..Frame::call(seq, "", "", 3, b"") }.bytes()
}

#[tokio::test]
async fn a_heartbeat_is_answered_when_all_slots_are_taken() {
    let limits = Limits { calls_per_connection: 2, parked_calls: 8, ..Limits::default() };
    let running = Running::start(probe(limits)).await;
    let mut raw = Raw::connect(&running.url).await;
    for seq in 0..8 {
        assert!(raw.send(&sleep(seq, 300)).await);
    }
    assert!(raw.send(&heartbeat(99)).await);
    let first = raw.receive().await.expect("an answer");
    assert_eq!((first.seq, first.flags & HEARTBEAT), (99, HEARTBEAT), "before any sleeper");
    let mut answered: Vec<u64> = Vec::new();
    while answered.len() < 8 {
        answered.push(raw.receive().await.expect("an answer").seq);
    }
    // In the order they came, two at a time.
    for pair in 0..4 {
        answered[2 * pair..2 * pair + 2].sort_unstable();
    }
    assert_eq!(answered, (0..8).collect::<Vec<_>>());
}

/// One call too many for the places to wait: it is not read, and neither is what follows; nothing
/// is lost.
#[tokio::test]
async fn places_to_wait_are_bounded() {
    for (parked_calls, parked_bytes) in [(3, usize::MAX), (usize::MAX, 0), (0, 0)] {
        let limits =
            Limits { calls_per_connection: 1, parked_calls, parked_bytes, ..Limits::default() };
        let running = Running::start(probe(limits)).await;
        let mut raw = Raw::connect(&running.url).await;
        let calls: Vec<u8> = (0..20).flat_map(|seq| sleep(seq, 5)).collect();
        assert!(raw.send(&calls).await && raw.send(&heartbeat(99)).await);
        let mut order = Vec::new();
        while order.len() < 21 {
            order.push(raw.receive().await.expect("an answer").seq);
        }
        let beat = order.iter().position(|seq| *seq == 99).expect("it is answered");
        // Bytes are counted when they were read: what is read at once may be more.
        assert!(beat > 0 || parked_calls > 20, "it waited for a place: {order:?}");
        order.remove(beat);
        assert_eq!(order, (0..20).collect::<Vec<_>>());
    }
}

/// What a call waits before it starts counts against its deadline.
#[tokio::test]
async fn waiting_takes_from_the_deadline() -> Result<()> {
    let limits = Limits { calls_per_connection: 1, ..Limits::default() };
    let (client, counts, _memory) = room(&NARROW, limits);
    let first = tokio::spawn(client.sleep(200));
    until("it sleeps", || counts.alive() == 1).await;
    let late = client.sleep(60_000).deadline(std::time::Duration::from_millis(50));
    let status = within(late).await.expect_err("late");
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    within(first).await.expect("no panic")?;
    assert_eq!(within(client.add(1, 2)).await?, 3, "nobody sleeps for a minute");
    Ok(())
}

#[tokio::test]
async fn streams_flow_when_all_slots_are_taken() -> Result<()> {
    let limits = Limits { calls_per_connection: 3, parked_calls: 4, ..Limits::default() };
    let (client, counts, _memory) = room(&NARROW, limits);
    let (say, said) = tokio::sync::mpsc::channel(1);
    let mut talk = within(client.talk(tokio_stream::wrappers::ReceiverStream::new(said))).await?;
    let mut history = within(client.history(Since::lines(1_000, "end"))).await?;
    let sleeper = tokio::spawn(client.sleep(60_000).no_deadline());
    until("all slots are taken", || counts.alive() == 3).await;
    // Four wait: a stream with its items, and calls. The others are refused by name.
    let parked = tokio::spawn(client.upload(lines(200)));
    tokio::task::yield_now().await;
    let mut waiting: Vec<_> =
        (0..3).map(|_| tokio::spawn(client.add(1, 2).no_deadline())).collect();
    let refused = loop {
        let more = tokio::spawn(client.add(1, 2).no_deadline());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        if more.is_finished() {
            break more.await.expect("no panic").expect_err("too many");
        }
        waiting.push(more);
        assert!(waiting.len() < 10, "nobody is refused");
    };
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.text().contains("Limits::parked_calls"), "{refused}");
    for number in 0..100 {
        say.send(line(number, "hello")).await.expect("it is heard");
        assert_eq!(within(talk.next()).await.expect("one more")?.number, number);
        assert_eq!(within(history.next()).await.expect("one more")?.number, number);
    }
    assert!(!parked.is_finished() && waiting.iter().all(|call| !call.is_finished()));
    // Giving a call up makes room.
    sleeper.abort();
    assert_eq!(within(parked).await.expect("no panic")?.lines, 200);
    for call in waiting {
        assert_eq!(within(call).await.expect("no panic")?, 3);
    }
    drop(history);
    drop(say);
    assert!(within(talk.next()).await.is_none());
    until("the handlers are gone", || counts.alive() == 0).await;
    Ok(())
}

/// A call that waits is given up: it never starts.
#[tokio::test]
async fn a_waiting_call_is_given_up() -> Result<()> {
    let limits = Limits { calls_per_connection: 1, ..Limits::default() };
    let (client, counts, _memory) = room(&NARROW, limits);
    let first = tokio::spawn(client.sleep(100));
    until("it sleeps", || counts.alive() == 1).await;
    let (endless, made) = Endless::new("", 0);
    let second = tokio::spawn(client.upload(endless));
    let history = within(client.history(Since::lines(10, "end"))).await?;
    until("it is on its way", || made.load(std::sync::atomic::Ordering::SeqCst) > 0).await;
    second.abort();
    drop(history);
    within(first).await.expect("no panic")?;
    assert_eq!(within(client.add(1, 2)).await?, 3);
    assert_eq!((counts.taken(), counts.made()), (0, 0));
    within(client.client().close()).await
}
