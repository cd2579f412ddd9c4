"""Copies of config/ that the Helm chart and kustomize need in folders of their own, and files made from them.

Helm reads no file outside its chart, and `kubectl apply -k` none outside a kustomization's folder. Both use the copies in
the chart's files/. Without an argument it says which files differ; with --update it writes them.
"""

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = "deploy/helm/webservice-monitor/files"
OPERATOR = "deploy/kustomize/overlays/operator"
CLUSTER = "deploy/kustomize/components/cluster-targets"
SCRAPE_CLUSTER = "deploy/kubernetes/scrape-cluster.yml"
# That of the kustomize overlays.
NAMESPACE = "webservice-monitor"

# A folder below files/, the files of config/ that it gets, the ConfigMap that kustomize makes of each, and whether its name
# changes with its contents: that starts new pods, for programs that do not read an edited file by themselves.
FOLDERS = [
    ("monitor", ["targets.yml", "modules.yml"], "webservice-monitor-{}", False),
    ("rules", ["rules/*.yml"], "webservice-monitor-rules", False),
    ("prometheus", ["prometheus.yml"], "prometheus", False),
    ("alertmanager", ["alertmanager.yml"], "alertmanager", True),
    ("victoria-metrics", ["victoria-metrics.yml"], "victoria-metrics", False),
    # One for each: `kubectl apply` keeps what it applied in an annotation, which has room for 256 KiB.
    ("dashboards", ["grafana/dashboards/*.json"], "grafana-dashboard-{}", False),
    ("datasources", ["grafana/provisioning/datasources/*.yaml"], "grafana-datasources", True),
    ("providers", ["grafana/provisioning/dashboards/*.yaml"], "grafana-providers", True),
]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def kustomization(folder, names, config_map, hashed):
    text = "# Made by scripts/check-kubernetes --update, as are the files beside it: copies of those in config/.\n"
    text += "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nconfigMapGenerator:\n"
    config_maps = {}
    for name in names:
        config_maps.setdefault(config_map.format(name.split(".")[0]), []).append(name)
    for config_map, files in config_maps.items():
        text += f"  - name: {config_map}\n    files: [{', '.join(files)}]\n"
    text += "generatorOptions:\n"
    if not hashed:
        text += "  # An edit has to be seen by the pods that run: no new name, which would start new ones.\n"
    text += f"  disableNameSuffixHash: {str(not hashed).lower()}\n"
    if folder == "dashboards":
        text += '  # For the sidecar of the Grafana chart.\n  labels: {grafana_dashboard: "1"}\n'
    return text


def copies():
    for folder, patterns, config_map, hashed in FOLDERS:
        found = sorted(path for pattern in patterns for path in (ROOT / "config").glob(pattern))
        for path in found:
            yield f"{FILES}/{folder}/{path.name}", path.read_text(encoding="utf-8")
        if found:
            yield (
                f"{FILES}/{folder}/kustomization.yaml",
                kustomization(folder, [path.name for path in found], config_map, hashed),
            )
    yield f"{FILES}/scrape-cluster.yml", read(SCRAPE_CLUSTER)


def prometheus_rule():
    """The rules as a resource of the operator. Runbooks are read inside the cluster; where Grafana is, nobody knows yet."""
    groups = []
    for path in sorted((ROOT / "config/rules").glob("*.yml")):
        text = path.read_text(encoding="utf-8").replace("{{ $externalLabels.monitor_url }}", f"http://exporter.{NAMESPACE}.svc:9115")
        groups += yaml.safe_load(text)["groups"]
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        rule.get("annotations", {}).pop("dashboard_url", None)
        # The operator limits an AlertmanagerConfig to alerts with the label of its namespace.
        rule.setdefault("labels", {})["namespace"] = NAMESPACE
    return resource("v1", "PrometheusRule", "webservice-monitor", {"groups": groups})


def alertmanager_config():
    """The receivers and the times of alertmanager.yml as a resource of the operator."""
    config = yaml.safe_load(read("config/alertmanager.yml"))

    def receiver(name, path, **more):
        return {"name": name, "webhookConfigs": [{"url": f"http://alert-log.{NAMESPACE}.svc:9115/api/v1/{path}", **more}]}

    def times(name):
        route = next(route for route in config["route"]["routes"] if route["receiver"] == name)
        keys = {"groupWait": "group_wait", "groupInterval": "group_interval", "repeatInterval": "repeat_interval"}
        return {key: route[original] for key, original in keys.items()}

    heartbeat = {"receiver": "heartbeat", "matchers": [{"name": "alertname", "matchType": "=", "value": "Watchdog"}], **times("heartbeat")}
    everything = {"receiver": "alert-log", **times("alert-log")}
    route = {**everything, "routes": [{**everything, "continue": True}, heartbeat]}
    receivers = [
        receiver("alert-log", "alertmanager", sendResolved=True, maxAlerts=0),
        receiver("heartbeat", "heartbeat", sendResolved=False),
    ]
    spec = {"route": route, "receivers": receivers}
    return resource("v1alpha1", "AlertmanagerConfig", "alert-log", spec)


def resource(version, kind, name, spec):
    document = {"apiVersion": f"monitoring.coreos.com/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}
    text = yaml.safe_dump(document, sort_keys=False, width=1000, allow_unicode=True)
    return "# Made by scripts/check-kubernetes --update from the files in config/.\n" + text


def prometheus_with_cluster_targets():
    """prometheus.yml with the jobs of scrape-cluster.yml at the end of its scrape_configs."""
    lines = read("config/prometheus.yml").splitlines()
    start = lines.index("scrape_configs:")
    end = next((index for index in range(start + 1, len(lines)) if re.match(r"[a-z]", lines[index])), len(lines))
    while lines[end - 1].startswith("#") or not lines[end - 1].strip():
        end -= 1
    jobs = read(SCRAPE_CLUSTER).split("scrape_configs:\n")[1].rstrip("\n").splitlines()
    note = "# Made by scripts/check-kubernetes --update: config/prometheus.yml and the jobs of " + SCRAPE_CLUSTER + "."
    return "\n".join([note, *lines[:end], "", *jobs, *lines[end:]]) + "\n"


def main():
    update = sys.argv[1:] == ["--update"]
    wanted = dict(copies())
    wanted[f"{OPERATOR}/prometheusrule.yaml"] = prometheus_rule()
    wanted[f"{OPERATOR}/alertmanagerconfig.yaml"] = alertmanager_config()
    wanted[f"{CLUSTER}/prometheus.yml"] = prometheus_with_cluster_targets()
    stale = [path for path, text in wanted.items() if not (ROOT / path).is_file() or read(path) != text]
    left = [str(path.relative_to(ROOT)) for path in sorted((ROOT / FILES).rglob("*")) if path.is_file()]
    left = [path for path in left if path not in wanted]
    if update:
        for path in stale:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(wanted[path], encoding="utf-8")
            print(f"wrote {path}")
        for path in left:
            (ROOT / path).unlink()
            print(f"removed {path}")
    elif stale or left:
        for path in stale:
            print(f"{path} is not what config/ says", file=sys.stderr)
        for path in left:
            print(f"{path} has no original in config/", file=sys.stderr)
        sys.exit("run scripts/check-kubernetes --update")


if __name__ == "__main__":
    main()
