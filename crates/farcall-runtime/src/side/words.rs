//! What the two ends say before the bytes: rpcx `share/share.go`. Names are Go's in MessagePack and
//! those of the `json` tags in JSON.

use super::TOKEN;
use farcall_core::{Format, Status, Value};

/// What a caller asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Of a file.
    pub(super) name: String,
    /// Of an upload, as it was declared.
    pub(super) size: Option<i64>,
    pub(super) meta: Vec<(String, String)>,
}

impl Asked {
    pub(super) fn read(value: &Value) -> Result<Asked, Status> {
        let wrong = |what: &str| Status::invalid_argument(format!("`{what}` is of another type"));
        let field = |go: &str, json: &str| value.get(go).or_else(|| value.get(json));
        let name = match field("FileName", "file_name") {
            None | Some(Value::Null) => String::new(),
            Some(name) => name.as_str().ok_or_else(|| wrong("FileName"))?.to_owned(),
        };
        let size = match field("FileSize", "file_size") {
            None | Some(Value::Null) => None,
            Some(size) => Some(size.as_i64().ok_or_else(|| wrong("FileSize"))?),
        };
        let meta = match field("Meta", "meta") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Map(entries)) => {
                let pair = |(key, value): &(Value, Value)| {
                    Some((key.as_str()?.to_owned(), value.as_str()?.to_owned()))
                };
                entries
                    .iter()
                    .map(|e| pair(e).ok_or_else(|| wrong("Meta")))
                    .collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong("Meta")),
        };
        Ok(Asked { name, size, meta })
    }

    /// As MessagePack has it; what is not asked for is left out.
    pub(super) fn write(&self) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        let meta = self.meta.iter().map(|(key, value)| (text(key), text(value)));
        let mut fields = vec![("Meta", Value::Map(meta.collect()))];
        if !self.name.is_empty() {
            fields.push(("FileName", text(&self.name)));
        }
        fields.extend(self.size.map(|size| ("FileSize", Value::Int(size))));
        Value::object(fields)
    }
}

/// Where the bytes go, and by which right.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) token: [u8; TOKEN],
    pub(super) address: String,
    /// Not in rpcx: the bytes that will come, so that a file which was cut short can be told.
    pub(super) size: Option<u64>,
    /// Not in rpcx: an upload that is complete and kept is answered by one byte.
    pub(super) confirms: bool,
}

impl Given {
    pub(super) fn write(&self, format: Format) -> Value {
        let json = format == Format::Json;
        let name = |go, json_name| if json { json_name } else { go };
        let mut fields = vec![
            (name("Token", "token"), Value::Bytes(self.token.to_vec())),
            (name("Addr", "addr"), Value::Text(self.address.clone())),
        ];
        let size = self.size.and_then(|size| i64::try_from(size).ok());
        fields.extend(size.map(|size| (name("Size", "size"), Value::Int(size))));
        if self.confirms {
            fields.push((name("Confirms", "confirms"), Value::Bool(true)));
        }
        Value::object(fields)
    }

    /// Of an answer in MessagePack.
    pub(super) fn read(value: &Value) -> Result<Given, Status> {
        let wrong = || Status::internal("the server's answer is not what rpcx's would be");
        let Some(Value::Bytes(token)) = value.get("Token") else { return Err(wrong()) };
        let token = token.as_slice().try_into().map_err(|_| wrong())?;
        let address = value.get("Addr").and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
        let size = value.get("Size").and_then(Value::as_i64);
        let size = size.and_then(|size| u64::try_from(size).ok());
        let confirms = matches!(value.get("Confirms"), Some(Value::Bool(true)));
        Ok(Given { token, address, size, confirms })
    }
}
