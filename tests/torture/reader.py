"""Judges an alert log: does each FIRING have its RESOLVED, and is no line there twice?

`reader.py LOG` reads the log and the files it was rotated to, prints what it found and ends with 1 when something is wrong. It
knows docs/alert-log.md and nothing else, so that it can disagree with the program that wrote the log.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import gzip
import json
import pathlib
import sys
from collections.abc import Iterable, Iterator

LINE_BYTES_MAX = 8000
ACTIONS = ("firing", "resolved")
# What `event.end` - `event.start` and `event.duration` may differ by: the times are written in milliseconds.
ROUNDING_NANOSECONDS = 2_000_000

Identity = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Line:
    """One transition as it is written."""

    place: str
    action: str
    event: str
    identity: Identity
    written: datetime.datetime
    start: datetime.datetime
    end: datetime.datetime | None
    url: str
    message: str


class Invalid(Exception):
    """Why a line is none of an alert log."""


@dataclasses.dataclass
class Verdict:
    """What is to be said of a log."""

    firing: int = 0
    resolved: int = 0
    half: int = 0
    invalid: list[str] = dataclasses.field(default_factory=list)
    unpaired: list[str] = dataclasses.field(default_factory=list)
    doubled: list[str] = dataclasses.field(default_factory=list)
    misordered: list[str] = dataclasses.field(default_factory=list)
    overlapping: list[str] = dataclasses.field(default_factory=list)
    times: list[str] = dataclasses.field(default_factory=list)

    @property
    def findings(self) -> dict[str, list[str]]:
        """Everything that is wrong, by its kind."""
        kinds = ("invalid", "unpaired", "doubled", "misordered", "overlapping", "times")
        return {kind: getattr(self, kind) for kind in kinds}

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.findings.values())

    def summary(self) -> str:
        """The figures in one line."""
        figures = [f"{self.firing} FIRING", f"{self.resolved} RESOLVED"]
        figures += [f"{len(found)} {kind}" for kind, found in self.findings.items()]
        if self.half:
            figures.append(f"{self.half} half lines, as a crash leaves them")
        return ", ".join(figures)


def time_of(value: object, field: str) -> datetime.datetime:
    """A time as the log writes it."""
    if not isinstance(value, str) or not value.endswith("Z"):
        raise Invalid(f"{field} is not a time in UTC: {value!r}")
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError as error:
        raise Invalid(f"{field}: {error}") from error


def text_of(fields: dict[str, object], field: str) -> str:
    """A field that is always there and has a text."""
    value = fields.get(field)
    if not isinstance(value, str) or not value:
        raise Invalid(f"{field} is missing")
    return value


def identity_of(fields: dict[str, object]) -> Identity:
    """What an alert is about: name, job, instance and module of a target, else all of its labels."""
    labels = fields.get("labels")
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise Invalid("labels is not an object of texts")
    name, job = str(fields.get("rule.name", "")), labels.get("job", "")
    instance = str(fields.get("url.full") or labels.get("instance", ""))
    if "://" in instance or (job == "webservices" and instance):
        return name, job, instance, labels.get("module", "")
    return name, instance, *(f"{label}={value}" for label, value in sorted(labels.items()))


def read_line(text: str, place: str) -> Line:
    """A line of the log, or `Invalid` with what is wrong with it."""
    if len(text.encode()) > LINE_BYTES_MAX:
        raise Invalid(f"longer than {LINE_BYTES_MAX} bytes")
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise Invalid(f"no JSON: {error}") from error
    if not isinstance(fields, dict) or next(iter(fields), None) != "@timestamp":
        raise Invalid("no object that begins with @timestamp")
    action = text_of(fields, "event.action")
    if action not in ACTIONS:
        raise Invalid(f"event.action is {action!r}")
    message = text_of(fields, "message")
    if not message.startswith(action.upper()):
        raise Invalid(f"event.action is {action!r}, but the message is {message!r}")
    end = fields.get("event.end")
    line = Line(
        place=place,
        action=action,
        event=text_of(fields, "event.id"),
        identity=identity_of(fields),
        written=time_of(fields["@timestamp"], "@timestamp"),
        start=time_of(fields.get("event.start"), "event.start"),
        end=None if end is None else time_of(end, "event.end"),
        url=str(fields.get("url.full", "")),
        message=message,
    )
    check_times(line, fields.get("event.duration"))
    return line


class WrongTimes(Invalid):
    """A line whose times contradict each other."""

    def __init__(self, line: Line, why: str) -> None:
        super().__init__(why)
        self.line = line


def check_times(line: Line, duration: object) -> None:
    """A firing line has no end; a resolved one ends after its start, and lasted for as long as it says."""
    if duration is not None and (not isinstance(duration, int) or isinstance(duration, bool) or duration < 0):
        raise WrongTimes(line, f"event.duration is {duration!r}")
    if line.action == "firing":
        if line.end is not None or duration:
            raise WrongTimes(line, "it fires and has an end")
        return
    if line.end is None or duration is None:
        raise WrongTimes(line, "it is resolved and has no end")
    if line.start > line.end:
        raise WrongTimes(line, f"event.start {line.start} is after event.end {line.end}")
    lasted = (line.end - line.start) // datetime.timedelta(microseconds=1) * 1000
    if abs(lasted - duration) > ROUNDING_NANOSECONDS:
        raise WrongTimes(line, f"event.duration is {duration}, but from start to end it is {lasted}")


def is_half(text: str) -> bool:
    """Whether this is the beginning of a line, which a crash may leave: it is ended and its alert is written again."""
    beginning = '{"@timestamp":"'
    return (text.startswith(beginning) or beginning.startswith(text)) and not text.endswith("}")


def files(log: pathlib.Path) -> list[pathlib.Path]:
    """The log and the files it was rotated to, the oldest first."""
    rotated = [path for path in log.parent.glob(f"{log.name}.*") if path.is_file()]

    def age(path: pathlib.Path) -> tuple[str, float]:
        # Every line begins with its time, so that text compares as time does.
        first = next((text for text in lines(path) if text.startswith('{"@timestamp":"')), "")
        return first[:40], path.stat().st_mtime

    return [*sorted(rotated, key=age), log]


def lines(path: pathlib.Path) -> Iterator[str]:
    """The lines of a file, which may be compressed."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    yield from data.decode(errors="replace").split("\n")


