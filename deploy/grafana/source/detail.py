"""The detail dashboard: everything about one target."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

from . import frame, promql, style
from .panels import (
    COLOURED_TEXT,
    GAUGE,
    Column,
    Grid,
    graph,
    link,
    queries,
    query,
    stat_panel,
    state_timeline,
    table_panel,
)
from .promql import THIS

VALUE = common.BigValueColorMode.VALUE
# The windows of the burn rate, with the rate at which an alert fires (config/rules/slo.rules.yml).
BURN_RATES = [("1h", 14.4, style.RED), ("6h", 6, style.ORANGE), ("1d", 3, style.SKY), ("3d", 1, style.BLUE)]


def worst(expression: str) -> str:
    """One value of a target that is checked in several ways."""
    return f"min({expression})"


def availability_stat(id: int, window: str, name: str) -> tuple[int, model.Panel]:
    """The availability over a window."""
    return 3, stat_panel(
        id, f"Availability {name}",
        f"The part of the last {name} in which the target was up, by whole hours, as far as it is known.",
        worst(promql.availability(THIS, window)),
        unit="percentunit", decimals=2, min=0, max=1, thresholds=style.availability(), color_mode=VALUE,
        no_value="not yet known",
    )


def now(grid: Grid) -> None:
    """The state as numbers, and whose target it is."""
    grid.line(
        4,
        (3, stat_panel(
            11, "State", "Whether the last check succeeded, as the rules see it: with several probers, for half of"
            " them or more. NO DATA: the exporter gives no result.",
            worst(promql.state(THIS)), unit="none", mappings=style.STATES, thresholds=style.steps(style.GREY),
        )),
        (3, stat_panel(
            12, "Status code", "The HTTP status code of the last check. A target that is not asked by HTTP has none.",
            f"max({promql.status_code(THIS)})",
            unit="none", mappings=style.STATUS_CODES, thresholds=style.plain(), color_mode=VALUE, no_value="–",
        )),
        availability_stat(13, "1d", "24h"),
        availability_stat(14, "7d", "7d"),
        availability_stat(15, "30d", "30d"),
        (3, stat_panel(
            16, "Error budget left", "What is left of the failures that the objective (label slo) allows in 30 days."
            " Negative: more failed than was allowed.",
            worst(promql.recorded("target:error_budget:remaining30d", THIS)),
            unit="percentunit", decimals=1, max=1, thresholds=style.budget(), color_mode=VALUE,
            no_value="no objective",
        )),
        (3, stat_panel(
            17, "Failing since", "Since when the target has been failing: a single good answer in between does not end"
            " it. It is reported when that has lasted for its alert_after.",
            worst(promql.failing_since(THIS)),
            unit="dateTimeFromNow", color_mode=VALUE, thresholds=style.plain(), no_value="not failing",
        )),
        (3, stat_panel(
            18, "Certificate expires", "Days until the first certificate on the way to the target expires; negative"
            " when it has. A target without TLS has none.",
            worst(promql.certificate_days(THIS)),
            unit="suffix:days", decimals=0, thresholds=style.certificate_days(), color_mode=VALUE, no_value="no TLS",
        )),
    )
    asked = queries(
        (f"max by ({promql.LABELS}) ({promql.up(THIS)})", ""),
        (promql.objective(THIS), ""),
        (promql.slow_from(THIS), ""),
        (promql.last_failure(THIS), ""),
        (promql.reported_after(THIS), ""),
        (promql.flaky_slots(THIS), ""),
    )
    columns = [
        Column("instance", "Target", links=[link("Open the service itself", "${__value.raw}", new_tab=True)]),
        Column("service", "Service", width=150),
        Column("team", "Team", width=130),
        Column("severity", "Severity", width=100, cell=COLOURED_TEXT, mappings=style.SEVERITIES),
        Column("depends_on", "Depends on", width=120),
        Column("module", "Module", width=140),
        Column("Value #E", "Reported after", width=120, unit="s"),
        Column("Value #F", "Flaky", width=75, unit="none", decimals=0, mappings=style.NONE_IS_WELL),
        Column("Value #B", "Objective", width=110, unit="percentunit", decimals=2, no_value="none"),
        Column("Value #C", "Slow from", width=110, unit="s"),
        Column("why", "Last failure", width=190, no_value="none in 24h"),
        Column("Value #D", "Failed", width=140, unit="dateTimeFromNow"),
    ]
    grid.line(4, (24, table_panel(
        21, "About this target",
        "The labels of the target in targets.yml, what it is promised, in how many of the 36 slots of 3 hours it failed"
        " when it is flaky, and its last failure within 24 hours. A label that is not set has no column. A target that"
        " is checked in several ways has a line for each module.",
        asked, columns, hidden=["slo", "max_latency", "alert_after"], unit="none", filterable=False,
    )))


def history(grid: Grid) -> None:
    """States, alerts and status codes, one below the other on the same axis of time."""
    grid.row(100, "State")
    grid.line(4, (24, state_timeline(
        101, "State over time", "Up, down, or without data, when the exporter was down or did not answer.",
        query(promql.state(THIS), "state {{module}}"), mappings=style.STATES,
    )))
    grid.line(7, (24, graph(
        104, "Failing and slow", "For how long the target has been failing, and for how long its good answers have been"
        " slower than promised, as far as checks were made. Where a line reaches the dashed one, its alert_after, that"
        " is reported. It stands while single answers succeed or no data comes, and falls to 0 when the target works"
        " again.",
        queries(
            (f"max({promql.failing_for(THIS)})", "failing"),
            (f"max({promql.slow_for(THIS)})", "slow"),
            (worst(promql.reported_after(THIS)), "reported from here"),
        ),
        unit="s", min=0, calcs=["lastNotNull", "max"], dashed=["reported from here"],
        colours={"failing": style.RED, "slow": style.ORANGE, "reported from here": style.GREY},
    )))
    runbook = link("Runbook: what to do", frame.runbook_of("__field.labels.alertname"), new_tab=True)
    grid.line(5, (24, state_timeline(
        102, "Alerts over time", "When which alert of this target fired, or one about no single target. Empty when there"
        " was none.",
        query(promql.alert_state(THIS, "alertname"), "{{alertname}}"),
        mappings=style.ALERTS, links=[runbook],
        no_value="No alert fired in this time.",
    )))
    grid.line(5, (24, state_timeline(
        103, "HTTP status code over time", "The worst answer of each step, by prober: none at all, or else the highest"
        " status code.",
        query(promql.worst_status_code(THIS, "prober, module"), "status code {{prober}} {{module}}"),
        mappings=style.STATUS_CODES, interval="1m", no_value="The target was not asked by HTTP.",
    )))


def failures(grid: Grid) -> None:
    """Why checks failed."""
    grid.row(200, "Failures")
    columns = [
        Column("phase", "Phase", width=140),
        Column("reason", "Reason"),
        Column("Value", "Failed checks", width=220, unit="none", decimals=0, min=0, cell=GAUGE,
               color={"mode": "fixed", "fixedColor": style.ORANGE}),
    ]
    grid.line(
        8,
        (14, graph(
            201, "Reasons of failures", "Failed checks of each step by the phase in which they failed and the reason."
            " Empty when no check failed; gaps are times without failures.",
            query(promql.failures(THIS, "phase, reason", "$__interval"), "{{phase}}: {{reason}}"),
            unit="none", decimals=0, min=0, bars=True, stacked=True, fill_opacity=85, max_data_points=200,
            no_value="No check failed in this time.",
        )),
        (10, table_panel(
            202, "Failures by reason", "How many checks failed in the time range, by reason. Empty when no check"
            " failed.",
            query(promql.failures(THIS, "phase, reason", "$__range")), columns,
            sort=[("Failed checks", True)], unit="none", filterable=False, no_value="No check failed in this time.",
        )),
    )


def durations(grid: Grid) -> None:
    """Where the time of a check goes."""
    grid.row(300, "Duration")
    phases = f"avg by (phase) (avg_over_time(probe_http_duration_seconds{promql.job(THIS)}[$__rate_interval]))"
    grid.line(
        9,
        (12, graph(
            301, "Phases of a check", "How long each phase of an HTTP check took on average: finding the address,"
            " connecting, the TLS handshake, waiting for the first byte, reading the answer. Empty for targets that"
            " are not asked by HTTP.",
            query(phases, "{{phase}}"),
            unit="s", min=0, stacked=True, fill_opacity=60, calcs=["mean", "max"],
            colours={"resolve": style.BLUE, "connect": style.SKY, "tls": style.PURPLE, "processing": style.ORANGE,
                     "transfer": style.GREEN},
            no_value="The target was not asked by HTTP.",
        )),
        (12, graph(
            302, "Duration of checks", "The median and the 95th percentile of the duration of the checks that"
            " succeeded within 30 minutes, of several probers the slowest, and the duration from which on the target"
            " counts as slow (label max_latency, else 2 seconds).",
            queries(
                (f"max({promql.duration(THIS, 0.5)})", "p50"),
                (f"max({promql.duration(THIS, 0.95)})", "p95"),
                (worst(promql.slow_from(THIS)), "slow from here"),
            ),
            unit="s", min=0, calcs=["lastNotNull", "max"], dashed=["slow from here"],
            colours={"p50": style.SKY, "p95": style.BLUE, "slow from here": style.RED},
        )),
    )


def objectives(grid: Grid) -> None:
    """The error budget and how fast it is spent."""
    grid.row(400, "Objective")
    windows = [("1h", "1h"), ("24h", "1d"), ("7d", "7d"), ("30d", "30d")]
    rates = [
        (f"max({promql.burn_rate(THIS, window)})", f"{window}, alert at {limit:g}")
        for window, limit, _ in BURN_RATES
    ]
    grid.line(
        9,
        (8, graph(
            401, "Availability", "The part of each window in which the target was up, and the objective (label slo)."
            " Windows of a day and longer count whole hours.",
            queries(
                *((worst(promql.availability(THIS, window)), name) for name, window in windows),
                (f"max({promql.objective(THIS)})", "objective"),
            ),
            unit="percentunit", max=1, calcs=["lastNotNull", "min"], dashed=["objective"],
            colours={"1h": style.SKY, "24h": style.BLUE, "7d": style.PURPLE, "30d": style.ORANGE,
                     "objective": style.GREEN},
        )),
        (8, graph(
            402, "Burn rate", "How many times faster than the objective allows the error budget is spent, over four"
            " windows. At 1 the budget lasts exactly 30 days. An alert needs its window above its limit (dashed), a"
            " shorter window too, and some minutes of failure. A target without an objective has none.",
            queries(*rates),
            unit="suffix:x", decimals=1, min=0, axis_soft_max=3, calcs=["lastNotNull", "max"],
            colours={legend: colour for (_, legend), (*_, colour) in zip(rates, BURN_RATES, strict=True)},
            threshold_lines=style.steps(
                style.CALM, *((limit, colour) for *_, limit, colour in reversed(BURN_RATES))
            ),
        )),
        (8, graph(
            403, "Error budget", "What is left of the failures that the objective allows in 30 days. Below 0 more"
            " failed than was allowed.",
            query(worst(promql.recorded("target:error_budget:remaining30d", THIS)), "left of 30 days"),
            unit="percentunit", max=1, axis_soft_min=0, fill_opacity=15, calcs=["lastNotNull", "min"],
            colours={"left of 30 days": style.BLUE}, threshold_lines=style.steps(style.CALM, (0, style.RED)),
        )),
    )


def probers(grid: Grid) -> None:
    """What each prober sees."""
    grid.row(500, "Probers")
    success = f"avg by (prober) (avg_over_time(probe_success{promql.job(THIS)}[$__rate_interval]))"
    duration = f"avg by (prober) (avg_over_time(probe_duration_seconds{promql.job(THIS)}[$__rate_interval]))"
    grid.line(
        8,
        (12, graph(
            501, "Success by prober", "The part of the checks that succeeded, for each prober (label prober; one line"
            " without a name when there is but one). Lines that part say that the network between differs, not the"
            " service.",
            query(success, "prober {{prober}}"), unit="percentunit", min=0, max=1, calcs=["mean", "min"],
        )),
        (12, graph(
            502, "Duration by prober", "The mean duration of checks, for each prober.",
            query(duration, "prober {{prober}}"), unit="s", min=0, calcs=["mean", "max"],
        )),
    )


def answer(grid: Grid) -> None:
    """The certificate, and what else the answers were like."""
    grid.row(600, "Certificate and answer")
    matchers = promql.job(THIS)
    expiry = f"1000 * min by (job, instance, module) (probe_ssl_earliest_cert_expiry{matchers})"
    info = f"{expiry} * on (job, instance, module) group_right () probe_ssl_last_chain_info{matchers}"
    asked = query(f"max by (subject, issuer, subjectalternative, serialnumber) ({info})")
    columns = [
        Column("Value", "Expires", width=190, unit="dateTimeAsIso"),
        Column("subject", "Subject", width=200),
        Column("subjectalternative", "Names"),
        Column("issuer", "Issuer", width=200),
        Column("serialnumber", "Serial number", width=150),
    ]
    grid.line(
        8,
        (8, graph(
            601, "Certificate expires in", "Days until the first certificate on the way to the target expires. It jumps"
            " when the certificate is renewed. A target without TLS has none.",
            query(worst(promql.certificate_days(THIS)), "days left"),
            unit="suffix:days", decimals=0, axis_soft_min=0, colours={"days left": style.BLUE},
            threshold_lines=style.steps(style.CALM, (3, style.RED), (14, style.ORANGE)),
            no_value="The target does not use TLS.",
        )),
        (8, table_panel(
            602, "Certificate", "What the presented certificate says, trusted or not. A target without TLS has none.",
            asked, columns, unit="none", filterable=False, no_value="The target does not use TLS.",
        )),
        (8, graph(
            603, "Size of the answer", "The size of the body, as far as it was read. A sudden change often is an error"
            " page that says 200. Empty for targets that are not asked by HTTP.",
            query(f"max by (prober) (probe_http_uncompressed_body_length{matchers})", "body {{prober}}"),
            unit="bytes", min=0, no_value="The target was not asked by HTTP.",
        )),
    )


def dashboard() -> build.Dashboard:
    """The whole dashboard."""
    grid = Grid()
    for part in (now, history, failures, durations, objectives, probers, answer):
        part(grid)
    firing = promql.alerts(THIS)
    return (
        frame.dashboard(
            frame.DETAIL, "Web service",
            "Everything about one target: its state, why it failed, where its time goes, and its objective.", grid,
        )
        .variables([
            frame.source_variable(),
            frame.label_variable("instance", "Target", "The target that is shown.", 'job="webservices"'),
            frame.several(frame.label_variable(
                "module", "Module", "In which ways it is checked, where these are several.",
                'job="webservices",instance="$instance"',
            )),
            *(frame.address_variable(*one) for one in (frame.RUNBOOKS, frame.PROMETHEUS, frame.ALERTMANAGER)),
        ])
        .links([
            frame.dashboard_link("All targets", frame.OVERVIEW, "The overview"),
            frame.external_link("Rules and alerts", f"${{{frame.PROMETHEUS[0]}}}/alerts", "In Prometheus"),
            frame.external_link("Silences", f"${{{frame.ALERTMANAGER[0]}}}/#/silences", "In Alertmanager"),
        ])
        .annotation(frame.alert_annotations(firing))
    )
