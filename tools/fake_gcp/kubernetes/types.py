"""Custom types that a GKE cluster has and an API server lacks: Gateway API's own, and strict definitions.

These schemas are written from the public reference of each type, because Google publishes no
CustomResourceDefinition of them as a package. PodMonitoring's is in a Go module of 91 MB, 436 MB unpacked:
too much for one file, so its rules are repeated here. The schemas know only the fields in the reference: the
API server refuses a misspelled field, a wrong type or a missing field, as GKE would. They do not know what
GKE's controllers and webhooks check beyond the schema.
"""

import json
from typing import Any

from tools.fake_gcp.kubernetes.control_plane import ControlPlane
from tools.toolchain import gateway_api

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "format": "int64", "minimum": 0}
YES_NO: Schema = {"type": "boolean"}
PORT: Schema = {"x-kubernetes-int-or-string": True}


def group(required: str = "", /, **fields: Schema) -> Schema:
    """Returns an object with only these fields; `required` names those that must be set."""
    found: Schema = {"type": "object", "properties": fields}
    return {**found, "required": required.split()} if required else found


def each(item: Schema, least: int = 0) -> Schema:
    """Returns a list."""
    return {"type": "array", "items": item, "minItems": least}


def one_of(*values: str) -> Schema:
    """Returns a string that is one of a few."""
    return {"type": "string", "enum": list(values)}


def named(item: Schema) -> Schema:
    """Returns a map from names that the user chooses."""
    return {"type": "object", "additionalProperties": item}


def limited(least: int, most: int) -> Schema:
    """Returns an integer in a range."""
    return {"type": "integer", "minimum": least, "maximum": most}


TARGET = group("group kind name", group=TEXT, kind=TEXT, name=TEXT, namespace=TEXT)
SELECTOR = group(
    matchLabels=named(TEXT),
    matchExpressions=each(group("key operator", key=TEXT, operator=TEXT, values=each(TEXT))),
)

