//! The server: functions of the example services.

use crate::messages::{Args, Quotient, Reply, Text};
use bytes::BytesMut;
use rpcx_protocol::RpcxParam;
use rpcx_server::{RpcxFn, Server, register_func};
use std::{io::Read, net::TcpListener, process::ExitCode, thread};

fn mul(args: Args) -> Reply {
    Reply { c: args.a * args.b }
}

fn divide(args: Args) -> Quotient {
    Quotient { quo: args.a / args.b, rem: args.a % args.b }
}

fn say_hello(name: Text) -> Text {
    Text(format!("Hello World:{}", name.0))
}

fn same(body: BytesMut) -> BytesMut {
    body
}

pub fn run(address: &str, until_stdin_closes: bool) -> ExitCode {
    let listener = TcpListener::bind(address).expect("an address to listen on");
    let local = listener.local_addr().expect("its address");
    let mut server = Server::new(local.to_string(), 4);
    register_func!(server, "Arith", "Mul", mul, String::new(), Args, Reply);
    register_func!(server, "Arith", "Divide", divide, String::new(), Args, Quotient);
    register_func!(server, "HelloService", "SayHello", say_hello, String::new(), Text, Text);
    register_func!(server, "Echo", "Bytes", same, String::new(), BytesMut, BytesMut);
    println!("listening on {local}");
    if until_stdin_closes {
        thread::spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }
    match server.start_with_listener(listener) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
