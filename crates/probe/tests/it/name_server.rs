//! The DNS kind: what is asked, and what becomes of the answer.

use probe::{Module, Net, ProbeResult};
use testkit::{Certificates, DnsAnswer, DnsServer, Leaf, Question};

use crate::support::{LONG, Table, label, module, run, run_plain, value, verdict};

const SOA: &str =
    "example.com. 3600 IN SOA ns.example.com. noc.example.com. 1000 7200 3600 1209600 3600";

/// A module with these entries in its section.
fn dns(entries: &str) -> String {
    format!("{{ prober: dns, dns: {{ {entries} }} }}")
}

fn server_of(answer: DnsAnswer) -> impl Future<Output = DnsServer> {
    DnsServer::start([(".", answer)])
}

fn two_addresses() -> DnsAnswer {
    DnsAnswer::sections(
        &["example.com. 60 IN A 127.0.0.1", "example.com. 60 IN A 127.0.0.2"],
        &["example.com. 60 IN NS ns.example.com."],
        &[],
    )
}

fn noted(result: &ProbeResult, text: &str) -> bool {
    result.notes.iter().any(|(_, note)| note.contains(text))
}

#[tokio::test]
async fn an_answer_is_judged_by_its_code_and_its_records() {
    let server = server_of(two_addresses()).await;
    let target = server.address().to_string();
    let mut table = Table::default();
    for (entries, expected, detail) in [
        ("query_name: example.com", "up", ""),
        ("query_name: example.com, transport_protocol: tcp", "up", ""),
        ("query_name: example.com, valid_rcodes: [NXDOMAIN]", "check/status", "NOERROR"),
        (
            "query_name: a, validate_answer_rrs: { fail_if_matches_regexp: [zz, '2$'] }",
            "check/regexp",
            "answer section: `2$` matches example.com. 60 IN A 127.0.0.2",
        ),
        (
            "query_name: a, validate_answer_rrs: { fail_if_not_matches_regexp: ['1$'] }",
            "check/regexp",
            "does not match",
        ),
        (
            "query_name: a, validate_authority_rrs: { fail_if_none_matches_regexp: ['\\tMX\\t'] }",
            "check/regexp",
            "authority section: `\\tMX\\t` matches no record",
        ),
        (
            "query_name: a, validate_additional_rrs: { fail_if_not_matches_regexp: [.] }",
            "check/regexp",
            "there is no record",
        ),
        ("query_name: a, validate_additional_rrs: { fail_if_matches_regexp: [.] }", "up", ""),
    ] {
        let result = run_plain(&dns(entries), &target).await;
        table.expect(entries, &result, expected);
        let said = format!("{:?}", result.outcome);
        table.check(entries, said.contains(&detail.replace('\\', "\\\\")), &said);
        for (metric, expected) in [
            ("probe_dns_answer_rrs", 2.0),
            ("probe_dns_authority_rrs", 1.0),
            ("probe_dns_additional_rrs", 0.0),
            ("probe_dns_query_succeeded", 1.0),
            ("probe_ip_protocol", 4.0),
        ] {
            let found = value(&result, metric);
            table.check(entries, found == Some(expected), &format!("{metric} is {found:?}"));
        }
        table.check(entries, value(&result, "probe_dns_serial").is_none(), "a serial number");
    }
    table.finish();
}

#[tokio::test]
async fn the_question_is_that_of_the_module_or_of_the_target() {
    let server = server_of(DnsAnswer::Nodata).await;
    let address = server.address();
    let mut expected = Vec::new();
    for (entries, suffix, question) in [
        ("query_name: a.example", "", Question::new("a.example", "ANY")),
        ("query_name: a.example., query_type: HTTPS", "/", Question::new("a.example", "HTTPS")),
        (
            "query_name: a.example, query_class: CH, recursion_desired: false",
            "",
            Question {
                class: "CH".to_owned(),
                recursion_desired: false,
                ..Question::new("a.example", "ANY")
            },
        ),
        ("query_name: a.example, query_type: A", "/b.example", Question::new("b.example", "A")),
        ("query_type: A", "/b.example?type=mx", Question::new("b.example", "MX")),
        (
            "query_type: A",
            "/b.example?type=TXT;class=CH",
            Question { class: "CH".to_owned(), ..Question::new("b.example", "TXT") },
        ),
        (
            "query_name: a, query_type: A, transport_protocol: tcp",
            "",
            Question { over_tcp: true, ..Question::new("a", "A") },
        ),
        ("query_name: Müller.example", "", Question::new("xn--mller-kva.example", "ANY")),
    ] {
        let result = run_plain(&dns(entries), &format!("dns://{address}{suffix}")).await;
        assert_eq!(verdict(&result), "up", "{entries} {suffix}");
        expected.push(question);
    }
    assert_eq!(server.questions(), expected);
}

#[test]
fn targets_are_checked_before_they_are_probed() {
    let nameless = module(&dns("query_type: A"));
    let named = module(&dns("query_name: a.example"));
    for (module, target, needle) in [
        (&nameless, "192.0.2.1", "write it as 192.0.2.1/www.example.com"),
        (
            &nameless,
            "dns://192.0.2.1/?type=MX",
            "write it as dns://192.0.2.1/www.example.com?type=MX",
        ),
        (&nameless, "192.0.2.1/", "which name to ask for"),
        (&named, "192.0.2.1/a..b", "not a name to ask for"),
        (&named, "192.0.2.1/a?type=MXX", "did you mean `MX`?"),
        (&named, "192.0.2.1/a?typ=MX", "no part of a question"),
        (&named, "https://192.0.2.1/", "not for this module"),
        (&named, "192.0.2.1:0", "not a port"),
    ] {
        let said = module.target(target).unwrap_err().to_string();
        assert!(said.contains(needle), "{target}: {said}");
        assert_eq!(module.target_lenient(target).unwrap_err().to_string(), said);
    }
    for target in ["192.0.2.1", "2001:db8::1", "[2001:db8::1]:53", "ns.example/b.example?class=IN"]
    {
        named.target(target).unwrap_or_else(|error| panic!("{target}: {error}"));
    }
    let modules = Module::builtin();
    assert!(modules["dns_udp"].target("192.0.2.1/a.example").is_ok());
}

