"""What Kubernetes and the operators would take: each document against its schema, unknown fields being errors.

The schemas of the Prometheus operator are made from typed models of its resources, which are generated from its CRDs; that of
HTTPRoute is the one of the Gateway API's CRD. Neither forbids unknown fields, since a cluster drops them without a word; here
they are forbidden.
"""

import functools
import json
import pathlib
import re

import jsonschema
import kubernetes_validate
from cloudcoil.models.prometheus_operator import v1, v1alpha1

OPERATOR = {"monitoring.coreos.com/v1": v1, "monitoring.coreos.com/v1alpha1": v1alpha1}
GATEWAY = "node_modules/@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute.js"

# The package reads its megabytes of definitions again for each document.
kubernetes_validate.utils.schema_contents = functools.lru_cache(None)(kubernetes_validate.utils.schema_contents)


def strict(schema):
    """The same schema without room for fields that it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        result.setdefault("additionalProperties", False)
    return result


@functools.lru_cache(None)
def custom(tools, api_version, kind):
    """The validator of a custom resource, or None."""
    if (api_version, kind) == ("gateway.networking.k8s.io/v1", "HTTPRoute"):
        source = (pathlib.Path(tools) / GATEWAY).read_text(encoding="utf-8")
        schema = json.loads(re.search(r"const schema = (\{.*?\n\});", source, re.DOTALL).group(1))
    elif hasattr(OPERATOR.get(api_version), kind):
        schema = getattr(OPERATOR[api_version], kind).model_json_schema(by_alias=True)
    else:
        return None
    schema = strict(schema)
    # What every resource has is checked with a schema of Kubernetes.
    schema["properties"].update({"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": True})
    return jsonschema.Draft202012Validator(schema)


def mistakes(document, tools, version):
    """What is wrong with a document for a version of Kubernetes, as sentences."""
    api_version, kind = document["apiVersion"], document["kind"]
    validator = custom(tools, api_version, kind)
    found = []
    if validator:
        found += [explain(error) for error in validator.iter_errors(document)]
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": document["metadata"]}
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        found.append(explain(error))
    except kubernetes_validate.SchemaNotFoundError:
        found.append("has no schema")
    return found


def explain(error):
    # Of the alternatives, the one that is the object itself rather than null says more.
    best = jsonschema.exceptions.best_match(error.context) if error.context else None
    inner = f" ({best.message})" if best else ""
    return f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message[:200]}{inner}"
