//! `GET /probe`: one probe of one target, as Prometheus asks for it; and `GET /logs`, what a past probe noted.
//!
//! A failed probe is an answer with `probe_success 0`. A fault of ours is HTTP 503, so that Prometheus's `up` is 0 and the
//! target is not called down.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use ::probe::{Module, Outcome, ProbeResult};
use axum::{
    extract::{self, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::{
    Exposer,
    evidence::evidence_text,
    plain,
    text::{CONTENT_TYPE, Exposition},
};
use crate::{
    config::{MODULE_DEFAULT, Promises, own_url},
    explain,
    ingest::add_promises,
    state::Remembered,
};

/// The header in which Prometheus tells how long it waits.
const SCRAPE_TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// The timeout without that header, as in `blackbox_exporter`.
const SCRAPE_TIMEOUT_DEFAULT_SECONDS: f64 = 120.0;

/// The longest target that is accepted: longer than any URL a server is sure to take.
const TARGET_BYTES_MAX: usize = 2048;

/// A valid request.
struct Request {
    module: Arc<Module>,
    target: ::probe::Target,
    /// The target as it was asked for.
    instance: String,
    promises: Promises,
    timeout: Duration,
    debug: bool,
}

/// Why a request is refused, with its status.
type Refusal = (StatusCode, String);

pub(super) async fn probe(
    State(exposer): State<Arc<Exposer>>,
    asked: extract::Request,
) -> Response {
    let parsed = parse(&exposer, asked.uri().query().unwrap_or(""), asked.headers());
    // Kept, it would keep the buffer that it was read into for as long as the probe waits.
    drop(asked);
    let request = match parsed {
        Ok(request) => request,
        Err((status, message)) => return plain(status, format!("{message}\n")),
    };
    let Ok(_permit) = exposer.permits.try_acquire() else {
        return plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "internal/overload: too many probes are running\n",
        );
    };
    let started = exposer.monitor.now();
    let mut result = request.module.probe(&exposer.net, &request.target, request.timeout).await;
    add_promises(&mut result, &request.promises);
    let (instance, module) = (&request.instance, request.module.name());
    let remembered = exposer.monitor.results().asked(instance, module, started, result);
    if request.debug {
        return plain(StatusCode::OK, debug_text(&remembered, Some(&request.module)));
    }
    let record = &remembered.record;
    match &record.result.outcome {
        Outcome::Fault(failure) => {
            tracing::error!(target = %record.instance, %failure, "Probe impossible: nothing is known about the target.");
            plain(StatusCode::SERVICE_UNAVAILABLE, format!("{failure}\n"))
        }
        Outcome::Up | Outcome::Down(_) => {
            ([(header::CONTENT_TYPE, CONTENT_TYPE)], Exposition::of_probe(&record.result))
                .into_response()
        }
    }
}

/// What a past probe noted and saw: the one with an `id`, or the latest one of a `target` (and a `module`), or with
/// `failed=true` the latest one that failed.
pub(super) async fn logs(
    State(exposer): State<Arc<Exposer>>,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = match Wanted::parse(query.as_deref().unwrap_or("")) {
        Ok(wanted) => wanted,
        Err((status, message)) => return plain(status, format!("{message}\n")),
    };
    let history = exposer.monitor.history();
    let found = match wanted {
        Wanted::Id(id) => history.get(id),
        Wanted::Latest { target, module, failed } => {
            history.latest(&target, module.as_deref(), failed)
        }
    };
    let Some(remembered) = found else {
        return plain(StatusCode::NOT_FOUND, "no such probe is remembered; see --history.limit\n");
    };
    let config = exposer.monitor.config();
    let module = config.modules.get(&remembered.record.module);
    plain(StatusCode::OK, debug_text(&remembered, module.map(AsRef::as_ref)))
}

/// Which probe `/logs` is asked for.
#[derive(Debug, PartialEq)]
enum Wanted {
    Id(u64),
    Latest { target: String, module: Option<String>, failed: bool },
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let bad = |message: &str| Err((StatusCode::BAD_REQUEST, message.to_owned()));
        let mut parameters = parameters(query)?;
        let known = ["id", "target", "module", "failed"];
        if let Some(name) = parameters.keys().find(|name| !known.contains(&name.as_str())) {
            let name = name.escape_debug();
            return bad(&format!(
                "parameter `{name}` does not exist; there are {}",
                known.join(", ")
            ));
        }
        match (parameters.remove("id"), parameters.remove("target")) {
            (Some(_), other) if other.is_some() || !parameters.is_empty() => {
                bad("`id` names one probe: no other parameter goes with it")
            }
            (Some(id), _) => match id.parse() {
                Ok(id) => Ok(Self::Id(id)),
                Err(_) => bad("`id` must be a number"),
            },
            (None, Some(target)) if !target.is_empty() => {
                let failed = match parameters.get("failed").map(String::as_str) {
                    None | Some("false") => false,
                    Some("true") => true,
                    Some(_) => return bad("`failed` must be true or false"),
                };
                Ok(Self::Latest { target, module: parameters.remove("module"), failed })
            }
            (None, _) => bad("`id` or `target` is missing"),
        }
    }
}

