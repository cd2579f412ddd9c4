//! One row of the comparison: what the server does, what the module says, and in what the exporters differ.
//!
//! Must not know which rows there are.

use std::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use testkit::{
    Behaviour, Certificates, DnsAnswer, DnsServer, Leaf, Question, Server, Step, TlsSettings,
};
use tokio::time::timeout;

/// The header fields of a request that are not compared: every client has its own.
const OWN_HEADERS: &[&str] = &["user-agent", "connection"];

/// How long the connections of a probe may outlive it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The metrics in which exporters differ when only one of them takes an answer.
pub(super) const TAKEN: &[&str] = &[
    "probe_http_content_length",
    "probe_http_status_code",
    "probe_http_uncompressed_body_length",
    "probe_http_version",
    "probe_success",
];

/// What the target is.
pub(super) enum Setup {
    /// A server without TLS.
    Plain(Behaviour),
    /// The same, for a behaviour that must know its own address.
    Located(fn(SocketAddr) -> Behaviour),
    /// A server with TLS.
    Tls(Leaf, TlsSettings, Behaviour),
    /// A server that begins TLS after these steps.
    StartTls(Vec<Step>, Behaviour),
    /// A name server that says this about every name.
    NameServer(DnsAnswer),
    /// The same on `::1`.
    NameServer6(DnsAnswer),
    /// The same with TLS on its connections.
    SecureNameServer(Leaf, DnsAnswer),
    /// Nobody.
    Nobody,
}

