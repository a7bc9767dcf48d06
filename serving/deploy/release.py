"""A release: everything that decides what a running server is, and the short name that follows from it.

The engine config, the model and the accelerator go in; the exact argv and environment of the container
come out, the same for Kubernetes and for a VM. The name is a hash of all of it, so two plans with the
same name are the same server. What differs between the environments of one release is in `access.py`.
"""

import hashlib
import json
from dataclasses import dataclass

from serving.compilation.candidate import Candidate
from serving.deploy import container_layout
from serving.startup.timeouts import Lifecycle

EVERY_ADDRESS = "0.0.0.0"
"""Address on which a server listens in a pod, where only the address of the pod leads to it."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One immutable version of the server. `name` is 8 hexadecimal digits.

    `engine_argv` is the engine's own part of the command line, `workload_argv` what the workload adds to it.
    The address on which the server listens belongs to where it runs, so `argv` takes it.
    """

    image: str
    model: str
    accelerator: str
    engine_argv: tuple[str, ...]
    workload_argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    agent_digest: str

    def argv(self, host: str) -> tuple[str, ...]:
        """Returns the container's command line for a server that listens on the address `host`."""
        return (*self.engine_argv, "--host", host, *self.workload_argv)

    @property
    def name(self) -> str:
        """Short hash over every field; part of physical names (fits DNS labels)."""
        content = {
            "image": self.image,
            "model": self.model,
            "accelerator": self.accelerator,
            "argv": self.argv(EVERY_ADDRESS),
            "environment": self.environment,
            "agent_digest": self.agent_digest,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def weights_name(model: str, revision: str | None) -> str:
    """Returns the name of a model with the commit of its weights, if it has one."""
    return model if revision is None else f"{model}@{revision}"


def release(
    candidate: Candidate,
    *,
    image: str,
    lifecycle: Lifecycle,
    agent_digest: str,
) -> Release:
    """Render the container's argv and environment around the engine's own.

    What is added here belongs to the workload, not to the engine: the request guard and the cache-event
    counter of `agent/`, the timeouts, the paths of `serving.deploy.container_layout`, and
    loading the model without asking a hub.
    """
    model, engine = candidate.model, candidate.engine
    environment = {
        **engine.environment(),
        # No image need know our user: PyTorch asks for its name while it is imported, and ends the server
        # if neither these variables nor /etc/passwd have it (getpass.getuser); caches go below the home.
        "HOME": "/tmp",
        "USER": container_layout.SERVER,
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": container_layout.AGENT,
        "TPUSERVE_CACHE_EVENTS_FILE": container_layout.CACHE_EVENTS_FILE,
        "TPUSERVE_VERDICT_FILE": container_layout.VERDICT_FILE,
        "VLLM_ENGINE_READY_TIMEOUT_S": str(lifecycle.engine_ready_timeout_seconds),
        "VLLM_XLA_CACHE_PATH": container_layout.COMPILE_CACHE,
    }
    if engine.allowed_media_domains:
        # Read by the guard (agent/server/media.py).
        environment["TPUSERVE_ALLOWED_MEDIA_DOMAINS"] = ",".join(engine.allowed_media_domains)
        environment["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] = "0"
        # vLLM waits 5 s, 20 s and 80 s for a host that never answers; one attempt waits 5 s.
        environment["VLLM_MEDIA_FETCH_MAX_RETRIES"] = "1"
    if engine.speculative is not None:
        # Read by the guard, which then refuses constrained requests (agent/server/request_rules.py).
        environment["TPUSERVE_DRAFTS"] = "1"
    return Release(
        image=image,
        model=weights_name(model.name, model.revision),
        accelerator=candidate.accelerator.name,
        engine_argv=engine.argv(f"{container_layout.MODELS}/{model.name}", model.name, container_layout.PORT),
        workload_argv=(
            "--middleware",
            "agent.server.guard.Guard",
            "--shutdown-timeout",
            str(lifecycle.shutdown_timeout_seconds),
        ),
        environment=tuple(sorted(environment.items())),
        agent_digest=agent_digest,
    )
