"""Foundation stack: network, bucket, secrets and identities of one project, in one region.

It outlives the serving stacks. A project has one foundation, because the names of buckets, networks,
accounts, secrets and DNS zones contain no region, so a second one could not create them.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator

import pulumi
import pulumi.runtime

from components.gcp.artifact_bucket import ArtifactBucket, ArtifactBucketArgs
from components.gcp.image_mirror import ImageMirror, ImageMirrorArgs
from components.gcp.network import Network, NetworkArgs
from components.gcp.private_google_access import PrivateApis, PrivateApisArgs
from components.gcp.project_services import Apis, ApisArgs
from components.gcp.secret import Secret, SecretArgs
from components.gcp.service_account import Identity, IdentityArgs
from config.checks import project_problems, refuse
from config.settings import Settings
from config.targets import FoundationTarget, artifact_bucket
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

NETWORK = "tpuserve"
"""Name of the project's VPC."""

# Private ranges that GKE's defaults do not use. A proxy-only subnet needs at least a /26; Google recommends
# a /23 (https://cloud.google.com/load-balancing/docs/proxy-only-subnets).
NODES = "10.60.0.0/20"
PROXIES = "10.60.16.0/23"

SMALLEST_PODS_PREFIX = 21
"""Longest prefix of a range for pods. GKE gives each node a /24, which 110 pods need, so a /21 is enough for
eight nodes: the system pool during its upgrade, and a few slices
(https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr)."""

NODE_ROLES = ("roles/container.defaultNodeServiceAccount",)
"""Roles of a node's account: logs and metrics only
(https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster#use_least_privilege_sa)."""


def build(settings: Settings, target: FoundationTarget) -> None:
    """Declares the foundation and exports its outputs for the serving stacks."""
    refuse(problems(settings, target))
    provider = common.provider(target.project, target.region)
    apis = Apis("apis", ApisArgs(services=SERVICES), pulumi.ResourceOptions(providers=[provider]))
    # Everything is protected, because serving stacks depend on it. For example, an account that is created
    # again with the same name has none of its old roles.
    protected = pulumi.ResourceOptions(providers=[provider], depends_on=[apis], protect=target.protect)
    # Data also survives the stack: weights take hours to download, and only their owners know the secrets.
    retained = pulumi.ResourceOptions(
        providers=[provider],
        depends_on=[apis],
        protect=target.protect,
        retain_on_delete=target.protect,
    )

    network = Network(
        NETWORK,
        NetworkArgs(
            region=target.region,
            nodes=NODES,
            proxies=PROXIES,
            pods={pods_range(name): block for name, block in target.environments.items()},
        ),
        protected,
    )
    PrivateApis("private-apis", PrivateApisArgs(network=network.network), protected)

    node = _identity("node", "Nodes of all clusters", target, protected, NODE_ROLES)
    weights = _identity("weights", "Stages model weights", target, protected)
    servers = {
        name: _identity(f"server-{name}", f"Serves in stack {name}", target, protected)
        for name in target.environments
    }
    bucket = ArtifactBucket(
        "artifacts",
        ArtifactBucketArgs(
            bucket=artifact_bucket(target.project),
            location=target.region,
            readers={f"server-{name}": server.member for name, server in servers.items()},
            writers={"weights": weights.member},
            publishers={f"caches-{name}": server.member for name, server in servers.items()},
            published=container_layout.PUBLISHED,
            kms_key=target.kms_key,
        ),
        retained,
    )
    mirror = ImageMirror(
        "tpuserve-images",
        ImageMirrorArgs(
            project=target.project,
            region=target.region,
            readers={"node": node.member},
            kms_key=target.kms_key,
        ),
        protected,
    )
    token = _secret("hugging-face-token", {"weights": weights.member}, {}, target, retained)
    keys = {
        # The sidecar reports the age of its server's key.
        name: _secret(
            f"api-key-{name}", {"server": server.member}, {"server": server.member}, target, retained
        )
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
    """Returns the name of the secondary range of one environment's pods."""
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
    viewers: dict[str, pulumi.Output[str]],
    target: FoundationTarget,
    opts: pulumi.ResourceOptions,
) -> Secret:
    return Secret(
        name,
        SecretArgs(secret_id=f"tpuserve-{name}", region=target.region, accessors=accessors, viewers=viewers),
        opts,
    )


def problems(settings: Settings, target: FoundationTarget) -> Iterator[str]:
    """Yields one sentence for each setting that Google would refuse or a foundation would ignore."""
    yield from project_problems(target.project, placeholders=pulumi.runtime.is_dry_run())
    for name in sorted(settings.model_fields_set - {"target"}):
        yield f"{name} is set, but a foundation runs no server; move it to a serving stack's file."
    blocks = {
        "the nodes' range": ipaddress.IPv4Network(NODES),
        "the proxies' range": ipaddress.IPv4Network(PROXIES),
    }
    for name, text in target.environments.items():
        key = f"target.environments.{name}"
        try:
            block = ipaddress.IPv4Network(text)
        except ValueError:
            yield f"{key} is {text!r}; it must be a CIDR block such as 10.64.0.0/18; change it."
            continue
        if not block.is_private or block.prefixlen > SMALLEST_PODS_PREFIX:
            yield (
                f"{key} is {block}; it must be private and a /{SMALLEST_PODS_PREFIX} or larger, "
                "a /24 for each node; change it."
            )
        blocks[key] = block
    for (name, block), (other_name, other) in itertools.combinations(blocks.items(), 2):
        if block.overlaps(other):
            yield f"{other_name} is {other}, which overlaps {name}, {block}; give each stack its own range."
