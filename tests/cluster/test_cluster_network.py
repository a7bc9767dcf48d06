"""Networks that pods reach and do not reach, and requests that the API server refuses and hides."""

import json
import subprocess

import httpx

from local import cluster
from local.cluster import constants
from local.cluster.system_commands import output
from local.commands.kubectl import kubectl
from tests.cluster.cluster_fixtures import Probes, eventually, get, machine_state
from tools.support import paths


def test_names_and_cluster_addresses_answer_in_a_pod(probes: Probes) -> None:
    probes.deploy("server")
    probes.deploy("client")
    assert probes.says("client", "resolve", "kubernetes.default.svc") == constants.KUBERNETES_SERVICE
    address = get(f"/api/v1/namespaces/{probes.namespace}/services/server")["spec"]["clusterIP"]
    full = f"server.{probes.namespace}.svc.{constants.DNS_DOMAIN}"
    assert probes.says("client", "resolve", "server") == address
    assert probes.says("client", "resolve", full) == address
    pod = probes.pods("server")[0]["metadata"]["name"]
    assert probes.says("client", "get", "http://server") == f"200 served by {pod}"
    assert probes.says("client", "get", f"http://{address}") == f"200 served by {pod}"
    assert probes.says("server", "get", "http://server") == f"200 served by {pod}", "a pod reaches itself"
    assert probes.says("client", "dial", f"{constants.KUBERNETES_SERVICE}:443") == ""
    assert httpx.get(f"http://{address}", timeout=60, trust_env=False).text == f"served by {pod}", (
        "and so does the node"
    )


def test_pods_reach_nothing_outside_and_no_unknown_name(probes: Probes) -> None:
    probes.deploy("client")
    assert probes.run("client", "resolve", "example.invalid").returncode != 0
    gateway = subprocess.run(
        ["ip", "-json", "-4", "address", "show", "scope", "global"],
        capture_output=True,
        text=True,
        check=True,
    )
    others = [link for link in json.loads(gateway.stdout) if link["ifname"] != constants.BRIDGE]
    for link in others:
        beyond = link["addr_info"][0]["local"].rpartition(".")[0] + ".254"
        assert probes.run("client", "dial", f"{beyond}:80").returncode != 0


