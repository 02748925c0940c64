//! A method with the name of a function that every client has.

use farcall::Result;

#[farcall::service]
trait Phone {
    async fn connect(&self, number: String) -> Result<()>;
}

fn main() {}
