//! A small server around a wire: it answers in any order, takes answers back, fails at times, and
//! must never find the wire waiting for nobody.

use crate::{Dice, METHODS, bounds, feed::take};
use bytes::BytesMut;
use farcall_core::{Format, Routes, Shaped, Status, Ticket, Value};
use farcall_wire::{Broken, Event, Fed, Head, Out, ReplyHead, ResponseHead, Wire, format};

/// What was said to a peer.
#[derive(Debug)]
pub struct Served {
    /// All output.
    pub out: Vec<u8>,
    /// The numbers of the calls that were answered, in the order of the answers.
    pub answered: Vec<u64>,
    /// What the connection became: the protocol, and how much was answered and said before.
    pub became: Option<(&'static str, usize, usize)>,
    /// Why it ended.
    pub end: Result<Fed, Broken>,
}

/// A call that waits for its answer.
struct Waiting {
    ticket: Ticket,
    service: String,
    method: String,
    failure: Option<Status>,
    page: bool,
}

/// Serves an input to its end.
pub fn serve(wire: &mut dyn Wire, routes: &dyn Routes, pieces: &[&[u8]], seed: u8) -> Served {
    let (mut input, mut out) = (BytesMut::new(), Out::new());
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    let mut dice = Dice::new(seed);
    let end = Ok(Fed::Hungry { need: 0 });
    let mut served = Served { out: Vec::new(), answered: Vec::new(), became: None, end };
    'all: for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let most = 1 + dice.below(5);
            let fed = wire.feed(&mut input, &mut out, routes, &mut events, most);
            waiting.extend(events.drain(..).filter_map(|event| arrived(wire, event)));
            let hungry = matches!(fed, Ok(Fed::Hungry { .. }));
            match fed {
                Ok(Fed::Full | Fed::Hungry { .. }) => {
                    let some = dice.below(waiting.len() + 1);
                    answer(wire, &mut out, &mut waiting, some, &mut dice, &mut served);
                }
                Ok(Fed::Waiting) => {
                    assert!(!waiting.is_empty(), "the wire waits for nobody");
                    let some = 1 + dice.below(waiting.len());
                    answer(wire, &mut out, &mut waiting, some, &mut dice, &mut served);
                }
                Ok(Fed::Became(name)) => {
                    assert!(waiting.is_empty(), "the tunnel opens before all is answered");
                    served.out.extend_from_slice(&take(&mut out));
                    assert!(served.became.is_none(), "a tunnel in a tunnel");
                    served.became = Some((name, served.answered.len(), served.out.len()));
                }
                end => {
                    served.end = end;
                    break 'all;
                }
            }
            served.out.extend_from_slice(&take(&mut out));
            if hungry {
                break;
            }
        }
    }
    // As the machine does: what was found before the end is answered where the wire wants it.
    if served.end.is_ok() || wire.closing() {
        let all = waiting.len();
        answer(wire, &mut out, &mut waiting, all, &mut dice, &mut served);
    }
    served.out.extend_from_slice(&take(&mut out));
    served
}

fn arrived(wire: &dyn Wire, event: Event) -> Option<Waiting> {
    match event {
        Event::Call(call) => {
            let (service, method) = METHODS[call.to.0 as usize];
            let (service, method) = (service.to_owned(), method.to_owned());
            Some(Waiting { ticket: call.ticket, service, method, failure: None, page: false })
        }
        Event::Unknown(unknown) => {
            let (service, method) = (unknown.service.to_string(), unknown.method.to_string());
            let failure = Some(wire.unknown(unknown.found, &service, &method));
            Some(Waiting { ticket: unknown.ticket, service, method, failure, page: false })
        }
        Event::Request(request) => {
            let (service, method) = (request.method.to_string(), request.target.to_string());
            assert!(!request.ticket.oneway, "a page is always answered");
            Some(Waiting { ticket: request.ticket, service, method, failure: None, page: true })
        }
        other => panic!("a server has neither replies nor streams here: {other:?}"),
    }
    .filter(|call| !call.ticket.oneway)
}

fn answer(
    wire: &mut dyn Wire,
    out: &mut Out,
    waiting: &mut Vec<Waiting>,
    some: usize,
    dice: &mut Dice,
    served: &mut Served,
) {
    for _ in 0..some {
        let mut call = waiting.swap_remove(dice.below(waiting.len()));
        let meta = match dice.below(4) {
            0 => vec![pair("k", "v"), pair("a b", "☃\r\nX: y"), pair("Content-Length", "1")],
            _ => Vec::new(),
        };
        let status = [200, 201, 204, 304, 404, 500, 7, 1000][dice.below(8)];
        if call.failure.is_none() && dice.below(4) == 0 {
            // An answer that cannot be encoded is taken back, and a failure said instead.
            let mark = begin(wire, out, &call, &meta, status);
            out.tail().extend_from_slice(b"half an answ");
            wire.abandon(mark, out);
            call.failure = Some(Status::internal("no\r\nanswer"));
        }
        let mark = begin(wire, out, &call, &meta, status);
        if call.failure.is_none() && call.page {
            out.tail().extend_from_slice(b"a page");
        } else if call.failure.is_none() {
            let value = Value::object([("C", Value::from(42))]);
            let encoded = match call.ticket.format {
                Format::Gob => format::encode(Format::Gob, &value, bounds(), out.tail()),
                _ => format::encode(Format::Json, &value, bounds(), out.tail()),
            };
            encoded.expect("an answer has a form");
        }
        wire.end(mark, out);
        served.answered.push(call.ticket.seq);
    }
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn begin(
    wire: &mut dyn Wire,
    out: &mut Out,
    call: &Waiting,
    meta: &[(String, String)],
    status: u16,
) -> farcall_wire::Mark {
    let (service, method, error) = (&*call.service, &*call.method, call.failure.as_ref());
    if call.page && error.is_none() {
        let head = ResponseHead { ticket: &call.ticket, status, fields: meta };
        return wire.begin(Head::Response(head), out);
    }
    let shape = error.is_none().then_some(const { &<Value as Shaped>::SHAPE });
    let head = ReplyHead { ticket: &call.ticket, service, method, error, meta, shape };
    wire.begin(Head::Reply(head), out)
}
