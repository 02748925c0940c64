//! Fields without names.

use farcall::Message;

#[derive(Message)]
struct Point(i64, i64);

fn main() {}
