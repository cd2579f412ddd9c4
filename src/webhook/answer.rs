//! How a request ended: why it was not accepted, what is counted and logged of it, and the answer that it gets.
//!
//! Must not know how alerts are taken in.

use std::sync::atomic::{AtomicU64, Ordering};

use alerting::harmless;
use axum::{http::StatusCode, response::Response};
use tracing::{error, warn};

use super::counters::Counters;
use crate::http::{BodyError, plain};

/// How much of what is wrong with a request is reported, in bytes: it may quote the request.
pub(super) const REASON_BYTES_MAX: usize = 200;

/// Why a request was not accepted.
pub(super) enum Refusal {
    /// It is none that can be understood; asking again will not help.
    Foreign(String),
    /// It is too long; asking again will not help.
    TooLong(String),
    /// It is not on the disk, although it may be kept; the sender has to ask again.
    NotWritten(String),
    /// It could not be read now; the sender has to ask again.
    Busy(String),
    /// Ends among it are not believed yet, and cannot be kept until then; the sender has to ask again.
    Held(String),
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        let why = error.to_string();
        match error {
            BodyError::CrossSite | BodyError::Broken(_) => Self::Foreign(why),
            BodyError::TooLong { .. } => Self::TooLong(format!("{why}: send fewer alerts at once")),
            BodyError::Busy(_) => Self::Busy(why),
        }
    }
}

impl Counters {
    /// Counts and logs how a request ended, and answers it. Only a status of 5xx makes an Alertmanager ask again.
    pub(super) fn answer(&self, outcome: Result<usize, Refusal>) -> Response {
        let (counter, status, text) = match outcome {
            Ok(0) => (&self.accepted, StatusCode::OK, "Written.\n".to_owned()),
            Ok(ends) => (&self.held, StatusCode::OK, format!("Kept; {}\n", doubt(ends))),
            Err(refusal) => self.refuse(refusal),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        plain(status, text)
    }

    fn refuse(&self, refusal: Refusal) -> (&AtomicU64, StatusCode, String) {
        match refusal {
            Refusal::Foreign(why) => {
                let why = harmless(&why, REASON_BYTES_MAX);
                warn!("Webhook refused: {why}.");
                (&self.refused, StatusCode::BAD_REQUEST, format!("{why}\n"))
            }
            Refusal::TooLong(why) => {
                warn!("Webhook refused: {why}.");
                (&self.refused, StatusCode::PAYLOAD_TOO_LARGE, format!("{why}\n"))
            }
            Refusal::NotWritten(why) => {
                error!(%why, "Alerts not written; Alertmanager will report them again.");
                let text = format!("not written yet: {why}\n");
                (&self.failed, StatusCode::INTERNAL_SERVER_ERROR, text)
            }
            Refusal::Busy(why) => {
                warn!(%why, "Webhook not read; Alertmanager will send it again.");
                (&self.failed, StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
            }
            Refusal::Held(why) => (&self.held, StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }
}

/// What is said of ends that have to wait.
pub(super) fn doubt(ends: usize) -> String {
    format!(
        "{ends} ends of alerts are not believed yet: nothing was evaluated for too long, by the heartbeat"
    )
}
