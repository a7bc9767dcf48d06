"""Settings of the monitoring: what no target could honor is refused, and what is left out is a finding."""

from typing import Any

import pytest

from config.checks import problems
from config.monitoring_limits import monitoring_findings, monitoring_problems, stack_objectives, thresholds
from config.selection import from_settings
from config.settings import Settings
from serving.memory.budget import budget
from serving.monitoring.thresholds import Thresholds

CHANNEL = "projects/acme-llm/notificationChannels/1"
BUDGET = {"billing_account": "012345-6789AB-CDEF01", "monthly": 5000}
GKE = {"kind": "gke", "project": "acme-llm", "zone": "us-east5-b", "capacity": {"kind": "on-demand"}}
TPU_VM = {**GKE, "kind": "tpu-vm"}
LOCAL = {"kind": "local"}
FOUNDATION = {
    "kind": "foundation",
    "project": "acme-llm",
    "region": "us-east5",
    "environments": {"prod": "tpuserve-prod"},
}


def parsed(target: dict[str, Any], monitoring: dict[str, Any], **changes: Any) -> Settings:
    return Settings.parse({"target": target, "monitoring": monitoring, **changes})


NOT_LOCAL = (
    "is set, and target.kind is local, where neither Cloud Monitoring nor Secret Manager is; remove it: "
    "`make monitoring` writes alerts and a dashboard for your own Prometheus."
)
UNUSED = (
    "is set and monitoring.enabled is false, so nothing would use it; set monitoring.enabled to true, or "
    "remove it."
)
REFUSED = [
    (LOCAL, {"enabled": True}, f"monitoring.enabled {NOT_LOCAL}"),
    (LOCAL, {"channels": [CHANNEL]}, f"monitoring.channels {NOT_LOCAL}"),
    (LOCAL, {"api_key_days": 30}, f"monitoring.api_key_days {NOT_LOCAL}"),
    (LOCAL, {"budget": BUDGET}, f"monitoring.budget {NOT_LOCAL}"),
    (GKE, {"channels": [CHANNEL]}, f"monitoring.channels {UNUSED}"),
    (GKE, {"budget": BUDGET}, f"monitoring.budget {UNUSED}"),
    (TPU_VM, {"budget": BUDGET, "enabled": False}, f"monitoring.budget {UNUSED}"),
    (
        FOUNDATION,
        {"enabled": True},
        "monitoring.enabled is set, and target.kind is foundation, which serves nothing; set it in the files "
        "of the stacks that serve.",
    ),
]


def test_there_is_no_age_of_a_key_without_keys() -> None:
    without = parsed(GKE, {"api_key_days": 30}, authentication="none")
    assert list(monitoring_problems(without)) == [
        "monitoring.api_key_days is set and authentication is none, so there is no key that could be too "
        "old; remove it."
    ]
    assert not list(monitoring_problems(parsed(GKE, {"api_key_days": None}, authentication="none")))


@pytest.mark.parametrize(("target", "monitoring", "sentence"), REFUSED)
def test_what_the_target_cannot_honor_is_one_sentence(
    target: dict[str, Any], monitoring: dict[str, Any], sentence: str
) -> None:
    settings = parsed(target, monitoring)
    assert list(monitoring_problems(settings)) == [sentence]
    assert sentence in problems(settings, placeholders=True)


MISTAKES = [
    (
        {"enable": True},
        "monitoring.enable is not a name here; the nearest is enabled; correct or remove it.",
    ),
    (
        {"channels": ["mail"]},
        "monitoring.channels: 'mail' is not the name of a channel; write it as `gcloud beta monitoring "
        "channels list` prints it, as in projects/my-project/notificationChannels/1234567890.",
    ),
    (
        {"channels": [CHANNEL] * 6},
        "monitoring.channels has 6 entries; it must have at most 5; remove the others.",
    ),
    ({"availability": 1.0}, "monitoring.availability is 1; it must be at most 0.9999; lower it."),
    ({"availability": 0.93}, "monitoring.availability is 0.93; it must be at least 0.94; raise it."),
    ({"first_token": 95}, "monitoring.first_token is 95; it must be at most 0.9999; lower it."),
    ({"api_key_days": 0}, "monitoring.api_key_days is 0; it must be at least 1; raise it."),
    (
        {"budget": {"billing_account": "my-account", "monthly": 1}},
        "monitoring.budget.billing_account is the text 'my-account'; it must look like 012345-6789AB-CDEF01; "
        "change it.",
    ),
    (
        {"budget": {**BUDGET, "monthly": 0}},
        "monitoring.budget.monthly is 0; it must be at least 1; raise it.",
    ),
    (
        {"budget": {"monthly": 1}},
        "monitoring.budget.billing_account is not set and has no default; set it.",
    ),
]


