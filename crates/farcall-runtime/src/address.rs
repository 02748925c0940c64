//! The parts of a URL that belong to one transport: paths of sockets, names and files of TLS.

use std::path::PathBuf;

/// What a client of a TLS server goes by, as the options of its URL say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// `?ca=FILE`: the authorities that may vouch for the server, in PEM; in place of the system's.
    pub ca: Option<PathBuf>,
    /// `?server_name=NAME`: the name that the server's certificate must have, if not the host's.
    pub server_name: Option<String>,
    /// `?cert=FILE`: the client's own certificate and what vouches for it, in PEM.
    pub cert: Option<PathBuf>,
    /// `?key=FILE`: the key of that certificate, in PEM.
    pub key: Option<PathBuf>,
}

impl TlsOptions {
    /// Takes an option of a URL; false if it is none of TLS.
    pub(crate) fn take(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let slot = match key {
            "ca" => &mut self.ca,
            "cert" => &mut self.cert,
            "key" => &mut self.key,
            "server_name" => {
                self.server_name = Some(unescape(value)?);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        if value.is_empty() {
            return Err(format!("option `{key}` names no file"));
        }
        *slot = Some(unescape(value)?.into());
        Ok(true)
    }
}

/// The path of a socket in a host's place: `%2Frun%2Ffarcall.sock`.
pub(crate) fn socket_path(host: &str) -> Result<PathBuf, String> {
    if host.is_empty() {
        return Err("it names no socket: the path goes in the host's place, each / as %2F".into());
    }
    unescape(host).map(PathBuf::from)
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let code = rest.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        let Some(byte) = byte.filter(|_| !rest.starts_with(b"+")) else {
            return Err(format!("`{text}` has a % without two hexadecimal digits"));
        };
        bytes.push(byte);
        rest = &rest[2..];
    }
    if bytes.contains(&0) {
        return Err(format!("`{text}` has a zero byte"));
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(socket_path("%2Frun%2ff.sock"), Ok(PathBuf::from("/run/f.sock")));
        for wrong in ["", "%", "%2", "%zz", "%+1", "a%00", "%ff"] {
            assert!(socket_path(wrong).is_err(), "{wrong}");
        }
        let mut options = TlsOptions::default();
        assert_eq!(options.take("ca", "/a%20b"), Ok(true));
        assert_eq!(options.take("version", "1"), Ok(false));
        assert!(options.take("key", "").is_err());
        assert_eq!(options.ca, Some(PathBuf::from("/a b")));
    }
}
