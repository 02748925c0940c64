//! A generic method.

use farcall::Result;

#[farcall::service]
trait Store {
    async fn put<T>(&self, item: T) -> Result<()>;
}

fn main() {}
