//! What only DNS checks yield, by the names of `blackbox_exporter`.
//!
//! Must not know how it is measured.

use crate::report::{MetricDef, metric};

metric::metrics! {
    pub(super)
    DURATION = "probe_dns_duration_seconds", "Duration of DNS request by phase.";
    ANSWERS = "probe_dns_answer_rrs", "Returns number of entries in the answer resource record list.";
    AUTHORITIES = "probe_dns_authority_rrs", "Returns number of entries in the authority resource record list.";
    ADDITIONALS = "probe_dns_additional_rrs", "Returns number of entries in the additional resource record list.";
    SUCCEEDED = "probe_dns_query_succeeded", "Displays whether or not the query was executed successfully.";
    SERIAL = "probe_dns_serial", "Returns the serial number of the zone.";
}

pub(super) static ALL: &[&MetricDef] =
    &[&DURATION, &ANSWERS, &AUTHORITIES, &ADDITIONALS, &SUCCEEDED, &SERIAL];
