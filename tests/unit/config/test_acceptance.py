"""Acceptance settings that the sidecar could not honor are refused with one sentence."""

from typing import Any

import pytest

from config.acceptance import acceptance_problems
from config.settings import Settings
from serving.engine.phases import engine_for

ENGINE = engine_for("tuned", None, {"max_model_len": 4096, "max_num_seqs": 8})
PROMPTS = [{"prompt": "What is the capital of France?", "expect": ["Paris"]}]


def problems(**acceptance: Any) -> list[str]:
    settings = Settings.parse({"target": {"kind": "local"}, "acceptance": acceptance})
    return list(acceptance_problems(settings.acceptance, ENGINE))


REFUSED = (
    (
        {"prompts": PROMPTS, "off": ["prompts"]},
        "acceptance.prompts is set, and acceptance.off has prompts, which reads it; remove one of them.",
    ),
    (
        {"limits": {"time_to_first_token_ms": 500}, "off": ["ladder"]},
        "acceptance.limits is set, and acceptance.off has ladder, which reads it; remove one of them.",
    ),
    (
        {"tolerance": 0.1, "off": ["ladder"]},
        "acceptance.tolerance is set, and acceptance.off has ladder, which reads it; remove one of them.",
    ),
    (
        {"ladder": {"concurrency": [2]}, "off": ["ladder"]},
        "acceptance.ladder is set, and acceptance.off has ladder, which reads it; remove one of them.",
    ),
    (
        {"ladder": {"concurrency": [1, 16]}},
        "acceptance.ladder.concurrency has 16, and the engine takes 8 requests at once; leave out larger "
        "numbers, or raise engine.max_num_seqs.",
    ),
    (
        {"ladder": {"prompt_tokens": 2049}},
        "acceptance.ladder.prompt_tokens is 2,049, and engine.max_model_len 4,096 leaves room for 2,048; set "
        "at most that.",
    ),
    (
        {"ladder": {"output_tokens": 1025}},
        "acceptance.ladder.output_tokens is 1,025, and engine.max_model_len 4,096 leaves room for 1,024; set "
        "at most that.",
    ),
)


@pytest.mark.parametrize(("acceptance", "sentence"), REFUSED)
def test_what_cannot_be_checked_is_one_sentence(acceptance: dict[str, Any], sentence: str) -> None:
    assert problems(**acceptance) == [sentence]


MISTAKES = (
    ({"off": ["latency"]}, "acceptance.off"),
    ({"prompts": [{"prompt": "Hello"}]}, "acceptance.prompts"),
    ({"prompts": [{"prompt": "Hello", "expect": []}]}, "acceptance.prompts"),
    ({"limits": {"time_to_first_token_ms": 0}}, "acceptance.limits.time_to_first_token_ms"),
    ({"ladder": {"concurrency": []}}, "acceptance.ladder.concurrency"),
    ({"tolerance": -0.1}, "acceptance.tolerance"),
)


@pytest.mark.parametrize(("acceptance", "key"), MISTAKES)
def test_a_mistake_is_one_sentence_about_its_key(acceptance: dict[str, Any], key: str) -> None:
    with pytest.raises(ValueError, match="^" + key.replace(".", r"\.")) as refused:
        problems(**acceptance)
    assert "\n" not in str(refused.value)


def test_the_defaults_suit_every_engine() -> None:
    assert problems() == []
    assert problems(prompts=PROMPTS, limits={"time_between_tokens_ms": 20.5}) == []
