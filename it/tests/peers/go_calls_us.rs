//! Go's client runs its whole matrix against our server: every codec, compression, error, one-way
//! call, heartbeat and time-out; what it says over HTTP too, `CONNECT` and the gateway.

use crate::go_peer::calls_us;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_matrix() {
    calls_us("rpcx-peer", "-addr", &["-case", "all", "-timeout", "25s"], &[], 163).await;
}
