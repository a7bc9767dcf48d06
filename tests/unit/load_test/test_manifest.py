"""The Job: what it may do, what it mounts, and that no secret is in it."""

import json
from typing import Any

from load_test import manifest
from load_test.server import ready_server, sidecar_settings
from tests.unit.load_test.pods import GKE_MODELS, pod, settings_map

DNS = {"ports": [{"port": 53, "protocol": "UDP"}]}


def objects(**options: Any) -> dict[str, Any]:
    sidecar = sidecar_settings(settings_map({"bucket": "b", "baseline": "baselines/v6e-4/tiny.json"}))
    server = ready_server([pod(**options)], "staging")
    made = manifest.objects(
        server, sidecar.acceptance, namespace="tpuserve-staging", sidecar=sidecar, egress=[DNS]
    )
    return {each["kind"]: each for each in made}


def container(made: dict[str, Any]) -> dict[str, Any]:
    (only,) = made["Job"]["spec"]["template"]["spec"]["containers"]
    return only


def test_the_job_runs_as_the_server_does_without_its_chips() -> None:
    made = objects()
    spec, running = made["Job"]["spec"]["template"]["spec"], container(made)
    assert "google.com/tpu" not in json.dumps(running["resources"])
    assert spec["securityContext"] == {"runAsUser": 1000, "runAsNonRoot": True}
    assert running["securityContext"] == {"readOnlyRootFilesystem": True}
    assert spec["serviceAccountName"] == "vllm" and spec["automountServiceAccountToken"] is False
    assert spec["nodeSelector"] == {"kubernetes.io/hostname": "tpu-node"} and spec["tolerations"]
    assert running["image"] == "registry/vllm@sha256:0"


def test_the_key_is_a_file_and_nothing_else() -> None:
    running = container(objects())
    assert {"name": "api-key", "mountPath": "/run/tpuserve", "readOnly": True} in running["volumeMounts"]
    assert {each["name"] for each in running["env"]} == {
        "HOME",
        "PYTHONPATH",
        "STORAGE_EMULATOR_HOST",
        "USER",
    }
    without = objects(key=None)
    assert "/run/tpuserve" not in json.dumps(without["Job"])


def test_every_file_of_the_program_is_mounted_where_python_finds_it() -> None:
    made = objects()
    program = next(
        volume for volume in made["Job"]["spec"]["template"]["spec"]["volumes"] if volume["name"] == "program"
    )
    items = {item["key"]: item["path"] for item in program["configMap"]["items"]}
    assert items.keys() == made["ConfigMap"]["data"].keys()
    assert "agent/load_test/__main__.py" in items.values()


def test_the_settings_name_the_server_and_the_bucket() -> None:
    found = json.loads(objects()["ConfigMap"]["data"][manifest.SETTINGS])
    assert found["server"] == "http://10.200.0.7:8000"
    assert found["sidecar_metrics"] == "http://10.200.0.7:8001/metrics"
    assert (found["bucket"], found["baseline"]) == ("b", "baselines/v6e-4/tiny.json")
    assert [cell["concurrency"] for cell in found["cells"]] == [1, 4]


def test_the_job_may_call_the_server_and_what_the_server_may_call() -> None:
    policy = objects()["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in policy
    to_server, dns = policy["egress"]
    assert {each["port"] for each in to_server["ports"]} == {8000, 8001} and dns == DNS


def test_only_a_bucket_volume_asks_gke_for_its_sidecar() -> None:
    template = objects(models=GKE_MODELS)["Job"]["spec"]["template"]
    assert template["metadata"]["annotations"] == {"gke-gcsfuse/volumes": "true"}
    assert objects()["Job"]["spec"]["template"]["metadata"]["annotations"] == {}
