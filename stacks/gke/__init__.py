"""Serving stack on GKE: cluster, TPU nodes, staged weights, server and load balancer."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi.runtime
import pulumi_gcp as gcp
import pulumi_kubernetes as k8s

from agent import weights_job
from components.gcp.gke_cluster import GkeCluster, GkeClusterArgs
from components.gcp.image_pull_grant import ImagePull
from components.gcp.kubeconfig import kubeconfig
from components.gcp.system_pool import SystemPool, SystemPoolArgs
from components.gcp.workload_identity import WorkloadIdentity, WorkloadIdentityArgs
from components.kubernetes.pod_monitoring import Metrics, MetricsArgs
from components.kubernetes.secret_mount import SecretMount, SecretMountArgs
from components.kubernetes.security_context import POD_USERS
from components.kubernetes.weights_job import ACCOUNT, Weights, WeightsJob, WeightsJobArgs
from config.checks import problems, refuse
from config.settings import Checkpoint, Settings
from config.targets import ExistingCluster, GkeTarget, NewCluster
from serving.deploy import container_layout
from serving.deploy.image_reference import image_reference
from serving.models.checkpoint import expectation
from stacks import outputs, workload
from stacks.gcp import common
from stacks.gcp.foundation_outputs import Foundation
from stacks.gcp.server_image import pull_grant, pull_name
from stacks.gke.kubernetes_version import exclusions, upgrades
from stacks.gke.load_balancer import load_balancer
from stacks.gke.monitoring import cluster_monitoring, cluster_name
from stacks.gke.pod_inputs import engine_egress, pod_inputs
from stacks.gke.tpu_nodes import tpu_nodes
from stacks.plan import plan


def build(settings: Settings, target: GkeTarget) -> None:
    """Declares the stack and its outputs. Raises ValueError for settings that could not work."""
    refuse(problems(settings, placeholders=pulumi.runtime.is_dry_run()))
    image_name = settings.image_name
    assert image_name is not None
    resolved = plan(settings, image_name)
    stack = pulumi.get_stack()
    # The name contains the stack, because Workload Identity cannot distinguish equal namespaces in two
    # clusters of one project.
    namespace_name = f"tpuserve-{stack}"
    provider = common.provider(target.project, target.region)
    protected = pulumi.ResourceOptions(providers=[provider], protect=target.protect)
    foundation = Foundation.read(target.foundation, stack, target.region)
    environment = foundation.environments[stack]

    cluster, system_pool = _cluster(target, foundation, protected, provider)
    access = kubeconfig(cluster)
    kube = k8s.Provider(
        "cluster",
        kubeconfig=access,
        # Explicit, because the provider may otherwise take a changed kubeconfig for a different cluster and
        # replace everything in it.
        cluster_identifier=cluster.id,
        opts=pulumi.ResourceOptions(depends_on=system_pool),
    )
    in_cluster = pulumi.ResourceOptions(providers=[kube])
    user = POD_USERS[target.run_as]
    namespace = workload.namespace(namespace_name, user, kube)
    image = pull_name(image_name, foundation)
    pull_grants = _pull_grants(image_name, target, foundation, provider)

    def identity(account: str, email: pulumi.Input[str]) -> WorkloadIdentity:
        args = WorkloadIdentityArgs(
            project=target.project, email=email, namespace=namespace_name, account=account
        )
        opts = pulumi.ResourceOptions(providers=[provider], depends_on=[cluster])
        return WorkloadIdentity(f"{account}-identity", args, opts)

    model, longest = resolved.candidate.model, resolved.candidate.engine.max_model_len
    assert model.revision is not None
    weights = Weights(
        repository=model.hf_repo,
        revision=model.revision,
        model=model.name,
        bytes=model.weight_bytes,
        bucket=foundation.bucket,
        expectation=expectation(model, longest) if isinstance(settings.model, Checkpoint) else None,
    )
    staged_weights = WeightsJob(
        "weights",
        WeightsJobArgs(
            project=target.project,
            namespace=namespace.metadata.name,
            account_annotations=identity(ACCOUNT, foundation.weights_email).annotations,
            image=image,
            script=weights_job.files(),
            weights=weights,
            token_secret=foundation.hugging_face_secret if target.hugging_face_token else None,
        ),
        pulumi.ResourceOptions(providers=[kube], depends_on=pull_grants),
    )
    nodes, selector = tpu_nodes(settings, target, resolved, cluster, foundation, protected, in_cluster)
    api_key = key_secret = None
    if settings.authentication == "api-key":
        key_secret = pulumi.Output.concat(f"projects/{target.project}/secrets/", environment.api_key_secret)
        api_key = SecretMount(
            "api-key",
            SecretMountArgs(
                project=target.project,
                namespace=namespace.metadata.name,
                secret_id=environment.api_key_secret,
                file=Path(container_layout.API_KEY_FILE).name,
            ),
            in_cluster,
        ).volume
    server = workload.workload(
        settings,
        resolved,
        pod_inputs(
            user=user,
            weights=weights,
            image=image,
            node_selector=selector,
            api_key=api_key,
            api_key_secret=key_secret,
            proxies=foundation.proxies if target.endpoint else None,
            egress=engine_egress(resolved.candidate.engine),
            account_annotations=identity(container_layout.SERVER, environment.server_email).annotations,
            after=[staged_weights, nodes, *pull_grants],
        ),
        namespace,
        kube,
    )
    server_labels = {"app.kubernetes.io/name": container_layout.SERVER}
    Metrics(
        container_layout.SERVER,
        MetricsArgs(namespace=namespace.metadata.name, labels=server_labels),
        in_cluster,
    )
    endpoint: pulumi.Input[str] = server.endpoint
    if target.endpoint is not None:
        endpoint = load_balancer(
            target, target.endpoint, resolved, namespace, foundation, server, provider, kube
        )
    # After the servers were accepted: before that, every first boot would be an outage.
    after = pulumi.ResourceOptions(providers=[provider], depends_on=[server])
    cluster_monitoring(settings, target, resolved, namespace_name, after)
    outputs.export(settings, resolved, endpoint)
    if isinstance(target.cluster, NewCluster):
        pulumi.export("upgrades", upgrades(target.cluster))
    pulumi.export("cluster", cluster.id)
    pulumi.export("namespace", namespace.metadata.name)
    # `make status`, `logs`, `ask` and `why` reach the cluster with it. It holds no credential.
    pulumi.export("kubeconfig", access)


def _pull_grants(
    image: str, target: GkeTarget, foundation: Foundation, provider: gcp.Provider
) -> list[pulumi.Resource]:
    """Declares the right of the foundation's account to pull from a repository that is not its mirror.

    The CPU nodes of an existing cluster have another account, which its owner grants (docs/operations.md).
    """
    if image_reference(image).repository is None:
        return []
    # The TPU nodes of all stacks have one account, so two stacks with images in one repository have one grant
    # in common. It stays when this stack goes, or the other stack could pull no more.
    opts = pulumi.ResourceOptions(providers=[provider], retain_on_delete=True)
    return [ImagePull("image", pull_grant(image, foundation, target.region, foundation.node_email), opts)]


def _cluster(
    target: GkeTarget, foundation: Foundation, protected: pulumi.ResourceOptions, provider: gcp.Provider
) -> tuple[gcp.container.Cluster, list[pulumi.Resource]]:
    """Returns the control plane, and the resources that must exist before pods can run in the cluster."""
    if isinstance(target.cluster, ExistingCluster):
        path = f"projects/{target.project}/locations/{target.cluster.location}/clusters/{target.cluster.name}"
        existing = gcp.container.Cluster.get("cluster", path, opts=pulumi.ResourceOptions(provider=provider))
        return existing, []
    name = cluster_name(target)
    cluster = GkeCluster("cluster", cluster_args(target, target.cluster, foundation, name), protected).cluster
    pool = SystemPool(
        "system",
        SystemPoolArgs(
            cluster=cluster.id,
            location=target.region,
            node_email=foundation.node_email,
            labels=common.labels(),
        ),
        protected,
    )
    return cluster, [pool]


def cluster_args(
    target: GkeTarget, settings: NewCluster, foundation: Foundation, name: str
) -> GkeClusterArgs:
    """Returns the arguments of a new cluster."""
    return GkeClusterArgs(
        project=target.project,
        cluster=name,
        region=target.region,
        network=foundation.network,
        subnetwork=foundation.subnetwork,
        pods_range_name=foundation.environments[pulumi.get_stack()].pods,
        node_email=foundation.node_email,
        release_channel=settings.release_channel,
        minor_version=settings.minor_version,
        window=(settings.window.start, settings.window.end, settings.window.recurrence),
        exclusions=exclusions(settings),
        deletion_protection=target.protect,
    )
