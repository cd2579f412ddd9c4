//! A probe in progress: one deadline over everything, timed stages, bounded samples and notes.
//!
//! Must not know what is probed.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, timeout_at};

use crate::{
    evidence::{self, Evidence, Hop, Warning},
    metric::{self, MetricDef, Sample},
    net::Net,
    result::{Failure, Outcome, Phase, ProbeResult, Reason},
};

/// The most samples that one probe may yield.
const SAMPLES_MAX: usize = 200;

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 512;

/// The most notes: with their length, what the memory of one remembered probe is bounded by.
const NOTES_MAX: usize = 64;

/// The longest detail of a failure, in bytes.
const DETAIL_BYTES_MAX: usize = 512;

/// A stage whose time is reported, summed over redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Looking up the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the request to the first byte of the answer.
    Processing,
    /// Reading the body.
    Transfer,
}

impl Timing {
    /// Every timing, in order.
    pub const ALL: [Self; 5] =
        [Self::Resolve, Self::Connect, Self::Tls, Self::Processing, Self::Transfer];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Processing => "processing",
            Self::Transfer => "transfer",
        }
    }
}

/// A probe in progress.
pub struct Scope<'a> {
    /// Name resolution and trusted roots.
    pub net: &'a Net,
    started: Instant,
    started_at: SystemTime,
    timeout: Duration,
    times: [(Timing, Duration); 5],
    samples: Vec<Sample>,
    notes: Vec<(Duration, String)>,
    evidence: Evidence,
    secrets: Vec<String>,
}

impl<'a> Scope<'a> {
    /// Begins a probe that must end within `timeout`.
    pub fn start(net: &'a Net, timeout: Duration) -> Self {
        Self {
            net,
            started: Instant::now(),
            started_at: net.now(),
            timeout,
            times: Timing::ALL.map(|timing| (timing, Duration::ZERO)),
            samples: Vec::new(),
            notes: Vec::new(),
            evidence: Evidence::default(),
            secrets: Vec::new(),
        }
    }

    /// The wall-clock time at which the probe began.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Runs one stage. When the deadline passes, this stage is what timed out.
    ///
    /// # Errors
    /// Those of the work, and the timeout.
    pub async fn phase<T>(
        &mut self,
        phase: Phase,
        timing: Timing,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        let outcome = timeout_at(self.started + self.timeout, work).await;
        let elapsed = begun.elapsed();
        for (known, sum) in &mut self.times {
            if *known == timing {
                *sum += elapsed;
            }
        }
        if let Some(hop) = self.evidence.hop() {
            hop.add_time(timing, elapsed);
        }
        outcome.unwrap_or_else(|_| {
            let detail = format!("no end within {:.3} s", self.timeout.as_secs_f64());
            Err(Failure::new(phase, Reason::Timeout, detail))
        })
    }

    /// How long a stage took so far, all redirects together.
    pub fn time(&self, timing: Timing) -> Duration {
        self.times
            .iter()
            .find(|(known, _)| *known == timing)
            .map_or(Duration::ZERO, |(_, sum)| *sum)
    }

    /// Takes a measured number in.
    pub fn sample(&mut self, metric: &'static MetricDef, value: f64) {
        self.labelled(metric, Vec::new(), value);
    }

