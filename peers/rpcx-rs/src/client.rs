//! The cases that its client runs against a server of the example services.

use crate::messages::{Args, Quotient, Reply, Text};
use bytes::BytesMut;
use rpcx_client::{
    Client, ClientSelector, FailMode, Opt, RandomSelector, RoundbinSelector, RpcxClient, XClient,
};
use rpcx_protocol::{CompressType, Metadata, SerializeType, get_result};
use std::{collections::HashMap, process::ExitCode};

type Outcome = Result<(), String>;

const CODECS: [(&str, SerializeType); 2] =
    [("json", SerializeType::JSON), ("msgpack", SerializeType::MsgPack)];
const FOLDS: [(&str, CompressType); 2] =
    [("none", CompressType::CompressNone), ("gzip", CompressType::Gzip)];

fn connect(address: &str, serialize_type: SerializeType, compress_type: CompressType) -> Client {
    let mut client = Client::new(address);
    client.opt = Opt { serialize_type, compress_type, ..Opt::default() };
    client.start().expect("a connection");
    client
}

fn mul(client: &mut Client, a: i64, b: i64) -> Outcome {
    let meta = Metadata::new();
    let reply = client.call::<Reply>("Arith", "Mul", false, &meta, &Args { a, b });
    want(reply, &Reply { c: a * b })
}

fn want<T: PartialEq + std::fmt::Debug>(
    reply: Option<rpcx_protocol::Result<T>>,
    wanted: &T,
) -> Outcome {
    match reply {
        Some(Ok(reply)) if reply == *wanted => Ok(()),
        other => Err(format!("{other:?}, not {wanted:?}")),
    }
}

fn want_error<T: std::fmt::Debug>(reply: Option<rpcx_protocol::Result<T>>, text: &str) -> Outcome {
    match reply {
        Some(Err(error)) if error.to_string().contains(text) => Ok(()),
        other => Err(format!("{other:?}, not the error {text}")),
    }
}

fn numbers(client: &mut Client) -> Outcome {
    for round in 0..50 {
        mul(client, round, 1_000_003)?;
        mul(client, -round, 7)?;
    }
    let meta = Metadata::new();
    let reply = client.call::<Quotient>("Arith", "Divide", false, &meta, &Args { a: 17, b: 5 });
    want(reply, &Quotient { quo: 3, rem: 2 })
}

fn hello(client: &mut Client) -> Outcome {
    for name in ["", "Gö <&>", &"许多".repeat(40)] {
        let asked = Text(name.to_owned());
        let meta = Metadata::new();
        let reply = client.call::<Text>("HelloService", "SayHello", false, &meta, &asked);
        want(reply, &Text(format!("Hello World:{name}")))?;
    }
    Ok(())
}

fn errors(client: &mut Client) -> Outcome {
    let (meta, args) = (Metadata::new(), Args { a: 1, b: 0 });
    let call = |client: &mut Client, service: &str, method: &str| {
        client.call::<Quotient>(service, method, false, &meta, &args)
    };
    want_error(call(client, "Arith", "Divide"), "divide by zero")?;
    want_error(call(client, "Nobody", "Home"), "rpcx: can't find service Nobody")?;
    want_error(call(client, "Arith", "Nothing"), "rpcx: can't find method Nothing")?;
    mul(client, 6, 7)
}

fn bytes(client: &mut Client) -> Outcome {
    for size in [0usize, 1, 100, 1000] {
        let body: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        let (body, meta) = (BytesMut::from(&body[..]), Metadata::new());
        want(client.call::<BytesMut>("Echo", "Bytes", false, &meta, &body), &body)?;
    }
    Ok(())
}

/// Metadata is read by the server: with it the call is let in.
fn metadata(client: &mut Client) -> Outcome {
    let args = Args { a: 6, b: 7 };
    let call = |client: &mut Client, meta: &Metadata| {
        client.call::<Reply>("Arith", "Mul", false, meta, &args)
    };
    want_error(call(client, &Metadata::new()), "")?;
    let known = HashMap::from([("__AUTH".to_owned(), "letmein".to_owned())]);
    want(call(client, &known), &Reply { c: 42 })
}

/// Calls that are on their way together: so few that their answers come in one piece.
fn together(client: &mut Client) -> Outcome {
    let meta = Metadata::new();
    let sent: Vec<_> = (0..20)
        .map(|a| client.send("Arith", "Mul", false, false, &meta, &Args { a, b: 3 }))
        .collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (a, call) in sent.into_iter().enumerate() {
        let reply = get_result::<Reply>(runtime.block_on(call), client.opt.serialize_type);
        want(Some(reply), &Reply { c: 3 * a as i64 })?;
    }
    Ok(())
}

/// An XClient of several servers: `-addr A,B,C`.
fn many(addresses: &str) -> Outcome {
    let servers: HashMap<String, String> =
        addresses.split(',').map(|address| (format!("tcp@{address}"), String::new())).collect();
    let (random, in_turn) = (RandomSelector::new(), RoundbinSelector::new());
    random.update_server(&servers);
    in_turn.update_server(&servers);
    calls(random)?;
    calls(in_turn)
}

fn calls(selector: impl ClientSelector) -> Outcome {
    let opt = Opt { serialize_type: SerializeType::JSON, ..Opt::default() };
    let mode = FailMode::Failfast;
    let mut client = XClient::new("Arith".to_owned(), mode, Box::new(selector), opt);
    let meta = Metadata::new();
    for a in 0..30 {
        let reply = client.call::<Reply>("Mul", false, &meta, &Args { a, b: 7 });
        want(reply, &Reply { c: 7 * a })?;
    }
    Ok(())
}

pub fn run(address: &str, only: &str) -> ExitCode {
    let mut failed = 0;
    let mut case = |name: String, check: &dyn Fn() -> Outcome| {
        let asked = name == only || name.starts_with(&format!("{only}/"));
        if !asked && (only != "all" || name == "auth" || name == "many") {
            return;
        }
        match check() {
            Ok(()) => println!("PASS {name}"),
            Err(why) => {
                failed += 1;
                println!("FAIL {name}: {}", why.replace('\n', " "));
            }
        }
    };
    for (codec, serialize_type) in CODECS {
        for (fold, compress_type) in FOLDS {
            let dial = || connect(address, serialize_type, compress_type);
            case(format!("numbers/{codec}/{fold}"), &|| numbers(&mut dial()));
            case(format!("hello/{codec}/{fold}"), &|| hello(&mut dial()));
            case(format!("errors/{codec}/{fold}"), &|| errors(&mut dial()));
            case(format!("together/{codec}/{fold}"), &|| together(&mut dial()));
        }
    }
    for (fold, compress_type) in FOLDS {
        let none = SerializeType::SerializeNone;
        case(format!("bytes/{fold}"), &|| bytes(&mut connect(address, none, compress_type)));
    }
    let (json, none) = (SerializeType::JSON, CompressType::CompressNone);
    case("auth".to_owned(), &|| metadata(&mut connect(address, json, none)));
    case("many".to_owned(), &|| many(address));
    ExitCode::from(u8::from(failed > 0))
}
