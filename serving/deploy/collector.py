"""Collector of a TPU VM: it reads the metrics of server and sidecar and sends them to Cloud Monitoring.

It is Google's build of the OpenTelemetry Collector, a container beside the server that systemd starts
(serving/deploy/systemd_units.py). docs/adr/0011-collector-on-tpu-vms.md says why it is not the Ops Agent.
"""

import json
from collections.abc import Mapping

from serving.deploy import container_layout
from serving.monitoring.scope import SCRAPE_SECONDS

IMAGE = (
    "us-docker.pkg.dev/cloud-ops-agents-artifacts/google-cloud-opentelemetry-collector/otelcol-google:0.135.0"
    "@sha256:90c2bab052e6c9da37efb6e7181b0cbb99562b9b39096dce895c7afe957b3b02"
)
"""Image in Google's public repository, which needs no permission.

Its digest is the one of Google's attestation for version 0.135.0
(github.com/GoogleCloudPlatform/opentelemetry-operations-collector,
google-built-opentelemetry-collector/VSA/0.135.0, read in 2026-11)."""

SERVICE = "collector"
"""Name in compose.yaml, and of the component in `make logs`."""
CONTAINER = "tpuserve-collector"
CONFIG = "collector.yaml"
"""Name of the configuration in the folder of compose.yaml."""
CONFIG_FILE = f"/etc/tpuserve/{CONFIG}"
"""Path of the configuration in the container."""

CPUS = 1
"""Assumed: processors that the container may use. A v6e-4 machine has 180."""
MEMORY_MIB = 512
"""Assumed: memory that the container may use, of 720 GB. The collector drops metrics before it has all of
it."""

CLUSTER = "__gce__"
"""Label `cluster` of every series from Compute Engine
(https://cloud.google.com/stackdriver/docs/managed-prometheus/setup-opsagent). It is set here, because not
every version of the exporter sets it."""


def config(release: str, namespace: str) -> str:
    """Returns the text of `collector.yaml`.

    Every series has the labels `namespace`, `instance` and `release`. `instance` is the machine's name: by
    their address, which is loopback, the sidecars of all machines would be one.
    """
    pages = {
        container_layout.SERVER: f"${{env:{container_layout.ADDRESS}}}:{container_layout.PORT}",
        container_layout.SIDECAR: f"{container_layout.LOOPBACK}:{container_layout.SIDECAR_PORT}",
    }
    content = {
        "receivers": {
            "prometheus": {
                "config": {"scrape_configs": [_scrape(job, target, release) for job, target in pages.items()]}
            }
        },
        "processors": {
            "memory_limiter": {
                "check_interval": "1s",
                "limit_mib": MEMORY_MIB * 3 // 4,
                "spike_limit_mib": MEMORY_MIB // 4,
            },
            # The machine's zone and name, from the metadata server.
            "resourcedetection": {"detectors": ["gcp"], "timeout": "10s"},
            "resource": {
                "attributes": [
                    {"key": "cluster", "value": CLUSTER, "action": "upsert"},
                    {"key": "namespace", "value": namespace, "action": "upsert"},
                    {"key": "service.instance.id", "from_attribute": "host.name", "action": "upsert"},
                ]
            },
            # The most time series that Cloud Monitoring takes in one request.
            "batch": {"send_batch_size": 200, "send_batch_max_size": 200, "timeout": "5s"},
        },
        # Suffixes would give metrics other names than on GKE.
        "exporters": {"googlemanagedprometheus": {"metric": {"add_metric_suffixes": False}}},
        "service": {
            # Otherwise the collector opens a port for metrics of its own.
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {
                "metrics": {
                    "receivers": ["prometheus"],
                    "processors": ["memory_limiter", "resourcedetection", "resource", "batch"],
                    "exporters": ["googlemanagedprometheus"],
                }
            },
        },
    }
    # JSON is YAML in which every text has quotes: without them, a release such as 12e45678 would be a number.
    return json.dumps(content, indent=1) + "\n"


def _scrape(job: str, target: str, release: str) -> Mapping[str, object]:
    return {
        "job_name": job,
        "scrape_interval": f"{SCRAPE_SECONDS}s",
        "metrics_path": "/metrics",
        "static_configs": [{"targets": [target], "labels": {"release": release}}],
    }
