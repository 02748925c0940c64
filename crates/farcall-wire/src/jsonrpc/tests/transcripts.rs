//! Go's programs on both ends: our server in the place of theirs, and our client.

use super::kit::{Transcript, check, client, server, talk, transcripts, value, values};
use super::written;
use crate::{CallHead, Event};
use farcall_core::{Bounds, Compress, Format, Limits, Shaped, Status, Value};

/// Where this server says something else than Go's, on purpose: each with what it says.
const OTHERWISE: &[(&str, &str)] = &[
    // Go's 1.0 server does not look at `jsonrpc`.
    ("jsonraw_unknown_fields", r#"[{"jsonrpc":"2.0","result":63,"id":1}]"#),
    // Go's 1.0 server closes without a word.
    (
        "jsonraw_method_not_string",
        "[{\"id\":1,\"result\":null,\"error\":\"json: cannot unmarshal number into Go struct field \
          serverRequest.method of type string\"}]",
    ),
    ("jsonraw_batch", r#"[[{"jsonrpc":"2.0","result":null,"id":1}]]"#),
    (
        "jsonraw_syntax_error",
        r#"[{"jsonrpc":"2.0","id":null,
             "error":{"code":-32700,"message":"keys are text in quotes (byte 27)"}}]"#,
    ),
    ("jsonraw_scalar", r#"[{"jsonrpc":"2.0","error":{"code":-32600},"id":null}]"#),
    // The same refusals in other words, and with the id where it is known.
    ("j2_invalid_request", r#"[{"jsonrpc":"2.0","error":{"code":-32600},"id":1}]"#),
    ("j2_empty_batch", r#"[{"jsonrpc":"2.0","error":{"code":-32600},"id":null}]"#),
    // Codes of a handler's own choice are not built.
    ("j2_custom_code", r#"[{"jsonrpc":"2.0","error":{"code":-32000,"message":"custom"},"id":1}]"#),
    // A server that speaks both versions answers by the rules of 1.0.
    (
        "j2_version_missing",
        r#"[{"id":1,"result":null,
             "error":"json: cannot unmarshal object into Go value of type [1]interface {}"}]"#,
    ),
];

/// What both ends said.
fn sides(transcript: &Transcript) -> (String, String) {
    let said = |client| {
        let steps = transcript.steps.iter().filter(move |step| step.0 == client);
        steps.map(|step| step.1.as_str()).collect::<String>()
    };
    (said(true), said(false))
}

fn member<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.get(key).filter(|value| **value != Value::Null)
}

/// As Go writes it.
fn text(value: &Value) -> String {
    let mut text = Vec::new();
    crate::format::json::encode(value, Bounds::default(), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The members sorted, and the text of -32600 left out.
fn normal(value: &Value) -> String {
    let Value::Map(members) = value else {
        let Value::List(items) = value else { return value.to_string() };
        let mut items: Vec<_> = items.iter().map(normal).collect();
        items.sort_unstable();
        return items.concat();
    };
    if value.get("code") == Some(&Value::Int(-32600)) {
        return "{code:-32600}".to_owned();
    }
    let mut members: Vec<_> =
        members.iter().map(|(key, value)| format!("{key}:{}", normal(value))).collect();
    members.sort_unstable();
    format!("{{{}}}", members.join(","))
}

/// The server finds the calls, however they are cut, and its answers are Go's.
#[test]
fn our_server_in_the_place_of_gos() {
    let mut count = 0;
    for transcript in transcripts() {
        let name = transcript.name.as_str();
        if name.starts_with("jsonfake") {
            continue;
        }
        let (requests, answers) = sides(&transcript);
        check(&|| server(&Limits::default()), requests.as_bytes());
        let recorded = values(&answers);
        // Calls are found in the order of their requests, and answered as it was recorded.
        let mut all = Vec::new();
        recorded.iter().for_each(|answer| match answer {
            Value::List(answers) => all.extend(answers.iter().cloned()),
            answer => all.push(answer.clone()),
        });
        let lookups = |text: &str| text.starts_with("rpc: ") || text.contains("missing params");
        let outcome = |answer: Value| match member(&answer, "error") {
            None => Some(Ok(text(answer.get("result")?))),
            Some(Value::Text(text)) if lookups(text) || text.contains("[1]") => None,
            Some(Value::Text(text)) => Some(Err(Status::unknown(text.as_str()))),
            Some(error) => match error.get("code")?.as_i64()? {
                -32601 | -32600 => None,
                code => {
                    let text = error.get("message")?.as_str()?.to_owned();
                    Some(Err(match code {
                        -32602 => Status::invalid_argument(text),
                        _ => Status::unknown(text),
                    }))
                }
            },
        };
        if name == "jsonraw_two_concatenated" {
            all.reverse();
        }
        let mut outcomes = all.into_iter().filter_map(outcome);
        let (said, _) = talk(&mut *server(&Limits::default()), requests.as_bytes(), |event| {
            let Event::Call(call) = event else { return Ok(String::new()) };
            if call.ticket.oneway {
                return Ok(String::new());
            }
            outcomes.next().unwrap_or(Ok("null".to_owned()))
        });
        let want = match OTHERWISE.iter().find(|(known, _)| *known == name) {
            Some((_, want)) => value(want),
            None => Value::List(recorded),
        };
        assert_eq!(normal(&Value::List(values(&said))), normal(&want), "{name}: {said}");
        if name.starts_with("json_") {
            assert_eq!(said, answers, "{name}: to the byte");
        }
        count += 1;
    }
    assert_eq!(count, 58);
}

/// Our client writes what Go's writes, to the byte.
#[test]
fn our_client_in_the_place_of_gos() {
    let mut count = 0;
    for transcript in transcripts() {
        let one = transcript.name.starts_with("json_");
        if !one && transcript.name != "j2_go_client_session" {
            continue;
        }
        let mut wire = client(one, &Limits::default());
        let (requests, answers) = sides(&transcript);
        for line in requests.split_inclusive('\n') {
            let request = value(line);
            let name = request.get("method").and_then(Value::as_str).unwrap();
            let (service, method) = name.rsplit_once('.').unwrap_or(("", name));
            let id = request.get("id").and_then(Value::as_i64);
            let params = line.split_once("\"params\":").unwrap().1;
            let params = params.rsplit_once(",\"id\":").map_or(params, |(params, _)| params);
            let body = match one {
                true => params.strip_prefix('[').and_then(|p| p.strip_suffix(']')).unwrap(),
                false => {
                    params.trim_end().strip_suffix('}').filter(|_| id.is_none()).unwrap_or(params)
                }
            };
            let head = CallHead {
                seq: id.unwrap_or(99) as u64,
                service,
                method,
                format: Format::Json,
                compress: Compress::None,
                oneway: id.is_none(),
                timeout: None,
                meta: &[],
                shape: &<Value as Shaped>::SHAPE,
                streams: Default::default(),
            };
            assert_eq!(written(&mut *wire, head, body), line, "{}", transcript.name);
            count += 1;
        }
        let seen = check(&|| client(one, &Limits::default()), answers.as_bytes());
        let answers = values(&answers);
        assert_eq!(seen.found.len(), answers.len());
        for (event, answer) in seen.found.iter().zip(answers) {
            let Event::Reply(reply) = event else { panic!("{event:?}") };
            assert_eq!(answer.get("id").and_then(Value::as_i64), Some(reply.seq as i64));
            match member(&answer, "error") {
                Some(error) => {
                    let text = error.get("message").unwrap_or(error).as_str();
                    assert_eq!(reply.error.as_ref().map(Status::text), text);
                }
                None => {
                    let body = String::from_utf8_lossy(&reply.body);
                    assert_eq!(Some(&value(&body)), answer.get("result"));
                }
            }
        }
    }
    assert_eq!(count, 40);
}

/// Servers that Go's client was tried with: what ours makes of them.
#[test]
fn answers_of_other_servers() {
    let mut seen = Vec::new();
    for transcript in transcripts() {
        let Some(name) = transcript.name.strip_prefix("jsonfake_") else { continue };
        let (_, answers) = sides(&transcript);
        let one = check(&|| client(true, &Limits::default()), answers.as_bytes());
        let end = one.end.as_ref().err().map(|broken| format!(" -> {broken}")).unwrap_or_default();
        seen.push(format!("{name}: {}{end}", one.events().join(", ")));
    }
    let want = [
        "normal: reply 0 56, reply 1 57",
        "no_error_member: reply 0 56, reply 1 57",
        "jsonrpc2_answer: reply 0 56, reply 1 57",
        // Go's client shuts down.
        "result_null: reply 0 null",
        "error_object: reply 0 Unimplemented: x",
        "error_string: reply 0 Unknown: boom, reply 1 Unknown: both set",
        "error_empty_string: reply 0 Unknown: unspecified error, \
         reply 1 Unknown: unspecified error",
        // Go's client takes null for 0.
        "id_null: reply 1 57",
        "id_string:  -> jsonrpc: a reply whose id is not a number this client gave",
        "unknown_id: reply 42 1, reply 0 56, reply 1 57",
        // Told when it is decoded, and of this call alone.
        "result_wrong_type: reply 0 \"x\"",
    ];
    assert_eq!(seen, want);
}
