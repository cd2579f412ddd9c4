//! Which alerts are about the same thing: what stays of an alert's labels when those of its target are edited.
//!
//! Must not know rules, states, or who is notified.

use super::ALERT_NAME;
use crate::Labels;

/// The job of all targets.
const TARGETS_JOB: &str = "webservices";

/// What identifies a target among all targets; its other labels are words of its owner, who may edit them at any time.
const TARGET_LABELS: [&str; 3] = ["job", "instance", "module"];

/// The labels that identify an alert for as long as it lasts.
///
/// Of an alert about one target these are its name and the target's `job`, `instance` and `module`, so that an edit of
/// `team` or `severity` during an outage begins no new alert. Of any other alert they are all its labels: two disks of one
/// host are two alerts.
pub fn identity(labels: &Labels) -> Labels {
    if !is_about_a_target(labels) {
        return labels.clone();
    }
    labels.filtered(|name| name == ALERT_NAME || TARGET_LABELS.contains(&name))
}

/// Whether an alert is about one target: it has the job of all targets, or its instance is an address with a scheme.
pub fn is_about_a_target(labels: &Labels) -> bool {
    labels
        .get("instance")
        .is_some_and(|instance| labels.get("job") == Some(TARGETS_JOB) || instance.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_of_a_targets_labels_keep_the_identity_and_other_alerts_keep_all_labels() {
        let target = [("alertname", "Down"), ("job", "webservices"), ("instance", "db:5432")];
        for (edited, same) in [
            ([("severity", "info"), ("team", "web")], true),
            ([("severity", "critical"), ("alert_after", "5m")], true),
            ([("severity", "critical"), ("module", "tcp_connect")], false),
            ([("severity", "critical"), ("job", "other")], false),
        ] {
            let labels = Labels::new(target.into_iter().chain(edited));
            assert_eq!(identity(&labels) == Labels::new(target), same, "{labels:?}");
        }
        let mut disk =
            Labels::new([("alertname", "DiskFull"), ("job", "node"), ("instance", "a:9100")]);
        for device in ["sda", "sdb"] {
            let other = disk.with("device", device);
            assert_ne!(identity(&other), identity(&disk));
            disk = other;
        }
        // No job, but the instance can only be a target.
        let url = Labels::new([("alertname", "Down"), ("instance", "http://a/"), ("team", "web")]);
        assert!(is_about_a_target(&url));
        assert_eq!(identity(&url), identity(&url.with("team", "data")));
    }
}