def test_network_policies_are_enforced(probes: Probes) -> None:
    for name in ("server", "friend", "stranger"):
        probes.deploy(name)
    assert probes.says("stranger", "get", "http://server").startswith("200")
    allow = {"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": 8080}]}
    spec = {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"], "ingress": [allow]}
    probes.apply("networking.k8s.io/v1", "NetworkPolicy", "server", spec)
    eventually(lambda: probes.run("stranger", "get", "http://server").returncode != 0)
    pod = probes.pods("server")[0]["status"]["podIP"]
    assert probes.run("stranger", "get", f"http://{pod}:8080").returncode != 0
    assert probes.says("friend", "get", "http://server").startswith("200")
    assert probes.pods("server")[0]["status"]["containerStatuses"][0]["ready"], "the kubelet's probes pass"
    deny = {"podSelector": {"matchLabels": {"app": "friend"}}, "policyTypes": ["Egress"], "egress": []}
    probes.apply("networking.k8s.io/v1", "NetworkPolicy", "friend", deny)
    eventually(lambda: probes.run("friend", "get", f"http://{pod}:8080").returncode != 0)
    kubectl("delete", "networkpolicy", "--all", "-n", probes.namespace)
    eventually(lambda: probes.run("stranger", "get", "http://server").returncode == 0)


def test_pods_reach_the_bucket_where_their_egress_rules_name_it(probes: Probes) -> None:
    url = f"{constants.storage_url()}/storage/v1/b/{constants.BUCKET}"
    for name in ("free", "named", "other-port"):
        probes.deploy(name)
        assert probes.says(name, "get", url).startswith("200"), "no policy selects it yet"
    to_node = [{"ipBlock": {"cidr": f"{constants.BRIDGE_ADDRESS}/32"}}]
    for name, port in (("named", constants.BUCKET_PORT), ("other-port", constants.BUCKET_PORT + 1)):
        rule = {"to": to_node, "ports": [{"port": port, "protocol": "TCP"}]}
        pods = {"podSelector": {"matchLabels": {"app": name}}, "policyTypes": ["Egress"], "egress": [rule]}
        probes.apply("networking.k8s.io/v1", "NetworkPolicy", name, pods)
    eventually(lambda: probes.run("other-port", "get", url).returncode != 0)
    assert probes.says("named", "get", url).startswith("200")
    assert probes.says("free", "get", url).startswith("200")
    kubectl("delete", "networkpolicy", "--all", "-n", probes.namespace)
    eventually(lambda: probes.run("other-port", "get", url).returncode == 0)


def test_pods_talk_beside_a_firewall_that_drops_what_it_does_not_know(probes: Probes) -> None:
    cluster.stop()
    before = machine_state()
    output("iptables", "-P", "FORWARD", "DROP")  # as Docker does
    output("iptables", "-A", "INPUT", "-i", constants.BRIDGE, "-j", "DROP")  # as ufw does
    try:
        cluster.start()
        probes.deploy("server")
        probes.deploy("client")
        assert probes.says("client", "get", "http://server").startswith("200")
        assert probes.says("client", "dial", f"{constants.KUBERNETES_SERVICE}:443") == ""
        cluster.stop()
        left = [line for line in output("iptables-save").splitlines() if "tpuserve" in line.lower()]
        assert left == [f"-A INPUT -i {constants.BRIDGE} -j DROP"]
    finally:
        output("iptables", "-P", "FORWARD", "ACCEPT")
        output("iptables", "-F", "INPUT")
        output("nft", "delete", "table", "ip", "filter")
    assert machine_state() == before


def test_the_node_is_as_gke_makes_it(probes: Probes) -> None:
    node = get(f"/api/v1/nodes/{constants.NODE}")
    assert node["metadata"]["labels"].items() >= constants.NODE_LABELS.items()
    assert {"key": "google.com/tpu", "value": "present", "effect": "NoSchedule"} in node["spec"]["taints"]
    assert node["status"]["allocatable"][constants.TPU_RESOURCE] == "12", (
        "three slices in place of three nodes"
    )
    probes.deploy("first", tpu=constants.SLICE_CHIPS)
    probes.deploy("second", tpu=constants.SLICE_CHIPS)
    probes.deploy("third", tpu=constants.SLICE_CHIPS)
    probes.apply_unready("fourth", tpu=constants.SLICE_CHIPS)
    eventually(lambda: "Insufficient google.com/tpu" in json.dumps(probes.pods("fourth")))
    assert int(probes.says("first", "files")) > 1024


def test_gateway_types_are_served(started: None) -> None:
    served = get("/apis/gateway.networking.k8s.io/v1")
    kinds = {resource["kind"] for resource in served["resources"]}
    assert {"GatewayClass", "Gateway", "HTTPRoute"} <= kinds
    definition = get(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/httproutes.gateway.networking.k8s.io"
    )
    assert definition["metadata"]["annotations"]["gateway.networking.k8s.io/channel"] == "standard"


def test_anonymous_requests_see_health_only(started: None) -> None:
    with httpx.Client(verify=False, timeout=60, trust_env=False) as client:
        assert client.get(f"{constants.api_url()}/readyz").status_code == httpx.codes.OK
        for path in ("/api", "/version", "/metrics", "/api/v1/secrets"):
            assert client.get(f"{constants.api_url()}{path}").status_code == httpx.codes.UNAUTHORIZED
        kubelet = f"https://{constants.BRIDGE_ADDRESS}:{constants.KUBELET_PORT}"
        assert client.get(f"{kubelet}/pods").status_code == httpx.codes.UNAUTHORIZED


def test_the_kubelet_changes_no_other_node(started: None) -> None:
    kubeconfig = constants.pki() / "kubelet.kubeconfig"
    from tools import toolchain

    base = [str(toolchain.path("kubectl")), "--kubeconfig", str(kubeconfig)]
    own = subprocess.run([*base, "get", "node", constants.NODE], capture_output=True, text=True, check=False)
    assert own.returncode == 0, own.stderr
    other = subprocess.run(
        [*base, "label", "node", constants.NODE, "node-restriction.kubernetes.io/x=y"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is not allowed to modify labels" in other.stderr, "NodeRestriction"
    secrets = subprocess.run([*base, "get", "secrets", "-A"], capture_output=True, text=True, check=False)
    assert "Forbidden" in secrets.stderr, "RBAC and the Node authorizer"


def test_secrets_are_encrypted_in_etcd_and_only_root_reads_keys(probes: Probes) -> None:
    word = "found-in-the-clear-0123456789"
    kubectl("create", "secret", "generic", "hidden", "-n", probes.namespace, f"--from-literal=word={word}")
    kubectl("create", "configmap", "open", "-n", probes.namespace, f"--from-literal=word=open-{word}")
    files = [file for file in (paths.cluster() / "etcd").rglob("*") if file.is_file()]
    contents = b"".join(file.read_bytes() for file in files)
    assert f"open-{word}".encode() in contents, "the search finds what is not encrypted"
    assert contents.replace(f"open-{word}".encode(), b"").find(word.encode()) == -1
    assert constants.pki().stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in constants.pki().iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert constants.runtime().stat().st_mode & 0o777 == 0o700


def test_pod_security_is_available(probes: Probes) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", probes.namespace, label)
    probes.apply_unready("loose")
    events = f"/api/v1/namespaces/{probes.namespace}/events"
    eventually(lambda: "violates PodSecurity" in json.dumps(get(events)))
