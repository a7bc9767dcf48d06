"""Doctor: a project that has everything, one row for each thing that it lacks, and what cannot be asked."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import stack_file
from doctor import rows as module
from doctor.__main__ import main
from doctor.case import Case
from doctor.google import Google, NoLogin
from doctor.rows import Row
from doctor.table import CHECKS
from tests.unit.doctor import world
from tests.unit.doctor.stand_in import Answers, Fails, stand_in
from tests.unit.doctor.world import GKE, good


def run(
    folder: Path, google: Google, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, list[Row]]:
    """Returns the exit code and the rows of a run on the stack staging."""
    code = main(["--stack", "staging", "--json", *words], folder, lambda project: google)
    return code, [Row(**row) for row in json.loads(capsys.readouterr().out)["rows"]]


TARGETS = {
    "gke": (GKE, {}),
    "reserved": (world.RESERVED, {}),
    "fallback": (world.FALLBACK, {}),
    "existing cluster": (world.EXISTING, {}),
    "held at a minor version": (world.HELD, {}),
    "tpu-vm": (world.TPU_VM, {}),
    "cloud-tpu": (world.CLOUD_TPU, {}),
    "foundation": (world.FOUNDATION, {}),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_complete_project_has_no_complaint(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, changes = TARGETS[name]
    world.stack(tmp_path, target, **changes)
    with stand_in(good()) as google:
        code, found = run(tmp_path, google, capsys)
    assert code == 0 and {row.state for row in found} == {"ok"}, found


def test_every_check_runs_on_some_complete_project(tmp_path: Path) -> None:
    ran: set[str] = set()
    for target, changes in TARGETS.values():
        world.stack(tmp_path, target, **changes)
        ran |= {row.check for row in module.rows(_case(tmp_path), offline=True)}
    assert ran == {check.name for check in CHECKS}


def _case(folder: Path) -> Case:
    settings = stack_file.read("staging", folder)
    assert settings.target.kind != "local"
    return Case(
        stack="staging",
        settings=settings,
        target=settings.target,
        folder=folder,
        today=date(2026, 12, 1),
        login="--offline is set",
    )


CASES: Mapping[str, list[dict[str, Any]]] = yaml.safe_load(
    Path(__file__).with_name("cases.yaml").read_text("utf-8")
)


def google_and_stack(case: Mapping[str, Any], folder: Path) -> Answers:
    """Writes the stack file of a case, and returns Google's answers."""
    world.stack(folder, getattr(world, case["target"]), **case.get("changes", {}))
    changed = {getattr(world, key): _answer(value) for key, value in case["answers"].items()}
    return {**good(), **changed}


def _answer(value: Any) -> Any:
    """Returns an answer; a mapping with only the name of a function of world.py calls it."""
    match list((value or {}).items()):
        case [("machines", found)]:
            return world.machines(*(world.machine(**each) for each in found))
        case [("granted" | "hyperdisk" | "reservation" as function, arguments)]:
            return getattr(world, function)(**arguments)
        case _:
            return value


