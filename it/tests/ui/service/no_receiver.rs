//! A method without `&self`.

use farcall::Result;

#[farcall::service]
trait Arith {
    async fn mul(a: i64, b: i64) -> Result<i64>;
}

fn main() {}
