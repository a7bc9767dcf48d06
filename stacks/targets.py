"""Where a stack runs: one model a kind of target, told apart by `kind`.

A field of another kind is refused, not ignored: what a target cannot use is a mistake in the stack file.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the configuration: immutable, without unknown names, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LocalTarget(Section):
    """A cluster that exists: the one that `make up` starts, or yours."""

    kind: Literal["local"]
    kubeconfig: str | None = Field(
        default=None, min_length=1, description="Path of a kubeconfig; unset: the cluster of `make up`."
    )
    context: str = Field(
        default="tpuserve-local",
        min_length=1,
        description="Context in that kubeconfig; never the current one.",
    )


Target = LocalTarget
