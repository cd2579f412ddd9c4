//! What a probe saw, as plain text: for `debug=true`, `/logs` and the terminal.
//!
//! The texts were bounded, made printable and freed of secrets when they were taken. Must not know pages.

use std::fmt::Write as _;

use probe::{CertificateSummary, Evidence, Hop, TlsSummary, TlsVerdict};

use super::warning as warning_meaning;

/// The evidence of a probe, each line ending with a line feed.
pub fn evidence_text(evidence: &Evidence) -> String {
    let mut text = String::new();
    if evidence.hops.is_empty() {
        text.push_str("no request was made\n");
    }
    for (index, hop) in evidence.hops.iter().enumerate() {
        write_hop(&mut text, index + 1, hop);
    }
    for warning in &evidence.warnings {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "warning {warning}: {}", warning_meaning(*warning));
    }
    text
}

fn write_hop(text: &mut String, number: usize, hop: &Hop) {
    let _infallible = write!(text, "{number}. {}", hop.title);
    if hop.attempt > 1 {
        let _infallible = write!(text, " (attempt {})", hop.attempt);
    }
    text.push('\n');
    for (name, value) in hop_facts(hop) {
        let _infallible = writeln!(text, "   {name}: {value}");
    }
    if !hop.times.is_empty() {
        let times = hop.times.iter().map(|(timing, elapsed)| {
            format!("{} {:.3} ms", timing.as_str(), elapsed.as_secs_f64() * 1000.0)
        });
        let _infallible = writeln!(text, "   Times: {}", times.collect::<Vec<_>>().join(", "));
    }
    for (sign, block) in [('>', &hop.request), ('<', &hop.head), ('|', &hop.body)] {
        for line in block.lines() {
            let _infallible = writeln!(text, "   {sign} {line}");
        }
    }
    for timing in hop.server_timing() {
        let _infallible = write!(text, "   server timing: {}", timing.name);
        if let Some(milliseconds) = timing.milliseconds {
            let _infallible = write!(text, " {milliseconds} ms");
        }
        if !timing.description.is_empty() {
            let _infallible = write!(text, " ({})", timing.description);
        }
        text.push('\n');
    }
}

/// The small facts of a request, as pairs of a name and a value: where it went, and what TLS showed.
pub fn hop_facts(hop: &Hop) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(peer) = hop.peer {
        facts.push(("Address", peer.to_string()));
    }
    if let Some(tls) = &hop.tls {
        facts.push(("TLS", tls_line(tls)));
        facts.extend(tls.certificates.iter().map(|shown| ("Certificate", certificate_line(shown))));
    }
    facts
}

fn tls_line(tls: &TlsSummary) -> String {
    let verdict = match tls.verdict {
        TlsVerdict::Trusted => "trusted".to_owned(),
        TlsVerdict::Pinned => "a certificate that the module names".to_owned(),
        TlsVerdict::Unchecked => "not verified, as the module wants it".to_owned(),
        TlsVerdict::Failed(reason) => format!("refused ({reason})"),
    };
    let version = tls.version.map(str::to_owned);
    let parts = [Some(verdict), version, tls.cipher.clone(), tls.alpn.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn certificate_line(certificate: &CertificateSummary) -> String {
    let mut line = format!("{}, issued by {}", certificate.subject, certificate.issuer);
    if !certificate.names.is_empty() {
        let _infallible = write!(line, ", for {}", certificate.names.join(" "));
    }
    let _infallible = write!(
        line,
        ", valid from {} to {}, {}, signed with {}, serial {}, SHA-256 {}",
        date(certificate.not_before),
        date(certificate.not_after),
        certificate.key,
        certificate.signature_algorithm,
        certificate.serial,
        certificate.fingerprint_sha256
    );
    line
}

/// Seconds since the Unix epoch as a time in UTC; dates that no calendar has stay numbers.
fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |at| at.strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use probe::{Reason, Stage, Warning};

    use super::*;

    #[test]
    fn everything_seen_is_shown_in_order() {
        let mut hop = Hop {
            attempt: 2,
            title: "GET http://a/".to_owned(),
            request: "GET http://a/\nHost: a\n".to_owned(),
            peer: Some("127.0.0.1:80".parse().unwrap()),
            head: "HTTP/1.1 200 OK\nserver-timing: db;dur=5;desc=\"the rows\", app\n".to_owned(),
            body: "ok\n\nfine".to_owned(),
            ..Hop::default()
        };
        hop.times = vec![
            (Stage::Resolve, Duration::from_micros(1500)),
            (Stage::Connect, Duration::from_millis(2)),
        ];
        let evidence = Evidence { hops: vec![hop], warnings: vec![Warning::Downgrade] };
        let expected = "1. GET http://a/ (attempt 2)\n   Address: 127.0.0.1:80\n   Times: resolve 1.500 ms, connect 2.000 ms\n   > GET http://a/\n   > Host: a\n   < HTTP/1.1 200 OK\n   < server-timing: db;dur=5;desc=\"the rows\", app\n   | ok\n   | \n   | fine\n   server timing: db 5 ms (the rows)\n   server timing: app\nwarning downgrade: ";
        let text = evidence_text(&evidence);
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(evidence_text(&Evidence::default()), "no request was made\n");
    }

    #[test]
    fn what_tls_showed_is_shown_whatever_became_of_it() {
        let certificate = CertificateSummary {
            subject: "CN=a.example".to_owned(),
            issuer: "CN=Example CA".to_owned(),
            names: vec!["a.example".to_owned(), "b.example".to_owned()],
            serial: "0a".to_owned(),
            fingerprint_sha256: "ab12".to_owned(),
            not_before: 0,
            not_after: i64::MAX,
            key: "RSA 2048".to_owned(),
            signature_algorithm: "sha256WithRSAEncryption".to_owned(),
        };
        let tls = |verdict| TlsSummary {
            version: Some("TLS 1.3"),
            alpn: Some("h2".to_owned()),
            verdict,
            certificates: [certificate.clone()].into(),
            ..TlsSummary::default()
        };
        for (verdict, line) in [
            (TlsVerdict::Trusted, "trusted, TLS 1.3, h2"),
            (TlsVerdict::Failed(Reason::Expired), "refused (expired), TLS 1.3, h2"),
        ] {
            let facts = hop_facts(&Hop { tls: Some(tls(verdict)), ..Hop::default() });
            assert_eq!(facts[0], ("TLS", line.to_owned()));
            let shown = "CN=a.example, issued by CN=Example CA, for a.example b.example, valid from 1970-01-01 00:00 to 9223372036854775807 s after 1970, RSA 2048, signed with sha256WithRSAEncryption, serial 0a, SHA-256 ab12";
            assert_eq!(facts[1], ("Certificate", shown.to_owned()));
        }
    }
}
