"""Job that copies one revision of a model from Hugging Face into the bucket, before a server reads it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import PodSpecArgsDict, VolumeArgsDict, VolumeMountArgsDict

from components.kubernetes import security_context
from components.kubernetes.egress_rules import DNS, GOOGLE_APIS, INTERNET, METADATA
from components.kubernetes.secret_mount import SecretMount, SecretMountArgs
from serving.deploy import container_layout

ACCOUNT = "weights"
"""Name of the Job's Kubernetes service account."""
SCRIPT = "stage_weights.py"
TOKEN_FILE = "hugging-face-token"
BYTES_PER_SECOND = 10e6
"""Assumed: the slowest download that is still worth waiting for."""
IMAGE_SECONDS = 900
"""Assumed: seconds to pull and unpack the server's image (20 GB) on a small node."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One revision of a model and its place in the bucket."""

    repository: str
    """Repository on Hugging Face, `organization/name`."""
    revision: str
    """Commit of the repository."""
    model: str
    """Name of the model's folder below `directory`."""
    bytes: int
    """Size of all files in bytes."""
    bucket: pulumi.Input[str]
    expectation: str | None
    """Values that the config.json of the user's checkpoint must have; None for a model of the table."""

    @property
    def directory(self) -> str:
        """Folder in the bucket that holds the model's folder. Its content never changes."""
        return f"weights/{self.revision}"


def staging_pod(
    weights: Weights,
    *,
    image: pulumi.Input[str],
    account: str,
    script_config_map: str,
    token: VolumeArgsDict | None,
) -> PodSpecArgsDict:
    """Returns the Job's pod. It uses the server's image, which has the script's two libraries."""
    command: list[pulumi.Input[str]] = ["python3", f"{container_layout.AGENT}/{SCRIPT}"]
    command += ["--repository", weights.repository, "--revision", weights.revision]
    command += ["--bucket", weights.bucket, "--prefix", f"{weights.directory}/{weights.model}"]
    if weights.expectation is not None:
        command += ["--expect", weights.expectation]
    volumes: list[VolumeArgsDict] = [
        {"name": "script", "config_map": {"name": script_config_map}},
        {"name": "tmp", "empty_dir": {"size_limit": "1Gi"}},
    ]
    mounts: list[VolumeMountArgsDict] = [
        {"name": "script", "mount_path": container_layout.AGENT, "read_only": True},
        {"name": "tmp", "mount_path": "/tmp"},
    ]
    if token is not None:
        volumes.append(token)
        mounts.append({"name": token["name"], "mount_path": container_layout.SECRETS, "read_only": True})
        command += ["--token-file", f"{container_layout.SECRETS}/{TOKEN_FILE}"]
    return {
        "service_account_name": account,
        "automount_service_account_token": False,
        "restart_policy": "Never",
        "security_context": security_context.POD,
        "containers": [
            {
                "name": "stage",
                "image": image,
                "command": command,
                "env": [{"name": "HOME", "value": "/tmp"}],
                # The script copies four files at a time, each in pieces that it holds in memory.
                "resources": {
                    "requests": {"cpu": "2", "memory": "4Gi"},
                    "limits": {"memory": "4Gi"},
                },
                "security_context": security_context.CONTAINER,
                "volume_mounts": mounts,
            }
        ],
        "volumes": volumes,
    }


@dataclass(frozen=True, kw_only=True)
class WeightsJobArgs:
    """Arguments of the Job."""

    project: str
    namespace: pulumi.Input[str]
    account_annotations: Mapping[str, pulumi.Input[str]]
    """Annotations of the Kubernetes service account."""
    image: pulumi.Input[str]
    """Reference of the server's image in the registry that this cluster pulls from."""
    image_name: str
    """Reference of the image without that registry. The Job's name depends on it."""
    script: str
    """Text of the script."""
    weights: Weights
    token_secret: pulumi.Input[str] | None
    """Name of the secret with the Hugging Face token; None for a model that needs no token."""


class WeightsJob(pulumi.ComponentResource):
    """A Job that ends when every file of the revision is in the bucket. It has a separate identity and token.

    The Job's name contains a hash of its inputs, so a new revision creates a new Job, and a finished Job
    never runs again.
    """

    def __init__(self, name: str, args: WeightsJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:WeightsJob", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "tpuserve"}
        job = job_name(name, args)
        account = k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata={
                "name": ACCOUNT,
                "namespace": args.namespace,
                "labels": labels,
                "annotations": dict(args.account_annotations),
            },
            automount_service_account_token=False,
            opts=child,
        )
        script = k8s.core.v1.ConfigMap(
            f"{name}-script",
            metadata={"name": job, "namespace": args.namespace, "labels": labels},
            immutable=True,
            data={SCRIPT: args.script},
            opts=child,
        )
        traffic = k8s.networking.v1.NetworkPolicy(
            f"{name}-traffic",
            metadata={"name": name, "namespace": args.namespace, "labels": labels},
            spec={
                "pod_selector": {"match_labels": labels},
                "policy_types": ["Ingress", "Egress"],
                "egress": [DNS, METADATA, GOOGLE_APIS, INTERNET],
            },
            opts=child,
        )
        token = None
        if args.token_secret is not None:
            mount = SecretMountArgs(
                project=args.project, namespace=args.namespace, secret_id=args.token_secret, file=TOKEN_FILE
            )
            token = SecretMount(TOKEN_FILE, mount, child).volume
        deadline = IMAGE_SECONDS + int(args.weights.bytes / BYTES_PER_SECOND)
        k8s.batch.v1.Job(
            f"{name}-job",
            metadata={"name": job, "namespace": args.namespace, "labels": labels},
            spec={
                # The script skips files that are in the bucket already, so each retry continues the copy.
                "backoff_limit": 4,
                "active_deadline_seconds": deadline,
                "template": {
                    "metadata": {"labels": labels},
                    "spec": staging_pod(
                        args.weights, image=args.image, account=ACCOUNT, script_config_map=job, token=token
                    ),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, script, traffic],
                # Longer than the Job's deadline, so that Kubernetes' reason is the reported error.
                custom_timeouts=pulumi.CustomTimeouts(create=f"{deadline + 300}s"),
            ),
        )
        self.register_outputs({})


def job_name(name: str, args: WeightsJobArgs) -> str:
    """Returns the Job's name: `name` and eight digits of a hash of script, image, weights and expectation."""
    weights = args.weights
    content = [args.script, args.image_name, weights.repository, weights.revision, weights.model]
    if weights.expectation is not None:
        content.append(weights.expectation)
    return f"{name}-{hashlib.sha256('|'.join(content).encode()).hexdigest()[:8]}"
