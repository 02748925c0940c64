//! What the params of JSON-RPC mean to arguments of every shape.

use super::types::{Colour, Item, Tree};
use super::{Debug, decode, write};
use bytes::Bytes;
use farcall_core::{Bounds, Complex, Fault, Format::Json, Lent, Put, Take, Value, Why};
use std::{collections::BTreeMap, sync::Arc};

use crate::jsonrpc::Params::{self, V1, V2};

fn params<T: Take>(version: Params, body: &str) -> Result<T, Fault> {
    let lent: Lent = Arc::new(version);
    decode(Json, &Bytes::copy_from_slice(body.as_bytes()), Some(&lent), Bounds::default())
}

#[track_caller]
fn is<T: Take + PartialEq + Debug>(version: Params, bodies: &[&str], value: T) {
    for body in bodies {
        assert_eq!(params::<T>(version, body).expect(body), value, "{body}");
    }
}

#[track_caller]
fn refused<T: Take + Debug>(version: Params, bodies: &[&str]) {
    for body in bodies {
        let read = params::<T>(version, body);
        assert!(read.is_err(), "{body}: {read:?}");
    }
}

#[test]
fn version_one_takes_the_first_element() {
    let item = Item { name: "x".into(), price: 7 };
    is(V1, &[r#"[{"name":"x","price":7}]"#, r#" [ {"price":7,"name":"x"} , 5, [] ] "#], item);
    is(V1, &["[]", "[null]", "[ null, 1]"], Item::blank());
    is(V1, &["[]", "[null]"], [0_i32; 3]);
    is(V1, &["[[1,2]]", "[[1,2],3]"], vec![1_i64, 2]);
    is(V1, &["[[[1],[]]]"], vec![vec![1_i64], vec![]]);
    is(V1, &["[\"a\"]", "[\"a\",\"b\"]"], "a".to_owned());
    is(V1, &["[]", "[{}]", "[{\"a\":1}]"], ());
    is(V1, &["[[1]]"], Value::from(vec![Value::from(1)]));
    // One argument: no fields by position, as in Go.
    refused::<Item>(V1, &["[\"x\",7]", "[[\"x\",7]]", "[5]"]);
    refused::<i64>(V1, &["[\"a\"]", "[[1]]", "[7.0]"]);
}

#[test]
fn version_two_takes_what_the_argument_is() {
    let item = || Item { name: "x".into(), price: 7 };
    let by_name = r#"{"price":7,"name":"x"}"#;
    is(V2, &[by_name, &format!("[{by_name}]"), "[\"x\",7]", " [ \"x\" , 7 ] "], item());
    is(V2, &["", "null", "{}", "[]", "[null]", "[{}]", "[\"\",0]"], Item::blank());
    is(V2, &["[null,7]"], Item { name: String::new(), price: 7 });
    is(V2, &["[\"x\"]"], Item { name: "x".into(), price: 0 });
    is(V2, &[by_name, &format!("[{by_name}]"), "[\"x\",7]"], Some(Box::new(item())));
    is(V2, &["", "[]", "[null]"], None::<Item>);
    refused::<Item>(V2, &["[\"x\",7,8]", "[{},{}]", "[7,\"x\"]", "[{},1]"]);

    is(V2, &["[\"a\"]"], "a".to_owned());
    is(V2, &["", "[]", "[null]"], 0_i64);
    is(V2, &["[-3]"], -3_i64);
    is(V2, &["[7]", "[\"Blue\"]"], Colour::Blue);
    refused::<i64>(V2, &["[1,2]", "{\"a\":1}", "[[1]]", "[\"x\"]"]);

    is(V2, &["[1,2,4]", "[[1,2,4]]"], vec![1_i64, 2, 4]);
    is(V2, &["", "[]", "[[]]"], Vec::<i64>::new());
    is(V2, &["[1]", "[[1]]"], vec![1_i64]);
    is(V2, &["[1,2,3]", "[[1,2,3]]", "[\"AQID\"]"], vec![1_u8, 2, 3]);
    is(V2, &["[1,2,3]", "[[1,2,3]]", "[\"AQID\"]"], [1_u8, 2, 3]);
    is(V2, &["[[1],[2,3]]"], vec![vec![1_i64], vec![2, 3]]);
    is(V2, &["[[]]"], vec![Vec::<i64>::new()]);
    is(V2, &["[null]"], vec![None::<i64>]);
    is(V2, &["[null]", ""], None::<Vec<i64>>);
    refused::<Vec<i64>>(V2, &["[[1],[2]]", "[1,[2]]"]);

    let map = BTreeMap::from([("a".to_owned(), 1_i64)]);
    is(V2, &["{\"a\":1}", "[{\"a\":1}]"], map);
    is(V2, &["", "[]", "[{}]", "{}"], ());
    refused::<()>(V2, &["[1]", "[1,2]"]);

    is(V2, &["[5]"], Value::from(5));
    is(V2, &["[5,6]"], Value::from(vec![Value::from(5), Value::from(6)]));
    is(V2, &["", "[]"], Value::Null);
}

/// As a client of ours sends them: objects and lists as they are, the rest in an array of one.
#[test]
fn what_goes_out_comes_in() {
    fn round<T: Put + Take + PartialEq + Debug>(value: T) {
        let text = String::from_utf8(write(Json, &value).to_vec()).unwrap();
        let two = if text.starts_with(['{', '[']) { text.clone() } else { format!("[{text}]") };
        is(V1, &[&format!("[{text}]")], value);
        let value: T = params(V1, &format!("[{text}]")).unwrap();
        is(V2, &[&two], value);
    }
    round(Tree { children: vec![Tree { children: vec![Tree::blank()] }, Tree::blank()] });
    round(vec![Tree::blank()]);
    round(Item { name: "[".into(), price: 1 });
    round(vec![Item::blank(), Item::blank()]);
    round(vec![Item::blank()]);
    round(Vec::<Vec<Vec<i64>>>::new());
    round(vec![vec![Vec::<i64>::new()]]);
    round(vec![vec![vec![1_i64]]]);
    round(vec![vec![1_u8, 2], vec![]]);
    round(vec![1_u8, 2, 3]);
    round([1_u8, 2, 3]);
    round([[1_u8; 2]; 2]);
    round(vec![Some(1_i32), None]);
    round(vec![None::<i32>]);
    round(Some(Item::blank()));
    round(None::<Item>);
    round(None::<Vec<i64>>);
    round(BTreeMap::from([(1_u32, vec![1_i64])]));
    round(String::from("a \" b"));
    round(Complex { re: 1.0, im: -0.5 });
    round(vec![Complex { re: 1.0, im: -0.5 }]);
    round(BTreeMap::from([(true, 1_u8)]));
    round(BTreeMap::<[i64; 2], u8>::new());
    round(BTreeMap::from([([1_i64, 2], 1_u8), ([1, 3], 2)]));
    round(vec![BTreeMap::from([([1_i64, 2], 1_u8)])]);
    round(true);
    round(1.5_f64);
    round(Colour::Blue);
    round(());
    round(Value::object([("a", Value::from(7))]));
}

/// The list around an argument is not one of its levels.
#[test]
fn depth_is_the_arguments_own() {
    let lent = |version: Params| Some(Arc::new(version) as Lent);
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let read = |version, text: String, depth| {
        let bounds = Bounds { depth, ..Bounds::default() };
        decode::<Value>(Json, &text.into(), lent(version).as_ref(), bounds)
    };
    assert!(read(V1, format!("[{}]", deep(10)), 10).is_ok());
    let fault = read(V1, format!("[{}]", deep(11)), 10).unwrap_err();
    assert_eq!(fault.why(), &Why::TooDeep { limit: 10 });
    assert!(read(V2, deep(11), 10).is_ok(), "an array of one");
    assert!(read(V2, format!("{{\"a\":{}}}", deep(9)), 10).is_ok());
    assert!(read(V2, format!("{{\"a\":{}}}", deep(10)), 10).is_err());
}
