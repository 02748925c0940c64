//! The context by value.

use farcall::{Cx, Result};

#[farcall::service]
trait Hello {
    async fn say(&self, cx: Cx, name: String) -> Result<String>;
}

fn main() {}
