//! What holds for any bytes as the answers to an HTTP check. Must not know how the bytes came about.
//!
//! The first byte chooses the module and the version of HTTP; the rest is what the connections bring, one after the other,
//! with 0x1e between them.

use std::{sync::LazyLock, time::Duration};

use probe::{Module, Net, Outcome, Phase, ProbeResult, Reason, parse_modules};
use tokio::runtime::{Builder, Runtime};

/// Splits the input into the bytes of each connection.
const NEXT_CONNECTION: u8 = 0x1e;

/// What no part of a result may show.
const SECRET: &str = "hunter2-hunter2";

/// The most redirects that are followed.
const REDIRECTS_MAX: f64 = 10.0;

/// The most memory that one remembered probe may take, in bytes.
const EVIDENCE_BYTES_MAX: usize = 64 * 1024;

/// One of everything that looks at an answer.
const MODULES: &str = "
modules:
  a: { prober: http }
  b: { prober: http, http: { method: HEAD, follow_redirects: false } }
  c:
    prober: http
    http:
      method: POST
      body: hunter2-hunter2
      headers: { Authorization: Bearer hunter2-hunter2, Host: a.example, X-Key: hunter2-hunter2 }
      valid_status_codes: [2xx, 3xx, 404]
      fail_if_body_matches_regexp: [error, '(?i)fatal\\s+[0-9]+$']
      fail_if_body_not_matches_regexp: ['^\\s*[{<]']
  d:
    prober: http
    http:
      fail_if_header_matches: [{ header: Set-Cookie, regexp: '.*', allow_missing: true }]
      fail_if_header_not_matches: [{ header: Content-Type, regexp: '^text/' }]
      body_size_limit: 100B
      valid_http_versions: [HTTP/1.1, HTTP/2.0]
";

static CHOICES: LazyLock<Vec<Module>> =
    LazyLock::new(|| parse_modules(MODULES).unwrap().usable.into_values().collect());

thread_local! {
    // Without input and output: a probe that left the memory would panic. Time stands still unless everything waits.
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
}

/// Checks the result of a probe that gets these bytes.
pub(crate) fn check(bytes: &[u8]) {
    let Some((choice, answers)) = bytes.split_first() else { return };
    let choice = usize::from(*choice);
    let module = &CHOICES[choice % CHOICES.len()];
    let http2 = choice / CHOICES.len() % 2 == 1;
    let connections = answers.split(|byte| *byte == NEXT_CONNECTION).map(<[u8]>::to_vec).collect();
    let net = Net::scripted(connections, http2).unwrap();
    let target = module.target("http://a.example/path?query#part").unwrap();
    let result = RUNTIME
        .with(|runtime| runtime.block_on(module.probe(&net, &target, Duration::from_secs(5))));
    outcome_is_the_targets(&result);
    numbers_are_sound(&result, answers.len());
    let echoed = answers.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    texts_are_bounded_and_clean(&result, echoed);
}

fn outcome_is_the_targets(result: &ProbeResult) {
    if let Outcome::Fault(failure) = &result.outcome {
        panic!("a target made us fail: {failure}");
    }
    if let Outcome::Down(failure) = &result.outcome {
        let phases = [Phase::Http, Phase::Redirect, Phase::Body, Phase::Check];
        assert!(phases.contains(&failure.phase), "{failure}");
        // Every connection ends, so that there is nothing to wait for.
        assert_ne!(failure.reason, Reason::Timeout, "{failure}");
        assert!(!failure.detail.is_empty(), "{failure} without particulars");
    }
    assert_eq!(result.elapsed, Duration::ZERO, "it waited: {:?}", result.outcome);
}

fn numbers_are_sound(result: &ProbeResult, answer_bytes: usize) {
    let value = |name: &str| {
        let mut found = result.samples.iter().filter(|sample| sample.metric.name == name);
        let sample = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "{name} twice");
        sample.value
    };
    assert!(result.samples.iter().all(|sample| !sample.value.is_nan()), "{:?}", result.samples);
    let up = result.outcome == Outcome::Up;
    assert_eq!(Some(value("probe_success")), Some(f64::from(u8::from(up))));
    assert!((0.0..=REDIRECTS_MAX).contains(&value("probe_http_redirects")));
    let status = value("probe_http_status_code");
    assert!(status == 0.0 || (100.0..1000.0).contains(&status), "{status}");
    assert!(!up || status >= 200.0, "up with {status}");
    let length = value("probe_http_uncompressed_body_length");
    let most = f64::from(u32::try_from(answer_bytes).unwrap());
    assert!((0.0..=most).contains(&length), "{length} of {most} bytes");
}

fn texts_are_bounded_and_clean(result: &ProbeResult, echoed: bool) {
    let evidence = &result.evidence;
    assert!(evidence.bytes() <= EVIDENCE_BYTES_MAX, "{} bytes", evidence.bytes());
    let hops =
        evidence.hops.iter().flat_map(|hop| [&hop.title, &hop.request, &hop.head, &hop.body]);
    let notes = result.notes.iter().map(|(_, note)| note);
    let detail = match &result.outcome {
        Outcome::Down(failure) => Some(&failure.detail),
        Outcome::Up | Outcome::Fault(_) => None,
    };
    for text in hops.chain(notes).chain(detail) {
        assert!(text.len() <= 4096, "{} bytes: {text}", text.len());
        let control = |character: char| character.is_control() && character != '\n';
        assert!(!text.contains(control), "{text:?}");
        assert!(echoed || !text.contains(SECRET), "{text}");
    }
}
