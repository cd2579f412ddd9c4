"""The story that scripts/test-compose plays with real containers.

`story.py FOLDER` takes a folder with compose.yaml and a configuration in which time passes FACTOR times faster. It checks the
image, brings the stack up under a project name and on ports of its own, edits targets and rules, breaks things, and holds the
alert log to one line for each transition. Whatever happens, it takes down what it brought up.

Only the standard library; `docker` does the rest. WEBSERVICE_MONITOR_IMAGE is the image, COMPOSE_PROFILES what is in the stack.
"""

import datetime
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

FACTOR = 20
# What is slack: two busy cores, and waits that parts round up to whole seconds.
SLACK = 45
# Longer than the start takes, which is no faster than usual.
HEARTBEAT = 30
IMAGE = os.environ["WEBSERVICE_MONITOR_IMAGE"]
IMAGE_BYTES_MAX = 25_000_000
NAME = f"webservice-monitor-test-{os.getpid()}"
SHOP = "http://shop:9115/-/healthy"
PROJECT = pathlib.Path(sys.argv[1])


class Failed(Exception):
    """What was promised and is not so."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def say(text):
    print(f"story: {text}", flush=True)


def run(*command, timeout=120, may_fail=False):
    result = subprocess.run(command, capture_output=True, timeout=timeout)
    if result.returncode != 0 and not may_fail:
        raise Failed(f"{' '.join(command)}: {result.stderr.decode(errors='replace')}")
    return result


def docker(*arguments, **options):
    return run("docker", *arguments, **options).stdout.decode().strip()


def compose(*arguments, **options):
    files = ["--file", str(PROJECT / "compose.yaml")]
    if (PROJECT / "test.yaml").exists():
        files += ["--file", str(PROJECT / "test.yaml")]
    return docker("compose", "--project-name", NAME, "--project-directory", str(PROJECT), *files, *arguments, **options)


def inspect(name):
    return json.loads(docker("inspect", name))[0]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path):
    """The body of an answer 200, or None."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read().decode()
    except (OSError, urllib.error.URLError):
        return None


def wait(what, seconds, condition, pause=0.5):
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
    say(f"{what}, after {time.monotonic() - begun:.1f} s")