# https://googlecloudplatform.github.io/gke-gateway-api and
# https://cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources; ranges are the backend
# service's (https://cloud.google.com/compute/docs/reference/rest/v1/backendServices).
BACKEND = group(
    timeoutSec=limited(1, 2147483647),
    connectionDraining=group(drainingTimeoutSec=limited(0, 3600)),
    logging=group(enabled=YES_NO, sampleRate=limited(0, 1000000)),
    securityPolicy=TEXT,
    sessionAffinity=group(type=TEXT, cookieTtlSec=limited(0, 1209600)),
    iap=group(enabled=YES_NO, oauth2ClientSecret=group("name", name=TEXT), clientID=TEXT),
    maxRatePerEndpoint=limited(1, 1000000000),
)
PORT_FIELDS = {"port": limited(1, 65535), "portName": TEXT} | {
    "portSpecification": one_of("USE_FIXED_PORT", "USE_NAMED_PORT", "USE_SERVING_PORT")
}
HTTP_CHECK = group(
    host=TEXT, requestPath=TEXT, response=TEXT, proxyHeader=one_of("NONE", "PROXY_V1"), **PORT_FIELDS
)
# Ranges: https://cloud.google.com/compute/docs/reference/rest/v1/healthChecks
HEALTH = group(
    checkIntervalSec=limited(1, 300),
    timeoutSec=limited(1, 300),
    healthyThreshold=limited(1, 10),
    unhealthyThreshold=limited(1, 10),
    logConfig=group(enabled=YES_NO),
    config=group(
        "type",
        type=one_of("TCP", "HTTP", "HTTPS", "HTTP2", "GRPC"),
        httpHealthCheck=HTTP_CHECK,
        httpsHealthCheck=HTTP_CHECK,
        http2HealthCheck=HTTP_CHECK,
        tcpHealthCheck=group(request=TEXT, response=TEXT, proxyHeader=TEXT, **PORT_FIELDS),
        grpcHealthCheck=group(grpcServiceName=TEXT, **PORT_FIELDS),
    ),
)
# https://secrets-store-csi-driver.sigs.k8s.io/getting-started/usage
SECRETS = group(
    "provider",
    provider=TEXT,
    parameters=named(TEXT),
    secretObjects=each(
        group(
            secretName=TEXT,
            type=TEXT,
            labels=named(TEXT),
            annotations=named(TEXT),
            data=each(group(objectName=TEXT, key=TEXT)),
        )
    ),
)
# https://cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass
PLACE = group(zones=each(TEXT), locationPolicy=one_of("ANY", "BALANCED"))
PRIORITY = group(
    machineType=TEXT,
    machineFamily=TEXT,
    minCores=WHOLE,
    minMemoryGb=WHOLE,
    maxPodsPerNode=WHOLE,
    spot=YES_NO,
    gpu=group("type count", type=TEXT, count=WHOLE, driverVersion=TEXT),
    tpu=group("type count topology", type=TEXT, count=WHOLE, topology=TEXT),
    storage=group(bootDiskType=TEXT, bootDiskSize=WHOLE, bootDiskKMSKey=TEXT, localSSDCount=WHOLE),
    reservations=group(
        "affinity",
        affinity=one_of("Specific", "AnyBestEffort", "None"),
        specific=each(group("name", name=TEXT, project=TEXT, zones=each(TEXT))),
    ),
    nodepools=each(TEXT),
    location=PLACE,
    placement=group(policyName=TEXT),
    flexStart=group("enabled", enabled=YES_NO, nodeRecycling=group(leadTimeSeconds=WHOLE)),
    maxRunDurationSeconds=WHOLE,
)
CLASS = group(
    "priorities",
    priorities=each(PRIORITY, least=1),
    priorityDefaults=group(location=PLACE),
    nodePoolAutoCreation=group(enabled=YES_NO),
    nodePoolConfig=group(imageType=TEXT, serviceAccount=TEXT, nodeLabels=named(TEXT)),
    whenUnsatisfiable=one_of("ScaleUpAnyway", "DoNotScaleUp"),
    activeMigration=group(optimizeRulePriority=YES_NO, ensureAllDaemonSetPodsRunning=YES_NO),
    autoscalingPolicy=group(consolidationDelayMinutes=WHOLE, consolidationThreshold=WHOLE),
)
# https://github.com/GoogleCloudPlatform/prometheus-engine 0.17.2: doc/api.md, and
# charts/operator/crds/monitoring.googleapis.com_podmonitorings.yaml
DURATION: Schema = {"type": "string", "format": "duration"}
TARGET_NAMES = (
    "project_id location cluster namespace job instance top_level_controller top_level_controller_type "
    "__address__"
)
"""Labels that name the target itself: a pod's own label must not replace them."""
TARGET_LABEL: Schema = {**TEXT, "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$", "not": {"enum": TARGET_NAMES.split()}}
POD_FACTS = ("container", "node", "pod", "top_level_controller_name", "top_level_controller_type")
MONITORING = group(
    "endpoints selector",
    endpoints=each(
        group(
            "port interval",
            port=PORT,
            scheme=one_of("http", "https"),
            path=TEXT,
            params=named(each(TEXT)),
            interval=DURATION,
            timeout=DURATION,
        ),
        least=1,
    ),
    selector=SELECTOR,
    targetLabels=group(
        metadata=each(one_of(*POD_FACTS)), fromPod=each(group("from", to=TARGET_LABEL, **{"from": TEXT}))
    ),
    limits=group(samples=WHOLE, labels=WHOLE, labelNameLength=WHOLE, labelValueLength=WHOLE),
    filterRunning=YES_NO,
)


def policy(default: Schema) -> Schema:
    """Returns a policy that is attached to a Service."""
    return group("targetRef", default=default, targetRef=TARGET)


# Group, version, kind, plural, whether it is namespaced, and its spec.
TYPES: tuple[tuple[str, str, str, str, bool, Schema], ...] = (
    ("networking.gke.io", "v1", "GCPBackendPolicy", "gcpbackendpolicies", True, policy(BACKEND)),
    ("networking.gke.io", "v1", "HealthCheckPolicy", "healthcheckpolicies", True, policy(HEALTH)),
    ("secrets-store.csi.x-k8s.io", "v1", "SecretProviderClass", "secretproviderclasses", True, SECRETS),
    ("cloud.google.com", "v1", "ComputeClass", "computeclasses", False, CLASS),
    ("monitoring.googleapis.com", "v1", "PodMonitoring", "podmonitorings", True, MONITORING),
)


def definition(api: str, version: str, kind: str, plural: str, spaced: bool, spec: Schema) -> dict[str, Any]:
    """Returns the CustomResourceDefinition of one type."""
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"required": ["spec"], **group(spec=spec)}},
    }
    served["schema"]["openAPIV3Schema"]["properties"] |= {
        "apiVersion": TEXT,
        "kind": TEXT,
        "metadata": {"type": "object"},
        # Controllers write the status, and none runs here.
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{api}"},
        "spec": {
            "group": api,
            "scope": "Namespaced" if spaced else "Cluster",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [served],
        },
    }


def install(plane: ControlPlane) -> None:
    """Install all types in the API server, and wait until it serves them."""
    items = [definition(*row) for row in TYPES]
    plane.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    for file in gateway_api.types():
        plane.kubectl("create", "-f", str(file))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=300s", "crd", "--all")
