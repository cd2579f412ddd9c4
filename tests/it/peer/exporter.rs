//! The peer as a process, and what an exporter answers to one probe, in a form that can be compared.
//!
//! Must not know which answers are expected.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tokio::time::timeout;
use url::form_urlencoded;

use crate::{
    parts::part,
    program::{Running, request},
};

/// The oldest release to compare with: the first one with the metrics and the settings that the rows use.
const OLDEST: (u32, u32) = (0, 26);

/// How long the peer may take to start on a busy machine.
const START: Duration = Duration::from_secs(30);

/// Metrics that say how long something took: that they are there is compared, not how much they are.
const TIMES: &[&str] = &[
    "probe_dns_duration_seconds",
    "probe_dns_lookup_time_seconds",
    "probe_duration_seconds",
    "probe_http_duration_seconds",
];

/// All other metrics that are compared; what only we export is not.
const NUMBERS: &[&str] = &[
    "probe_dns_additional_rrs",
    "probe_dns_answer_rrs",
    "probe_dns_authority_rrs",
    "probe_dns_query_succeeded",
    "probe_dns_serial",
    "probe_expect_info",
    "probe_failed_due_to_bytes",
    "probe_failed_due_to_cel",
    "probe_failed_due_to_regex",
    "probe_http_content_length",
    "probe_http_last_modified_timestamp_seconds",
    "probe_http_redirects",
    "probe_http_ssl",
    "probe_http_status_code",
    "probe_http_uncompressed_body_length",
    "probe_http_version",
    "probe_ip_addr_hash",
    "probe_ip_protocol",
    "probe_ssl_earliest_cert_expiry",
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "probe_ssl_last_chain_info",
    "probe_success",
    "probe_tls_cipher_info",
    "probe_tls_version_info",
];

/// The name under which the exporter's own status is compared.
const STATUS: &str = "status of the exporter";

/// The running peer.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    _process: Running,
}

impl Peer {
    /// Starts the peer on a modules file; `None` when it is not there, which was reported.
    pub(super) fn start(modules: &Path) -> Option<Self> {
        let program = part("prometheus-blackbox-exporter")?;
        let version = version(&program);
        let _reported = writeln!(std::io::stderr(), "peer: {version}");
        let mut child = Command::new(program)
            .arg(format!("--config.file={}", modules.display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.prober=error"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let process = Running(child);
        let (found, waiting) = mpsc::channel();
        // Reads to the end, so that the peer can always write; ends with it.
        std::thread::spawn(move || {
            let mut seen = String::new();
            for line in log.lines().map_while(Result::ok) {
                let address = line
                    .contains("Listening on")
                    .then(|| line.split_once("address=")?.1.trim().parse::<SocketAddr>().ok())
                    .flatten();
                seen = format!("{seen}{line}\n");
                if let Some(address) = address {
                    let _nobody_waits = found.send(Ok(address));
                }
            }
            let _nobody_waits = found.send(Err(seen));
        });
        match waiting.recv_timeout(START) {
            Ok(Ok(address)) => Some(Self { address, _process: process }),
            other => panic!("the peer does not start: {other:?}"),
        }
    }
}

/// The version of the peer, which must not be too old.
fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let line = text.lines().next().unwrap_or_default().to_owned();
    let number = line.split("version ").nth(1).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    assert!(found >= OLDEST, "at least {OLDEST:?} is needed to compare with, this is {line:?}");
    line
}

/// What an exporter answered: for each metric the labels and values of its series.
pub(super) type Answer = BTreeMap<String, BTreeSet<String>>;

/// Asks an exporter for one probe, and returns also the phase and the reason of the failure, where it says so. `extra` is
/// appended to the query. Without an answer in time the status is 0.
pub(super) async fn ask(
    exporter: SocketAddr,
    module: String,
    target: &str,
    extra: &str,
    patience: Duration,
) -> (Answer, (String, String)) {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("module", &module)
        .append_pair("target", target)
        .finish();
    let path = format!("/probe?{query}{extra}");
    let answered = timeout(patience, request(exporter, "GET", &path, "")).await;
    let (status, body) = answered.unwrap_or((0, String::new()));
    let mut answer = if status == 200 { read(&body) } else { Answer::new() };
    answer.insert(STATUS.to_owned(), BTreeSet::from([status.to_string()]));
    let reported = body.lines().find(|line| line.starts_with("probe_failure_info{")).unwrap_or("");
    let mut quoted = reported.split('"').skip(1).step_by(2).map(str::to_owned);
    let reason = (quoted.next().unwrap_or_default(), quoted.next().unwrap_or_default());
    (answer, reason)
}

/// Reads the text format, as far as it is compared.
fn read(body: &str) -> Answer {
    let mut answer = Answer::new();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let value = if TIMES.contains(&name) {
            "any"
        } else if NUMBERS.contains(&name) {
            value
        } else {
            continue;
        };
        let number = value.parse::<f64>().map_or(value.to_owned(), |number| number.to_string());
        let text = format!("{} {number}", sorted(labels.trim_end_matches('}')));
        answer.entry(name.to_owned()).or_default().insert(text.trim().to_owned());
    }
    answer
}

/// Labels in the order of their names; the exporters have orders of their own.
fn sorted(labels: &str) -> String {
    let mut found = BTreeSet::new();
    let mut rest = labels;
    while let Some((name, tail)) = rest.split_once("=\"") {
        let end = closing_quote(tail);
        found.insert(format!("{}=\"{}\"", name.trim_start_matches(','), &tail[..end]));
        rest = tail.get(end + 1..).unwrap_or_default();
    }
    found.into_iter().collect::<Vec<_>>().join(",")
}

/// Where the quote is that ends a label's value.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    let end = text.find(|character| {
        let closes = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        closes
    });
    end.unwrap_or(text.len())
}

/// Every metric in which two answers differ, with what each says of it.
pub(super) fn differences(peer: &Answer, own: &Answer) -> BTreeMap<String, (String, String)> {
    let text = |series: Option<&BTreeSet<String>>| match series {
        None => "nothing".to_owned(),
        Some(series) => series.iter().cloned().collect::<Vec<_>>().join(" and "),
    };
    let names: BTreeSet<&String> = peer.keys().chain(own.keys()).collect();
    // When only one of them probes, its numbers say nothing more.
    let refused = peer.get(STATUS) != own.get(STATUS);
    names
        .into_iter()
        .filter(|name| !refused || *name == STATUS)
        .filter(|name| peer.get(*name) != own.get(*name))
        .map(|name| (name.clone(), (text(peer.get(name)), text(own.get(name)))))
        .collect()
}

#[test]
fn answers_are_compared_without_regard_to_order_and_times() {
    let one = "# HELP x\nprobe_success 1\nprobe_duration_seconds 0.1\nprobe_ssl_last_chain_info{b=\"x\\\",y\",a=\"\"} 1\nours 7\n";
    let other = "probe_duration_seconds 2e-3\nprobe_ssl_last_chain_info{a=\"\",b=\"x\\\",y\"} 1.0\nprobe_success 0\n";
    let found = differences(&read(one), &read(other));
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [("probe_success".to_owned(), ("1".to_owned(), "0".to_owned()))]
    );
}
