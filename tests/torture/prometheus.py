"""What a Prometheus sends its Alertmanager about a number of targets, as it would.

An alert that fires is sent at once and again every few seconds, with an end a little ahead; one that is over is sent with its end
for a quarter of an hour. What does not arrive is not sent again before its turn. Must not know who is killed meanwhile.
"""

from __future__ import annotations

import dataclasses
import datetime
import http.client
import json
import threading
import time

from outages import Outages

EVALUATION_SECONDS = 0.5
# How long a target is down before its alert fires.
PROMISE_SECONDS = 2.0
RESEND_SECONDS = 3.0
# As in Prometheus: four times what is between two messages, so that one that is lost ends nothing.
VALID_SECONDS = 4 * RESEND_SECONDS
# As in Prometheus.
RESOLVED_KEPT_SECONDS = 15 * 60.0
SEND_SECONDS = 2.0


@dataclasses.dataclass
class Alert:
    """An alert from when it fires until its end is no longer sent, in seconds of Unix time."""

    labels: dict[str, str]
    annotations: dict[str, str]
    fired: float
    resolved: float | None = None
    sent: float = 0.0

    def is_due(self, now: float) -> bool:
        """Whether it is to be sent."""
        if self.resolved is not None and self.resolved > self.sent:
            return True
        return self.sent + RESEND_SECONDS < now

    def message(self, now: float) -> dict[str, object]:
        """The alert as Alertmanager's API takes it."""
        return {
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": timestamp(self.fired),
            "endsAt": timestamp(self.resolved or now + VALID_SECONDS),
            "generatorURL": "http://prometheus.example:9090/graph",
        }


def timestamp(seconds: float) -> str:
    """A time as RFC 3339 has it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()


class Prometheus:
    """Evaluates one rule about targets and the one that always fires, and sends to an Alertmanager."""

    def __init__(self, port: int, outages: Outages, urls: list[str]) -> None:
        self._port = port
        self._outages = outages
        self._urls = urls
        self._alerts: dict[int, Alert] = {}
        self._watchdog = Alert({"alertname": "Watchdog", "severity": "none"}, {"summary": "Alerts arrive."}, time.time())
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        # Every time that an alert fired, for the judgement.
        self.fired: list[Alert] = []

    def start(self) -> None:
        """Begins to evaluate."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        self._thread.join()

    def firing(self) -> int:
        """How many targets have an alert that fires."""
        return sum(alert.resolved is None for alert in list(self._alerts.values()))

    def _run(self) -> None:
        turn = time.monotonic()
        while not self._stopped.wait(max(0.0, turn - time.monotonic())):
            turn += EVALUATION_SECONDS
            now = time.time()
            self._evaluate(now)
            due = [alert for alert in [self._watchdog, *self._alerts.values()] if alert.is_due(now)]
            self._send(due, now)

    def _evaluate(self, now: float) -> None:
        self._watchdog.annotations = {"summary": "Alerts arrive.", "evaluated_at": f"{now:.0f}"}
        for target, url in enumerate(self._urls):
            alert = self._alerts.get(target)
            since = self._outages.down_since(target)
            if since is not None:
                if alert is not None and alert.resolved is None:
                    alert.annotations["ended_at"] = f"{now:.3f}"
                elif now - since >= PROMISE_SECONDS:
                    self._alerts[target] = self._fire(url, since, now)
            elif alert is not None and alert.resolved is None:
                alert.resolved = now
            elif alert is not None and now - (alert.resolved or now) > RESOLVED_KEPT_SECONDS:
                del self._alerts[target]

    def _fire(self, url: str, since: float, now: float) -> Alert:
        labels = {"alertname": "WebserviceDown", "job": "webservices", "instance": url, "module": "http_2xx", "severity": "critical"}
        annotations = {
            "summary": f"{url} is down",
            "description": f"Down since {timestamp(since)}.",
            "resolved": f"{url} works again",
            "started_at": f"{since:.3f}",
            "ended_at": f"{now:.3f}",
            "error_type": "connect/refused",
        }
        alert = Alert(labels, annotations, now)
        self.fired.append(alert)
        return alert

    def _send(self, alerts: list[Alert], now: float) -> None:
        if not alerts:
            return
        for alert in alerts:
            alert.sent = now
        body = json.dumps([alert.message(now) for alert in alerts])
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SEND_SECONDS)
        try:
            connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass  # The Alertmanager was killed; the next turn comes.
        finally:
            connection.close()
