#!/usr/bin/env python3
"""What scripts/check-collectors needs to know about lines: writes them, and compares them with what a collector made of them.

    lines.py post ADDRESS FIRST COUNT      sends COUNT alerts to the program's webhook, numbered from FIRST on
    lines.py append LOG FIRST COUNT        writes their lines itself, as the program would, where there is no program
    lines.py arrived COLLECTOR OUTPUT LOG COUNT [MINIMUM]
                                           whether each of the COUNT lines of the log and its rotated files arrived exactly
                                           once, and with everything that is in it
    lines.py syntax FILE…                  whether files for programs that are not there could be right
"""

import glob
import gzip
import json
import os
import re
import sys
import time
import tomllib
import urllib.request
from datetime import datetime, timedelta, timezone

# The longest line that the program writes, with its newline.
LONGEST = 8_000
# The fields that configurations name; each is in docs/alert-log.md.
FIELDS = {"@timestamp", "log.level", "rule.name", "event.action", "event.id", "service.name", "url.full"}
# Text that is not easy to carry.
HOSTILE = 'Größe 日本語 🚨 "quoted" back\\slash {"json": [1]} <b>&amp;</b> 100% $HOME ${MESSAGE} %msg% \'x\''


def alert(number):
    """The alert of a number, as Alertmanager's webhook sends it. Every fifth is the resolution of the four before it."""
    kind = number % 5
    name = f"http://service-{number - kind if kind == 4 else number}.example/"
    begun = datetime(2026, 11, 22, 6, 0, tzinfo=timezone.utc) + timedelta(seconds=number - number % 5)
    text = {1: HOSTILE, 2: "long " * 780}.get(kind, "No answer for 5 minutes.")
    labels = {
        "alertname": "WebserviceDown",
        "instance": name,
        "job": "webservices",
        "service": f"shop-{number}" if kind != 4 else f"shop-{number - 4}",
        "severity": {1: "warning", 3: "info"}.get(kind, "critical"),
    }
    if kind == 2:
        labels["note"] = "n" * 3600
    return {
        "status": "resolved" if kind == 4 else "firing",
        "labels": labels,
        "annotations": {
            "summary": f"{name} is down: {HOSTILE}" if kind == 1 else f"{name} is down",
            "description": text,
            "error_type": "connect/refused",
        },
        "startsAt": begun.isoformat(),
        "endsAt": (begun + timedelta(minutes=5)).isoformat() if kind == 4 else "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": f"{number:016x}",
    }


def numbers(first, count):
    return range(int(first), int(first) + int(count))


