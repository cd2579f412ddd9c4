"""What the parts of the torture have in common about the alert log: waiting until it is complete, and holding it to what really happened.

The judgement of the log itself is the reader's.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Iterable

import reader
from outages import Outage

FINDINGS_SHOWN = 20
# How often the log is read while its end is waited for.
POLL_SECONDS = 0.5


@dataclasses.dataclass
class Result:
    """What became of one part."""

    name: str
    verdict: reader.Verdict
    kills: str
    problems: list[str] = dataclasses.field(default_factory=list)
    long_outages: int = 0

    @property
    def good(self) -> bool:
        """Whether all is as promised."""
        return self.verdict.good and not self.problems

    def report(self) -> str:
        """The figures, and what is wrong."""
        lines = [f"{self.name}: {self.kills}", f"  {self.verdict.summary()}"]
        lines.append(f"  {self.long_outages} long outages, {len(self.problems)} problems besides")
        for kind, found in [*self.verdict.findings.items(), ("problem", self.problems)]:
            lines += [f"  {kind}: {finding}" for finding in found[:FINDINGS_SHOWN]]
            if len(found) > FINDINGS_SHOWN:
                lines.append(f"  {kind}: and {len(found) - FINDINGS_SHOWN} more")
        return "\n".join(lines)


def settled(log: pathlib.Path, seconds: float, quiet: float) -> bool:
    """Waits until everything in the log is over, and nothing was written for a while; whether that was so in time."""
    deadline = time.monotonic() + seconds
    state: tuple[int, int] = (0, 0)
    since = time.monotonic()
    while time.monotonic() < deadline:
        _, found = reader.judge_log(log)
        now = (len(found), len(reader.open_alerts(found)))
        if now != state:
            state, since = now, time.monotonic()
        elif now[1] == 0 and time.monotonic() - since >= quiet:
            return True
        time.sleep(POLL_SECONDS)
    return False


def rotate(log: pathlib.Path, number: int) -> None:
    """Renames the log, as logrotate does."""
    if log.exists():
        log.rename(f"{log}.{number}")


def missed(outages: Iterable[Outage], urls: list[str], alert: str, lines: list[reader.Line], slack: float) -> list[str]:
    """The outages during which the log has no alert about the target."""
    begun = {line.event: line for line in lines if line.action == "firing"}
    ended = {line.event: line for line in lines if line.action == "resolved"}
    spans: dict[str, list[tuple[float, float]]] = {}
    for event, line in begun.items():
        if line.identity[0] == alert:
            end = ended[event].written.timestamp() if event in ended else float("inf")
            spans.setdefault(line.url, []).append((line.written.timestamp(), end))
    problems = []
    for outage in outages:
        url, end = urls[outage.target], (outage.ended or time.time()) + slack
        if not any(first <= end and last >= outage.begun for first, last in spans.get(url, [])):
            at = time.strftime("%H:%M:%S", time.gmtime(outage.begun))
            problems.append(f"{alert} {url}: nothing of an outage of {outage.seconds():.0f} s from {at}")
    return problems
