"""A project that has everything for its stacks, and a machine with the programs, for tests that take parts
away."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.gcp.certificate import certificate_name
from doctor.checks import access
from doctor.checks.access import FIRST_SERVICES, QUOTAS_SERVICE
from doctor.checks.state import OBJECT_PERMISSIONS
from stacks.gcp.foundation import SERVICES
from tests.unit.doctor.stand_in import PROJECT, Answers
from tests.unit.releases.stacks import write
from tools.support import paths

REGION, ZONE = "us-east5", "us-east5-b"
HOST = "tpuserve.example.org"
CERTIFICATE = certificate_name("tpuserve-staging", HOST)
ADDRESS = "10.60.0.9"

GKE = {
    "kind": "gke",
    "project": PROJECT,
    "zone": ZONE,
    "capacity": {"kind": "spot"},
    "endpoint": {"hostname": HOST},
}
RESERVED = {**GKE, "capacity": {"kind": "reservation", "name": "slices"}}
FALLBACK = {**GKE, "capacity": {"kind": "compute-class", "rungs": [{"kind": "on-demand"}, {"kind": "spot"}]}}
EXISTING = {**GKE, "cluster": {"kind": "existing", "name": "shared", "location": REGION}}
HELD = {**GKE, "cluster": {"kind": "new", "minor_version": "1.35"}}
TPU_VM = {key: value for key, value in GKE.items() if key != "endpoint"} | {"kind": "tpu-vm"}
CLOUD_TPU = {**TPU_VM, "api": "cloud-tpu"}
FOUNDATION = {
    "kind": "foundation",
    "project": PROJECT,
    "region": REGION,
    "environments": {"staging": "10.64.0.0/18"},
}

SERVER_CONFIG = f"container projects/{PROJECT}/locations/{REGION}/serverConfig"
NEW_CLUSTER = f"container projects/{PROJECT}/locations/{REGION}/clusters/tpuserve-staging"
CLUSTER = f"container projects/{PROJECT}/locations/{REGION}/clusters/shared"
INSTANCES = f"compute projects/{PROJECT}/aggregated/instances"
MACHINE_TYPES = f"compute projects/{PROJECT}/aggregated/machineTypes"
REGION_OF = f"compute projects/{PROJECT}/regions/{REGION}"
RESERVATION = f"compute projects/{PROJECT}/zones/{ZONE}/reservations/slices"
PERMISSIONS = f"cloudresourcemanager projects/{PROJECT}:testIamPermissions"
PROJECT_OF = f"cloudresourcemanager projects/{PROJECT}"
NUMBER = "415104041262"
ENABLED = f"serviceusage projects/{NUMBER}/services"
API_KEY = f"secretmanager projects/{PROJECT}/secrets/tpuserve-api-key-staging/versions"
TOKEN = f"secretmanager projects/{PROJECT}/secrets/tpuserve-hugging-face-token/versions"
WEIGHTS = f"storage b/{PROJECT}-tpuserve/o"
STATE = f"storage b/{PROJECT}-pulumi/iam/testPermissions"
ADDRESS_OF = f"compute projects/{PROJECT}/regions/{REGION}/addresses/tpuserve-staging-internal"
LOCATION = f"certificatemanager projects/{PROJECT}/locations/{REGION}"
CERTIFICATE_OF = f"{LOCATION}/certificates/{CERTIFICATE}"
AUTHORIZATION_OF = f"{LOCATION}/dnsAuthorizations/{CERTIFICATE}"


def quota(id: str, service: str = "compute.googleapis.com") -> str:
    """Returns the key of a quota's answer."""
    return f"cloudquotas projects/{NUMBER}/locations/global/services/{service}/quotaInfos/{id}"


FAMILY = quota("TPUS-PER-TPU-FAMILY-per-project-region")
PREEMPTIBLE = quota("PREEMPTIBLE-TPU-V6E-per-project-region")
TPU_API = quota("TPUV6EPreemptiblePerProjectPerZoneForTPUAPI", "tpu.googleapis.com")


def granted(chips: int, **dimensions: str) -> dict[str, Any]:
    """Returns a quota of so many chips, beside a default of none."""
    return {
        "dimensionsInfos": [
            {"details": {"value": "0"}, "applicableLocations": [REGION, ZONE, "us-central1"]},
            {"dimensions": dimensions, "details": {"value": str(chips)}},
            {"dimensions": {"region": "us-central1"}, "details": {"value": "4096"}},
        ]
    }


def machine(kind: str = "ct6e-standard-4t", model: str = "SPOT", stack: str = "other") -> dict[str, Any]:
    """Returns a machine of the project."""
    url = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{ZONE}/machineTypes/{kind}"
    return {"machineType": url, "scheduling": {"provisioningModel": model}, "labels": {"stack": stack}}


