//! What each failure and each warning means, and what to look at: one sentence each, for people.
//!
//! Tests compare the tables with the closed sets of `probe`. Must not know where the sentences are shown.

pub mod evidence;

use probe::{Failure, Warning};

/// What a failure means, and what to look at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The phase; empty for a reason that means the same in each.
    phase: &'static str,
    reason: &'static str,
    /// A fragment without a full stop. That of a reason of every phase is followed by when it happened.
    meaning: &'static str,
    /// A whole sentence.
    advice: &'static str,
}

const fn entry(
    phase: &'static str,
    reason: &'static str,
    meaning: &'static str,
    advice: &'static str,
) -> Entry {
    Entry { phase, reason, meaning, advice }
}

/// Those of one phase, in the order in which they happen, then those that mean the same in each phase.
#[rustfmt::skip]
const FAILURES: &[Entry] = &[
    entry("policy", "invalid_target", "the target is not a valid address", "Compare the address with what its module needs: a URL, or host:port."),
    entry("policy", "denied_address", "the address is not allowed", "Look at the addresses that the program is allowed to probe."),
    entry("policy", "denied_scheme", "the scheme of the address is not allowed", "Only http and https can be probed by this module."),
    entry("resolve", "nxdomain", "the name does not exist", "Look for a spelling mistake, a removed DNS record or an expired domain."),
    entry("resolve", "nodata", "the name has no address of the wanted kind", "Compare the A and AAAA records with the module's preferred IP protocol."),
    entry("resolve", "servfail", "the name servers failed", "Ask the domain's name servers directly; DNSSEC or a zone transfer may be broken."),
    entry("resolve", "refused", "the name server refused to answer", "Look at the resolver that this machine uses, and at which clients it serves."),
    entry("resolve", "timeout", "looking up the name took too long", "Look at the resolver that this machine uses, and at the network in between."),
    entry("resolve", "cname_loop", "the name's aliases lead back to themselves, or to too many others", "Follow the CNAME records of the name."),
    entry("connect", "refused", "the connection was refused: nothing listens on the port", "Check whether the service runs, and on which address and port it listens."),
    entry("connect", "timeout", "the connection was not accepted in time", "A firewall may drop packets, or the service is too busy to accept connections."),
    entry("connect", "unreachable", "there is no route to the address", "Look at routes and firewalls, and whether this machine has that IP protocol at all."),
    entry("connect", "denied_address", "the name leads to an address that is not allowed", "Look at what the name resolves to, and at the addresses that may be probed."),
    entry("proxy", "connect", "the proxy cannot be connected to", "Check whether the proxy runs, and at the module's proxy address."),
    entry("proxy", "auth", "the proxy wants other credentials", "Look at the user and the password in the module's proxy settings."),
    entry("proxy", "refused", "the proxy refused to connect to the target", "Look at the proxy's log and at what it lets through."),
    entry("proxy", "timeout", "the proxy did not connect in time", "Check whether the proxy itself reaches the target."),
    entry("proxy", "bad_reply", "what came is not the answer of a proxy", "Check whether the address and the port in the module's proxy settings are a proxy's."),
    entry("tls", "expired", "a certificate has expired", "Renew it, and find out why that did not happen automatically; the server may need a reload to use the new one."),
    entry("tls", "not_yet_valid", "a certificate is not valid yet", "Compare the clocks of both machines with the beginning of its validity."),
    entry("tls", "name_mismatch", "the certificate is for another name", "Compare the names in the certificate with the target; the server may have chosen its default site."),
    entry("tls", "self_signed", "the certificate is self-signed", "Install a certificate of an authority, or name this one as the module's CA file."),
    entry("tls", "untrusted", "the issuer of the certificate is not trusted", "Name your own authority as the module's CA file, or find out who intercepts the connection."),
    entry("tls", "incomplete_chain", "the server does not send its intermediate certificate", "Configure the whole chain on the server; browsers hide this, other programs fail."),
    entry("tls", "revoked", "the certificate was revoked", "Issue a new one, and find out why it was revoked."),
    entry("tls", "weak", "a key or signature of the certificate is too weak", "Issue a certificate with a present-day key and signature."),
    entry("tls", "wrong_purpose", "the certificate is not for servers", "Check whether a client's or an authority's certificate was installed by mistake."),
    entry("tls", "bad_cert", "the certificate is malformed", "Look at the certificate file that the server uses."),
    entry("tls", "version", "no TLS version in common", "Compare the versions of the server with the module's smallest and largest ones."),
    entry("tls", "no_common_params", "no TLS parameters in common", "Look at the cipher suites and groups that the server allows."),
    entry("tls", "client_cert", "the server wants a client certificate", "Give the module a certificate and a key, or find out why the server refuses the one it has."),
    entry("tls", "alpn", "no application protocol in common", "Check whether the server speaks HTTP/1.1 or HTTP/2 on this port."),
    entry("tls", "unrecognized_name", "the server does not know the name", "Check whether the site is configured on this server, and at the module's server name."),
    entry("tls", "not_tls", "the server does not speak TLS on this port", "Look at the port, and whether the target should begin with http:// instead."),
    entry("tls", "alert", "the server ended the TLS handshake with an alert", "The server's log says why; the detail names the alert."),
    entry("tls", "violation", "what the server sends breaks the rules of TLS", "Look at the server's TLS library and at what is between it and the monitor."),
    entry("tls", "timeout", "the TLS handshake took too long", "The server accepts connections but does not serve them: look at its load."),
    entry("http", "no_response", "the connection was closed without an answer", "Look in the log of the service, or of the proxy before it, for a crash or a limit."),
    entry("http", "timeout", "no answer in time", "The service accepted the request but is too slow: look at its load and at what it waits for."),
    entry("http", "header_limit", "the answer has too many headers, or too large ones", "Look at the cookies and headers that the service sets."),
    entry("http", "too_many_1xx", "the server sends informational answers (1xx) without end", "Look at the proxy or the service that sends them."),
    entry("http", "bad_framing", "the length of the answer is contradictory", "Look at Content-Length and Transfer-Encoding: two programs may set them."),
    entry("http", "h2_goaway", "the server closed the HTTP/2 connection (GOAWAY) before the answer", "Check whether it was being restarted."),
    entry("http", "h2_reset", "the server reset the HTTP/2 stream", "Look in the service's log for the request; the detail has the code."),
    entry("http", "h2_violation", "the answer breaks the rules of HTTP/2", "Look at the server's HTTP/2 settings; HTTP/1.1 may work."),
    entry("http", "unexpected_upgrade", "the server switched to a protocol that nobody asked for", "Check whether the target is the address of a web page."),
    entry("token", "auth", "the token endpoint refused the module's credentials", "Look at the client's name and secret in the module's oauth2 settings, and whether they were changed."),
    entry("token", "status", "the token endpoint answered with an error", "The detail says which; look in the log of the authorization server."),
    entry("token", "bad_reply", "what the token endpoint answered is not a token", "Check whether the module's token_url is the address of a token endpoint."),
    entry("redirect", "too_many", "too many redirects", "Follow them in the evidence: each hop has its Location."),
    entry("redirect", "loop", "the redirects form a loop", "Follow them in the evidence; often http and https, or two host names, redirect to each other."),
    entry("redirect", "bad_location", "a redirect has no usable address", "Look at the Location header in the evidence."),
    entry("redirect", "denied_scheme", "a redirect leads away from http and https", "Look at the Location header in the evidence."),
    entry("redirect", "denied_address", "a redirect leads to an address that is not allowed", "Look at the Location header in the evidence: it may lead into your own network."),
    entry("redirect", "downgrade", "a redirect leads from https to http", "Look at the Location header in the evidence; the service may not know that it is reached by https."),
    entry("redirect", "timeout", "following the redirects took too long", "The evidence shows which hop took the time."),
    entry("body", "timeout", "the body did not arrive in time", "Look at the size of the page and at what the service waits for while it writes it."),
    entry("body", "truncated", "the body ended too early", "Look in the service's log for a crash in the middle of the answer."),
    entry("body", "too_large", "the body is larger than allowed", "Choose a smaller page, or raise the module's body_size_limit."),
    entry("body", "decode", "the body cannot be decoded", "Compare Content-Encoding with what the service really sends."),
    entry("body", "decode_limit", "the decoded body is larger than allowed", "Choose a smaller page, or raise the module's body_size_limit."),
    entry("body", "bad_framing", "the chunks of the body are broken", "Look at the proxy or the service that writes them."),
    entry("check", "status", "the status code is not an expected one", "The answer in the evidence says more; compare with the module's valid_status_codes or valid_rcodes."),
    entry("check", "nxdomain", "the name server says that the name does not exist", "Look for a spelling mistake in the name that is asked for, a removed DNS record or an expired domain."),
    entry("check", "servfail", "the name server failed to answer", "Look in its log; DNSSEC, a zone transfer or a server that it asks may be broken."),
    entry("check", "refused", "the name server refuses to answer", "Check which clients it serves, and whether it is asked for recursion although it only serves its own zones."),
    entry("check", "http_version", "the HTTP version is not an expected one", "Compare the answer in the evidence with the module's valid_http_versions."),
    entry("check", "regexp", "the answer's text is not as expected", "Compare the answer in the evidence with the module's expressions."),
    entry("check", "missing_text", "the answer does not hold the text that is expected", "Compare the answer in the evidence with the module's expect_bytes."),
    entry("check", "timeout", "what is expected did not come in time", "The service accepts connections but says nothing: look at its load, and whether it waits for something that the module does not send."),
    entry("check", "closed", "the connection was closed before what is expected came", "Compare the answer in the evidence with the steps of the module, and look in the log of the service."),
    entry("check", "too_large", "the answer goes on without what is expected", "Look at the port and at the answer in the evidence: something else may listen there."),
    entry("check", "header", "a header is not as expected", "Compare the answer in the evidence with what the module expects."),
    entry("check", "json", "the body is not the JSON that is expected", "Compare the body in the evidence with the module's assertions."),
    entry("check", "too_slow", "the answer took longer than the module allows", "The evidence shows which phase took the time."),
    entry("check", "ssl", "TLS was used but must not be", "See where the redirects lead; the module has fail_if_ssl."),
    entry("check", "not_ssl", "TLS was not used but must be", "See where the redirects lead; the module has fail_if_not_ssl."),
    entry("internal", "overload", "the monitor is overloaded", "This says nothing about the target: give the monitor more processor time, or probe less often."),
    entry("internal", "no_fds", "the monitor has no file descriptor, port or buffer left", "This says nothing about the target: raise the limit of open files (ulimit -n)."),
    entry("internal", "cancelled", "the probe was cancelled", "This says nothing about the target: the monitor was stopping."),
    entry("internal", "config", "a file that the module names cannot be read", "This says nothing about the target: the detail names the file."),
    entry("internal", "bug", "a bug in the monitor itself", "This says nothing about the target: please report it with the program's log."),
    entry("", "timeout", "nothing came in time", "The evidence shows how far the probe got."),
    entry("", "reset", "the connection was reset", "Look in the log of the service, or of the proxy before it, for a crash, a restart or a limit."),
    entry("", "closed", "the connection was closed", "Look in the log of the service, or of the proxy before it, for a crash, a restart or a limit."),
    entry("", "malformed", "what came breaks the protocol", "Look at the first bytes in the evidence: another protocol may be spoken on this port."),
];

