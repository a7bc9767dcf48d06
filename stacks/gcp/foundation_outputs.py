"""What the foundation tells the serving stacks: written and read here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

import pulumi


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What one serving stack has of its own. `secret` ids are without project; `pods` is a range's name."""

    server_email: pulumi.Input[str]
    api_key_secret: pulumi.Input[str]
    pods: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """The foundation's outputs; every field is a stack output of the same name."""

    region: pulumi.Input[str]
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    proxies: pulumi.Input[str]
    bucket: pulumi.Input[str]
    image_prefix: pulumi.Input[str]
    node_email: pulumi.Input[str]
    weights_email: pulumi.Input[str]
    hugging_face_secret: pulumi.Input[str]
    environments: Mapping[str, Environment]

    def export(self) -> None:
        """Make them outputs of the running stack."""
        for field in fields(self):
            if field.name != "environments":
                pulumi.export(field.name, getattr(self, field.name))
        pulumi.export("environments", {name: vars(value) for name, value in self.environments.items()})

    @staticmethod
    def read(stack: str, environment: str, region: str) -> Foundation:
        """The outputs of the foundation `stack`, with the part of `environment` alone.

        What the foundation does not tell, or another region, is a sentence at the time when it is needed.
        """
        name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
        reference = pulumi.StackReference("foundation", stack_name=name)

        def value(key: str) -> pulumi.Output[str]:
            both = pulumi.Output.all(reference.get_output("region"), reference.get_output(key))
            return both.apply(lambda found: _in(region, found[0], found[1], key, stack))

        own = reference.get_output("environments").apply(
            lambda found: _told(cast(Mapping[str, Any], found or {}).get(environment), environment, stack)
        )
        plain = {
            field.name: value(field.name) for field in fields(Foundation) if field.name != "environments"
        }
        part = {field.name: own[field.name] for field in fields(Environment)}
        return Foundation(**plain, environments={environment: Environment(**part)})


def _in(wanted: str, region: str | None, found: Any, key: str, stack: str) -> Any:
    if _told(region, "region", stack) != wanted:
        raise pulumi.RunError(
            f"target.zone is in {wanted}, and network and bucket of the foundation {stack} are in {region}; "
            f"choose a zone in {region}, or another project with a foundation in {wanted}: a project has one."
        )
    return _told(found, key, stack)


def _told(found: Any, key: str, stack: str) -> Any:
    if found is None:
        raise pulumi.RunError(
            f"The stack {stack} does not tell {key}: it must be deployed first, and list this stack in its "
            f"target.environments; run `pulumi up -s {stack}`."
        )
    return found
