//! Declared metric names and measured numbers.
//!
//! Names and meanings are those of `blackbox_exporter` wherever the meaning is the same. All metrics are gauges. Must not
//! know how samples are exposed or stored.

use std::borrow::Cow;

/// A metric that a probe may yield: declared once, so that its name and its HELP text cannot drift apart.
#[derive(Debug, PartialEq, Eq)]
pub struct MetricDef {
    /// The metric's name, unit last.
    pub name: &'static str,
    /// One sentence for the HELP line.
    pub help: &'static str,
}

/// A metric that says how long each phase of a probe took, by the label `phase`.
#[derive(Debug, PartialEq, Eq)]
pub struct PhaseMetric {
    /// The metric.
    pub metric: &'static MetricDef,
    /// The phases in the order in which they happen.
    pub names: &'static [&'static str],
}

/// A label: its name and its value. Only users choose names beyond those of this file.
pub type Label = (Cow<'static, str>, Cow<'static, str>);

/// A number that a probe measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was measured.
    pub metric: &'static MetricDef,
    /// The labels beyond the target's own, in the order in which they are written.
    pub labels: Vec<Label>,
    /// The value, in the unit that the metric's name ends with.
    pub value: f64,
}

/// Declares metrics, one constant each.
macro_rules! metrics {
    ($visibility:vis $($constant:ident = $name:literal, $help:literal;)+) => {
        $(#[doc = $help] $visibility static $constant: $crate::report::MetricDef =
            $crate::report::MetricDef { name: $name, help: $help };)+
    };
}

// Kinds declare what only they yield.
pub(crate) use metrics;

metrics! {
    pub
    SUCCESS = "probe_success", "Displays whether or not the probe was a success.";
    DURATION = "probe_duration_seconds", "Returns how long the probe took to complete in seconds.";
    TIMEOUT = "probe_timeout_seconds", "How long the probe was allowed to take in seconds.";
    FAILURE = "probe_failure_info", "Why the probe failed: the phase and the reason, both from closed lists; always 1.";
    WARNING = "probe_warning_info", "What is wrong with an answer that is accepted anyway; always 1.";
    ATTEMPTS = "probe_attempts", "How many times the target was asked, when the module allows retries.";
    ADDRESS_SUCCESS = "probe_address_success", "Whether the target is up at each of its addresses, when the module asks for all of them.";
    DNS_LOOKUP = "probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds.";
    IP_PROTOCOL = "probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6.";
    IP_ADDR_HASH = "probe_ip_addr_hash", "Specifies the hash of IP address. It's useful to detect if the IP address changes.";
    SSL_EARLIEST_EXPIRY = "probe_ssl_earliest_cert_expiry",
        "Returns earliest SSL cert expiry in unixtime, of the certificates presented, trusted or not.";
    SSL_HOPS_EXPIRY = "probe_ssl_hops_earliest_cert_expiry",
        "When the first certificate expires that the target or a host that it redirects to depends on, in unixtime: of each, the verified chain, or all that it presented when there is none.";
    SSL_NOT_BEFORE = "probe_ssl_not_before", "Since when the presented leaf certificate is valid, in unixtime.";
    SSL_LAST_CHAIN_EXPIRY = "probe_ssl_last_chain_expiry_timestamp_seconds",
        "Returns last SSL chain expiry in timestamp, when the chain is trusted.";
    SSL_LAST_CHAIN_INFO = "probe_ssl_last_chain_info", "Contains SSL leaf certificate information.";
    TLS_VERSION = "probe_tls_version_info", "Returns the TLS version used; always 1.";
    TLS_CIPHER = "probe_tls_cipher_info", "Returns the TLS cipher negotiated during handshake; always 1.";
    HTTP_STATUS_CODE = "probe_http_status_code", "Response HTTP status code.";
    HTTP_VERSION = "probe_http_version", "Returns the version of HTTP of the probe response.";
    HTTP_REDIRECTS = "probe_http_redirects", "The number of redirects.";
    HTTP_SSL = "probe_http_ssl", "Indicates if SSL was used for the final redirect.";
    HTTP_CONTENT_LENGTH = "probe_http_content_length", "Length of http content response; -1 when the server does not say.";
    HTTP_BODY_LENGTH = "probe_http_uncompressed_body_length", "Length of uncompressed response body, as far as it was read.";
    HTTP_BODY_HASH = "probe_http_body_hash",
        "The first 48 bits of the SHA-256 of the uncompressed response body, as a number: it changes when the body does.";
    HTTP_DURATION = "probe_http_duration_seconds", "Duration of http request by phase, summed over all redirects.";
    HTTP_LAST_MODIFIED = "probe_http_last_modified_timestamp_seconds", "Returns the Last-Modified HTTP response header in unixtime.";
    FAILED_DUE_TO_REGEX = "probe_failed_due_to_regex", "Indicates if probe failed due to regex.";
    FAILED_DUE_TO_BYTES = "probe_failed_due_to_bytes", "Indicates if probe failed due to bytes.";
    FAILED_DUE_TO_CEL = "probe_failed_due_to_cel", "Indicates if probe failed due to CEL expression not matching.";
}

/// What every kind of probe yields.
pub static COMMON: &[&MetricDef] = &[&SUCCESS, &DURATION, &TIMEOUT, &FAILURE, &WARNING, &ATTEMPTS];

/// What a kind yields that connects to a name or an address.
pub static ADDRESS: &[&MetricDef] = &[&DNS_LOOKUP, &IP_PROTOCOL, &IP_ADDR_HASH];

/// What a kind yields that uses TLS.
pub static TLS: &[&MetricDef] = &[
    &SSL_EARLIEST_EXPIRY,
    &SSL_HOPS_EXPIRY,
    &SSL_NOT_BEFORE,
    &SSL_LAST_CHAIN_EXPIRY,
    &SSL_LAST_CHAIN_INFO,
    &TLS_VERSION,
    &TLS_CIPHER,
];