#[test]
fn mistakes_of_a_module_are_reported_when_it_is_loaded() {
    for (entries, needle) in [
        ("query_type: MXX", "`MXX` is not a record type"),
        ("query_class: INET", "is not a class"),
        ("valid_rcodes: [NXDOMAN]", "did you mean `NXDOMAIN`?"),
        ("query_name: a..b", "is not a name to ask for"),
        ("dns_over_tls: true", "`transport_protocol: tcp`"),
        ("transport_protocol: sctp", "sctp"),
        ("validate_answer_rrs: { fail_if_matches_regexp: ['('] }", "is not a regular expression"),
        ("validate_answer_rrs: { fail_if_matches: [a] }", "fail_if_matches_regexp"),
        ("query: a", "did you mean `query_"),
    ] {
        let text = format!("modules:\n  a: {}\n", dns(entries));
        let said = format!("{:?}", probe::parse_modules(&text).unwrap_err());
        assert!(said.contains(needle), "{entries}: {said}");
    }
}

#[tokio::test]
async fn the_serial_number_is_that_of_the_zone() {
    for (answer, expected) in [
        (DnsAnswer::sections(&[SOA], &[], &[]), Some(1000.0)),
        (DnsAnswer::sections(&[SOA, &SOA.replace("1000", "1001")], &[], &[]), Some(1001.0)),
        (DnsAnswer::sections(&[], &[SOA], &[]), Some(0.0)),
        (DnsAnswer::Bytes(vec![0xff; 9]), None),
    ] {
        let server = server_of(answer).await;
        let settings = dns("query_name: example.com, query_type: SOA");
        let result = run_plain(&settings, &server.address().to_string()).await;
        assert_eq!(value(&result, "probe_dns_serial"), expected, "{:?}", result.outcome);
    }
}

#[tokio::test]
async fn the_evidence_shows_the_question_and_the_answer() {
    let server = server_of(two_addresses()).await;
    let settings = dns("query_name: example.com, query_type: A");
    let result = run_plain(&settings, &server.address().to_string()).await;
    let [hop] = result.evidence.hops.as_slice() else { panic!("{:?}", result.evidence) };
    assert_eq!(hop.title, "example.com. IN A from 127.0.0.1");
    assert_eq!(hop.peer, Some(server.address()));
    assert_eq!(hop.request, ";; flags: rd\n;; QUESTION: 1\nexample.com. IN A\n");
    let answer = ";; status: NOERROR, flags: qr rd ra\n;; ANSWER: 2\nexample.com. 60 IN A 127.0.0.1\nexample.com. 60 IN A 127.0.0.2\n;; AUTHORITY: 1\nexample.com. 60 IN NS ns.example.com.\n";
    assert_eq!(hop.head, answer);
    let summary = "2 answer, 1 authority and 0 additional records";
    assert!(noted(&result, summary), "{:?}", result.notes);
    for phase in ["resolve", "connect", "request"] {
        let has = |sample: &probe::Sample| {
            sample.metric.name == "probe_dns_duration_seconds"
                && sample.labels.iter().any(|(_, value)| value == phase)
        };
        assert!(result.samples.iter().any(has), "{phase}");
    }
}

#[tokio::test]
async fn the_certificate_of_a_name_server_is_verified_and_reported() {
    let certificates = Certificates::new();
    let net = Net::for_tests(None, &[certificates.authority()]).unwrap();
    let settings = dns("query_name: a, query_type: A, transport_protocol: tcp, dns_over_tls: true");
    for (leaf, expected) in [(Leaf::Good, "up"), (Leaf::Expired, "tls/expired")] {
        let answer = DnsAnswer::addresses(&["127.0.0.1"]);
        let server = DnsServer::start_tls(certificates.acceptor(leaf), [(".", answer)]).await;
        let target = format!("localhost:{}", server.address().port());
        let result = run(&net, &settings, &target, LONG).await;
        assert_eq!(verdict(&result), expected);
        assert!(value(&result, "probe_ssl_earliest_cert_expiry").is_some());
        assert!(label(&result, "probe_tls_version_info", "version").is_some());
        let asked = usize::from(expected == "up");
        assert_eq!(server.questions().len(), asked, "nothing is asked of a stranger");
    }
}

#[tokio::test]
async fn the_next_address_of_the_server_is_asked_when_one_does_not_answer() {
    let answer = DnsAnswer::addresses(&["127.0.0.1"]);
    let server = DnsServer::start([(".", answer)]).await;
    let dead =
        DnsServer::start([("two.test", DnsAnswer::addresses(&["127.0.0.9", "127.0.0.1"]))]).await;
    let net = Net::for_tests(Some(dead.address()), &[]).unwrap();
    let target = format!("two.test:{}", server.address().port());
    for entries in ["query_name: a", "query_name: a, transport_protocol: tcp"] {
        let result = run(&net, &dns(entries), &target, LONG).await;
        assert_eq!(verdict(&result), "up", "{entries}");
        assert_eq!(result.evidence.hops[0].peer, Some(server.address()), "{entries}");
    }
}
