"""The overview: every target at a glance, what is broken on top."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common

from . import frame, promql, style
from .panels import (
    COLOURED,
    COLOURED_TEXT,
    GAUGE,
    Column,
    Grid,
    duration_heatmap,
    graph,
    link,
    queries,
    query,
    stat_panel,
    state_timeline,
    status_history,
    table_panel,
)
from .promql import CHOSEN

# They do not choose a module: most targets have no such label, and a link cannot leave out what is missing.
TO_DETAIL = link("Details of this target", frame.detail_of("__field.labels.instance"))
CELL_TO_DETAIL = link("Details of this target", frame.detail_of("__value.raw"))
CELL_TO_SERVICE = link("Open the service itself", "${__value.raw}", new_tab=True)


def counts(grid: Grid) -> None:
    """Two lines of numbers, the worst first."""
    grid.line(
        3,
        (4, stat_panel(
            11, "Down", "Targets whose last check failed. With several probers: for more than half of them.",
            promql.count(f"{promql.success(CHOSEN)} == 0"),
            unit="none", min=0, thresholds=style.bad_from(1),
        )),
        (4, stat_panel(
            12, "Flaky", "Targets that fail again and again and work in between: in more than half of the 5-minute"
            " slots of the last 3 hours. The condition of the alert WebserviceFlaky.",
            promql.count(f"target:flaky:slots3h{promql.job(CHOSEN)}"),
            unit="none", min=0, thresholds=style.bad_from(1, style.ORANGE),
        )),
        (4, stat_panel(
            13, "Slow", "Targets whose good answers have been slower than promised for as long as their alert_after:"
            " the condition of the alert WebserviceSlow.",
            promql.count(promql.slow(CHOSEN)),
            unit="none", min=0, thresholds=style.bad_from(1, style.SKY),
        )),
        (4, stat_panel(
            14, "No data", "Targets that Prometheus knows but has no result for: the exporter is down, or cannot"
            " answer in time. Their state is unknown, not up.",
            promql.count(promql.no_data(CHOSEN)),
            unit="none", min=0, thresholds=style.bad_from(1, style.GREY),
        )),
        (4, stat_panel(
            15, "Up", "Targets whose last check succeeded.",
            promql.count(f"{promql.success(CHOSEN)} == 1"),
            unit="none", min=0,
        )),
        (4, stat_panel(
            16, "Targets", "Targets that Prometheus knows, whatever their state. 0 says that targets.yml is empty,"
            " missing or wrong, or that nothing fits what is chosen above.",
            promql.count(f"count by ({promql.TARGET}) ({promql.up(CHOSEN)})"),
            unit="none", min=0, thresholds=style.steps(style.RED, (1, style.CALM)),
        )),
    )
    critical = promql.alerts(CHOSEN, 'severity="critical"')
    other = promql.alerts(CHOSEN, 'severity!="critical"')
    grid.line(
        3,
        (4, stat_panel(
            21, "Critical alerts", "Alerts of severity critical that fire now. Alerts about no single target count"
            " whatever is chosen above.",
            promql.count(critical),
            unit="none", min=0, thresholds=style.bad_from(1),
        )),
        (4, stat_panel(
            22, "Other alerts", "Alerts of any other severity that fire now, without the heartbeat (Watchdog).",
            promql.count(other),
            unit="none", min=0, thresholds=style.bad_from(1, style.ORANGE),
        )),
        (4, stat_panel(
            23, "Availability 24h", "The mean over all chosen targets of the part of the last 24 hours in which each"
            " was up, by whole hours.",
            f"avg({promql.availability(CHOSEN, '1d')})",
            unit="percentunit", decimals=2, min=0, max=1, thresholds=style.availability(),
            color_mode=common.BigValueColorMode.VALUE, no_value="not yet known",
        )),
        (4, stat_panel(
            24, "Next certificate expires", "The days until the first certificate of any chosen target expires;"
            " negative when one has expired.",
            f"min({promql.certificate_days(CHOSEN)})",
            unit="suffix:days", decimals=0, thresholds=style.certificate_days(),
            color_mode=common.BigValueColorMode.VALUE, no_value="no TLS",
        )),
        (4, stat_panel(
            25, "Data age", "Seconds since the newest result of any chosen target. When it grows, nothing is being"
            " checked, and every other number here is old.",
            promql.data_age(CHOSEN),
            unit="s", decimals=0, min=0, thresholds=style.steps(style.GREEN, (120, style.ORANGE), (300, style.RED)),
            color_mode=common.BigValueColorMode.VALUE, no_value="older than 6 hours",
        )),
        (4, stat_panel(
            26, "Exporter", "Whether Prometheus can scrape every exporter.",
            'min(up{job="webservice-monitor"})',
            unit="none", mappings=style.EXPORTER, thresholds=style.steps(style.RED, (1, style.GREEN)),
            color_mode=common.BigValueColorMode.VALUE,
        )),
    )


def availability(source: str, name: str) -> Column:
    """A column with a gauge from 0 to 100 %."""
    return Column(
        source, name, width=115, unit="percentunit", decimals=2, min=0, max=1, cell=GAUGE,
        color={"mode": "thresholds"}, thresholds=style.availability(),
    )


def targets(grid: Grid) -> None:
    """The table of all targets."""
    grid.row(100, "Targets")
    asked = queries(
        (promql.state(CHOSEN, promql.OWNER), ""),
        (promql.status_code(CHOSEN), ""),
        (promql.availability(CHOSEN, "1h"), ""),
        (promql.availability(CHOSEN, "1d"), ""),
        (promql.availability(CHOSEN, "7d"), ""),
        (promql.availability(CHOSEN, "30d"), ""),
        (promql.duration(CHOSEN, 0.95), ""),
        (promql.recorded("target:error_budget:remaining30d", CHOSEN), ""),
        (promql.certificate_days(CHOSEN), ""),
        (promql.last_failure(CHOSEN), ""),
        (promql.failing_since(CHOSEN), ""),
        (promql.flaky_slots(CHOSEN), ""),
        (promql.slow_for(CHOSEN), ""),
        (promql.reported_after(CHOSEN), ""),
    )
    columns = [
        Column("Value #A", "State", width=95, cell=COLOURED, mappings=style.STATES, align="center", unit="none"),
        Column("instance", "Target", links=[CELL_TO_DETAIL, CELL_TO_SERVICE]),
        Column("module", "Module", width=100),
        Column("Value #K", "Failing since", width=130, unit="dateTimeFromNow"),
        Column("Value #N", "Reported after", width=110, unit="s"),
        Column("Value #L", "Flaky", width=75, unit="none", decimals=0, mappings=style.NONE_IS_WELL),
        Column("Value #M", "Slow for", width=90, unit="s", decimals=0, mappings=style.NONE_IS_WELL),
        Column("Value #B", "Code", width=90, cell=COLOURED_TEXT, mappings=style.STATUS_CODES, unit="none"),
        Column("why", "Last failure", width=170, no_value="none in 24h"),
        Column("Value #J", "Failed", width=130, unit="dateTimeFromNow"),
        availability("Value #C", "1h"),
        availability("Value #D", "24h"),
        availability("Value #E", "7d"),
        availability("Value #F", "30d"),
        Column("Value #H", "Budget left", width=105, unit="percentunit", decimals=1, cell=COLOURED_TEXT,
               color={"mode": "thresholds"}, thresholds=style.budget()),
        Column("Value #G", "p95", width=85, unit="s", decimals=2),
        Column("Value #I", "Certificate", width=100, unit="suffix:days", decimals=0, cell=COLOURED_TEXT,
               color={"mode": "thresholds"}, thresholds=style.certificate_days()),
        Column("team", "Team", width=95),
        Column("service", "Service", width=110),
        Column("severity", "Severity", width=95, cell=COLOURED_TEXT, mappings=style.SEVERITIES),
    ]
    grid.line(11, (24, table_panel(
        101, "All targets",
        "Each target with its state, since when it has been failing and after which time that is reported (label"
        " alert_after), in how many of the 36 slots of 3 hours it failed when it is flaky, for how long it has been"
        " slow, its last HTTP status code, its availability over four windows, what is left of"
        " the error budget of 30 days, the 95th percentile of the duration of its checks that succeeded within 30"
        " minutes, the days until its certificate expires, and why it failed last within 24 hours. What is not up"
        " comes first. Windows of a day and longer count whole hours, and say what is known so far where they are"
        " longer than the monitor has run.",
        asked, columns, sort=[("State", False), ("1h", False), ("24h", False)], unit="none",
    )))
    grid.line(10, (24, state_timeline(
        102, "State over time",
        "Each target over time: up, down, or without data, when the exporter was down or did not answer. What is not"
        " up now comes first, then what failed within 24 hours, then the rest.",
        query(promql.state_worst_first(CHOSEN), "{{instance}} {{module}}"),
        mappings=style.STATES, links=[TO_DETAIL], per_page=25,
    )))


def alerts(grid: Grid) -> None:
    """What fires and what fired."""
    grid.row(200, "Alerts")
    silence = link(
        "Silence it in Alertmanager", frame.silence_of("__data.fields.Alert", "__data.fields.Target"), new_tab=True
    )
    columns = [
        Column("severity", "Severity", width=90, cell=COLOURED_TEXT, mappings=style.SEVERITIES),
        Column("alertname", "Alert", width=250, links=[
            link("Runbook: what to do", frame.runbook_of("__value.raw"), new_tab=True), silence,
        ]),
        Column("instance", "Target", links=[CELL_TO_DETAIL]),
        Column("module", "Module", width=100),
        Column("Value", "Since", width=130, unit="dateTimeFromNow"),
        Column("service", "Service", width=100),
        Column("team", "Team", width=90),
    ]
    grid.line(
        9,
        (12, table_panel(
            201, "Alerts now",
            "Alerts that fire, and since when. Empty when all is well; the heartbeat (Watchdog) is left out."
            " Since when a target has been failing is in the table of targets.",
            query(promql.alerts_since(CHOSEN)), columns,
            sort=[("Severity", False), ("Since", True)], unit="none",
            no_value="No alert is firing.",
        )),
        (12, state_timeline(
            202, "Alerts over time",
            "When which alert fired. Empty when there was none in the time range.",
            query(promql.alert_state(CHOSEN, "alertname, instance, module"), "{{alertname}} {{instance}} {{module}}"),
            mappings=style.ALERTS, links=[TO_DETAIL], per_page=25,
            no_value="No alert fired in this time.",
        )),
    )


def failures(grid: Grid) -> None:
    """Why checks failed."""
    grid.row(300, "Failures")
    grid.line(
        9,
        (12, status_history(
            301, "HTTP status codes",
            "The worst answer of each step: none at all, or else the highest status code. A short failure is seen"
            " however long the time range is. Targets that are not asked by HTTP have none.",
            query(promql.worst_status_code(CHOSEN), "{{instance}} {{module}}"),
            mappings=style.STATUS_CODES, links=[TO_DETAIL], per_page=25,
            no_value="No target was asked by HTTP.",
        )),
        (12, graph(
            302, "Reasons of failures",
            "Failed checks of each step by the phase in which they failed and the reason. Empty when no check failed;"
            " gaps are times without failures.",
            query(promql.failures(CHOSEN, "phase, reason", "$__interval"), "{{phase}}: {{reason}}"),
            unit="none", decimals=0, min=0, bars=True, stacked=True, fill_opacity=85, calcs=["sum"], legend_right=True,
            max_data_points=200, no_value="No check failed in this time.",
        )),
    )
    columns = [
        Column("instance", "Target", links=[CELL_TO_DETAIL]),
        Column("module", "Module", width=140),
        Column("phase", "Phase", width=140),
        Column("reason", "Reason", width=220),
        Column("Value", "Failed checks", width=220, unit="none", decimals=0, min=0, cell=GAUGE,
               color={"mode": "fixed", "fixedColor": style.ORANGE}),
    ]
    grid.line(8, (24, table_panel(
        303, "Failures by target",
        "How many checks failed in the time range, by target and reason. Empty when no check failed.",
        query(promql.failures(CHOSEN, f"{promql.TARGET}, phase, reason", "$__range")), columns,
        sort=[("Failed checks", True)], unit="none", no_value="No check failed in this time.",
    )))


def durations(grid: Grid) -> None:
    """How long checks take."""
    grid.row(400, "Duration")
    matchers = promql.job(CHOSEN)
    now = f"max by ({promql.TARGET}) (avg_over_time(probe_duration_seconds{matchers}[30m] @ end()))"
    grid.line(
        9,
        (12, graph(
            401, "Ten slowest targets",
            "The mean duration of the checks of each step, for the ten targets that are the slowest in the last 30"
            " minutes of the time range.",
            query(f"{promql.mean_duration(CHOSEN)} and on ({promql.TARGET}) topk(10, {now})", "{{instance}} {{module}}"),
            unit="s", min=0, calcs=["lastNotNull", "max"], links=[TO_DETAIL],
        )),
        (12, duration_heatmap(
            402, "Duration of checks",
            "How many targets answer within which time: each cell counts targets by the mean duration of their checks.",
            query(promql.mean_duration(CHOSEN), "{{instance}} {{module}}"),
            unit="s",
        )),
    )


def certificates(grid: Grid) -> None:
    """The certificates of all targets."""
    grid.row(500, "Certificates")
    info = f"max by ({promql.TARGET}, subject, issuer) (probe_ssl_last_chain_info{promql.job(CHOSEN)})"
    asked = queries(
        (promql.certificate_days(CHOSEN), ""),
        (f"1000 * {promql.certificate_expiry(CHOSEN)}", ""),
        (promql.certificate_lifetime_left(CHOSEN), ""),
        (promql.certificate_trusted(CHOSEN), ""),
        (info, ""),
        (f"max by ({promql.TARGET}, version) (probe_tls_version_info{promql.job(CHOSEN)})", ""),
    )
    columns = [
        Column("Value #A", "Left", width=110, unit="suffix:days", decimals=1, cell=COLOURED_TEXT,
               color={"mode": "thresholds"}, thresholds=style.certificate_days()),
        Column("instance", "Target", links=[CELL_TO_DETAIL]),
        Column("module", "Module", width=120),
        Column("Value #B", "Expires", width=190, unit="dateTimeAsIso"),
        Column("Value #C", "Lifetime left", width=150, unit="percentunit", decimals=0, min=0, max=1, cell=GAUGE,
               color={"mode": "thresholds"},
               thresholds=style.steps(style.RED, (0.1, style.ORANGE), (1 / 3, style.GREEN))),
        Column("Value #D", "Chain", width=110, cell=COLOURED_TEXT, mappings=style.TRUST, unit="none"),
        Column("subject", "Subject", width=260),
        Column("issuer", "Issuer", width=260),
        Column("version", "TLS", width=90),
    ]
    grid.line(8, (24, table_panel(
        501, "Certificates",
        "The certificate that expires first on the way to each target, the soonest on top. Lifetime left is the part of"
        " its lifetime that remains: most are renewed when a third is left. Empty when no target uses TLS.",
        asked, columns, sort=[("Left", False)], unit="none", no_value="No target uses TLS.",
    )))


def monitor(grid: Grid) -> None:
    """Whether the monitor itself is well."""
    grid.row(600, "The monitor itself")
    grid.line(
        8,
        (8, graph(
            601, "Checks by outcome",
            "Checks a second by outcome: up, down, or fault when the fault was the monitor's own.",
            query(promql.checks_by_outcome(), "{{outcome}}"),
            unit="cps", min=0, stacked=True, fill_opacity=30,
            colours={"up": style.GREEN, "down": style.RED, "fault": style.PURPLE},
        )),
        (10, graph(
            602, "Errors on the way to people",
            "Errors between a check and the person who has to know: each line is 0 while all is well. Notifications of"
            " Prometheus that are dropped, evaluations of rules that fail, notifications that Alertmanager or the"
            " alert log cannot deliver, and files of targets that Prometheus cannot read.",
            queries(
                (promql.errors("prometheus_rule_evaluation_failures_total"), "rule evaluations failed"),
                (promql.errors("prometheus_notifications_dropped_total"), "notifications dropped by Prometheus"),
                (promql.errors("alertmanager_notifications_failed_total"), "notifications failed at Alertmanager"),
                (promql.errors("webservice_monitor_notification_errors_total"), "alert log not written"),
                (promql.errors("prometheus_sd_file_read_errors_total"), "targets file not read"),
            ),
            unit="none", min=0, axis_soft_max=1, calcs=["sum"],
        )),
        (3, stat_panel(
            603, "Configuration", "Whether the exporter, the alert log and Prometheus run with the files as they are"
            " now. OLD ONE IN FORCE says that the last edit has a mistake.",
            "min(webservice_monitor_config_last_reload_successful or prometheus_config_last_reload_successful)",
            unit="none", mappings=style.CONFIGURATION, thresholds=style.steps(style.ORANGE, (1, style.GREEN)),
            color_mode=common.BigValueColorMode.VALUE,
        )),
        (3, stat_panel(
            604, "Heartbeat", "Whether the alert Watchdog, which always fires, reaches the end of the way: seconds"
            " since the alert log heard of it last. It grows when Prometheus, Alertmanager or the way between them is"
            " broken. Unknown until the first heartbeat.",
            "time() - max(webservice_monitor_heartbeat_timestamp_seconds > 0)",
            unit="s", decimals=0, min=0, thresholds=style.steps(style.GREEN, (180, style.ORANGE), (300, style.RED)),
            color_mode=common.BigValueColorMode.VALUE, no_value="not heard",
        )),
    )


def dashboard() -> build.Dashboard:
    """The whole dashboard."""
    grid = Grid()
    for part in (counts, targets, alerts, failures, durations, certificates, monitor):
        part(grid)
    target = 'job="webservices"'
    by_team = f'{target},team=~"$team"'
    by_service = f'{by_team},service=~"$service"'
    firing = promql.alerts(CHOSEN)
    return (
        frame.dashboard(
            frame.OVERVIEW, "Web services",
            "Every web service that is watched: what is down, what is unsteady, why, and since when.", grid,
        )
        .variables([
            frame.source_variable(),
            frame.several(frame.label_variable("team", "Team", "Whose targets are shown.", target)),
            frame.several(frame.label_variable("service", "Service", "Which services are shown.", by_team)),
            frame.several(frame.label_variable("instance", "Target", "Which targets are shown.", by_service)),
            *(frame.address_variable(*one) for one in (frame.RUNBOOKS, frame.PROMETHEUS, frame.ALERTMANAGER)),
        ])
        .links([
            frame.dashboard_link("One target", frame.DETAIL, "Everything about one target"),
            frame.external_link("Rules and alerts", f"${{{frame.PROMETHEUS[0]}}}/alerts", "In Prometheus"),
            frame.external_link("Silences", f"${{{frame.ALERTMANAGER[0]}}}/#/silences", "In Alertmanager"),
        ])
        .annotation(frame.alert_annotations(firing))
    )