/// The parameters of a query; a parameter that stands twice is refused, because there is no telling which one was meant.
fn parameters(query: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut parameters = BTreeMap::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        if parameters.insert(name.to_string(), text.into_owned()).is_some() {
            return Err((
                StatusCode::BAD_REQUEST,
                format!("parameter `{}` stands twice", name.escape_debug()),
            ));
        }
    }
    Ok(parameters)
}

fn parse(exposer: &Exposer, query: &str, headers: &HeaderMap) -> Result<Request, Refusal> {
    let bad = |message: String| (StatusCode::BAD_REQUEST, message);
    let parameters = parameters(query)?;
    let name = parameters.get("module").map_or(MODULE_DEFAULT, String::as_str);
    let config = exposer.monitor.config();
    let Some(module) = config.modules.get(name).map(Arc::clone) else {
        exposer.monitor.counters().module_unknown();
        return Err(bad(match config.unsupported_modules.get(name) {
            Some(why) => format!("Module {name:?} cannot be used: {why}"),
            None => format!("Unknown module {name:?}"),
        }));
    };
    let text = parameters.get("target").map_or("", String::as_str);
    if text.is_empty() {
        return Err(bad("Target parameter is missing".to_owned()));
    }
    if text.len() > TARGET_BYTES_MAX {
        return Err(bad(format!("target is longer than {TARGET_BYTES_MAX} bytes")));
    }
    // A path alone is this program itself.
    let own = own_url(exposer.listen, text).map(|url| module.target(&url));
    let target = own.and_then(Result::ok).map_or_else(|| module.target_lenient(text), Ok);
    let target = target.map_err(|error| bad(error.to_string()))?;
    let target = match parameters.get("hostname") {
        Some(hostname) => {
            module.with_hostname(target, hostname).map_err(|error| bad(error.to_string()))?
        }
        None => target,
    };
    let timeout =
        timeout(headers, exposer.timeout_offset_seconds, module.timeout()).map_err(bad)?;
    let debug = parameters.get("debug").is_some_and(|debug| debug == "true");
    let promises = promises(&parameters).map_err(bad)?;
    Ok(Request { module, target, instance: text.to_owned(), promises, timeout, debug })
}

/// What the target was promised. Its interval, which `alert_after` has to suit, is not known here.
fn promises(parameters: &BTreeMap<String, String>) -> Result<Promises, String> {
    let mut promises = Promises::default();
    for (name, value) in parameters {
        promises.set(name, value).map_err(|error| format!("parameter {error}"))?;
    }
    Ok(promises)
}

