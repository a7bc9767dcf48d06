"""Field manager of all Kubernetes objects: one name that does not change.

With server-side apply, Pulumi's provider invents a manager's name for each object and keeps it in the state.
An `up` that is killed while it creates an object loses that name. The next `up` finds the object and applies
it under another name, and the first release that changes one of its fields fails: both managers own it.
"""

from collections.abc import Mapping
from typing import Any, cast

import pulumi

ANNOTATION = "pulumi.com/patchFieldManager"
"""Names the manager, of any object (fieldManagerName in the provider's pkg/provider/provider.go)."""
NAME = "tpuserve"


def use_one() -> None:
    """Gives all Kubernetes objects that the program declares after this call the same field manager."""
    pulumi.runtime.register_stack_transformation(annotated)


def annotated(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """Returns the object with the annotation; None for what is not Kubernetes'."""
    if not args.type_.startswith("kubernetes:"):
        return None
    metadata = cast(Mapping[str, Any], args.props["metadata"])
    annotations = {**metadata.get("annotations", {}), ANNOTATION: NAME}
    props = {**args.props, "metadata": {**metadata, "annotations": annotations}}
    return pulumi.ResourceTransformationResult(props, args.opts)
