//! Carries out the steps of `query_response`, and judges what the service says.
//!
//! A service that says nothing is `check/timeout`. One that says something else than what is expected, until the deadline or
//! until it closes, is `check/regexp` or `check/missing_text`. Must not know how the connection came about.

use std::borrow::Cow;

use notation::text::cut;
use regex::bytes::Captures;

use super::{
    reader::Reader,
    step::{Label, Message, Step},
};
use crate::{
    context::ProbeContext,
    kind::steps,
    net::{Net, tls::TlsSettings, transport::Transport},
    report::{
        Failure, HIDDEN, Label as SampleLabel, Phase, Reason, Stage, metric, text::printable,
    },
    setting::Pattern,
};

/// The longest value of a label that a service fills, in bytes.
const LABEL_BYTES_MAX: usize = 1024;

/// How much of a line is quoted in a failure, in bytes.
const QUOTED_BYTES_MAX: usize = 160;

metric::metrics! {
    pub(super)
    EXPECT_INFO = "probe_expect_info", "What a step of the dialogue found in the line that it expected; always 1.";
}

/// A dialogue in progress.
pub(super) struct Dialogue<'a> {
    /// What `starttls` asks for.
    pub(super) tls: &'a TlsSettings,
    /// The name of the server in TLS.
    pub(super) name: &'a str,
    reader: Reader,
    /// What was sent, as it may be shown.
    sent: String,
    /// The labels that `probe_expect_info` has already: a series is recorded once.
    recorded: Vec<Vec<SampleLabel>>,
}

/// What a line has to match, and what it was.
struct Match<'a> {
    pattern: &'a Pattern,
    /// As it was matched against the expression: what is not UTF-8 is replaced, so that `.` matches it as in RE2.
    line: Vec<u8>,
}

