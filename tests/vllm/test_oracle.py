"""serving/ against the wheels' own functions, on a thousand random configurations and every phase's argv.

One process of the model server's Python answers everything (tests/vllm/programs/oracle_server.py). A wheel of
another version fails here first: then read what changed before you change the numbers.
"""

import itertools
from typing import Any

import pytest
from pydantic import BaseModel

from config.chat_template import MOST_BYTES
from serving.compilation import buckets, resolved_config
from serving.engine import phases
from serving.engine.config import EngineConfig, parse
from serving.engine.flag_verdicts import EXTRA
from serving.engine.rendering import targets
from serving.engine.server_flags import server_flags
from serving.memory import kv_cache, program_buffers, weights
from serving.models.spec import Experts
from tests.unit.serving.engine.test_flags import example, with_needs
from tests.vllm import oracle

MODEL_PATH, PORT = "/models/m", 8000

SINGLE_FIELDS: tuple[dict[str, object], ...] = (
    {"enable_expert_parallel": True},
    {"kv_cache_dtype": "fp8_e5m2"},
    {"block_size": 64},
    {"num_gpu_blocks_override": 7000},
    {"async_scheduling": False},
    {"enable_prefix_caching": False},
    {"disable_chunked_mm_input": True},
    {"speculative": {"method": "ngram", "num_speculative_tokens": 3}},
    {"limit_mm_per_prompt": {"image": 4}},
    {"safetensors_load_strategy": "prefetch"},
    {"compilation_sizes": (640, 96)},
    {"compilation_sizes": (640,), "qwix_rules": ({"module_path": ".*", "weight_qtype": "float8_e4m3fn"},)},
    {"image_tokens": 560},
    {"image_tokens": 1120, "architecture_override": "Gemma4ForConditionalGeneration"},
    {"max_num_queued_reqs": 512},
    {"max_num_queued_tokens": 100_000},
    {"override_generation_config": {"temperature": 0.5, "top_k": 20, "top_p": 0.9, "max_new_tokens": 512}},
    {"default_chat_template_kwargs": {"enable_thinking": True}},
    {"max_logprobs": 50},
    {"otlp_traces_endpoint": "http://collector.observability.svc:4317"},
    *(with_needs(name, example(server_flags()[name])) for name in EXTRA),
    {"gpu_memory_utilization": 0.123456},
    # Texts that could be taken for a file's name, and one that is too long for one.
    {"chat_template": "{{ messages }}"},
    {"chat_template": "{{ messages }} $(HOME)\n"},
    {"chat_template": "{{ messages }}".ljust(MOST_BYTES)},
)
"""Fields that are each set separately on the smallest engine, so that each spelling is parsed separately."""

SMALLEST: dict[str, object] = {
    "tensor_parallel_size": 4,
    "gpu_memory_utilization": 0.9,
    "max_model_len": 16_384,
    "max_num_seqs": 256,
    "max_num_batched_tokens": 4096,
}


def engines() -> list[EngineConfig]:
    """Returns every phase under every scenario, and each single field."""
    scenarios = (None, *phases.SCENARIOS)
    named = [
        phases.engine_for(phase, scenario, {})
        for phase, scenario in itertools.product(phases.PHASES, scenarios)
    ]
    return named + [parse({**SMALLEST, **field}) for field in SINGLE_FIELDS]


@pytest.fixture(scope="module")
def asked() -> list[dict[str, Any]]:
    return oracle.cases()


@pytest.fixture(scope="module")
def answers(asked: list[dict[str, Any]]) -> dict[str, Any]:
    commands = [{"argv": list(engine.argv(MODEL_PATH, "m", PORT)[2:])} for engine in engines()]
    return oracle.ask(
        {
            "cases": asked,
            "commands": commands,
            "packages": list(oracle.PACKAGES),
            "warm_ups": oracle.warm_ups(),
        }
    )


def test_the_wheels_are_those_that_were_read(answers: dict[str, Any]) -> None:
    assert answers["versions"] == oracle.PACKAGES


def test_there_are_a_thousand_configurations(asked: list[dict[str, Any]]) -> None:
    assert len(asked) >= 1000
    assert len({str(case) for case in asked}) == len(asked)


def test_buckets(asked: list[dict[str, Any]], answers: dict[str, Any]) -> None:
    for case, answer in zip(asked, answers["answers"], strict=True):
        found = _buckets(case)
        expected = {name: tuple(sizes) for name, sizes in answer["buckets"].items()}
        assert vars(found) == expected, case


def test_page_sizes(asked: list[dict[str, Any]], answers: dict[str, Any]) -> None:
    for case, answer in zip(asked, answers["answers"], strict=True):
        length, seqs = case["max_model_len"], case["max_num_seqs"]
        assert answer["pages"] == {
            "page_size": resolved_config.page_size(length),
            "min_page_size": resolved_config.min_page_size(length, seqs),
        }, case


