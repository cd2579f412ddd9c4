//! Differences that concern many rows alike, each with its key in `docs/differences.md` and the condition under which it is it.
//!
//! What concerns a single row stands in the row. Must not know any row.

use std::collections::BTreeSet;

use super::exporter::Answer;

/// The metrics about TLS.
const TLS: &[&str] = &[
    "probe_ssl_earliest_cert_expiry",
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "probe_ssl_last_chain_info",
    "probe_tls_cipher_info",
    "probe_tls_version_info",
];

/// What both said in one row, and the metric in which they differ.
pub(super) struct Difference<'a> {
    pub(super) metric: &'a str,
    pub(super) peer: &'a Answer,
    pub(super) own: &'a Answer,
    /// Why we say that the probe failed: phase and reason.
    pub(super) reason: (&'a str, &'a str),
}

/// A difference that may happen in any row.
pub(super) struct Rule {
    pub(super) key: &'static str,
    pub(super) explains: fn(&Difference<'_>) -> bool,
}

impl Difference<'_> {
    fn both(&self) -> (&str, &str) {
        (value(self.peer, self.metric), value(self.own, self.metric))
    }

    fn is(&self, metric: &str) -> bool {
        self.metric == metric
    }
}

/// The one value of a metric; empty when there is none.
fn value<'a>(answer: &'a Answer, metric: &str) -> &'a str {
    answer.get(metric).and_then(BTreeSet::first).map_or("", String::as_str)
}

/// A request without the header field that names the page it comes from.
fn without_referer(requests: &str) -> String {
    let pattern = regex::Regex::new(r"(?i)(; )?referer: [^;\]]*").unwrap();
    pattern.replace_all(requests, "").replace("[; ", "[")
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        key: "referer",
        explains: |difference| {
            let (peer, own) = difference.both();
            difference.is("requests") && without_referer(peer) == own
        },
    },
    Rule {
        key: "cipher-order",
        explains: |difference| {
            let (peer, own) = difference.both();
            difference.is("probe_tls_cipher_info") && !peer.is_empty() && !own.is_empty()
        },
    },
    Rule {
        key: "cipher-of-tcp",
        explains: |difference| {
            let (peer, own) = difference.both();
            let is_tcp = !value(difference.peer, "probe_failed_due_to_bytes").is_empty();
            difference.is("probe_tls_cipher_info") && is_tcp && peer.is_empty() && !own.is_empty()
        },
    },
    Rule {
        key: "dns-tls",
        explains: |difference| {
            let (peer, own) = difference.both();
            let is_dns = !value(difference.peer, "probe_dns_query_succeeded").is_empty();
            TLS.contains(&difference.metric) && is_dns && peer.is_empty() && !own.is_empty()
        },
    },
    Rule {
        key: "tls-facts",
        explains: |difference| {
            let (peer, own) = difference.both();
            let status = value(difference.peer, "probe_http_status_code");
            let nothing_came = ["", "0"].contains(&status);
            let failed = value(difference.own, "probe_success") == "0";
            let more = TLS.contains(&difference.metric) && peer.is_empty();
            let ssl = difference.is("probe_http_ssl") && (peer, own) == ("0", "1");
            nothing_came && failed && (more || ssl)
        },
    },
    Rule {
        key: "no-chain",
        explains: |difference| {
            difference.is("probe_ssl_last_chain_expiry_timestamp_seconds")
                && difference.both() == ("-62135596800", "")
        },
    },
    Rule {
        key: "redirect-loop",
        explains: |difference| {
            difference.reason == ("redirect", "loop")
                && (difference.is("requests") || difference.is("probe_http_redirects"))
        },
    },
    Rule {
        key: "redirect-refused",
        explains: |difference| difference.reason.0 == "redirect" && difference.reason.1 != "loop",
    },
    Rule {
        key: "token-request",
        explains: |difference| {
            let plain = |requests: &str| {
                let without = requests.replace("Accept: application/json; ", "");
                without_referer(&without.replace("; Accept-Encoding: gzip", ""))
            };
            let (peer, own) = difference.both();
            difference.is("requests") && peer.contains("/token") && plain(peer) == plain(own)
        },
    },
    Rule {
        key: "token-failure",
        explains: |difference| {
            difference.reason.0 == "token"
                && (difference.is("requests") || difference.is("probe_http_duration_seconds"))
        },
    },
];
