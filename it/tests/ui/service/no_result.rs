//! A method whose answer cannot fail.

#[farcall::service]
trait Arith {
    async fn mul(&self, a: i64, b: i64) -> i64;
}

fn main() {}
