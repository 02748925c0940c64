//! An implementation that lacks a method: the compiler's own words, at the right place.

use farcall::Result;

#[farcall::service]
trait Arith {
    async fn mul(&self, a: i64, b: i64) -> Result<i64>;
    async fn div(&self, a: i64, b: i64) -> Result<i64>;
}

struct Calculator;

impl Arith for Calculator {
    async fn mul(&self, a: i64, b: i64) -> Result<i64> {
        Ok(a * b)
    }
}

fn main() {}
