"""Outputs of the foundation. This is the only module that writes and reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

import pulumi


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Resources that belong to one serving stack."""

    server_email: pulumi.Input[str]
    """Email of the server's service account."""
    api_key_secret: pulumi.Input[str]
    """Name of the secret with the API key, without its project."""
    pods: pulumi.Input[str]
    """Name of the subnet's secondary range for pods."""


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """Outputs of the foundation. Each field is a stack output of the same name."""

    region: pulumi.Input[str]
    network: pulumi.Input[str]
    """Self link of the VPC."""
    subnetwork: pulumi.Input[str]
    """Self link of the nodes' subnet."""
    proxies: pulumi.Input[str]
    """CIDR block of the load balancers' proxies."""
    bucket: pulumi.Input[str]
    """Name of the bucket with weights and compile caches."""
    image_prefix: pulumi.Input[str]
    """Prefix of the upstream image name, in the mirror."""
    node_email: pulumi.Input[str]
    weights_email: pulumi.Input[str]
    hugging_face_secret: pulumi.Input[str]
    """Name of the secret with the Hugging Face token, without its project."""
    environments: Mapping[str, Environment]
    """Resources of each serving stack, by the stack's name."""

    def export(self) -> None:
        """Exports every field as an output of the running stack."""
        for field in fields(self):
            if field.name != "environments":
                pulumi.export(field.name, getattr(self, field.name))
        pulumi.export("environments", {name: vars(value) for name, value in self.environments.items()})

    @staticmethod
    def read(stack: str, environment: str, region: str) -> Foundation:
        """Returns the outputs of the foundation `stack`, with only the part of `environment`.

        Every output raises pulumi.RunError when it is used, if the foundation lacks it or is in a region
        other than `region`.
        """
        name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
        reference = pulumi.StackReference("foundation", stack_name=name)

        def value(key: str) -> pulumi.Output[str]:
            both = pulumi.Output.all(reference.get_output("region"), reference.get_output(key))
            return both.apply(lambda values: _in_region(region, values[0], values[1], key, stack))

        environment_outputs = reference.get_output("environments").apply(
            lambda value: _required(cast(Mapping[str, Any], value or {}).get(environment), environment, stack)
        )
        plain = {
            field.name: value(field.name) for field in fields(Foundation) if field.name != "environments"
        }
        part = {field.name: environment_outputs[field.name] for field in fields(Environment)}
        return Foundation(**plain, environments={environment: Environment(**part)})


def _in_region(region: str, foundation_region: str | None, value: Any, key: str, stack: str) -> Any:
    """Returns `value`, an output of the foundation, if the foundation is in `region`."""
    if _required(foundation_region, "region", stack) != region:
        raise pulumi.RunError(
            f"target.zone is in {region}, and network and bucket of the foundation {stack} are in "
            f"{foundation_region}; choose a zone in {foundation_region}, or another project with a "
            f"foundation in {region}: a project has one."
        )
    return _required(value, key, stack)


def _required(value: Any, key: str, stack: str) -> Any:
    if value is None:
        raise pulumi.RunError(
            f"Stack {stack} has no output {key}. Deploy it first and add this stack to its "
            f"target.environments: `pulumi up -s {stack}`."
        )
    return value
