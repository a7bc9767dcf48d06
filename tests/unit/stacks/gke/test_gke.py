"""GKE stacks: what may be asked, each way to buy as its node pool, and changes that must stay small."""

from typing import Any

import pytest

from components.gcp.provisioning import Provisioning, ReservationName, node_config_fields
from components.kubernetes.compute_class import ComputeClassArgs, priority
from components.kubernetes.gateway import backend_policies
from components.kubernetes.security_context import POD_USERS
from components.kubernetes.weights_volume import annotations, cache_volume, weights_volume
from config.checks import problems
from config.provisioning import WAIT_MINUTES, node_wait_seconds
from config.settings import Settings
from config.targets import STAY, FoundationTarget, GkeTarget
from serving.compilation.candidate import Candidate
from serving.engine.phases import engine_for
from serving.hardware.accelerators import accelerator
from serving.models.catalog import model
from serving.startup import cold_start
from serving.startup.timeouts import lifecycle
from stacks.gcp import foundation
from stacks.gcp.provisioning import provisioning

DIGEST = "vllm/vllm-tpu:v0.32.0@sha256:" + "ab" * 32
REVISION = "4d7ae4984b7db7de8f8457170b3f1a419ee76d52"
TARGET: dict[str, Any] = {
    "kind": "gke",
    "project": "acme-tpu",
    "zone": "us-east5-b",
    "capacity": {"kind": "on-demand"},
}
GOOD: dict[str, Any] = {"target": TARGET, "image": DIGEST, "model_revision": REVISION}
FOUNDATION: dict[str, Any] = {
    "kind": "foundation",
    "project": "acme-tpu",
    "region": "us-east5",
    "environments": {"prod": "10.64.0.0/18"},
}


def target(**change: Any) -> dict[str, Any]:
    """The good configuration with another target."""
    return {**GOOD, "target": {**TARGET, **change}}


def exclusion(name: str) -> dict[str, str]:
    """A day without upgrades."""
    return {"name": name, "start": "2027-01-01T00:00:00Z", "end": "2027-01-02T00:00:00Z"}


MALFORMED: list[tuple[dict[str, Any], str]] = [
    (target(project="My_Project"), "target.project is the text 'My_Project'; it must look like my-project"),
    (target(zone="us-east5"), "target.zone is the text 'us-east5'; it must look like us-east5-b"),
    (target(region="us-east5"), "target.region is not a name here"),
    (target(capacity={}), "target.capacity.kind is not set and has no default; set it."),
    (
        target(capacity={"kind": "preemptible"}),
        "target.capacity.kind is the text 'preemptible'; possible are",
    ),
    (
        target(capacity={"kind": "spot", "max_run_hours": 3}),
        "target.capacity.max_run_hours is not a name here",
    ),
    (target(capacity={"kind": "on-demand", "name": "x"}), "target.capacity.name is not a name here"),
    (target(capacity={"kind": "reservation"}), "target.capacity.name is not set and has no default"),
    (target(capacity={"kind": "flex-start", "max_run_hours": 169}), "target.capacity.max_run_hours is 169;"),
    (target(capacity={"kind": "flex-start", "max_run_hours": 0}), "target.capacity.max_run_hours is 0;"),
    (target(capacity={"kind": "flex-start", "wait_minutes": 0}), "target.capacity.wait_minutes is 0;"),
    (target(capacity={"kind": "compute-class"}), "target.capacity.rungs is not set and has no default"),
    (
        target(capacity={"kind": "compute-class", "rungs": [{"kind": "spot"}]}),
        "target.capacity.rungs has 1",
    ),
    (
        target(
            capacity={"kind": "compute-class", "rungs": [{"kind": "spot"}, {"kind": "spot", "zone": "x"}]}
        ),
        "target.capacity.rungs.1.zone is not a name here",
    ),
    (target(cluster={"kind": "new", "name": "x"}), "target.cluster.name is not a name here"),
    (target(cluster={"kind": "existing", "name": "x"}), "target.cluster.location is not set"),
    (
        target(cluster={"kind": "new", "release_channel": "FAST"}),
        "target.cluster.release_channel is the text",
    ),
    (
        target(cluster={"kind": "new", "minor_version": "1.35.1-gke.1000000"}),
        "target.cluster.minor_version is the text '1.35.1-gke.1000000'; it must look like 1.35",
    ),
    (
        target(cluster={"kind": "new", "minor_version": "1.5"}),
        "target.cluster.minor_version is the text '1.5'",
    ),
    (target(endpoint={"hostname": "localhost"}), "target.endpoint.hostname is the text 'localhost'"),
    (
        target(endpoint={"hostname": "a.example.org", "exposure": "open"}),
        "target.endpoint.exposure is the text",
    ),
    ({**GOOD, "model_revision": "main"}, "model_revision is the text 'main'; it must look like 4d7ae49"),
    (
        {"target": {**FOUNDATION, "environments": {"Prod": "10.0.0.0/18"}}},
        "target.environments.Prod is the text 'Prod'",
    ),
    ({"target": {**FOUNDATION, "zone": "x"}}, "target.zone is not a name here"),
]
"""Configurations that are wrong by themselves, and the sentence that each gives."""

IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    (target(project="my-project"), "target.project is still the placeholder my-project"),
    ({**GOOD, "accelerator": "local-v6e-4"}, "accelerator local-v6e-4 is the CPU stand-in"),
    ({**GOOD, "image": None}, "image is not set and has no default on gke"),
    (
        {**GOOD, "image": "vllm/vllm-tpu:v0.32.0"},
        "image is vllm/vllm-tpu:v0.32.0, which can be another image",
    ),
    ({**GOOD, "image": "vllm/vllm-tpu@sha256:" + "0" * 64}, "image still has the placeholder digest"),
    ({**GOOD, "model": "tiny-gemma4-moe"}, "model tiny-gemma4-moe is made on the local machine"),
    ({**GOOD, "model_revision": None}, "model_revision is not set, and what google/gemma-4-26B-A4B-it holds"),
    (
        {**target(endpoint={"hostname": "a.acme.org", "exposure": "public"}), "authentication": "none"},
        "target.endpoint.exposure is public and authentication is none, so anybody could use the TPU",
    ),
    (
        target(cluster={"kind": "new", "minor_version": "1.35", "exclusions": [exclusion(STAY)]}),
        "target.cluster.exclusions has the name stay-at-minor-version, which the stack gives to the "
        "exclusion that holds target.cluster.minor_version at 1.35; rename yours.",
    ),
    (
        target(cluster={"kind": "new", "exclusions": [exclusion("launch"), exclusion("launch")]}),
        "target.cluster.exclusions has the name launch 2 times, and GKE keeps one exclusion of a name; "
        "rename the others.",
    ),
    (
        target(capacity={"kind": "flex-start"}, cluster={"kind": "new", "minor_version": "1.32"}),
        "target.cluster.minor_version is 1.32, and the capacity flex-start needs 1.33.0-gke.1712000; set it "
        "to a newer minor version, or choose another target.capacity.kind.",
    ),
    (
        target(endpoint={"hostname": "tpuserve.example.com"}),
        "target.endpoint.hostname is still the placeholder",
    ),
]
"""Well-formed, but Google or good sense would refuse it at `up`."""


def gke(config: dict[str, Any]) -> tuple[Settings, GkeTarget]:
    """Settings with their GKE target."""
    settings = Settings.parse({key: value for key, value in config.items() if value is not None})
    assert isinstance(settings.target, GkeTarget)
    return settings, settings.target


@pytest.mark.parametrize(("config", "sentence"), MALFORMED, ids=[sentence for _, sentence in MALFORMED])
def test_what_is_malformed(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        Settings.parse(config)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("config", "sentence"), IMPOSSIBLE, ids=[sentence for _, sentence in IMPOSSIBLE])
def test_what_is_impossible(config: dict[str, Any], sentence: str) -> None:
    settings, _ = gke(config)
    found = list(problems(settings, placeholders=False))
    assert len(found) == 1 and found[0].startswith(sentence), found


def test_the_good_one_is_good() -> None:
    settings, _ = gke(GOOD)
    assert list(problems(settings, placeholders=False)) == []


ENVIRONMENTS: list[tuple[dict[str, str], str]] = [
    ({"prod": "10.64.0.0/33"}, "it must be a CIDR block such as 10.64.0.0/18"),
    ({"prod": "10.64.0.1/18"}, "it must be a CIDR block such as 10.64.0.0/18"),
    ({"prod": "10.64.0.0/24"}, "it must be private and a /21 or larger"),
    ({"prod": "8.0.0.0/18"}, "it must be private and a /21 or larger"),
    ({"prod": "10.60.0.0/18"}, "overlaps the nodes' range"),
    ({"a": "10.64.0.0/18", "b": "10.64.32.0/19"}, "target.environments.b is 10.64.32.0/19, which overlaps"),
]


@pytest.mark.parametrize(("environments", "sentence"), ENVIRONMENTS)
def test_ranges_of_a_foundation(environments: dict[str, str], sentence: str) -> None:
    settings = Settings.parse({"target": {**FOUNDATION, "environments": environments}})
    assert isinstance(settings.target, FoundationTarget)
    assert any(sentence in text for text in foundation.problems(settings, settings.target))


