"""The expressions of the dashboards, named.

Windows of a day and longer read `target:success:ratio1h`, one sample an hour (config/rules/slo.rules.yml), never a month of
raw samples. Whatever is shown for each target is reduced to one series for each `instance` and `module`, so that several
probers, or an edit of a target's labels, do not show it twice.

Must not know panels.
"""

# Which targets the overview shows. A target without the label `team` or `service` is included by "All", which is `.*`.
CHOSEN = 'team=~"$team",service=~"$service",instance=~"$instance"'
# Which target the detail dashboard shows. One value, so that no character of a URL is taken for a pattern. Its modules, where
# it is checked in several ways; a target without the label is included by "All".
THIS = 'instance="$instance",module=~"$module"'

# What a target is known by.
TARGET = "instance, module"
# Labels of a target that say whose it is.
OWNER = "instance, module, team, service, severity"
# All labels with a meaning.
LABELS = "instance, service, team, severity, slo, max_latency, alert_after, depends_on, module"


def job(selector: str, *more: str) -> str:
    """Matchers for what the targets' job scrapes and for the recorded series that come of it."""
    return "{" + ",".join(['job="webservices"', selector, *more]) + "}"


def up(selector: str) -> str:
    """Whether Prometheus got an answer from the exporter: there for each target, even while the exporter is down."""
    return "up" + job(selector)


def success(selector: str) -> str:
    """Whether the target is up, as the rules see it."""
    return "target:success" + job(selector)


def recorded(name: str, selector: str, by: str = TARGET, how: str = "min") -> str:
    """A recorded series, one value for each target."""
    return f"{how} by ({by}) ({name}{job(selector)})"


def state(selector: str, by: str = TARGET) -> str:
    """1 up, 0 down, 0.5 no data: the target is known to Prometheus, but the exporter gives no result for it."""
    return f"min by ({by}) ({success(selector)}) or on ({TARGET}) min by ({by}) ({up(selector)}) * 0 + 0.5"


def state_worst_first(selector: str) -> str:
    """The state over time. What is not up now comes first, then what failed within a day, then the rest.

    A range query sorts its answer by labels, and the label `_rank` sorts before `instance`.
    """
    now = f"(min by ({TARGET}) ({success(selector)} @ end()) == 1)"
    day = f"(min by ({TARGET}) (min_over_time(target:success:ratio1h{job(selector)}[1d] @ end())) == 1)"
    everything = state(selector)

    def ranked(expression: str, rank: int) -> str:
        return f'label_replace({expression}, "_rank", "{rank}", "", "")'

    return (
        f"{ranked(f'({everything}) unless on ({TARGET}) {now}', 0)}\n"
        f"or on ({TARGET}) {ranked(f'({everything}) unless on ({TARGET}) {day}', 1)}\n"
        f"or on ({TARGET}) {ranked(everything, 2)}"
    )


def availability(selector: str, window: str) -> str:
    """The part of a window in which the target was up, as far as it is known; in the first hour of what is known so far."""
    latest = f"avg by ({TARGET}) (avg_over_time({success(selector)}[1h]))"
    if window == "1h":
        return latest
    hours = f"target:success:ratio1h{job(selector)}[{window}]"
    # Over all labels that the target had, each hour counts once.
    return (
        f"sum by ({TARGET}) (sum_over_time({hours})) / sum by ({TARGET}) (count_over_time({hours}))\n"
        f"or on ({TARGET}) {latest}"
    )


def count(expression: str) -> str:
    """How many; 0 is an answer too."""
    return f"count({expression}) or vector(0)"


def no_data(selector: str) -> str:
    """Targets that are known but have no result."""
    return f"count by ({TARGET}) ({up(selector)}) unless on ({TARGET}) {success(selector)}"


def failing_since(selector: str) -> str:
    """Since when a target fails, of those that do; unix time in milliseconds."""
    return f"1000 * ({recorded('target:failing_since:timestamp_seconds', selector)} > 0)"


def flaky_slots(selector: str) -> str:
    """In how many of the 36 slots of three hours a flaky target failed; 0 of one that is not flaky."""
    return (
        f"{recorded('target:flaky:slots3h', selector, how='max')}"
        f" or on ({TARGET}) 0 * {recorded('target:up', selector)}"
    )


def nothing(selector: str) -> str:
    """0 for each target."""
    return f"0 * {recorded('target:up', selector)}"


def failing_for(selector: str) -> str:
    """For how long a target has been failing. There is no such series of one that is well."""
    return f"{recorded('target:failing:seconds', selector, how='max')} or on ({TARGET}) {nothing(selector)}"


def slow_for(selector: str) -> str:
    """For how long a target has been slow. There is no such series of one that is fast."""
    return f"{recorded('target:slow:seconds', selector, how='max')} or on ({TARGET}) {nothing(selector)}"


def reported_after(selector: str) -> str:
    """For how long a target may fail before that is reported: what holds now, or its promise, or 15 minutes."""
    return (
        f"{recorded('target:alert_after:seconds', selector)}"
        f" or on ({TARGET}) {recorded('probe_target_alert_after_seconds', selector)}"
        f" or on ({TARGET}) 0 * min by ({TARGET}) ({up(selector)}) + 15 * 60"
    )


def slow(selector: str) -> str:
    """The condition of the alert WebserviceSlow."""
    return f"target:slow:seconds{job(selector)} >= target:alert_after:seconds{job(selector)}"


