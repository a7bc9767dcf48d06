"""The field manager of Kubernetes objects: added to what they have, and to nothing else."""

from typing import Any

import pulumi
import pytest

from stacks import field_manager

DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def annotated(kind: str, metadata: dict[str, Any]) -> Any:
    """Returns the metadata of an object after the transformation; None when it is left as it is."""
    resource: Any = None
    args = pulumi.ResourceTransformationArgs(
        resource, kind, "x", {"metadata": metadata, "spec": 1}, pulumi.ResourceOptions()
    )
    result = field_manager.annotated(args)
    if result is None:
        return None
    assert result.props["spec"] == 1
    return result.props["metadata"]


@pytest.mark.parametrize(
    ("metadata", "annotations"),
    [
        ({"name": "vllm"}, {}),
        ({"name": "vllm", "annotations": {"tpuserve/accepted": "true"}}, {"tpuserve/accepted": "true"}),
    ],
)
def test_an_object_keeps_its_annotations(metadata: dict[str, Any], annotations: dict[str, str]) -> None:
    expected = {"annotations": {**annotations, field_manager.ANNOTATION: field_manager.NAME}}
    assert annotated(DEPLOYMENT, metadata) == {"name": "vllm", **expected}


def test_google_s_resources_stay_as_they_are() -> None:
    assert annotated("gcp:container/cluster:Cluster", {}) is None
