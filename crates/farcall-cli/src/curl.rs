//! `farcall call --curl`: the call as a line for a shell, to be read, kept or sent to someone who
//! has no farcall.
//!
//! Whatever the protocol of the target, the server answers HTTP on the same port: what is printed
//! is that face of it, a `POST /Service/Method` with plain JSON. `jsonrpc+http` is `POST /jsonrpc`
//! with the request that JSON-RPC makes of it.

use crate::{
    args::{self, Secret},
    call::{codec, exact, parse, path, read, said},
    output,
};
use bytes::Bytes;
use farcall::{Address, Compress, Format, Target, Value, json};
use std::fmt::Write as _;

/// What curl is told.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// For a shell.
    pub(crate) text: String,
    /// What whoever reads the line should know of it.
    pub(crate) note: Option<String>,
}

/// The line for a call, or why there is none.
pub(crate) fn line(args: &args::Call) -> Result<Line, String> {
    let face = Face::of(&args.target)?;
    let target = Target::parse(&face.url).map_err(|status| said(&status))?;
    let (service, method) = path(&target, &args.target)?;
    let reach = Reach::of(&target, args)?;
    if args.oneway {
        return Err("HTTP always answers: --oneway has no curl line".to_owned());
    }
    if args.compress != Compress::None {
        return Err("curl does not compress what it sends: --compress has no curl line".to_owned());
    }
    if args.codec == Some(Format::Raw) {
        return Err("what the line sends is JSON: --codec raw has no curl line".to_owned());
    }
    let text = read(args.argument.as_deref(), Format::Json)?;
    let argument = argument(&text, codec(args, &target))?;
    let (path, body) = match &face.jsonrpc {
        None => (format!("/{}/{}", encoded(service), encoded(method)), argument),
        Some(path) => {
            let one = args.target.contains("version=1");
            (path.clone(), request(one, &format!("{service}.{method}"), &argument)?)
        }
    };
    let mut text = String::from("curl -H 'Content-Type: application/json'");
    let millis = args.deadline.as_millis().max(1);
    // Writing to a `String` cannot fail.
    let _ = write!(text, " -H 'X-Timeout-Ms: {millis}'");
    for (key, value) in &args.meta {
        let _ = write!(text, " -H {}", quoted(&header(key, value)?));
    }
    match &args.auth {
        None => {}
        // The line may be kept or sent to someone: what was not typed does not stand in it.
        Some(Secret { file: Some(file), .. }) => {
            let file = quoted(&file.display().to_string());
            let _ = write!(text, " -H \"Authorization: Bearer $(cat {file})\"");
        }
        Some(secret) => {
            let field = header("Authorization", &format!("Bearer {}", secret.text))?;
            let _ = write!(text, " -H {}", quoted(&field));
        }
    }
    let url = word(&format!("{}{path}", reach.place));
    let _ = write!(text, "{} -d {} {url}", reach.flags, quoted(&body));
    let note = face.of_other.then(|| {
        let name = target.protocol.name();
        format!(
            "a server of farcall answers HTTP on the port where it speaks {name}; others may not"
        )
    });
    Ok(Line { text, note })
}

/// How curl gets there.
struct Reach {
    /// `http://HOST:PORT`
    place: String,
    /// What it must be told, each with a blank before it.
    flags: String,
}

impl Reach {
    fn of(target: &Target, args: &args::Call) -> Result<Reach, String> {
        let mut flags = String::new();
        let mut flag = |name: &str, value: &str| {
            let _ = write!(flags, " {name} {}", word(value));
        };
        let place = match &target.address {
            Address::Tcp(place) => format!("http://{place}"),
            Address::Unix(path) => {
                flag("--unix-socket", &path.display().to_string());
                "http://localhost".to_owned()
            }
            Address::Tls(place, _) => {
                let how = args.secure.of(target);
                for (name, file) in
                    [("--cacert", &how.ca), ("--cert", &how.cert), ("--key", &how.key)]
                {
                    if let Some(file) = file {
                        flag(name, &file.display().to_string());
                    }
                }
                match (&how.server_name, place.rsplit_once(':')) {
                    // The URL has the name that is expected, and leads to the place all the same.
                    (Some(name), Some((_, port))) => {
                        flag("--connect-to", &format!("{name}:{port}:{place}"));
                        format!("https://{name}:{port}")
                    }
                    _ => format!("https://{place}"),
                }
            }
            other => return Err(format!("curl cannot reach `{other}`")),
        };
        Ok(Reach { place, flags })
    }
}

/// Which HTTP a target means.
struct Face {
    /// The target, in a protocol whose URLs can be read.
    url: String,
    /// Where JSON-RPC is; none: plain JSON.
    jsonrpc: Option<String>,
    /// The target names another protocol, and this is only its server's HTTP.
    of_other: bool,
}

