"""Checks rendered manifests: `validate.py TOOLS WORK FILE…`, one FILE for each thing that is installed as a whole.

Against the schemas first (schemas.py), then what no schema knows: the `restricted` Pod Security Standard, that names lead
somewhere (Services, ports, ConfigMaps, labels), that the program has the flags, and that promtool, amtool and the program
itself take the files that their containers would see. TOOLS is the folder with node_modules, WORK one to write to.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import yaml

import schemas

# `matchType: =` is a string; PyYAML knows the sign as something of YAML 1.1.
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The oldest version that the chart says it needs, and the newest that there are schemas for.
VERSIONS = ["1.25.0", "1.37.0"]
CLUSTER_SCOPED = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
# `kubectl apply` keeps a resource in an annotation of itself; all annotations have room for so much.
LARGEST = 262144
# Names that the user brings.
BROUGHT = re.compile(r"our-|proxies$|grafana-admin$|registry$|mirror$|monitoring$")
RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
OUR_IMAGE = re.compile(r"webservice-monitor[:@]")


class Loader(yaml.SafeLoader):
    """Refuses a key that is there twice."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


class Application:
    """The documents of one file."""

    def __init__(self, path):
        self.path = path
        self.found = []
        self.documents = [document for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader) if document]

    def of(self, *kinds):
        return [document for document in self.documents if document["kind"] in kinds]

    def say(self, document, message):
        self.found.append(f"{document['kind']}/{document['metadata']['name']}: {message}")

    def pods(self):
        """Each document that has a pod, with the pod's metadata and spec."""
        for document in self.of("Deployment", "StatefulSet", "DaemonSet", "Job"):
            template = document["spec"]["template"]
            yield document, template["metadata"], template["spec"]
        for document in self.of("Pod"):
            yield document, document["metadata"], document["spec"]

    def config(self, kind, name, namespace):
        for document in self.of(kind):
            metadata = document["metadata"]
            if metadata["name"] == name and metadata.get("namespace") == namespace:
                return {**document.get("data", {}), **document.get("stringData", {})}
        return None


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def strings(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def empty(value, path=""):
    """Where a value is missing, as in `key:` with nothing behind it."""
    if value is None:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from empty(item, f"{path}.{key}")


def check_documents(application, tools):
    seen = set()
    for document in application.documents:
        metadata = document["metadata"]
        for version in VERSIONS:
            for mistake in schemas.mistakes(document, tools, version):
                application.say(document, f"{version}: {mistake}")
        for path in empty(document):
            application.say(document, f"{path} has no value")
        if len(json.dumps(document)) > LARGEST - 8192:
            application.say(document, "is too large for kubectl apply")
        if document["kind"] not in CLUSTER_SCOPED and not metadata.get("namespace"):
            application.say(document, "has no namespace")
        identity = (document["kind"], metadata.get("namespace"), metadata["name"])
        if identity in seen:
            application.say(document, "is there twice")
        seen.add(identity)
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", metadata["name"]):
            application.say(document, "is no name")
        if document["kind"] == "StatefulSet" and len(metadata["name"]) > 52:
            application.say(document, "the label controller-revision-hash of its pods would be too long")
        for key, value in metadata.get("labels", {}).items():
            if not LABEL.fullmatch(value):
                application.say(document, f"label {key} is no label: {value}")


def check_restricted(application):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, `restricted`, which includes `baseline`."""
    for document, metadata, pod in application.pods():

        def need(condition, what, document=document):
            if not condition:
                application.say(document, f"is not restricted: {what}")

        context = pod.get("securityContext", {})
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            need(not pod.get(key), key)
        need(not context.get("sysctls") and not context.get("seLinuxOptions"), "sysctls or seLinuxOptions")
        need(not any("apparmor" in key for key in metadata.get("annotations", {})), "AppArmor")
        for volume in pod.get("volumes", []):
            need(set(volume) - {"name"} <= RESTRICTED_VOLUMES, f"volume {volume['name']}")
        for container in pod.get("initContainers", []) + pod["containers"]:
            own = container.get("securityContext", {})
            effective = {**context, **own}
            name = container["name"]
            need(not own.get("privileged") and own.get("procMount", "Default") == "Default", f"{name}: privileged or procMount")
            need(own.get("allowPrivilegeEscalation") is False, f"{name}: allowPrivilegeEscalation")
            need(own.get("capabilities", {}).get("drop") == ["ALL"], f"{name}: capabilities.drop")
            need(set(own.get("capabilities", {}).get("add", [])) <= {"NET_BIND_SERVICE"}, f"{name}: capabilities.add")
            need(effective.get("runAsNonRoot") is True and effective.get("runAsUser") != 0, f"{name}: runAsNonRoot")
            need(effective.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"), f"{name}: seccompProfile")
            need(not any(port.get("hostPort") for port in container.get("ports", [])), f"{name}: hostPort")
            # Our own, beyond the standard.
            need(own.get("readOnlyRootFilesystem") is True, f"{name}: readOnlyRootFilesystem")


def check_pods(application):
    accounts = {document["metadata"]["name"] for document in application.of("ServiceAccount")}
    for document, metadata, pod in application.pods():
        account = pod.get("serviceAccountName", "default")
        if account not in accounts and not BROUGHT.match(account):
            application.say(document, f"service account {account} does not exist")
        if "automountServiceAccountToken" not in pod:
            application.say(document, "gets a token that nobody asked for")
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        claims = document["spec"].get("volumeClaimTemplates", []) if document["kind"] == "StatefulSet" else []
        names = set(volumes) | {claim["metadata"]["name"] for claim in claims}
        used = set()
        for container in pod.get("initContainers", []) + pod["containers"]:
            image = container["image"]
            if not re.search(r"(:[^/:]+|@sha256:[0-9a-f]{64})$", image) or image.endswith(":latest"):
                application.say(document, f"image {image} has no version")
            if "requests" not in container.get("resources", {}) or "memory" not in container["resources"].get("limits", {}):
                application.say(document, f"{container['name']} has no requests or no limit of memory")
            ports = {port.get("name") for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container and container[probe]["httpGet"]["port"] not in ports:
                    application.say(document, f"{probe} asks a port that does not exist")
            for mount in container.get("volumeMounts", []):
                used.add(mount["name"])
                if mount["name"] not in names:
                    application.say(document, f"volume {mount['name']} does not exist")
                if "subPath" in mount:
                    application.say(document, f"{mount['mountPath']} would never see an edit")
        for name in names - used:
            application.say(document, f"volume {name} is not mounted")
        if "selector" in document["spec"]:
            selector = document["spec"]["selector"]["matchLabels"]
            if not matches(selector, metadata["labels"]):
                application.say(document, "does not select its own pods")
            for other, labels, _ in application.pods():
                if other is not document and matches(selector, labels["labels"]):
                    application.say(document, f"also selects the pods of {other['metadata']['name']}")
            if document["kind"] == "StatefulSet" and not service(application, document["spec"]["serviceName"]):
                application.say(document, "its Service does not exist")


def service(application, name):
    return next((document for document in application.of("Service") if document["metadata"]["name"] == name), None)


def check_selectors(application):
    """Services, policies and monitors have to find what they are for."""
    pods = list(application.pods())
    for document in application.of("Service", "PodDisruptionBudget", "NetworkPolicy"):
        spec = document["spec"]
        selector = spec.get("selector", spec.get("podSelector"))
        selector = selector.get("matchLabels", {}) if document["kind"] != "Service" else selector
        chosen = [pod for _, metadata, pod in pods if matches(selector, metadata.get("labels", {}))]
        if not chosen or (document["kind"] == "Service" and len(chosen) != 1):
            application.say(document, f"selects {len(chosen)} kinds of pods")
        ports = [port for pod in chosen for container in pod["containers"] for port in container.get("ports", [])]
        known = {port.get("name") for port in ports} | {port["containerPort"] for port in ports}
        wanted = [port["targetPort"] for port in spec.get("ports", [])]
        wanted += [port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])]
        for port in set(wanted) - known:
            application.say(document, f"no pod has port {port}")
    for document in application.of("ServiceMonitor"):
        chosen = [
            candidate
            for candidate in application.of("Service")
            if matches(document["spec"]["selector"]["matchLabels"], candidate["metadata"]["labels"])
        ]
        if len(chosen) != 1 or document["spec"]["endpoints"][0]["port"] not in [
            port["name"] for port in chosen[0]["spec"]["ports"]
        ]:
            application.say(document, f"finds {len(chosen)} Services")
    for document in application.of("Ingress", "HTTPRoute"):
        for rule in document["spec"]["rules"]:
            backends = [path["backend"]["service"] for path in rule["http"]["paths"]] if "http" in rule else rule["backendRefs"]
            for backend in backends:
                port = backend["port"]["name"] if isinstance(backend["port"], dict) else backend["port"]
                found = service(application, backend["name"])
                if not found or port not in [port for each in found["spec"]["ports"] for port in (each["name"], each["port"])]:
                    application.say(document, f"leads to {backend['name']}:{port}, which does not exist")
    for document in application.documents:
        for text in strings(document.get("spec", {})):
            for name, namespace, port in re.findall(r"\b([a-z0-9-]+)\.([a-z0-9-]+)\.svc:(\d+)", text):
                found = service(application, name)
                if not found or found["metadata"]["namespace"] != namespace or found["spec"]["ports"][0]["port"] != int(port):
                    application.say(document, f"names {name}.{namespace}.svc:{port}, which does not exist")


def files_of(application, document, volume):
    """The files of a volume made of ConfigMaps and Secrets, by path."""
    namespace = document["metadata"]["namespace"]
    files = {}
    for source in volume.get("projected", {"sources": [volume]})["sources"]:
        kind = next((key for key in ("configMap", "secret") if key in source), None)
        if not kind:
            continue
        name = source[kind].get("name", source[kind].get("secretName"))
        data = application.config({"configMap": "ConfigMap", "secret": "Secret"}[kind], name, namespace)
        if data is None:
            if not BROUGHT.match(name):
                application.say(document, f"{kind} {name} does not exist")
            continue
        items = source[kind].get("items", [{"key": key, "path": key} for key in data])
        for key in set(data) - {item["key"] for item in items}:
            application.say(document, f"{kind} {name} has a key that is not mounted: {key}")
        for item in items:
            if item["key"] not in data:
                application.say(document, f"{kind} {name} has no key {item['key']}")
            else:
                files[item["path"]] = data[item["key"]]
    return files


def run(application, document, command, environment=None):
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        application.say(document, f"{pathlib.Path(command[0]).name} says: {result.stdout}{result.stderr}")


def check_files(application, work):
    """The programs are shown what they would find in their containers."""
    for document, _, pod in application.pods():
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for container in pod["containers"]:
            root = work / application.path.stem / document["metadata"]["name"] / container["name"]
            complete = True
            for mount in container.get("volumeMounts", []):
                files = files_of(application, document, volumes.get(mount["name"], {}))
                for path, text in files.items():
                    target = root / mount["mountPath"].lstrip("/") / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(text, encoding="utf-8")
                complete &= not any(BROUGHT.search(name) for name in strings(volumes.get(mount["name"], {})))
            arguments = container.get("args", [])
            if "/prometheus:" in container["image"]:
                run(
                    application,
                    document,
                    [os.environ["PROMTOOL"], "check", "config", str(root / "etc/prometheus/prometheus.yml")],
                )
            elif "/alertmanager:" in container["image"]:
                run(
                    application,
                    document,
                    [os.environ["AMTOOL"], "check-config", str(root / "etc/alertmanager/alertmanager.yml")],
                )
            elif OUR_IMAGE.search(container["image"]):
                check_program(application, document, arguments, root if complete else None)
    for document in application.of("PrometheusRule"):
        path = work / application.path.stem / "rules.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document["spec"]), encoding="utf-8")
        run(application, document, [os.environ["PROMTOOL"], "check", "rules", "--lint=all", "--lint-fatal", str(path)])


def check_program(application, document, arguments, root):
    """The flags exist, and the program takes its files where they are all there."""
    if not arguments or arguments[0].startswith("-"):
        application.say(document, "does not say which command it runs")
        return
    program = os.environ.get("PROGRAM")
    if not program:
        return
    help_text = subprocess.run([program, arguments[0], "--help"], capture_output=True, text=True, check=False)
    if help_text.returncode:
        application.say(document, f"the program has no command {arguments[0]}")
        return
    flags = set(re.findall(r"--[a-z][a-z0-9.-]*", help_text.stdout))
    for argument in arguments[1:]:
        if argument.startswith("--") and argument.split("=")[0] not in flags:
            application.say(document, f"{arguments[0]} has no flag {argument}")
    if root and "--config.check" in flags:
        moved = [re.sub(r"=(/etc/)", lambda found: f"={root}{found[1]}", argument) for argument in arguments]
        run(application, document, [program, *moved, "--config.check"])


def check(application, tools, work):
    check_documents(application, tools)
    check_restricted(application)
    check_pods(application)
    check_selectors(application)
    check_files(application, work)


def main():
    tools, work, *paths = sys.argv[1:]
    work = pathlib.Path(work)
    failed = False
    for path in paths:
        application = Application(pathlib.Path(path))
        check(application, tools, work)
        print(f"{application.path.name}: {len(application.documents)} documents, {len(application.found)} mistakes")
        for message in application.found:
            print(f"  {message}", file=sys.stderr)
        failed |= bool(application.found) or not application.documents
    sys.exit(failed)


if __name__ == "__main__":
    main()