/// What is wrong with an answer that is accepted anyway, and why it matters.
#[rustfmt::skip]
const WARNINGS: &[(&str, &str)] = &[
    ("http_version", "The answer names a version of HTTP/1 that does not exist; it was read as HTTP/1.1."),
    ("obsolete_folding", "A header goes on in the next line, which RFC 9112 forbids: proxies may refuse the answer."),
    ("space_before_colon", "A space is between a header's name and its colon: proxies may refuse the answer, or be deceived by it."),
    ("empty_header_name", "A header has no name; it was skipped."),
    ("bare_line_feed", "Lines of the head end with LF instead of CR LF: some clients will not read it."),
    ("carriage_return", "A header's value has a carriage return in it: this is how headers are injected, so look where the value comes from."),
    ("length_and_chunks", "The answer has both Content-Length and Transfer-Encoding, which is the shape of request smuggling: proxies may refuse it."),
    ("excess_body", "More bytes came than Content-Length announced; the rest was not read."),
    ("no_close_notify", "The server ended TLS without saying so: a cut answer could not be distinguished from a whole one."),
    ("downgrade", "A redirect leads from https to http, where anybody on the way can read and change the traffic."),
    ("user_in_location", "A redirect names a user or a password in its address: it ends up in logs and histories."),
    ("name_server", "The first name server did not answer; the next one did, after a delay."),
    ("truncated_answer", "The answer is longer than a datagram, so clients ask again over TCP: make sure that the server answers there too."),
    ("clock_step", "The clock of this machine was set during the probe: the times of this probe may be wrong."),
];

