//! What a security review of a running server asks first: the limits and where their values came
//! from, who can reach it, who may call, and what of that is not safe.
//!
//! Only settings are looked at, and only when somebody asks; no call passes here.

use super::{Server, Shared, accept::Listener};
use farcall_core::{Amount, HeldBy, Limit, Limits, SourcedLimits};
use std::sync::OnceLock;

/// A setting that is not safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A short name that stays: `no-tls`.
    pub name: String,
    /// What is the matter: `tcp://0.0.0.0:8972 is not encrypted, …`.
    pub text: String,
    /// What to do about it.
    pub mend: String,
}

impl Finding {
    /// A finding of this name.
    pub fn new(
        name: impl Into<String>,
        text: impl Into<String>,
        mend: impl Into<String>,
    ) -> Finding {
        Finding { name: name.into(), text: text.into(), mend: mend.into() }
    }
}

/// Who is asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "only TLS asks for certificates"))]
pub(crate) enum Clients {
    /// Nobody.
    #[default]
    Unasked,
    /// Everybody, and who has none is let in.
    Optional,
    /// Everybody.
    Required,
}

impl Clients {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Clients::Unasked => "none",
            Clients::Optional => "optional",
            Clients::Required => "required",
        }
    }
}

/// What is known of a server's settings once it is built.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) limits: SourcedLimits,
    pub(crate) auth: bool,
    pub(crate) clients: Clients,
    /// The file of the certificate's key, if everybody on this machine may read it.
    pub(crate) open_key: Option<String>,
    pub(crate) any_origin: bool,
    /// Paths of the server's own pages.
    pub(crate) pages: Vec<&'static str>,
    /// The page of limits is for everybody.
    pub(crate) shown_to_anyone: bool,
    /// What the program itself knows.
    pub(crate) given: Vec<Finding>,
    /// What is listened on, once the server runs.
    pub(crate) doors: OnceLock<Vec<Door>>,
}

/// Who can reach a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Other machines.
    Network,
    /// Programs on this machine.
    Machine,
    /// Programs on this machine that may open a file.
    File {
        /// Everybody may.
        all: bool,
    },
    /// This process.
    Process,
}

impl Reach {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reach::Network => "network",
            Reach::Machine => "this machine",
            Reach::File { all: true } => "this machine, every user",
            Reach::File { all: false } => "this machine, by the file's permissions",
            Reach::Process => "this process",
        }
    }
}

/// A listener, as far as a review cares.
pub(crate) struct Door {
    pub(crate) url: String,
    pub(crate) tls: bool,
    pub(crate) reach: Reach,
    /// The protocols spoken there.
    pub(crate) speaks: Vec<&'static str>,
}

impl Door {
    pub(super) fn new(door: &super::accept::Door) -> Door {
        let network = |listener: &tokio::net::TcpListener| match listener.local_addr() {
            Ok(address) if address.ip().to_canonical().is_loopback() => Reach::Machine,
            // What is not known is taken for the worse.
            _ => Reach::Network,
        };
        let (tls, reach) = match &door.listener {
            Listener::Tcp(listener) => (false, network(listener)),
            #[cfg(feature = "tls")]
            Listener::Tls(listener, _) => (true, network(listener)),
            #[cfg(unix)]
            Listener::Unix(listener) => {
                (false, Reach::File { all: for_others(listener.path(), 0o002) })
            }
            Listener::Memory(_) => (false, Reach::Process),
        };
        let speaks = door.spoken.protocols().map(|protocol| protocol.name()).collect();
        Door { url: door.listener.to_string(), tls, reach, speaks }
    }
}

/// Whether a file's permissions give this bit to everybody on the machine.
#[cfg(unix)]
pub(crate) fn for_others(path: &std::path::Path, bit: u32) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & bit != 0)
}

/// Other systems say such things in other words.
#[cfg(not(unix))]
pub(crate) fn for_others(_: &std::path::Path, _: u32) -> bool {
    false
}

impl Server {
    /// Shows every limit, its value and where that came from at `GET /debug/limits`, as JSON; with
    /// what is listened on, whether callers are asked who they are, and which of these settings are
    /// not safe. `farcall doctor` prints it. Off unless it is asked for.
    ///
    /// With [`auth`](Server::auth), who passes it reads the page; so does who has shown a
    /// certificate that was asked for. Without, only peers on this machine do, over loopback or a
    /// Unix socket: not through a proxy that says so (`Forwarded`, `X-Forwarded-For`), and
    /// not by a name in `Host` that another site could have given this address.
    #[must_use]
    pub fn debug_limits(mut self) -> Server {
        self.web.limits();
        self
    }