def read(paths: Iterable[pathlib.Path], verdict: Verdict) -> list[Line]:
    """All valid lines in their order; the others go to the verdict."""
    found: list[Line] = []
    for path in paths:
        for number, text in enumerate(lines(path), 1):
            place = f"{path.name}:{number}"
            try:
                if text:
                    found.append(read_line(text, place))
            except WrongTimes as wrong:
                verdict.times.append(f"{place}: {wrong}: {text}")
                found.append(wrong.line)
            except Invalid as why:
                if is_half(text):
                    verdict.half += 1
                else:
                    verdict.invalid.append(f"{place}: {why}: {text}")
    return found


def judge(found: Iterable[Line], verdict: Verdict) -> None:
    """Holds the lines to: one FIRING and one RESOLVED for each event, in this order, one event of an identity at a time."""
    events: dict[str, list[Line]] = {}
    open_events: dict[Identity, Line] = {}
    for line in found:
        events.setdefault(line.event, []).append(line)
        other = open_events.get(line.identity)
        if line.action == "firing":
            verdict.firing += 1
            if other is not None and other.event != line.event:
                verdict.overlapping.append(f"{describe(line)}, while open: {describe(other)}")
            open_events[line.identity] = line
        else:
            verdict.resolved += 1
            if other is not None and other.event == line.event:
                del open_events[line.identity]
    for history in events.values():
        judge_event(history, verdict)


def judge_event(history: list[Line], verdict: Verdict) -> None:
    """Holds the lines of one event to: FIRING, then RESOLVED."""
    for action in ACTIONS:
        same = [line for line in history if line.action == action]
        if not same:
            verdict.unpaired.append(f"{describe(history[0])} has no {action.upper()}")
        verdict.doubled.extend(f"{describe(line)}, as {same[0].place}" for line in same[1:])
    if history[0].action == "resolved" and any(line.action == "firing" for line in history):
        verdict.misordered.append(f"{describe(history[0])} comes before its FIRING")
    starts = [line.start for line in history]
    if max(starts) - min(starts) >= datetime.timedelta(seconds=1):
        verdict.times.append(f"{describe(history[0])}: its lines have different starts: {min(starts)}, {max(starts)}")
    if len({line.identity for line in history}) > 1:
        verdict.misordered.append(f"{describe(history[0])}: one event.id of several alerts")


def describe(line: Line) -> str:
    """A line in short, for people who look for it."""
    return f"{line.place} {line.written:%H:%M:%S.%f} {line.event} {line.message}"


def judge_log(log: pathlib.Path) -> tuple[Verdict, list[Line]]:
    """The verdict on a log with its rotated files, and its lines."""
    verdict = Verdict()
    try:
        found = read(files(log), verdict)
    except OSError as error:
        verdict.invalid.append(f"{log} cannot be read: {error}")
        return verdict, []
    judge(found, verdict)
    return verdict, found


def open_alerts(found: Iterable[Line]) -> dict[str, Line]:
    """The events that have begun and not ended."""
    firing: dict[str, Line] = {}
    for line in found:
        if line.action == "firing":
            firing[line.event] = line
        else:
            firing.pop(line.event, None)
    return firing


def main(arguments: list[str]) -> int:
    """Judges the log that the arguments name."""
    parser = argparse.ArgumentParser(description="Judge an alert log: docs/alert-log.md")
    parser.add_argument("log", type=pathlib.Path)
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    options = parser.parse_args(arguments)
    verdict, _ = judge_log(options.log)
    if options.json:
        figures = {kind: len(found) for kind, found in verdict.findings.items()}
        print(json.dumps({"firing": verdict.firing, "resolved": verdict.resolved, "half": verdict.half, **figures}))
    else:
        for kind, found in verdict.findings.items():
            for finding in found:
                print(f"{kind}: {finding}")
        print(verdict.summary())
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
