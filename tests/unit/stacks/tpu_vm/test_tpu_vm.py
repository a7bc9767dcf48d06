"""Refusals of a stack of TPU VMs, its output about a stop, and the texts that make a machine boot."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.gcp.provisioning import Provisioning, ReservationName, template_fields
from config.checks import problems
from config.promotion import load
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import compose, container_layout, systemd_units, vm_boot
from serving.deploy.release import Release
from serving.deploy.vm_boot import Boot
from stacks.plan import Plan, plan
from stacks.tpu_vm import checks
from stacks.tpu_vm.boot_metadata import SIDECAR, boot_metadata, identity, serve_seconds
from tests import promoted

TARGET: Mapping[str, Any] = {
    "kind": "tpu-vm",
    "project": "a-project",
    "zone": "us-east5-b",
    "capacity": {"kind": "spot"},
}
GOOD: Mapping[str, Any] = {
    "target": TARGET,
    "model_revision": "0" * 40,
    "image": f"vllm/vllm-tpu:v0.32.0@sha256:{'a' * 64}",
}


def parts(**changes: Any) -> tuple[Settings, TpuVmTarget, Plan]:
    """Settings, target and plan of a good stack with changes of its target, and with another `rollout`."""
    rollout = {"rollout": changes.pop("rollout")} if "rollout" in changes else {}
    settings = Settings.parse({**GOOD, **rollout, "target": {**TARGET, **changes}})
    assert isinstance(settings.target, TpuVmTarget) and settings.image is not None
    return settings, settings.target, plan(settings, settings.image)


REFUSED = (
    (
        {"endpoint": {"hostname": "a.example.org", "exposure": "public"}},
        "target.endpoint.exposure is public, and TPU VMs are offered only inside the VPC; set it to "
        "internal, or target.kind to gke.",
    ),
    (
        {"capacity": {"kind": "flex-start"}},
        "target.keep_data is true and target.capacity is flex-start, whose machines are deleted at their end "
        "and never repaired; set target.keep_data to false.",
    ),
    (
        {"rollout": {"surge": 1}},
        "rollout.surge is 1 and target.keep_data is true, but two machines at once cannot have one "
        "disk; set target.keep_data to false: each machine then fetches the weights again.",
    ),
    (
        {"other_zones": ["us-east5-a"]},
        "target.other_zones is set and target.keep_data is true, but a disk stays in its zone; set "
        "target.keep_data to false, or leave target.other_zones out.",
    ),
    (
        {"other_zones": ["us-east5-b"], "keep_data": False},
        "target.other_zones has us-east5-b, which is no other zone of us-east5: of it, us-east5-a is listed "
        "for v6e-4; leave us-east5-b out.",
    ),
    (
        {"zone": "us-east1-d", "other_zones": ["us-east5-b"], "keep_data": False},
        "target.other_zones has us-east5-b, which is no other zone of us-east1: none of it is listed for "
        "v6e-4; "
        "leave us-east5-b out.",
    ),
    (
        {"other_zones": ["us-east5-a"], "keep_data": False, "capacity": {"kind": "flex-start"}},
        "target.other_zones is set and target.capacity is flex-start, which Google requests in one zone; "
        "leave target.other_zones out.",
    ),
)


@pytest.mark.parametrize(("changes", "sentence"), REFUSED)
def test_what_cannot_work_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    settings, _, _ = parts(**changes)
    found = problems(settings, placeholders=False)
    assert list(found) == [sentence]


NOT_THERE = (
    ({"capacity": {"kind": "reservation", "name": "r"}}, "target.capacity is reservation and target.api is "),
    ({"endpoint": {"hostname": "a.example.org"}}, "target.endpoint is set and target.api is cloud-tpu, "),
    ({"keep_data": False}, "target.keep_data is false and target.api is cloud-tpu, "),
    ({"other_zones": ["us-east5-a"]}, "target.other_zones is set and target.api is cloud-tpu, "),
    ({"rollout": {"surge": 1}}, "rollout.surge is 1 and target.api is cloud-tpu, "),
)


@pytest.mark.parametrize(("changes", "beginning"), NOT_THERE)
def test_what_the_cloud_tpu_api_cannot_do_is_one_sentence(changes: dict[str, Any], beginning: str) -> None:
    settings, _, _ = parts(api="cloud-tpu", **changes)
    (sentence,) = problems(settings, placeholders=False)
    assert sentence.startswith(beginning)
    assert sentence.endswith(".")


def test_a_good_stack_has_no_problem() -> None:
    settings, _, resolved = parts()
    assert not list(problems(settings, placeholders=False))
    assert not list(checks.slow_boots(serve_seconds(resolved)))


def test_a_boot_longer_than_google_waits_is_refused() -> None:
    settings = Settings.parse({**GOOD, "phase": "turbo-stable", "engine": {"bucket_padding_gap": 128}})
    assert settings.image is not None
    (sentence,) = checks.slow_boots(serve_seconds(plan(settings, settings.image)))
    assert re.match(
        r"A boot with its acceptance may take \d,\d\d0 seconds, and Google waits at most 3,600 seconds ",
        sentence,
    )


@pytest.mark.parametrize(
    ("longest", "leave", "window", "end"),
    [(300, 5, 30, "longer ones are cut after 25 s"), (100, 5, 120, "none is cut")],
)
def test_the_output_says_which_requests_a_stop_cuts(longest: int, leave: int, window: int, end: str) -> None:
    settings = Settings.parse({**GOOD, "longest_request_seconds": longest})
    assert checks.shutdown(settings, leave, window).endswith(f"; {end}")


MODELS = (
    (Provisioning(model="on-demand"), "STANDARD", "NO_RESERVATION", set[str]()),
    (Provisioning(model="spot"), "SPOT", "NO_RESERVATION", {"preemptible", "instance_termination_action"}),
    (
        Provisioning(model="flex-start", max_run_seconds=60),
        "FLEX_START",
        "NO_RESERVATION",
        {"max_run_duration", "instance_termination_action"},
    ),
    (
        Provisioning(model="reservation", reservation=ReservationName(name="r")),
        "STANDARD",
        "SPECIFIC_RESERVATION",
        set[str](),
    ),
)


@pytest.mark.parametrize(("provisioning", "model_name", "affinity", "extra_fields"), MODELS)
def test_each_provisioning_model_has_its_fields(
    provisioning: Provisioning, model_name: str, affinity: str, extra_fields: set[str]
) -> None:
    fields = template_fields(provisioning)
    common = {"provisioning_model", "automatic_restart", "on_host_maintenance"}
    assert set(fields.scheduling) == common | extra_fields
    assert fields.scheduling.get("provisioning_model") == model_name
    assert fields.scheduling.get("on_host_maintenance") == "TERMINATE"
    assert fields.scheduling.get("automatic_restart") is (model_name == "STANDARD")
    assert fields.reservation_affinity["type"] == affinity


BOOT = Boot(
    release="abc",
    image="us-east5-docker.pkg.dev/p/r/vllm@sha256:0",
    disk=vm_boot.data_disk(),
    secret="projects/p/secrets/s/versions/latest",
    bucket="b",
    model="m",
    weights="weights/1/m/",
    budget=600,
    acceptance=300,
)


@pytest.mark.parametrize("given", [BOOT, replace(BOOT, disk="", secret="")], ids=["whole", "bare"])
def test_the_script_is_short_and_clean(given: Boot, tmp_path: Path) -> None:
    text = vm_boot.script(given)
    assert len(text.splitlines()) < 240
    file = tmp_path / "boot.sh"
    file.write_text(text)
    program = Path(sys.executable).parent / "shellcheck"
    found = subprocess.run([program, file], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_hostile_values_stay_values(tmp_path: Path) -> None:
    """Constants are quoted: no name in a stack file or a bucket can become a command."""
    nasty = "a'; touch /tmp/x; echo '$(id) `id` \"b"
    text = vm_boot.script(replace(BOOT, bucket=nasty, packages=(nasty, "c d")))
    constants = "\n".join(line for line in text.splitlines() if line.startswith("readonly"))
    show = f'{constants}\nprintf "%s\\n" "$BUCKET" "${{PACKAGES[@]}}"'
    shown = subprocess.run(["bash", "-c", show], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [nasty, nasty, "c d"]


RELEASE = Release(
    image="i@sha256:0",
    model="m",
    accelerator="v6e-4",
    engine_argv=("vllm", "serve", "/models/m"),
    workload_argv=("--additional-config", '{"a":"$b"}'),
    environment=(("A", "1"),),
    agent_digest="d",
)


def service(name: str = compose.SERVICE) -> dict[str, Any]:
    _, _, resolved = parts()
    document = yaml.safe_load(compose.compose(RELEASE, resolved.lifecycle, sidecar=True))
    assert set(document) == {"name", "services"}
    return document["services"][name]


def test_the_stack_has_what_the_recipes_lacked() -> None:
    found = service()
    assert found["network_mode"] == "host"
    assert found["restart"] and found["healthcheck"] and found["shm_size"] and found["stop_grace_period"]
    # Reading the weights fills the page cache, which counts against a limit.
    assert "deploy" not in found and "mem_limit" not in found
    writable = {mount["target"] for mount in found["volumes"] if not mount["read_only"]}
    assert writable == {container_layout.CACHE, container_layout.STATUS}
    assert found["read_only"] is True


def test_the_sidecar_has_no_chips_and_no_rights_of_root() -> None:
    found = service(container_layout.SIDECAR)
    assert not found.get("privileged") and "devices" not in found
    assert (found["cap_drop"], found["read_only"]) == (["ALL"], True)
    assert found["security_opt"] == ["no-new-privileges:true"]
    words = found["entrypoint"]
    assert words[words.index("--server") + 1] == "http://${TPUSERVE_ADDRESS:-127.0.0.1}:8000"
    # Nothing outside of the machine reaches it.
    assert words[words.index("--address") + 1] == "127.0.0.1"
    sources = {mount["target"]: mount["source"] for mount in found["volumes"]}
    assert container_layout.MODELS not in sources
    assert sources[container_layout.SIDECAR_FILE] == f"./{compose.SIDECAR_SETTINGS}"


def test_the_sidecar_ends_with_its_server_and_never_ends_it() -> None:
    _, _, resolved = parts()
    units = systemd_units.units("abc", resolved.lifecycle, 5)
    sidecar, server = units[systemd_units.SIDECAR_UNIT], units[systemd_units.UNIT]
    assert f"PartOf={systemd_units.UNIT}\n" in sidecar and "\nRestart=on-failure\n" in sidecar
    tied = [line for line in server.splitlines() if systemd_units.SIDECAR_UNIT in line]
    assert [line.partition("=")[0] for line in tied] == ["Wants"]


def test_the_server_listens_to_one_address_and_dollars_survive() -> None:
    words = service()["entrypoint"]
    assert words[words.index("--host") + 1] == "${TPUSERVE_ADDRESS:-127.0.0.1}"
    assert words[-1] == '{"a":"$$b"}'


@pytest.mark.parametrize("value", ['{"a": [1, "b c"], "d#": "e=f"}', "1", "", "a#b", "--flag=x y"])
def test_values_that_both_readers_take_as_they_are(value: str) -> None:
    assert compose.env_file({"NAME": value}) == f"NAME={value}\n"


@pytest.mark.parametrize("value", ["a\nb", "$HOME", "a #b", " a", "a ", "'a'", '"a"', "a\\b", "`a`", "a\r"])
def test_values_that_they_would_read_differently_are_refused(value: str) -> None:
    with pytest.raises(ValueError) as caught:
        compose.env_file({"NAME": value})
    assert str(caught.value).startswith("The value of NAME cannot stand in an env file, which holds no line ")


def test_a_baked_cache_wants_pages_that_are_fixed() -> None:
    settings, target, resolved = parts(baked_cache=True)
    (refused,) = checks.baked_cache_problems(settings, target, resolved)
    assert refused == (
        "target.baked_cache is true, but engine.num_gpu_blocks_override is not set, so each boot "
        "sizes its KV cache by the free HBM, and no baked cache can match that size; set it to 14694, for "
        "which 0.92 of HBM has room."
    )
    fixed = Settings.parse({**settings.model_dump(), "engine": {"num_gpu_blocks_override": 14694}})
    assert fixed.image is not None
    assert not list(checks.baked_cache_problems(fixed, target, plan(fixed, fixed.image)))
    assert not list(checks.baked_cache_problems(*parts()))


def test_a_promoted_release_has_one_compile_cache(tmp_path: Path) -> None:
    settings, target, resolved = parts(baked_cache=True)
    promotion = load(promoted.write(tmp_path, resolved), tmp_path)
    sentences = list(checks.baked_cache_problems(settings.with_promotion(promotion), target, resolved))
    assert sentences[0] == (
        "target.baked_cache is true and release is set, whose record names the only compile cache that it "
        "starts with; set target.baked_cache to false."
    )


def sidecar_of(resolved: Plan, settings: Settings, target: TpuVmTarget) -> dict[str, Any]:
    """Returns the sidecar's settings in the metadata."""
    made = boot_metadata(
        settings, target, resolved, name="tpuserve-x", disk="", image="r/i", bucket="b", secret="key"
    )
    return json.loads(json.loads(made[SIDECAR])["sidecar.json"])


