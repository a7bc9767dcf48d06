"""Access to the cluster of a stack: which kubectl, which kubeconfig, and which namespace."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.targets import GkeTarget, LocalTarget
from local import interface
from operate import outputs
from serving.deploy import container_layout
from tools import toolchain
from tools.support import atomic_file, paths, subprocesses
from tools.support.progress import Refusal

PLUGIN = "gke-gcloud-auth-plugin"
"""Program with which kubectl logs in to GKE, named by the kubeconfig (components/gcp/kubeconfig.py)."""


@dataclass(frozen=True)
class Access:
    """One stack's cluster. `login` is the advice when it cannot be reached."""

    stack: str
    kubectl_words: tuple[str, ...]
    namespace: str
    login: str

    @property
    def shown(self) -> str:
        """Returns the beginning of a kubectl command for this cluster and namespace, as a user types it."""
        return " ".join((*self.kubectl_words, "-n", self.namespace))

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """Runs kubectl and returns its standard output; `given` is its standard input. Raises Refusal."""
        command = [*self.kubectl_words, "--namespace", self.namespace, *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
            raise Refusal(f"kubectl {words[0]} failed for {self.stack} ({reason}): {self.login}.")
        return done.stdout

    def items(self, kind: str, selector: str) -> list[dict[str, Any]]:
        """Returns the objects of a kind that have the labels. Raises Refusal."""
        return json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]

    def lines(self, *words: str) -> Iterator[str]:
        """Yields the lines that kubectl prints while it runs; how it ends is not reported."""
        command = [*self.kubectl_words, "--namespace", self.namespace, *words]
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        with started as child, subprocesses.ended(child):
            assert child.stdout is not None
            yield from child.stdout


def access(stack: str, target: LocalTarget | GkeTarget) -> Access:
    """Returns the access to a stack's cluster. Raises Refusal when the stack is not up, or a program is
    missing."""
    if isinstance(target, LocalTarget):
        kubeconfig, context = target.kubeconfig or str(interface.kubeconfig()), ("--context", target.context)
        namespace, login = (
            container_layout.NAMESPACE,
            "`make status` shows the cluster, and `make up` starts it",
        )
        if target.kubeconfig is not None:
            login = f"check context {target.context} in {target.kubeconfig}"
    else:
        kubeconfig, context = str(_kubeconfig(stack)), ()
        namespace = f"tpuserve-{stack}"
        login = (
            "run `gcloud auth login` as somebody who may use the cluster (roles/container.developer; "
            "docs/operations.md, Find a fault)"
        )
    kubectl = (str(toolchain.path("kubectl")), "--kubeconfig", kubeconfig, *context)
    return Access(stack=stack, kubectl_words=kubectl, namespace=namespace, login=login)


def _kubeconfig(stack: str) -> Path:
    """Writes the kubeconfig in a stack's outputs, which holds no credential, and returns its file.

    The file stays, because messages name commands that use it. Raises Refusal.
    """
    if shutil.which(PLUGIN) is None:
        raise Refusal(
            f"STACK={stack} is on GKE, and kubectl logs in there with {PLUGIN}, which is not on PATH: run "
            f"`gcloud components install {PLUGIN}`."
        )
    file = paths.kubeconfigs() / f"{stack}.json"
    atomic_file.write(file, outputs.required(stack, "kubeconfig"))
    return file
