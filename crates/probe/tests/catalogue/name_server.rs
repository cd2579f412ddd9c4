//! Name servers as targets, which are silent, lie, or speak nonsense: rows 121 to 136.
//!
//! Must not know how a question is asked.

use std::{net::SocketAddr, time::Duration};

use probe::{Net, ProbeResult, Warning};
use testkit::{
    Behaviour, Certificates, DnsAnswer, DnsServer, FORGED, Leaf, Server, Step, TlsSettings,
};

use crate::row::{Case, Row};

const UDP: &str = "{ prober: dns, dns: { query_name: some.test, query_type: A } }";
const TCP: &str =
    "{ prober: dns, dns: { query_name: some.test, query_type: A, transport_protocol: tcp } }";
const TLS: &str = "{ prober: dns, dns: { query_name: some.test, query_type: A, transport_protocol: tcp, dns_over_tls: true } }";

/// A header behind the identifier of an answer with one question, and with so many records.
const fn header(records: u16) -> [u8; 10] {
    let [high, low] = records.to_be_bytes();
    [0x81, 0x80, 0, 1, high, low, 0, 0, 0, 0]
}

/// The question, as it has to come back.
const QUESTION: &[u8] = b"\x04some\x04test\0\0\x01\0\x01";

pub(crate) fn rows() -> Vec<Row> {
    [silent(), lying(), codes(), cut(), large(), nonsense(), secure()].into_iter().flatten().collect()
}

/// A name server that answers this to everything, asked over datagrams.
fn udp(number: &'static str, name: &'static str, answer: DnsAnswer, expected: &'static str) -> Row {
    Row::new(number, name, expected, move || server(answer.clone())).module(UDP)
}

/// The same over a connection.
fn tcp(number: &'static str, name: &'static str, answer: DnsAnswer, expected: &'static str) -> Row {
    udp(number, name, answer, expected).module(TCP)
}

async fn server(answer: DnsAnswer) -> Result<Case, String> {
    let server = DnsServer::start([(".", answer)]).await;
    Ok(at(server.address(), server))
}

fn at(address: SocketAddr, keep: impl Send + 'static) -> Case {
    Case::with(Net::for_tests(None, &[]).unwrap(), address.to_string(), keep)
}

/// Something that is no name server, asked over a connection.
fn other(number: &'static str, name: &'static str, steps: Vec<Step>, expected: &'static str) -> Row {
    let start = move || {
        let behaviour = Behaviour::Script(steps.clone());
        async move {
            let server = Server::start(behaviour).await;
            Ok(at(server.address(), server))
        }
    };
    Row::new(number, name, expected, start).module(TCP)
}

/// A port that no socket has any more.
async fn nobody() -> Result<Case, String> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    Ok(at(address, ()))
}

fn good() -> DnsAnswer {
    DnsAnswer::addresses(&["127.0.0.1"])
}

fn value(result: &ProbeResult, metric: &str) -> Option<f64> {
    result.samples.iter().find(|sample| sample.metric.name == metric).map(|sample| sample.value)
}

/// Demands that so many records answered.
fn answers(count: f64) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| match value(result, "probe_dns_answer_rrs") {
        Some(found) if (found - count).abs() < 0.5 => Ok(()),
        other => Err(format!("{other:?} answers")),
    }
}

/// Demands that a note holds this.
fn noted(text: &'static str) -> impl Fn(&ProbeResult) -> Result<(), String> {
    move |result| {
        let found = result.notes.iter().any(|(_, note)| note.contains(text));
        if found { Ok(()) } else { Err(format!("no {text:?} in {:?}", result.notes)) }
    }
}

fn silent() -> Vec<Row> {
    vec![
        udp("121a", "silence", DnsAnswer::Silent, "check/timeout")
            .until_the_deadline()
            .and(answers(0.0)),
        tcp("121b", "silence on a connection", DnsAnswer::Silent, "check/timeout")
            .until_the_deadline(),
        Row::new("122a", "nobody", "connect/refused", nobody).module(UDP),
        Row::new("122b", "nobody accepts a connection", "connect/refused", nobody).module(TCP),
        Row::new("122c", "a server without an address", "resolve/nxdomain", || async {
            let dns = DnsServer::start([]).await;
            let net = Net::for_tests(Some(dns.address()), &[]).unwrap();
            Ok(Case::with(net, "gone.test", dns))
        })
        .module(UDP),
    ]
}

fn lying() -> Vec<Row> {
    let forged = || DnsAnswer::Forged(Some("127.0.0.1".parse().unwrap()));
    let only_forged = format!(
        "{{ prober: dns, dns: {{ query_name: some.test, query_type: A, validate_answer_rrs: {{ fail_if_matches_regexp: ['{FORGED}'] }} }} }}"
    );
    vec![
        udp("123a", "another identifier", DnsAnswer::OtherIdentifier(Box::new(good())), "check/timeout")
            .until_the_deadline()
            .and(noted("1 messages came that answer another question")),
        tcp("123b", "another identifier on a connection", DnsAnswer::OtherIdentifier(Box::new(good())), "check/malformed"),
        udp("124a", "another question", DnsAnswer::OtherQuestion(Box::new(good())), "check/timeout")
            .until_the_deadline()
            .and(noted("1 messages came that answer another question")),
        tcp("124b", "another question on a connection", DnsAnswer::OtherQuestion(Box::new(good())), "check/malformed"),
        udp("125a", "forged answers before the true one", forged(), "up").module(only_forged),
        udp("125b", "forged answers alone", DnsAnswer::Forged(None), "check/timeout")
            .until_the_deadline(),
    ]
}