impl Face {
    fn of(target: &str) -> Result<Face, String> {
        let Some((scheme, rest)) = target.split_once("://") else {
            return Ok(Face { url: target.to_owned(), jsonrpc: None, of_other: true });
        };
        match scheme {
            // Read as a target of rpcx, whose URLs have all that these have.
            "http" | "http+tcp" => {
                let place = rest.split('?').next().unwrap_or(rest);
                Ok(Face { url: format!("rpcx://{place}"), jsonrpc: None, of_other: false })
            }
            "https" | "http+tls" => {
                Ok(Face { url: format!("rpcx+tls://{rest}"), jsonrpc: None, of_other: false })
            }
            "http+unix" => {
                Ok(Face { url: format!("rpcx+unix://{rest}"), jsonrpc: None, of_other: false })
            }
            "jsonrpc+http" => {
                let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
                let mut path = "/jsonrpc";
                for option in options.split('&').filter(|option| !option.is_empty()) {
                    match option.split_once('=') {
                        Some(("path", value)) if value.starts_with('/') => path = value,
                        Some(("version", "1" | "2")) => {}
                        _ => return Err(format!("`{target}`: option `{option}` is not known")),
                    }
                }
                let url = format!("jsonrpc://{place}");
                Ok(Face { url, jsonrpc: Some(path.to_owned()), of_other: false })
            }
            _ => Ok(Face { url: target.to_owned(), jsonrpc: None, of_other: true }),
        }
    }
}

/// The argument as JSON: as it was typed, unless it says types that JSON has not.
fn argument(text: &Bytes, codec: Format) -> Result<String, String> {
    let typed = parse(text)?;
    let plain = match codec {
        // In JSON a map is an object, as in MessagePack.
        Format::Gob => exact(Format::MsgPack, typed.clone())?,
        codec => exact(codec, typed.clone())?,
    };
    match plain == typed {
        true => Ok(String::from_utf8_lossy(text).trim().to_owned()),
        false => Ok(output::render(&plain, false)),
    }
}

/// A request of JSON-RPC. Its parameters are an object or an array; in 1.0 the array of one.
fn request(one: bool, name: &str, argument: &str) -> Result<String, String> {
    let wrapped = one || !argument.starts_with(['{', '[']);
    let params = if wrapped { format!("[{argument}]") } else { argument.to_owned() };
    let name = output::render(&Value::from(name), false);
    let version = if one { "" } else { "\"jsonrpc\":\"2.0\"," };
    Ok(format!("{{{version}\"method\":{name},\"params\":{params},\"id\":1}}"))
}

/// A header field for curl, which takes an empty value after a semicolon.
fn header(key: &str, value: &str) -> Result<String, String> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !key.chars().all(token) {
        return Err(format!("metadata `{key}` cannot be the name of a header field"));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') || value.trim() != value {
        return Err(format!("the value of metadata `{key}` cannot be that of a header field"));
    }
    Ok(if value.is_empty() { format!("{key};") } else { format!("{key}: {value}") })
}

/// A part of a path.
fn encoded(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        let _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                write!(text, "{}", char::from(byte))
            }
            _ => write!(text, "%{byte:02X}"),
        };
    }
    text
}

/// Text as one word of a POSIX shell: in single quotes nothing means anything but their end.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The same, bare where that is safe.
fn word(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
    if text.chars().all(safe) { text.to_owned() } else { quoted(text) }
}

