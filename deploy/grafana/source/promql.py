"""The expressions of the dashboards, named.

Long windows read recorded series (`target:probe_success:avg1d` and so on, see config/rules/), never a month of raw
samples. Whatever is shown for each target is reduced to one series for each `instance`, so that several probers, or an
edit of a target's labels, do not show it twice.

Must not know panels.
"""

# Which targets the overview shows. A target without the label `team` or `service` is included by "All", which is `.*`.
CHOSEN = 'team=~"$team",service=~"$service",instance=~"$instance"'
# Which target the detail dashboard shows. One value, so that no character of a URL is taken for a pattern.
THIS = 'instance="$instance"'

# Labels of a target that say whose it is.
OWNER = "instance, team, service, severity"
# All labels with a meaning.
LABELS = "instance, team, service, severity, slo, max_latency, alert_after, module"


def job(selector: str, *more: str) -> str:
    """Matchers for what the targets' job scrapes and for the recorded series that come of it."""
    return "{" + ",".join(['job="webservices"', selector, *more]) + "}"


def up(selector: str) -> str:
    """Whether Prometheus got an answer from the exporter: there for each target, even while the exporter is down."""
    return "up" + job(selector)


def quorum(selector: str) -> str:
    """Whether the target is up, as the rules see it."""
    return "target:probe_success:quorum" + job(selector)


def recorded(name: str, selector: str, by: str = "instance", how: str = "min") -> str:
    """A recorded series, one value for each target."""
    return f"{how} by ({by}) ({name}{job(selector)})"


def state(selector: str, by: str = "instance") -> str:
    """1 up, 0 down, 0.5 no data: the target is known to Prometheus, but the exporter gives no result for it."""
    return f"min by ({by}) ({quorum(selector)}) or on (instance) min by ({by}) ({up(selector)}) * 0 + 0.5"


def state_worst_first(selector: str) -> str:
    """The state over time. What is not up now comes first, then what failed within a day, then the rest.

    A range query sorts its answer by labels, and the label `_rank` sorts before `instance`.
    """
    now = f"(min by (instance) ({quorum(selector)} @ end()) == 1)"
    day = f"(min by (instance) (target:probe_success:avg1d{job(selector)} @ end()) == 1)"
    everything = state(selector)

    def ranked(expression: str, rank: int) -> str:
        return f'label_replace({expression}, "_rank", "{rank}", "", "")'

    return (
        f"{ranked(f'({everything}) unless on (instance) {now}', 0)}\n"
        f"or on (instance) {ranked(f'({everything}) unless on (instance) {day}', 1)}\n"
        f"or on (instance) {ranked(everything, 2)}"
    )


def count(expression: str) -> str:
    """How many; 0 is an answer too."""
    return f"count({expression}) or vector(0)"


def no_data(selector: str) -> str:
    """Targets that are known but have no result."""
    return f"count by (instance) ({up(selector)}) unless on (instance) {quorum(selector)}"


def degraded(selector: str) -> str:
    """The condition of the alert WebserviceDegraded."""
    return (
        f"target:probe_success:avg30m{job(selector)} < 0.5"
        f" unless target:probe_success:avg10m{job(selector)} <= 0.1"
    )


def flaky(selector: str) -> str:
    """Up now, though a check of the last half hour failed."""
    return f"(target:probe_success:avg30m{job(selector)} < 1) and on (instance) ({quorum(selector)} == 1)"


def data_age(selector: str) -> str:
    """Seconds since the newest result. The second term goes on counting for six hours when no result comes any more."""
    newest = "timestamp(probe_success" + job(selector) + ")"
    return f"time() - max({newest} or max_over_time({newest}[6h:1m]))"


def status_code(selector: str) -> str:
    """The last HTTP status code; 0 is no answer."""
    return f"max by (instance) (probe_http_status_code{job(selector)})"


def worst_status_code(selector: str) -> str:
    """The worst code of each step: no answer, or else the highest."""
    codes = f"probe_http_status_code{job(selector)}[$__interval]"
    return (
        f"min by (instance) (min_over_time({codes})) == 0\n"
        f"or on (instance) max by (instance) (max_over_time({codes}))"
    )