    /// The same, for everybody who reaches the server and passes its [`auth`](Server::auth), if it
    /// has one.
    #[must_use]
    pub fn debug_limits_for_anyone(mut self) -> Server {
        self.settings.shown_to_anyone = true;
        self.debug_limits()
    }

    /// Adds to what [`debug_limits`](Server::debug_limits) finds not safe something that only the
    /// program knows, such as a secret that was given on the command line.
    #[must_use]
    pub fn finding(mut self, finding: Finding) -> Server {
        if !self.settings.given.contains(&finding) {
            self.settings.given.push(finding);
        }
        self
    }
}

impl Shared {
    /// All that is not safe, the worst first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let Settings { auth, clients, doors, given, .. } = &self.settings;
        let doors = doors.get().map(Vec::as_slice).unwrap_or_default();
        let mut findings = Vec::new();
        for door in doors {
            self.settings.door(door, &mut findings);
        }
        let known = *auth || *clients == Clients::Required;
        let open = doors.iter().any(|door| door.reach == Reach::Network);
        let own = self.settings.pages.iter().filter(|page| match **page {
            "/debug/limits" => self.settings.shown_to_anyone,
            page => page != "/healthz",
        });
        let own: Vec<_> = own.copied().collect();
        if open && !known && !own.is_empty() {
            findings.push(Finding::new(
                "open-pages",
                format!("everybody can read {}", own.join(", ")),
                "leave them out where strangers can connect, or ask who calls",
            ));
        }
        if self.settings.any_origin && !auth {
            findings.push(Finding::new(
                "any-origin",
                "pages of any web site may call through the browsers of whoever can connect",
                "name the origins (Cors::origins), or ask for a token (Server::auth)",
            ));
        }
        if let Some(file) = &self.settings.open_key {
            findings.push(Finding::new(
                "open-key",
                format!("everybody on the machine can read the key in {file}"),
                format!("chmod 600 {file}, and think about a new key"),
            ));
        }
        findings.extend(given.iter().cloned());
        findings.extend(Limits::TABLE.iter().filter_map(|limit| raised(limit, &self.limits)));
        findings
    }
}

impl Settings {
    /// What is not safe about a listener.
    fn door(&self, door: &Door, findings: &mut Vec<Finding>) {
        let url = &door.url;
        match door.reach {
            Reach::Network => {}
            Reach::File { all: true } if !self.auth => {
                findings.push(Finding::new(
                    "open-socket",
                    format!("every user of the machine can call at {url}"),
                    "set the umask, or put the socket into a folder of its own",
                ));
                return;
            }
            Reach::File { .. } | Reach::Machine | Reach::Process => return,
        }
        if !door.tls {
            let what =
                if self.auth { "calls, answers and credentials" } else { "calls and answers" };
            findings.push(Finding::new(
                "no-tls",
                format!(
                    "{url} is reached from other machines and is not encrypted: {what} can be \
                         read and changed on their way"
                ),
                "give the server a certificate (Server::tls, farcall serve --tls-cert --tls-key), \
                 or listen on 127.0.0.1 behind something that has one",
            ));
        }
        match (self.auth, door.tls.then_some(self.clients)) {
            (true, _) | (_, Some(Clients::Required)) => {}
            (false, None) => findings.push(Finding::new(
                "no-auth",
                format!("everybody who reaches {url} may call everything"),
                "ask for a token (Server::auth, farcall serve --auth-token @FILE) or for clients' \
                 certificates (Tls::client_ca)",
            )),
            (false, Some(Clients::Unasked)) => findings.push(Finding::new(
                "no-client-identity",
                format!(
                    "TLS at {url} says who the server is and not who calls: everybody may \
                         call everything"
                ),
                "ask for clients' certificates (Tls::client_ca, farcall serve --tls-client-ca) or \
                 for a token (Server::auth)",
            )),
            (false, Some(Clients::Optional)) => findings.push(Finding::new(
                "optional-client-identity",
                format!("callers at {url} need not show a certificate"),
                "require it (leave out Tls::client_optional), or see that handlers refuse calls \
                 without Cx::identity",
            )),
        }
    }
}

