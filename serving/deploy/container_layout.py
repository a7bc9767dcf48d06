"""Names on the cluster, and paths and ports in the server's container, the same on Kubernetes and on a VM.

They are in one module because argv, environment, volumes and probes must use the same paths and ports.
"""

NAMESPACE = "tpuserve"
SERVER = "vllm"
"""Name of the Deployment, its container and its Service."""

API_KEY = "api-key"
"""Name of the Secret with the key, and of its only entry."""

USER = 1000
"""Unprivileged user and group that the server runs as and that owns its cache."""

PORT = 8000
"""TCP port of the OpenAI-compatible endpoint, `/health` and `/metrics` (vLLM's own default)."""

MODELS = "/models"
"""Read-only volume with one folder per model; its name is `ModelSpec.name`."""

CACHE = "/var/cache/tpuserve"
"""Writable volume that outlives the container."""

COMPILE_CACHE = f"{CACHE}/xla"
"""JAX's persistent compile cache. A local path that never changes: the path is not part of JAX's key."""

CACHE_ARCHIVES = "xla/"
"""Prefix of the compile caches' archives in the artifact bucket: `<fingerprint>.tar.zst` from a server that
compiled, `<fingerprint>.baked.tar.zst` from `make bake`."""

AGENT = "/opt/tpuserve"
"""Read-only folder on PYTHONPATH that holds the `agent` package (request guard, cache events)."""

SECRETS = "/run/tpuserve"
"""Folder of secret files; read-only, only the server's user may read them."""

API_KEY_FILE = f"{SECRETS}/api-key"
"""File with the key that clients must send; may appear or change while the server runs."""

DRAIN_FILE = f"{SECRETS}/draining"
"""While this file exists, `/health` answers 503 and all else works, so that load balancers leave first."""

CACHE_EVENTS_FILE = "/tmp/cache-events.json"
"""File in which the engine writes this boot's counts of compile-cache hits and misses."""