def last_failure(selector: str) -> str:
    """When the last failure of a day was seen, with its phase and reason; unix time in milliseconds.

    A series of `probe_failure_info` exists only while its target fails, so the subquery holds failures alone.
    """
    seen = f"max_over_time(timestamp(probe_failure_info{job(selector)})[1d:15s])"
    latest = f"topk by (instance) (1, max by (instance, phase, reason) ({seen}))"
    return f'1000 * max by (instance, why) (label_join({latest}, "why", ": ", "phase", "reason"))'


def failures(selector: str, by: str, window: str) -> str:
    """Failed checks within a window."""
    return f"sum by ({by}) (count_over_time(probe_failure_info{job(selector)}[{window}]))"


def certificate_expiry(selector: str) -> str:
    """When the first certificate of the presented chain expires, unix time. An hour back, for targets that are down."""
    return f"min by (instance) (last_over_time(probe_ssl_earliest_cert_expiry{job(selector)}[1h]))"


def certificate_days(selector: str) -> str:
    """Days until then."""
    return f"{recorded('target:certificate:remaining_seconds', selector)} / 86400"


def certificate_lifetime_left(selector: str) -> str:
    """The part of a certificate's lifetime that is left: good for those that live a week and those that live a year."""
    return recorded("target:certificate:remaining_ratio", selector)


def certificate_trusted(selector: str) -> str:
    """1 when the chain is trusted. The expiry of the chain is reported for trusted ones alone."""
    trusted = f"probe_ssl_last_chain_expiry_timestamp_seconds{job(selector)}"
    return (
        f"max by (instance) ({trusted}) > bool 0"
        f" or on (instance) max by (instance) (probe_ssl_earliest_cert_expiry{job(selector)}) * 0"
    )


def alerts(selector: str, *more: str) -> str:
    """Alerts of the chosen targets, and those about the monitor itself whatever is chosen. Without the heartbeat."""
    common = ['alertname!="Watchdog"', *more]
    return (
        "ALERTS{" + ",".join([*common, selector]) + "}"
        " or ALERTS{" + ",".join([*common, 'job!="webservices"']) + "}"
    )


def alerts_since(selector: str) -> str:
    """Alerts with the time since which their condition holds; unix time in milliseconds."""
    by = "alertstate, severity, alertname, instance, service, team"
    return f"1000 * max by ({by}) (({alerts(selector)}) * ignoring (alertstate) group_left () ALERTS_FOR_STATE)"


def alert_state(matchers: str, by: str) -> str:
    """Alerts as values of `style`: 10 pending, 11 firing."""
    firing = f'max by ({by}) (ALERTS{{alertname!="Watchdog",alertstate="firing",{matchers}}}) + 10'
    pending = f'max by ({by}) (ALERTS{{alertname!="Watchdog",alertstate="pending",{matchers}}}) + 9'
    return f"{firing}\nor on ({by}) {pending}"


def burn_rate(name: str, selector: str) -> str:
    """How many times faster than the objective allows the error budget is spent."""
    failed = f"1 - {recorded(f'target:probe_success:{name}', selector, 'instance, slo')}"
    return f"({failed}) / on (slo) group_left () (1 - slo:objective:ratio)"


def objective(name: str, label: str, selector: str) -> str:
    """The objective of a target. Objectives are constant series keyed by a label of the target, see config/rules/."""
    return f"max by (instance) ({name} * on ({label}) group_right () (0 * {up(selector)} + 1))"


def checks_by_outcome() -> str:
    """Checks a second, as the exporter counts them."""
    probes = 'webservice_monitor_probes_total{job="webservice-monitor"}[$__rate_interval]'
    return f"sum by (outcome) (rate({probes}))"


def duration_median(selector: str) -> str:
    """The median where `target:probe_duration_seconds:p95_30m` is the 95th percentile."""
    return f"max by (instance) (quantile_over_time(0.5, target:probe_duration_seconds:success{job(selector)}[30m]))"


def errors(metric: str, by: str = "") -> str:
    """How often something failed within a step; 0 is an answer too."""
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(increase({metric}[$__rate_interval])) or vector(0)"
