"""Egress of a server that may fetch media: the internet by https, and nothing inside."""

import json
from typing import Any

import pytest

from components.kubernetes.egress_rules import NOT_PUBLIC
from tests.inventory.recorder import deployable, record, stack_config
from tests.inventory.test_inventory import inventory_of

DOMAINS = ["images.example.org", "media.example.org"]


def plan(stack: str, domains: list[str]) -> Any:
    config = deployable(stack_config(stack))
    engine = {**json.loads(config.get("tpuserve:engine", "{}")), "allowed_media_domains": domains}
    config["tpuserve:engine"] = json.dumps(engine)
    if stack == "local":
        config["tpuserve:image"] = "tpuserve.local/vllm-tpu:inventory"
    return record(stack, config, {"foundation": inventory_of("foundation").outputs})


def blocks(inventory: Any) -> list[dict[str, Any]]:
    """Returns the address blocks that the server's pods may call."""
    policy = inventory.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")["vllm-traffic"]
    rules = policy["inputs"]["spec"]["egress"]
    return [
        {**peer["ipBlock"], "ports": [port["port"] for port in rule["ports"]]}
        for rule in rules
        for peer in rule["to"]
        if "ipBlock" in peer
    ]


def test_the_internet_is_open_only_where_domains_are_listed() -> None:
    before = blocks(inventory_of("prod"))
    assert not any(block["cidr"] == "0.0.0.0/0" for block in before)
    (opened,) = [block for block in blocks(plan("prod", DOMAINS)) if block not in before]
    assert opened == {"cidr": "0.0.0.0/0", "except": list(NOT_PUBLIC), "ports": [443]}


def test_the_server_gets_the_list_and_no_redirects() -> None:
    deployments = plan("prod", DOMAINS).of_type("kubernetes:apps/v1:Deployment")
    container = deployments["vllm-server"]["inputs"]["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert environment["TPUSERVE_ALLOWED_MEDIA_DOMAINS"] == ",".join(DOMAINS)
    assert environment["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"
    words = container["command"]
    place = words.index("--allowed-media-domains")
    assert words[place + 1 : place + 3] == DOMAINS and words[place + 3].startswith("--")


def test_the_local_cluster_cannot_fetch() -> None:
    with pytest.raises(
        Exception, match="the local cluster has no DNS and no route to the internet; remove it"
    ):
        plan("local", DOMAINS)
