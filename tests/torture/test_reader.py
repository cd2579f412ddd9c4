"""The reader finds what is wrong with a log, each kind by its name, and nothing in a good one."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import pathlib
import tempfile
import unittest

import reader

LABELS = {"job": "webservices", "module": "http_2xx", "severity": "critical"}


def line(action: str, event: str, minute: int, **changes: object) -> str:
    """A line as docs/alert-log.md has it; `changes` are fields with `_` for `.`, a value of None takes one away."""
    resolved = action == "resolved"
    fields: dict[str, object] = {
        "@timestamp": f"2026-11-22T06:{minute:02}:06.455Z",
        "log.level": "info" if resolved else "error",
        "message": f"{action.upper()} WebserviceDown: http://a/",
        "event.action": action,
        "event.id": event,
        "event.start": "2026-11-22T06:00:06.000Z",
        "rule.name": "WebserviceDown",
        "url.full": "http://a/",
        "labels": LABELS,
    }
    if resolved:
        fields["event.end"] = "2026-11-22T06:01:06.500Z"
        fields["event.duration"] = 60_500_000_000
    for name, value in changes.items():
        fields[name.replace("_", ".")] = value
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def pair(event: str, minute: int, **changes: object) -> list[str]:
    """A disruption from its beginning to its end."""
    return [line("firing", event, minute, **changes), line("resolved", event, minute + 1, **changes)]


def verdict_on(*written: str) -> reader.Verdict:
    """The verdict on a log with these lines."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "alerts.jsonl"
        log.write_text("".join(f"{text}\n" for text in written))
        return reader.judge_log(log)[0]


BAD: list[tuple[str, list[str], dict[str, int]]] = [
    ("no end", [line("firing", "a-1", 1)], {"unpaired": 1}),
    ("no beginning", [line("resolved", "a-1", 1)], {"unpaired": 1}),
    ("a second beginning", [line("firing", "a-1", 0), *pair("a-1", 1)], {"doubled": 1}),
    ("a second end", [*pair("a-1", 1), line("resolved", "a-1", 3)], {"doubled": 1}),
    ("the whole twice", [*pair("a-1", 1), *pair("a-1", 3)], {"doubled": 2}),
    ("the end first", list(reversed(pair("a-1", 1))), {"misordered": 1}),
    ("a second event of an alert that is open", [line("firing", "a-1", 1), *pair("a-2", 2), line("resolved", "a-1", 4)], {"overlapping": 1}),
    ("other labels are the same alert", [line("firing", "a-1", 1), *pair("a-2", 2, labels=LABELS | {"severity": "info"}), line("resolved", "a-1", 4)], {"overlapping": 1}),
    ("an event of two alerts", [line("firing", "a-1", 1), line("resolved", "a-1", 2, url_full="http://b/")], {"misordered": 1}),
    ("a negative duration", [line("firing", "a-1", 1), line("resolved", "a-1", 2, event_duration=-1)], {"times": 1}),
    ("an end before its start", pair("a-1", 1, event_start="2026-11-22T07:00:00Z"), {"times": 1}),
    ("a length that is not that of its times", [line("firing", "a-1", 1), line("resolved", "a-1", 2, event_duration=5)], {"times": 1}),
    ("two starts", [line("firing", "a-1", 1, event_start="2026-11-22T06:00:00Z"), line("resolved", "a-1", 2)], {"times": 1}),
    ("resolved without an end", [line("firing", "a-1", 1), line("resolved", "a-1", 2, event_end=None)], {"times": 1}),
    ("firing with an end", [line("firing", "a-1", 1, event_end="2026-11-22T06:01:06Z"), line("resolved", "a-1", 2)], {"times": 1}),
    ("no JSON", ["x", *pair("a-1", 1)], {"invalid": 1}),
    ("no object", ["[]", *pair("a-1", 1)], {"invalid": 1}),
    ("an unknown action", [line("acknowledged", "a-1", 1), *pair("a-1", 1)], {"invalid": 1}),
    ("a message of the other action", [*pair("a-1", 1), line("firing", "a-2", 3, message="RESOLVED x")], {"invalid": 1}),
    ("no time", [*pair("a-1", 1), line("firing", "a-2", 3, event_start="soon")], {"invalid": 1}),
    ("no event", [*pair("a-1", 1), line("firing", "", 3)], {"invalid": 1}),
    ("a long line", [*pair("a-1", 1), line("firing", "a-2", 3, event_reason="x" * 8000)], {"invalid": 1}),
]


