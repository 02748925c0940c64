//! An argument that borrows.

use farcall::Result;

#[farcall::service]
trait Hello {
    async fn say(&self, name: &str) -> Result<String>;
}

fn main() {}
