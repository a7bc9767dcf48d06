"""Doctor's rows about this machine: programs, packages, Pulumi's state, and the foundation in it."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from config import stack_file
from doctor.case import Case
from doctor.checks import capacity, endpoint, programs, state
from doctor.outcome import Outcome, missing, not_asked, note, ok
from tests.unit.doctor import world

Change = Callable[[Path, pytest.MonkeyPatch], object]
"""Change of the machine; the folder is the one with the program `bin`."""


def case(folder: Path, target: Mapping[str, object], today: date = date(2026, 12, 1)) -> Case:
    """Returns the case of a stack, without a login."""
    world.stack(folder, target)
    settings = stack_file.read("staging", folder)
    assert settings.target.kind != "local"
    return Case(
        stack="staging",
        settings=settings,
        target=settings.target,
        folder=folder,
        today=today,
        login="nobody logged in",
    )


def without(*names: str) -> Change:
    """Returns the change that removes programs."""
    return lambda folder, _: [(folder / "bin" / name).unlink() for name in names]


def outputs(content: object) -> Change:
    """Returns the change that gives the foundation other outputs, or Pulumi's error."""
    return lambda folder, _: world.programs(folder / "bin", content)


def backend(url: str | None) -> Change:
    """Returns the change that puts Pulumi's state elsewhere."""
    if url is None:
        return lambda _, monkeypatch: monkeypatch.delenv("PULUMI_BACKEND_URL")
    return lambda _, monkeypatch: monkeypatch.setenv("PULUMI_BACKEND_URL", url)


def old_pulumi(folder: Path, _: pytest.MonkeyPatch) -> None:
    """Installs a Pulumi CLI that is too old."""
    world.programs(folder / "bin", version="3.100.0")


Row = tuple[Callable[[Case], Outcome], Mapping[str, object], Change, Outcome]

ROWS: tuple[Row, ...] = (
    (
        programs.pulumi,
        world.GKE,
        without("pulumi"),
        missing(
            "Pulumi 3.272.0 or newer, with pulumi-language-python beside it, is not on PATH: install it "
            "(https://www.pulumi.com/docs/install/), or run `make preview`, which builds it."
        ),
    ),
    (
        programs.pulumi,
        world.GKE,
        old_pulumi,
        missing(
            "Pulumi 3.272.0 or newer, with pulumi-language-python beside it, is not on PATH: install it "
            "(https://www.pulumi.com/docs/install/), or run `make preview`, which builds it."
        ),
    ),
    (
        programs.gke_login,
        world.GKE,
        without("gke-gcloud-auth-plugin"),
        missing(
            "The stack's kubeconfig logs in with gke-gcloud-auth-plugin, which is not on PATH: run `gcloud "
            "components install gke-gcloud-auth-plugin`."
        ),
    ),
    (
        programs.gcloud,
        world.TPU_VM,
        without("gcloud"),
        note(
            "`pulumi up` needs no gcloud, but gcloud adds the versions of secrets, opens the only way to the "
            "server, and reads logs: install the Google Cloud CLI."
        ),
    ),
    (
        programs.gcloud,
        world.GKE,
        without("gcloud"),
        note(
            "`pulumi up` needs no gcloud, but gcloud adds the versions of secrets and reads logs: install "
            "the Google Cloud CLI."
        ),
    ),
    (
        programs.kubectl,
        world.GKE,
        without("kubectl"),
        note(
            "`pulumi up` needs no kubectl, but `make load-test` and the runbooks use it: run `gcloud "
            "components install kubectl`."
        ),
    ),
    (
        state.backend,
        world.GKE,
        backend(None),
        missing(
            "Nothing says where Pulumi's state is: export PULUMI_BACKEND_URL=gs://BUCKET "
            "(docs/operations.md, step 2)."
        ),
    ),
    (
        state.backend,
        world.GKE,
        backend("file:///srv/state"),
        note(
            "PULUMI_BACKEND_URL is a folder of this machine, and nobody else can deploy from there: use a "
            "bucket (docs/operations.md, step 2)."
        ),
    ),
    (
        state.backend,
        world.GKE,
        backend("s3://states?region=eu-west-1"),
        ok("Pulumi's state is at s3://states, by PULUMI_BACKEND_URL."),
    ),
    (
        state.foundation,
        world.GKE,
        backend(None),
        not_asked("The outputs of foundation are in Pulumi's state: see the row state."),
    ),
    (
        state.foundation,
        world.GKE,
        without("pulumi"),
        not_asked("The outputs of foundation are in Pulumi's state: see the row pulumi."),
    ),
    (
        state.foundation,
        world.GKE,
        outputs("error: no stack named foundation found"),
        missing(
            "The stack reads the outputs of stack foundation, and Pulumi has none (no stack named "
            "foundation found): run `pulumi up -s foundation`, or fix target.foundation or "
            "PULUMI_BACKEND_URL."
        ),
    ),
    (
        state.foundation,
        world.GKE,
        outputs({}),
        missing("Stack foundation has no outputs: run `pulumi up -s foundation`."),
    ),
    (
        state.foundation,
        world.GKE,
        outputs({"region": "europe-west4", "environments": {"staging": {}}}),
        missing(
            "target.zone is in us-east5, and the foundation of stack foundation is in europe-west4: choose a "
            "zone in europe-west4, or another project with its own foundation."
        ),
    ),
    (
        state.foundation,
        world.GKE,
        outputs({"region": "us-east5", "environments": {"prod": {}}}),
        missing(
            "Stack foundation has no environment staging: add it to target.environments in "
            "Pulumi.foundation.yaml, and run `pulumi up -s foundation`."
        ),
    ),
)


