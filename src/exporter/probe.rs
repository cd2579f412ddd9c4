//! `GET /probe`: one probe of one target, as Prometheus asks for it.
//!
//! A failed probe is an answer with `probe_success 0`. An internal fault is HTTP 503, so that Prometheus's `up` is 0 and the
//! target is not called down. Must not know how a probe works.

use std::{sync::Arc, time::Duration};

use ::probe::{Module, Outcome};
use axum::{
    extract::{self, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{
    debug::debug_text,
    endpoints::Endpoints,
    text::{CONTENT_TYPE, Exposition},
};
use crate::{
    config::{MODULE_DEFAULT, Promises, own_url},
    http::{Parameters, plain},
    ingest::add_promises,
};

/// The header in which Prometheus says how long it waits.
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

pub(super) async fn probe(
    State(endpoints): State<Arc<Endpoints>>,
    asked: extract::Request,
) -> Response {
    let parsed = parse(&endpoints, asked.uri().query(), asked.headers());
    // Kept, it would keep the buffer that it was read into for as long as the probe waits.
    drop(asked);
    let request = match parsed {
        Ok(request) => request,
        Err(message) => return plain(StatusCode::BAD_REQUEST, format!("{message}\n")),
    };
    let Ok(_permit) = endpoints.permits.try_acquire() else {
        return plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "internal/overload: too many probes are running\n",
        );
    };
    let started = endpoints.monitor.now();
    let mut result = request.module.probe(&endpoints.net, &request.target, request.timeout).await;
    add_promises(&mut result, &request.promises);
    let (instance, module) = (&request.instance, request.module.name());
    let remembered = endpoints.monitor.results().asked(instance, module, started, result);
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

fn parse(
    endpoints: &Endpoints,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Request, String> {
    let parameters = Parameters::of_query(query);
    // There is no telling which one was meant.
    if let Some(name) = parameters.duplicate() {
        return Err(format!("parameter `{}` is given twice", name.escape_debug()));
    }
    let name = parameters.first("module").unwrap_or(MODULE_DEFAULT);
    let config = endpoints.monitor.config();
    let Some(module) = config.modules.get(name).map(Arc::clone) else {
        endpoints.monitor.counters().module_unknown();
        return Err(match config.unsupported_modules.get(name) {
            Some(why) => format!("Module {name:?} cannot be used: {why}"),
            None => format!("Unknown module {name:?}"),
        });
    };
    let text = parameters.first("target").unwrap_or("");
    if text.is_empty() {
        return Err("Target parameter is missing".to_owned());
    }
    if text.len() > TARGET_BYTES_MAX {
        return Err(format!("target is longer than {TARGET_BYTES_MAX} bytes"));
    }
    // A path alone is this program itself.
    let own = own_url(endpoints.listen, text).map(|url| module.target(&url));
    let target = own.and_then(Result::ok).map_or_else(|| module.target_lenient(text), Ok);
    let target = target.map_err(|error| error.with_hint_line())?;
    let target = match parameters.first("hostname") {
        Some(hostname) => {
            module.with_hostname(target, hostname).map_err(|error| error.with_hint_line())?
        }
        None => target,
    };
    let timeout = timeout(headers, endpoints.timeout_offset_seconds, module.timeout())?;
    let debug = parameters.first("debug") == Some("true");
    let promises = promises(&parameters)?;
    Ok(Request { module, target, instance: text.to_owned(), promises, timeout, debug })
}

/// What the target was promised. Its interval, which `alert_after` has to suit, is not known here.
fn promises(parameters: &Parameters) -> Result<Promises, String> {
    let mut promises = Promises::default();
    for (name, value) in parameters.iter() {
        promises
            .set(name, value)
            .map_err(|error| format!("parameter {}", error.with_hint_line()))?;
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
}