/// How long the probe may take: the scrape timeout less the offset, or the module's timeout when that is shorter.
///
/// A scrape timeout that is no longer than the offset is halved instead: nothing could be probed in no time.
fn timeout(
    headers: &HeaderMap,
    offset_seconds: f64,
    module: Option<Duration>,
) -> Result<Duration, String> {
    let scrape_seconds = match headers.get(SCRAPE_TIMEOUT_HEADER) {
        None => SCRAPE_TIMEOUT_DEFAULT_SECONDS,
        Some(header) => {
            let text = header.to_str().unwrap_or("");
            let seconds: f64 = text.trim().parse().unwrap_or(f64::NAN);
            if !seconds.is_finite() || seconds < 0.0 {
                return Err(format!(
                    "the header X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds: {text:?}"
                ));
            }
            if seconds == 0.0 {
                SCRAPE_TIMEOUT_DEFAULT_SECONDS
            } else {
                seconds.min(SCRAPE_TIMEOUT_DEFAULT_SECONDS)
            }
        }
    };
    let left = Duration::from_secs_f64((scrape_seconds - offset_seconds).max(scrape_seconds / 2.0));
    Ok(module.filter(|module| !module.is_zero()).map_or(left, |module| module.min(left)))
}

/// The text of `debug=true` and of `/logs`. The module is as it is configured now.
pub(crate) fn debug_text(remembered: &Remembered, module: Option<&Module>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_is_the_scrape_timeout_less_the_offset_or_the_shorter_one_of_the_module() {
        let seconds = |seconds: f64| Duration::from_secs_f64(seconds);
        for (header, offset, module, expected) in [
            (None, 0.5, None, Ok(seconds(119.5))),
            (Some("10"), 0.5, None, Ok(seconds(9.5))),
            (Some("10"), 0.5, Some(5.0), Ok(seconds(5.0))),
            (Some("3"), 0.5, Some(5.0), Ok(seconds(2.5))),
            (Some("0.4"), 0.5, None, Ok(seconds(0.2))),
            (Some("0"), 0.5, Some(5.0), Ok(seconds(5.0))),
            (Some("1e9"), 0.5, None, Ok(seconds(119.5))),
            (Some("NaN"), 0.5, None, Err(())),
            (Some("-1"), 0.5, None, Err(())),
            (Some("inf"), 0.5, None, Err(())),
            (Some("abc"), 0.5, None, Err(())),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(SCRAPE_TIMEOUT_HEADER, header.parse().unwrap());
            }
            let found = timeout(&headers, offset, module.map(seconds)).map_err(|_| ());
            assert_eq!(found, expected, "{header:?} {module:?}");
        }
    }

    #[test]
    fn parameters_are_decoded_once_and_may_not_stand_twice() {
        let found = parameters("target=http%3A%2F%2Fa%2F%3Fq%3D%2525+x&module=m").unwrap();
        assert_eq!(found["target"], "http://a/?q=%25 x");
        assert!(parameters("target=a&target=b").is_err());
    }

    #[test]
    fn what_is_wanted_of_the_logs_is_unambiguous() {
        assert_eq!(Wanted::parse("id=7"), Ok(Wanted::Id(7)));
        let latest = |module: Option<&str>, failed| {
            Ok(Wanted::Latest { target: "a".to_owned(), module: module.map(str::to_owned), failed })
        };
        assert_eq!(Wanted::parse("target=a"), latest(None, false));
        assert_eq!(Wanted::parse("target=a&module=m&failed=false"), latest(Some("m"), false));
        assert_eq!(Wanted::parse("failed=true&target=a"), latest(None, true));
        for query in [
            "",
            "id=",
            "id=-1",
            "id=x",
            "id=1&target=a",
            "id=1&module=m",
            "target=",
            "module=m",
            "target=a&failed=yes",
            "target=a&target=b",
            "target=a&instance=b",
        ] {
            assert!(Wanted::parse(query).is_err(), "{query}");
        }
    }
}
