//! What a probe did and found, as the text of `debug=true` and of `/logs`.
//!
//! Must not know who asks for it.

use std::fmt::Write as _;

use ::probe::{Module, Outcome, ProbeResult};

use super::text::Exposition;
use crate::{
    explain::{self, evidence::evidence_text},
    state::Remembered,
};

/// The text of `debug=true` and of `/logs`. The module is as it is configured now.
pub(super) fn debug_text(remembered: &Remembered, module: Option<&Module>) -> String {
    let Remembered { record, trace } = remembered;
    let mut text = String::from("Logs for the probe:\n");
    // Writing to a string cannot fail.
    for (offset, note) in &trace.notes {
        let _infallible = writeln!(text, "{:>9.3} ms  {note}", offset.as_secs_f64() * 1000.0);
    }
    let _infallible = writeln!(text, "{}", verdict(&record.result));
    if let Outcome::Down(failure) | Outcome::Fault(failure) = &record.result.outcome {
        let (phase, reason) = (failure.phase.as_str(), failure.reason.as_str());
        let meaning = explain::meaning(phase, reason);
        let _infallible = writeln!(text, "{:>14}{meaning}. {}", "", explain::advice(phase, reason));
    }
    let _infallible = writeln!(
        text,
        "\n\nMetrics that would have been returned:\n{}",
        Exposition::of_probe(&record.result)
    );
    let module = module.map_or_else(
        || format!("the module {} is no longer configured\n", record.module),
        Module::to_yaml,
    );
    let _infallible = writeln!(text, "\nModule configuration:\n{module}");
    let _infallible = write!(text, "\nEvidence:\n{}", evidence_text(&trace.evidence));
    text
}

fn verdict(result: &ProbeResult) -> String {
    let milliseconds = result.elapsed.as_secs_f64() * 1000.0;
    match &result.outcome {
        Outcome::Up => format!("{milliseconds:>9.3} ms  probe succeeded"),
        Outcome::Down(failure) => format!("{milliseconds:>9.3} ms  probe failed: {failure}"),
        Outcome::Fault(failure) => format!("{milliseconds:>9.3} ms  probe impossible: {failure}"),
    }
}
