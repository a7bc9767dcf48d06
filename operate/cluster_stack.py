"""Commands for a stack in Kubernetes: on GKE, on the local cluster, or on another cluster."""

import base64
import functools
import json

from config.targets import GkeTarget, LocalTarget
from local import cluster
from local.commands import client
from operate import collect, secret, tunnel
from operate.access import Access, access
from operate.diagnosis import Finding, of_cluster
from operate.diagnosis.evidence import is_true
from serving.deploy import container_layout
from tools.support import chat, host
from tools.support.progress import Refusal, say

CONTAINERS = (container_layout.SERVER, container_layout.SIDECAR, container_layout.RESTORE)
WEIGHTS = "weights"
TAIL = ("--tail", "200")


class ClusterStack:
    """One stack in Kubernetes."""

    def __init__(self, stack: str, target: LocalTarget | GkeTarget, *, with_key: bool) -> None:
        self._stack, self._target, self._with_key = stack, target, with_key
        self._is_local = isinstance(target, LocalTarget) and target.kubeconfig is None
        """True for the cluster of `make up`, whose programs run on this machine."""

    def status(self) -> str:
        """Returns the nodes with TPUs and the server's pods; of the local cluster its programs too."""
        objects = ("get", "pods,service,pdb", "-o", "wide")
        if self._is_local:
            programs = cluster.status()
            return f"{programs}\n{self._access.kubectl(*objects) if programs.healthy else ''}"
        labels = ("-l", "cloud.google.com/gke-tpu-topology", "-L", "cloud.google.com/gke-tpu-topology")
        reached = self._access
        nodes = reached.kubectl("get", "nodes", *labels)
        return f"{nodes or 'no TPU node'}\n{reached.kubectl(*objects)}"

    def logs(self, component: str) -> str:
        """Returns the end of a container's log, of the weights Job's, or of one of the local programs'.

        Raises Refusal for another component.
        """
        labels = ("-l", collect.SERVERS, "--prefix")
        if component in CONTAINERS:
            prefix = labels if component != container_layout.SERVER else labels[:2]
            return self._access.kubectl("logs", *prefix, "-c", component, *TAIL)
        if self._is_local:
            return cluster.logs(component)
        if component == WEIGHTS:
            return self._access.kubectl("logs", "-l", "app.kubernetes.io/name=weights", *TAIL)
        raise Refusal(
            f"A stack in Kubernetes has no component {component!r}: choose one of "
            f"{', '.join((*CONTAINERS, WEIGHTS))}."
        )

    def ask(self, prompt: str, max_tokens: int) -> None:
        """Prints the answer to one chat message as it comes. Raises Refusal."""
        if self._is_local:
            _print(client.server(), prompt, max_tokens)
            return
        reached = self._access
        pods = reached.items("pods", collect.SERVERS)
        ready = [pod["metadata"]["name"] for pod in pods if is_true(pod, "Ready")]
        if not ready:
            raise Refusal(f"No server of {self._stack} is ready: run `make why STACK={self._stack}`.")
        port = tunnel.free_port()
        words = ("port-forward", "--address", tunnel.LOOPBACK, f"pod/{ready[0]}")
        command = (*reached.kubectl_words, "-n", reached.namespace, *words, f"{port}:{container_layout.PORT}")
        key = self._key(reached)
        with tunnel.opened(command, [port], reached.login):
            _print(chat.Server(self._stack, f"http://{tunnel.LOOPBACK}:{port}", key), prompt, max_tokens)

    def why(self) -> tuple[list[Finding], str]:
        """Returns what each stage came to, and the sentence with the cause. Raises Refusal."""
        return of_cluster(collect.evidence(self._access, local=self._is_local))

    def is_rolled_out(self) -> bool:
        """Returns whether every server that the Deployment wants is of its newest template and available.

        The comparison is that of `kubectl rollout status`. Raises Refusal.
        """
        words = ("get", "deployment", container_layout.SERVER, "-o", "json")
        deployment = json.loads(self._access.kubectl(*words))
        wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
        counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
        seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        return seen and counts == {wanted}

    def rotate_key(self) -> None:
        """Sets a new API key, which the running servers take. Raises Refusal."""
        if isinstance(self._target, GkeTarget):
            secret.add(self._stack, self._target)
            say(
                "A new API key is set. Within two minutes the servers take it and reject the old key; then "
                "disable the secret's older versions."
            )
        elif self._is_local:
            host.require_kind()
            client.set_key()
            say("A new API key is set. The server rejects the old key as soon as it sees the new one.")
        else:
            raise Refusal(
                f"STACK={self._stack} is in a cluster of your own: put the key into its Secret "
                f"{container_layout.API_KEY} with kubectl (README, Another cluster)."
            )

    @functools.cached_property
    def _access(self) -> Access:
        return access(self._stack, self._target)

    def _key(self, reached: Access) -> str | None:
        """Returns the API key; None when clients need none."""
        if not self._with_key:
            return None
        if isinstance(self._target, GkeTarget):
            return secret.read(self._stack, self._target)
        name = container_layout.API_KEY
        text = reached.kubectl("get", "secret", name, "-o", "json", "--ignore-not-found")
        return base64.b64decode(json.loads(text)["data"][name]).decode() if text.strip() else None


def _print(server: chat.Server, prompt: str, max_tokens: int) -> None:
    for piece in server.ask(prompt, max_tokens):
        print(piece, end="", flush=True)
    print()