class Reader(unittest.TestCase):
    """Small logs, good and bad."""

    def test_each_mistake_is_found_by_its_name(self) -> None:
        for name, written, expected in BAD:
            with self.subTest(name):
                verdict = verdict_on(*written)
                found = {kind: len(findings) for kind, findings in verdict.findings.items() if findings}
                self.assertEqual(found, expected, verdict.findings)
                self.assertFalse(verdict.good)

    def test_good_logs_are_good(self) -> None:
        other = {"url_full": "http://b/"}
        module = {"labels": LABELS | {"module": "tcp"}}
        own = {"url_full": None, "labels": {"job": "own", "pod": "1"}}
        own_too = {"url_full": None, "labels": {"job": "own", "pod": "2"}}
        good = {
            "nothing": [],
            "one after the other": [*pair("a-1", 1), *pair("a-2", 3)],
            "two targets at once": [line("firing", "a-1", 1), *pair("b-1", 2, **other), line("resolved", "a-1", 4)],
            "two modules at once": [line("firing", "a-1", 1), *pair("b-1", 2, **module), line("resolved", "a-1", 4)],
            "not about targets": [line("firing", "c-1", 1, **own), *pair("d-1", 2, **own_too), line("resolved", "c-1", 4, **own)],
            "as the log was written before": [line("firing", "a-1", 1, event_duration=0), line("resolved", "a-1", 2)],
        }
        for name, written in good.items():
            with self.subTest(name):
                verdict = verdict_on(*written)
                self.assertTrue(verdict.good, verdict.findings)
                self.assertEqual((verdict.firing, verdict.resolved), (len(written) // 2,) * 2)

    def test_a_half_line_is_what_a_crash_leaves(self) -> None:
        whole = pair("a-1", 1)
        verdict = verdict_on(whole[0], whole[1][:60].replace(": ", ":"), whole[1])
        self.assertTrue(verdict.good, verdict.findings)
        self.assertEqual(verdict.half, 1)

    def test_rotated_files_are_read_in_their_order(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "alerts.jsonl"
            spaced = [text.replace('{"@timestamp": "', '{"@timestamp":"') for text in [*pair("a-1", 1), *pair("a-2", 3), *pair("a-3", 5)]]
            pathlib.Path(f"{log}.2.gz").write_bytes(gzip.compress("\n".join(spaced[:1]).encode()))
            pathlib.Path(f"{log}.1").write_text("\n".join(spaced[1:3]))
            log.write_text("\n".join(spaced[3:]))
            (log.parent / ".alerts.jsonl.known").write_text("not of the log")
            verdict, found = reader.judge_log(log)
            self.assertTrue(verdict.good, verdict.findings)
            self.assertEqual([each.event for each in found], ["a-1", "a-1", "a-2", "a-2", "a-3", "a-3"])

    def test_what_is_open_is_known(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "alerts.jsonl"
            log.write_text("\n".join([*pair("a-1", 1), line("firing", "a-2", 3)]))
            self.assertEqual(list(reader.open_alerts(reader.judge_log(log)[1])), ["a-2"])

    def test_the_exit_code_says_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as output:
            log = pathlib.Path(folder) / "alerts.jsonl"
            self.assertEqual(reader.main([str(log)]), 1, "a log that is not there is not good")
            log.write_text("\n".join(pair("a-1", 1)))
            self.assertEqual(reader.main(["--json", str(log)]), 0)
            log.write_text(line("firing", "a-1", 1))
            self.assertEqual(reader.main([str(log)]), 1)
        self.assertIn("1 FIRING, 0 RESOLVED, 0 invalid, 1 unpaired", output.getvalue())


if __name__ == "__main__":
    unittest.main()
