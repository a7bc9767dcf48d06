"""Puts one revision of a model into the bucket, once, before a server reads it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import PodSpecArgsDict, VolumeArgsDict, VolumeMountArgsDict

from components.kubernetes import security_context
from components.kubernetes.egress_rules import GOOGLE_APIS, INTERNET, METADATA, NAMES
from components.kubernetes.secret_mount import SecretMount, SecretMountArgs
from serving.deploy import container_layout

TOKEN_FILE = "hugging-face-token"
SCRIPT = "stage_weights.py"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One revision of a model, as `repository` has it, to be kept in `bucket` under `directory`."""

    repository: str
    revision: str
    model: str
    bytes: int
    bucket: pulumi.Input[str]

    @property
    def directory(self) -> str:
        """Where in the bucket the folder with the model's name is; a revision never changes."""
        return f"weights/{self.revision}"


def staging_pod(
    weights: Weights,
    *,
    image: pulumi.Input[str],
    account: str,
    script_config_map: str,
    token: VolumeArgsDict | None,
) -> PodSpecArgsDict:
    """The server's image runs the script: it has the two libraries that this takes, and is there anyway."""
    command: list[pulumi.Input[str]] = ["python3", f"{container_layout.AGENT}/{SCRIPT}"]
    command += ["--repository", weights.repository, "--revision", weights.revision]
    command += ["--bucket", weights.bucket, "--prefix", f"{weights.directory}/{weights.model}"]
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
                # Four files at a time, each held in memory by the piece.
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


ACCOUNT = "weights"
BYTES_PER_SECOND = 10e6
"""Assumed: the slowest pace that is still worth waiting for."""
IMAGE_SECONDS = 900
"""Assumed: pulling and unpacking the server's image (20 GB) on a small node."""


@dataclass(frozen=True, kw_only=True)
class WeightsJobArgs:
    """`script` is the program's text; `token_secret` is Secret Manager's id, None for an open model.

    `image_name` is the image's name wherever it is pulled from: it is part of what the Job is.
    """

    project: str
    namespace: pulumi.Input[str]
    account_annotations: Mapping[str, pulumi.Input[str]]
    image: pulumi.Input[str]
    image_name: str
    script: str
    weights: Weights
    token_secret: pulumi.Input[str] | None


class WeightsJob(pulumi.ComponentResource):
    """A Job that ends when every file of the revision is in the bucket, with its own identity and token.

    Its name is a hash of what it does: another revision is another Job, and a finished one never runs again.
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
                "egress": [NAMES, METADATA, GOOGLE_APIS, INTERNET],
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
                # What is there already is not fetched again, so another try goes on where one ended.
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
                # Longer than the Job's own deadline, so that its reason is what is reported.
                custom_timeouts=pulumi.CustomTimeouts(create=f"{deadline + 300}s"),
            ),
        )
        self.register_outputs({})


def job_name(name: str, args: WeightsJobArgs) -> str:
    """The name with eight digits that stand for script, image, model and revision."""
    weights = args.weights
    what = (args.script, args.image_name, weights.repository, weights.revision, weights.model)
    return f"{name}-{hashlib.sha256('|'.join(what).encode()).hexdigest()[:8]}"