/// One comparison.
pub(super) struct Row {
    pub(super) name: &'static str,
    setup: Setup,
    /// A second server, without TLS: where tokens come from, or a proxy.
    second: Option<Behaviour>,
    /// The kind of the module, which is also the name of its section.
    prober: &'static str,
    settings: &'static str,
    timeout: &'static str,
    /// How long an exporter may take.
    pub(super) patience: Duration,
    target: &'static str,
    /// What is appended to the query for the probe.
    pub(super) query: &'static str,
    /// A metric that is not compared.
    pub(super) without: Option<&'static str>,
    /// Whether both have to call the target up: their agreement could be that both are mistaken.
    pub(super) up: bool,
    /// The listed differences: the key in `docs/differences.md` and the metrics that it concerns.
    pub(super) differs: Vec<(&'static str, &'static [&'static str])>,
}

/// A row whose module has these entries in its `http` section, in flow style.
pub(super) fn row(name: &'static str, setup: Setup, settings: &'static str) -> Row {
    let target = match setup {
        Setup::Tls(..) => "https://localhost:{port}/",
        Setup::Nobody => "http://127.0.0.1:1/",
        _ => "http://127.0.0.1:{port}/",
    };
    Row {
        name,
        setup,
        second: None,
        prober: "http",
        settings,
        timeout: "20s",
        patience: Duration::from_mins(1),
        target,
        query: "",
        without: None,
        up: false,
        differs: Vec::new(),
    }
}

/// A row whose module is of the kind `tcp` and has these entries in its section.
pub(super) fn tcp(name: &'static str, setup: Setup, settings: &'static str) -> Row {
    let target = match setup {
        Setup::Tls(..) | Setup::StartTls(..) => "localhost:{port}",
        Setup::Nobody => "127.0.0.1:1",
        _ => "127.0.0.1:{port}",
    };
    Row { prober: "tcp", target, ..row(name, setup, settings) }
}

/// A row whose module is of the kind `dns` and has these entries in its section.
pub(super) fn dns(name: &'static str, setup: Setup, settings: &'static str) -> Row {
    let target = match setup {
        Setup::SecureNameServer(..) => "localhost:{port}",
        Setup::NameServer6(_) => "[::1]:{port}",
        Setup::Nobody => "127.0.0.1:1",
        _ => "127.0.0.1:{port}",
    };
    Row { prober: "dns", target, ..row(name, setup, settings) }
}

/// A row with a server without TLS.
pub(super) fn plain(name: &'static str, behaviour: Behaviour, http: &'static str) -> Row {
    row(name, Setup::Plain(behaviour), http)
}

/// A row with a server without TLS that answers with these bytes.
pub(super) fn bytes(name: &'static str, reply: impl Into<Vec<u8>>, http: &'static str) -> Row {
    plain(name, Behaviour::reply(reply), http)
}

impl Row {
    /// With another target; `{port}` and `{second}` stand for the ports of the servers.
    pub(super) fn target(self, target: &'static str) -> Self {
        Self { target, ..self }
    }

    /// With a timeout that the server will not meet.
    pub(super) fn too_slow(self) -> Self {
        Self { timeout: "1500ms", patience: Duration::from_secs(8), ..self }
    }

    /// Without the comparison of a metric that depends on how fast the machine is.
    pub(super) fn without(self, metric: &'static str) -> Self {
        Self { without: Some(metric), ..self }
    }

    /// With a target that both have to call up.
    pub(super) fn up(self) -> Self {
        Self { up: true, ..self }
    }

    /// With a second server.
    pub(super) fn second(self, behaviour: Behaviour) -> Self {
        Self { second: Some(behaviour), ..self }
    }

    /// With more parameters for the probe.
    pub(super) fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    /// With a listed difference in some metrics.
    pub(super) fn differs(mut self, key: &'static str, metrics: &'static [&'static str]) -> Self {
        self.differs.push((key, metrics));
        self
    }

    /// The name of the row's module.
    pub(super) fn module(&self) -> String {
        self.name.replace(|character: char| !character.is_ascii_alphanumeric(), "_")
    }

    /// Starts the servers of the row.
    pub(super) async fn start(self, certificates: &Certificates) -> Started {
        let server = self.setup.server(certificates).await;
        let name_server = self.setup.name_server(certificates).await;
        let second = match self.second.clone() {
            Some(behaviour) => Some(Server::start(behaviour).await),
            None => None,
        };
        let first = server.as_ref().map(Server::address);
        let first = first.or_else(|| name_server.as_ref().map(DnsServer::address));
        let addresses = [first, second.as_ref().map(Server::address)];
        let settings = filled(self.settings, addresses, certificates);
        let target = filled(self.target, addresses, certificates);
        let yaml = self.yaml(&settings);
        Started { target, yaml, servers: [server, second], name_server, row: self }
    }

    /// The row's module with these settings, as an entry of a modules file.
    fn yaml(&self, settings: &str) -> String {
        let family = if settings.contains("preferred_ip_protocol") {
            ""
        } else {
            "preferred_ip_protocol: ip4, "
        };
        let (prober, timeout) = (self.prober, self.timeout);
        format!(
            "  {}: {{ prober: {prober}, timeout: {timeout}, {prober}: {{ {family}{settings} }} }}\n",
            self.module(),
        )
    }
}

impl Setup {
    /// Starts the server that is no name server, if there is one.
    async fn server(&self, certificates: &Certificates) -> Option<Server> {
        Some(match self {
            Self::Plain(behaviour) => Server::start(behaviour.clone()).await,
            Self::Located(behaviour) => Server::start_with(behaviour).await,
            Self::Tls(leaf, settings, behaviour) => {
                let acceptor = certificates.acceptor_with(*leaf, settings);
                Server::start_tls(acceptor, behaviour.clone()).await
            }
            Self::StartTls(clear, behaviour) => {
                let acceptor = certificates.acceptor(Leaf::Good);
                Server::start_tls_after(clear.clone(), acceptor, behaviour.clone()).await
            }
            Self::NameServer(_)
            | Self::NameServer6(_)
            | Self::SecureNameServer(..)
            | Self::Nobody => return None,
        })
    }

    /// Starts the name server, if there is one.
    async fn name_server(&self, certificates: &Certificates) -> Option<DnsServer> {
        Some(match self {
            Self::NameServer(answer) => DnsServer::start([(".", answer.clone())]).await,
            Self::NameServer6(answer) => {
                let here = Ipv6Addr::LOCALHOST.into();
                DnsServer::start_at(here, [(".", answer.clone())]).await
            }
            Self::SecureNameServer(leaf, answer) => {
                let acceptor = certificates.acceptor(*leaf);
                DnsServer::start_tls(acceptor, [(".", answer.clone())]).await
            }
            Self::Plain(_)
            | Self::Located(_)
            | Self::Tls(..)
            | Self::StartTls(..)
            | Self::Nobody => return None,
        })
    }
}

/// A text of a row with the ports of its two servers and the paths of the certificates in place of their names.
fn filled(
    text: &str,
    [first, second]: [Option<SocketAddr>; 2],
    certificates: &Certificates,
) -> String {
    let port = |address: Option<SocketAddr>| {
        address.map_or_else(String::new, |address| address.port().to_string())
    };
    let file = |name| certificates.file(name).display().to_string();
    text.replace("{port}", &port(first))
        .replace("{second}", &port(second))
        .replace("{ca}", &format!("ca_file: '{}'", file("authority.pem")))
        .replace("{authority}", &file("authority.pem"))
        .replace("{files}", file("").trim_end_matches('/'))
        .replace("{client certificate}", &file("client.pem"))
        .replace("{client key}", &file("client.key"))
}

/// A row whose servers run.
pub(super) struct Started {
    pub(super) row: Row,
    pub(super) target: String,
    /// The row's module, as an entry of a modules file.
    pub(super) yaml: String,
    servers: [Option<Server>; 2],
    name_server: Option<DnsServer>,
}

impl Started {
    /// Waits until no connection is open, and returns the requests after those that were `seen` before.
    pub(super) async fn requests(&self, seen: &mut [usize; 2]) -> String {
        let mut requests = Vec::new();
        if let Some(server) = &self.name_server {
            let asked = server.questions();
            requests.extend(asked.iter().skip(seen[0]).map(question));
            seen[0] = asked.len();
        }
        for (server, seen) in self.servers.iter().zip(seen) {
            let Some(server) = server else { continue };
            if timeout(PATIENCE, server.all_closed()).await.is_err() {
                requests.push("a connection stays open".to_owned());
            }
            let received = server.received();
            let new = received.iter().skip(*seen);
            match self.row.prober {
                "http" => requests.extend(new.filter_map(|text| normal(text))),
                _ => requests.extend(new.filter_map(|text| said(text))),
            }
            *seen = received.len();
        }
        requests.join(" then ")
    }
}

/// What is compared of a question.
fn question(asked: &Question) -> String {
    format!("{asked:?}")
}

/// What is compared of what a server received on one connection; `None` when it was no request.
fn normal(received: &str) -> Option<String> {
    let (head, body) = received.split_once("\r\n\r\n").unwrap_or((received, ""));
    let mut lines = head.lines();
    let first = lines.next().filter(|line| line.contains(" HTTP/1") || line.contains("://"))?;
    // Spelling and order as they came: some servers look at them.
    let mut fields: Vec<String> = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| !OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| format!("{name}: {}", value.trim()))
        .collect();
    if first.contains(" HTTP/2") || first.contains(" HTTP/3") {
        // Go's client sends them in no order there.
        fields.sort();
    }
    // What comes behind CONNECT is the handshake.
    let body = if first.starts_with("CONNECT ") { "" } else { body };
    Some(format!("{first} [{}] {body:?}", fields.join("; ")))
}

/// What is compared of what a server received that speaks something else; `None` when it was nothing. Handshakes are not
/// compared.
fn said(received: &str) -> Option<String> {
    let (clear, _) = received.split_once("\u{16}\u{3}").unwrap_or((received, ""));
    (!clear.is_empty()).then(|| format!("{clear:?}"))
}