@pytest.mark.parametrize(("check", "target", "change", "outcome"), ROWS)
def test_one_sentence_for_each_thing_that_this_machine_lacks(
    check: Callable[[Case], Outcome],
    target: Mapping[str, object],
    change: Change,
    outcome: Outcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subject = case(tmp_path, target)
    change(tmp_path, monkeypatch)
    assert check(subject) == outcome


def test_packages_are_the_pinned_ones(tmp_path: Path) -> None:
    subject = case(tmp_path, world.GKE)
    assert programs.python_packages(subject).state == "ok"
    (tmp_path / "requirements" / "program.in").write_text("pyyaml==99.1\nnot-there==1.0\n", "utf-8")
    outcome = programs.python_packages(subject)
    assert outcome.state == "missing"
    assert ", not 99.1; not-there is not installed, not 1.0: run `.venv/bin/pip install" in outcome.sentence


def test_a_built_pulumi_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = case(tmp_path, world.GKE)
    built = world.programs(tmp_path / "cache" / "toolchain" / "pulumi")
    monkeypatch.setattr("tools.toolchain.golang.folder", lambda family: built)
    (tmp_path / "bin" / "pulumi").unlink()
    outcome = programs.pulumi(subject)
    assert outcome.state == "note"
    assert outcome.sentence.endswith(f"not on PATH: run `export PATH={built}:$PATH` before `pulumi up`.")


def test_a_list_of_zones_grows_old(tmp_path: Path) -> None:
    assert capacity.zone_list(case(tmp_path, world.GKE, date(2027, 5, 31))).state == "ok"
    assert capacity.zone_list(case(tmp_path, world.GKE, date(2027, 6, 1))) == note(
        "The warnings about zones come from https://cloud.google.com/tpu/docs/types-zones, read in 2026-11, "
        "7 months ago: read it again into serving/hardware/zones.py."
    )


def test_pulumi_that_hangs_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = case(tmp_path, world.GKE)
    script = '#!/bin/sh\ncase "$1" in version) echo v3.999.0;; *) exec /bin/sleep 60;; esac\n'
    (tmp_path / "bin" / "pulumi").write_text(script, "utf-8")
    monkeypatch.setattr(state, "SECONDS", 0.5)
    assert state.foundation(subject) == missing(
        "Pulumi gave no outputs of foundation (TimeoutExpired): run the same command again."
    )


def test_a_name_that_does_not_resolve_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert endpoint.addresses("nothing.invalid") == ()
    assert endpoint.addresses("localhost") == ("127.0.0.1",)
