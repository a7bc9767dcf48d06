"""The table of alerts: each fires in its situation and is quiet in the others, on Prometheus' own engine."""

import pytest
import yaml

from serving.monitoring import alerts, prometheus_rules, slo
from serving.monitoring.scope import Scope
from serving.monitoring.thresholds import FIRST_TOKEN_BUCKETS, Thresholds, first_token_bucket
from tests.unit.serving.monitoring import promtool


def test_every_alert_has_a_situation_and_every_expectation_an_alert() -> None:
    fired = {name for row in promtool.situations() for name in row["fires"]}
    assert fired == {alert.name for alert in promtool.ALERTS}
    assert [row for row in promtool.situations() if not row["fires"]], "no situation is quiet"


def test_the_situations_are_text_and_not_numbers() -> None:
    """YAML reads 0x20 as 32, and so as another series."""
    values = [value for row in promtool.situations() for value in row["series"].values()]
    assert values and {type(value) for value in values} == {str}


def names(**changed: object) -> set[str]:
    limits = Thresholds(**{**vars(promtool.LIMITS), **changed})  # pyright: ignore[reportArgumentType]
    return {alert.name for alert in alerts.alerts(limits, promtool.PODS)}


@pytest.mark.parametrize(
    ("changed", "gone"),
    [
        ({"first_token_seconds": None}, {"FirstTokenSlow"}),
        ({"has_archive": False}, {"CompileCacheMissed"}),
        ({"key_days": None}, {"ApiKeyOld"}),
    ],
)
def test_an_alert_without_a_limit_is_left_out(changed: dict[str, object], gone: set[str]) -> None:
    assert names() - names(**changed) == gone


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(350, 0.5), (250, 0.25), (250.1, 0.5), (1, 0.001), (0.2, 0.001), (2_560_000, 2560)],
)
def test_a_limit_is_read_at_the_end_of_its_bucket(milliseconds: float, seconds: float) -> None:
    assert first_token_bucket(milliseconds) == seconds
    assert seconds in FIRST_TOKEN_BUCKETS


def test_a_limit_above_the_last_bucket_is_refused() -> None:
    with pytest.raises(ValueError) as refusal:
        first_token_bucket(2_560_001)
    assert str(refusal.value) == (
        "acceptance.limits.time_to_first_token_ms is 2,560,001, and the last bucket of vLLM's histogram ends "
        "at 2,560 s, so no alert could see a slower request; set at most 2,560,000, or remove the limit."
    )


def test_the_rule_file_has_every_alert_with_its_reason_and_runbook() -> None:
    (group,) = yaml.safe_load(prometheus_rules.rule_file(promtool.ALERTS))["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [alert.name for alert in promtool.ALERTS]
    for rule, alert in zip(group["rules"], promtool.ALERTS, strict=True):
        assert rule["for"] == f"{alert.for_seconds}s" and rule["labels"] == {"severity": alert.severity}
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{alert.name.lower()}"
        assert alert.why.endswith(".") and alert.why[0].isupper()


def test_a_burn_rate_can_be_reached_with_every_goal_that_is_allowed() -> None:
    """A share of bad requests is at most 1."""
    for objective in slo.objectives(slo.LOWEST_GOAL, slo.LOWEST_GOAL, 0.5):
        assert all(burn.rate * (1 - objective.goal) < 1 for burn in slo.BURNS)


def test_without_a_limit_of_the_first_token_there_is_only_availability() -> None:
    assert [objective.kind for objective in slo.objectives(0.99, 0.95, None)] == ["availability"]


def test_a_label_that_is_matched_by_a_pattern() -> None:
    scope = Scope({"namespace": "n"}, "pod")
    assert scope.select("up", result="~a|b", state="c") == 'up{namespace="n",result=~"a|b",state="c"}'
    assert Scope({}, "pod").select("up") == "up"
