"""The base of every model of the configuration."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A part of the configuration: immutable, without unknown names, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
