//! JSON's own rules, against what Go's `encoding/json` does.

use super::super::json::decode_strict;
use super::types::{Colour, Everything, Item, Order};
use super::{read, try_read, try_write, why, write};
use bytes::Bytes;
use farcall_core::{Bounds, Fault, Format::Json, Put, Take, Timestamp, Value, Why};
use std::collections::BTreeMap;
use std::time::Duration;

#[track_caller]
fn text<T: Put + ?Sized>(value: &T) -> String {
    String::from_utf8(write(Json, value).to_vec()).unwrap()
}

#[test]
fn as_go_writes_it() {
    let item = Item { name: "x".into(), price: -1 };
    assert_eq!(text(&item), r#"{"name":"x","price":-1}"#);
    assert_eq!(text(&()), "{}");
    assert_eq!(text(&Vec::<i32>::new()), "[]");
    assert_eq!(text(&BTreeMap::from([(2_u32, true), (10, false)])), r#"{"2":true,"10":false}"#);
    assert_eq!(text(&vec![1_u8, 2, 3]), r#""AQID""#);
    assert_eq!(text(&[1_u8, 2, 3]), "[1,2,3]");
    assert_eq!(text(&vec![Some(1_i32), None]), "[1,null]");
    assert_eq!(text(&Colour::Blue), "7");
    assert_eq!(text(&Duration::from_micros(3)), "3000");
    assert_eq!(text(&super::types::WHEN), r#""2023-11-14T22:13:20.000000005Z""#);
    assert_eq!(text(&BTreeMap::from([(Colour::Blue, 1_i32)])), r#"{"7":1}"#);
    let blank = text(&Everything::blank());
    assert!(!blank.contains("\"on\":") && !blank.contains("\"note\":"), "{blank}");
    assert!(blank.contains(r#""hash":[0,0,0,0],"triple":[0,0,0],"words":["",""],"#), "{blank}");
}

/// `json.Marshal` of each control character and of those special to HTML and JavaScript.
#[test]
fn escapes() {
    let wild = concat!(
        "\0\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/<>&'",
        "\u{7f}\u{80}\u{2027}\u{2028}\u{2029}\u{202a}é中😀"
    );
    let quoted = concat!(
        r#""\u0000\u0001\b\t\n\u000b\f\r\u001f \"\\/\u003c\u003e\u0026'"#,
        "\u{7f}\u{80}\u{2027}\\u2028\\u2029\u{202a}é中😀\""
    );
    assert_eq!(text(wild), quoted);
    assert_eq!(read::<String>(Json, quoted), wild);
    // At every place in the steps of sixteen.
    for c in wild.chars() {
        for before in 0..40 {
            for after in [0, 1, 15, 16, 17] {
                let v = format!("{}{c}{}", "a".repeat(before), "b".repeat(after));
                assert_eq!(read::<String>(Json, text(&v)), v);
            }
        }
    }
    assert_eq!(read::<String>(Json, r#""\u4E2d\uD83D\uDE00\/""#), "中😀/");
    // Halves alone.
    assert_eq!(read::<String>(Json, r#""\ud83d""#), "\u{fffd}");
    assert_eq!(read::<String>(Json, r#""\ud83dx\ude00""#), "\u{fffd}x\u{fffd}");
    assert_eq!(read::<String>(Json, r#""\ud83d\ud83d\ude00""#), "\u{fffd}😀");
    assert_eq!(read::<String>(Json, r#""\ud83d\n""#), "\u{fffd}\n");
    for (bad, cut) in [
        (r#""\x""#, false),
        (r#""\u12""#, true),
        (r#""\u12 4""#, false),
        ("\"\n\"", false),
        ("\"a", true),
        ("\"\\", true),
        ("\"\\u+123\"", false),
    ] {
        let why = why::<String>(Json, bad);
        assert_eq!(why == Why::CutShort, cut, "{bad} {why}");
    }
    assert_eq!(why::<String>(Json, b"\"\xff\""), Why::NotUtf8);
}

#[test]
fn names_and_keys() {
    let item = Item { name: "x".into(), price: 7 };
    for body in [
        r#"{"name":"x","price":7}"#,
        r#"{"price":7,"name":"x"}"#,
        " { \"name\" :\t\"x\" ,\r\n \"price\" : 7 } ",
        r#"{"NAME":"x","Price":7}"#,
        r#"{"n\u0061me":"x","price":7}"#,
        r#"{"?":[1,{"y":"\u00e9","z":[[],{}]},[],-0.5e+3,true,false,null],"name":"x","price":7}"#,
        r#"{"price":8,"name":"x","price":7}"#,
        r#"{"name":"x","price":7,"price":null}"#,
        r#"{"name":"x","price":"7"}"#,
        r#"{"name":"x","price":7} trailing"#,
    ] {
        assert_eq!(read::<Item>(Json, body), item, "{body}");
    }
    for body in [
        "",
        " ",
        "{",
        r#"{"name""#,
        r#"{"name":"x""#,
        r#"{"name":"x","#,
        r#"{"name":"x",}"#,
        r#"{,"name":"x"}"#,
        r#"{"name" "x"}"#,
        r#"{name:"x"}"#,
        r#"{"name":"x" "price":7}"#,
        r#"{"name":"x"]"#,
        r#"{"?":[}"#,
        r#"{"?":[1,]}"#,
        r#"{"?":{"a"}}"#,
        r#"{"?":{1:2}}"#,
        r#"{"?":01}"#,
        r#"{"?":tru}"#,
        r#"{"?":nul}"#,
        r#"{"?"}"#,
        r#"{"?":}"#,
        "[]",
        "7",
    ] {
        assert!(try_read::<Item>(Json, body).is_err(), "{body}");
    }
    for body in ["[1,]", "[,1]", "[1 2]", "[", "[1", "[1}", "1"] {
        assert!(try_read::<Vec<i32>>(Json, body).is_err(), "{body}");
    }
    for body in ["{1:2}", "{\"1\"}", "{\"1\":2,}", "{\"1\" 2}", "{\"1.5\":2}", "{\"x\":2}"] {
        assert!(try_read::<BTreeMap<i32, i32>>(Json, body).is_err(), "{body}");
    }
}

#[test]
fn strictness_is_an_extra() {
    fn strict(body: &str) -> Result<i32, Fault> {
        decode_strict(&Bytes::copy_from_slice(body.as_bytes()), Bounds::default())
    }
    assert_eq!(strict(" 7 \n").unwrap(), 7);
    assert_eq!(strict("7 8").unwrap_err().why(), &Why::Trailing);
    assert_eq!(strict("7}").unwrap_err().why(), &Why::Trailing);
    assert_eq!(read::<i32>(Json, "7 8"), 7);
}

#[test]
fn numbers() {
    assert_eq!(read::<i32>(Json, "-0"), 0);
    assert_eq!(read::<i64>(Json, "-9223372036854775808"), i64::MIN);
    assert_eq!(read::<u64>(Json, "18446744073709551615"), u64::MAX);
    for (body, want) in [("128", "i8"), ("-129", "i8"), ("1000", "i8")] {
        assert_eq!(why::<i8>(Json, body), Why::OutOfRange { want });
    }
    assert_eq!(why::<u8>(Json, "-1"), Why::OutOfRange { want: "u8" });
    assert_eq!(why::<u64>(Json, "18446744073709551616"), Why::OutOfRange { want: "u64" });
    assert_eq!(why::<i64>(Json, "-9223372036854775809"), Why::OutOfRange { want: "i64" });
    for body in ["7.0", "7e0", "7E2"] {
        assert!(matches!(why::<i32>(Json, body), Why::WrongType { want: "i32", .. }), "{body}");
    }
    for body in ["01", "-", "+1", "\"7", "\"7x\"", "true", "\"\""] {
        assert!(try_read::<i32>(Json, body).is_err(), "{body}");
    }
    assert_eq!(read::<f64>(Json, "-1.5e-3"), -1.5e-3);
    assert_eq!(read::<f64>(Json, "7"), 7.0);
    assert!(read::<f64>(Json, "-0").is_sign_negative());
    // Twice rounded this would be 1.0000001788139343.
    assert_eq!(read::<f32>(Json, "1.00000017881393432617187499"), 1.0000001);
    assert_eq!(why::<f64>(Json, "1e999"), Why::OutOfRange { want: "f64" });
    assert_eq!(why::<f32>(Json, "1e39"), Why::OutOfRange { want: "f32" });
    for (body, value) in [
        ("-0", Value::Int(0)),
        ("9223372036854775808", Value::Uint(1 << 63)),
        ("18446744073709551616", Value::Float(18446744073709551616.0)),
        ("1.0", Value::Float(1.0)),
        ("1e2", Value::Float(100.0)),
    ] {
        assert_eq!(read::<Value>(Json, body), value, "{body}");
    }
    assert!(matches!(why::<Value>(Json, "01"), Why::Syntax(_)));
    assert!(matches!(why::<Value>(Json, "x"), Why::Syntax(_)));
}

#[test]
fn null_leaves_blank() {
    assert_eq!(read::<Item>(Json, "null"), Item::blank());
    assert_eq!(read::<Vec<i32>>(Json, "null"), []);
    assert_eq!(read::<Vec<Vec<i32>>>(Json, "[null,[1],null]"), [vec![], vec![1], vec![]]);
    assert_eq!(read::<BTreeMap<i32, i32>>(Json, "null"), BTreeMap::new());
    assert_eq!(read::<Vec<String>>(Json, "[null]"), [""]);
    assert_eq!(read::<Bytes>(Json, "null"), "");
    assert_eq!(read::<f64>(Json, "null"), 0.0);
    assert!(!read::<bool>(Json, "null"));
    assert_eq!(read::<Timestamp>(Json, "null"), Timestamp::default());
    assert_eq!(read::<Order>(Json, r#"{"items":null,"rate":null,"text":null}"#), Order::blank());
}

#[test]
fn bytes_as_numbers_or_base64() {
    assert_eq!(read::<Vec<u8>>(Json, "[1, 2,255]"), [1, 2, 255]);
    assert_eq!(read::<[u8; 2]>(Json, "[1,2]"), [1, 2]);
    assert_eq!(read::<[u8; 2]>(Json, "\"AQI=\""), [1, 2]);
    assert_eq!(read::<Vec<u8>>(Json, "\"AQI\\u003d\""), [1, 2]);
    assert!(try_read::<Vec<u8>>(Json, "[256]").is_err());
    assert!(try_read::<Vec<u8>>(Json, "\"AQI\"").is_err());
    assert!(try_read::<[u8; 2]>(Json, "[1,2,3]").is_err());
}

#[test]
fn keys_of_maps() {
    assert_eq!(read::<BTreeMap<i8, bool>>(Json, r#"{"-1":true}"#), [(-1, true)].into());
    let fault = try_write(Json, &Value::Map(vec![(Value::Null, Value::Null)])).unwrap_err();
    assert!(matches!(fault.why(), Why::Unsupported { format: "json", .. }), "{fault}");
}
