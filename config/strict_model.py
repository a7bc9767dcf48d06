"""What every part of the configuration has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration: immutable, without unknown names, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
