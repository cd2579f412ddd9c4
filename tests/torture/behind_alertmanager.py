"""`webservice-monitor alert-log` behind a real Alertmanager with the shipped configuration; both are killed again and again."""

from __future__ import annotations

import pathlib
import random
import subprocess
import time

import reader
from log import Result, missed, rotate, settled
from outages import Outage, Outages
from program import Program, SlowSync, choices, free_port, wait_until
from prometheus import Prometheus

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = 20
ALERT = "WebserviceDown"
# How much faster than shipped the Alertmanager waits and repeats.
FACTOR = 20
HEARTBEAT = "40s"
# How long the receiver and the Alertmanager live, and how long the Alertmanager is away.
RECEIVER_SECONDS = (0.2, 5.0)
ALERTMANAGER_SECONDS = (4.0, 15.0)
AWAY_SECONDS = (0.0, 4.0)
STALLED_MILLISECONDS = 6000
STALLED_SECONDS = (1.0, 14.0)
LONG_SECONDS = 20.0
SLACK_SECONDS = 15.0
SETTLE_SECONDS = 90.0
QUIET_SECONDS = 5.0
SENT_SECONDS = 10.0


class BehindAlertmanager:
    """The part of the torture that kills the receiver and the Alertmanager before it."""

    def __init__(self, binary: pathlib.Path, alertmanager: pathlib.Path, folder: pathlib.Path, slow: SlowSync, seed: int, seconds: float) -> None:
        self._binary = binary
        self._alertmanager_binary = alertmanager
        self._folder = folder / "behind-alertmanager"
        self._slow = slow
        self._random: random.Random = choices(seed, "receiver")
        self._seconds = seconds
        # Other outages than those of the all-in-one mode.
        self._outages = Outages(-1 - seed, TARGETS)
        self._urls = [f"http://service-{number}.example/" for number in range(TARGETS)]
        self._ports = {"receiver": free_port(), "alertmanager": free_port()}
        self._prometheus = Prometheus(self._ports["alertmanager"], self._outages, self._urls)
        self._running: dict[str, Program] = {}
        self._kills = {"receiver": 0, "alertmanager": 0}
        self.log = self._folder / "data" / "alerts.jsonl"

    def run(self) -> Result:
        """Kills both for so long, lets everything end, and judges."""
        self._folder.mkdir()
        self._write_config()
        problems: list[str] = []
        try:
            self._start_alertmanager()
            self._start_receiver()
            self._outages.start()
            self._prometheus.start()
            self._torture()
            problems += self._end()
        finally:
            self._prometheus.stop()
            for program in self._running.values():
                program.end()
        return self._judge(problems)

    def _write_config(self) -> None:
        shipped = (ROOT / "config" / "alertmanager.yml").read_text()
        config = self._folder / "alertmanager.yml"
        config.write_text(shipped.replace("alert-log:9115", f"127.0.0.1:{self._ports['receiver']}"))
        subprocess.run([ROOT / "scripts" / "faster", str(FACTOR), config], check=True)

    def _start_alertmanager(self) -> None:
        command = [
            self._alertmanager_binary,
            f"--config.file={self._folder / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self._ports['alertmanager']}",
            "--cluster.listen-address=",
        ]
        self._running["alertmanager"] = Program(command, self._folder, "alertmanager")

    def _start_receiver(self, stalled: bool = False) -> None:
        command = [self._binary, "alert-log", f"--web.listen-address=127.0.0.1:{self._ports['receiver']}", f"--heartbeat.timeout={HEARTBEAT}"]
        environment = self._slow.environment(STALLED_MILLISECONDS, self._folder / "trace") if stalled else None
        self._running["receiver"] = Program(command, self._folder, "alert-log", environment)

    def _kill(self, name: str) -> None:
        self._running[name].kill()
        self._kills[name] += 1

    def _torture(self) -> None:
        end = time.monotonic() + self._seconds
        alertmanager_turn = time.monotonic() + self._random.uniform(*ALERTMANAGER_SECONDS)
        receiver_turn = time.monotonic() + self._random.uniform(*RECEIVER_SECONDS)
        away = False
        while time.monotonic() < end:
            time.sleep(max(0.0, min(alertmanager_turn, receiver_turn, end) - time.monotonic()))
            now = time.monotonic()
            if now >= receiver_turn:
                receiver_turn = now + self._restart_receiver()
            if now >= alertmanager_turn:
                if away:
                    self._start_alertmanager()
                else:
                    self._kill("alertmanager")
                away = not away
                alertmanager_turn = now + self._random.uniform(*(AWAY_SECONDS if away else ALERTMANAGER_SECONDS))
        if away:
            self._start_alertmanager()

    def _restart_receiver(self) -> float:
        """Kills it and starts it at once; how long it is to live now."""
        self._kill("receiver")
        if self._random.random() < 0.1:
            rotate(self.log, self._kills["receiver"])
        stalled = self._random.random() < 0.15
        self._start_receiver(stalled)
        return self._random.uniform(*(STALLED_SECONDS if stalled else RECEIVER_SECONDS))

    def _end(self) -> list[str]:
        """Ends all alerts while nobody hears of it, starts everything again and waits for the ends."""
        problems = []
        self._kill("receiver")
        self._start_receiver()
        self._kill("alertmanager")
        self._outages.stop()
        if not wait_until(lambda: self._prometheus.firing() == 0, SENT_SECONDS):
            problems.append("the played Prometheus does not end its alerts")
        self._start_alertmanager()
        if not settled(self.log, SETTLE_SECONDS, QUIET_SECONDS):
            problems.append(f"not all alerts ended within {SETTLE_SECONDS:.0f} s after all targets were up")
        self._kill("receiver")
        self._start_receiver()
        settled(self.log, QUIET_SECONDS * 2, QUIET_SECONDS)
        for program in self._running.values():
            program.check_alive()
        return problems

    def _judge(self, problems: list[str]) -> Result:
        verdict, lines = reader.judge_log(self.log)
        index = {url: target for target, url in enumerate(self._urls)}
        fired = [Outage(index[alert.labels["instance"]], alert.fired, alert.resolved) for alert in self._prometheus.fired]
        long = [outage for outage in fired if outage.seconds() >= LONG_SECONDS]
        problems += missed(long, self._urls, ALERT, lines, SLACK_SECONDS)
        if verdict.firing == 0:
            problems.append("nothing was reported at all")
        kills = f"{self._kills['receiver']} kills of `alert-log`, {self._kills['alertmanager']} of the Alertmanager, {len(fired)} alerts"
        return Result("behind Alertmanager", verdict, kills, problems, len(long))
