"""Releases under load: one server at a time, none that is not accepted, and back to the old one."""

from pathlib import Path
from typing import Any

import pytest

from operate import __main__ as operate
from releases import __main__ as release_commands
from serving.deploy import container_layout
from serving.monitoring import prometheus_rules
from tests.cluster.commands import Server
from tests.cluster.prometheus import watching
from tests.cluster.rollouts import Checkout, pods, watched
from tests.unit.serving.monitoring import promtool


def releases() -> set[str]:
    """Returns the releases of the running servers."""
    return {pod["metadata"]["labels"]["tpuserve/release"] for pod in pods()}


# A flag on which no program depends, so that the new servers find their compile cache.
UNCACHED = {"engine": {"enable_prefix_caching": False}}


def test_a_release_replaces_two_servers_without_a_failed_request(server: Server, checkout: Checkout) -> None:
    checkout.change(replicas=2)
    checkout.up()
    before = releases()
    checkout.change(replicas=2, **UNCACHED)
    with watched(server) as (load, endpoints):
        checkout.up()
        after = releases()
    assert len(after) == 1 and not after & before
    assert load.failures == [] and load.complete > 0
    assert endpoints.looks > 0 and endpoints.least == 1, endpoints.least


BAD: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "image missing": (
        {"image": "tpuserve.local/nothing:1"},
        30,
        "tpuserve.local/nothing:1",
        "is missing: tpuserve.local/nothing:1",
    ),
    "engine ends": (
        {"engine": {"extra_environment": {"JAX_PLATFORMS": "abacus"}}},
        45,
        "Invalid value 'abacus' for JAX_PLATFORMS",
        "Invalid value 'abacus' for JAX_PLATFORMS",
    ),
    "wrong answer": (
        {"acceptance": {"prompts": [{"prompt": "Say hello.", "expect": ["no-model-says-this"]}]}},
        120,
        "is rejected by prompts: The answer to 'Say hello.' lacks 'no-model-says-this'",
        "was not accepted, so it gets no traffic: ",
    ),
}
"""Changes of the stack file, the seconds that `up` waits for them, and what `up` and `make why` say at the
end."""


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_release_is_named_and_leaves_one_old_server(
    server: Server, checkout: Checkout, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, seconds, named, cause = BAD[kind]
    before = releases()
    checkout.change(replicas=2, **changes)
    checkout.wait_for_rollouts(seconds)
    rules = prometheus_rules.rule_file(promtool.ALERTS)
    with watching(tmp_path, rules) as prometheus, watched(server, clients=2) as (load, endpoints):
        done = checkout.pulumi("up", "--yes", "--skip-preview")
        fired = prometheus.fired()
    checkout.wait_for_rollouts(None)
    operate.main(["why", "--stack", Checkout.STACK])
    assert cause in capsys.readouterr().out.splitlines()[-1]
    assert ("AcceptanceFailed" in fired) == (kind == "wrong answer"), fired
    assert done.code != 0 and named in done.text, done.text
    assert load.failures == [] and endpoints.least == 1, endpoints.least
    assert before & releases()


def test_the_old_values_recover(server: Server, checkout: Checkout) -> None:
    checkout.change(replicas=2, **UNCACHED)
    with watched(server, clients=2) as (load, endpoints):
        checkout.up()
    assert load.failures == [] and endpoints.least is not None and endpoints.least >= 1


def test_a_spare_slice_replaces_one_server_without_a_failed_request(
    server: Server, checkout: Checkout
) -> None:
    before = releases()
    checkout.change(replicas=1, rollout={"surge": 1})
    with watched(server) as (load, endpoints):
        checkout.up()
        after = releases()
    assert len(after) == 1 and not after & before
    assert load.failures == [] and endpoints.least == 1, endpoints.least


def argv() -> list[str]:
    """Returns the words of the running server's command."""
    [pod] = pods()
    [server] = [each for each in pod["spec"]["containers"] if each["name"] == container_layout.SERVER]
    return [*server["command"], *server.get("args", [])]


def promote(checkout: Checkout, *words: str) -> None:
    """Run `make promote` or `make rollback` of the local stack, and commit."""
    assert release_commands.main([*words, "--no-preview"], checkout.folder) == 0
    checkout.commit()


def test_a_promoted_release_stays_what_it_was_and_the_one_before_comes_back(
    server: Server, checkout: Checkout
) -> None:
    """The phase and a file of the agent change between acceptance and promotion."""
    [first], first_argv = releases(), argv()
    stack = ("--from", checkout.STACK, "--to", checkout.STACK)
    promote(checkout, "promote", *stack)

    checkout.change(replicas=1, rollout={"surge": 1}, **UNCACHED)
    checkout.up()
    [second], second_argv = releases(), argv()
    assert second != first and second_argv != first_argv
    edit(checkout.folder / "serving/engine/phases.py", '    "reasoning_parser": "gemma4",\n', "")
    edit(checkout.folder / "agent/server/guard.py", '"""\n\n', '"""\n\nEDITED = True\n\n')
    assert checkout.pulumi("preview", "--expect-no-changes").code != 0, "the edits change what is described"
    promote(checkout, "promote", *stack, "--release", second)
    promote(checkout, "rollback", "--stack", checkout.STACK)
    checkout.up()
    assert (releases(), argv()) == ({first}, first_argv)
    with server.client() as client:
        assert client.get("/ready").status_code == 200


def edit(file: Path, old: str, new: str) -> None:
    """Replace the first `old` in a file, which must have it."""
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
