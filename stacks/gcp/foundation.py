"""What outlives the serving stacks of one project: network, artifacts, secrets, identities, in one region.

A project has one foundation: buckets, networks, accounts, secrets and DNS zones have names without a region,
so a second one would find them taken.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator

import pulumi

from components.gcp.artifact_bucket import ArtifactBucket, ArtifactBucketArgs
from components.gcp.image_mirror import ImageMirror, ImageMirrorArgs
from components.gcp.network import Network, NetworkArgs
from components.gcp.private_google_access import PrivateApis, PrivateApisArgs
from components.gcp.project_services import Apis, ApisArgs
from components.gcp.secret import Secret, SecretArgs
from components.gcp.service_account import Identity, IdentityArgs
from config.settings import Settings
from config.targets import FoundationTarget
from serving.deploy import container_layout
from stacks.gcp import common
from stacks.gcp.foundation_outputs import Environment, Foundation

SERVICES = (
    "artifactregistry.googleapis.com",
    "certificatemanager.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "dns.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
)

# Private ranges that GKE's own defaults do not use; proxies need a /26 at least, Google advises a /23.
NODES = "10.60.0.0/20"
PROXIES = "10.60.16.0/23"

# GKE gives a node the /24 that 110 pods need, so a /21 holds eight nodes: the system pool while it is
# upgraded, and a few slices (https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr).
SMALLEST_PODS_PREFIX = 21

# Logs and metrics of a node, and nothing else:
# https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster#use_least_privilege_sa
NODE_ROLES = ("roles/container.defaultNodeServiceAccount",)


def build(settings: Settings, target: FoundationTarget) -> None:
    """Declare the foundation and export what serving stacks need."""
    common.refuse(problems(settings, target))
    provider = common.provider(target.project, target.region)
    apis = Apis("apis", ApisArgs(services=SERVICES), pulumi.ResourceOptions(providers=[provider]))
    # All of it is protected, because serving stacks stand on it; an account that is made again under its
    # old name has none of its old rights.
    ready = pulumi.ResourceOptions(providers=[provider], depends_on=[apis], protect=target.protect)
    # What cannot be made again outlives the stack: hours of downloads, secrets that only their owners know.
    kept = pulumi.ResourceOptions(
        providers=[provider],
        depends_on=[apis],
        protect=target.protect,
        retain_on_delete=target.protect,
    )

    network = Network(
        "tpuserve",
        NetworkArgs(
            region=target.region,
            nodes=NODES,
            proxies=PROXIES,
            pods={pods_range(name): block for name, block in target.environments.items()},
        ),
        ready,
    )
    PrivateApis("private-apis", PrivateApisArgs(network=network.network), ready)

    node = _identity("node", "Nodes of all clusters", target, ready, NODE_ROLES)
    weights = _identity("weights", "Stages model weights", target, ready)
    servers = {
        name: _identity(f"server-{name}", f"Serves in stack {name}", target, ready)
        for name in target.environments
    }
    bucket = ArtifactBucket(
        "artifacts",
        ArtifactBucketArgs(
            bucket=f"{target.project}-tpuserve",
            location=target.region,
            readers={f"server-{name}": server.member for name, server in servers.items()},
            writers={"weights": weights.member},
            publishers={f"caches-{name}": server.member for name, server in servers.items()},
            published=container_layout.CACHE_ARCHIVES,
            kms_key=target.kms_key,
        ),
        kept,
    )
    mirror = ImageMirror(
        "tpuserve-images",
        ImageMirrorArgs(
            project=target.project,
            region=target.region,
            readers={"node": node.member},
            kms_key=target.kms_key,
        ),
        ready,
    )
    token = _secret("hugging-face-token", {"weights": weights.member}, target, kept)
    keys = {
        name: _secret(f"api-key-{name}", {"server": server.member}, target, kept)
        for name, server in servers.items()
    }
    Foundation(
        region=target.region,
        network=network.network,
        subnetwork=network.subnetwork,
        proxies=network.proxies,
        bucket=bucket.bucket,
        image_prefix=mirror.prefix,
        node_email=node.email,
        weights_email=weights.email,
        hugging_face_secret=token.secret_id,
        environments={
            name: Environment(
                server_email=servers[name].email, api_key_secret=keys[name].secret_id, pods=pods_range(name)
            )
            for name in target.environments
        },
    ).export()


def pods_range(environment: str) -> str:
    """Name of the secondary range of one environment's pods."""
    return f"pods-{environment}"


def _identity(
    name: str,
    purpose: str,
    target: FoundationTarget,
    opts: pulumi.ResourceOptions,
    project_roles: tuple[str, ...] = (),
) -> Identity:
    args = IdentityArgs(
        project=target.project, account_id=f"tpu-{name}", purpose=purpose, project_roles=project_roles
    )
    return Identity(name, args, opts)


def _secret(
    name: str,
    accessors: dict[str, pulumi.Output[str]],
    target: FoundationTarget,
    opts: pulumi.ResourceOptions,
) -> Secret:
    return Secret(
        name, SecretArgs(secret_id=f"tpuserve-{name}", region=target.region, accessors=accessors), opts
    )


def problems(settings: Settings, target: FoundationTarget) -> Iterator[str]:
    """What Google would refuse, or what a foundation would ignore, one sentence each."""
    yield from common.placeholders(target.project)
    for name in sorted(settings.model_fields_set - {"target"}):
        yield f"{name} is set, but a foundation runs no server; move it to a serving stack's file."
    blocks = {
        "the range of nodes": ipaddress.IPv4Network(NODES),
        "the range of proxies": ipaddress.IPv4Network(PROXIES),
    }
    for name, text in target.environments.items():
        key = f"target.environments.{name}"
        try:
            block = ipaddress.IPv4Network(text)
        except ValueError:
            yield (
                f"{key} is the text {text!r}; it must be a range of addresses such as 10.64.0.0/18; "
                "change it."
            )
            continue
        if not block.is_private or block.prefixlen > SMALLEST_PODS_PREFIX:
            yield (
                f"{key} is {block}; it must be private and a /{SMALLEST_PODS_PREFIX} or larger, "
                "a /24 for each node; change it."
            )
        blocks[key] = block
    for (one, first), (other, second) in itertools.combinations(blocks.items(), 2):
        if first.overlaps(second):
            yield f"{other} is {second}, which overlaps {one}, {first}; give each stack a range of its own."