@pytest.mark.parametrize("case", CASES["missing"], ids=lambda case: case["check"])
def test_one_sentence_for_each_thing_that_google_lacks(
    case: Mapping[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with stand_in(google_and_stack(case, tmp_path)) as google:
        code, found = run(tmp_path, google, capsys)
    complaints = [row for row in found if row.state == "missing"]
    assert code == 1 and complaints == [Row(case["check"], "missing", case["sentence"])]


@pytest.mark.parametrize("case", CASES["notes"], ids=lambda case: case["check"])
def test_what_matters_later_is_a_note_and_no_failure(
    case: Mapping[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with stand_in(google_and_stack(case, tmp_path)) as google:
        code, found = run(tmp_path, google, capsys)
    assert code == 0 and [row for row in found if row.state != "ok"] == [
        Row(case["check"], "note", case["sentence"])
    ]


REFUSALS = (
    (
        Fails(403, "Required 'compute.regions.get' permission for 'projects/a-project/regions/us-east5'."),
        "could not be read, because Google refuses it (Required 'compute.regions.get' permission for "
        "'projects/a-project/regions/us-east5'): ask the owner of a-project for a role that allows it.",
    ),
    (
        Fails(403, "Compute Engine API has not been used.\nEnable it.", "SERVICE_DISABLED"),
        "could not be read, because compute.googleapis.com is disabled: run `gcloud services enable "
        "compute.googleapis.com --project=a-project`.",
    ),
    (
        Fails(401, "Request had invalid authentication credentials."),
        "could not be read, because Google does not accept the login (Request had invalid authentication "
        "credentials): run `gcloud auth application-default login`.",
    ),
    (
        Fails(503, body=b"<html>busy</html>"),
        "could not be read, because compute answered 503: run the same command again.",
    ),
    (
        Fails(400, "Invalid value."),
        "could not be read, because compute answered 400 (Invalid value): run the same command again.",
    ),
    (
        None,
        "could not be read, because Google shows you no such resource in a-project: fix target.project, or "
        "ask its owner for a role.",
    ),
    (
        Fails(200, body=b'{"quotas": [{"metric": "HDB_TOTAL_GB", "limit": "many"}]}'),
        "could not be understood (ValueError: invalid literal for int() with base 10: 'many'): compare the "
        "answer with Google's documentation, and report this.",
    ),
)


@pytest.mark.parametrize(("answer", "sentence"), REFUSALS)
def test_what_google_refuses_is_that_rows_sentence(
    answer: object, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stack(tmp_path, GKE)
    with stand_in({**good(), world.REGION_OF: answer}) as google:
        code, found = run(tmp_path, google, capsys)
    assert code == 1
    assert [row for row in found if row.state != "ok"] == [
        Row("disks", "missing", f"The quota of Hyperdisk {sentence}")
    ]


def test_without_a_project_nothing_else_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack(tmp_path, GKE)
    with stand_in({world.PROJECT_OF: None, world.STATE: good()[world.STATE]}) as google:
        code, found = run(tmp_path, google, capsys)
    states = {row.check: row.state for row in found}
    assert code == 1 and states["state"] == "ok" and list(states.values()).count("missing") == 1
    assert (
        Row("disks", "not asked", "The quota of Hyperdisk could not be asked for: see the row project.")
        in found
    )


def test_a_quota_without_a_limit_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack(tmp_path, GKE)
    with stand_in({**good(), world.PREEMPTIBLE: world.granted(-1, region=world.REGION)}) as google:
        code, found = run(tmp_path, google, capsys)
    sentence = (
        "The stack needs 4 chips (1 of v6e-4) under PREEMPTIBLE-TPU-V6E-per-project-region in us-east5, "
        "which has no limit."
    )
    assert code == 0 and Row("preemptible chips", "ok", sentence) in found


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack(tmp_path, GKE)
    pins = tmp_path / "requirements" / "program.in"
    pins.unlink()
    assert main(["--stack", "staging", "--offline"], tmp_path) == 1
    assert capsys.readouterr().out.splitlines()[0] == (
        "missing    python             The Python packages could not be read ([Errno 2] No such file or "
        f"directory: '{pins}'): see that this machine lets you read it."
    )


def test_google_that_does_not_answer_is_said_row_by_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stack(tmp_path, GKE)
    with stand_in(good()) as google:
        pass
    code, found = run(tmp_path, google, capsys)
    sentence = (
        "could not be read, because compute gave no answer (ConnectionError): run the same command again."
    )
    assert code == 1 and f"The machine types of the zone {sentence}" in [row.sentence for row in found]


def test_offline_lists_what_could_not_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack(tmp_path, GKE)

    def no_login(_project: str) -> Google:
        raise AssertionError("--offline logs in nowhere")

    assert main(["--stack", "staging", "--offline"], tmp_path, no_login) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["ok"] * 6 + ["not asked"] * 14
    assert (
        lines[-1]
        == "not asked  certificate        The certificate could not be asked for: leave out --offline."
    )
    assert shown.err == "Nothing is missing for `pulumi up -s staging` in 20 checks. 14 could not be asked.\n"


def test_without_a_login_the_other_rows_are_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.stack(tmp_path, GKE)

    def no_login(_project: str) -> Google:
        raise NoLogin("this machine has no application default credentials: log in")

    assert main(["--stack", "staging", "--json"], tmp_path, no_login) == 1
    found = {row["check"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert found["login"]["state"] == "missing" and found["foundation"]["state"] == "ok"
    assert found["login"]["sentence"] == (
        "Google was not asked, because this machine has no application default credentials: log in."
    )
    assert found["disks"]["sentence"] == "The quota of Hyperdisk could not be asked for: see the row login."
    assert found["state"]["sentence"] == (
        "Pulumi's state is in gs://a-project-pulumi, and Google was not asked, because this machine has no "
        "application default credentials: log in."
    )
    assert sum(row["state"] == "not asked" for row in found.values()) == 12


MISTAKES = (
    (
        "nothing",
        GKE,
        {},
        "stack 'nothing' has no file Pulumi.nothing.yaml: there are staging; choose one of them.",
    ),
    (
        "staging",
        {**GKE, "project": "my-project"},
        {},
        "target.project is still the placeholder my-project, which `preview` takes and `up` does not; set "
        "target.project to the id of your project.",
    ),
    (
        "staging",
        {"kind": "local"},
        {},
        "stack 'staging' runs on a cluster that you have, and `make up` checks this machine itself: name a "
        "stack on Google Cloud, such as make doctor STACK=staging.",
    ),
    (
        "staging",
        {**world.FOUNDATION, "environments": {"staging": "10.64.0.0/24"}},
        {},
        "target.environments.staging is 10.64.0.0/24; it must be private and a /21 or larger, a /24 for each "
        "node; change it.",
    ),
    ("staging", GKE, {"engine": {"max_model_len": 4194304}}, "max_model_len"),
)


@pytest.mark.parametrize(("stack", "target", "changes", "sentence"), MISTAKES)
def test_a_mistake_in_the_stack_file_ends_with_2(
    stack: str,
    target: dict[str, Any],
    changes: dict[str, Any],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.stack(tmp_path, target, **changes)
    assert main(["--stack", stack, "--offline"], tmp_path) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and sentence in shown.err and "Traceback" not in shown.err
