//! Peers that do what no honest one does, and the bytes that they say. Requests are recorded from
//! the real clients, so that they are what is really said; what is wrong with them is done by hand.

use crate::{Done, PROTOCOLS, service::ProofClient};
use bytes::Bytes;
use farcall::Client;
use farcall_it::services::Args;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

/// The bytes of one call, as our client says them in this protocol.
pub async fn recorded<F>(protocol: &str, start: impl FnOnce(ProofClient) -> F) -> Done<Vec<u8>>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let (ours, mut theirs) = tokio::io::duplex(64 << 20);
    let client = ProofClient::from_client(Client::over_as(protocol, ours)?);
    let call = tokio::spawn(start(client));
    let mut said = vec![0; 64 * 1024];
    let mut all = Vec::new();
    while let Ok(read) = timeout(Duration::from_millis(150), theirs.read(&mut said)).await {
        match read? {
            0 => break,
            count => all.extend_from_slice(&said[..count]),
        }
    }
    call.abort();
    match all.is_empty() {
        true => Err(format!("{protocol}: nothing was said").into()),
        false => Ok(all),
    }
}

/// A small call in every protocol.
pub async fn small_calls() -> Done<Vec<(&'static str, Vec<u8>)>> {
    let mut calls = Vec::new();
    for protocol in PROTOCOLS {
        let call =
            recorded(protocol, |client| async move { client.mul(Args { a: 6, b: 7 }).await });
        calls.push((protocol, call.await?));
    }
    Ok(calls)
}

/// A call that is answered with so many bytes, in every protocol.
pub async fn calls_for(bytes: u64) -> Done<Vec<(&'static str, Vec<u8>)>> {
    let mut calls = Vec::new();
    for protocol in PROTOCOLS {
        let call = recorded(protocol, move |client| async move { client.zeros(bytes).await });
        calls.push((protocol, call.await?));
    }
    Ok(calls)
}

/// A call with a body of so many bytes.
pub async fn call_of(protocol: &str, bytes: usize) -> Done<Vec<u8>> {
    recorded(protocol, move |client| async move { client.count(Bytes::from(vec![7; bytes])).await })
        .await
}

/// Opens connections, a few hundred at a time, and says this on each.
pub async fn crowd(place: &str, count: usize, say: &[u8]) -> Done<Vec<TcpStream>> {
    let mut all = Vec::with_capacity(count);
    let mut opening = JoinSet::new();
    for begun in 0..count {
        let (place, say) = (place.to_owned(), say.to_vec());
        opening.spawn(async move {
            let mut socket = TcpStream::connect(place).await?;
            socket.write_all(&say).await?;
            std::io::Result::Ok(socket)
        });
        if begun % 200 == 199 {
            while let Some(opened) = opening.join_next().await {
                all.push(opened??);
            }
        }
    }
    while let Some(opened) = opening.join_next().await {
        all.push(opened??);
    }
    Ok(all)
}

/// Reads until there is something to read, the other end has closed, or the time is over.
pub async fn hear(socket: &mut TcpStream, most: Duration) -> Heard {
    let mut bytes = vec![0; 64 * 1024];
    match timeout(most, socket.read(&mut bytes)).await {
        Err(_) => Heard::Nothing,
        Ok(Ok(0) | Err(_)) => Heard::Close,
        Ok(Ok(count)) => Heard::Bytes(bytes[..count].to_vec()),
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing, in that time.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// The end of the connection.
    Close,
}

/// All that comes until the other end closes; none if it does not in time.
pub async fn to_the_end(socket: &mut TcpStream, most: Duration) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let read = async {
        let mut piece = vec![0; 256 * 1024];
        loop {
            match socket.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(count) => all.extend_from_slice(&piece[..count]),
            }
        }
    };
    timeout(most, read).await.is_ok().then_some(all)
}
