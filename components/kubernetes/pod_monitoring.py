"""PodMonitoring: Google's Managed Prometheus, which every new GKE cluster runs, collects the metrics of vLLM
and its sidecar."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from serving.monitoring.scope import SCRAPE_SECONDS


@dataclass(frozen=True, kw_only=True)
class MetricsArgs:
    """Arguments of the object. `labels` select the pods of `namespace`."""

    namespace: pulumi.Input[str]
    labels: Mapping[str, str]


class Metrics(pulumi.ComponentResource):
    """A PodMonitoring object. The collector on the pod's node reads `/metrics`, which needs no API key.

    https://cloud.google.com/stackdriver/docs/managed-prometheus/exporters/vllm; fields:
    https://github.com/GoogleCloudPlatform/prometheus-engine/blob/main/doc/api.md#podmonitoring
    """

    def __init__(self, name: str, args: MetricsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:Metrics", name, None, opts)
        k8s.apiextensions.CustomResource(
            f"{name}-pods",
            api_version="monitoring.googleapis.com/v1",
            kind="PodMonitoring",
            metadata={"name": name, "namespace": args.namespace, "labels": dict(args.labels)},
            spec={
                "selector": {"matchLabels": dict(args.labels)},
                # By the port's name: with a number the metrics would not name their container.
                "endpoints": [
                    {"port": port, "path": "/metrics", "interval": f"{SCRAPE_SECONDS}s"}
                    for port in ("http", "sidecar")
                ],
                # A separate time series for each release, so that a slower release is visible.
                "targetLabels": {"fromPod": [{"from": "tpuserve/release", "to": "release"}]},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