def test_layers_and_pages_of_the_kv_cache(asked: list[dict[str, Any]], answers: dict[str, Any]) -> None:
    served = 0
    for case, answer in zip(asked, answers["answers"], strict=True):
        cache = answer["cache"]
        chips, bits = case["chips"], case["kv_bits"]
        on_chip = [kv_cache.layer_bytes(heads, width, bits, chips) for heads, width in case["layers"]]
        pages = [size * case["block_size"] * chips for size in on_chip]
        assert pages == cache["layer_bytes"], case
        pool = kv_cache.Pool(
            kv_cache.page_count(cache["room"], sum(pages), case["override"]),
            sum(pages),
            case["block_size"],
            case["max_model_len"],
        )
        refused = cache["room"] <= 0 or not pool.serves_one
        assert refused == cache["refused"], case
        if not refused:
            served += 1
            assert (pool.pages, pool.tokens) == (cache["pages"], cache["tokens"]), case
            assert pool.concurrency == cache["concurrency"], case
    assert served > len(asked) / 4


def test_experts(asked: list[dict[str, Any]], answers: dict[str, Any]) -> None:
    processed = refused = 0
    for case, answer in zip(asked, answers["answers"], strict=True):
        bank = case["experts"]
        if bank is None:
            continue
        engine = parse(
            {
                **SMALLEST,
                "tensor_parallel_size": case["chips"],
                "enable_expert_parallel": bank["whole"],
                "moe_requantize_weight_dtype": "float8_e4m3fn" if bank["requantize"] else None,
                "moe_requantize_block_size": bank["block"],
            }
        )
        experts = Experts(count=bank["count"], per_token=2, intermediate=bank["intermediate"])
        if "refused" in answer["experts"]:
            refused += 1
            with pytest.raises(ValueError, match="does not divide"):
                weights.expert_bytes(experts, bank["hidden"], engine)
            continue
        processed += 1
        assert weights.expert_bytes(experts, bank["hidden"], engine) == answer["experts"]["bytes"], case
    assert processed > 200
    assert refused > 10


def test_programs_by_kind(asked: list[dict[str, Any]], answers: dict[str, Any]) -> None:
    counted = 0
    for case, answer in zip(asked, answers["answers"], strict=True):
        if answer["programs"] is None:
            continue
        counted += 1
        found = buckets.count(
            _buckets(case),
            multimodal=case["multimodal"],
            async_scheduling=case["async"],
            speculative=bool(case["drafts"]),
        )
        assert dict(found.by_kind) == answer["programs"], case
    assert counted >= len(asked) / oracle.COUNTED


def test_logits_that_the_boot_of_a_drafting_server_holds(answers: dict[str, Any]) -> None:
    """Real arrays of the library's own loops: the bytes on the first chip when its programs are called."""
    for case, answer in zip(oracle.warm_ups(), answers["warm_ups"], strict=True):
        found = program_buffers.warm_up_bytes(case["vocabulary"], _buckets(case), case["chips"])
        assert found == answer["bytes"], case


def test_argv_comes_back_from_the_real_parser(answers: dict[str, Any]) -> None:
    for engine, parsed in zip(engines(), answers["arguments"], strict=True):
        assert parsed["model_tag"] == MODEL_PATH
        assert parsed["served_model_name"] == ["m"]
        assert parsed["port"] == PORT
        for argument, value in _expected(engine).items():
            if isinstance(value, dict):
                # vLLM fills the object's other keys with its own defaults.
                assert value.items() <= parsed[argument].items(), (argument, engine)
            else:
                assert parsed[argument] == value, (argument, engine)


def _expected(engine: EngineConfig) -> dict[str, Any]:
    """Returns the engine's flags under the names of vLLM's parsed arguments."""
    values: dict[str, Any] = {}
    for target in targets(EngineConfig, "flag"):
        value: Any = getattr(engine, target.field)
        if value is None:
            continue
        if isinstance(value, BaseModel):
            value = value.model_dump(exclude_none=True)
        elif isinstance(value, tuple):
            value = [
                item.model_dump(exclude_none=True) if isinstance(item, BaseModel) else item for item in value
            ]
        for key in reversed(target.keys):
            value = [value] if key == 0 else {key: value}
        name = target.name.removeprefix("--").replace("-", "_")
        values[name] = value | values.get(name, {}) if target.keys else value
    return values | dict(engine.extra_flags)


def _buckets(case: dict[str, Any]) -> buckets.Buckets:
    drafts = case["drafts"]
    seqs = case["max_num_seqs"]
    return buckets.Buckets(
        tokens=buckets.token_buckets(
            case["max_num_batched_tokens"],
            case["gap"],
            smallest=buckets.smallest_bucket(case["min_token_bucket"], case["kv_bits"]),
            extra=case["extra"],
        ),
        requests=buckets.request_buckets(seqs),
        attention=buckets.attention_buckets(seqs, bucketized=case["bucketized"]),
        logits=buckets.logits_buckets(seqs, drafts) if drafts else (),
    )
