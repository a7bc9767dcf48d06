"""A serving stack on GKE: cluster, TPU nodes, staged weights, the server, and its load balancer."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi.runtime
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s

from agent import weights_job
from components.gcp.gke_cluster import GkeCluster, GkeClusterArgs
from components.gcp.kubeconfig import kubeconfig
from components.gcp.system_pool import SystemPool, SystemPoolArgs
from components.gcp.workload_identity import WorkloadIdentity, WorkloadIdentityArgs
from components.kubernetes.pod_monitoring import Metrics, MetricsArgs
from components.kubernetes.secret_mount import SecretMount, SecretMountArgs
from components.kubernetes.weights_job import ACCOUNT, SCRIPT, Weights, WeightsJob, WeightsJobArgs
from config.checks import problems, refuse
from config.provisioning import node_wait_seconds
from config.settings import Settings
from config.targets import ExistingCluster, GkeTarget, NewCluster
from serving.deploy import container_layout
from stacks import outputs, workload
from stacks.gcp import common
from stacks.gcp.foundation_outputs import Foundation
from stacks.gke.load_balancer import load_balancer
from stacks.gke.pod_inputs import site
from stacks.gke.tpu_nodes import slices
from stacks.plan import plan


def build(settings: Settings, target: GkeTarget) -> None:
    """Declare the stack and its outputs."""
    refuse(problems(settings, placeholders=pulumi.runtime.is_dry_run()))
    assert settings.image is not None and settings.model_revision is not None
    resolved = plan(settings, settings.image, node_wait_seconds(target.capacity))
    stack = pulumi.get_stack()
    # The name is the stack's own: clusters of one project share their identities by namespace and account.
    namespace = f"tpuserve-{stack}"
    provider = common.provider(target.project, target.region)
    kept = pulumi.ResourceOptions(providers=[provider], protect=target.protect)
    shared = Foundation.read(target.foundation, stack, target.region)
    own = shared.environments[stack]

    cluster, nodes_ready = _cluster(target, shared, kept, provider)
    kube = k8s.Provider(
        "cluster",
        kubeconfig=kubeconfig(cluster),
        # Told, because the provider's own guess may call a changed kubeconfig another cluster, and replace
        # everything in it.
        cluster_identifier=cluster.id,
        opts=pulumi.ResourceOptions(depends_on=nodes_ready),
    )
    in_cluster = pulumi.ResourceOptions(providers=[kube])
    space = workload.namespace(namespace, kube)
    image = pulumi.Output.concat(shared.image_prefix, "/", settings.image)

    def identity(account: str, email: pulumi.Input[str]) -> WorkloadIdentity:
        args = WorkloadIdentityArgs(project=target.project, email=email, namespace=namespace, account=account)
        opts = pulumi.ResourceOptions(providers=[provider], depends_on=[cluster])
        return WorkloadIdentity(f"{account}-identity", args, opts)

    weights = Weights(
        repository=resolved.candidate.model.hf_repo,
        revision=settings.model_revision,
        model=resolved.candidate.model.name,
        bytes=resolved.candidate.model.weight_bytes,
        bucket=shared.bucket,
    )
    staged = WeightsJob(
        "weights",
        WeightsJobArgs(
            project=target.project,
            namespace=space.metadata.name,
            account_annotations=identity(ACCOUNT, shared.weights_email).annotations,
            image=image,
            image_name=settings.image,
            script=Path(weights_job.__path__[0], SCRIPT).read_text("utf-8"),
            weights=weights,
            token_secret=shared.hugging_face_secret if target.hugging_face_token else None,
        ),
        in_cluster,
    )
    nodes, selector = slices(settings, target, resolved, cluster, shared, kept, in_cluster)
    key = None
    if settings.authentication == "api-key":
        key = SecretMount(
            "api-key",
            SecretMountArgs(
                project=target.project,
                namespace=space.metadata.name,
                secret_id=own.api_key_secret,
                file=Path(container_layout.API_KEY_FILE).name,
            ),
            in_cluster,
        ).volume
    server = workload.workload(
        settings,
        resolved,
        site(
            weights=weights,
            image=image,
            node_selector=selector,
            api_key=key,
            proxies=shared.proxies if target.endpoint else None,
            fetches_media=bool(resolved.candidate.engine.allowed_media_domains),
            account_annotations=identity(container_layout.SERVER, own.server_email).annotations,
            after=[staged, nodes],
        ),
        space,
        kube,
    )
    pods = {"app.kubernetes.io/name": container_layout.SERVER}
    Metrics(container_layout.SERVER, MetricsArgs(namespace=space.metadata.name, labels=pods), in_cluster)
    endpoint: pulumi.Input[str] = server.endpoint
    if target.endpoint is not None:
        endpoint = load_balancer(target, target.endpoint, resolved, space, shared, server, provider, kube)
    outputs.export(resolved, endpoint, target.region, target.capacity, cache_outlives_pod=False)
    pulumi.export("cluster", cluster.id)
    pulumi.export("namespace", space.metadata.name)


def _cluster(
    target: GkeTarget, shared: Foundation, kept: pulumi.ResourceOptions, provider: gcp.Provider
) -> tuple[gcp.container.Cluster, list[pulumi.Resource]]:
    """The control plane, and what must be there before anything can run in it."""
    if isinstance(target.cluster, ExistingCluster):
        path = f"projects/{target.project}/locations/{target.cluster.location}/clusters/{target.cluster.name}"
        found = gcp.container.Cluster.get("cluster", path, opts=pulumi.ResourceOptions(provider=provider))
        return found, []
    wanted = target.cluster
    name = f"tpuserve-{pulumi.get_stack()}"
    made = GkeCluster("cluster", cluster_args(target, wanted, shared, name), kept)
    pool = SystemPool(
        "system",
        SystemPoolArgs(
            cluster=made.cluster.id,
            location=target.region,
            node_email=shared.node_email,
            labels=common.labels(),
        ),
        kept,
    )
    return made.cluster, [pool]


def cluster_args(target: GkeTarget, wanted: NewCluster, shared: Foundation, name: str) -> GkeClusterArgs:
    """A new cluster as the settings ask for it."""
    return GkeClusterArgs(
        project=target.project,
        cluster=name,
        region=target.region,
        network=shared.network,
        subnetwork=shared.subnetwork,
        pods=shared.environments[pulumi.get_stack()].pods,
        node_email=shared.node_email,
        release_channel=wanted.release_channel,
        window=(wanted.window.start, wanted.window.end, wanted.window.recurrence),
        exclusions=[
            {
                "exclusion_name": exclusion.name,
                "start_time": exclusion.start,
                "end_time": exclusion.end,
                "exclusion_options": {"scope": "NO_MINOR_OR_NODE_UPGRADES"},
            }
            for exclusion in wanted.exclusions
        ],
        deletion_protection=target.protect,
    )
