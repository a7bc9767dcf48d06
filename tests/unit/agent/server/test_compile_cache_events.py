"""The counters without JAX; that JAX's and vLLM's own names are right is shown by the running server."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.compile_cache import warm_up_counts
from agent.server import compile_cache_events
from agent.server.compile_cache_events import COUNTS, DURATIONS, CacheEvents

HIT = "/jax/compilation_cache/cache_hits"
MISS = "/jax/compilation_cache/cache_misses"
REQUEST = "/jax/compilation_cache/compile_requests_use_cache"
COMPILE = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def events(tmp_path: Path) -> CacheEvents:
    return CacheEvents(tmp_path / "events.json")


def test_counts_and_seconds_are_summed_and_other_events_ignored(events: CacheEvents) -> None:
    for event in (REQUEST, HIT, REQUEST, MISS, "/jax/other"):
        events.count(event, fun_name="f")
    events.measure(COMPILE, 1.5)
    events.measure(COMPILE, 0.25, fun_name="f")
    events.measure("/jax/other", 9)
    now = events.snapshot()
    assert now["slow_after_warm_up"] == []
    assert (now["requests"], now["hits"], now["misses"], now["compile_seconds"]) == (2, 1, 1, 1.75)
    assert now["warm_up"] is None and now["compiled_after_warm_up"] == 0


def test_every_number_is_in_the_file_and_the_file_is_whole(events: CacheEvents, tmp_path: Path) -> None:
    events.count(MISS)
    events.write()
    shown = json.loads((tmp_path / "events.json").read_text())
    assert {*COUNTS.values(), *DURATIONS.values(), "pid", "started", "warm_up"} < {*shown}
    assert [file.name for file in tmp_path.iterdir()] == ["events.json"]


def records(lines: list[str]) -> list[dict[str, float]]:
    """Returns the counts in the lines of a log that have them."""
    return [json.loads(line.partition("compile cache: ")[2]) for line in lines if "compile cache: " in line]


def test_what_compiles_after_the_warm_up_is_counted_apart(
    events: CacheEvents, caplog: pytest.LogCaptureFixture
) -> None:
    for event in (REQUEST, MISS, REQUEST, HIT):
        events.count(event)
    log = logging.getLogger("test.engine")
    compile_cache_events.watch_warm_up(events, log)
    with caplog.at_level("INFO"):
        log.info("something else")
        assert events.snapshot()["warm_up"] is None
        log.info("init engine (profile, create kv cache, warmup model) took %.2f s", 12.5)
    (counts,) = records(caplog.messages)
    assert (counts["hits"], counts["misses"], counts["requests"]) == (1, 1, 2)
    assert "took 12.50 s" in caplog.text
    events.count(REQUEST)
    events.measure(COMPILE, 0.4, fun_name="jit_scatter")
    events.measure(COMPILE, 2.5, fun_name="jit_step")
    now = events.snapshot()
    assert (now["warm_up"]["requests"], now["compiled_after_warm_up"]) == (2, 1)
    assert now["slow_after_warm_up"] == [{"name": "jit_step", "seconds": 2.5}]
    assert now["slow_programs"] == 1


LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@pytest.fixture
def printed() -> Iterator[io.StringIO]:
    """Yields the lines of vLLM's log, set up as vLLM does it, and restores the logger after the test."""
    vllm = logging.getLogger("vllm")
    level, handlers, propagate = vllm.level, vllm.handlers.copy(), vllm.propagate
    yield io.StringIO()
    vllm.setLevel(level)
    vllm.handlers, vllm.propagate = handlers, propagate


@pytest.mark.parametrize("level", LEVELS)
def test_the_line_is_there_at_any_level_and_no_other_line_is_added(
    events: CacheEvents, printed: io.StringIO, level: str
) -> None:
    # The plugin comes first, as in vLLM's own process; another inherits it and sets up its log again.
    engine = logging.getLogger(f"vllm.test.{level}")
    compile_cache_events.watch_warm_up(events, engine)
    handler = {"class": "logging.StreamHandler", "stream": printed, "level": level, "formatter": "f"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"f": {"format": "%(levelname)s %(message)s"}},
            "handlers": {"h": handler},
            "loggers": {"vllm": {"handlers": ["h"], "level": level, "propagate": False}},
        }
    )
    events.count(MISS)
    for name in LEVELS:
        engine.log(getattr(logging, name), "one line")
    engine.info("init engine (profile, create kv cache, warmup model) took %.2f s", 12.5)
    lines = printed.getvalue().splitlines()
    expected = [f"{name} one line" for name in LEVELS[LEVELS.index(level) :]]
    assert [line for line in lines if line.endswith("one line")] == expected
    assert any("init engine" in line for line in lines) == (level in ("DEBUG", "INFO"))
    (record,) = records(lines)
    assert (record["hits"], record["misses"]) == (0, 1)


def test_the_file_has_the_counts_when_the_warm_up_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    assert warm_up_counts.misses(warm_up_counts.of_file(file)) is None
    events = CacheEvents(file)
    events.count("/jax/compilation_cache/cache_misses")
    events.write()
    assert warm_up_counts.misses(warm_up_counts.of_file(file)) is None
    events.end_warm_up()
    events.count("/jax/compilation_cache/cache_misses")
    events.write()
    assert warm_up_counts.misses(warm_up_counts.of_file(file)) == 1


def test_a_disk_that_takes_nothing_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    CacheEvents(tmp_path / "absent" / "events.json").write()
    assert "cannot write" in caplog.text


def test_nothing_is_registered_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compile_cache_events.FILE_VARIABLE, raising=False)
    before = logging.getLogger("vllm.v1.engine.core").filters.copy()
    compile_cache_events.register()
    assert logging.getLogger("vllm.v1.engine.core").filters == before