    /// Takes a measured number with labels in. The number of samples is bounded.
    pub fn labelled(
        &mut self,
        metric: &'static MetricDef,
        labels: Vec<(&'static str, Cow<'static, str>)>,
        value: f64,
    ) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { metric, labels, value });
        }
    }

    /// Forgets the numbers of a metric, for those that only the last redirect counts for.
    pub fn forget(&mut self, metrics: &[&'static MetricDef]) {
        self.samples
            .retain(|sample| !metrics.iter().any(|metric| std::ptr::eq(*metric, sample.metric)));
    }

    /// Writes a line for people who ask what the probe did.
    pub fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((self.started.elapsed(), self.told(note.into(), NOTE_BYTES_MAX)));
        }
    }

    /// Begins a request, to which everything belongs that is told of the evidence from now on.
    pub fn begin_hop(&mut self, hop: Hop) {
        self.evidence.begin(hop);
    }

    /// The request in progress, to add what was seen of its answer.
    pub fn hop(&mut self) -> Option<&mut Hop> {
        self.evidence.hop()
    }

    /// Tells of something wrong with an answer that is accepted all the same.
    pub fn warn(&mut self, warning: Warning) {
        self.evidence.warn(warning);
    }

    /// Names a secret that the probe uses: it is hidden in everything that is told of the probe from now on.
    pub fn conceal(&mut self, secret: &str) {
        if !secret.is_empty() && !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
        }
    }

    /// A text as it may be told: without secrets, and not too long.
    fn told(&self, mut text: String, bytes_max: usize) -> String {
        evidence::conceal(&mut text, &self.secrets);
        evidence::cut(&mut text, bytes_max);
        text
    }

    /// Ends the probe.
    pub fn finish(mut self, outcome: Result<(), Failure>) -> ProbeResult {
        let elapsed = self.started.elapsed();
        let outcome = match outcome {
            Ok(()) => Outcome::Up,
            Err(failure) => {
                let detail = self.told(failure.detail, DETAIL_BYTES_MAX);
                let failure = Failure { detail, ..failure };
                if failure.phase == Phase::Internal {
                    Outcome::Fault(failure)
                } else {
                    Outcome::Down(failure)
                }
            }
        };
        let sample = |metric, value| Sample { metric, labels: Vec::new(), value };
        self.evidence.seal(&self.secrets);
        let mut samples = self.samples;
        samples.push(sample(&metric::DURATION, elapsed.as_secs_f64()));
        samples.push(sample(&metric::TIMEOUT, self.timeout.as_secs_f64()));
        samples.push(sample(&metric::SUCCESS, if outcome == Outcome::Up { 1.0 } else { 0.0 }));
        if let Outcome::Down(failure) = &outcome {
            let labels = vec![
                ("phase", Cow::Borrowed(failure.phase.as_str())),
                ("reason", Cow::Borrowed(failure.reason.as_str())),
            ];
            samples.push(Sample { metric: &metric::FAILURE, labels, value: 1.0 });
        }
        for warning in &self.evidence.warnings {
            let labels = vec![("warning", Cow::Borrowed(warning.as_str()))];
            samples.push(Sample { metric: &metric::WARNING, labels, value: 1.0 });
        }
        // Samples of one metric stand together, as the exposition wants them.
        samples.sort_by_key(|sample| sample.metric.name);
        ProbeResult {
            outcome,
            started: self.started_at,
            elapsed,
            timeout: self.timeout,
            samples,
            notes: self.notes,
            evidence: self.evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_stage_in_which_the_deadline_passes_timed_out() {
        let net = Net::for_tests(None, &[]).unwrap();
        let mut scope = Scope::start(&net, Duration::from_secs(5));
        let wait = |seconds| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(())
        };
        assert_eq!(scope.phase(Phase::Resolve, Timing::Resolve, wait(2)).await, Ok(()));
        let failure = scope.phase(Phase::Connect, Timing::Connect, wait(60)).await.unwrap_err();
        assert_eq!((failure.phase, failure.reason), (Phase::Connect, Reason::Timeout));
        assert_eq!(scope.time(Timing::Resolve), Duration::from_secs(2));
        assert_eq!(scope.time(Timing::Connect), Duration::from_secs(3));
        let result = scope.finish(Err(failure));
        assert_eq!(result.elapsed, Duration::from_secs(5));
        let failure =
            result.samples.iter().find(|sample| sample.metric == &metric::FAILURE).unwrap();
        assert_eq!(failure.labels, [("phase", "connect".into()), ("reason", "timeout".into())]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_target_can_fill_is_bounded() {
        let net = Net::for_tests(None, &[]).unwrap();
        let mut scope = Scope::start(&net, Duration::from_secs(5));
        for _ in 0..10_000 {
            scope.note("ä".repeat(10_000));
            scope.sample(&metric::HTTP_SSL, 1.0);
        }
        let result =
            scope.finish(Err(Failure::new(Phase::Internal, Reason::Bug, "x".repeat(10_000))));
        assert!(result.notes.iter().map(|(_, note)| note.len()).sum::<usize>() < 40_000);
        assert!(result.samples.len() < 250);
        assert!(matches!(result.outcome, Outcome::Fault(failure) if failure.detail.len() < 600));
    }
}
