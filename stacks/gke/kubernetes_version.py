"""Kubernetes version of a new cluster: what GKE may upgrade, and when."""

from pulumi_gcp.container import ClusterMaintenancePolicyMaintenanceExclusionArgsDict

from config.targets import STAY, NewCluster

LONG_AGO = "2026-01-01T00:00:00Z"
"""Start of that exclusion. Any time in the past does; a fixed one keeps the plan free of changes."""


def exclusions(settings: NewCluster) -> list[ClusterMaintenancePolicyMaintenanceExclusionArgsDict]:
    """Returns the maintenance exclusions of the cluster, with one that holds its minor version.

    NO_MINOR_UPGRADES lets only patches through, to control plane and nodes. UNTIL_END_OF_SUPPORT ends with
    the support of the cluster's current version (MaintenanceExclusionOptions in
    https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters).
    """
    times: list[ClusterMaintenancePolicyMaintenanceExclusionArgsDict] = [
        {
            "exclusion_name": exclusion.name,
            "start_time": exclusion.start,
            "end_time": exclusion.end,
            "exclusion_options": {"scope": "NO_MINOR_OR_NODE_UPGRADES"},
        }
        for exclusion in settings.exclusions
    ]
    if settings.minor_version is not None:
        times.append(
            {
                "exclusion_name": STAY,
                "start_time": LONG_AGO,
                "exclusion_options": {
                    "scope": "NO_MINOR_UPGRADES",
                    "end_time_behavior": "UNTIL_END_OF_SUPPORT",
                },
            }
        )
    return times


def upgrades(settings: NewCluster) -> str:
    """Returns the line of the preview on the versions that GKE installs by itself."""
    when = f"in the window {settings.window.recurrence}"
    if settings.minor_version is None:
        return f"GKE upgrades Kubernetes to what its channel {settings.release_channel} has, {when}"
    return (
        f"Kubernetes {settings.minor_version} until the end of its support: before, GKE installs only its "
        f"patches, {when}"
    )
