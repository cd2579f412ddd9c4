"""The pods of the standalone overlay, run as processes: `test_pods.py MANIFEST WORK`, as root, in namespaces of its own
(`unshare --mount --net`).

There is no cluster here, but everything in the manifest that a kubelet would use is used: images stand for the programs
PROGRAM, PROMETHEUS and ALERTMANAGER, arguments are those of the containers, volumes are laid out as a kubelet lays them out
(a link `..data` that an edit swaps), probes are asked, Services are names that resolve. Then ConfigMaps are edited, and it has
to be seen without a restart.
"""

import fcntl
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import time


import validate

IMAGES = {"webservice-monitor:": "PROGRAM", "prom/prometheus:": "PROMETHEUS", "prom/alertmanager:": "ALERTMANAGER"}


def bring_loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # struct ifreq with IFF_UP | IFF_RUNNING, SIOCSIFFLAGS
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))


def write_volume(folder, files):
    """As a kubelet does: a new directory, and one rename that makes it the current one."""
    version = folder / f"..{time.time_ns()}"
    for path, text in files.items():
        (version / path).parent.mkdir(parents=True, exist_ok=True)
        (version / path).write_text(text, encoding="utf-8")
        entry = folder / path.split("/")[0]
        if not entry.is_symlink():
            entry.symlink_to(f"..data/{entry.name}")
    old = (folder / "..data").resolve() if (folder / "..data").is_symlink() else None
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")
    if old:
        shutil.rmtree(old)


class Pod:
    def __init__(self, application, document, spec, address, work):
        self.name, self.application, self.document, self.spec, self.address = (
            document["metadata"]["name"],
            application,
            document,
            spec,
            address,
        )
        self.container = spec["containers"][0]
        self.root = work / "pods" / self.name
        self.folders = {}
        for mount in self.container.get("volumeMounts", []):
            self.folders[mount["name"]] = self.root / mount["mountPath"].lstrip("/")
            self.folders[mount["name"]].mkdir(parents=True)
        self.write_config()
        program = next((os.environ[name] for image, name in IMAGES.items() if image in self.container["image"]), None)
        paths = "|".join(re.escape(mount["mountPath"]) for mount in self.container.get("volumeMounts", []))
        arguments = [re.sub(rf"=({paths})\b", rf"={self.root}\1", argument) for argument in self.container["args"]]
        arguments = [argument.replace("0.0.0.0:", f"{address}:") for argument in arguments]
        if "prometheus:" in self.container["image"]:
            # An alert from before Prometheus knew its Alertmanager is sent again after this, a minute by default.
            arguments.append("--rules.alert.resend-delay=5s")
        self.log = self.root / "log"
        environment = {**os.environ, **self.environment()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, cwd=self.root, env=environment)

    def environment(self):
        """The variables that come from ConfigMaps."""

        def data(reference):
            return self.application.config("ConfigMap", reference["name"], self.document["metadata"].get("namespace"))

        variables = {}
        for source in self.container.get("envFrom", []):
            variables.update(data(source["configMapRef"]))
        for variable in self.container.get("env", []):
            reference = variable.get("valueFrom", {}).get("configMapKeyRef")
            if reference:
                variables[variable["name"]] = data(reference)[reference["key"]]
        return variables

    def write_config(self):
        for volume in self.spec.get("volumes", []):
            files = validate.files_of(self.application, self.document, volume)
            if files:
                write_volume(self.folders[volume["name"]], files)

    def get(self, path):
        port = self.container["ports"][0]["containerPort"]
        connection = http.client.HTTPConnection(self.address, port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read().decode() if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()


def wait(what, seconds, pods, condition):
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        ended = [pod.name for pod in pods.values() if pod.process.poll() is not None]
        if ended:
            break
        if condition():
            print(f"after {time.monotonic() - started:4.1f} s: {what}")
            return
        time.sleep(0.2)
    for pod in pods.values():
        print(f"--- {pod.name}\n{pod.log.read_text()[-2000:]}", file=sys.stderr)
    sys.exit(f"not within {seconds} s: {what}")


def story(application, pods):
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        wait(
            f"{probe} of every pod",
            60,
            pods,
            lambda: all(pod.get(pod.container[probe]["httpGet"]["path"]) is not None for pod in pods.values()),
        )

    def api(path):
        return json.loads(pods["prometheus"].get(f"/api/v1/{path}") or '{"data": {}}')["data"]

    def targets(job):
        return {
            target["labels"]["instance"]: target["health"]
            for target in api("targets?state=active").get("activeTargets", [])
            if target["labels"]["job"] == job
        }

    def edit(name, key, change):
        config_map = next(each for each in application.of("ConfigMap") if each["metadata"]["name"] == name)
        config_map["data"][key] = change(config_map["data"][key])
        for pod in pods.values():
            pod.write_config()

    jobs = ("webservice-monitor", "alert-log", "prometheus", "alertmanager")
    wait("Prometheus scrapes every pod", 60, pods, lambda: all(list(targets(job).values()) == ["up"] for job in jobs))
    added = "http://alert-log:9115/-/healthy"
    edit(
        "webservice-monitor-targets",
        "targets.yml",
        lambda text: f"{text}\n- targets: [{added}]\n  labels: {{ service: added }}\n",
    )
    wait("the added target is at /sd", 10, pods, lambda: added in (pods["exporter"].get("/sd") or ""))
    rule = "\n  - name: added\n    rules:\n      - alert: Added\n        expr: vector(1)\n        labels: { severity: info }\n"
    edit("webservice-monitor-rules", "webservices.rules.yml", lambda text: text.rstrip("\n") + rule)
    wait("the added target is probed", 60, pods, lambda: targets("webservices").get(added) == "up")
    query = "query?query=probe_success%7Bservice%3D%22added%22%7D"
    wait(
        "the added target has a result", 30, pods, lambda: [each["value"][1] for each in api(query).get("result", [])] == ["1"]
    )
    wait(
        "the added rule is evaluated",
        60,
        pods,
        lambda: "Added" in [alert["labels"]["alertname"] for alert in api("alerts").get("alerts", [])],
    )
    heartbeat = r"(?m)^webservice_monitor_heartbeat_timestamp_seconds [1-9]"
    wait("a heartbeat went the whole way", 60, pods, lambda: re.search(heartbeat, pods["alert-log"].get("/metrics") or ""))


def main():
    manifest, work = map(pathlib.Path, sys.argv[1:])
    work = work.resolve()
    shutil.rmtree(work / "pods", ignore_errors=True)
    bring_loopback_up()
    application = validate.Application(manifest)
    addresses = {service["metadata"]["name"]: f"127.0.1.{index}" for index, service in enumerate(application.of("Service"), 1)}
    hosts = work / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in addresses.items()))
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    pods = {}
    try:
        for document, _, spec in application.pods():
            if any(image in spec["containers"][0]["image"] for image in IMAGES):
                name = document["metadata"]["name"]
                pods[name] = Pod(application, document, spec, addresses[name], work)
        story(application, pods)
    finally:
        for pod in pods.values():
            pod.process.terminate()
        for pod in pods.values():
            pod.process.wait(10)


if __name__ == "__main__":
    main()
