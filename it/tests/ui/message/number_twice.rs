//! Two fields of one number.

use farcall::Message;

#[derive(Message)]
struct Order {
    #[field(1)]
    id: u64,
    #[field(1)]
    lines: Vec<String>,
}

fn main() {}
