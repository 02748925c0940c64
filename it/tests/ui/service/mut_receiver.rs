//! A method that changes what all calls share.

use farcall::Result;

#[farcall::service]
trait Arith {
    async fn mul(&mut self, a: i64, b: i64) -> Result<i64>;
}

fn main() {}
