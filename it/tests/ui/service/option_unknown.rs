//! An option of `#[method]` that does not exist.

use farcall::Result;

#[farcall::service]
trait Arith {
    #[method(cached)]
    async fn mul(&self, a: i64, b: i64) -> Result<i64>;
}

fn main() {}
