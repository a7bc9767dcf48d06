"""A secret of Secret Manager as a file in a pod, fetched by the node with the pod's own identity."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
import yaml
from pulumi_kubernetes.core.v1 import VolumeArgsDict


@dataclass(frozen=True, kw_only=True)
class SecretMountArgs:
    """`file` is the name that the secret's latest version gets in the volume."""

    project: str
    namespace: pulumi.Input[str]
    secret_id: pulumi.Input[str]
    file: str


class SecretMount(pulumi.ComponentResource):
    """A SecretProviderClass of GKE's Secret Manager add-on: names and paths, never a value
    (https://cloud.google.com/secret-manager/docs/secret-manager-managed-csi-component)."""

    volume: VolumeArgsDict
    """The volume's source; a pod without a readable version does not start."""

    def __init__(self, name: str, args: SecretMountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:SecretMount", name, None, opts)
        made = k8s.apiextensions.CustomResource(
            f"{name}-class",
            api_version="secrets-store.csi.x-k8s.io/v1",
            kind="SecretProviderClass",
            metadata={"name": name, "namespace": args.namespace},
            spec={
                "provider": "gke",
                "parameters": {
                    # The latest version, so that a new key is in use two minutes after it is added.
                    "secrets": pulumi.Output.from_input(args.secret_id).apply(
                        lambda secret: _list(f"projects/{args.project}/secrets/{secret}", args.file)
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
                "volume_attributes": {"secretProviderClass": made.id.apply(lambda _: name)},
            },
        }
        self.register_outputs({})


def _list(secret: str, file: str) -> str:
    """The driver's own YAML: which version becomes which file."""
    return yaml.safe_dump([{"resourceName": f"{secret}/versions/latest", "path": file}], sort_keys=False)
