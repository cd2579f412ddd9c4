"""Colours, value mappings and thresholds: what a state looks like, once for all panels.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any kind of colour
blindness can tell apart. No state is shown by colour alone: a mapping gives it a word as well.

Must not know any query.
"""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

GREEN = "#009E73"
RED = "#D55E00"
ORANGE = "#E69F00"
YELLOW = "#F0E442"
SKY = "#56B4E9"
BLUE = "#0072B2"
PURPLE = "#CC79A7"
GREY = "#8E8E8E"
# What is well does not ask for attention: no background at all, and the usual colour of text.
CALM = "transparent"
INK = "text"

# What is drawn for a target, see `promql.state`, and for an alert, see `promql.alert_state`. A table that is sorted by
# it has what is down on top, then what is unknown.
DOWN, NO_DATA, UP, FIRING = 0, 0.5, 1, 11


def words(*options: tuple[float, str, str]) -> model.ValueMap:
    """Words for single values: (value, word, colour)."""
    return model.ValueMap(
        options={
            f"{value:g}": model.ValueMappingResult(text=word, color=colour, index=index)
            for index, (value, word, colour) in enumerate(options)
        }
    )


def span(low: float | None, high: float | None, colour: str, word: str | None = None) -> model.RangeMap:
    """A colour, and perhaps a word, for a span of values, both ends included."""
    return model.RangeMap(
        options=model.DashboardRangeMapOptions(
            from_val=low, to=high, result=model.ValueMappingResult(text=word, color=colour)
        )
    )


def nothing(word: str, colour: str = GREY) -> model.SpecialValueMap:
    """A word for a value that is missing."""
    return model.SpecialValueMap(
        options=model.DashboardSpecialValueMapOptions(
            match=model.SpecialValueMatch.NULL_AND_NAN,
            result=model.ValueMappingResult(text=word, color=colour),
        )
    )


STATES = [
    words((DOWN, "DOWN", RED), (UP, "UP", GREEN), (NO_DATA, "NO DATA", GREY)),
    nothing("no data"),
]
ALERTS = [words((FIRING, "firing", RED))]
# A number that is there for what is not well alone.
NONE_IS_WELL = [words((0, "–", GREY)), nothing("–")]
STATUS_CODES = [
    words((0, "no answer", PURPLE)),
    span(100, 199, GREY),
    span(200, 299, GREEN),
    span(300, 399, SKY),
    span(400, 499, ORANGE),
    span(500, 599, RED),
    nothing("–"),
]
EXPORTER = [words((0, "DOWN", RED), (1, "UP", GREEN)), nothing("MISSING", RED)]
CONFIGURATION = [words((0, "OLD ONE IN FORCE", ORANGE), (1, "LOADED", GREEN)), nothing("unknown")]
TRUST = [words((0, "not trusted", RED), (1, "trusted", GREEN))]

SEVERITIES = [
    model.ValueMap(
        options={
            word: model.ValueMappingResult(text=word, color=colour, index=index)
            for index, (word, colour) in enumerate(
                [("critical", RED), ("warning", ORANGE), ("info", SKY), ("none", GREY)]
            )
        }
    ),
]


def steps(base: str, *rest: tuple[float, str]) -> build.ThresholdsConfig:
    """Thresholds: the colour below the first value, then each value with the colour from there on."""
    listed = [model.Threshold(value=None, color=base)]
    listed += [model.Threshold(value=value, color=colour) for value, colour in rest]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(listed)


def plain() -> build.ThresholdsConfig:
    """No thresholds, for text that is neither good nor bad."""
    return steps(INK)


def bad_from(value: float, colour: str = RED) -> build.ThresholdsConfig:
    """A background that is calm below a value."""
    return steps(CALM, (value, colour))


def availability() -> build.ThresholdsConfig:
    """Availability as a ratio; the steps are one, two and three nines."""
    return steps(RED, (0.9, ORANGE), (0.99, SKY), (0.999, GREEN))


def budget() -> build.ThresholdsConfig:
    """What is left of an error budget, as a ratio: overspent, nearly spent, enough."""
    return steps(RED, (0, ORANGE), (0.25, GREEN))


def certificate_days() -> build.ThresholdsConfig:
    """Days until a certificate expires; the steps are those of the alerts."""
    return steps(RED, (3, ORANGE), (14, GREEN))
