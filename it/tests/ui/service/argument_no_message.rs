//! An argument whose type is no message.

use farcall::Result;

struct Args;

#[farcall::service]
trait Arith {
    async fn mul(&self, args: Args) -> Result<i64>;
}

fn main() {}
