"""What the stacks on Google Cloud have in common: the provider and its labels."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp


def provider(project: str, region: str) -> gcp.Provider:
    """The one provider of a stack: no ambient project, and labels on everything that takes them."""
    return gcp.Provider(
        "google", project=project, region=region, default_labels=labels(), add_pulumi_attribution_label=False
    )


def labels() -> dict[str, str]:
    """What tells the bill, and a person, whose a resource is."""
    return {"app": "tpuserve", "stack": pulumi.get_stack()}
