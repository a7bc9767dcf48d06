"""Selection of the time series that belong to one stack's servers."""

from collections.abc import Mapping
from dataclasses import dataclass

SCRAPE_SECONDS = 30
"""Seconds between two scrapes of a server, on GKE and on TPU VMs: the value on Google's page for vLLM
(https://cloud.google.com/stackdriver/docs/managed-prometheus/exporters/vllm)."""


@dataclass(frozen=True)
class Scope:
    """Labels that only this stack's series have, and the label whose value names a server.

    `labels` depend on who collects: Managed Prometheus adds `cluster` and `namespace`, another Prometheus
    what its scrape configuration says. `server` is `pod` on Kubernetes and `instance` elsewhere.
    """

    labels: Mapping[str, str]
    server: str

    def select(self, metric: str, **also: str) -> str:
        """Returns the PromQL selector of `metric`; a value of `also` that begins with ~ is a pattern."""
        matchers = [f'{label}="{value}"' for label, value in self.labels.items()]
        for label, value in also.items():
            pattern = value.startswith("~")
            matchers.append(f'{label}{"=~" if pattern else "="}"{value.removeprefix("~")}"')
        return f"{metric}{{{','.join(matchers)}}}" if matchers else metric
