"""Prod under the real CLI: two servers, no secret anywhere, and nothing deleted by one command."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from config import stack_file
from config.promotion import DECIDED
from releases import __main__ as releases
from releases.stack_file import KEY as RELEASE
from tests.pulumi.conftest import Cloud
from tests.pulumi.deployment import Deployment
from tests.unit.releases.object_store import object_store
from tests.unit.releases.stacks import Memory, planned

STACK = "prod"
SPACE = "tpuserve-prod"
TOKEN = "hf_canaryCanaryCanaryCanaryCanary0451"
KEY = "canary-9c1b7f2ae0d84f6b"


@pytest.fixture(scope="module")
def prod(cloud: Cloud) -> Iterator[Deployment]:
    """Yields the stack, up, under the policies, with secrets set as in docs/operations.md and every log
    enabled."""
    with cloud.stack(STACK, {}) as deployment:
        promote(deployment)
        deployment.console.add_version("tpuserve-hugging-face-token", TOKEN)
        deployment.console.add_version(f"tpuserve-api-key-{STACK}", KEY)
        kept = dict(deployment.variables)
        deployment.variables |= {
            # Users who have just set the secret have it in their shell.
            "HF_TOKEN": TOKEN,
            "TPUSERVE_API_KEY": KEY,
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_DEBUG_GRPC": str(deployment.folder / "grpc.json"),
        }
        log = ("--logtostderr", "-v=9", "--event-log", str(deployment.folder / "events.json"))
        (deployment.folder / "up.log").write_text(deployment.good("up", "--yes", *cloud.pack, *log), "utf-8")
        del deployment.variables["PULUMI_DEBUG_GRPC"]
        without_environment(deployment.folder / "grpc.json")
        yield deployment
        deployment.variables.clear()
        deployment.variables.update(kept)


def promote(deployment: Deployment) -> None:
    """Promotes to prod what its own file describes, as after its first server was accepted."""
    folder = deployment.folder / "program"
    bucket = Memory(name="inventory-project-tpuserve")
    bucket.accept(planned(folder, STACK))
    with pytest.MonkeyPatch.context() as patch, object_store(bucket.name, bucket.objects) as url:
        patch.setenv("STORAGE_EMULATOR_HOST", url)
        assert releases.main(["promote", "--from", STACK, "--to", STACK, "--no-preview"], folder) == 0


def change(deployment: Deployment, **changes: object) -> None:
    """Changes prod's file, and keeps its release."""
    file = deployment.folder / "program" / f"Pulumi.{STACK}.yaml"
    release = yaml.safe_load(file.read_text("utf-8"))["config"][RELEASE]
    gone = dict.fromkeys(DECIDED)
    deployment.change(
        {**gone, "release": release, **{f"target.{key}": value for key, value in changes.items()}}
    )


def without_environment(log: Path) -> None:
    """Remove what the engine reports about its caller: it starts the policy pack with the shell's
    variables."""
    messages = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    started = [message["request"] for message in messages if "env" in (message.get("request") or {})]
    assert started
    for request in started:
        request["env"] = []
    log.write_text("\n".join(map(json.dumps, messages)), "utf-8")


def holders(folders: tuple[Path, ...], value: str) -> list[Path]:
    """Returns the files that contain a value, plain or in base64."""
    forms = (value.encode(), base64.b64encode(value.encode()).rstrip(b"="))
    files = [
        file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink()
    ]
    assert len(files) > 50
    return [file for file in files if any(form in file.read_bytes() for form in forms)]


def test_no_secret_is_anywhere_but_in_its_vault(prod: Deployment, cloud: Cloud) -> None:
    """Checks the state and its history, the plan, events and logs of the CLI, what plugins and Google
    received, and everything that the API server ever stored: its database is among the files."""
    marks = {
        "plan.json": ("preview", "--json", "--show-secrets"),
        "state.json": ("stack", "export", "--show-secrets"),
        "outputs.json": ("stack", "output", "--json", "--show-secrets"),
    }
    for name, words in marks.items():
        (prod.folder / name).write_text(prod.good(*words), "utf-8")
    for name in ("up.log", "events.json", "grpc.json", *marks):
        assert (prod.folder / name).stat().st_size > 1000, name
    for value in (TOKEN, KEY):
        assert holders((prod.folder, cloud.plane.folder), value) == [prod.console.vault]


def test_two_servers_on_two_slices(prod: Deployment, cloud: Cloud) -> None:
    pods = cloud.items("pods", "-n", SPACE, "-l", "app.kubernetes.io/name=vllm")
    assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 2
    [budget] = cloud.items("pdb", "-n", SPACE)
    assert budget["status"]["disruptionsAllowed"] == 1
    outputs = json.loads(prod.good("stack", "output", "--json"))
    assert outputs["endpoint"] == "https://tpuserve.example.org/v1"
    assert outputs["dns_records"][0].startswith("tpuserve.example.org A ")


def test_nothing_changes_by_itself(prod: Deployment) -> None:
    prod.good("up", "--yes", "--skip-preview", "--expect-no-changes")
    prod.good("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_destroying_it_is_refused_while_it_is_protected(prod: Deployment) -> None:
    there = set(prod.console.objects())
    shown = prod.bad("destroy", "--yes")
    assert "cannot be deleted" in shown
    assert set(prod.console.objects()) == there


def test_another_way_to_buy_makes_its_pool_and_leaves_the_protected_one(prod: Deployment) -> None:
    change(prod, capacity={"kind": "on-demand"})
    assert "cannot be deleted" in prod.bad("preview")
    change(prod, capacity={"kind": "reservation", "name": "tpuserve-v6e"})


def test_the_promoted_release_runs_and_another_one_is_refused(prod: Deployment, cloud: Cloud) -> None:
    """Going back to the file that was delivered changes the server to one that nobody has accepted."""
    folder = prod.folder / "program"
    promoted = stack_file.read(STACK, folder)
    [pod, _] = cloud.items("pods", "-n", SPACE, "-l", "app.kubernetes.io/name=vllm")
    assert pod["metadata"]["labels"]["tpuserve/release"] == promoted.release
    text = (folder / f"Pulumi.{STACK}.yaml").read_text("utf-8")
    prod.change({"engine": {"max_num_seqs": 32}})
    assert "runs a release that no server has accepted, but its stack is protected" in prod.bad(
        "preview", *cloud.pack
    )
    (folder / f"Pulumi.{STACK}.yaml").write_text(text, "utf-8")
    prod.good("preview", "--expect-no-changes", *cloud.pack)


def test_unprotected_it_goes_and_leaves_the_foundation(prod: Deployment, cloud: Cloud) -> None:
    """Follows the two steps of docs/operations.md."""
    change(prod, protect=False)
    prod.up()
    prod.good("destroy", "--yes")
    assert not [name for name in prod.console.objects() if "/clusters/" in name]
    assert cloud.items("nodes") == []
    prod.use("foundation")
    prod.good("preview", "--expect-no-changes")
