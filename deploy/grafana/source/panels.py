"""Panels of each kind with the settings that all dashboards share, and the grid that they are put on.

A thin layer over grafana-foundation-sdk: a panel of a dashboard is then a few lines that say what is particular to it.
Must not know what the panels show.
"""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import (
    heatmap,
    prometheus,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heatmap_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from . import style

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Grafana's grid.
COLUMNS = 24
# The shortest step. Targets may be probed as seldom as once a minute, and a window has to hold one result at least.
STEP_MIN = "1m"
# How long a line goes on without a value, in milliseconds: as long as Prometheus itself looks back.
SPAN_NULLS = 5 * 60 * 1000


class Query:
    """An expression and how its series are called."""

    def __init__(self, expression: str, legend: str = "", ref: str = "A") -> None:
        self.expression, self.legend, self.ref = expression, legend, ref

    def build(self, instant: bool, as_table: bool = False) -> prometheus.Dataquery:
        """The query as the library has it: for one moment or a range, as a table or as series."""
        query = prometheus.Dataquery().datasource(DATASOURCE).expr(self.expression).ref_id(self.ref)
        query = query.instant() if instant else query.range()
        if self.legend:
            query.legend_format(self.legend)
        return query.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)


def query(expression: str, legend: str = "") -> list[Query]:
    """The only query of a panel."""
    return [Query(expression, legend)]


def queries(*pairs: tuple[str, str]) -> list[Query]:
    """Several queries, each (expression, legend), named A, B, … in this order."""
    return [Query(expression, legend, chr(ord("A") + index)) for index, (expression, legend) in enumerate(pairs)]


def link(title: str, url: str, new_tab: bool = False) -> dict[str, Any]:
    """A link of a value."""
    return {"title": title, "url": url, "targetBlank": new_tab}


def common_settings(panel: Any, id: int, title: str, description: str, asked: Sequence[Query], **settings: Any) -> Any:
    """What every kind of panel has."""
    instant, as_table = settings.pop("instant", False), settings.pop("as_table", False)
    panel.id(id).title(title).description(description).datasource(DATASOURCE)
    for one in asked:
        panel.with_target(one.build(instant, as_table))
    # `unit("…")` and so on: the names of the settings are those of the library.
    for name, value in settings.items():
        if value is not None:
            getattr(panel, name)(value)
    return panel


def with_links(panel: Any, links: Sequence[dict[str, Any]]) -> model.Panel:
    """The finished panel with links on its values."""
    built = panel.build()
    if links:
        built.field_config.defaults.links = list(links)
    return built


def stat_panel(id: int, title: str, description: str, expression: str, **settings: Any) -> model.Panel:
    """One number, as large as fits."""
    links = settings.pop("links", [])
    panel = (
        stat.Panel()
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(settings.pop("color_mode", common.BigValueColorMode.BACKGROUND_SOLID))
        .text_mode(common.BigValueTextMode.VALUE)
        .reduce_options(build_common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    settings.setdefault("thresholds", style.steps(style.CALM))
    return with_links(
        common_settings(panel, id, title, description, query(expression), instant=True, **settings), links
    )


def legend(calcs: Sequence[str] = (), right: bool = False) -> build_common.VizLegendOptions:
    """A table when it has numbers, else a list."""
    return (
        build_common.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.TABLE if calcs else common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.RIGHT if right else common.LegendPlacement.BOTTOM)
        .calcs(list(calcs))
    )


def tooltip() -> build_common.VizTooltipOptions:
    """All series at one time, the largest first."""
    return (
        build_common.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )


def graph(id: int, title: str, description: str, asked: Sequence[Query], **settings: Any) -> model.Panel:
    """Values over time."""
    links = settings.pop("links", [])
    colours = settings.pop("colours", {})
    calcs, right = settings.pop("calcs", ()), settings.pop("legend_right", False)
    panel = (
        timeseries.Panel()
        .legend(legend(calcs, right))
        .tooltip(tooltip())
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(2)
        .fill_opacity(settings.pop("fill_opacity", 0))
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(settings.pop("span_nulls", SPAN_NULLS))
        .interval(STEP_MIN)
    )
    if (stacking := settings.pop("stacked", False)):
        panel.stacking(build_common.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if settings.pop("bars", False):
        panel.draw_style(common.GraphDrawStyle.BARS).span_nulls(False).bar_width_factor(0.9).line_width(0)
    elif stacking:
        panel.line_width(1)
    if (threshold_lines := settings.pop("threshold_lines", None)) is not None:
        panel.thresholds(threshold_lines).thresholds_style(
            build_common.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    for name, colour in colours.items():
        panel.override_by_name(
            name, [model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})]
        )
    for name in settings.pop("dashed", ()):
        panel.override_by_name(
            name,
            [model.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]})],
        )
    return with_links(common_settings(panel, id, title, description, asked, **settings), links)