def data_age(selector: str) -> str:
    """Seconds since the newest result. The second term goes on counting for six hours when no result comes any more."""
    newest = "timestamp(probe_success" + job(selector) + ")"
    return f"time() - max({newest} or max_over_time({newest}[6h:1m]))"


def status_code(selector: str) -> str:
    """The last HTTP status code; 0 is no answer."""
    return f"max by ({TARGET}) (probe_http_status_code{job(selector)})"


def worst_status_code(selector: str, by: str = TARGET) -> str:
    """The worst code of each step: no answer, or else the highest."""
    codes = f"probe_http_status_code{job(selector)}[$__interval]"
    return (
        f"min by ({by}) (min_over_time({codes})) == 0\n"
        f"or on ({by}) max by ({by}) (max_over_time({codes}))"
    )


def last_failure(selector: str) -> str:
    """When the last failure of a day was seen, with its phase and reason; unix time in milliseconds.

    A series of `probe_failure_info` exists only while its target fails, so the subquery holds failures alone.
    """
    seen = f"max_over_time(timestamp(probe_failure_info{job(selector)})[1d:15s])"
    latest = f"topk by ({TARGET}) (1, max by ({TARGET}, phase, reason) ({seen}))"
    return f'1000 * max by ({TARGET}, why) (label_join({latest}, "why", ": ", "phase", "reason"))'


def failures(selector: str, by: str, window: str) -> str:
    """Failed checks within a window."""
    return f"sum by ({by}) (count_over_time(probe_failure_info{job(selector)}[{window}]))"


def certificate_expiry(selector: str) -> str:
    """When the certificate that expires first on the way to the target does, unix time; kept while the target is down."""
    return recorded("target:certificate_expiry:timestamp_seconds", selector)


def certificate_days(selector: str) -> str:
    """Days until then."""
    return f"({certificate_expiry(selector)} - time()) / 86400"


def certificate_lifetime_left(selector: str) -> str:
    """The part of a certificate's lifetime that is left: good for those that live a week and those that live a year."""
    lifetime = recorded("target:certificate_lifetime:seconds", selector)
    return f"({certificate_expiry(selector)} - time()) / {lifetime}"


def certificate_trusted(selector: str) -> str:
    """1 when the chain is trusted. The expiry of the chain is reported for trusted ones alone."""
    trusted = f"probe_ssl_last_chain_expiry_timestamp_seconds{job(selector)}"
    return (
        f"max by ({TARGET}) ({trusted}) > bool 0"
        f" or on ({TARGET}) max by ({TARGET}) (probe_ssl_earliest_cert_expiry{job(selector)}) * 0"
    )


def alerts(selector: str, *more: str) -> str:
    """Alerts that fire: of the chosen targets, and whatever is chosen those about no single target. Without the heartbeat."""
    common = ['alertstate="firing"', 'alertname!="Watchdog"', *more]
    sets = [selector, 'job!="webservices"', 'instance=""']
    return " or ".join("ALERTS{" + ",".join([*common, one]) + "}" for one in sets)


def alerts_since(selector: str) -> str:
    """Alerts with the time since which they fire; unix time in milliseconds."""
    by = "severity, alertname, instance, module, service, team"
    return f"1000 * max by ({by}) (({alerts(selector)}) * ignoring (alertstate) group_left () ALERTS_FOR_STATE)"


def alert_state(selector: str, by: str) -> str:
    """Alerts as values of `style`: 11 firing."""
    return f"max by ({by}) ({alerts(selector)}) + 10"


def burn_rate(selector: str, window: str) -> str:
    """How many times faster than the objective allows the error budget is spent."""
    budget = recorded("target:error_budget:ratio", selector)
    if window in ("1h", "6h"):
        share = f"avg by ({TARGET}) (avg_over_time({success(selector)}[{window}]))"
    else:
        share = f"avg by ({TARGET}) (avg_over_time(target:success:ratio1h{job(selector)}[{window}]))"
    return f"(1 - {share}) / {budget}"


def objective(selector: str) -> str:
    """The objective of a target that has one, as a ratio."""
    return recorded("probe_target_slo_ratio", selector, how="max")


def slow_from(selector: str) -> str:
    """From which duration on a target is slow: its promise, or 2 seconds."""
    promised = recorded("probe_target_max_latency_seconds", selector, how="max")
    return f"{promised} or on ({TARGET}) 0 * max by ({TARGET}) ({up(selector)}) + 2"


def checks_by_outcome() -> str:
    """Checks a second, as the exporter counts them."""
    probes = 'webservice_monitor_probes_total{job="webservice-monitor"}[$__rate_interval]'
    return f"sum by (outcome) (rate({probes}))"


def duration(selector: str, quantile: float) -> str:
    """A quantile of the duration of the checks that succeeded within 30 minutes; of several probers the slowest."""
    good = f"probe_duration_seconds{job(selector)} and probe_success{job(selector)} == 1"
    return f"max by ({TARGET}) (quantile_over_time({quantile}, ({good})[30m:15s]))"


def mean_duration(selector: str) -> str:
    """The mean duration of the checks of a step, of several probers the slowest."""
    return f"max by ({TARGET}) (avg_over_time(probe_duration_seconds{job(selector)}[$__rate_interval]))"


def errors(metric: str, by: str = "") -> str:
    """How often something failed within a step; 0 is an answer too."""
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(increase({metric}[$__rate_interval])) or vector(0)"
