"""Faults under a running server, caused on purpose; `make up` recovers from all of them."""

import os
import shutil
import signal
import subprocess
import sys
import time

from local.cluster import constants
from local.commands.kubectl import kubectl
from tests.cluster.commands import Server, local, pulumi, run
from tests.cluster.test_compile_cache import pod
from tools import toolchain
from tools.support import paths

DAEMONS = ("containerd", "kubelet", "kube-apiserver", "etcd")


def answered() -> None:
    """`make up` repairs whatever was broken and ends with an answer."""
    done = local("up")
    assert done.code == 0 and done.out.strip(), done.text


def ctr(*words: str) -> str:
    """Run containerd's own client on this instance's socket."""
    done = run(str(toolchain.path("ctr")), "-a", str(constants.containerd_socket()), "-n", "k8s.io", *words)
    assert done.code == 0, done.text
    return done.out


def test_up_brings_back_a_missing_image_and_daemons_that_were_killed(server: Server) -> None:
    from local import cluster

    image = pod()["spec"]["containers"][0]["image"]
    ctr("images", "rm", "--sync", image)
    pids = {process.name: process.pid for process in cluster.status().processes}
    for name in DAEMONS:
        os.kill(pids[name] or 0, signal.SIGKILL)
    answered()
    assert image in ctr("images", "ls", "-q")


def test_up_goes_on_after_it_was_killed_in_the_middle_of_pulumi_up(server: Server) -> None:
    """The model is missing too: the server that boots at the end shows that it is back."""
    gone = pulumi("destroy", "--stack", "local", "--yes", "--skip-preview")
    assert gone.code == 0, gone.text
    assert kubectl("get", "all,pv", "-A", "-l", "app.kubernetes.io/managed-by=tpuserve").strip() == ""
    assert "tpuserve-models" not in kubectl("get", "pv,namespace", "-o", "name")
    shutil.rmtree(paths.node_data() / "models")
    victim = subprocess.Popen(
        [sys.executable, "-m", "local", "up"],
        cwd=paths.REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert victim.stderr is not None
    for line in victim.stderr:
        if line.startswith("$ pulumi up"):
            break
    deadline = time.monotonic() + 600
    while "deployment" not in kubectl("get", "deployments", "-n", "tpuserve", "-o", "name"):
        assert time.monotonic() < deadline, "pulumi up made no Deployment"
        time.sleep(0.5)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    answered()
    clean = pulumi("preview", "--stack", "local", "--expect-no-changes")
    assert clean.code == 0, clean.text
