"""The bridge between pods and the API server, and the cluster's other network state in the kernel.

Nothing global is switched on: forwarding and netfilter on bridged frames are set only for the bridge. So pods
reach each other, Services and the API server. They reach nothing outside this machine, and nothing outside
reaches them.
"""

import ipaddress
import json
from pathlib import Path

from local.cluster import constants
from local.cluster.system_commands import attempt, output
from tools.support.progress import Refusal

POLICY_CHAIN = "TPUSERVE-POLICIES"
# Tables of kube-proxy and kube-network-policies: (family, name). The names are upstream's, so the tables
# belong to this cluster only while its processes run; preflight.py refuses to start beside another
# Kubernetes.
SERVICE_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
POLICY_TABLE = ("inet", "kube-network-policies")
CNI_RESULTS = Path("/var/lib/cni/results")  # fixed in libcni
MANGLE = ("-w", "-t", "mangle")
QUEUE = ("-j", "NFQUEUE", "--queue-num", str(constants.POLICY_QUEUE))
TO_BUCKET = (
    *("-i", constants.BRIDGE, "-d", constants.BRIDGE_ADDRESS, "-p", "tcp"),
    *("--dport", str(constants.BUCKET_PORT), "-m", "conntrack", "--ctstate", "NEW"),
    *QUEUE,
)
PASSAGE = (
    ("FORWARD", ("-i", constants.BRIDGE, "-o", constants.BRIDGE, "-j", "ACCEPT")),
    ("INPUT", ("-i", constants.BRIDGE, "-j", "ACCEPT")),
)


def cni_configuration() -> str:
    """Returns the CNI network list: every pod is a port of the bridge, with an address from host-local.

    `isGateway` is left out, because with it the plugin switches on the machine's global forwarding; `ensure`
    gives the bridge its address instead. portmap is left out too: a hostPort would listen on every address.
    """
    ipam = {
        "type": "host-local",
        "dataDir": str(constants.cni_state()),
        "ranges": [[{"subnet": constants.POD_SUBNET, "gateway": constants.BRIDGE_ADDRESS}]],
        "routes": [{"dst": "0.0.0.0/0", "gw": constants.BRIDGE_ADDRESS}],
    }
    bridge = {"type": "bridge", "bridge": constants.BRIDGE, "hairpinMode": True, "ipam": ipam}
    return json.dumps({"cniVersion": "0.4.0", "name": constants.CNI_NETWORK, "plugins": [bridge]}, indent=1)


def ensure() -> bool:
    """Create the bridge with its address and settings if needed. Returns whether it had to be created.

    Raises Refusal when another interface of this machine already has the pods' or Services' addresses.
    """
    created = not Path(f"/sys/class/net/{constants.BRIDGE}").exists()
    if created:
        refuse_overlap()
        output("ip", "link", "add", constants.BRIDGE, "type", "bridge")
    # Policies and Services act on IP packets; without this setting, frames between two pods would bypass
    # them.
    output("ip", "link", "set", constants.BRIDGE, "type", "bridge", "nf_call_iptables", "1")
    Path(f"/proc/sys/net/ipv4/conf/{constants.BRIDGE}/forwarding").write_text("1")
    ipv6 = Path(f"/proc/sys/net/ipv6/conf/{constants.BRIDGE}/disable_ipv6")
    if ipv6.exists():
        ipv6.write_text("1")
    prefix = ipaddress.ip_network(constants.POD_SUBNET).prefixlen
    output("ip", "address", "replace", f"{constants.BRIDGE_ADDRESS}/{prefix}", "dev", constants.BRIDGE)
    output("ip", "link", "set", constants.BRIDGE, "up")
    # With this route, this machine reaches ClusterIPs even without a default route, and sends nothing for
    # them to a real network.
    output(
        "ip",
        "route",
        "replace",
        constants.SERVICE_SUBNET,
        "dev",
        constants.BRIDGE,
        "src",
        constants.BRIDGE_ADDRESS,
    )
    return created


def refuse_overlap() -> None:
    """Refuse to use addresses that this machine already routes elsewhere. Raises Refusal."""
    for route in json.loads(output("ip", "-json", "-4", "route", "show", "table", "all")):
        try:
            taken = ipaddress.ip_network(route["dst"])
        except ValueError:  # "default"
            continue
        for needed in (constants.POD_SUBNET, constants.SERVICE_SUBNET):
            if taken.prefixlen > 1 and taken.overlaps(ipaddress.ip_network(needed)):
                raise Refusal(
                    f"The local cluster needs the addresses {needed}, but this machine routes {taken} to "
                    f"{route.get('dev', 'another network')}: take that network down while the cluster runs."
                )


