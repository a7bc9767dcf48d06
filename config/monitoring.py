"""Settings of a stack's monitoring: whom alerts notify, objectives, and a budget."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from config.strict_model import StrictModel
from serving.monitoring.slo import LOWEST_GOAL

HIGHEST_GOAL = 0.9999
"""Highest goal that Cloud Monitoring accepts (ServiceLevelObjective.goal in its API)."""

MOST_CHANNELS = 5
"""Most channels that a budget accepts (NotificationsRule of the Budget API)."""

_CHANNEL = re.compile(r"projects/[^/]+/notificationChannels/\d+")


def _channels(names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names. Raises ValueError, without an end mark, for one that no channel has."""
    for name in names:
        if not _CHANNEL.fullmatch(name):
            raise ValueError(
                f"{name!r} is not the name of a channel; write it as `gcloud beta monitoring channels list` "
                "prints it, as in projects/my-project/notificationChannels/1234567890"
            )
    return names


Channels = Annotated[tuple[str, ...], AfterValidator(_channels)]
"""Names of notification channels of Cloud Monitoring."""

Goal = Annotated[float, Field(ge=LOWEST_GOAL, le=HIGHEST_GOAL)]


class Budget(StrictModel):
    """A budget of one stack: everything in the billing account that has its label `stack`."""

    billing_account: str = Field(
        pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$",
        examples=["012345-6789AB-CDEF01"],
        description="Id of the billing account that pays for the project.",
    )
    monthly: int = Field(
        ge=1, description="Amount for a calendar month in whole units of the account's currency."
    )


class Monitoring(StrictModel):
    """Alerts, objectives and dashboard of a serving stack."""

    enabled: bool = Field(
        default=False,
        description="Create them in Cloud Monitoring, for which the account that runs `up` needs the roles "
        "in docs/operations.md; `make monitoring` writes them for other systems in any case.",
    )
    channels: Channels = Field(
        default=(),
        max_length=MOST_CHANNELS,
        strict=False,
        examples=[["projects/my-project/notificationChannels/1234567890"]],
        description="Names of the notification channels of the alerts; unset: only the console shows them.",
    )
    availability: Goal = Field(
        default=0.995, description="Share of the answers of 30 days that must be no server error."
    )
    first_token: Goal = Field(
        default=0.95,
        description="Share of the requests of 30 days whose first token must come within "
        "`acceptance.limits.time_to_first_token_ms`; not used without that limit.",
    )
    api_key_days: int | None = Field(
        default=90, ge=1, description="Days after which an alert asks for a new API key; null: never."
    )
    budget: Budget | None = Field(
        default=None, description="Notifies when a month's cost reaches it; unset: none."
    )
