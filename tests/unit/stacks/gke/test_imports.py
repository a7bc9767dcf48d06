"""Modules that a GKE stack loads: its previews spend most of their time on imports."""

import subprocess
import sys

LOADED = "import sys, stacks.gke; print(*(name for name in sys.modules if name.startswith('pulumi_gcp.')))"


def test_a_gke_stack_does_not_load_the_compute_package() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "pulumi_gcp.container.node_pool" in loaded
    assert [name for name in loaded if name.startswith("pulumi_gcp.compute.")] == []