/// How many times the default a limit may be before it is worth a question.
const SANE: u64 = 16;

/// Levels of nesting are stack of whoever reads them.
const SANE_DEPTH: u64 = 4;

/// Bounds that hold nobody off who means harm.
const HARMLESS: [&str; 5] = ["drain_delay", "drain_time", "goodbye", "quiet", "hold_time"];

/// A limit that is far beyond its default, or none.
fn raised(limit: &Limit, limits: &Limits) -> Option<Finding> {
    if limit.held_by == HeldBy::Client || HARMLESS.contains(&limit.name) {
        return None;
    }
    let (now, default) = (limit.get(limits), limit.get(&Limits::default()));
    let factor = if limit.name == "body_depth" { SANE_DEPTH } else { SANE };
    let name = limit.name;
    let text = match (now, default) {
        (Amount::None, Amount::Time(_)) => format!("{name} has no bound; its default is {default}"),
        (Amount::Bytes(now_is), Amount::Bytes(was))
        | (Amount::Count(now_is), Amount::Count(was))
            if now_is > was.saturating_mul(factor) =>
        {
            format!("{name} is {now}, more than {factor} times its default of {default}")
        }
        (Amount::Time(now_is), Amount::Time(was))
            if now_is.as_nanos() > was.as_nanos().saturating_mul(factor.into()) =>
        {
            format!("{name} is {now}, more than {factor} times its default of {default}")
        }
        _ => return None,
    };
    Some(Finding::new("raised-limit", text, format!("bounds: {}", limit.bounds())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn door(tls: bool, reach: Reach) -> Door {
        Door { url: "u".into(), tls, reach, speaks: Vec::new() }
    }

    fn names(settings: &Settings, door: Door) -> Vec<String> {
        let mut findings = Vec::new();
        settings.door(&door, &mut findings);
        findings.into_iter().map(|finding| finding.name).collect()
    }

    #[test]
    fn doors() {
        use {Clients::*, Reach::*};
        for (auth, clients, tls, reach, want) in [
            (false, Unasked, false, Network, &["no-tls", "no-auth"][..]),
            (true, Unasked, false, Network, &["no-tls"]),
            (false, Unasked, true, Network, &["no-client-identity"]),
            (false, Optional, true, Network, &["optional-client-identity"]),
            (false, Required, true, Network, &[]),
            // Certificates are asked for where there is TLS.
            (false, Required, false, Network, &["no-tls", "no-auth"]),
            (true, Unasked, true, Network, &[]),
            (false, Unasked, false, Machine, &[]),
            (false, Unasked, false, File { all: false }, &[]),
            (false, Unasked, false, File { all: true }, &["open-socket"]),
            (true, Unasked, false, File { all: true }, &[]),
            (false, Unasked, false, Process, &[]),
        ] {
            let settings = Settings { auth, clients, ..Settings::default() };
            assert_eq!(names(&settings, door(tls, reach)), want, "{auth} {clients:?} {reach:?}");
        }
    }

    #[test]
    fn limits_far_beyond() {
        let raised = |limits: Limits| {
            let all = Limits::TABLE.iter().filter_map(|limit| super::raised(limit, &limits));
            all.map(|finding| finding.text).collect::<Vec<_>>()
        };
        assert_eq!(raised(Limits::default()), [""; 0]);
        let usual = Limits::default();
        let minutes = |n: u64| Duration::from_secs(n * 60);
        assert_eq!(raised(Limits { calls: 16 * usual.calls, ..usual.clone() }), [""; 0]);
        assert_eq!(raised(Limits { drain_time: minutes(60), ..usual.clone() }), [""; 0]);
        assert_eq!(raised(Limits { call_time: None, idle: Some(minutes(9)), ..usual }), [""; 0]);
        let far = Limits {
            message_bytes: 1 << 30,
            body_depth: 401,
            silence: minutes(60),
            ..Limits::default()
        };
        assert_eq!(
            raised(far),
            [
                "message_bytes is 1 GiB, more than 16 times its default of 16 MiB",
                "body_depth is 401, more than 4 times its default of 100",
                "silence is 3600 s, more than 16 times its default of 60 s",
            ]
        );
    }
}
