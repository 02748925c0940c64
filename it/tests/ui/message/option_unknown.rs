//! An option that does not exist.

use farcall::Message;

#[derive(Message)]
struct Order {
    #[field(rename = "ID")]
    id: u64,
}

fn main() {}