def state_timeline(id: int, title: str, description: str, asked: Sequence[Query], **settings: Any) -> model.Panel:
    """One bar for each series, whose colour is the value."""
    links = settings.pop("links", [])
    panel = (
        statetimeline.Panel()
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .align_value(common.TimelineValueAlignment.CENTER)
        .row_height(0.85)
        .line_width(0)
        .fill_opacity(85)
        .legend(build_common.VizLegendOptions().show_legend(False))
        .tooltip(build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .thresholds(style.steps(style.GREY))
        .unit("none")
    )
    return with_links(common_settings(panel, id, title, description, asked, **settings), links)


def status_history(id: int, title: str, description: str, asked: Sequence[Query], **settings: Any) -> model.Panel:
    """One square for each series and step. It draws few points or none, so their number is bounded."""
    links = settings.pop("links", [])
    panel = (
        statushistory.Panel()
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.85)
        .col_width(0.9)
        .line_width(0)
        .fill_opacity(85)
        .legend(build_common.VizLegendOptions().show_legend(False))
        .tooltip(build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .thresholds(style.steps(style.GREY))
        .unit("none")
        .max_data_points(100)
        .interval(STEP_MIN)
    )
    return with_links(common_settings(panel, id, title, description, asked, **settings), links)


def duration_heatmap(id: int, title: str, description: str, asked: Sequence[Query], **settings: Any) -> model.Panel:
    """How many series have which duration, in buckets that Grafana makes."""
    panel = (
        heatmap.Panel()
        .calculate(True)
        .calculation(
            build_common.HeatmapCalculationOptions().y_buckets(
                build_common.HeatmapCalculationBucketConfig()
                .mode(common.HeatmapCalculationMode.SIZE)
                .scale(
                    build_common.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(2)
                )
            )
        )
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_model.HeatmapColorMode.SCHEME)
            # Even in brightness for any eye; most panels of other projects use red and green here.
            .scheme("Viridis")
            .steps(64)
            .scale(heatmap_model.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
        )
        .y_axis(heatmap.YAxisConfig().unit("s").axis_placement(common.AxisPlacement.LEFT))
        .tooltip(heatmap.HeatmapTooltip().mode(common.TooltipDisplayMode.SINGLE).y_histogram(True))
        .max_data_points(120)
        .interval(STEP_MIN)
    )
    return with_links(common_settings(panel, id, title, description, asked, **settings), [])


class Column:
    """A column of a table: where it comes from, what it is called and what is particular to it.

    A cell without a value says so in grey: the colour of the lowest threshold would call it bad.
    """

    def __init__(self, source: str, name: str, **settings: Any) -> None:
        self.source, self.name, self.settings = source, name, settings
        # Not left to the table, whose word for "no value" is about the whole table.
        empty = settings.setdefault("no_value", "–")
        if "thresholds" in settings:
            settings.setdefault("mappings", [style.nothing(empty)])

    def properties(self) -> list[model.DynamicConfigValue]:
        """The settings as Grafana's overrides."""
        ids = {"width": "custom.width", "align": "custom.align", "cell": "custom.cellOptions", "no_value": "noValue"}
        found = []
        for name, value in self.settings.items():
            if isinstance(value, build.ThresholdsConfig):
                value = value.build()
            found.append(model.DynamicConfigValue(id_val=ids.get(name, name), value=value))
        return found


COLOURED = {"type": "color-background", "mode": "basic"}
COLOURED_TEXT = {"type": "color-text"}
GAUGE = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}


def table_panel(
    id: int, title: str, description: str, asked: Sequence[Query], columns: Sequence[Column], **settings: Any
) -> model.Panel:
    """The answers of the queries side by side: rows with the same labels become one row.

    `sort` is a list of (column, descending). Only the columns given are shown, in this order.
    """
    value = (lambda one: f"Value #{one.ref}") if len(asked) > 1 else (lambda _: "Value")
    hidden = ["Time", *settings.pop("hidden", []), *(value(one) for one in asked)]
    shown = {column.source for column in columns}
    organize = {
        "excludeByName": {name: True for name in hidden if name not in shown},
        "indexByName": {column.source: index for index, column in enumerate(columns)},
        "renameByName": {column.source: column.name for column in columns if column.source != column.name},
        "includeByName": {},
    }
    sort = [build_sort(name, descending) for name, descending in settings.pop("sort", [])]
    panel = (
        table.Panel()
        .show_header(True)
        .cell_height(common.TableCellHeight.SM)
        .filterable(settings.pop("filterable", True))
        .sort_by(sort)
    )
    if len(asked) > 1:
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=organize))
    for column in columns:
        panel.override_by_name(column.name, column.properties())
    settings.setdefault("thresholds", style.plain())
    common_settings(panel, id, title, description, asked, instant=True, as_table=True, **settings)
    return panel.build()


def build_sort(name: str, descending: bool) -> Builder[common.TableSortByFieldState]:
    """One key of a table's order."""
    return build_common.TableSortByFieldState().display_name(name).desc(descending)


class Grid:
    """Puts panels on the grid line by line, without a gap."""

    def __init__(self) -> None:
        self.panels: list[model.Panel | model.RowPanel] = []
        self.y = 0

    def row(self, id: int, title: str) -> None:
        """A heading, under which the next lines can be folded away."""
        built = build.Row(title).id(id).build()
        built.collapsed, built.panels = False, []
        built.grid_pos = model.GridPos(x=0, y=self.y, w=COLUMNS, h=1)
        self.panels.append(built)
        self.y += 1

    def line(self, height: int, *placed: tuple[int, model.Panel]) -> None:
        """Panels side by side, each (width, panel); they fill the line."""
        assert sum(width for width, _ in placed) == COLUMNS, [panel.title for _, panel in placed]
        x = 0
        for width, panel in placed:
            panel.grid_pos = model.GridPos(x=x, y=self.y, w=width, h=height)
            self.panels.append(panel)
            x += width
        self.y += height
