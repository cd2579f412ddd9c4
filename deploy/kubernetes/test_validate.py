"""That validate.py finds what it is for: `test_validate.py TOOLS WORK MANIFESTS` breaks good manifests, one thing at a time."""

import copy
import os
import pathlib
import re
import sys

import validate

# The file, the kind of its document, where in it, the new value, and what has to be said about it.
BROKEN = [
    ("hardened", "Deployment", "spec/replica", 3, r"1\.37\.0: spec: .*replica"),
    ("hardened", "Deployment", "spec/template/spec/containers/0/image", "registry/webservice-monitor:latest", "has no version"),
    (
        "hardened",
        "Deployment",
        "spec/template/spec/containers/0/securityContext/privileged",
        True,
        "is not restricted.*privileged",
    ),
    (
        "hardened",
        "Deployment",
        "spec/template/spec/securityContext/seccompProfile",
        {"type": "Unconfined"},
        "is not restricted.*seccomp",
    ),
    ("hardened", "Deployment", "spec/template/spec/hostNetwork", True, "is not restricted: hostNetwork"),
    ("hardened", "Deployment", "spec/template/spec/containers/0/livenessProbe/httpGet/port", "web", "asks a port"),
    ("hardened", "Deployment", "spec/template/spec/containers/0/volumeMounts/0/subPath", "targets.yml", "never see an edit"),
    ("hardened", "Deployment", "spec/template/spec/nodeSelector", None, "nodeSelector has no value"),
    ("hardened", "Service", "spec/ports/0/targetPort", "web", "no pod has port web"),
    ("hardened", "NetworkPolicy", "spec/ingress/0/ports/0/port", 80, "no pod has port 80"),
    ("hardened", "NetworkPolicy", "spec/podSelector/matchLabels/app.kubernetes.io~1name", "other", "selects 0 kinds of pods"),
    ("hardened", "HTTPRoute", "spec/hostname", "a.example.com", "spec: .*hostname"),
    ("hardened", "HTTPRoute", "spec/rules/0/backendRefs/0/port", 9115, "does not exist"),
    ("operator", "ServiceMonitor", "spec/endpoints/0/intervals", "15s", "intervals"),
    ("operator", "ServiceMonitor", "spec/endpoints/0/interval", "15 s", "does not match|not valid"),
    ("operator", "ScrapeConfig", "spec/httpSDConfigs/0/refreshIntervall", "15s", "refreshIntervall"),
    (
        "operator",
        "ScrapeConfig",
        "spec/httpSDConfigs/0/url",
        "http://rel-webservice-monitor.monitoring.svc:80/sd",
        "svc:80, which does not exist",
    ),
    ("operator", "Probe", "spec/targets/staticConfig/statics", [], "statics"),
    ("operator", "PrometheusRule", "spec/groups/0/rules/0/expr", "sum(", "promtool says"),
    ("operator", "AlertmanagerConfig", "spec/receivers/0/webhookConfigs/0/urls", "http://a/", "urls"),
    ("operator", "ConfigMap", "data/more.yml", "a", "not mounted: more.yml"),
    ("operator", "ConfigMap", "data/modules.yml", "modules: {x: {prober: htp}}", "webservice-monitor says"),
    ("operator", "StatefulSet", "spec/template/spec/containers/0/args/2", "--alert-log.file=a", "has no flag --alert-log.file"),
]


def put(document, path, value):
    *parents, last = [part.replace("~1", "/") for part in path.split("/")]
    for part in parents:
        document = document[int(part) if isinstance(document, list) else part]
    document[int(last) if isinstance(document, list) else last] = value


def main():
    tools, work, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    failed = 0
    # The last two are mistakes that the program itself finds.
    broken = BROKEN if os.environ.get("PROGRAM") else BROKEN[:-2]
    good = {name: validate.Application(folder / f"{name}-values.yaml") for name in {row[0] for row in BROKEN}}
    for name, kind, path, value, expected in BROKEN:
        application = copy.copy(good[name])
        application.found = []
        application.documents = copy.deepcopy(application.documents)
        document = next(each for each in application.of(kind) if kind != "ConfigMap" or "modules.yml" in each["data"])
        if kind == "ScrapeConfig":
            document = next(each for each in application.of(kind) if "httpSDConfigs" in each["spec"])
        put(document, path, value)
        validate.check(application, tools, work)
        if not any(re.search(expected, message, re.DOTALL) for message in application.found):
            failed += 1
            print(f"{name} {kind} {path}={value}: expected {expected}, found {application.found}", file=sys.stderr)
    print(f"mistakes made on purpose: {len(broken) - failed} found, {failed} not")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
