//! What a probe saw, as plain text: for `debug=true`, `/logs` and the terminal.
//!
//! The texts were bounded, made printable and freed of secrets when they were taken. Must not know pages.

use std::fmt::Write as _;

use ::probe::{Evidence, Hop};

use crate::explain;

/// The evidence of a probe, each line ending with a line feed.
pub(crate) fn evidence_text(evidence: &Evidence) -> String {
    let mut text = String::new();
    if evidence.hops.is_empty() {
        text.push_str("no request was made\n");
    }
    for (index, hop) in evidence.hops.iter().enumerate() {
        write_hop(&mut text, index + 1, hop);
    }
    for warning in &evidence.warnings {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "warning {warning}: {}", explain::warning(*warning));
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

/// The small facts of a request, as pairs of a name and a value.
pub(crate) fn hop_facts(hop: &Hop) -> Vec<(&'static str, String)> {
    let address = hop.peer.map(|peer| ("Address", peer.to_string()));
    address.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::probe::{Timing, Warning};

    use super::*;

    #[test]
    fn everything_seen_is_told_in_order() {
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
            (Timing::Resolve, Duration::from_micros(1500)),
            (Timing::Connect, Duration::from_millis(2)),
        ];
        let evidence = Evidence { hops: vec![hop], warnings: vec![Warning::Downgrade] };
        let expected = "1. GET http://a/ (attempt 2)\n   Address: 127.0.0.1:80\n   Times: resolve 1.500 ms, connect 2.000 ms\n   > GET http://a/\n   > Host: a\n   < HTTP/1.1 200 OK\n   < server-timing: db;dur=5;desc=\"the rows\", app\n   | ok\n   | \n   | fine\n   server timing: db 5 ms (the rows)\n   server timing: app\nwarning downgrade: ";
        let text = evidence_text(&evidence);
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(evidence_text(&Evidence::default()), "no request was made\n");
    }
}