fn codes() -> Vec<Row> {
    vec![
        udp("126a", "SERVFAIL", DnsAnswer::Servfail, "check/servfail"),
        udp("126b", "REFUSED", DnsAnswer::Refused, "check/refused"),
        udp("126c", "NXDOMAIN", DnsAnswer::Nxdomain, "check/nxdomain"),
        udp("126d", "NOTIMP", DnsAnswer::NotImplemented, "check/status"),
        tcp("126e", "FORMERR on a connection", DnsAnswer::FormatError, "check/status"),
        udp("126f", "no records", DnsAnswer::Nodata, "up").and(answers(0.0)),
    ]
}

fn cut() -> Vec<Row> {
    let truncated = DnsAnswer::Truncated(Box::new(good()));
    let is_warned = |result: &ProbeResult| match result.evidence.warnings.as_slice() {
        [Warning::TruncatedAnswer] => Ok(()),
        other => Err(format!("warnings {other:?}")),
    };
    let after = |bytes| DnsAnswer::CutAfter(bytes, Box::new(good()));
    vec![
        udp("127", "a truncated answer", truncated, "up").and(is_warned),
        tcp("128a", "an end before the answer", after(0), "check/closed"),
        tcp("128b", "an end in the length", after(1), "check/closed"),
        tcp("128c", "an end in the answer", after(20), "check/closed"),
        other("129", "a reset", vec![Step::ReadSome, Step::Reset], "check/reset"),
        other(
            "130",
            "an answer byte by byte",
            vec![Step::ReadSome, Step::Drip(vec![0; 100], Duration::from_millis(150))],
            "check/timeout",
        )
        .until_the_deadline(),
    ]
}

/// As many records as fit into a message, each with long names that take few bytes of it.
fn records_of_long_names() -> Vec<u8> {
    let label = [&[63][..], &[b'\\'; 63]].concat();
    let long = [label.repeat(3), [&[50][..], &[b'"'; 50]].concat(), vec![0]].concat();
    let first = [b"\xc0\x0c\0\x02\0\x01\0\0\0\0".as_slice(), &[0, 244], &long].concat();
    let record = b"\xc0\x27\0\x02\0\x01\0\0\0\0\0\x02\xc0\x27";
    let count = (65_535 - 12 - QUESTION.len() - first.len()) / record.len();
    let header = header(u16::try_from(count + 1).unwrap());
    [header.as_slice(), QUESTION, &first, &record.repeat(count)].concat()
}

fn large() -> Vec<Row> {
    let checked = "{ prober: dns, dns: { query_name: some.test, query_type: A, transport_protocol: tcp, validate_answer_rrs: { fail_if_matches_regexp: ['(a|b)*c$'], fail_if_not_matches_regexp: ['\\sNS\\s'] } } }";
    vec![
        tcp("131a", "a large answer", DnsAnswer::addresses(&["127.0.0.1"; 2000]), "up")
            .and(answers(2000.0)),
        tcp("131b", "long names without end", DnsAnswer::Bytes(records_of_long_names()), "up")
            .module(checked),
    ]
}

fn nonsense() -> Vec<Row> {
    let with = |records: u16, rest: &[u8]| {
        DnsAnswer::Bytes([header(records).as_slice(), QUESTION, rest].concat())
    };
    let address = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01";
    vec![
        udp("132a", "bytes that are no message", DnsAnswer::Malformed, "check/malformed"),
        tcp("132b", "bytes on a connection", DnsAnswer::Malformed, "check/malformed"),
        other(
            "132c",
            "another protocol",
            vec![Step::Send(b"220 mail.test ESMTP\r\n".to_vec()), Step::ReadSome, Step::Silence],
            "check/timeout or check/malformed",
        )
        .until_the_deadline(),
        udp("133a", "a name that points to itself", with(1, b"\xc0\x1b\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01"), "check/malformed"),
        udp("133b", "names that point to each other", with(1, b"\xc0\x1d\xc0\x1b\0\x01\0\x01\0\0\0\0\0\0"), "check/malformed"),
        udp("133c", "a name that points behind the end", with(1, b"\xff\xff\0\x01\0\x01\0\0\0\0\0\0"), "check/malformed"),
        udp("134a", "more records announced than come", with(u16::MAX, address), "up")
            .and(answers(1.0)),
        udp("134b", "a record that ends too early", with(1, &address[..14]), "check/malformed"),
        udp("134c", "an address of three bytes", with(1, b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x03\x7f\0\0"), "check/malformed"),
        udp("134d", "bytes behind the message", with(1, &[address.as_slice(), &[0xff; 40]].concat()), "up")
            .and(answers(1.0)),
    ]
}

/// A name server with TLS and this certificate.
fn tls(number: &'static str, name: &'static str, leaf: Leaf, expected: &'static str) -> Row {
    let start = move || async move {
        let certificates = Certificates::new();
        let acceptor = certificates.acceptor_with(leaf, &TlsSettings::default());
        let server = DnsServer::start_tls(acceptor, [(".", good())]).await;
        let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
        Ok(Case::with(net, format!("localhost:{}", server.address().port()), server))
    };
    Row::new(number, name, expected, start).module(TLS)
}

fn secure() -> Vec<Row> {
    vec![
        tls("135a", "a good certificate", Leaf::Good, "up").and(answers(1.0)),
        tls("135b", "a certificate that has expired", Leaf::Expired, "tls/expired"),
        tls("135c", "a certificate of another name", Leaf::WrongName, "tls/name_mismatch"),
        tls("135d", "a certificate that nobody vouches for", Leaf::Untrusted, "tls/untrusted"),
        tcp("136a", "no TLS", DnsAnswer::Silent, "tls/timeout").module(TLS).until_the_deadline(),
        other("136b", "another protocol instead of TLS", vec![Step::Send(b"220 mail.test ESMTP\r\n".to_vec())], "tls/not_tls")
            .module(TLS),
    ]
}
