"""What the stacks on Google Cloud have in common: the provider, and what is refused before it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pulumi
import pulumi.runtime
import pulumi_gcp as gcp

from config.targets import PLACEHOLDER_PROJECT


def provider(project: str, region: str) -> gcp.Provider:
    """The one provider of a stack: no ambient project, and labels on everything that takes them."""
    return gcp.Provider(
        "google", project=project, region=region, default_labels=labels(), add_pulumi_attribution_label=False
    )


def labels() -> dict[str, str]:
    """What tells the bill, and a person, whose a resource is."""
    return {"app": "tpuserve", "stack": pulumi.get_stack()}


def refuse(problems: Iterator[str]) -> None:
    """Raise all of them at once, one sentence a line, when there are any."""
    found = list(problems)
    if found:
        raise ValueError("\n".join(found))


def placeholders(project: str) -> Iterator[str]:
    """What may be looked at with `preview`, but belongs to nobody."""
    if project == PLACEHOLDER_PROJECT and not pulumi.runtime.is_dry_run():
        yield (
            f"target.project is still the placeholder {project}, which `preview` takes and `up` does not; "
            "set target.project to the id of your project."
        )
