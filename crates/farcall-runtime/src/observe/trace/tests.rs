//! What is read, what is not, and what is sent on.

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn parse(text: &str) -> Option<TraceContext> {
    TraceContext::parse(text, None)
}

#[test]
fn what_is_read_is_said_again() {
    let text = format!("00-{TRACE}-{SPAN}-01");
    let context = parse(&text).expect("the example of the specification");
    assert_eq!(context.traceparent(), text);
    assert_eq!((context.trace_id(), context.span_id()), (TRACE.into(), SPAN.into()));
    assert!(context.is_sampled() && context.parent_id().is_none());
    let child = context.child();
    assert_eq!((child.trace_id(), child.parent_id()), (TRACE.into(), Some(SPAN.into())));
    assert_ne!(child.span_id(), SPAN);
    assert_eq!(parse(&child.traceparent()).expect("ours").trace_id(), TRACE);
    // Bits that are not known are not handed on.
    let flags = parse(&format!("00-{TRACE}-{SPAN}-fe")).expect("flags");
    assert!(!flags.is_sampled() && flags.traceparent().ends_with("-00"));
}

#[test]
fn versions_to_come() {
    for (text, read) in [
        (format!("01-{TRACE}-{SPAN}-01"), true),
        (format!("cc-{TRACE}-{SPAN}-01-what-comes"), true),
        (format!("cc-{TRACE}-{SPAN}-01."), false),
        (format!("cc-{TRACE}-{SPAN}-01what"), false),
        (format!("ff-{TRACE}-{SPAN}-01"), false),
        (format!("00-{TRACE}-{SPAN}-01-more"), false),
    ] {
        let context = parse(&text);
        assert_eq!(context.is_some(), read, "{text}");
        assert!(context.is_none_or(|c| c.traceparent() == format!("00-{TRACE}-{SPAN}-01")));
    }
}

#[test]
fn what_is_wrong_is_none() {
    let good = format!("00-{TRACE}-{SPAN}-01");
    for at in 0..good.len() {
        assert!(parse(&good[..at]).is_none());
        for wrong in ['g', 'A', ' ', '_', '\0'] {
            let mut text = good.clone();
            text.replace_range(at..=at, &wrong.to_string());
            assert!(parse(&text).is_none(), "{text}");
        }
        // In the middle of a character nobody cuts.
        let mut text = good.clone();
        text.replace_range(at..=at, "ß");
        assert!(parse(&text).is_none(), "{text}");
    }
    let zeros = "0".repeat(32);
    for text in [format!("00-{zeros}-{SPAN}-01"), format!("00-{TRACE}-{}-01", &zeros[..16])] {
        assert!(parse(&text).is_none(), "{text}");
    }
    for text in [format!(" {good}"), format!("{good} "), format!("{good},{good}")] {
        assert!(parse(&text).is_none(), "{text}");
    }
}

#[test]
fn states() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let read = |state: &str| {
        let context = TraceContext::parse(&parent, Some(state)).expect("never the call's fault");
        context.tracestate().map(str::to_owned)
    };
    for (state, sent) in [
        ("a=1", "a=1"),
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        (" a=1 ,\tb=2\t,, c= x", "a=1,b=2,c= x"),
        ("1tenant@system=v", "1tenant@system=v"),
        ("a_-*/0=!~", "a_-*/0=!~"),
    ] {
        assert_eq!(read(state).as_deref(), Some(sent));
    }
    let many = |count: usize| (0..count).map(|i| format!("k{i}=v,")).collect::<String>();
    assert!(read(&many(32)).is_some());
    let long = |bytes: usize| format!("a={},b={}", "x".repeat(256), "y".repeat(bytes - 256 - 5));
    assert_eq!(read(&long(512)).map(|state| state.len()), Some(512));
    for state in [
        "",
        ",",
        "a",
        "=1",
        "a=",
        "A=1",
        "1=1",
        "a=1,a=2",
        "a=1=2",
        "a=\u{7f}",
        "a=ß",
        "a@=1",
        "@a=1",
        "a@b@c=1",
        "a@1=1",
        "a b=1",
        "a =1",
        "a\n=1",
        "a=1\r\nevil: 1",
    ] {
        assert_eq!(read(state), None, "{state:?}");
    }
    assert_eq!(read(&many(33)), None);
    assert_eq!(read(&long(513)), None);
    assert_eq!(read(&format!("{}=1", "a".repeat(257))), None);
    assert_eq!(read(&format!("a@{}=1", "b".repeat(15))), None);
}

#[test]
fn new_traces_differ() {
    let (one, two) = (TraceContext::new(), TraceContext::new());
    assert_ne!(one.trace_id(), two.trace_id());
    assert_ne!(one.span_id(), two.span_id());
    assert_eq!(parse(&one.traceparent()).map(|c| c.trace_id()), Some(one.trace_id()));
}