/// The entry of a failure: that of its phase, or that of its reason in every phase, or else the nearest one.
fn find(phase: &str, reason: &str) -> Option<&'static Entry> {
    let of =
        |phase: &str| FAILURES.iter().find(|entry| entry.phase == phase && entry.reason == reason);
    of(phase).or_else(|| of("")).or_else(|| FAILURES.iter().find(|entry| entry.reason == reason))
}

/// What a failure means, as a fragment without a full stop. The arguments are the labels of `probe_failure_info`.
pub fn meaning(phase: &str, reason: &str) -> String {
    match find(phase, reason) {
        Some(entry) if entry.phase == phase => entry.meaning.to_owned(),
        Some(entry) => format!("{} {}", entry.meaning, during(phase)),
        // A label of a stored series that an earlier or later version wrote.
        None => format!("{} {}", reason.replace('_', " "), during(phase)),
    }
}

/// What to look at first, as a whole sentence.
pub fn advice(phase: &str, reason: &str) -> &'static str {
    find(phase, reason).map_or("Look at the detail and at the evidence.", |entry| entry.advice)
}

/// A failure in words: what it means, and its particulars.
pub fn sentence(failure: &Failure) -> String {
    let meaning = meaning(failure.phase.as_str(), failure.reason.as_str());
    if failure.detail.is_empty() { meaning } else { format!("{meaning} ({})", failure.detail) }
}

