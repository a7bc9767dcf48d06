"""Ends of rollouts: the diagnosis's last line or the command that looks for it, and what is waited for."""

import subprocess
from typing import Any

import pulumi
import pytest

from operate import __main__ as command_line
from stacks import failed_rollout

UNKNOWN = "The servers did not get ready: `make why STACK=prod` looks for the cause."


class Done:
    """A finished command."""

    def __init__(self, printed: str = "", code: int = 0) -> None:
        self.stdout = printed
        self.returncode = code


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (
            "ok  pods\nfault  image\n\nThe image x does not exist: set image.\n",
            "The image x does not exist: set image.",
        ),
        ("", UNKNOWN),
    ],
)
def test_the_last_line_is_said(monkeypatch: pytest.MonkeyPatch, printed: str, said: str) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Done(printed))
    assert failed_rollout.sentence("prod") == said


@pytest.mark.parametrize("problem", [OSError("no python"), subprocess.TimeoutExpired("operate", 60)])
def test_a_diagnosis_that_hangs_or_does_not_start_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def run(*_: Any, **__: Any) -> Done:
        raise problem

    monkeypatch.setattr(subprocess, "run", run)
    assert failed_rollout.sentence("prod") == UNKNOWN
    assert not failed_rollout.is_unfinished("prod", 10)


def update(before: int, after: int) -> pulumi.ResourceHookArgs:
    """Returns the hook's arguments after an update of the number of servers."""
    inputs = [{"spec": {"replicas": replicas}} for replicas in (before, after)]
    return pulumi.ResourceHookArgs("urn", "id", "vllm", "type", old_inputs=inputs[0], new_inputs=inputs[1])


@pytest.mark.parametrize(("before", "code"), [(2, failed_rollout.UNFINISHED), (1, 0), (1, 1), (1, 2)])
def test_a_rollout_that_is_complete_or_cannot_be_seen_is_the_provider_s_to_judge(
    monkeypatch: pytest.MonkeyPatch, before: int, code: int
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Done("", code))
    failed_rollout.await_servers(update(before, 2), "prod", 10)


def test_a_rollout_that_does_not_end_fails_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: Done("1 of 2 servers serve: ...", failed_rollout.UNFINISHED)
    )
    with pytest.raises(RuntimeError, match="1 of 2 servers serve"):
        failed_rollout.await_servers(update(1, 2), "prod", 10)


def test_both_sides_of_the_exit_code_agree() -> None:
    assert failed_rollout.UNFINISHED == command_line.UNFINISHED
