//! What a probe found, and the last failure of a target, in words.
//!
//! Must not know which page asks.

use maud::{Markup, html};
use notation::text::shortened;
use probe::Outcome;
use series::Timestamp;

use super::words;
use crate::{explain, query::Failures, state::ProbeRecord};

/// What a probe found: a badge, and of a failure its meaning, name and particulars.
pub(super) fn outcome(outcome: &Outcome) -> Markup {
    let (class, word, failure) = match outcome {
        Outcome::Up => ("up", "● Up", None),
        Outcome::Down(failure) => ("down", "✕ Down", Some(failure)),
        Outcome::Fault(failure) => ("none", "○ Impossible", Some(failure)),
    };
    html! {
        span class={ "badge " (class) } { (word) }
        @if let Some(failure) = failure {
            " " (explain::meaning(failure.phase.as_str(), failure.reason.as_str()))
            div.detail {
                (failure.phase) "/" (failure.reason)
                @if !failure.detail.is_empty() { ": " (shortened(&failure.detail, 300)) }
            }
        }
    }
}

/// The last failure: of the last probe, or else of the past.
pub(super) fn last_failure(
    latest: Option<&ProbeRecord>,
    failures: &Failures,
    now: Timestamp,
) -> Markup {
    let present = latest.and_then(|record| match &record.result.outcome {
        Outcome::Up => None,
        Outcome::Down(failure) | Outcome::Fault(failure) => Some((failure, record.started)),
    });
    html! {
        @if let Some((failure, at)) = present {
            (explain::meaning(failure.phase.as_str(), failure.reason.as_str())) ", " (words::when(at, now))
            @if !failure.detail.is_empty() {
                div.detail { (shortened(&failure.detail, 160)) }
            }
        } @else if let Some((phase, reason, at)) = failures.last() {
            (explain::meaning(phase, reason)) ", " (words::when(at, now))
        } @else {
            (words::NOTHING)
        }
    }
}
