"""Configuration of the collector of TPU VMs: what it reads, and under which labels it sends it."""

from typing import Any

import pytest
import yaml

from serving.deploy import collector, container_layout
from serving.deploy.image_reference import image_problem, image_reference
from serving.monitoring.scope import SCRAPE_SECONDS


def content() -> dict[str, Any]:
    return yaml.safe_load(collector.config("ab12cd34", "tpuserve-dev"))


@pytest.mark.parametrize(
    ("job", "target"),
    [
        # Compose passes the address on that the boot writes; the server listens on no other one.
        ("vllm", f"${{env:{container_layout.ADDRESS}}}:8000"),
        ("sidecar", "127.0.0.1:8001"),
    ],
)
def test_both_pages_are_read(job: str, target: str) -> None:
    jobs = {
        each["job_name"]: each for each in content()["receivers"]["prometheus"]["config"]["scrape_configs"]
    }
    assert set(jobs) == {"vllm", "sidecar"}
    assert jobs[job]["static_configs"] == [{"targets": [target], "labels": {"release": "ab12cd34"}}]
    assert (jobs[job]["metrics_path"], jobs[job]["scrape_interval"]) == ("/metrics", f"{SCRAPE_SECONDS}s")


def test_a_machine_s_pages_have_its_name_and_the_stack_s() -> None:
    changes = {each["key"]: each for each in content()["processors"]["resource"]["attributes"]}
    assert changes["namespace"]["value"] == "tpuserve-dev"
    assert changes["cluster"]["value"] == collector.CLUSTER
    assert changes["service.instance.id"]["from_attribute"] == "host.name"
    order = content()["service"]["pipelines"]["metrics"]["processors"]
    # The name is known only after the detection.
    assert order.index("resourcedetection") < order.index("resource") < order.index("batch")


def test_a_release_that_looks_like_a_number_stays_a_text() -> None:
    """Go's YAML reads 12e45678 as a number, and PyYAML writes it without quotes."""
    assert '"12e45678"' in collector.config("12e45678", "tpuserve-dev")


def test_every_part_is_used_and_every_used_part_exists() -> None:
    found = content()
    (pipeline,) = found["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert sorted(pipeline[kind]) == sorted(found[kind])


def test_the_collector_drops_metrics_before_the_container_s_memory_is_used_up() -> None:
    limiter = content()["processors"]["memory_limiter"]
    assert limiter["spike_limit_mib"] < limiter["limit_mib"] < collector.MEMORY_MIB


def test_nothing_but_its_two_ends_is_connected() -> None:
    """The machine's network is the container's: a port of the collector would be the machine's."""
    found = content()
    assert found["service"]["telemetry"]["metrics"]["level"] == "none"
    assert "extensions" not in found["service"]
    assert (list(found["receivers"]), list(found["exporters"])) == (
        ["prometheus"],
        ["googlemanagedprometheus"],
    )


def test_the_image_is_fixed_and_in_a_registry_that_machines_reach() -> None:
    assert image_problem(collector.IMAGE) is None
    assert image_reference(collector.IMAGE).registry.endswith("-docker.pkg.dev")