def query(expression, port=None):
    """The series that Prometheus gives, or VictoriaMetrics at another port."""
    body = get(port or PORTS["PROMETHEUS_PORT"], "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
    return json.loads(body)["data"]["result"] if body else []


def lines():
    path = PROJECT / "logs/alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def reported(alert, action, subject=""):
    found = lambda line: line["rule.name"] == alert and line["event.action"] == action and subject in json.dumps(line)
    return sum(map(found, lines()))


def wait_reported(alert, action, seconds, subject=""):
    wait(f"{action} {alert} is in the alert log", seconds + SLACK, lambda: reported(alert, action, subject))


PORTS = {
    name: free_port()
    for name in ["EXPORTER_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT", "VICTORIA_METRICS_PORT"]
}
PROFILES = os.environ.get("COMPOSE_PROFILES", "").split(",")


def files_of_image():
    """The files of the image, by name."""
    container = docker("create", IMAGE)
    try:
        archive = run("docker", "export", container).stdout
    finally:
        docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {member.name: files.extractfile(member).read() for member in files if member.isfile()}


def check_image():
    image = json.loads(docker("image", "inspect", IMAGE))[0]
    config = image["Config"]
    check(image["Size"] <= IMAGE_BYTES_MAX, f"the image has {image['Size']} bytes")
    check(config["User"] == "65532:65532", f"the user of the image is {config['User']}")
    check(config["Healthcheck"]["Test"][-1] == "healthcheck", "the image has no health check")
    labels = {name.removeprefix("org.opencontainers.image.") for name in config["Labels"]}
    check({"title", "version", "revision", "licenses", "source"} <= labels, f"labels: {labels}")
    check(docker("run", "--rm", IMAGE, "--version").endswith(config["Labels"]["org.opencontainers.image.version"]), "version")

    files = files_of_image()
    sbom = json.loads(files["usr/share/doc/webservice-monitor/sbom.cdx.json"])
    names = {component["name"] for component in sbom["components"]}
    check(sbom["bomFormat"] == "CycloneDX" and {"tokio", "rustls", "tikv-jemallocator"} <= names, f"SBOM: {names}")
    check(b".dep-v0" in files["bin/webservice-monitor"], "the program does not carry its list of dependencies")
    check(files["etc/ssl/certs/ca-certificates.crt"].count(b"BEGIN CERTIFICATE") > 100, "no CA roots")
    check(not any(name.endswith(("/sh", "/bash", ".so.6")) for name in files), "the image has a shell or a C library")
    say(f"the image has {image['Size'] / 1e6:.1f} MB and lists {len(names)} crates")


def check_alone():
    """`docker run` with nothing but a volume: all-in-one, read-only, not root, ready in less than a second."""
    port = free_port()
    hardened = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    docker("run", "--detach", "--name", NAME, *hardened, "--volume", f"{NAME}:/var/lib/webservice-monitor",
           "--publish", f"127.0.0.1:{port}:9115", IMAGE)
    while get(port, "/-/ready") is None:
        check(inspect(NAME)["State"]["Running"], docker("logs", NAME))
        time.sleep(0.01)
    ready = datetime.datetime.now(datetime.UTC)
    # Python reads microseconds.
    begun = datetime.datetime.fromisoformat(inspect(NAME)["State"]["StartedAt"][:26].rstrip("Z") + "+00:00")
    seconds = (ready - begun).total_seconds()
    check(seconds < 1, f"the start took {seconds:.2f} s")
    docker("exec", NAME, "/bin/webservice-monitor", "healthcheck")
    check(run("docker", "exec", NAME, "/bin/webservice-monitor", "healthcheck", "http://127.0.0.1:1/", may_fail=True).returncode,
          "the health check does not fail")
    docker("stop", "--time", "20", NAME)
    check(inspect(NAME)["State"]["ExitCode"] == 0, "the program does not end well when it is asked to stop")
    refused = run("docker", "run", "--rm", "--read-only", IMAGE, "run", "--storage.path=/etc/data", may_fail=True, timeout=60)
    check(refused.returncode != 0, "the program writes where it must not")
    say(f"all-in-one it is ready {seconds:.2f} s after the start, read-only and without rights")


def write_targets(*entries):
    """Saves the targets file as an editor does: a new file in the place of the old one."""
    new = PROJECT / "config/targets.new"
    new.write_text(json.dumps(list(entries)))
    new.replace(PROJECT / "config/targets.yml")


def write_override():
    """What differs from compose.yaml: flags for the faster time, and a service to watch, which is our own image."""
    commands = {name: service.get("command") for name, service in
                json.loads(compose("config", "--format", "json"))["services"].items()}
    heartbeat = [part.replace("--heartbeat.timeout=5m", f"--heartbeat.timeout={HEARTBEAT}s") for part in commands["alert-log"]]
    check(heartbeat != commands["alert-log"], "no heartbeat is expected")
    services = {
        "prometheus": {"command": commands["prometheus"] + ["--rules.alert.resend-delay=3s", f"--query.lookback-delta={300 // FACTOR}s"]},
        "alert-log": {"command": heartbeat},
        "exporter": {"environment": {"WEBSERVICE_MONITOR_TIMEOUT_OFFSET": "0.02"}},
        "alertmanager": {},
        "shop": {"image": IMAGE, "command": ["exporter"], "networks": ["monitoring"], "stop_grace_period": "5s"},
    }
    for service in services.values():
        service["healthcheck"] = {"interval": "2s"}
    (PROJECT / "test.yaml").write_text(json.dumps({"services": services}))


def bring_up():
    begun = time.monotonic()
    compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "240", timeout=300)
    say(f"all services are healthy after {time.monotonic() - begun:.1f} s")
    containers = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={NAME}").split()
    for container in map(inspect, containers):
        name = container["Config"]["Labels"]["com.docker.compose.service"]
        host, state = container["HostConfig"], container["State"]
        if name == "shop":
            continue
        if name.endswith("-folder"):
            check(state["Status"] == "exited" and state["ExitCode"] == 0, f"{name}: {state}")
            continue
        check(state["Health"]["Status"] == "healthy", f"{name} is not healthy")
        check(container["Config"]["User"].split(":")[0] not in ("", "0", "root"), f"{name} runs as root")
        check(host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], f"{name} may do too much")
        check("no-new-privileges:true" in host["SecurityOpt"], f"{name} may gain rights")
        check(host["Memory"] > 0 and host["NanoCpus"] > 0 and host["PidsLimit"] > 0, f"{name} has no limits")
        addresses = [port["HostIp"] for ports in container["NetworkSettings"]["Ports"].values() for port in ports or []]
        check(set(addresses) <= {"127.0.0.1"}, f"{name} is published on {addresses}")
        check(name == "alert-log" or addresses, f"{name} is not published")
    for name in ("prometheus", "alertmanager"):
        touch = run("docker", "compose", "--project-name", NAME, "exec", "-T", name, "sh", "-c", "touch /x || touch /etc/x",
                    may_fail=True)
        check(touch.returncode != 0, f"{name} can write its own files")
    exporter = inspect(compose("ps", "--quiet", "exporter"))
    check(any(entry.startswith("host.docker.internal:") for entry in exporter["HostConfig"]["ExtraHosts"]), "no way to the host")


def live_edits():
    wait("Prometheus scrapes every part of the stack", SLACK,
         lambda: {series["metric"]["job"] for series in query("up == 1")}
         >= {"webservices", "webservice-monitor", "alert-log", "prometheus", "alertmanager"})
    write_targets(MONITOR, {"targets": [SHOP], "labels": {
        "service": "shop", "team": "web", "severity": "critical", "alert_after": f"{5 * 60 // FACTOR}s",
        "__scrape_interval__": f"{15_000 // FACTOR}ms", "__scrape_timeout__": f"{10_000 // FACTOR}ms"}})
    wait("a target that was added is watched", SLACK, lambda: query(f'probe_success{{instance="{SHOP}"}} == 1'))
    wait("the exporter serves it at /sd", SLACK, lambda: SHOP in (get(PORTS["EXPORTER_PORT"], "/sd") or ""))
    rule = {"groups": [{"name": "edited", "interval": "500ms", "rules": [{"record": "edited", "expr": "vector(1)"}]}]}
    (PROJECT / "config/rules/edited.yml").write_text(json.dumps(rule))
    wait("a rule that was added is evaluated", SLACK, lambda: query("edited"))


