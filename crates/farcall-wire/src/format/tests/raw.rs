//! Bytes as they are.

use super::types::Item;
use super::{round_in, try_read, try_write, write};
use bytes::Bytes;
use farcall_core::{Format::Raw, Str, Take, Value, Why};

#[test]
fn only_bytes_and_text() {
    for bytes in [&b""[..], b"\0\xff", &[7; 300]] {
        assert_eq!(&write(Raw, &bytes.to_vec())[..], bytes);
        round_in(Raw, &bytes.to_vec());
        round_in(Raw, &Bytes::copy_from_slice(bytes));
    }
    round_in(Raw, &"text".to_owned());
    round_in(Raw, &Str::from("text"));
    round_in(Raw, &[1_u8, 2, 3]);
    round_in(Raw, &Some(vec![1_u8]));
    round_in(Raw, &None::<Bytes>);
    round_in(Raw, &());
    let fault = try_read::<String>(Raw, b"\xff").unwrap_err();
    assert_eq!(fault.why(), &Why::NotUtf8);
}

#[test]
fn everything_else_is_refused_by_name() {
    let fault = try_write(Raw, &Item::blank()).unwrap_err();
    let text = "raw cannot carry a struct; raw carries bytes only: Vec<u8> or Bytes";
    assert_eq!(fault.to_string(), text);
    assert_eq!(try_read::<Item>(Raw, b"x").unwrap_err().to_string(), text);
    assert!(try_write(Raw, &7_i32).is_err());
    assert!(try_write(Raw, &vec![1_i32]).is_err());
    assert!(try_write(Raw, &vec![vec![1_u8]]).is_err());
    assert!(try_write(Raw, &Value::from(7)).is_err());
    assert!(try_read::<i32>(Raw, b"7").is_err());
    assert!(try_read::<Vec<String>>(Raw, b"7").is_err());
    assert!(try_read::<Value>(Raw, b"7").is_err());
}

#[test]
fn long_bodies_are_not_copied() {
    let frame = Bytes::from(vec![7_u8; 4096]);
    let body: Bytes = super::decode(Raw, &frame, None, Default::default()).unwrap();
    assert_eq!(body.as_ptr(), frame.as_ptr());
}