/// The line and what to know, for a program.
pub(crate) fn as_value(line: &Line) -> Value {
    json!({"curl": line.text.as_str(), "note": line.note.as_deref()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse};

    fn of(words: &[&str]) -> Result<Line, String> {
        let words = ["farcall", "call", "--curl"].into_iter().chain(words.iter().copied());
        match parse(words).expect("a command line").command {
            Command::Call(args) => line(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_face_for_all() {
        let want = "curl -H 'Content-Type: application/json' -H 'X-Timeout-Ms: 10000' \
                    -d '{\"A\": 6}' http://h:1/Arith/Mul";
        for (scheme, other) in
            [("http", None), ("rpcx", Some("rpcx")), ("netrpc", Some("netrpc")), ("jsonrpc", None)]
        {
            let line = of(&[&format!("{scheme}://h:1/Arith/Mul"), "{\"A\": 6}"]).expect(scheme);
            assert_eq!(line.text, want);
            assert_eq!(line.note.is_none(), scheme == "http");
            assert!(other.is_none_or(|name| line.note.is_some_and(|note| note.contains(name))));
        }
        let url = "rpcx://[::1]:1/a.b.C/Do%it";
        let line = of(&[url, "--meta", "k=it's", "--meta", "e=", "--deadline", "200us"]);
        assert_eq!(
            line.expect(url).text,
            "curl -H 'Content-Type: application/json' -H 'X-Timeout-Ms: 1' \
             -H 'k: it'\\''s' -H 'e;' -d '{}' 'http://[::1]:1/a.b.C/Do%25it'"
        );
        let literal = of(&["rpcx://h:1/A/B", "{\"$ref\": 1}", "--codec", "json"]);
        assert!(literal.expect("a line").text.contains(" -d '{\"$ref\": 1}' "));
        let typed = of(&["netrpc://h:1/A/B", "{\"K\": {\"$bytes\": \"00ff\"}, \"$$x\": 1}"]);
        assert!(typed.expect("a line").text.contains(" -d '{\"K\":\"AP8=\",\"$x\":1}' "));
    }

    #[test]
    fn tokens_certificates_and_sockets() {
        let end = |words: &[&str]| {
            let line = of(words).expect("a line").text;
            let (_, rest) = line.split_once("10000'").expect("a deadline");
            rest.to_owned()
        };
        let token = end(&["rpcx://h:1/A/B", "--auth", "s3cret"]);
        assert_eq!(token, " -H 'Authorization: Bearer s3cret' -d '{}' http://h:1/A/B");
        let file = std::env::temp_dir().join(format!("farcall-curl-{}", std::process::id()));
        std::fs::write(&file, "s3cret\n").expect("a file");
        let file_name = file.display().to_string();
        let kept = end(&["rpcx://h:1/A/B", "--auth", &format!("@{file_name}")]);
        let want =
            format!(" -H \"Authorization: Bearer $(cat '{file_name}')\" -d '{{}}' http://h:1/A/B");
        assert_eq!(kept, want);
        std::fs::remove_file(&file).expect("it was there");
        for url in ["rpcx+tls://h:1/A/B", "https://h:1/A/B"] {
            assert_eq!(end(&[url]), " -d '{}' https://h:1/A/B", "{url}");
        }
        assert_eq!(
            end(&["rpcx+tls://127.0.0.1:1/A/B?ca=ca.pem", "--server-name", "h"]),
            " --cacert ca.pem --connect-to h:1:127.0.0.1:1 -d '{}' https://h:1/A/B"
        );
        assert_eq!(
            end(&["https://h:1/A/B", "--cert", "c.pem", "--key", "k y"]),
            " --cert c.pem --key 'k y' -d '{}' https://h:1/A/B"
        );
        for url in ["rpcx+unix://%2Frun%2Fa.sock/A/B", "http+unix://%2Frun%2Fa.sock/A/B"] {
            let want = " --unix-socket /run/a.sock -d '{}' http://localhost/A/B";
            assert_eq!(end(&[url]), want, "{url}");
        }
    }

    #[test]
    fn json_rpc_over_http() {
        let body = |words: &[&str]| {
            let line = of(words).expect("a line");
            assert_eq!(line.note, None);
            let (_, rest) = line.text.split_once(" -d ").expect("a body");
            rest.to_owned()
        };
        assert_eq!(
            body(&["jsonrpc+http://h:1/Arith/Mul", "{\"A\":6}"]),
            "'{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"params\":{\"A\":6},\"id\":1}' \
             http://h:1/jsonrpc"
        );
        assert_eq!(
            body(&["jsonrpc+http://h:1/Arith/Mul?version=1&path=/rpc", "{\"A\":6}"]),
            "'{\"method\":\"Arith.Mul\",\"params\":[{\"A\":6}],\"id\":1}' http://h:1/rpc"
        );
        assert!(body(&["jsonrpc+http://h:1/A/B", "\"x\""]).contains("\"params\":[\"x\"]"));
    }

    #[test]
    fn what_has_no_line() {
        let url = "rpcx://h:1/A/B";
        for (words, why) in [
            (&["rpcx+mem://here/A/B"][..], "curl cannot reach"),
            (&["rpcx://h:1/A"], "names no method"),
            (&[url, "--oneway"], "--oneway"),
            (&[url, "--compress", "gzip"], "--compress"),
            (&[url, "--codec", "raw"], "--codec raw"),
            (&[url, "{"], "not JSON"),
            (&["netrpc://h:1/A/B", "{\"A\": {\"$uint\": -1}}"], "A: `$uint`"),
            (&[url, "--meta", "a b=c"], "`a b`"),
            (&[url, "--meta", "a=b\nc"], "`a`"),
            (&["jsonrpc+http://h:1/A/B?ca=x"], "`ca=x`"),
        ] {
            let error = of(words).expect_err("no line");
            assert!(error.contains(why), "{words:?}: {error}");
        }
    }
}
