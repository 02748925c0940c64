//! What went wrong, in words that say whose fault it is and what to look at.

use super::session::Role;
use crate::net::Told;
use farcall_core::Code;
use rustls::{AlertDescription, CertificateError, Error, pki_types::ServerName};

/// An error of a session, as its end of the connection sees it. `unread`: the peer cannot have read
/// anything that was written inside of the session.
pub(super) fn told(error: &Error, role: &Role, unread: bool) -> Told {
    match role {
        Role::Client { shows } => of_server(error, *shows, unread),
        Role::Server { .. } => of_client(error),
    }
}

/// The connection ended before hands were shaken.
pub(super) fn ended(role: &Role) -> Told {
    match role {
        Role::Client { .. } => plain(
            "the server closed the connection during the TLS handshake",
            Some("does it speak TLS on that port?"),
        ),
        Role::Server { .. } => plain("the client left during the TLS handshake", None),
    }
}

/// What came first was no TLS.
pub(super) fn not_tls(first: &[u8]) -> Told {
    let first = first[..first.len().min(8)].escape_ascii();
    plain(format!("the peer does not speak TLS: it sent `{first}`"), None)
}

/// The handshake took too long.
pub(super) fn too_slow() -> Told {
    plain("the TLS handshake was not complete in time (Limits::handshake_time)", None)
}

fn plain(text: impl Into<String>, hint: Option<&'static str>) -> Told {
    Told { code: Code::Unavailable, text: text.into(), hint, unread: true }
}

fn of_server(error: &Error, shows: bool, unread: bool) -> Told {
    let (code, text, hint) = match error {
        Error::InvalidCertificate(why) => {
            let (text, hint) = certificate("server", why);
            (Code::Unavailable, text, hint)
        }
        Error::AlertReceived(alert) => match refusal(*alert) {
            // Before version 1.3 there was no alert of its own for a certificate that is missing.
            Some(_) if !shows => (
                Code::Unauthenticated,
                format!("the server wants a client certificate, and there is none ({alert:?})"),
                Some("give one: ?cert=FILE&key=FILE, or ClientTls::identity"),
            ),
            Some(why) => (
                Code::Unauthenticated,
                format!("the server refused the client certificate: {why} ({alert:?})"),
                None,
            ),
            None => {
                let text = match alert {
                    AlertDescription::ProtocolVersion => {
                        "the server speaks no version of TLS that is spoken here (1.2, 1.3)".into()
                    }
                    AlertDescription::UnrecognisedName => {
                        "the server does not know the name it was asked for".into()
                    }
                    alert => format!("the server ended TLS: {alert:?}"),
                };
                (Code::Unavailable, text, None)
            }
        },
        Error::InvalidMessage(_) if unread => (
            Code::Unavailable,
            "the server does not speak TLS".into(),
            Some("leave `+tls` out of the URL, or ask for the TLS port"),
        ),
        error => (Code::Unavailable, format!("TLS failed: {error}"), None),
    };
    Told { code, text, hint, unread }
}

fn of_client(error: &Error) -> Told {
    let text = match error {
        Error::NoCertificatesPresented => "the client showed no certificate".into(),
        Error::InvalidCertificate(why) => certificate("client", why).0,
        Error::AlertReceived(alert) => match refusal(*alert) {
            Some(why) => format!("the client refused this server's certificate: {why} ({alert:?})"),
            None => format!("the client ended TLS: {alert:?}"),
        },
        error => format!("TLS failed: {error}"),
    };
    plain(text, None)
}

/// What is wrong with a certificate.
fn certificate(whose: &str, why: &CertificateError) -> (String, Option<&'static str>) {
    use CertificateError as Why;
    match why {
        Why::NotValidForName => (format!("the {whose}'s certificate is for another name"), None),
        Why::NotValidForNameContext { expected, presented } => {
            let expected = match expected {
                ServerName::DnsName(name) => name.as_ref().to_owned(),
                ServerName::IpAddress(address) => std::net::IpAddr::from(*address).to_string(),
                other => format!("{other:?}"),
            };
            let presented = match presented.is_empty() {
                true => "no name at all".into(),
                false => presented.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "),
            };
            let text = format!("the {whose}'s certificate is not for {expected}: {presented}");
            (text, Some("if that is the server you mean, name it: ?server_name=NAME"))
        }
        Why::Expired | Why::ExpiredContext { .. } => {
            (format!("the {whose}'s certificate has expired"), None)
        }
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            (format!("the {whose}'s certificate is not valid yet"), Some("are both clocks right?"))
        }
        Why::UnknownIssuer => (
            format!("no authority that is trusted vouches for the {whose}'s certificate"),
            Some("name the authority: ?ca=FILE, or ClientTls::ca"),
        ),
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
            (format!("the {whose}'s certificate is not meant for a {whose}"), None)
        }
        Why::BadSignature => (format!("the {whose}'s certificate has a wrong signature"), None),
        Why::Revoked => (format!("the {whose}'s certificate was revoked"), None),
        why => (format!("the {whose}'s certificate is not accepted: {why}"), None),
    }
}

/// The name in `DnsName("a.test")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

/// Alerts that refuse a certificate, and why they say they do (RFC 8446 §6.2).
fn refusal(alert: AlertDescription) -> Option<&'static str> {
    use AlertDescription as Alert;
    Some(match alert {
        Alert::CertificateRequired | Alert::NoCertificate => "there is none",
        Alert::UnknownCA => "it knows no authority that vouches for it",
        Alert::CertificateExpired => "it has expired, or is not valid yet",
        Alert::CertificateRevoked => "it was revoked",
        Alert::BadCertificate | Alert::CertificateUnknown => "it does not say why",
        Alert::UnsupportedCertificate => "it is of the wrong kind",
        Alert::AccessDenied => "its owner has no access",
        Alert::DecryptError => "its signature is wrong",
        _ => return None,
    })
}
