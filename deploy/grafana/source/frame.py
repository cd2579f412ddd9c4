"""What surrounds the panels: the dashboards' names, variables, links and annotations.

Must not know single panels.
"""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import dashboard as model

from . import style
from .panels import DATASOURCE, Grid

OVERVIEW = "webservices"
DETAIL = "webservice"
TAG = "webservice-monitor"

# The addresses that links lead to, as people's browsers reach them. They are hidden variables, so that another
# deployment changes each in one place.
RUNBOOKS = ("runbooks", "http://localhost:9115/runbooks")
PROMETHEUS = ("prometheus", "http://localhost:9090")
ALERTMANAGER = ("alertmanager", "http://localhost:9093")

KEEP_SOURCE = "${datasource:queryparam}"
KEEP_TIME = "${__url_time_range}"


def detail_of(instance: str) -> str:
    """The address of the detail dashboard of a target; `instance` is a variable of a link."""
    return f"/d/{DETAIL}/{DETAIL}?var-instance=${{{instance}:percentencode}}&{KEEP_SOURCE}&{KEEP_TIME}"


def runbook_of(alert: str) -> str:
    """The address of an alert's runbook; `alert` is a variable of a link."""
    return f"${{{RUNBOOKS[0]}}}/${{{alert}:percentencode}}"


def silence_of(alert: str, instance: str) -> str:
    """The address of Alertmanager's form for a silence of one alert of one target."""
    matchers = (
        f"%7Balertname%3D%22${{{alert}:percentencode}}%22%2Cinstance%3D%22${{{instance}:percentencode}}%22%7D"
    )
    return f"${{{ALERTMANAGER[0]}}}/#/silences/new?filter={matchers}"


def source_variable() -> build.DatasourceVariable:
    """Which Prometheus is asked: Prometheus itself, or the long-term storage."""
    return (
        build.DatasourceVariable("datasource")
        .label("Data source")
        .description("Prometheus, or the long-term storage where that is deployed.")
        .type("prometheus")
        .current(model.VariableOption(selected=True, text="Prometheus", value="prometheus"))
    )


def label_variable(name: str, label: str, description: str, selector: str) -> build.QueryVariable:
    """The values of a label of the targets that existed in the time range."""
    query = f"label_values(up{{{selector}}}, {name})"
    return (
        build.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .definition(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.NATURAL_ASC)
    )


def several(variable: build.QueryVariable) -> build.QueryVariable:
    """Lets people choose several values, or all: `.*` also matches targets without the label."""
    return (
        variable.multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def address_variable(name: str, address: str) -> build.ConstantVariable:
    """An address for links, not shown."""
    built = build.ConstantVariable(name).value(address)
    variable = built.build()
    variable.current = model.VariableOption(selected=True, text=address, value=address)
    variable.hide = model.VariableHide.HIDE_VARIABLE
    return built


def at_the_top(built: build.DashboardLink) -> build.DashboardLink:
    """Shows a link beside the variables. The library would put it into a menu."""
    built.type(model.DashboardLinkType.LINK).build().placement = None  # type: ignore[assignment]
    return built


def external_link(title: str, url: str, tooltip: str) -> build.DashboardLink:
    """A link to another program, at the top of a dashboard."""
    built = build.DashboardLink(title).icon("external link").url(url).tooltip(tooltip).target_blank(True)
    return at_the_top(built)


def dashboard_link(title: str, uid: str, tooltip: str) -> build.DashboardLink:
    """A link to the other dashboard, at the top; the time range and the data source are kept."""
    url = f"/d/{uid}/{uid}?{KEEP_SOURCE}"
    return at_the_top(build.DashboardLink(title).icon("dashboard").url(url).tooltip(tooltip).keep_time(True))


def alert_annotations(expression: str) -> build.AnnotationQuery:
    """Firing alerts as coloured spans in all graphs."""
    target = prometheus.Dataquery().datasource(DATASOURCE).expr(expression).ref_id("Anno").range()
    built = (
        build.AnnotationQuery()
        .name("Firing alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(style.RED)
        .target(target)
        .expr(expression)
        .title_format("{{alertname}}")
        .text_format("{{instance}} ({{severity}})")
        .tag_keys("alertname,severity")
        .step("60s")
        .use_value_for_time(False)
    )
    # Its switch is shown beside the variables. The library would put it into a menu.
    built.build().placement = None  # type: ignore[assignment]
    return built


def dashboard(uid: str, title: str, description: str, grid: Grid) -> build.Dashboard:
    """A dashboard with everything but variables, links and annotations."""
    built = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .editable()
        .timezone("browser")
        .refresh("30s")
        .time("now-24h", "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .version(1)
    )
    built.build().panels = grid.panels
    return built