def machines(*found: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer of a list of machines in the zone, beside one in another region."""
    elsewhere = {"instances": [machine()]}
    return {"items": {f"zones/{ZONE}": {"instances": list(found)}, "zones/us-central1-b": elsewhere}}


def hyperdisk(limit: int, usage: int) -> dict[str, Any]:
    """Returns the region with this quota of Hyperdisk."""
    return {"name": REGION, "quotas": [{"metric": "HDB_TOTAL_GB", "limit": limit, "usage": usage}]}


def reservation(count: int = 2, used: int = 0, kind: str = "ct6e-standard-4t", **more: Any) -> dict[str, Any]:
    """Returns a reservation of machines."""
    properties = {"machineType": kind}
    specific = {"count": str(count), "inUseCount": str(used), "instanceProperties": properties}
    return {"name": "slices", "status": "READY", "specificReservation": specific, **more}


def good() -> Answers:
    """Returns Google's answers about a project in which nothing is missing."""
    tables = (
        access.FOUNDATION,
        access.GKE,
        access.NEW_CLUSTER,
        access.TPU_VM,
        access.GROUP,
        access.CLOUD_TPU,
        access.MONITORING,
        access.MACHINE_METRICS,
    )
    permissions = sorted({name for table in (*tables, access.ENDPOINT) for name in table})
    enabled = (*SERVICES, *FIRST_SERVICES, QUOTAS_SERVICE)
    version = {"versions": [{"name": "1", "state": "ENABLED"}]}
    return {
        PROJECT_OF: {"name": f"projects/{NUMBER}", "state": "ACTIVE"},
        ENABLED: [{"services": [{"config": {"name": name}}]} for name in enabled],
        PERMISSIONS: {"permissions": permissions},
        STATE: {"permissions": list(OBJECT_PERMISSIONS)},
        MACHINE_TYPES: {
            "items": {
                f"zones/{ZONE}": {"machineTypes": [{"name": "ct6e-standard-4t"}]},
                "zones/us-east5-c": {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
            }
        },
        FAMILY: granted(16, region=REGION, tpu_family="CT6E"),
        PREEMPTIBLE: granted(16, region=REGION),
        TPU_API: granted(16, zone=ZONE),
        INSTANCES: machines(),
        REGION_OF: hyperdisk(4096, 0),
        RESERVATION: reservation(),
        SERVER_CONFIG: {
            "channels": [
                {
                    "channel": "REGULAR",
                    "defaultVersion": "1.35.1-gke.1000000",
                    "validVersions": ["1.36.0-gke.1", "1.35.1-gke.1000000", "1.34.9-gke.9"],
                }
            ]
        },
        CLUSTER: {
            "currentMasterVersion": "1.35.1-gke.1000000",
            "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
            "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
            "addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": True}},
            "secretManagerConfig": {"enabled": True, "rotationConfig": {"enabled": True}},
            "monitoringConfig": {"managedPrometheusConfig": {"enabled": True}},
            "network": "tpuserve",
            "networkConfig": {
                "datapathProvider": "ADVANCED_DATAPATH",
                "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
            },
        },
        API_KEY: version,
        TOKEN: version,
        WEIGHTS: [{"items": [{"name": "config.json"}]}, {"items": [{"name": "model-1.safetensors"}]}],
        ADDRESS_OF: {"address": ADDRESS},
        CERTIFICATE_OF: {"managed": {"state": "ACTIVE"}},
        AUTHORIZATION_OF: {
            "dnsResourceRecord": {"name": "_acme-challenge.x.", "type": "CNAME", "data": "y.authorize."}
        },
    }


def stack(folder: Path, target: Mapping[str, Any], **changes: Any) -> None:
    """Writes the stack file `staging`, and what the program's folder has beside it."""
    if target["kind"] == "foundation":
        changes = dict.fromkeys(("model", "model_revision", "phase", "image"))
    write(folder, "staging", target=target, **changes)
    (folder / "requirements").mkdir(exist_ok=True)
    pins = (paths.REPOSITORY / "requirements" / "program.in").read_text("utf-8")
    (folder / "requirements" / "program.in").write_text(pins, "utf-8")


OUTPUTS = {"region": REGION, "environments": {"staging": {"pods": "pods-staging"}}}


def programs(folder: Path, outputs: object = OUTPUTS, version: str = "3.999.0") -> Path:
    """Writes the programs that the checks look for. Returns their folder. `outputs` is the foundation's; a
    text is Pulumi's error."""
    shown = f"printf '%s' '{json.dumps(outputs)}'"
    if isinstance(outputs, str):
        shown = f"printf '%s' '{outputs}' >&2; exit 255"
    pulumi = f'#!/bin/sh\ncase "$1" in version) echo v{version};; *) {shown};; esac\n'
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pulumi", "pulumi-language-python", "gke-gcloud-auth-plugin", "gcloud", "kubectl"):
        file = folder / name
        file.write_text(pulumi if name == "pulumi" else "#!/bin/sh\n", "utf-8")
        file.chmod(0o755)
    return folder
