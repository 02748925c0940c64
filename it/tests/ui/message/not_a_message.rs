//! A field whose type is no message.

use farcall::Message;

struct Line;

#[derive(Message)]
struct Order {
    line: Line,
}

fn main() {}
