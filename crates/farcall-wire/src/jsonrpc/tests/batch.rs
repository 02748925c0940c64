//! Batches: one array of answers, in the order in which calls end, once the last has.

use super::kit::{Table, answer_to, check, feed, flat, server, talk, value};
use super::said;
use crate::{Event, Fed, Out};
use bytes::BytesMut;
use farcall_core::{Limits, Status, Ticket, Value};

fn call(id: usize) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"params\":[{id}],\"id\":{id}}}")
}

fn note() -> &'static str {
    "{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\"}"
}

fn batch(calls: &[String]) -> String {
    format!("[{}]", calls.join(","))
}

fn tickets(found: &[Event]) -> Vec<Ticket> {
    let ticket = |event: &Event| match event {
        Event::Call(call) => call.ticket,
        Event::Unknown(unknown) => unknown.ticket,
        other => panic!("{other:?}"),
    };
    found.iter().map(ticket).collect()
}

/// The ids of an answer, in its order.
fn ids(answer: &str) -> Vec<i64> {
    let Value::List(answers) = value(answer.trim_end()) else { panic!("{answer}") };
    answers.iter().map(|a| a.get("id").and_then(Value::as_i64).unwrap_or(-1)).collect()
}

/// The examples of the specification, section 7, as far as they are batches.
#[test]
fn as_the_specification_has_them() {
    let text = "[
        {\"jsonrpc\": \"2.0\", \"method\": \"Arith.sum\", \"params\": [1,2,4], \"id\": \"1\"},
        {\"jsonrpc\": \"2.0\", \"method\": \"Arith.hello\", \"params\": [7]},
        {\"jsonrpc\": \"2.0\", \"method\": \"Arith.subtract\", \"params\": [42,23], \"id\": \"2\"},
        {\"foo\": \"boo\"},
        {\"jsonrpc\": \"2.0\", \"method\": \"foo.get\", \"params\": {\"a\": \"x\"}, \"id\": \"5\"},
        {\"jsonrpc\": \"2.0\", \"method\": \"Arith.data\", \"id\": \"9\"}
    ]";
    check(&|| server(&Limits::default()), text.as_bytes());
    let answer = said(text, "7");
    let invalid = "a request in a batch has the version \\\"2.0\\\"";
    let want = format!(
        "[{{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":\"1\"}},\
         {{\"jsonrpc\":\"2.0\",\
         \"error\":{{\"code\":-32600,\"message\":\"{invalid}\"}},\"id\":null}},\
         {{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":\"2\"}},\
         {{\"jsonrpc\":\"2.0\",\"error\":{{\"code\":-32601,\
         \"message\":\"rpc: can't find service foo.get\"}},\"id\":\"5\"}},\
         {{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":\"9\"}}]\n"
    );
    // Three calls at a time: what is refused on the spot comes before the answers around it.
    let sorted = |text: &str| {
        let Value::List(mut all) = value(text.trim_end()) else { panic!("{text}") };
        all.sort_by_key(Value::to_string);
        Value::List(all)
    };
    assert_eq!(sorted(&answer), sorted(&want));
    let refused = said("[1,2,3]", "");
    assert_eq!(refused.matches("-32600").count(), 3);
    assert_eq!(ids(&refused), [-1, -1, -1]);
    assert_eq!(said(&batch(&[note().into(), note().into()]), "7"), "");
    // Batches, calls of both versions and space may stand side by side.
    let mixed = format!(" {}{}\n[]{}", batch(&[call(1)]), call(2), batch(&[note().into()]));
    check(&|| server(&Limits::default()), mixed.as_bytes());
}

#[test]
fn answers_wait_for_the_last() {
    let mut wire = server(&Limits::default());
    let text = batch(&[call(1), note().into(), call(2), call(3)]) + &call(4);
    let seen = feed(&mut *wire, text.as_bytes(), &[]);
    assert_eq!(seen.events()[0], "call V2 [1]");
    assert_eq!(seen.events()[1], "call V2 oneway ");
    let tickets = tickets(&seen.found);
    let mut out = Out::new();
    for (at, waits) in [(3, true), (0, true), (4, false)] {
        answer_to(&mut *wire, &tickets[at], Ok(at.to_string()), &mut out);
        assert_eq!(out.is_empty(), waits);
    }
    assert_eq!(flat(&out), "{\"jsonrpc\":\"2.0\",\"result\":4,\"id\":4}\n");
    out.advance(out.len());
    answer_to(&mut *wire, &tickets[2], Err(Status::not_found("x")), &mut out);
    assert_eq!(ids(&flat(&out)), [3, 1, 2]);
    let error = "{\"code\":-32005,\"message\":\"x\",\"data\":{\"code\":\"not found\"}}";
    assert!(flat(&out).contains(error), "{}", flat(&out));
}

/// The machine takes as many calls as it has room for; the others wait inside of the wire.
#[test]
fn a_batch_is_cut_as_there_is_room() {
    let limits = Limits {
        batch_calls: 10_000,
        calls_per_connection: 9,
        parked_calls: 1,
        ..Limits::default()
    };
    let calls: Vec<_> = (0..10_000).map(call).collect();
    let mut wire = server(&limits);
    let (mut input, mut out) = (BytesMut::from(batch(&calls).as_str()), Out::new());
    let mut found = Vec::new();
    let mut count = 0;
    loop {
        let fed = wire.feed(&mut input, &mut out, &Table, &mut found, 10);
        assert!(found.len() <= 10);
        count += found.len();
        tickets(&found).iter().for_each(|ticket| {
            assert!(ticket.seq < 10, "slots are used again");
            answer_to(&mut *wire, ticket, Ok("1".to_owned()), &mut out);
        });
        found.clear();
        match fed {
            Ok(Fed::Full) => assert!(out.is_empty() || count == 10_000),
            fed => break assert_eq!(fed, Ok(Fed::Hungry { need: 0 })),
        }
    }
    assert_eq!(ids(&flat(&out)).len(), 10_000);
    assert!(ids(&flat(&out)).into_iter().eq(0..10_000));
}

/// Calls beyond what a connection may have open are refused, not remembered.
#[test]
fn open_calls_are_bounded() {
    let limits = Limits { calls_per_connection: 2, parked_calls: 0, ..Limits::default() };
    let mut wire = server(&limits);
    let seen = feed(&mut *wire, batch(&[call(1), call(2), call(3)]).as_bytes(), &[]);
    assert_eq!(seen.found.len(), 2);
    let mut out = Out::new();
    tickets(&seen.found).iter().for_each(|ticket| {
        answer_to(&mut *wire, ticket, Ok("1".to_owned()), &mut out);
    });
    assert_eq!(ids(&flat(&out)), [3, 1, 2]);
    assert!(flat(&out).contains("-32008") && flat(&out).contains("Limits::calls_per_connection"));
}

#[test]
fn batches_beyond_the_limit_are_refused_as_a_whole() {
    let limits = Limits { batch_calls: 3, ..Limits::default() };
    let large = batch(&[call(1), call(2), call(3), call(4)]);
    let seen = check(&|| server(&limits), (large + &call(5)).as_bytes());
    assert_eq!(seen.events(), ["call V2 [5]"]);
    assert!(seen.out.contains("a batch of 4 calls, the limit is 3 (Limits::batch_calls)"));
    assert_eq!(seen.end, Ok(Fed::Hungry { need: 0 }));
}

/// Answers that wait are bounded, and there is always room for one.
#[test]
fn parked_answers_are_bounded() {
    let limits = Limits { output_bytes: 1000, ..Limits::default() };
    let body = || Ok(format!("\"{}\"", "x".repeat(700)));
    let calls: Vec<_> = (0..5).map(call).collect();
    let mut wire = server(&limits);
    for _ in 0..3 {
        let (answer, _) = talk(&mut *wire, batch(&calls).as_bytes(), |_| body());
        assert_eq!(ids(&answer), [0, 1, 2, 3, 4]);
        // The first and the last have room.
        assert_eq!(answer.matches("xxx\"").count(), 2, "{answer}");
        assert_eq!(answer.matches("(Limits::output_bytes)").count(), 3);
        assert_eq!(answer.matches("resource exhausted").count(), 3);
    }
}

/// Many batches at once, answered in any order: each answer stands in its own.
#[test]
fn batches_do_not_mix() {
    let mut wire = server(&Limits::default());
    let text: String =
        (0..20).map(|at| batch(&[call(at * 10), note().into(), call(at * 10 + 1)])).collect();
    let seen = feed(&mut *wire, text.as_bytes(), &[]);
    let mut tickets: Vec<_> = tickets(&seen.found).into_iter().filter(|t| !t.oneway).collect();
    let mut out = Out::new();
    let mut at = 7;
    while !tickets.is_empty() {
        at = (at * 31 + 11) % tickets.len();
        let ticket = tickets.swap_remove(at);
        answer_to(&mut *wire, &ticket, Ok("1".to_owned()), &mut out);
    }
    let mut seen = Vec::new();
    for line in flat(&out).lines() {
        let mut two = ids(line);
        two.sort_unstable();
        assert_eq!((two.len(), two[0] + 1, two[0] % 10), (2, two[1], 0), "{line}");
        seen.push(two[0] / 10);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..20));
}