def ensure_policy_queue() -> None:
    """Send new connections through kube-network-policies where its own rules do not.

    Its rules are in POSTROUTING, which a packet to this machine does not pass. On GKE the bucket is outside
    the node and a policy decides about it, so new connections from pods to the bucket are queued in INPUT.

    Its rules are nftables `queue` rules. A kernel without CONFIG_NFT_QUEUE rejects them as a whole, and
    traffic between pods would pass unchecked. On such a kernel, iptables' NFQUEUE target (xt_NFQUEUE) does
    the same. The rules are upstream's: root's own traffic (probes) and established connections pass,
    everything else is checked.
    """
    if attempt("nft", "list", "table", "ip", "mangle").returncode != 0:
        _mangle_is_ours().touch()
    if attempt("iptables", *MANGLE, "-C", "INPUT", *TO_BUCKET).returncode != 0:
        output("iptables", *MANGLE, "-A", "INPUT", *TO_BUCKET)
    if _nftables_can_queue():
        return
    rules = (
        "-m owner --uid-owner 0 -j RETURN",
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        f"-d {constants.POD_SUBNET} {' '.join(QUEUE)}",
    )
    lines = ("*mangle", f":{POLICY_CHAIN} -", *(f"-A {POLICY_CHAIN} {rule}" for rule in rules), "COMMIT", "")
    # One transaction, so that a repeated start leaves no gap.
    output("iptables-restore", "-w", "--noflush", given="\n".join(lines))
    if attempt("iptables", *MANGLE, "-C", "POSTROUTING", "-j", POLICY_CHAIN).returncode != 0:
        output("iptables", *MANGLE, "-A", "POSTROUTING", "-j", POLICY_CHAIN)


def ensure_passage() -> None:
    """Let the bridge's traffic pass this machine's own iptables rules, if any of them filter.

    Docker and ufw, for example, drop unknown traffic, and frames between pods pass those rules too.
    """
    for chain, rule in PASSAGE:
        exists = attempt("nft", "list", "chain", "ip", "filter", chain).returncode == 0
        if exists and attempt("iptables", "-w", "-C", chain, *rule).returncode != 0:
            output("iptables", "-w", "-I", chain, *rule)


def _mangle_is_ours() -> Path:
    return constants.runtime() / "mangle-table-is-ours"


def _nftables_can_queue() -> bool:
    rules = "add table inet tpuserve-probe\nadd chain inet tpuserve-probe c\n"
    rules += f"add rule inet tpuserve-probe c queue num {constants.POLICY_QUEUE}\n"
    # Check only (-c): the kernel validates the transaction and keeps nothing of it.
    return attempt("nft", "-c", rules).returncode == 0


def remove_service_rules() -> None:
    """Remove kube-proxy's rules; existing connections continue."""
    for family, name in SERVICE_TABLES:
        attempt("nft", "delete", "table", family, name)


def remove() -> None:
    """Remove every link, rule, table and file of this cluster; ignore what does not exist."""
    remove_service_rules()
    attempt("nft", "delete", "table", *POLICY_TABLE)
    for chain, rule in PASSAGE:
        attempt("iptables", "-w", "-D", chain, *rule)
    attempt("iptables", *MANGLE, "-D", "INPUT", *TO_BUCKET)
    attempt("iptables", *MANGLE, "-D", "POSTROUTING", "-j", POLICY_CHAIN)
    attempt("iptables", *MANGLE, "-F", POLICY_CHAIN)
    attempt("iptables", *MANGLE, "-X", POLICY_CHAIN)
    if _mangle_is_ours().exists():
        rules = output("iptables", *MANGLE, "-S").splitlines()
        if all(rule.startswith("-P ") and rule.endswith(" ACCEPT") for rule in rules):
            attempt("nft", "delete", "table", "ip", "mangle")
        _mangle_is_ours().unlink()
    for link in json.loads(output("ip", "-json", "link", "show", "type", "veth") or "[]"):
        if link.get("master") == constants.BRIDGE:
            attempt("ip", "link", "delete", link["ifname"])
    attempt("ip", "link", "delete", constants.BRIDGE)
    for result in CNI_RESULTS.glob(f"{constants.CNI_NETWORK}-*"):
        container = result.name.removeprefix(f"{constants.CNI_NETWORK}-").removesuffix("-eth0")
        (CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
        result.unlink(missing_ok=True)