def test_a_foundation_serves_nothing() -> None:
    settings = Settings.parse({"target": FOUNDATION, "replicas": 2})
    assert isinstance(settings.target, FoundationTarget)
    assert [text.split(",")[0] for text in foundation.problems(settings, settings.target)] == [
        "replicas is set"
    ]


# Way to buy, and all that its nodes may have beside the machine; nothing of another way.
NO_RESERVATION = {"reservation_affinity": {"consume_reservation_type": "NO_RESERVATION"}}
WAYS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"kind": "on-demand"}, NO_RESERVATION),
    ({"kind": "spot"}, {**NO_RESERVATION, "spot": True}),
    (
        {"kind": "flex-start", "max_run_hours": 24},
        {**NO_RESERVATION, "flex_start": True, "max_run_duration": "86400s"},
    ),
    (
        {"kind": "reservation", "name": "r", "project": "owner"},
        {
            "reservation_affinity": {
                "consume_reservation_type": "SPECIFIC_RESERVATION",
                "key": "compute.googleapis.com/reservation-name",
                "values": ["projects/owner/reservations/r"],
            }
        },
    ),
]


@pytest.mark.parametrize(("way", "fields"), WAYS, ids=[way["kind"] for way, _ in WAYS])
def test_each_provisioning_model_has_only_its_fields(way: dict[str, Any], fields: dict[str, Any]) -> None:
    capacity = gke(target(capacity=way))[1].capacity
    assert capacity.kind != "compute-class"
    assert node_config_fields(provisioning(capacity)) == fields


def test_a_rung_names_a_shared_reservation_with_its_project() -> None:
    args = ComputeClassArgs(
        class_name="c",
        accelerator=accelerator("v6e-4"),
        zone="us-east5-b",
        disk_type="hyperdisk-balanced",
        options=[],
        node_email="e",
    )
    shared = priority(
        args, Provisioning(model="reservation", reservation=ReservationName(name="r", project="owner"))
    )
    assert shared["reservations"] == {
        "affinity": "Specific",
        "specific": [{"name": "r", "zones": ["us-east5-b"], "project": "owner"}],
    }
    assert "location" not in shared
    own = priority(args, Provisioning(model="reservation", reservation=ReservationName(name="r")))
    assert own["reservations"] == {
        "affinity": "Specific",
        "specific": [{"name": "r", "zones": ["us-east5-b"]}],
    }
    assert priority(args, Provisioning(model="spot"))["location"] == {"zones": ["us-east5-b"]}
    assert {**own, "reservations": None}["tpu"] == {"type": "tpu-v6e-slice", "count": 4, "topology": "2x2"}


def test_only_capacity_that_comes_later_is_waited_for() -> None:
    waits = {
        way["kind"]: node_wait_seconds(gke(target(capacity=way))[1].capacity)
        for way in (*(way for way, _ in WAYS), {"kind": "compute-class", "rungs": [{"kind": "spot"}] * 2})
    }
    later = 60 * WAIT_MINUTES
    assert waits == {"on-demand": 0, "spot": 0, "flex-start": later, "reservation": 0, "compute-class": later}


def test_the_load_balancer_outlasts_the_longest_answer() -> None:
    slice_, spec = accelerator("v6e-4"), model("gemma-4-26b-a4b-it")
    estimate = cold_start.estimate(Candidate(slice_, spec, engine_for("tuned", None, {})))
    for seconds in (1, 300, 3600):
        life = lifecycle(estimate, seconds)
        backend: dict[str, Any] = backend_policies(life)["GCPBackendPolicy"]
        assert backend["timeoutSec"] > seconds
        assert backend["connectionDraining"]["drainingTimeoutSec"] >= seconds
        # Google takes no more than an hour.
        assert backend["connectionDraining"]["drainingTimeoutSec"] <= 3600


def test_the_weights_fit_their_cache_and_are_read_only() -> None:
    size = model("gemma-4-26b-a4b-it").weight_bytes
    cache: Any = cache_volume(size)
    limit = int(str(cache["empty_dir"]["size_limit"]).removesuffix("Gi"))
    asked = int(annotations(size)["gke-gcsfuse/memory-request"].removesuffix("Gi"))
    assert size < limit * 2**30 < asked * 2**30
    volume: Any = weights_volume("bucket", "weights/abc", POD_USERS["user"])
    assert volume["csi"]["read_only"] is True
    options = str(volume["csi"]["volume_attributes"]["mountOptions"])
    assert " " not in options and options.endswith(",only-dir=weights/abc")
