//! What is known of the last answer, as numbers, whatever became of the probe after it.
//!
//! Must not know how the answer was got.

use std::{borrow::Cow, time::SystemTime};

use http::{Method, header};

use super::answer::Answer;
use crate::{
    context::ProbeContext,
    report::{MetricDef, Stage, metric},
};

/// What only an HTTP probe yields.
pub(super) static METRICS: &[&MetricDef] = &[
    &metric::HTTP_STATUS_CODE,
    &metric::HTTP_VERSION,
    &metric::HTTP_REDIRECTS,
    &metric::HTTP_SSL,
    &metric::HTTP_CONTENT_LENGTH,
    &metric::HTTP_BODY_LENGTH,
    &metric::HTTP_BODY_HASH,
    &metric::HTTP_DURATION,
    &metric::HTTP_LAST_MODIFIED,
    &metric::FAILED_DUE_TO_REGEX,
    &metric::FAILED_DUE_TO_CEL,
    &metric::ADDRESS_SUCCESS,
];

/// The numbers of one attempt.
#[derive(Debug, Default)]
pub(super) struct ResponseFacts {
    pub(super) redirects: u32,
    pub(super) ssl: bool,
    pub(super) status: u16,
    version: f64,
    content_length: f64,
    pub(super) body_length: u64,
    pub(super) body_hash: Option<f64>,
    last_modified: Option<f64>,
    pub(super) failed_due_to_regex: bool,
    /// Nothing when the module has no CEL expression.
    pub(super) failed_due_to_cel: Option<bool>,
    pub(super) lookup: Lookup,
}

/// What became of the lookup of the target's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lookup {
    /// No address was found, so that no later stage was ever tried.
    #[default]
    InVain,
    Done,
    /// The module leaves it to a proxy, so that there is no such stage.
    LeftOut,
}

impl ResponseFacts {
    /// Hands the numbers over, with the times of the stages.
    pub(super) fn report(&self, context: &mut ProbeContext) {
        context.sample(&metric::HTTP_STATUS_CODE, f64::from(self.status));
        context.sample(&metric::HTTP_VERSION, self.version);
        context.sample(&metric::HTTP_REDIRECTS, f64::from(self.redirects));
        context.sample(&metric::HTTP_SSL, if self.ssl { 1.0 } else { 0.0 });
        context.sample(&metric::HTTP_CONTENT_LENGTH, self.content_length);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a body is read up to a limit far below 2^53 bytes"
        )]
        context.sample(&metric::HTTP_BODY_LENGTH, self.body_length as f64);
        context
            .sample(&metric::FAILED_DUE_TO_REGEX, if self.failed_due_to_regex { 1.0 } else { 0.0 });
        if let Some(failed) = self.failed_due_to_cel {
            context.sample(&metric::FAILED_DUE_TO_CEL, if failed { 1.0 } else { 0.0 });
        }
        if let Some(hash) = self.body_hash {
            context.sample(&metric::HTTP_BODY_HASH, hash);
        }
        if let Some(last_modified) = self.last_modified {
            context.sample(&metric::HTTP_LAST_MODIFIED, last_modified);
        }
        for stage in Stage::ALL {
            let none = if stage == Stage::Resolve { Lookup::LeftOut } else { Lookup::InVain };
            if self.lookup != none {
                let labels = vec![("phase", Cow::Borrowed(stage.as_str()))];
                context.labelled(&metric::HTTP_DURATION, labels, context.time(stage).as_secs_f64());
            }
        }
    }

    /// Forgets the answer before this request: what counts is the last one, also when there is none.
    pub(super) fn begin(&mut self, ssl: bool) {
        let Self { redirects, lookup, .. } = *self;
        *self = Self { redirects, ssl, lookup, ..Self::default() };
    }

    /// Records what the head of an answer says.
    pub(super) fn take(&mut self, answer: &Answer, method: &Method) {
        let headers = &answer.parts.headers;
        let text =
            |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        self.status = answer.parts.status.as_u16();
        self.version = match answer.parts.version {
            http::Version::HTTP_10 => 1.0,
            http::Version::HTTP_2 => 2.0,
            http::Version::HTTP_3 => 3.0,
            _ => 1.1,
        };
        let declared = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        self.content_length = match declared {
            Some(length) if *method == Method::HEAD => length,
            // That the body is empty can be known by the status alone.
            _ if answer.is_empty() && *method != Method::HEAD => 0.0,
            Some(length) if !headers.contains_key(header::TRANSFER_ENCODING) => length,
            _ => -1.0,
        };
        self.last_modified = text(header::LAST_MODIFIED).and_then(unix_seconds);
    }
}

/// A date of HTTP (RFC 9110 §5.6.7) in seconds since the Unix epoch.
fn unix_seconds(date: &str) -> Option<f64> {
    let since = httpdate::parse_http_date(date).ok()?.duration_since(SystemTime::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60.0));
        assert_eq!(unix_seconds("Thursday, 01-Jan-70 00:01:00 GMT"), Some(60.0));
        assert_eq!(unix_seconds("Thu Jan  1 00:01:00 1970"), Some(60.0));
        assert_eq!(unix_seconds("yesterday"), None);
    }
}
