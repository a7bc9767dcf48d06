"""Findings as a whole: every rule is reachable, codes are unique, and no valid engine makes them raise."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import serving
from serving.compilation.candidate import Candidate
from serving.engine.phases import PHASES, SCENARIOS, engine_for
from serving.findings import findings
from serving.hardware.accelerators import ACCELERATORS, accelerator
from serving.messages.finding import SEVERITIES
from serving.models.catalog import MODELS, model
from tests.unit.serving.combinations import TABLE
from tests.unit.serving.findings import test_advice


def codes_in_the_source() -> set[str]:
    """The code of every finding that a rule constructs, read from the rules' source."""
    codes: set[str] = set()
    for file in Path(serving.__path__[0], "findings").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) > 1:
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                code = node.args[1]
                if name in ("finding", "Finding") and isinstance(code, ast.Constant):
                    codes.add(str(code.value))
    return codes


def test_every_rule_has_a_case_in_the_table_of_bad_engines() -> None:
    tested = {case["code"] for case in TABLE}
    # test_advice.py has the others: some need a proof, and v6e hosts have hundreds of GB of memory.
    unusual = {code for _, code in test_advice.unusual()}
    assert codes_in_the_source() - tested == unusual - {"host-memory-too-small"}
    assert len(codes_in_the_source()) > 40


def test_a_host_with_less_memory_than_the_weights_defeats_prefetch() -> None:
    import dataclasses

    small = dataclasses.replace(accelerator("v6e-4"), host_memory_bytes=32 * 10**9)
    found = findings(Candidate(small, model("gemma-4-26b-a4b-it"), engine_for("turbo-stable", None, {})))
    assert [str(finding) for finding in found if finding.code == "prefetch-without-memory"] == [
        "engine.safetensors_load_strategy is prefetch: the page cache would have to hold 51.6 GB on a host "
        "with 30 GiB; write `safetensors_load_strategy: null` under tpuserve:engine."
    ]


# The recipe's seven pitfalls, each as somebody would write it down, and the code that answers.
PITFALLS = [
    ({"gpu_memory_utilization": 0.98}, "programs-do-not-fit"),
    ({"bucket_padding_gap": 64}, "padding-gap"),
    ({"extra_environment": {"JAX_ENABLE_COMPILATION_CACHE": "0"}}, "switch-jax-enable-compilation-cache"),
    ({"block_size": 16, "max_num_seqs": 256}, "block-table"),
    ({"speculative": {"method": "ngram", "num_speculative_tokens": 3}}, "async-with-ngram"),
    ({"limit_mm_per_prompt": None}, "media-unlimited"),
    ({"cache_min_compile_seconds": None}, "small-programs-uncached"),
]


@pytest.mark.parametrize(("overrides", "code"), PITFALLS)
def test_the_recipes_seven_pitfalls_are_seen(overrides: dict[str, object], code: str) -> None:
    found = findings(
        Candidate(accelerator("v6e-4"), model("gemma-4-26b-a4b-it"), engine_for("tuned", None, overrides))
    )
    assert code in {finding.code for finding in found}


def test_expert_parallel_is_refused_only_where_it_does_not_compile() -> None:
    small = {"enable_expert_parallel": True, "max_num_batched_tokens": 512}
    for name, overrides, refused in (
        ("v6e-4", {"enable_expert_parallel": True}, True),
        ("v6e-4", small, False),
        ("local-v6e-4", {"enable_expert_parallel": True}, False),
    ):
        found = findings(
            Candidate(accelerator(name), model("gemma-4-26b-a4b-it"), engine_for("tuned", None, overrides))
        )
        assert ("expert-parallel-lowering" in {finding.code for finding in found}) == refused, (
            name,
            overrides,
        )
    assert accelerator("v6e-8").expert_parallel_tokens == 512


@given(
    st.sampled_from(sorted(ACCELERATORS)),
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(sorted(PHASES)),
    st.sampled_from([None, *sorted(SCENARIOS)]),
    st.fixed_dictionaries(
        {},
        optional={
            "tensor_parallel_size": st.integers(1, 16),
            "gpu_memory_utilization": st.floats(0.01, 1),
            "max_model_len": st.integers(1, 262_144),
            "max_num_seqs": st.integers(1, 4096),
            "max_num_batched_tokens": st.integers(1, 65_536),
            "block_size": st.integers(1, 1024),
            "bucket_padding_gap": st.integers(0, 65_536).filter(lambda gap: gap == 0 or gap >= 64),
            "min_token_bucket": st.integers(1, 65_536),
            "num_gpu_blocks_override": st.integers(1, 10**6),
            "moe_requantize_weight_dtype": st.sampled_from(["int8", "float8_e4m3fn"]),
            "enable_expert_parallel": st.booleans(),
            "speculative": st.just({"method": "ngram", "num_speculative_tokens": 3}),
            "limit_mm_per_prompt": st.none() | st.fixed_dictionaries({"image": st.integers(0, 4)}),
            "vision_programs": st.none(),
        },
    ),
)
def test_findings_never_raise_and_read_as_sentences(
    slice_: str, spec: str, phase: str, scenario: str | None, overrides: dict[str, object]
) -> None:
    engine = engine_for(phase, scenario, overrides)
    found = findings(Candidate(accelerator(slice_), model(spec), engine))
    ranks = [SEVERITIES.index(finding.severity) for finding in found]
    assert ranks == sorted(ranks)
    assert len({finding.code for finding in found}) == len(found) or any(
        finding.code.startswith("switch-") for finding in found
    )
    for finding in found:
        text = str(finding)
        assert text.endswith(".") and ".." not in text and "\n" not in text
        assert (
            finding.asked
            and finding.truth
            and finding.change
            and finding.field.startswith(("engine", "accelerator"))
        )
