//! encoding/gob of Go as the judge over our gob: of every recorded stream, and of random values of
//! random types. Each value goes both ways, and each stream is read by both.

mod gobwire;
mod random;
mod shapes;
mod types;
mod vectors;

use crate::go_peer::named;
use bytes::BytesMut;
use farcall::{Bounds, Limits, Put, Take};
use farcall_core::Body;
use farcall_wire::gob::{self, Decoder, Encoder, Step};
use serde_json::{Value as Json, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// The judge's process; one for a whole test.
struct Judge {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Judge {
    fn start() -> Judge {
        let program = named("gob-peer");
        let version = Command::new(&program).arg("versions").output().expect("it runs");
        print!("{}", String::from_utf8_lossy(&version.stdout));
        let mut child = Command::new(&program)
            .arg("judge")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the judge starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Judge { child, stdin, stdout }
    }

    fn ask(&mut self, question: Json) -> Json {
        writeln!(self.stdin, "{question}").expect("the judge listens");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the judge answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{question}: {line} {error}"))
    }

    /// What gob sees of a type in Go's notation.
    fn describe(&mut self, of: &str) -> Json {
        let answer = self.ask(json!({"Do": "describe", "Types": [of]}));
        let Json::Object(mut answer) = answer else { panic!("{answer}") };
        answer.remove("Type").unwrap_or_else(|| panic!("{of}: {answer:?}"))
    }

    /// The values of a stream.
    fn decode(&mut self, types: &[&str], stream: &[u8]) -> Result<Vec<Json>, String> {
        let mut answer = self.ask(json!({"Do": "decode", "Types": types, "Hex": hex(stream)}));
        match answer["Error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["Values"].as_array_mut().map(std::mem::take).unwrap_or_default()),
        }
    }

    /// The first value of a stream, whatever comes after it.
    fn first(&mut self, of: &str, stream: &[u8]) -> Result<Json, String> {
        let mut answer = self.ask(json!({"Do": "decode", "Types": [of], "Hex": hex(stream)}));
        match answer["Values"].get_mut(0) {
            Some(value) => Ok(value.take()),
            None => Err(answer["Error"].as_str().unwrap_or_default().to_owned()),
        }
    }

    /// A stream of these values.
    fn encode(&mut self, types: &[&str], values: &[Json]) -> Vec<u8> {
        let question = json!({"Do": "encode", "Types": types, "Values": values});
        let answer = self.ask(question.clone());
        unhex(answer["Hex"].as_str().unwrap_or_else(|| panic!("{question}: {answer}")))
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// All bodies of a stream.
fn bodies(stream: &[u8]) -> Result<Vec<Body>, String> {
    let (mut decoder, mut input) = (Decoder::new(&Limits::default()), BytesMut::from(stream));
    let mut found = Vec::new();
    loop {
        match decoder.next(&mut input) {
            Ok(Step::Value(body)) => found.push(body),
            Ok(Step::Need(_)) if input.is_empty() => return Ok(found),
            Ok(Step::Need(need)) => return Err(format!("{need} bytes short")),
            Err(broken) => return Err(broken.to_string()),
        }
    }
}

/// All values of a stream, each read as a `T`.
fn read<T: Take>(stream: &[u8]) -> Result<Vec<T>, String> {
    let one = |body: &Body| gob::decode(&body.bytes, body.lent.as_ref(), Bounds::default());
    bodies(stream)?.iter().map(one).collect::<Result<_, _>>().map_err(|fault| fault.to_string())
}

/// The values on a stream of ours.
fn write<T: Put>(values: &[T]) -> Result<Vec<u8>, String> {
    let (mut stream, mut out) = (Encoder::new(), Vec::new());
    for value in values {
        let open = stream.begin(const { &T::SHAPE }, &mut out);
        gob::encode(value, Bounds::default(), &mut out).map_err(|fault| fault.to_string())?;
        stream.end(open, &mut out);
        stream.commit();
    }
    Ok(out)
}
