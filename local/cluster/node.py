"""Command lines of containerd, the kubelet and kube-proxy: the node with the TPU chips of three slices."""

import json
import os
from pathlib import Path
from typing import Any

from local.cluster import constants, images, kubeconfigs, network, pki
from local.cluster.processes import Daemon
from local.cluster.system_commands import output
from tools import toolchain
from tools.support import paths

CAP_SYS_RESOURCE = 24  # linux/capability.h


def search_path() -> str:
    """Returns PATH for the node's processes: the toolchain's programs first, then the machine's own."""
    called = ("containerd", "runc", "nft", "iptables")
    folders = dict.fromkeys(str(toolchain.path(program).parent) for program in called)
    return os.pathsep.join([*folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin"])


def containerd(environment: Path | None) -> Daemon:
    """Describes the container runtime. `environment`, if given, is mounted read-only at /opt/vllm in every
    container."""
    specification = constants.configuration() / "container.json"
    configuration = constants.configuration() / "containerd.toml"
    cni = constants.configuration() / "cni"
    return Daemon(
        name="containerd",
        argv=(str(toolchain.path("containerd")), "--config", str(configuration)),
        files={
            configuration: _containerd_configuration(specification, cni),
            specification: json.dumps(_container_specification(environment), indent=1),
            cni / "10-tpuserve.conflist": network.cni_configuration(),
        },
        search_path=search_path(),
    )


def _containerd_configuration(specification: Path, cni: Path) -> str:
    # Where root cannot lower oom scores (many containers and virtual machines), runc must not try.
    restricted = not may("CapEff", CAP_SYS_RESOURCE)
    strings = {
        name: json.dumps(str(value))
        for name, value in {
            "root": paths.cluster() / "containerd",
            "state": constants.runtime() / "containerd",
            "address": constants.containerd_socket(),
            "pause": images.pause().reference,
            "plugins": toolchain.path("cni"),
            "cni": cni,
            "runc": toolchain.path("runc"),
            "runc_state": constants.runtime() / "runc",
            "specification": specification,
            "loopback": constants.LOOPBACK,
        }.items()
    }
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = {strings["root"]}
state = {strings["state"]}
[grpc]
address = {strings["address"]}
[{cri}]
sandbox_image = {strings["pause"]}
stream_server_address = {strings["loopback"]}
stream_server_port = "0"
restrict_oom_score_adj = {str(restricted).lower()}
netns_mounts_under_state_dir = true
[{cri}.cni]
bin_dir = {strings["plugins"]}
conf_dir = {strings["cni"]}
[{cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = {strings["specification"]}
[{cri}.containerd.runtimes.runc.options]
BinaryName = {strings["runc"]}
Root = {strings["runc_state"]}
SystemdCgroup = false
"""


def _container_specification(environment: Path | None) -> dict[str, Any]:
    """Returns containerd's default container, plus the node's Python environment."""
    specification: dict[str, Any] = json.loads(output(toolchain.path("ctr"), "oci", "spec"))
    # The default is 1024 open files, which a server exceeds; without the entry the node's own limit applies.
    specification["process"].pop("rlimits", None)
    if environment is not None:
        specification["mounts"].append(
            {
                "destination": constants.ENVIRONMENT_MOUNT,
                "type": "bind",
                "source": str(environment),
                "options": ["rbind", "ro", "rprivate"],
            }
        )
    return specification


def may(field: str, capability: int) -> bool:
    """Returns whether this process has a capability; `field` is a line of proc(5)'s status, such as
    CapEff."""
    status = Path("/proc/self/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in status if line.startswith(f"{field}:"))
    return bool(mask >> capability & 1)


def kubelet() -> Daemon:
    """Describes the node's agent. It registers the node with GKE's TPU labels and taint; the chips are added
    later."""
    configuration = constants.configuration() / "kubelet.json"
    resolver = constants.configuration() / "resolv.conf"
    labels = ",".join(f"{name}={value}" for name, value in constants.NODE_LABELS.items())
    return Daemon(
        name="kubelet",
        argv=(
            str(toolchain.path("kubelet")),
            f"--config={configuration}",
            f"--kubeconfig={kubeconfigs.kubeconfig('kubelet')}",
            f"--hostname-override={constants.NODE}",
            f"--node-ip={constants.BRIDGE_ADDRESS}",
            f"--node-labels={labels}",
            f"--root-dir={paths.cluster() / 'kubelet'}",
        ),
        files={configuration: json.dumps(_kubelet_configuration(resolver), indent=1), resolver: ""},
        inputs=(pki.certificate("ca"), pki.certificate("kubelet"), pki.certificate("kubelet-server")),
        search_path=search_path(),
    )


def _kubelet_configuration(resolver: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": constants.BRIDGE_ADDRESS,
        "port": constants.KUBELET_PORT,
        "healthzBindAddress": constants.LOOPBACK,
        "healthzPort": constants.KUBELET_HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.certificate("kubelet-server")),
        "tlsPrivateKeyFile": str(pki.key("kubelet-server")),
        "clusterDomain": constants.DNS_DOMAIN,
        "clusterDNS": [constants.DNS_SERVICE],
        # An empty file: pods resolve only the cluster's names, since nothing outside is reachable.
        "resolvConf": str(resolver),
        "containerRuntimeEndpoint": f"unix://{constants.containerd_socket()}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{constants.CGROUP}",
        "failCgroupV1": False,
        # Delay until a changed Secret reaches the files of a running pod; a new API key should not take
        # minutes.
        "syncFrequency": "10s",
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "seccompDefault": True,
        "registerWithTaints": [{"key": constants.TPU_RESOURCE, "value": "present", "effect": "NoSchedule"}],
        "podLogsDir": str(constants.pod_logs()),
        "volumePluginDir": str(paths.cluster() / "volume-plugins"),
        "maxPods": 60,
        # The defaults are percentages of a server's disk; a developer's disk rarely has 15 % free.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1Gi",
            "imagefs.available": "1Gi",
            "nodefs.inodesFree": "1%",
        },
        # Off: a removed image could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "oomScoreAdj": 0,
    }


def kube_proxy() -> Daemon:
    """Describes kube-proxy, which makes ClusterIPs work by nftables. NodePorts are not opened: 127.0.0.0/8
    has none in that mode."""
    configuration = constants.configuration() / "kube-proxy.json"
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": constants.BRIDGE_ADDRESS,
        "clientConnection": {"kubeconfig": str(kubeconfigs.kubeconfig("kube-proxy"))},
        "healthzBindAddress": f"{constants.LOOPBACK}:{constants.PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{constants.LOOPBACK}:{constants.PROXY_METRICS_PORT}",
        "hostnameOverride": constants.NODE,
        "clusterCIDR": constants.POD_SUBNET,
        "nodePortAddresses": ["127.0.0.0/8"],
        # Zero keeps the machine's own connection tracking limits.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
    return Daemon(
        name="kube-proxy",
        argv=(str(toolchain.path("kube-proxy")), f"--config={configuration}"),
        files={configuration: json.dumps(settings, indent=1)},
        inputs=(pki.certificate("kube-proxy"),),
        search_path=search_path(),
        # kube-proxy 1.34 assumes that a chain from an earlier run is filled because it exists, although that
        # run may have emptied it to delete it later (epChainSkipUpdate). Connections would then be refused
        # permanently.
        before_launch=network.remove_service_rules,
    )