def post(address, first, count):
    # One at a time: each is on the disk when the answer comes.
    for number in numbers(first, count):
        body = {"version": "4", "status": "firing", "receiver": "alert-log", "alerts": [alert(number)]}
        request = urllib.request.Request(
            f"http://{address}/api/v1/alertmanager",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
        time.sleep(0.02)


def append(log, first, count):
    for number in numbers(first, count):
        sent = alert(number)
        labels = sent["labels"]
        word = sent["status"].upper()
        severity = {"critical": 3, "warning": 2}.get(labels["severity"], 1)
        level = {3: "error", 2: "warn"}.get(severity, "info") if word == "FIRING" else "info"
        fields = {
            "@timestamp": f"2026-11-22T07:00:{number // 1000 % 60:02}.{number % 1000:03}Z",
            "log.level": level,
            "message": f"{word} {labels['alertname']}: " + what(word, sent),
            "ecs.version": "8.11.0",
            "event.kind": "alert",
            "event.dataset": "webservice_monitor.alert",
            "event.action": sent["status"],
            "event.id": f"{number:016x}-1795329126",
            "event.start": "2026-11-22T06:00:00.000Z",
            **({} if word == "FIRING" else {"event.end": "2026-11-22T06:05:00.000Z", "event.duration": 300_000_000_000}),
            "event.severity": severity,
            "event.category": ["network", "web"],
            "event.type": ["start", "error"] if word == "FIRING" else ["end", "info"],
            "event.reason": sent["annotations"]["description"] if word == "FIRING" else "works again",
            "error.type": "connect/refused",
            "rule.name": labels["alertname"],
            "url.full": labels["instance"],
            "service.name": labels["service"],
            "labels": {"job": labels["job"], "severity": labels["severity"], "note": ""},
        }
        line = encode(fields)
        if number % 5 == 2:
            fields["labels"]["note"] = "n" * (LONGEST - len(line))
            line = encode(fields)
        # Opened anew, as the program does when the file was renamed; one write for the whole line.
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        os.write(file, line)
        os.close(file)
        time.sleep(0.02)


def what(word, sent):
    if word == "FIRING":
        return sent["annotations"]["summary"]
    return f"{sent['labels']['instance']}: over after 5 min"


def encode(fields):
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def written(log):
    """The lines of the log, the oldest first: compressed files, the one renamed last, the current one."""
    rotated = sorted(glob.glob(f"{glob.escape(log)}.[0-9]*"), key=rotation, reverse=True)
    lines = []
    for path in [*rotated, log]:
        if os.path.exists(path):
            with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
                lines += file.read().splitlines()
    return lines


def rotation(path):
    return int(re.search(r"\.(\d+)(\.gz)?$", path).group(1))


# What each collector writes, as (time, level, message, fields). A line that is not a record is None.


def rsyslog(line):
    match = re.fullmatch(r"<(\d+)>1 (\S+) \S+ webservice-monitor - (\S+) - @cee: (\{.*\})", line)
    if not match:
        return None
    fields = json.loads(match[4])
    if match[3] != fields["event.id"]:
        raise ValueError(f"the MSGID is {match[3]}")
    level = {3: "error", 4: "warn", 6: "info"}[int(match[1]) & 7]
    return moment(match[2]), level, fields["message"], fields


def syslog_ng(line):
    stamp, level, rest = line.split(" ", 2)
    # The text may have braces in it as well.
    for place in (match.start() for match in re.finditer(r" \{", rest)):
        try:
            nested = json.loads(rest[place + 1 :])
        except ValueError:
            continue
        levels = {"err": "error", "error": "error", "warning": "warn", "info": "info"}
        return moment(stamp), levels[level], rest[:place], flat(nested)
    raise ValueError("no JSON in it")


def fluent_bit(line):
    if not line.startswith("{"):
        return None
    fields = json.loads(line)
    stamp = fields.pop("event_time")
    return moment(stamp), fields["log.level"], fields["message"], fields


READERS = {"rsyslog": rsyslog, "syslog-ng": syslog_ng, "fluent-bit": fluent_bit}


def moment(text):
    return datetime.fromisoformat(text)


def flat(value, prefix=""):
    fields = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            fields |= flat(inner, f"{prefix}{name}.")
        else:
            fields[prefix + name] = inner
    return fields


def comparable(reader, fields):
    """syslog-ng has one level of names, and before version 4 only texts; an empty one is nothing there. A list becomes one text, or
    a name with a number for each of its elements."""
    if reader is not syslog_ng:
        return json.dumps(fields, sort_keys=True, ensure_ascii=False)
    texts = {}
    for name, value in sorted(flat(fields).items()):
        text = ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        name = re.sub(r"\[\d+\]$", "", name)
        texts[name] = f"{texts[name]},{text}" if name in texts else text
    return json.dumps({name: text for name, text in texts.items() if text}, sort_keys=True, ensure_ascii=False)


def arrived(collector, output, log, count, minimum=0):
    lines = written(log)
    if len(lines) != int(count):
        return f"the log has {len(lines)} lines, {count} were written: one was lost or doubled by the rotation"
    if max(map(len, lines)) < int(minimum):
        return f"no line has {minimum} bytes, so long lines are not tested"
    reader = READERS[collector]
    expected = []
    for line in lines:
        fields = json.loads(line)
        expected.append(
            (moment(fields["@timestamp"]), fields["log.level"], fields["message"], comparable(reader, fields))
        )
    got = []
    try:
        with open(output, encoding="utf-8") as file:
            # Without the last line when it is not whole yet; not splitlines(), which has other ideas of a line.
            for line in file.read().split("\n")[:-1]:
                record = reader(line)
                if record:
                    got.append((*record[:3], comparable(reader, record[3])))
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        return f"{error!r} in: {line[:500]}"
    if sorted(got) == sorted(expected):
        return None
    problems = [f"{len(got)} of {len(expected)} lines arrived"]
    for word, these, others in (("lost", expected, list(got)), ("not as written", got, list(expected))):
        for record in these:
            if record in others:
                others.remove(record)
            else:
                problems.append(f"{word}: {record[0]} {record[1]} {record[2][:100]} | {record[3][:700]}")
    return "\n    ".join(problems[:7])


def syntax(paths):
    import yaml

    problems = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            if path.endswith((".yml", ".yaml")):
                yaml.safe_load(text)
            elif path.endswith(".toml"):
                tomllib.loads(text)
            else:
                balanced(text)
        except (ValueError, yaml.YAMLError) as error:
            problems.append(f"{path}: {error}")
        settings = re.sub(r"(?m)^\s*(#|//).*$", "", text)
        if settings.count("/var/log/webservice-monitor/alerts.jsonl") == 0:
            problems.append(f"{path}: reads another file than the others")
        # Names of fields of a line, wherever they stand.
        for name in re.findall(r"@timestamp|\b(?:ecs|event|log|rule|service|url)\.\w+", settings):
            if name not in FIELDS:
                problems.append(f"{path}: lines have no field {name}")
    return "\n".join(problems) or None


def balanced(text):
    """Whether brackets of an Alloy file close each other."""
    text = re.sub(r'//.*|"(?:\\.|[^"\\])*"', "", text)
    pairs, open_ones = {")": "(", "]": "[", "}": "{"}, []
    for sign in re.findall(r"[()\[\]{}]", text):
        if sign not in pairs:
            open_ones.append(sign)
        elif not open_ones or open_ones.pop() != pairs[sign]:
            raise ValueError(f"a {sign} closes nothing")
    if open_ones:
        raise ValueError(f"a {open_ones[-1]} is never closed")


def main():
    command, *arguments = sys.argv[1:]
    if command == "syntax":
        problem = syntax(arguments)
    else:
        problem = {"post": post, "append": append, "arrived": arrived}[command](*arguments)
    if problem:
        sys.exit(f"error: {problem}" if command == "syntax" else problem)


main()
