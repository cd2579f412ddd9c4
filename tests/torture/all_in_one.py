"""`webservice-monitor run`, killed again and again while its targets go up and down, on a good disk and on slow ones."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import time
from random import Random

import reader
from log import Result, missed, rotate, settled
from outages import Outages
from program import Program, SlowSync, choices, trace_length, traced, wait_until
from targets import Targets

TARGETS = 20
ALERT = "WebserviceDown"
STORE, LOG = "/wal-", "alerts.jsonl"
BUSY_MILLISECONDS = 250
STALLED_MILLISECONDS = 6000
# Until something happens on a disk that a kill waits for: on a stalled one a sync or two before, and the start.
DEADLINE = 25.0
# An outage of this length is reported, whatever was killed meanwhile, when no disk stalls.
LONG_SECONDS = 20.0
SLACK_SECONDS = 10.0
SETTLE_SECONDS = 60.0
QUIET_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class Moment:
    """A moment in the work of a disk: when a sync of a file with `name` in its path begins or ends (`word`), and some time after."""

    word: str
    name: str
    # The longest time after it, in parts of the time that a sync takes.
    longest: float


MOMENTS = [
    # While the store syncs what the log does not have yet; between the two; while the log syncs; after it.
    *[Moment("begin", STORE, 1.0), Moment("end", STORE, 0.02)] * 2,
    Moment("begin", LOG, 1.0),
    Moment("end", LOG, 0.03),
]


@dataclasses.dataclass(frozen=True)
class Round:
    """From one start to the next kill."""

    # How many milliseconds a sync lasts longer.
    delay: int
    # Seconds after the start; then the next moment of this kind, if one is named, and so many seconds more.
    after: float
    moment: Moment | None = None
    more: float = 0.0


def at_a_moment(random: Random, delay: int, after: float) -> Round:
    """A round on a slow disk that ends at a moment of its work."""
    moment = random.choice(MOMENTS)
    return Round(delay, after, moment, random.uniform(0.0, moment.longest * delay / 1000))


def plan(seed: int, kills: int) -> list[Round]:
    """The rounds: half on a good disk, a fifth on one that stalls for 6 s with each sync, the rest on a busy one."""
    random = choices(seed, "kills")
    stalled, busy = kills // 5, kills * 3 // 10
    rounds = [at_a_moment(random, BUSY_MILLISECONDS, random.uniform(0.4, 4.5)) for _ in range(busy)]
    for _ in range(kills - stalled - busy):
        # One kill in eight comes while the program starts.
        after = random.uniform(0.0, 0.4) if random.random() < 0.125 else random.uniform(0.4, 5.0)
        rounds.append(Round(0, after))
    random.shuffle(rounds)
    block = [at_a_moment(random, STALLED_MILLISECONDS, 0.0) for _ in range(stalled)]
    # A stalled disk hardly ever gets a line, so each such round follows one in which alerts begin. All in one piece, so that
    # what has to be reported within a time is known outside of it.
    between, others = rounds[: len(block)], rounds[len(block) :]
    middle = len(others) // 2
    pieces = [each for pair in itertools.zip_longest(between, block) for each in pair if each is not None]
    return [*others[:middle], *pieces, *others[middle:]]


def wait_for_moment(moment: Moment, trace: pathlib.Path, program: Program) -> None:
    """Waits until the disk does something from now on, but not for ever: a kill at another time is as good."""
    since = trace_length(trace)
    wait_until(lambda: traced(trace, since, moment.word, moment.name) or program.process.poll() is not None, DEADLINE)


class AllInOne:
    """The part of the torture that kills the all-in-one mode."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path, slow: SlowSync, seed: int, kills: int) -> None:
        self._binary = binary
        self._folder = folder / "all-in-one"
        self._slow = slow
        self._outages = Outages(seed, TARGETS)
        self._targets = Targets(TARGETS, lambda target: self._outages.down_since(target) is not None)
        self._rounds = plan(seed, kills)
        self._random = choices(seed, "rotation")
        self._stalled = (float("inf"), float("-inf"))
        self.log = self._folder / "data" / LOG

    def run(self) -> Result:
        """Kills it as planned, lets everything end, and judges."""
        self._write_files()
        self._outages.start()
        program: Program | None = None
        problems = []
        try:
            for number, each in enumerate(self._rounds):
                self._round(number, each)
            self._outages.stop()
            program = self._start()
            if not settled(self.log, SETTLE_SECONDS, QUIET_SECONDS):
                problems.append(f"not all alerts ended within {SETTLE_SECONDS:.0f} s after all targets were up")
            program.kill()
            program = self._start()
            settled(self.log, QUIET_SECONDS * 2, QUIET_SECONDS)
            program.check_alive()
        finally:
            if program is not None:
                program.end()
            self._targets.stop()
        return self._judge(problems)

    def _write_files(self) -> None:
        config = self._folder / "config"
        (config / "rules").mkdir(parents=True)
        self._targets.start()
        targets = [f'- targets: ["{url}"]\n  labels: {{ service: "service-{number}" }}\n' for number, url in enumerate(self._targets.urls)]
        (config / "targets.yml").write_text("".join(targets))
        rules = pathlib.Path(__file__).with_name("rules.yml").read_bytes()
        (config / "rules" / "rules.yml").write_bytes(rules)

    def _start(self, delay: int = 0, trace: pathlib.Path | None = None) -> Program:
        command = [self._binary, "run", "--scrape.interval=500ms", "--scrape.timeout=400ms", "--web.listen-address=127.0.0.1:0"]
        environment = self._slow.environment(delay, trace) if trace else None
        return Program(command, self._folder, "run", environment)

    def _round(self, number: int, each: Round) -> None:
        trace = self._folder / "trace"
        trace.unlink(missing_ok=True)
        begun = time.time()
        program = self._start(each.delay, trace if each.delay else None)
        try:
            # The moment of the kill, not a wait for something.
            time.sleep(each.after)
            if each.moment is not None:
                wait_for_moment(each.moment, trace, program)
            time.sleep(each.more)
            if each.delay == STALLED_MILLISECONDS:
                self._stalled = (min(self._stalled[0], begun), max(self._stalled[1], time.time()))
            program.kill()
        finally:
            program.end()
        if self._random.random() < 0.05:
            rotate(self.log, number + 1)

    def _judge(self, problems: list[str]) -> Result:
        verdict, lines = reader.judge_log(self.log)
        first, last = self._stalled
        long = [
            outage
            for outage in self._outages.all
            if outage.seconds() >= LONG_SECONDS and not (outage.begun < last + SLACK_SECONDS and (outage.ended or 0) > first)
        ]
        problems += missed(long, self._targets.urls, ALERT, lines, SLACK_SECONDS)
        if verdict.firing == 0:
            problems.append("nothing was reported at all")
        stalled = sum(each.delay == STALLED_MILLISECONDS for each in self._rounds)
        kills = f"{len(self._rounds) + 1} kills of `run`, {stalled} of them on a stalled disk, {len(self._outages.all)} outages"
        return Result("all-in-one", verdict, kills, problems, len(long))
