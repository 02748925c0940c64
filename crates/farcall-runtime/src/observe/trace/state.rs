//! `tracestate`: what each tracing system wants to be handed on. Nobody here reads it; what is
//! handed on must be well-formed, because a peer may refuse what is not.

/// Bytes and members that are handed on (§3.3.1.1, §3.3.1.5).
const MOST: (usize, usize) = (512, 32);

/// The list as it is sent on, if it is one: without the white space and the empty members that may
/// stand in it.
pub(super) fn checked(text: &str) -> Option<Box<str>> {
    let mut keys: Vec<&str> = Vec::new();
    let mut list = String::new();
    for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])) {
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if keys.len() == MOST.1 || !is_key(key) || !is_value(value) || keys.contains(&key) {
            return None;
        }
        keys.push(key);
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(member);
        if list.len() > MOST.0 {
            return None;
        }
    }
    (!list.is_empty()).then(|| list.into_boxed_str())
}

/// §3.3.1.3.1: a letter and what may follow; or a tenant, which may begin with a digit, `@` and a
/// system.
fn is_key(key: &str) -> bool {
    let follows = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b);
    let part = |part: &str, most: usize, digit: bool| match part.as_bytes() {
        [first, rest @ ..] => {
            let first = first.is_ascii_lowercase() || digit && first.is_ascii_digit();
            first && rest.len() < most && rest.iter().all(|b| follows(*b))
        }
        [] => false,
    };
    match key.split_once('@') {
        None => part(key, 256, false),
        Some((tenant, system)) => part(tenant, 241, true) && part(system, 14, false),
    }
}

/// §3.3.1.3.2: printable characters but `,` and `=`; the last one is no space.
fn is_value(value: &str) -> bool {
    let printable = |b: u8| (0x20..=0x7e).contains(&b) && !b",=".contains(&b);
    (1..=256).contains(&value.len()) && value.bytes().all(printable) && !value.ends_with(' ')
}
