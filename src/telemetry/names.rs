//! The canonical list of the program's own metrics.
//!
//! Must not know how they are counted.

use super::{
    Kind::{Counter, Gauge},
    OwnMetric,
};

/// Declares the program's own metrics and the list of all of them.
macro_rules! own_metrics {
    ($($constant:ident = $kind:ident $name:literal, $help:literal;)+) => {
        $(#[doc = $help] pub static $constant: OwnMetric = OwnMetric { name: $name, help: $help, kind: $kind };)+

        /// Every metric of the program about itself.
        pub static ALL: &[&OwnMetric] = &[$(&$constant),+];
    };
}

own_metrics! {
    BUILD_INFO = Gauge "webservice_monitor_build_info", "The version of the running program; always 1.";
    CONFIG_RELOAD_SUCCESSFUL = Gauge "webservice_monitor_config_last_reload_successful",
        "Whether the last attempt to load the configuration succeeded.";
    CONFIG_RELOAD_TIME = Gauge "webservice_monitor_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was loaded.";
    TARGETS = Gauge "webservice_monitor_targets", "How many targets the configuration in force has.";
    PROBES = Counter "webservice_monitor_probes_total", "Probes by outcome: up, down, or fault when the failure was internal.";
    PROBES_IN_FLIGHT = Gauge "webservice_monitor_probes_in_flight", "Probes that are running or waiting for their turn.";
    SLOTS_MISSED = Counter "webservice_monitor_probe_slots_missed_total",
        "Slots that passed unused: the previous probe of the target had not ended, or the program was held up.";
    MODULES_UNKNOWN = Counter "webservice_monitor_module_unknown_total",
        "Requests of a probe with a module that does not exist.";
    RULE_FAILURES = Counter "webservice_monitor_rule_evaluation_failures_total", "Evaluations of rules that failed.";
    STORE_SERIES = Gauge "webservice_monitor_store_series", "Series in the embedded store.";
    STORE_SAMPLES = Gauge "webservice_monitor_store_samples", "Samples in the embedded store.";
    STORE_HEAD_BYTES = Gauge "webservice_monitor_store_head_bytes", "Memory that the samples of the embedded store take.";
    STORE_WAL_BYTES = Gauge "webservice_monitor_store_wal_bytes", "Size of the write-ahead log on disk.";
    STORE_DROPPED = Counter "webservice_monitor_store_samples_dropped_total",
        "Samples that were not newer than the last one of their series.";
    STORE_UNLOGGED = Counter "webservice_monitor_store_samples_unlogged_total",
        "Samples that count but never reached the disk, because it took none for too long.";
    STORE_SYNC_FAILURES = Counter "webservice_monitor_store_sync_failures_total",
        "Rounds whose samples could not be written to disk; they are kept in memory and tried again.";
    RESULTS_QUEUED = Gauge "webservice_monitor_results_queued", "Results that wait to be stored.";
    RESULTS_DROPPED = Counter "webservice_monitor_results_dropped_total",
        "Results that were left out of the store because too many waited; the oldest go first.";
    DISK_SYNC_SECONDS = Gauge "webservice_monitor_disk_sync_seconds",
        "How long the disk took for the last round of samples or, when that is longer, has taken for the present one.";
    DISK_SLOW_SYNCS = Counter "webservice_monitor_disk_slow_syncs_total",
        "Rounds of samples for which the disk took longer than a second.";
    NOTIFICATIONS = Counter "webservice_monitor_notifications_total", "Notifications delivered, by notifier.";
    NOTIFICATION_ERRORS = Counter "webservice_monitor_notification_errors_total",
        "Attempts to deliver that failed; the notifications are kept and tried again.";
    NOTIFICATIONS_DROPPED = Counter "webservice_monitor_notifications_dropped_total",
        "Notifications given up because too many waited, or because all attempts to deliver them failed.";
    NOTIFICATIONS_QUEUED = Gauge "webservice_monitor_notifications_queued", "Notifications that wait for delivery.";
    COMMAND_EXIT_CODE = Gauge "webservice_monitor_command_exit_code",
        "The exit code of the program that was run last for an alert; -1 before the first run and where it had none.";
    WEBHOOKS = Counter "webservice_monitor_webhook_requests_total",
        "Requests of Alertmanager by outcome: accepted, refused for what they are, failed because nothing could be written, or held: taken in with ends that are not believed yet.";
    WEBHOOK_TRUNCATED = Counter "webservice_monitor_webhook_truncated_alerts_total",
        "Alerts that Alertmanager left out of its requests because of a limit in its configuration.";
    WEBHOOK_SKIPPED = Counter "webservice_monitor_webhook_skipped_alerts_total",
        "Alerts in requests of Alertmanager that were not understood and are left out.";
    WEBHOOK_HELD = Counter "webservice_monitor_webhook_held_ends_total",
        "Ends of alerts that had to wait because nothing was evaluated for too long, by the heartbeat.";
    HEARTBEAT_TIME = Gauge "webservice_monitor_heartbeat_timestamp_seconds",
        "When the last heartbeat of Prometheus and Alertmanager came in.";
    CPU_SECONDS = Counter "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.";
    OPEN_FDS = Gauge "process_open_fds", "Number of open file descriptors.";
    MAX_FDS = Gauge "process_max_fds", "Maximum number of open file descriptors.";
    RESIDENT_BYTES = Gauge "process_resident_memory_bytes", "Resident memory size in bytes.";
    START_TIME = Gauge "process_start_time_seconds", "Start time of the process since unix epoch in seconds.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_counters_end_in_total() {
        let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert_eq!(metric.kind == Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