def outage():
    """The shop is down for long and comes back; the receiver is killed while the alert fires."""
    compose("stop", "shop")
    wait_reported("WebserviceDown", "firing", 5.5 * 60 / FACTOR, SHOP)
    check(reported("WebserviceDown", "firing", "shop") == 1, "the line names no service")
    compose("kill", "--signal", "KILL", "alert-log")
    compose("start", "alert-log")
    compose("start", "shop")
    wait_reported("WebserviceDown", "resolved", 8 * 60 / FACTOR, SHOP)


def exporter_lost():
    compose("stop", "exporter")
    wait_reported("WebserviceExporterDown", "firing", 5.5 * 60 / FACTOR)
    compose("start", "exporter")
    wait_reported("WebserviceExporterDown", "resolved", 10 * 60 / FACTOR)


def nothing_else():
    """Nobody is woken by what did not happen. Later Alertmanager itself is gone, which more than one alert reports."""
    critical = {line["rule.name"] for line in lines() if line["labels"].get("severity") == "critical"}
    check(critical == {"WebserviceDown", "WebserviceExporterDown"}, f"critical alerts: {critical}")


def heartbeat_lost():
    compose("stop", "alertmanager")
    wait_reported("WebserviceMonitorHeartbeatMissing", "firing", HEARTBEAT)
    compose("start", "alertmanager")
    wait_reported("WebserviceMonitorHeartbeatMissing", "resolved", 60 / FACTOR)


def long_term():
    if "long-term" in PROFILES:
        wait("VictoriaMetrics has the series of Prometheus", SLACK,
             lambda: query(f'probe_success{{instance="{SHOP}",job="webservices"}}', PORTS["VICTORIA_METRICS_PORT"]))


def grafana():
    if "grafana" in PROFILES:
        for path in ("/d/webservices/", "/d/webservice/"):
            check(get(PORTS["GRAFANA_PORT"], path) is not None, f"Grafana does not answer {path}")


def check_log():
    """Each transition once, in a file that belongs to whom it should, and on standard output."""
    wanted = [("WebserviceDown", SHOP), ("WebserviceExporterDown", ""), ("WebserviceMonitorHeartbeatMissing", "")]
    for alert, subject in wanted:
        for action in ("firing", "resolved"):
            check(reported(alert, action, subject) == 1, f"{alert} is reported {reported(alert, action, subject)} times as {action}")
    check(len({line["event.id"] + line["event.action"] for line in lines()}) == len(lines()), "a transition is reported twice")
    status = (PROJECT / "logs/alerts.jsonl").stat()
    user = os.environ.get("ALERT_LOG_USER", "1000:1000")
    check(f"{status.st_uid}:{status.st_gid}" == user, f"the alert log belongs to {status.st_uid}:{status.st_gid}")
    check("FIRING" in compose("logs", "--no-log-prefix", "alert-log"), "the alert log is not on standard output")
    say(f"the alert log has {len(lines())} lines, each transition once")


def take_down():
    compose("--profile", "*", "down", "--volumes", "--timeout", "10", "--remove-orphans", may_fail=True, timeout=180)
    docker("rm", "--force", "--volumes", NAME, may_fail=True)
    docker("volume", "rm", "--force", NAME, may_fail=True)


MONITOR = {"targets": ["http://127.0.0.1:9115/-/healthy"], "labels": {"service": "monitor", "severity": "info"}}


def stop(*_):
    """Ends the story, once: what was brought up is still taken down."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("story: asked to stop")


def main():
    os.environ.update({name: str(port) for name, port in PORTS.items()})
    os.environ["PROMETHEUS_RELOAD_INTERVAL"] = "1s"
    signal.signal(signal.SIGTERM, stop)
    volumes = set(docker("volume", "ls", "--quiet").split())
    try:
        check_image()
        check_alone()
        write_targets(MONITOR)
        write_override()
        bring_up()
        for chapter in (live_edits, outage, exporter_lost, nothing_else, heartbeat_lost, long_term, grafana, check_log):
            chapter()
        compose("down", "--timeout", "10", timeout=180)
        new = set(docker("volume", "ls", "--quiet").split()) - volumes
        check(all(name.startswith(NAME) for name in new), f"`docker compose down` leaves volumes without a name: {new}")
        take_down()
        left = set(docker("volume", "ls", "--quiet").split()) - volumes
        check(not left, f"left behind: {left}")
    except (Failed, subprocess.TimeoutExpired) as error:
        print(compose("logs", "--tail", "40", may_fail=True), file=sys.stderr)
        for line in lines():
            print(line["@timestamp"], line["message"], file=sys.stderr)
        sys.exit(f"story: {error}")
    finally:
        take_down()


main()
