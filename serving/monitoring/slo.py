"""Service level objectives: the share of good requests that a stack promises, and its burn-rate alerts.

The windows and factors are those of "Alerting on SLOs" in The Site Reliability Workbook
(https://sre.google/workbook/alerting-on-slos/), for a period of 30 days: a burn rate of 14.4 spends 2 % of
the period's error budget in an hour, one of 6 spends 5 % in six hours. The short window ends an alert soon
after its cause has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serving.monitoring.alerts import Alert, Severity
from serving.monitoring.scope import Scope

PERIOD_DAYS = 30
"""Rolling period of every objective. Google allows 1 to 30."""


@dataclass(frozen=True)
class Burn:
    """Pair of windows in which the error budget is spent `rate` times faster than the period allows."""

    rate: float
    long_seconds: int
    short_seconds: int
    severity: Severity


LOWEST_GOAL = 0.94
"""Lowest goal of an objective: with 0.93 a burn rate of 14.4 would need more bad requests than there are."""

BURNS = (Burn(14.4, 3600, 300, "critical"), Burn(6, 21600, 1800, "warning"))


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Share of all requests that must be good over PERIOD_DAYS.

    `availability`: the answer has a status below 500. `latency`: the first token comes within
    `first_token_seconds`, the upper end of a bucket. Requests that reach no server are in neither: the alert
    NoReadyServer is about them.
    """

    kind: Literal["availability", "latency"]
    goal: float
    first_token_seconds: float | None = None

    @property
    def title(self) -> str:
        """Returns the objective in words."""
        if self.first_token_seconds is None:
            return f"{self.goal:.4g} of the answers are no server errors"
        return f"{self.goal:.4g} of the first tokens come within {self.first_token_seconds:g} s"

    @property
    def alert(self) -> str:
        """Returns the name of its burn-rate alerts, which have one runbook."""
        return "AvailabilityBudgetBurns" if self.kind == "availability" else "LatencyBudgetBurns"

    def bad_share(self, scope: Scope, seconds: int) -> str:
        """Returns the PromQL expression of the share of bad requests in the last `seconds`."""
        if self.first_token_seconds is None:
            bad = scope.select("http_requests_total", handler="~/v1/.*", status="5xx")
            every = scope.select("http_requests_total", handler="~/v1/.*")
            # Without a failed answer there is no series of them, and zero stands in.
            return f"(sum(rate({bad}[{seconds // 60}m])) or vector(0)) / sum(rate({every}[{seconds // 60}m]))"
        # Collectors write a whole number as 1 or as 1.0.
        end = f"{self.first_token_seconds:g}".replace(".", r"\\.")
        good = scope.select("vllm:time_to_first_token_seconds_bucket", le=rf"~{end}(\\.0)?")
        every = scope.select("vllm:time_to_first_token_seconds_count")
        return f"1 - sum(rate({good}[{seconds // 60}m])) / sum(rate({every}[{seconds // 60}m]))"


def objectives(
    availability: float, latency: float, first_token_seconds: float | None
) -> tuple[Objective, ...]:
    """Returns the objectives of a stack; without a limit for the first token there is none of latency."""
    promised = [Objective(kind="availability", goal=availability)]
    if first_token_seconds is not None:
        promised.append(Objective(kind="latency", goal=latency, first_token_seconds=first_token_seconds))
    return tuple(promised)


def burn_alerts(promised: Sequence[Objective], scope: Scope) -> tuple[Alert, ...]:
    """Returns the burn-rate alerts, one for each objective and pair of windows."""
    return tuple(
        Alert(
            name=objective.alert,
            query=" and ".join(
                f"({objective.bad_share(scope, seconds)}) > {burn.rate * (1 - objective.goal):.6g}"
                for seconds in (burn.long_seconds, burn.short_seconds)
            ),
            for_seconds=0,
            severity=burn.severity,
            why=burn_sentence(objective, burn),
        )
        for objective in promised
        for burn in BURNS
    )


def burn_sentence(objective: Objective, burn: Burn) -> str:
    """Returns what a burn-rate alert means, as one sentence."""
    days = PERIOD_DAYS / burn.rate
    return (
        f"The objective is that {objective.title}, and at this rate its error budget of {PERIOD_DAYS} days "
        f"is spent in {days:.2g} days."
    )
