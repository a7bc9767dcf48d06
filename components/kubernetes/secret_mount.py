"""Secret of Secret Manager as a file in a pod. The node fetches it with the pod's identity."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
import yaml
from pulumi_kubernetes.core.v1 import VolumeArgsDict


@dataclass(frozen=True, kw_only=True)
class SecretMountArgs:
    """Arguments of the mount."""

    project: str
    """Project of the secret."""
    namespace: pulumi.Input[str]
    secret_id: pulumi.Input[str]
    file: str
    """File name of the secret's latest version in the volume."""


class SecretMount(pulumi.ComponentResource):
    """A SecretProviderClass of GKE's Secret Manager add-on. It holds names and paths, and no value
    (https://cloud.google.com/secret-manager/docs/secret-manager-managed-csi-component)."""

    volume: VolumeArgsDict
    """Volume for the pod. A pod whose account cannot read a version does not start."""

    def __init__(self, name: str, args: SecretMountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:SecretMount", name, None, opts)
        provider_class = k8s.apiextensions.CustomResource(
            f"{name}-class",
            api_version="secrets-store.csi.x-k8s.io/v1",
            kind="SecretProviderClass",
            metadata={"name": name, "namespace": args.namespace},
            spec={
                "provider": "gke",
                "parameters": {
                    # The latest version: with the cluster's rotation a new value is in use in two minutes.
                    "secrets": pulumi.Output.from_input(args.secret_id).apply(
                        lambda secret: _secret_list(f"projects/{args.project}/secrets/{secret}", args.file)
                    )
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.volume = {
            "name": name,
            "csi": {
                "driver": "secrets-store-gke.csi.k8s.io",
                "read_only": True,
                "volume_attributes": {"secretProviderClass": provider_class.id.apply(lambda _: name)},
            },
        }
        self.register_outputs({})


def _secret_list(secret: str, file: str) -> str:
    """Returns the driver's YAML list of secret versions and their file names."""
    return yaml.safe_dump([{"resourceName": f"{secret}/versions/latest", "path": file}], sort_keys=False)
