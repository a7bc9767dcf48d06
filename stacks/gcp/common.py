"""Provider and labels of every stack on Google Cloud."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp


def provider(project: str, region: str) -> gcp.Provider:
    """Returns the only Google Cloud provider of a stack.

    Project and region are explicit, so that the caller's gcloud configuration has no effect. The default
    labels reach every resource that accepts labels.
    """
    return gcp.Provider(
        "google", project=project, region=region, default_labels=labels(), add_pulumi_attribution_label=False
    )


def labels() -> dict[str, str]:
    """Returns the labels that attribute cost and ownership."""
    return {"app": "tpuserve", "stack": pulumi.get_stack()}