@pytest.mark.parametrize(("monitoring", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence(monitoring: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        parsed(GKE, monitoring)
    assert str(refused.value) == sentence


def test_without_the_key_nothing_is_refused_and_nothing_is_found() -> None:
    between = {"limits": {"time_to_first_token_ms": 350}}
    for target in (GKE, TPU_VM, LOCAL, FOUNDATION):
        settings = Settings.parse({"target": target, "acceptance": between})
        assert not settings.monitoring.enabled
        assert list(monitoring_problems(settings)) == []
        assert monitoring_findings(settings) == ()


NO_CHANNEL = (
    "monitoring.channels is empty: only the console shows that an alert fires; set monitoring.channels to "
    "names that `gcloud beta monitoring channels list` prints."
)
OTHER_BUCKET = (
    "acceptance.limits.time_to_first_token_ms is 350: vLLM's histogram has no bucket that ends there, so "
    "alert and objective read 500 ms; set acceptance.limits.time_to_first_token_ms to 500 if both must check "
    "the same limit."
)


@pytest.mark.parametrize(
    ("target", "channels", "milliseconds", "sentences"),
    [
        (GKE, [CHANNEL], None, []),
        (GKE, [CHANNEL], 500, []),
        (GKE, [], None, [NO_CHANNEL]),
        (GKE, [CHANNEL], 350, [OTHER_BUCKET]),
        (TPU_VM, [CHANNEL], 350, [OTHER_BUCKET]),
        (TPU_VM, [], None, [NO_CHANNEL]),
    ],
)
def test_what_is_left_out_is_a_finding(
    target: dict[str, Any], channels: list[str], milliseconds: int | None, sentences: list[str]
) -> None:
    limits = {"limits": {"time_to_first_token_ms": milliseconds}}
    settings = parsed(target, {"enabled": True, "channels": channels}, acceptance=limits)
    findings = monitoring_findings(settings)
    assert [str(finding) for finding in findings] == sentences
    selected = from_settings("mine", settings).findings
    assert all(finding in selected for finding in findings)


def limits_of(**changes: Any) -> Thresholds:
    settings = Settings.parse({"target": GKE, **changes})
    selection = from_settings("mine", settings)
    return thresholds(settings, selection.proved.engine, budget(selection.proved), selection.lifecycle)


def test_the_limits_follow_from_the_stack() -> None:
    usual = limits_of()
    assert (usual.servers, usual.first_token_seconds, usual.key_days) == (1, None, 90)
    assert usual.free_hbm_bytes > 0 and not usual.has_archive
    changed = limits_of(replicas=3, engine={"max_num_seqs": 8}, monitoring={"api_key_days": None})
    assert (changed.servers, changed.requests_at_once, changed.key_days) == (3, 8, None)
    assert limits_of(authentication="none").key_days is None
    assert limits_of(acceptance={"limits": {"time_to_first_token_ms": 350}}).first_token_seconds == 0.5


def test_the_objectives_follow_from_the_stack() -> None:
    limits = {"limits": {"time_to_first_token_ms": 350}}
    settings = parsed(GKE, {"availability": 0.99, "first_token": 0.96}, acceptance=limits)
    found = [(each.kind, each.goal, each.first_token_seconds) for each in stack_objectives(settings)]
    assert found == [("availability", 0.99, None), ("latency", 0.96, 0.5)]
