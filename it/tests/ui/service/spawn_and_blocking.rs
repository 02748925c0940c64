//! Two ways to run at once.

use farcall::Result;

#[farcall::service]
trait Arith {
    #[method(spawn, blocking)]
    async fn mul(&self, a: i64, b: i64) -> Result<i64>;
}

fn main() {}
