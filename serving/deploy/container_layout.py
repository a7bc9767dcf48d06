"""Names on the cluster, and paths and ports in the server's container, the same on Kubernetes and on a VM.

They are in one module because argv, environment, volumes and probes must use the same paths and ports.
"""

NAMESPACE = "tpuserve"
SERVER = "vllm"
"""Name of the Deployment, its container and its Service."""

API_KEY = "api-key"
"""Name of the Secret with the key, and of its only entry."""

USER = 10001
"""Unprivileged user and group that pods run as, unless a stack sets `target.run_as` to root. Above 10000, so
that no user of the node has the same number."""

PORT = 8000
"""TCP port of the OpenAI-compatible endpoint, `/health` and `/metrics` (vLLM's own default)."""

LOOPBACK = "127.0.0.1"
"""Address of a sidecar on a VM, which only programs of the machine read."""

ADDRESS = "TPUSERVE_ADDRESS"
"""Variable of compose.yaml with the address on which the server listens: the VM's internal address, or by
default loopback."""

MODELS = "/models"
"""Read-only volume with one folder per model; its name is `ModelSpec.name`."""

CACHE = "/var/cache/tpuserve"
"""Writable volume that outlives the container."""

COMPILE_CACHE = f"{CACHE}/xla"
"""JAX's persistent compile cache. A local path that never changes: the path is not part of JAX's key."""

CACHE_ARCHIVES = "xla/"
"""Prefix of the compile caches' archives in the artifact bucket: `<fingerprint>.tar` from a server that
compiled, `<fingerprint>.baked.tar` from `make bake`."""

WEIGHTS = "weights/"
"""Prefix of the copies of weights in the artifact bucket: `<commit>/<model>/`."""

RECORDS = "releases/"
"""Prefix of the records of accepted releases in the artifact bucket."""

BASELINES = "baselines/"
"""Prefix of the first accepted measurements of each slice and model in the artifact bucket."""

AGENTS = "agents/"
"""Prefix of the agent's files of accepted releases in the artifact bucket, by digest."""

LOAD_TESTS = "load-tests/"
"""Prefix of the results of load tests in the artifact bucket (agent/load_test/storage.py)."""

PUBLISHED = (CACHE_ARCHIVES, RECORDS, BASELINES, AGENTS, LOAD_TESTS)
"""Prefixes below which a server may add objects, which nobody may change."""

STATUS = "/run/tpuserve-status"
"""Writable folder of one server, shared with its sidecar: the counts of the compile cache, what its restore
and publication came to, and the verdict of the acceptance."""

VERDICT_FILE = f"{STATUS}/acceptance.json"
"""File in which the sidecar writes the verdict. The guard answers `/ready` by it."""

SIDECAR = "sidecar"
"""Name of the container beside the server that accepts the release and shows metrics."""

RESTORE = "restore-cache"
"""Name of the init container that fills the compile cache."""

SIDECAR_PORT = 8001
"""TCP port of the sidecar's `/metrics` and `/acceptance`."""

LIBTPU_PORT = 8431
"""TCP port on which libtpu reports its metrics while a server runs (agent/sidecar/libtpu.py)."""

SIDECAR_FILE = "/etc/tpuserve/sidecar.json"
"""File with everything that the sidecar and the restore of the compile cache need to know."""

AGENT = "/opt/tpuserve"
"""Read-only folder on PYTHONPATH that holds the `agent` package (request guard, cache events)."""

SECRETS = "/run/tpuserve"
"""Folder of secret files; read-only, only the server's user may read them."""

API_KEY_FILE = f"{SECRETS}/api-key"
"""File with the key that clients must send; may appear or change while the server runs."""

DRAIN_FILE = f"{SECRETS}/draining"
"""While this file exists, `/health` answers 503 and all else works, so that load balancers leave first."""

CACHE_EVENTS_FILE = f"{STATUS}/cache-events.json"
"""File in which the engine writes this boot's counts of compile-cache hits and misses."""
