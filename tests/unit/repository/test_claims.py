"""docs/claims.md: every row is whole, and its computed numbers are what the code computes today."""

import re
from pathlib import Path

import pytest

from serving.compilation import proofs
from serving.compilation.candidate import Candidate
from serving.compilation.resolved_config import resolve
from serving.engine.phases import engine_for
from serving.findings import findings
from serving.hardware.accelerators import accelerator
from serving.memory import kv_cache
from serving.memory.budget import budget
from serving.memory.terms import Memory
from serving.messages.units import GIB, span
from serving.messages.unsupported_options import FOREIGN
from serving.models.catalog import model
from serving.startup import cold_start

REPOSITORY = Path(__file__).parents[3]
TEXT = (REPOSITORY / "docs" / "claims.md").read_text("utf-8")
V6E = accelerator("v6e-4")
SPEC = model("gemma-4-26b-a4b-it")


def claims() -> list[list[str]]:
    """The cells of every row of a table of claims."""
    rows: list[list[str]] = []
    inside = False
    for line in TEXT.splitlines():
        if line.startswith("| claim |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.parametrize("row", claims(), ids=lambda row: row[0][:60])
def test_a_claim_has_a_verdict_a_reason_and_evidence(row: list[str]) -> None:
    claim, verdict, why, evidence = row
    assert claim and evidence
    assert verdict in ("kept", "corrected", "refused")
    assert why.endswith(".") or (verdict == "kept" and why == "-")


def test_every_verdict_is_used_and_no_claim_stands_twice() -> None:
    rows = claims()
    assert {row[1] for row in rows} == {"kept", "corrected", "refused"}
    assert len({row[0] for row in rows}) == len(rows) >= 65


def test_paths_in_this_repository_exist() -> None:
    for path in set(re.findall(r"`((?:serving|tests|agent|components|stacks)/[\w/.]*)`", TEXT)):
        assert (REPOSITORY / path).exists(), path


def test_findings_that_are_cited_exist() -> None:
    folders = (REPOSITORY / "serving" / name for name in ("findings", "memory"))
    sources = "".join(file.read_text("utf-8") for folder in folders for file in folder.glob("*.py"))
    for codes in re.findall(r"findings? ((?:`[a-z-]+`(?:, )?)+)", TEXT):
        for code in re.findall(r"`([a-z-]+)`", codes):
            assert f'"{code}"' in sources, code
    assert {"xla_cache_dir", "tpu_bucket_alignment", "hf_token_file"} <= set(FOREIGN)


def computed() -> dict[str, str]:
    """The numbers that the claims quote, from the code."""

    def kv(phase: str, scenario: str | None, **overrides: object) -> Memory:
        return budget(Candidate(V6E, SPEC, engine_for(phase, scenario, overrides)))

    def programs(gap: int, ngram: bool) -> int:
        drafting = {"method": "ngram", "num_speculative_tokens": 3}
        overrides = {"bucket_padding_gap": gap, "speculative": drafting if ngram else None}
        return resolve(SPEC, engine_for("turbo-stable", None, overrides)).programs.total

    def boot(phase: str) -> cold_start.ColdStart:
        return cold_start.estimate(Candidate(V6E, SPEC, engine_for(phase, None, {})))

    def minutes(seconds: cold_start.Range) -> str:
        return span(seconds.low, seconds.high)

    def resident(phase: str, scenario: str | None = None) -> str:
        return f"holds {kv(phase, scenario).pool.resident_requests(2300)} requests of 2,300 tokens"

    def bytes_a_token(name: str, bits: int) -> int:
        return kv_cache.token_bytes(model(name), bits, 4) * 4

    def proven(phase: str, share: float) -> str:
        engine = engine_for(phase, None, {})
        proved = proofs.with_proof(Candidate(V6E, SPEC, engine))
        assert proved.proof is not None
        return f"{budget(proved.with_fields(gpu_memory_utilization=share)).left_bytes / GIB:.2f}"

    def fits(share: float) -> str:
        """A row of "Does it fit?"."""
        at = {"gpu_memory_utilization": share}
        bf16 = kv("peak", None, kv_cache_dtype=None, **at)
        text = kv("peak", None, kv_cache_dtype=None, limit_mm_per_prompt={"image": 0}, **at).left_bytes
        narrow = kv("peak", None, **at)
        drafting = {"speculative": {"method": "ngram", "num_speculative_tokens": 3}, **at}
        many, few = (
            kv("turbo-stable", None, **drafting, max_num_seqs=number).left_bytes for number in (256, 32)
        )
        return (
            f"| {share:.2f} | {bf16.pool.tokens:,}; {narrow.pool.tokens:,} | {bf16.free_bytes / GIB:.2f} "
            f"| {text / GIB:.1f} | {proven('peak', share)} | {proven('turbo-stable', share)} "
            f"| {many / GIB:.0f} | {few / GIB:.1f} |"
        )

    stable, tuned = boot("turbo-stable"), boot("tuned")
    drafts = kv("turbo-stable", None, speculative={"method": "ngram", "num_speculative_tokens": 3})
    free = kv("tuned", None, gpu_memory_utilization=0.9).free_bytes
    short = kv("tuned", "cost-constrained").pool.tokens
    most = kv("tuned", "most-tokens").pool.tokens
    return {
        **{f"fits {share:g}": fits(share) for share in (0.90, 0.92, 0.95)},
        "resident": f"keeps {kv('turbo-stable', None).pool.resident_requests(2300)} requests of 2,300 tokens",
        "drafting": f"{drafts.largest_bytes / GIB:.1f} GiB for 256 requests",
        "headroom": f"leaves {free / GIB:.2f} GiB on each chip",
        "left at 0.95": f"leaves {kv('peak', None).left_bytes / GIB:.1f} GiB",
        "bytes": f"{bytes_a_token(SPEC.name, 8):,} instead of {bytes_a_token(SPEC.name, 16):,}",
        "31B": f"{bytes_a_token('gemma-4-31b-it', 16) / 1024:.0f} KiB",
        "pools": f"{kv('tuned', None).pool.tokens:,} tokens before, {short:,} after",
        "8 bits": f"holds {most:,} tokens instead of {kv('tuned', None).pool.tokens:,}",
        "batch": f"{resident('tuned', 'batch')}.",
        "gaps": f"({programs(64, False):,}, {programs(128, False):,})",
        "512": f"{programs(512, False)} programs against {programs(0, False)}, with drafting "
        f"{programs(512, True)} against {programs(0, True)}",
        "cold": f"{minutes(stable.cold)} for turbo-stable, {minutes(tuned.cold)} for tuned",
        "warm": f"{minutes(stable.warm)} (turbo-stable) and {minutes(tuned.warm)} (tuned) computed",
    }


@pytest.mark.parametrize(("name", "quoted"), computed().items(), ids=lambda pair: pair)
def test_a_quoted_number_is_what_the_code_computes(name: str, quoted: str) -> None:
    assert quoted in TEXT, name


def test_the_recipe_as_written_is_stopped_by_the_findings() -> None:
    """The third phase's values without our deviations: errors, each of them a row above."""
    written = engine_for(
        "turbo-stable",
        None,
        {
            "speculative": {"method": "ngram", "num_speculative_tokens": 3},
            "disable_chunked_mm_input": None,
            "limit_mm_per_prompt": {"image": 4, "audio": 1, "video": 64},
        },
    )
    errors = {
        finding.code for finding in findings(Candidate(V6E, SPEC, written)) if finding.severity == "error"
    }
    assert errors == {"chunked-images", "video", "programs-do-not-fit"}
