"""The newest Helm takes the chart too: `compare_helm.py CHART MANIFESTS VALUES…`.

MANIFESTS has what the helm command made of each file of values. Helm 4, as a library, has to find nothing in its lint and to
make the same of them.
"""

import pathlib
import sys

import helm_python
import yaml


def documents(text):
    found = [document for document in yaml.safe_load_all(text) if document]
    return sorted(found, key=lambda document: (document["kind"], document["metadata"]["name"]))


def main():
    path, manifests, *files = sys.argv[1:]
    with helm_python.Chart.load(path) as chart:
        for file in map(pathlib.Path, files):
            values = yaml.safe_load(file.read_text(encoding="utf-8"))
            report = helm_python.lint(path, values, strict=True, kube_version="v1.30.0")
            serious = [message for message in report["messages"] if message["severity"] > 1]
            if report["errors"] or serious:
                sys.exit(f"{file.name}: {report}")
            rendered = chart.render(values, name="rel", namespace="monitoring")
            notes = rendered.pop("webservice-monitor/templates/NOTES.txt")
            if "helm test rel" not in notes or "<no value>" in notes:
                sys.exit(f"{file.name}: the notes are not what they should be: {notes}")
            if documents("\n---\n".join(rendered.values())) != documents(
                (pathlib.Path(manifests) / file.name).read_text(encoding="utf-8")
            ):
                sys.exit(f"{file.name}: Helm {helm_python.helm_sdk_version()} renders something else")
    print(f"Helm {helm_python.helm_sdk_version()} makes the same of {len(files)} files of values")


if __name__ == "__main__":
    main()