@pytest.mark.parametrize("asks", [False, True])
def test_only_a_stack_that_asks_for_it_begins_with_a_baked_cache(asks: bool) -> None:
    settings, target, resolved = parts(baked_cache=asks)
    name = f"xla/{resolved.fingerprint.digest}.baked.tar" if asks else None
    assert sidecar_of(resolved, settings, target)["store"]["baked"] == name


def test_the_unit_counts_over_more_than_its_starts() -> None:
    _, _, resolved = parts()
    text = systemd_units.units("abc", resolved.lifecycle, 5)[systemd_units.UNIT]
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    boots = int(values["StartLimitBurst"]) * resolved.lifecycle.engine_ready_timeout_seconds
    assert int(values["StartLimitIntervalSec"]) > boots
    # systemd must outlast what it waits for, or it kills what is still answering.
    assert int(values["TimeoutStopSec"]) >= 5 + resolved.lifecycle.shutdown_timeout_seconds


def test_a_later_commit_is_the_same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, target, resolved = parts()
    found: list[Mapping[str, str]] = []
    for commit in ("1" * 40, "2" * 40):
        monkeypatch.setattr("stacks.sidecar_settings.commit", lambda commit=commit: commit)
        image = str(settings.image)
        found.append(
            boot_metadata(
                settings, target, resolved, name="tpuserve-x", disk="", image=image, bucket="b", secret="key"
            )
        )
        assert commit in found[-1][SIDECAR]
    assert {key for key in found[0] if found[0][key] != found[1][key]} == {SIDECAR}
    assert identity(found[0], settings, resolved) == identity(found[1], settings, resolved)
    other, _, _ = parts()
    other = Settings.parse({**other.model_dump(), "acceptance": {"tolerance": 0.2}})
    assert identity(found[0], other, resolved) != identity(found[0], settings, resolved)


