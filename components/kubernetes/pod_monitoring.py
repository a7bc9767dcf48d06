"""Metrics of a server into Google's Managed Prometheus, which every new GKE cluster runs."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

SECONDS = 30
"""Between two readings; what Google's page for vLLM takes."""


@dataclass(frozen=True, kw_only=True)
class MetricsArgs:
    """`labels` select the pods of `namespace`."""

    namespace: pulumi.Input[str]
    labels: Mapping[str, str]


class Metrics(pulumi.ComponentResource):
    """A PodMonitoring: the collector on the pod's own node reads `/metrics`, which asks for no key.

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
                # By its name in the pod: with a number the metrics would not say which container they are of.
                "endpoints": [{"port": "http", "path": "/metrics", "interval": f"{SECONDS}s"}],
                # A release that is slower than the one before it shows as another line.
                "targetLabels": {"fromPod": [{"from": "tpuserve/release", "to": "release"}]},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
