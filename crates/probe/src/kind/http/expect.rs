//! What a module expects of the last answer.
//!
//! Must not know how the answer was got.

use http::{HeaderMap, HeaderName, StatusCode, response::Parts};

use super::{
    cel,
    facts::ResponseFacts,
    json,
    settings::{HeaderMatch, Http},
};
use crate::{
    context::ProbeContext,
    report::{Failure, Phase, Reason},
};

fn failure(reason: Reason, detail: String) -> Failure {
    Failure::new(Phase::Check, reason, detail)
}

impl Http {
    /// Checks everything but the body.
    pub(super) fn check_head(
        &self,
        head: &Parts,
        ssl: bool,
        due_to_regex: &mut bool,
    ) -> Result<(), Failure> {
        self.check_status(head.status)?;
        if !self.valid_http_versions.is_empty()
            && !self.valid_http_versions.iter().any(|version| version.is(head.version))
        {
            return Err(failure(
                Reason::HttpVersion,
                format!("the answer came in {:?}", head.version),
            ));
        }
        if self.fail_if_ssl && ssl {
            return Err(failure(Reason::Ssl, "the answer came over TLS".to_owned()));
        }
        if self.fail_if_not_ssl && !ssl {
            return Err(failure(Reason::NotSsl, "the answer did not come over TLS".to_owned()));
        }
        self.check_headers(&head.headers).inspect_err(|_| *due_to_regex = true)
    }

    fn check_status(&self, status: StatusCode) -> Result<(), Failure> {
        let valid = if self.valid_status_codes.is_empty() {
            status.is_success()
        } else {
            self.valid_status_codes.iter().any(|codes| codes.contains(status))
        };
        if valid {
            Ok(())
        } else {
            Err(failure(Reason::Status, format!("the status code is {status}")))
        }
    }

    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Failure> {
        for unwanted in &self.fail_if_header_matches {
            let (found, matched) = unwanted.look(headers);
            if matched || (!found && !unwanted.allow_missing) {
                let what = if matched { "matches" } else { "is missing, to be held against" };
                return Err(unwanted.failure(what));
            }
        }
        for wanted in &self.fail_if_header_not_matches {
            let (found, matched) = wanted.look(headers);
            if found && !matched {
                return Err(wanted.failure("does not match"));
            }
            if !found && !wanted.allow_missing {
                return Err(wanted.failure("is missing, to match"));
            }
        }
        Ok(())
    }

    /// Checks the body, as bytes.
    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), Failure> {
        for unwanted in &self.fail_if_body_matches_regexp {
            if unwanted.regex.is_match(body) {
                return Err(failure(Reason::Regexp, format!("the body matches `{unwanted}`")));
            }
        }
        for wanted in &self.fail_if_body_not_matches_regexp {
            if !wanted.regex.is_match(body) {
                return Err(failure(Reason::Regexp, format!("the body does not match `{wanted}`")));
            }
        }
        Ok(())
    }

    /// Notes that the body could not be read, so that it does not meet any expectation.
    pub(super) fn blame_unread_body(&self, facts: &mut ResponseFacts) {
        let patterns = [&self.fail_if_body_matches_regexp, &self.fail_if_body_not_matches_regexp];
        if patterns.iter().any(|patterns| !patterns.is_empty()) {
            facts.failed_due_to_regex = true;
        } else if self.has_cel() {
            facts.failed_due_to_cel = Some(true);
        }
    }

    /// Checks the body, as JSON.
    pub(super) async fn check_json(
        &self,
        body: Vec<u8>,
        context: &mut ProbeContext,
        facts: &mut ResponseFacts,
    ) -> Result<(), Failure> {
        if !self.wants_json() {
            return Ok(());
        }
        let due_to_cel = &mut facts.failed_due_to_cel;
        let value =
            json::parse(&body).inspect_err(|_| *due_to_cel = self.has_cel().then_some(true))?;
        drop(body);
        for wanted in &self.fail_if_body_json_not_matches {
            wanted.hold(&value)?;
        }
        let unwanted = self.fail_if_body_json_matches_cel.iter().map(|one| (one.clone(), true));
        let wanted = self.fail_if_body_json_not_matches_cel.iter().map(|one| (one.clone(), false));
        let expressions: Vec<_> = unwanted.chain(wanted).collect();
        if expressions.is_empty() {
            return Ok(());
        }
        let held = cel::hold(expressions, value, context).await;
        held.inspect_err(|_| *due_to_cel = Some(true))
    }
}

impl HeaderMatch {
    /// Whether there is such a header, and whether any of its values matches.
    fn look(&self, headers: &HeaderMap) -> (bool, bool) {
        let Ok(name) = self.header.parse::<HeaderName>() else { return (false, false) };
        let mut values = headers.get_all(name).iter().peekable();
        (values.peek().is_some(), values.any(|value| self.regexp.regex.is_match(value.as_bytes())))
    }

    fn failure(&self, what: &str) -> Failure {
        failure(Reason::Header, format!("the header `{}` {what} `{}`", self.header, self.regexp))
    }
}