impl Match<'_> {
    fn captures(&self) -> Option<Captures<'_>> {
        self.pattern.regex.captures(&self.line)
    }

    /// A text in which `${1}` and `${name}` stand for groups; those of no group are empty.
    fn expand(&self, template: &str) -> Vec<u8> {
        let mut expanded = Vec::new();
        if let Some(captures) = self.captures() {
            captures.expand(template.as_bytes(), &mut expanded);
        }
        expanded
    }
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(tls: &'a TlsSettings, name: &'a str, stream: Transport) -> Self {
        let reader = Reader::new(stream);
        Self { tls, name, reader, sent: String::new(), recorded: Vec::new() }
    }

    /// Carries the steps out, and reports what was seen.
    pub(super) async fn run(
        mut self,
        steps: &[Step],
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<(), Failure> {
        conceal(context, steps);
        let mut outcome = Ok(());
        for (index, step) in steps.iter().enumerate() {
            outcome = self.step(step, net, context).await.map_err(|failure| Failure {
                detail: format!("step {}: {}", index + 1, failure.detail),
                ..failure
            });
            if outcome.is_err() {
                break;
            }
        }
        let is = |reason| {
            let failed = outcome
                .as_ref()
                .is_err_and(|failure| failure.phase == Phase::Check && failure.reason == reason);
            if failed { 1.0 } else { 0.0 }
        };
        context.sample(&metric::FAILED_DUE_TO_REGEX, is(Reason::Regexp));
        context.sample(&metric::FAILED_DUE_TO_BYTES, is(Reason::MissingText));
        if let Some(hop) = context.hop() {
            hop.request = self.sent;
            hop.keep_head(self.reader.seen());
        }
        outcome
    }

    async fn step(
        &mut self,
        step: &Step,
        net: &Net,
        context: &mut ProbeContext,
    ) -> Result<(), Failure> {
        let found = match &step.expect {
            Some(pattern) => Some(self.expect(context, pattern).await?),
            None => None,
        };
        if let Some((found, labels)) = found.as_ref().zip(step.labels.as_ref()) {
            self.record_labels(context, found, labels);
        }
        if !step.expect_bytes.0.is_empty() {
            self.expect_bytes(context, &step.expect_bytes.0).await?;
        }
        if !step.send.is_empty() {
            self.send(context, &step.send, found.as_ref()).await?;
        }
        if step.starttls {
            self.begin_tls(net, context).await?;
        }
        Ok(())
    }

    /// Reads lines until one matches.
    async fn expect<'r>(
        &mut self,
        context: &mut ProbeContext,
        pattern: &'r Pattern,
    ) -> Result<Match<'r>, Failure> {
        let before = self.reader.lines();
        let mut last = None;
        let reader = &mut self.reader;
        let last_line = &mut last;
        let reading = async move {
            while let Some(line) = reader.line().await? {
                let line = match String::from_utf8_lossy(&line) {
                    Cow::Borrowed(_) => line,
                    Cow::Owned(replaced) => replaced.into_bytes(),
                };
                if pattern.regex.is_match(&line) {
                    return Ok(Some(line));
                }
                *last_line = Some(line);
            }
            Ok(None)
        };
        let read = context.stage(Phase::Check, Stage::Processing, reading).await;
        let ended = match read {
            Ok(Some(line)) => {
                context.note(format!("expected line: {}", shown(&line)));
                return Ok(Match { pattern, line });
            }
            Ok(None) => "the service closed the connection",
            // It has spoken, so that it is not slow: it waits for the client, or has something else to say.
            Err(failure) if failure.reason == Reason::Timeout && last.is_some() => {
                "the time was over"
            }
            Err(failure) => return Err(self.particular(failure)),
        };
        let count = self.reader.lines() - before;
        let came = match last {
            Some(line) => format!("the last of {count} lines is {}", shown(&line)),
            None => "no line came".to_owned(),
        };
        let detail =
            format!("no line matched `{}` when {ended}; {came}", short(pattern.to_string()));
        Err(Failure::new(Phase::Check, Reason::Regexp, detail))
    }

    /// Reads exactly these bytes.
    async fn expect_bytes(
        &mut self,
        context: &mut ProbeContext,
        wanted: &[u8],
    ) -> Result<(), Failure> {
        let reading = self.reader.exactly(wanted);
        let came = context.stage(Phase::Check, Stage::Processing, reading).await;
        let came = came.map_err(|failure| self.particular(failure))?;
        if came == wanted {
            context.note(format!("expected bytes: {}", shown(&came)));
            return Ok(());
        }
        let wanted_and_came = format!("{} was expected, {} came", shown(wanted), shown(&came));
        // The beginning of what is expected contradicts nothing.
        Err(if wanted.starts_with(&came) {
            let detail = format!("the service closed the connection: {wanted_and_came}");
            Failure::new(Phase::Check, Reason::Closed, detail)
        } else {
            Failure::new(Phase::Check, Reason::MissingText, wanted_and_came)
        })
    }

    /// A failure to read, with what came and was not yet enough to be judged.
    fn particular(&self, failure: Failure) -> Failure {
        let rest = self.reader.rest();
        if failure.phase != Phase::Check || rest.is_empty() {
            return failure;
        }
        let detail = format!("{}; what came is {}", failure.detail, shown(rest));
        Failure { detail, ..failure }
    }

    /// Sends a message, in which the groups of the line that this step expected are filled in.
    async fn send(
        &mut self,
        context: &mut ProbeContext,
        message: &Message,
        found: Option<&Match<'_>>,
    ) -> Result<(), Failure> {
        let bytes = match (message, found) {
            (Message::Exactly(bytes), _) => Cow::Borrowed(bytes.as_slice()),
            (Message::Line(line), None) => Cow::Owned([line.as_bytes(), b"\n"].concat()),
            (Message::Line(line), Some(found)) => {
                Cow::Owned([found.expand(line).as_slice(), b"\n"].concat())
            }
        };
        context.note("sends a message");
        self.sent.push_str(HIDDEN);
        self.sent.push('\n');
        let sending = self.reader.send(&bytes);
        context.stage(Phase::Check, Stage::Processing, sending).await
    }

    /// Begins TLS in the middle of the connection.
    async fn begin_tls(&mut self, net: &Net, context: &mut ProbeContext) -> Result<(), Failure> {
        let dropped = self.reader.rest().len();
        if dropped > 0 {
            context.note(format!("{dropped} bytes that came before TLS are not read"));
        }
        let Transport::Tcp(stream) = self.reader.take_stream()? else {
            // Refused when the module was loaded.
            return Err(Failure::new(Phase::Internal, Reason::Bug, "TLS inside of TLS"));
        };
        let stream = steps::handshake(self.tls, &[], self.name, stream, net, context).await?;
        self.reader.put_stream(Transport::Tls(Box::new(stream)));
        Ok(())
    }

    /// Records what a line holds, as labels.
    fn record_labels(&mut self, context: &mut ProbeContext, found: &Match<'_>, labels: &[Label]) {
        let filled = |label: &Label| {
            let mut value = String::from_utf8_lossy(&found.expand(&label.value)).into_owned();
            cut(&mut value, LABEL_BYTES_MAX);
            (Cow::Owned(label.name.0.clone()), Cow::Owned(value))
        };
        let labels: Vec<SampleLabel> = labels.iter().map(filled).collect();
        if !self.recorded.contains(&labels) {
            self.recorded.push(labels.clone());
            context.labelled(&EXPECT_INFO, labels, 1.0);
        }
    }
}

/// Names what is sent as secrets, whole and word by word: services repeat what they do not understand. The first word is a
/// command, and what the module itself expects is no secret.
fn conceal(context: &mut ProbeContext, steps: &[Step]) {
    let expected: Vec<String> =
        steps.iter().filter_map(|step| step.expect.as_ref()).map(ToString::to_string).collect();
    for step in steps {
        let text = match &step.send {
            Message::Line(line) => line.as_str(),
            Message::Exactly(bytes) => str::from_utf8(bytes).unwrap_or_default(),
        };
        for secret in std::iter::once(text.trim()).chain(text.split_whitespace().skip(1)) {
            // A group stands for what the service said.
            let is_filled = step.expect.is_some() && secret.contains('$');
            if !is_filled && !expected.iter().any(|expected| expected.contains(secret)) {
                context.conceal(secret);
            }
        }
    }
}

/// Bytes for people, in quotation marks.
fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", printable(bytes, QUOTED_BYTES_MAX))
}

fn short(mut text: String) -> String {
    cut(&mut text, QUOTED_BYTES_MAX);
    text
}
