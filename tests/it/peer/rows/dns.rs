//! Rows about name servers: what is asked, what comes back, and what is expected of it.
//!
//! Those about recursive, authoritative and failing servers are the peer's own tests.

use testkit::{DnsAnswer, Leaf};

use super::row::{Row, Setup, dns};

/// The metrics in which exporters differ when only one of them takes an answer.
const TAKEN: &[&str] = &["probe_dns_answer_rrs", "probe_dns_query_succeeded", "probe_success"];

pub(super) fn rows() -> Vec<Row> {
    [
        recursive(),
        authoritative(),
        failing(),
        protocols(),
        codes(),
        questions(),
        messages(),
        texts(),
        secure(),
        targets(),
        refused(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn answers(lines: &[&str]) -> DnsAnswer {
    DnsAnswer::sections(lines, &[], &[])
}

/// The same question over datagrams and over a connection.
fn both(names: [&'static str; 2], answer: &DnsAnswer, [udp, tcp]: [&'static str; 2]) -> [Row; 2] {
    let row = |name, settings| dns(name, Setup::NameServer(answer.clone()), settings);
    [row(names[0], udp), row(names[1], tcp)]
}

/// Rows over datagrams and over a connection.
macro_rules! both {
    ($answer:expr, $($name:literal, $settings:literal;)+) => {
        [$(both(
            [concat!("dns ", $name), concat!("dns ", $name, " by tcp")],
            &$answer,
            [
                concat!("query_name: example.com", $settings),
                concat!("transport_protocol: tcp, query_name: example.com", $settings),
            ],
        )),+].into_iter().flatten().collect()
    };
}

fn recursive() -> Vec<Row> {
    let server = DnsAnswer::IfRecursive(Box::new(answers(&[
        "example.com. 3600 IN A 127.0.0.1",
        "example.com. 3600 IN A 127.0.0.2",
    ])));
    both!(server,
        "recursion", "";
        "recursion and another code", ", valid_rcodes: [SERVFAIL, NXDOMAIN]";
        "recursion and records", ", validate_answer_rrs: { fail_if_matches_regexp: ['.*7200.*'], fail_if_not_matches_regexp: ['.*3600.*'] }";
        "recursion and no authority", ", validate_authority_rrs: { fail_if_matches_regexp: ['.*7200.*'] }";
        "recursion and additional records", ", validate_additional_rrs: { fail_if_not_matches_regexp: ['.*3600.*'] }";
        "no recursion", ", recursion_desired: false";
    )
}

fn authoritative() -> Vec<Row> {
    let responsible =
        &["example.com. 7200 IN NS ns1.isp.net.", "example.com. 7200 IN NS ns2.isp.net."];
    let further = &[
        "ns1.isp.net. 7200 IN A 127.0.0.1",
        "ns1.isp.net. 7200 IN AAAA ::1",
        "ns2.isp.net. 7200 IN A 127.0.0.2",
    ];
    let with = |line: &str| DnsAnswer::sections(&[line], responsible, further);
    let server = DnsAnswer::ByType(vec![
        (
            "SOA",
            with(
                "example.com. 3600 IN SOA ns.example.com. noc.example.com. 1000 7200 3600 1209600 3600",
            ),
        ),
        ("TXT CH", with("example.com. 3600 CH TXT \"goCHAOS\"")),
        ("", with("example.com. 3600 IN A 127.0.0.1")),
    ]);
    both!(server,
        "authority", "";
        "start of authority", ", query_type: SOA";
        "class", ", query_class: CH, query_type: TXT, validate_answer_rrs: { fail_if_matches_regexp: ['.*IN.*'], fail_if_not_matches_regexp: ['.*CH.*'] }";
        "authority and another code", ", valid_rcodes: [SERVFAIL, NXDOMAIN]";
        "matches and must not", ", validate_answer_rrs: { fail_if_matches_regexp: ['.*3600.*'], fail_if_not_matches_regexp: ['.*3600.*'] }";
        "does not match and must", ", validate_answer_rrs: { fail_if_matches_regexp: ['.*7200.*'], fail_if_not_matches_regexp: ['.*7200.*'] }";
        "authority records", ", validate_authority_rrs: { fail_if_not_matches_regexp: ['ns.*.isp.net'] }";
        "additional records", ", validate_additional_rrs: { fail_if_not_matches_regexp: ['^ns.*.isp'] }";
        "additional records that must not match", ", validate_additional_rrs: { fail_if_matches_regexp: ['^ns.*.isp'] }";
        "all match", ", validate_additional_rrs: { fail_if_all_match_regexp: ['.*127.0.0.*'] }";
        "really all match", ", validate_additional_rrs: { fail_if_all_match_regexp: ['.*isp.net.*'] }";
        "none matches", ", validate_additional_rrs: { fail_if_none_matches_regexp: ['.*127.0.0.3.*'] }";
        "one matches", ", validate_additional_rrs: { fail_if_none_matches_regexp: ['.*127.0.0.3.*', '127.0.0.2$'] }";
    )
}

fn failing() -> Vec<Row> {
    both!(DnsAnswer::Servfail,
        "SERVFAIL", "";
        "SERVFAIL is wanted", ", valid_rcodes: [SERVFAIL, NXDOMAIN]";
    )
}

#[rustfmt::skip]
fn protocols() -> Vec<Row> {
    let server = || answers(&["example.com. 3600 IN A 127.0.0.1"]);
    let mut rows = vec![
        dns("dns by name and IPv4", Setup::NameServer(server()), "query_name: example.com, preferred_ip_protocol: ip4").target("localhost:{port}").up(),
        dns("dns from another address", Setup::NameServer(server()), "query_name: example.com, source_ip_address: 127.0.0.7").up(),
        dns("dns from another address by tcp", Setup::NameServer(server()), "query_name: example.com, transport_protocol: tcp, source_ip_address: 127.0.0.7"),
    ];
    // Without IPv6 on this machine there is nothing to compare.
    if std::net::UdpSocket::bind("[::1]:0").is_ok() {
        rows.extend([
            dns("dns by IPv6", Setup::NameServer6(server()), "query_name: example.com, preferred_ip_protocol: ip6").up(),
            dns("dns by IPv6 and tcp", Setup::NameServer6(server()), "query_name: example.com, preferred_ip_protocol: ip6, transport_protocol: tcp").up(),
            dns("dns by IPv6 where IPv4 is preferred", Setup::NameServer6(server()), "query_name: example.com, preferred_ip_protocol: ip4"),
            dns("dns by IPv6 alone", Setup::NameServer6(server()), "query_name: example.com, preferred_ip_protocol: ip6, ip_protocol_fallback: false"),
        ]);
    }
    rows
}

#[rustfmt::skip]
fn codes() -> Vec<Row> {
    let asked = |name, answer, settings| dns(name, Setup::NameServer(answer), settings);
    vec![
        asked("dns NXDOMAIN", DnsAnswer::Nxdomain, "query_name: example.com"),
        asked("dns NXDOMAIN is wanted", DnsAnswer::Nxdomain, "query_name: example.com, valid_rcodes: [NXDOMAIN]"),
        asked("dns REFUSED", DnsAnswer::Refused, "query_name: example.com"),
        asked("dns NOTIMP", DnsAnswer::NotImplemented, "query_name: example.com, valid_rcodes: [NOTIMP]"),
        asked("dns FORMERR", DnsAnswer::FormatError, "query_name: example.com"),
        asked("dns no records", DnsAnswer::Nodata, "query_name: example.com, query_type: MX"),
        asked("dns no serial number", DnsAnswer::Nodata, "query_name: example.com, query_type: SOA"),
        asked("dns no code is wanted", answers(&[]), "query_name: example.com, valid_rcodes: []")
            .differs("dns-no-rcodes", &["probe_success"]),
    ]
}

#[rustfmt::skip]
fn questions() -> Vec<Row> {
    let two = || answers(&[
        "example.com. 3600 IN SOA ns.example.com. noc.example.com. 7 7200 3600 1209600 3600",
        "example.com. 3600 IN SOA ns.example.com. noc.example.com. 9 7200 3600 1209600 3600",
    ]);
    let asked = |name, settings| dns(name, Setup::NameServer(two()), settings);
    vec![
        asked("dns two serial numbers", "query_name: example.com, query_type: SOA"),
        asked("dns serial numbers of another type", "query_name: example.com, query_type: ANY"),
        asked("dns name with a dot", "query_name: example.com."),
        asked("dns name of the root", "query_name: ."),
        asked("dns name with an underscore", "query_name: _dmarc.example.com, query_type: TXT"),
        asked("dns name in capitals", "query_name: EXAMPLE.com"),
        asked("dns HTTPS", "query_name: example.com, query_type: HTTPS"),
        asked("dns Hesiod", "query_name: example.com, query_type: TXT, query_class: HS"),
        asked("dns any class", "query_name: example.com, query_class: ANY"),
        asked("dns umlauts", "query_name: müller.example").differs("dns-idna", &["requests"]),
    ]
}

#[rustfmt::skip]
fn messages() -> Vec<Row> {
    let asked = |name, answer| dns(name, Setup::NameServer(answer), "query_name: example.com, query_type: A");
    let over_tcp = |name, answer| dns(name, Setup::NameServer(answer), "query_name: example.com, query_type: A, transport_protocol: tcp");
    let good = || Box::new(DnsAnswer::addresses(&["127.0.0.1"]));
    let question = b"\x07example\x03com\0\0\x01\0\x01";
    let header = |records: u8| [0x81, 0x80, 0, 1, 0, records, 0, 0, 0, 0];
    let record = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01";
    let long = [header(40).as_slice(), question, &record.repeat(40)].concat();
    let lie = [header(99).as_slice(), question, record].concat();
    let loops = [header(1).as_slice(), question, b"\xc0\x1d", &record[2..]].concat();
    let behind = [header(1).as_slice(), question, record, &[0xff; 40]].concat();
    vec![
        asked("dns truncated", DnsAnswer::Truncated(good())),
        asked("dns garbage", DnsAnswer::Malformed),
        over_tcp("dns garbage by tcp", DnsAnswer::Malformed),
        asked("dns more records than come", DnsAnswer::Bytes(lie)),
        asked("dns names in a loop", DnsAnswer::Bytes(loops)),
        asked("dns bytes behind the message", DnsAnswer::Bytes(behind)),
        asked("dns long datagram", DnsAnswer::Bytes(long)).differs("dns-long-datagram", TAKEN),
        asked("dns other identifier", DnsAnswer::OtherIdentifier(good())).too_slow(),
        over_tcp("dns other identifier by tcp", DnsAnswer::OtherIdentifier(good())),
        asked("dns other question", DnsAnswer::OtherQuestion(good())).too_slow().differs("dns-other-question", TAKEN),
        over_tcp("dns other question by tcp", DnsAnswer::OtherQuestion(good())).differs("dns-other-question", TAKEN),
        asked("dns silence", DnsAnswer::Silent).too_slow(),
        over_tcp("dns silence by tcp", DnsAnswer::Silent).too_slow(),
        over_tcp("dns closed before the answer", DnsAnswer::CutAfter(0, good())),
        over_tcp("dns closed in the answer", DnsAnswer::CutAfter(20, good())),
        over_tcp("dns large answer", DnsAnswer::addresses(&["127.0.0.1"; 2000])),
        dns("dns to nobody", Setup::Nobody, "query_name: example.com"),
        dns("dns to nobody by tcp", Setup::Nobody, "query_name: example.com, transport_protocol: tcp"),
    ]
}

/// Records whose whole line has to be the same.
#[rustfmt::skip]
fn texts() -> Vec<Row> {
    let written = |name, line: &str, settings| dns(name, Setup::NameServer(answers(&[line])), settings);
    let text = |name, line: &str, settings| written(name, line, settings).up();
    vec![
        text("dns text of A", "a.example. 60 IN A 192.0.2.1", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: [\"^a\\\\.example\\\\.\\t60\\tIN\\tA\\t192\\\\.0\\\\.2\\\\.1$\"] }"),
        text("dns text of AAAA", "a.example. 60 IN AAAA ::ffff:192.0.2.1", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tAAAA\\t::ffff:192.0.2.1$'] }"),
        text("dns text of MX", "a.example. 60 IN MX 10 mx.example.", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tMX\\t10 mx\\.example\\.$'] }"),
        text("dns text of TXT", "a.example. 60 IN TXT \"v=spf1 -all\"", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tTXT\\t\"v=spf1 -all\"$'] }"),
        text("dns text of quotes", "a.example. 60 IN TYPE16 \\# 6 056122c3a909", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tTXT\\t\"a\\\\\"\\\\195\\\\169\\\\009\"$'] }"),
        text("dns text of SOA", "a.example. 60 IN SOA ns.example. noc.example. 1 2 3 4 5", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tSOA\\tns\\.example\\. noc\\.example\\. 1 2 3 4 5$'] }"),
        text("dns text of SRV", "a.example. 60 IN SRV 1 2 53 s.example.", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tSRV\\t1 2 53 s\\.example\\.$'] }"),
        text("dns text of CAA", "a.example. 60 IN CAA 0 issue \"ca.example\"", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tCAA\\t0 issue \"ca\\.example\"$'] }"),
        text("dns text of DS", "a.example. 60 IN TYPE43 \\# 6 12340802abcd", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tDS\\t4660 8 2 ABCD$'] }"),
        text("dns text of DNSKEY", "a.example. 60 IN TYPE48 \\# 6 0101030dffee", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tDNSKEY\\t257 3 13 /\\+4=$'] }"),
        text("dns text of RRSIG", "a.example. 60 IN TYPE46 \\# 22 00010d020000003c65920080659200800007016100ff", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tRRSIG\\tA 13 2 60 20240101000000 20240101000000 7 a\\. /w==$'] }"),
        text("dns text of NSEC", "a.example. 60 IN TYPE47 \\# 11 0162000006400100000003", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tNSEC\\tb\\. A MX RRSIG NSEC$'] }"),
        text("dns text of NSEC3", "a.example. 60 IN TYPE50 \\# 15 0100000a01ab050001020304000140", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tNSEC3\\t1 0 10 AB 000G40O4 A$'] }"),
        text("dns text of TLSA", "a.example. 60 IN TLSA 3 1 1 abcd", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tTLSA\\t3 1 1 abcd$'] }"),
        text("dns text of SSHFP", "a.example. 60 IN SSHFP 4 2 abcd", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tSSHFP\\t4 2 ABCD$'] }"),
        text("dns text of NAPTR", "a.example. 60 IN NAPTR 1 2 \"u\" \"E2U+sip\" \"!a!b!\" .", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tNAPTR\\t1 2 \"u\" \"E2U\\+sip\" \"!a!b!\" \\.$'] }"),
        text("dns text of HTTPS", "a.example. 60 IN TYPE65 \\# 27 000100000100060268320268330003000201bb000400047f000001", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tHTTPS\\t1 \\. alpn=\"h2,h3\" port=\"443\" ipv4hint=\"127\\.0\\.0\\.1\"$'] }"),
        text("dns text of an unknown type", "a.example. 60 IN TYPE65280 \\# 2 abcd", "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['\\tCLASS1\\tTYPE65280\\t\\\\# 2 abcd$'] }"),
        written("dns text of LOC", "a.example. 60 IN TYPE29 \\# 16 00121613800000008000000000989680", "query_name: a, validate_answer_rrs: { fail_if_matches_regexp: ['\\\\#'] }")
            .differs("dns-record-text", &["probe_success"]),
    ]
}

#[rustfmt::skip]
fn secure() -> Vec<Row> {
    let good = || DnsAnswer::addresses(&["127.0.0.1"]);
    let server = |name, leaf, settings| dns(name, Setup::SecureNameServer(leaf, good()), settings);
    vec![
        server("dns over TLS", Leaf::Good, "query_name: example.com, query_type: A, transport_protocol: tcp, dns_over_tls: true, tls_config: { {ca} }").up(),
        server("dns over TLS expired", Leaf::Expired, "query_name: example.com, query_type: A, transport_protocol: tcp, dns_over_tls: true, tls_config: { {ca} }"),
        server("dns over TLS for another name", Leaf::WrongName, "query_name: example.com, query_type: A, transport_protocol: tcp, dns_over_tls: true, tls_config: { {ca} }"),
        server("dns over TLS for the module's name", Leaf::WrongName, "query_name: example.com, query_type: A, transport_protocol: tcp, dns_over_tls: true, tls_config: { {ca}, server_name: other.example }").up(),
        server("dns over TLS not verified", Leaf::Untrusted, "query_name: example.com, query_type: A, transport_protocol: tcp, dns_over_tls: true, tls_config: { insecure_skip_verify: true }").up(),
        dns("dns over TLS without it", Setup::NameServer(DnsAnswer::Silent), "query_name: example.com, transport_protocol: tcp, dns_over_tls: true").too_slow(),
    ]
}

#[rustfmt::skip]
fn targets() -> Vec<Row> {
    let server = || Setup::NameServer(answers(&["example.com. 3600 IN A 127.0.0.1"]));
    vec![
        dns("dns name in the target", server(), "query_name: other.example").target("127.0.0.1:{port}/example.com?type=A")
            .differs("dns-name-in-target", &["probe_dns_answer_rrs", "probe_dns_query_succeeded", "probe_success", "requests"]),
        dns("dns port that is none", server(), "query_name: example.com").target("127.0.0.1:99999")
            .differs("bad-target", &["status of the exporter"]),
    ]
}

/// What the peer loads although no probe can succeed.
#[rustfmt::skip]
fn refused() -> Vec<Row> {
    let server = || Setup::NameServer(answers(&[]));
    vec![
        dns("dns over TLS by datagrams", server(), "query_name: example.com, dns_over_tls: true").differs("dns-refused", &["module"]),
        dns("dns code that is none", server(), "query_name: example.com, valid_rcodes: [NOT_A_VALID_RCODE]").differs("dns-refused", &["module"]),
        dns("dns expression that is none", server(), "query_name: example.com, validate_answer_rrs: { fail_if_matches_regexp: ['('] }").differs("dns-refused", &["module"]),
        dns("dns protocol that is none", server(), "query_name: example.com, transport_protocol: sctp").differs("dns-refused", &["module"]),
    ]
}
