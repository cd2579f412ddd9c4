//! Names of labels that are nearly those with a meaning: a misspelling that would silently do nothing.
//!
//! A user's own labels are carried along as they are, so this only warns, and only when the name is one edit away.
//! Must not know how a targets file is read.

use notation::suggestion::is_one_edit;

/// The labels with a meaning.
const KNOWN: [&str; 11] = [
    "module",
    "service",
    "team",
    "severity",
    "alert_after",
    "max_latency",
    "slo",
    "depends_on",
    "prober",
    "__scrape_interval__",
    "__scrape_timeout__",
];

/// Of shorter names other words are one letter away: `slow` of `slo`, `teams` of `team`.
const LETTERS_MIN: usize = 6;

/// A name that other words are one letter away from although it is long: `probe`, `proper`.
const EXACT: [&str; 1] = ["prober"];

/// The label with a meaning that a name is nearly, if there is one.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    if KNOWN.contains(&name) {
        return None;
    }
    let letters = plain(name);
    KNOWN.into_iter().find(|known| {
        let wanted = plain(known);
        let may_differ = wanted.len() >= LETTERS_MIN && !EXACT.contains(known);
        letters == wanted || (may_differ && is_one_edit(&letters, &wanted))
    })
}

/// The letters alone, in lower case: `alertAfter` and `alert_after` are one name to a reader.
fn plain(name: &str) -> String {
    name.chars().filter(|character| *character != '_').collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_seen() {
        for (name, known) in [
            ("alertafter", "alert_after"),
            ("alertAfter", "alert_after"),
            ("alert_aftr", "alert_after"),
            ("alerts_after", "alert_after"),
            ("maxlatency", "max_latency"),
            ("max_latancy", "max_latency"),
            ("SLO", "slo"),
            ("dependson", "depends_on"),
            ("depend_on", "depends_on"),
            ("severty", "severity"),
            ("severtiy", "severity"),
            ("Severity", "severity"),
            ("serverity", "severity"),
            ("modul", "module"),
            ("modules", "module"),
            ("servcie", "service"),
            ("Team", "team"),
            ("scrape_interval", "__scrape_interval__"),
            ("scrape_timeout", "__scrape_timeout__"),
            ("scrapeInterval", "__scrape_interval__"),
        ] {
            assert_eq!(meant(name), Some(known), "{name}");
        }
    }

    #[test]
    fn other_words_are_no_misspellings() {
        for name in [
            "tier",
            "owner",
            "slow",
            "slos",
            "model",
            "mode",
            "node",
            "mobile",
            "teams",
            "tea",
            "steam",
            "security",
            "device",
            "server",
            "probe",
            "probes",
            "proper",
            "depends",
            "min_latency",
            "latency",
            "alert",
            "alert_name",
            "alerting",
            "after",
            "region",
            "env",
            "environment",
            "cluster",
            "zone",
            "interval",
            "timeout",
            "customer",
            "product",
            "host",
            "phase",
            "",
            "_",
            "é",
        ] {
            assert_eq!(meant(name), None, "{name}");
        }
        assert!(KNOWN.into_iter().all(|known| meant(known).is_none()));
    }
}
