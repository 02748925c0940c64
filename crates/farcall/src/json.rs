//! A [`Value`](crate::Value) written as JSON, and JSON that says more than JSON can.
//!
//! [`json!`](crate::json!) is a macro of two walks: one over the items of a list, one over the
//! entries of an object. Each takes one value off the front and keeps what it has built as
//! expressions. [`exact`] reads values that say their own types.

mod exact;

pub use exact::exact;

/// Builds a [`Value`](crate::Value) from JSON with expressions in it.
///
/// A value is `null`, a list, an object, or any expression that [`Value`](crate::Value) can be made
/// from; a key is a literal or an expression in parentheses. Commas may trail.
///
/// ```
/// use farcall::{Value, json};
/// let (b, key) = (7, "sum");
/// let value = json!({"A": 6, "B": b, "more": [null, true, "text", {(key): 6 + b}]});
/// assert_eq!(value.to_string(), r#"{"A":6,"B":7,"more":[null,true,"text",{"sum":13}]}"#);
/// assert_eq!(value.get("B"), Some(&Value::Int(7)));
/// ```
#[macro_export]
macro_rules! json {
    // Items of a list: `[what is built] what is left`.
    (@list [$($done:expr,)*]) => {
        $crate::Value::List(::std::vec![$($done),*])
    };
    (@list [$($done:expr,)*] null $(, $($rest:tt)*)?) => {
        $crate::json!(@list [$($done,)* $crate::Value::Null,] $($($rest)*)?)
    };
    (@list [$($done:expr,)*] [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $crate::json!(@list [$($done,)* $crate::json!([$($inner)*]),] $($($rest)*)?)
    };
    (@list [$($done:expr,)*] {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $crate::json!(@list [$($done,)* $crate::json!({$($inner)*}),] $($($rest)*)?)
    };
    (@list [$($done:expr,)*] $value:expr $(, $($rest:tt)*)?) => {
        $crate::json!(@list [$($done,)* $crate::Value::from($value),] $($($rest)*)?)
    };

    // Entries of an object: first the key, then the value.
    (@map [$($done:expr,)*]) => {
        $crate::Value::object::<::std::string::String>([$($done),*])
    };
    (@map [$($done:expr,)*] ($key:expr) : $($rest:tt)+) => {
        $crate::json!(@value [$($done,)*] [$key] $($rest)+)
    };
    (@map [$($done:expr,)*] $key:literal : $($rest:tt)+) => {
        $crate::json!(@value [$($done,)*] [$key] $($rest)+)
    };
    (@value [$($done:expr,)*] [$key:expr] null $(, $($rest:tt)*)?) => {
        $crate::json!(@map [$($done,)* ($key.into(), $crate::Value::Null),] $($($rest)*)?)
    };
    (@value [$($done:expr,)*] [$key:expr] [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $crate::json!(@map [$($done,)* ($key.into(), $crate::json!([$($inner)*])),] $($($rest)*)?)
    };
    (@value [$($done:expr,)*] [$key:expr] {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $crate::json!(@map [$($done,)* ($key.into(), $crate::json!({$($inner)*})),] $($($rest)*)?)
    };
    (@value [$($done:expr,)*] [$key:expr] $value:expr $(, $($rest:tt)*)?) => {
        $crate::json!(@map [$($done,)* ($key.into(), $crate::Value::from($value)),] $($($rest)*)?)
    };

    // What people write.
    (null) => { $crate::Value::Null };
    ([$($items:tt)*]) => { $crate::json!(@list [] $($items)*) };
    ({$($entries:tt)*}) => { $crate::json!(@map [] $($entries)*) };
    ($value:expr) => { $crate::Value::from($value) };
}

#[cfg(test)]
mod tests {
    use crate::Value;

    #[test]
    fn writes_every_kind_of_value() {
        let (text, list) = (String::from("x"), vec![1u8, 2]);
        let value = json!({
            "null": null,
            "bool": true,
            "int": -1,
            "uint": u64::MAX,
            "float": 0.5,
            "sum": 1 + 2,
            "call": list.len(),
            "text": text,
            "maybe": Some(3),
            "none": None::<i64>,
            "empty": [{}, []],
            (format!("key{}", 1)): [null, [1, 2,], {"deep": {"er": "y"}}],
        });
        assert_eq!(
            value.to_string(),
            "{\"null\":null,\"bool\":true,\"int\":-1,\"uint\":18446744073709551615,\"float\":0.5,\
             \"sum\":3,\"call\":2,\"text\":\"x\",\"maybe\":3,\"none\":null,\"empty\":[{},[]],\
             \"key1\":[null,[1,2],{\"deep\":{\"er\":\"y\"}}]}"
        );
    }

    #[test]
    fn a_lone_value_is_json_too() {
        assert_eq!(json!(null), Value::Null);
        assert_eq!(json!("text"), Value::Text("text".into()));
        assert_eq!(json!([]), Value::List(Vec::new()));
        assert_eq!(json!({}), Value::Map(Vec::new()));
        assert_eq!(json!(Value::Null), Value::Null);
        // An expression that begins like a list is still an expression.
        assert_eq!(json!([[1, 2].len(), 3]), Value::List(vec![2.into(), 3.into()]));
    }
}
