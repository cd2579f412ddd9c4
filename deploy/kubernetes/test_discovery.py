"""What Prometheus makes of annotated Services and Ingresses: `test_discovery.py WORK`, with promtool's path in PROMTOOL.

The discovery is promtool's own, with the jobs of scrape-cluster.yml. Only the cluster is made up: a server on the loopback
interface that answers the two lists that Kubernetes would.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse

import yaml

PREFIX = "webservice-monitor/"


def service(name, ports, **annotations):
    spec = {
        "clusterIP": "192.0.2.1",
        "type": "ClusterIP",
        "ports": [{"name": f"p{port}", "port": port, "protocol": "TCP"} for port in ports],
    }
    return {"metadata": metadata(name, annotations), "spec": spec}


def ingress(name, hosts, tls, paths=("/",), **annotations):
    http_paths = [
        {"path": path, "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}} for path in paths
    ]
    spec = {"rules": [{"host": host, "http": {"paths": http_paths}} for host in hosts]}
    if tls:
        spec["tls"] = [{"hosts": hosts}]
    return {"metadata": metadata(name, annotations), "spec": spec}


def metadata(name, annotations):
    annotations = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    return {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1", "annotations": annotations}


LISTS = {
    "/api/v1/services": (
        "v1",
        "ServiceList",
        [
            service("silent", [80]),
            service("off", [80], probe="false"),
            service("plain", [8080], probe="true"),
            service("ports", [80, 9000], probe="true", port="9000", scheme="https", path="/health?deep=1"),
            service("routed", [80, 81], probe="true", url="https://www.example.com/"),
            service(
                "labelled",
                [80],
                probe="true",
                service="cart",
                team="payments",
                severity="warning",
                alert_after="1h30m",
                slo="99.95",
                max_latency="2500ms",
                depends_on="gateway",
                module="http_health_ok",
                interval="4m",
                timeout="20s",
            ),
            service(
                "mistaken", [80], probe="true", severity="high", alert_after="soon", slo="100", max_latency="3", interval="5m"
            ),
        ],
    ),
    "/apis/networking.k8s.io/v1/ingresses": (
        "networking.k8s.io/v1",
        "IngressList",
        [
            ingress("silent", ["a.example.com"], False),
            ingress("web", ["www.example.com"], True, paths=("/", "/api"), probe="true", severity="info"),
            ingress("wild", ["*.example.com"], False, probe="true"),
            ingress("regex", ["b.example.com"], False, paths=("/api(/|$)(.*)",), probe="true", path="/api/health"),
        ],
    ),
}


def target(url, service_name, **labels):
    return {"instance": url, "service": service_name, "namespace": "shop", "job": "webservices", **labels}


EXPECTED = {
    "webservices-services": [
        target("http://plain.shop.svc:8080/", "plain"),
        target("https://ports.shop.svc:9000/health?deep=1", "ports"),
        target("https://www.example.com/", "routed"),
        target(
            "http://labelled.shop.svc:80/",
            "cart",
            team="payments",
            severity="warning",
            alert_after="1h30m",
            slo="99.95",
            max_latency="2500ms",
            depends_on="gateway",
            module="http_health_ok",
            __scrape_interval__="4m",
            __scrape_timeout__="20s",
            __param_module="http_health_ok",
            __param_alert_after="1h30m",
            __param_slo="99.95",
            __param_max_latency="2500ms",
        ),
        target("http://mistaken.shop.svc:80/", "mistaken"),
    ],
    "webservices-ingresses": [
        target("https://www.example.com/", "web", severity="info"),
        target("https://www.example.com/api", "web", severity="info"),
        target("http://b.example.com/api/health", "regex"),
    ],
}


class Cluster(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if "sendInitialEvents" in query or url.path not in LISTS:
            # Clients that would rather have the list as events ask for the list then.
            self.send_error(400)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if "watch" in query:
            # Nothing changes.
            time.sleep(30)
            return
        version, kind, items = LISTS[url.path]
        answer = {"apiVersion": version, "kind": kind, "metadata": {"resourceVersion": "1"}, "items": items}
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


def discovered(config, job):
    """The labels of each target that stays after relabelling, without those that say the same for all."""
    command = [os.environ["PROMTOOL"], "check", "service-discovery", "--timeout=3s", str(config), job]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"promtool: {result.stdout}{result.stderr}")
    targets = []
    for found in json.loads(result.stdout):
        labels = found.get("labels") or {}
        # Prometheus scrapes equal targets once.
        if labels and labels not in targets:
            targets.append(labels)
    for labels in targets:
        always = {
            "__address__": "exporter:9115",
            "__metrics_path__": "/probe",
            "__scheme__": "http",
            "__param_target": labels["instance"],
        }
        for name, value in always.items():
            if labels.pop(name, None) != value:
                sys.exit(f"{labels['instance']}: {name} is not {value}")
        for name in ("__scrape_interval__", "__scrape_timeout__"):
            if labels.get(name) == {"__scrape_interval__": "15s", "__scrape_timeout__": "10s"}[name]:
                del labels[name]
    return targets


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = yaml.safe_load((pathlib.Path(__file__).parent / "scrape-cluster.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "15s", "scrape_timeout": "10s"}
    for job in config["scrape_configs"]:
        job["kubernetes_sd_configs"][0]["api_server"] = f"http://127.0.0.1:{server.server_port}"
    path = pathlib.Path(sys.argv[1]) / "scrape-cluster.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    for job, expected in EXPECTED.items():

        def key(labels):
            return sorted(labels.items())

        targets = sorted(discovered(path, job), key=key)
        if targets != sorted(expected, key=key):
            sys.exit(f"{job}: expected {json.dumps(expected, indent=1)}, found {json.dumps(targets, indent=1)}")
        print(f"{job}: {len(targets)} targets as expected")


if __name__ == "__main__":
    main()
