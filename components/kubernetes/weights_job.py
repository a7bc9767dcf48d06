"""Job that copies one revision of a model from Hugging Face into the bucket, before a server reads it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import PodSpecArgsDict, VolumeArgsDict, VolumeMountArgsDict

from components.kubernetes import security_context
from components.kubernetes.egress_rules import DNS, GOOGLE_APIS, INTERNET, METADATA
from components.kubernetes.pod_volumes import TMP_SIZE
from components.kubernetes.secret_mount import SecretMount, SecretMountArgs
from components.kubernetes.vllm import config_map_key
from serving.deploy import container_layout
from serving.deploy.ephemeral_storage import ephemeral_storage

ACCOUNT = "weights"
"""Name of the Job's Kubernetes service account."""
PROGRAM = "agent.weights_job.stage_weights"
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
        return f"{container_layout.WEIGHTS}{self.revision}"


def staging_pod(
    weights: Weights,
    *,
    image: pulumi.Input[str],
    account: str,
    script: tuple[str, Sequence[str]],
    token: VolumeArgsDict | None,
) -> PodSpecArgsDict:
    """Returns the Job's pod. It uses the server's image, which has the script's libraries.

    `script` is the name of a ConfigMap, and the paths of the files in it.
    """
    script_config_map, paths = script
    command: list[pulumi.Input[str]] = ["python3", "-m", PROGRAM]
    command += ["--repository", weights.repository, "--revision", weights.revision]
    command += ["--bucket", weights.bucket, "--prefix", f"{weights.directory}/{weights.model}"]
    if weights.expectation is not None:
        command += ["--expect", weights.expectation]
    volumes: list[VolumeArgsDict] = [
        {
            "name": "script",
            "config_map": {
                "name": script_config_map,
                "items": [{"key": config_map_key(path), "path": path} for path in paths],
            },
        },
        {"name": "tmp", "empty_dir": {"size_limit": TMP_SIZE}},
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
        "security_context": security_context.UNPRIVILEGED.context,
        "containers": [
            {
                "name": "stage",
                "image": image,
                "command": command,
                "env": [
                    {"name": "HOME", "value": "/tmp"},
                    {"name": "PYTHONPATH", "value": container_layout.AGENT},
                ],
                # The script copies four files at a time, each in pieces that it holds in memory.
                "resources": {
                    "requests": {"cpu": "2", "memory": "4Gi", **ephemeral_storage(TMP_SIZE)},
                    "limits": {"memory": "4Gi", **ephemeral_storage(TMP_SIZE)},
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
    script: Mapping[str, str]
    """Text of each file of the script, by its path below /opt/tpuserve."""
    weights: Weights
    token_secret: pulumi.Input[str] | None
    """Name of the secret with the Hugging Face token; None for a model that needs no token."""


class WeightsJob(pulumi.ComponentResource):
    """A Job that ends when every file of the revision is in the bucket. It has a separate identity and token.

    The Job's name contains a hash of the weights, so a new revision creates a new Job, and a finished Job
    never runs again. A Job that failed is replaced at the next `up`.
    """

    def __init__(self, name: str, args: WeightsJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tpuserve:kubernetes:WeightsJob", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "tpuserve"}
        # Digests are in the names of the resources too, as in vllm.py.
        weights = weights_digest(args.weights)
        script_digest = _short_hash(*(word for file in args.script.items() for word in file))
        script_name = f"{name}-{script_digest}"
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
            f"{name}-script-{script_digest}",
            # The name contains the content, so that a pod that is still running keeps its files.
            metadata={"name": script_name, "namespace": args.namespace, "labels": labels},
            immutable=True,
            data={config_map_key(path): text for path, text in args.script.items()},
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
            f"{name}-job-{weights}",
            # Pulumi's provider replaces an unfinished Job at the next `up`, with the image and the script of
            # that day. Without this annotation it would wait again for the Job that failed.
            metadata={
                "name": f"{name}-{weights}",
                "namespace": args.namespace,
                "labels": labels,
                "annotations": {"pulumi.com/replaceUnready": "true"},
            },
            spec={
                # The script skips files that are in the bucket already, so each retry continues the copy.
                "backoff_limit": 4,
                "active_deadline_seconds": deadline,
                "template": {
                    "metadata": {"labels": labels},
                    "spec": staging_pod(
                        args.weights,
                        image=args.image,
                        account=ACCOUNT,
                        script=(script_name, tuple(args.script)),
                        token=token,
                    ),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, script, traffic],
                # Kubernetes forbids to change the pod template of a Job, so another image or script would
                # delete the Job and copy again what is in the bucket. A Job's spec counts only when the Job
                # is created: for other weights, which give it another name, or in place of one that failed.
                ignore_changes=["spec"],
                # Longer than the Job's deadline, so that Kubernetes' reason is the reported error.
                custom_timeouts=pulumi.CustomTimeouts(create=f"{deadline + 300}s"),
            ),
        )
        self.register_outputs({})


def weights_digest(weights: Weights) -> str:
    """Returns eight digits of a hash of the weights and what they must be."""
    expectation = [] if weights.expectation is None else [weights.expectation]
    return _short_hash(weights.repository, weights.revision, weights.model, *expectation)


def _short_hash(*content: str) -> str:
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:8]
