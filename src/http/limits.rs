//! What requests may take: how many at once, how many bytes, how much time. Each limit that serving has is here, with its reason.
//!
//! Must not know how a limit is kept. What an endpoint's contract bounds, such as the points of a range query, is with the endpoint.

use std::time::Duration;

/// How many probes may be asked for at once, where descriptors are plenty. Each holds about 35 KiB.
pub(crate) const PROBES_AT_ONCE: usize = 8192;

/// How many descriptors a probe takes: the request's, its own, and a share of the name resolution's and all else.
pub(crate) const DESCRIPTORS_PER_PROBE: u64 = 3;

/// How many queries run at once; the others wait. Each may hold as many samples as the query options allow.
pub(crate) const QUERIES_AT_ONCE: usize = 4;

/// How many requests for the rules and the alerts are answered at once: they never wait for queries.
pub(crate) const RULE_LISTS_AT_ONCE: usize = 2;

/// How many pages are drawn at once. More wait their turn, so that readers never take the processor from the probes.
pub(crate) const PAGES_AT_ONCE: usize = 2;

/// How long a query may take, its wait for a turn included. Prometheus's default of `--query.timeout`.
pub(crate) const QUERY_TIMEOUT: Duration = Duration::from_mins(2);

/// The largest form, in bytes: the parameters of one query.
pub(crate) const FORM_BYTES_MAX: usize = 2 << 20;

/// The longest body of alerts: 20,000 alerts with the annotations of the shipped rules.
pub(crate) const ALERTS_BYTES_MAX: usize = 32 << 20;

/// The longest body of a heartbeat, which is one alert.
pub(crate) const HEARTBEAT_BYTES_MAX: usize = 1 << 20;

/// How many bodies of alerts are read at once.
pub(crate) const ALERTS_AT_ONCE: usize = 512;

/// How many bodies of heartbeats are read at once; they never wait for alerts.
pub(crate) const HEARTBEATS_AT_ONCE: usize = 64;

/// How many bytes all bodies of one kind may have that are being read or worked on, the beginnings of each not counted.
pub(crate) const BODIES_BYTES_MAX: usize = 128 << 20;

/// How much of each body is not counted, so that a few alerts are taken however many long bodies there are.
pub(crate) const BODY_BYTES_FREE: usize = 64 << 10;

/// How long a body may take to arrive: as long as an Alertmanager waits at most by default for an answer.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