/// What a warning means, as a whole sentence.
pub fn warning(warning: Warning) -> &'static str {
    let found = WARNINGS.iter().find(|(name, _)| *name == warning.as_str());
    found.map_or("The answer is not quite as it should be.", |(_, sentence)| sentence)
}

/// The phase of a failure, in words that follow what happened.
fn during(phase: &str) -> &'static str {
    match phase {
        "policy" => "before the connection",
        "resolve" => "while looking up the name",
        "connect" => "while connecting",
        "proxy" => "while asking the proxy",
        "tls" => "during the TLS handshake",
        "token" => "while fetching an access token",
        "http" => "before the headers were complete",
        "redirect" => "while following redirects",
        "body" => "while reading the body",
        "check" => "while checking the answer",
        _ => "within the monitor",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use probe::{Phase, Reason};

    use super::*;

    #[test]
    fn every_reason_has_an_entry_and_every_entry_is_of_a_reason() {
        let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        let phases: BTreeSet<&str> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
        let explained: BTreeSet<&str> = FAILURES.iter().map(|entry| entry.reason).collect();
        assert_eq!(explained, reasons);
        let mut seen = BTreeSet::new();
        for entry in FAILURES {
            assert!(entry.phase.is_empty() || phases.contains(entry.phase), "{entry:?}");
            assert!(seen.insert((entry.phase, entry.reason)), "duplicate: {entry:?}");
            let fragment =
                entry.meaning.starts_with(char::is_uppercase) && !entry.meaning.starts_with("TLS");
            assert!(!fragment && !entry.meaning.ends_with('.'), "{entry:?}");
            assert!(entry.advice.ends_with('.') && entry.advice.len() > 20, "{entry:?}");
        }
        for phase in Phase::ALL.iter().filter(|phase| **phase != Phase::Internal) {
            assert_ne!(during(phase.as_str()), during(""), "{phase} has no words of its own");
        }
    }

    #[test]
    fn every_failure_has_words() {
        for (phase, reason) in Phase::ALL
            .iter()
            .flat_map(|phase| Reason::ALL.iter().map(move |reason| (phase, reason)))
        {
            let words = meaning(phase.as_str(), reason.as_str());
            assert!(
                words.len() > 8 && !words.contains('_') && !words.ends_with('.'),
                "{phase}/{reason}: {words}"
            );
        }
        for (phase, reason, words) in [
            ("connect", "refused", "the connection was refused: nothing listens on the port"),
            ("body", "reset", "the connection was reset while reading the body"),
            ("proxy", "closed", "the connection was closed while asking the proxy"),
            ("tls", "of_the_future", "of the future during the TLS handshake"),
        ] {
            assert_eq!(meaning(phase, reason), words);
        }
        let failure = Failure::new(Phase::Check, Reason::Status, "503");
        assert_eq!(sentence(&failure), "the status code is not an expected one (503)");
    }

    #[test]
    fn every_warning_has_a_sentence() {
        let warnings: Vec<&str> = Warning::ALL.iter().map(|warning| warning.as_str()).collect();
        let explained: Vec<&str> = WARNINGS.iter().map(|(name, _)| *name).collect();
        assert_eq!(explained, warnings);
        for warning in Warning::ALL {
            assert!(super::warning(*warning).ends_with('.'));
        }
    }

    /// A reader must never be left without the cause of a failure.
    #[test]
    fn nothing_is_unknown() {
        let failures =
            FAILURES.iter().flat_map(|entry| [entry.reason, entry.meaning, entry.advice]);
        for text in failures.chain(WARNINGS.iter().flat_map(|warning| [warning.0, warning.1])) {
            assert!(!text.to_lowercase().contains("unknown"), "{text}");
        }
    }
}