def test_metadata_fits_and_names_the_secret_without_its_value() -> None:
    settings, target, resolved = parts()
    found = boot_metadata(
        settings,
        target,
        resolved,
        name="tpuserve-x",
        disk="/dev/d",
        image=f"r/p/{settings.image}",
        bucket="b",
        secret="key",
    )
    # https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations
    assert all(len(text.encode()) < 256 * 1024 for text in found.values())
    assert "projects/a-project/secrets/key/versions/latest" in found["startup-script"]
    assert f"r/p/{settings.image}" in found["startup-script"]


def test_without_a_key_no_secret_is_asked_for() -> None:
    settings = Settings.parse({**GOOD, "authentication": "none"})
    assert isinstance(settings.target, TpuVmTarget) and settings.image is not None
    resolved = plan(settings, settings.image)
    found = boot_metadata(
        settings, settings.target, resolved, name="tpuserve-x", disk="", image="r/i", bucket="b", secret="key"
    )
    assert "readonly SECRET=''" in found["startup-script"]


def test_a_collector_in_a_cluster_is_refused_for_tpu_vms() -> None:
    engine = {"otlp_traces_endpoint": "http://collector.observability.svc:4317"}
    found = list(problems(Settings.parse({**GOOD, "engine": engine}), placeholders=False))
    assert found == [
        "engine.otlp_traces_endpoint is a Service of a cluster, which a machine outside the cluster does not "
        "reach; remove it, or serve with target.kind gke."
    ]
