"""A machine with Google's side around it, and the metadata that a stack's instance template would give it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent import agent_files, bundle, vm
from config.settings import Settings
from local.image import constants
from serving.deploy import collector, compose, container_layout, systemd_units, vm_boot
from serving.deploy.access import access_environment
from serving.deploy.release import Release
from serving.deploy.vm_boot import Boot
from serving.startup.timeouts import Lifecycle
from stacks import sidecar_settings as planned_sidecar
from stacks.plan import plan
from tests.tpu_vm import cloud, machine
from tests.tpu_vm.machine import ADDRESS, Machine, wait_for
from tests.tpu_vm.supplies import certificates, image

CANARY = "canary-key-9f3c1d"
"""The clients' key; if it is found anywhere but in memory, it has leaked."""

SECRET = "projects/p/secrets/tpuserve-api-key-dev/versions/latest"
BUCKET = "p-tpuserve"
REVISION = "0123abc"
MODEL = "m"
NAMESPACE = "tpuserve-dev"
"""Label of the metrics that a collector sends."""
PART = 64 * 2**20
CACHE = "xla/0123456789abcdef.tar"
IMAGE = "us-east5-docker.pkg.dev/p/tpuserve-images/vllm/vllm-tpu"
REPOSITORY = Path(__file__).resolve().parents[2]
ACCESS = access_environment(require_api_key=True, allowed_origins=())

# The local stack's timeouts, shortened where a boot waits for them: these tests check the chain, not its
# lengths.
LIFECYCLE = Lifecycle(
    startup_period_seconds=10,
    startup_failure_threshold=60,
    liveness_period_seconds=3,
    liveness_failure_threshold=3,
    readiness_period_seconds=5,
    readiness_failure_threshold=2,
    probe_timeout_seconds=5,
    engine_ready_timeout_seconds=600,
    pre_stop_seconds=3,
    shutdown_timeout_seconds=20,
    drain_seconds=23,
    termination_grace_seconds=53,
    progress_deadline_seconds=610,
    acceptance_seconds=60,
)


LEAVE_SECONDS = 3


class Lab:
    """One machine, one cloud. `real` runs vLLM itself instead of tests/tpu_vm/server.py."""

    def __init__(self, folder: Path, tree: Path, environment: Path, *, disk_bytes: int, real: bool) -> None:
        self.cloud = folder / "cloud"
        self.cloud.mkdir(parents=True)
        self.machine = Machine(folder, tree, environment, disk_bytes)
        authority = certificates(self.cloud / "tls")
        digest = image(self.cloud / "image", real=real)
        self.image = f"{IMAGE}@{digest}"
        self._furnish(authority, tree)
        self._server = subprocess.Popen(
            [
                *machine.DIES_WITH_THE_TEST,
                "nsenter",
                f"--net=/run/netns/{self.machine.name}",
                sys.executable,
                "-m",
                "tests.tpu_vm.cloud",
                str(self.cloud),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=(folder / "cloud.log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        wait_for(lambda: (self.cloud / "serving").exists(), 120)

    def _furnish(self, authority: str, tree: Path) -> None:
        names = " ".join(cloud.API_NAMES)
        hosts = f"127.0.0.1 localhost\n{cloud.METADATA_ADDRESS} metadata.google.internal\n"
        self.machine.write("/etc/hosts", f"{hosts}{cloud.API_ADDRESS} {names}\n")
        trusted = (tree / "etc/ssl/certs/ca-certificates.crt").read_text()
        self.machine.write("/etc/ssl/certs/ca-certificates.crt", trusted + authority)
        self.machine.write("/etc/systemd/system/google-startup-scripts.service", machine.STARTUP_UNIT)
        self.machine.write("/usr/local/bin/node-runtime", machine.RUNTIME, 0o755)
        docker = {"runtimes": {"node": {"path": "/usr/local/bin/node-runtime"}}, "default-runtime": "node"}
        # No bridge: loopback is the machine's only network, and the server uses the host's network anyway.
        docker.update({"bridge": "none", "iptables": False})
        self.machine.write("/etc/docker/daemon.json", json.dumps(docker))

    def secret(self, value: str | None) -> None:
        """Set the key in Secret Manager, or remove it."""
        file = self.cloud / "secrets" / SECRET.replace("/", "+")
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        if value is not None:
            file.write_text(value)

    def stage(self, model: str, files: Mapping[str, bytes] | Path) -> None:
        """Put a model's files into the bucket."""
        folder = self.cloud / "objects" / BUCKET / "weights" / REVISION / model
        if isinstance(files, Path):
            shutil.copytree(files, folder, ignore=shutil.ignore_patterns(".*"))
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)

    def archive(self, data: bytes, name: str = CACHE) -> None:
        """Put a compile cache's archive into the bucket."""
        file = self.cloud / "objects" / BUCKET / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)

    def faults(self, **faults: Any) -> None:
        """Set what goes wrong on Google's side from now on."""
        (self.cloud / "faults.json").write_text(json.dumps(faults))

    def template(
        self,
        release: Release,
        *,
        model: str,
        token: str = cloud.TOKEN,
        lifecycle: Lifecycle = LIFECYCLE,
        sidecar: dict[str, Any] | None = None,
        baked: str | None = None,
        collected: bool = False,
        **changes: Any,
    ) -> str:
        """Set the instance's metadata as the stack's template would; returns the script.

        `sidecar` are the settings of the sidecar, by default a short acceptance. `baked` is the name of a
        baked cache to try. `collected` adds the collector of metrics.
        """
        script = vm_boot.script(
            replace(
                Boot(
                    release=release.name,
                    image=release.image,
                    disk=vm_boot.data_disk(),
                    secret=SECRET,
                    bucket=BUCKET,
                    model=model,
                    weights=f"weights/{REVISION}/{model}/",
                    budget=lifecycle.engine_ready_timeout_seconds,
                    acceptance=lifecycle.acceptance_seconds,
                ),
                **changes,
            )
        )
        files = {
            "compose.yaml": compose.compose(release, lifecycle, sidecar=True, collected=collected),
            "vllm.env": compose.env_file({**dict(release.environment), **ACCESS}),
            **systemd_units.units(release.name, lifecycle, LEAVE_SECONDS, collected=collected),
            **{f"boot/{path}": text for path, text in vm.files().items()},
        }
        if collected:
            files[collector.CONFIG] = collector.config(release.name, NAMESPACE)
        agent = {f"agent/{path}": text for path, text in bundle.files().items()}
        settings = sidecar or sidecar_settings(release, model, lifecycle)
        if baked:
            settings["store"]["baked"] = baked
        metadata = {
            "attributes": {
                "startup-script": script,
                "tpuserve-files": json.dumps(files),
                "tpuserve-agent": json.dumps(agent),
                "tpuserve-sidecar": json.dumps({compose.SIDECAR_SETTINGS: json.dumps(settings)}),
            },
            "service-accounts": {
                "default": {"token": {"access_token": token, "expires_in": 3000}, "email": "vm@p.iam"}
            },
            "network-interfaces": {"0": {"ip": ADDRESS}},
        }
        (self.cloud / "metadata.json").write_text(json.dumps(metadata))
        return script

    def requests(self) -> list[dict[str, str]]:
        """Returns the requests that Google's side received so far."""
        log = self.cloud / "requests.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def forget_requests(self) -> None:
        """Clear the record of requests."""
        (self.cloud / "requests.jsonl").unlink(missing_ok=True)

    def inside(self, *words: str) -> list[str]:
        """Returns a command line that runs in the machine's network only, with the host's programs."""
        return ["nsenter", f"--net=/run/netns/{self.machine.name}", *words]

    def close(self) -> None:
        """End everything."""
        self.machine.scrap()
        self._server.terminate()
        self._server.wait(120)
        for part in ("image", "objects"):
            shutil.rmtree(self.cloud / part, ignore_errors=True)


def simple_release(image: str, model: str) -> Release:
    """Returns the parts of a release that the stand-in server's command line needs."""
    return Release(
        image=image,
        model=model,
        accelerator="v6e-4",
        engine_argv=(
            "vllm",
            "serve",
            f"{container_layout.MODELS}/{model}",
            "--port",
            str(container_layout.PORT),
        ),
        workload_argv=(
            "--additional-config",
            '{"sharding":{"price":"$5"}}',
            "--shutdown-timeout",
            "20",
        ),
        environment=(
            ("PYTHONPATH", container_layout.AGENT),
            ("START_SECONDS", "1"),
            ("TPUSERVE_CACHE_EVENTS_FILE", container_layout.CACHE_EVENTS_FILE),
            ("TPUSERVE_JSON", '{"a": [1, "b"]}'),
            ("TPUSERVE_VERDICT_FILE", container_layout.VERDICT_FILE),
        ),
        agent_digest=agent_files.digest(bundle.files()),
    )


def sidecar_settings(release: Release, model: str, lifecycle: Lifecycle) -> dict[str, Any]:
    """Returns settings of a sidecar that asks the stand-in server two chats."""
    off = ("stream", "tool_call", "json_schema", "image", "longest_prompt", "many_at_once", "ladder")
    return {
        "record": {
            "release": release.name,
            "image": release.image,
            "model": model,
            "revision": REVISION,
            "accelerator": release.accelerator,
            "argv": release.argv(ADDRESS),
            "environment": dict(release.environment),
            "agent": release.agent_digest,
            "fingerprint": "0123456789abcdef",
        },
        "server": {"model": model, "max_model_len": 1024, "max_num_seqs": 4, "images": False},
        "acceptance": {
            "off": [*off, "hbm"],
            "prompts": [{"prompt": "What is the capital of France?", "expect": ["Paris"]}],
            "limits": {"time_to_first_token_ms": None, "time_between_tokens_ms": None},
            "ladder": {"concurrency": [1], "prompt_tokens": 16, "output_tokens": 2},
            "tolerance": 0.5,
            "deadline_seconds": lifecycle.acceptance_seconds,
        },
        "store": store(release),
        "cache_folder": container_layout.COMPILE_CACHE,
        "status_folder": container_layout.STATUS,
        "api_key_file": container_layout.API_KEY_FILE,
        "api_key_secret": None,
    }


def store(release: Release) -> dict[str, Any]:
    """Returns the names of a release's objects in the bucket."""
    return {
        "bucket": BUCKET,
        "archive": CACHE,
        "sha256": None,
        "baked": None,
        "publish": True,
        "baseline": f"baselines/{release.accelerator}/{MODEL}.json",
        "record": f"releases/{release.name}.json",
        "agent": f"agents/{release.agent_digest}.json",
    }


def vllm_release(image: str) -> tuple[Release, Lifecycle, dict[str, Any]]:
    """Returns the real server of the local stack, the tiny model with tensor parallel 4 on virtual devices,
    and the settings of its sidecar."""
    settings = Settings.parse(
        {
            "target": {"kind": "local"},
            "model": constants.MODEL_NAME,
            "accelerator": "local-v6e-4",
            "engine": {"max_model_len": 1024, "max_num_seqs": 16, "max_num_batched_tokens": 512},
            "longest_request_seconds": 60,
            # As in Pulumi.local.yaml: tests beside this one take the processors.
            "acceptance": {
                "tolerance": 99,
                "ladder": {"concurrency": [1, 4], "prompt_tokens": 64, "output_tokens": 8},
            },
        }
    )
    resolved = plan(settings, image)
    sidecar = planned_sidecar.sidecar_settings(settings, resolved, BUCKET, None, None)
    return resolved.release, resolved.lifecycle, {**sidecar, "store": store(resolved.release)}


def furnish(lab: Lab) -> Lab:
    """Set key, weights and template, and switch the power on."""
    lab.secret(CANARY)
    lab.stage(MODEL, {"model.safetensors": b"w" * (3 * PART + 5), "config.json": b"{}"})
    lab.template(simple_release(lab.image, MODEL), model=MODEL)
    lab.machine.start()
    return lab


def first_lines(streams: Sequence[subprocess.Popen[str]]) -> list[str]:
    """Returns the first line of each stream, once all of them have one."""
    assert all(stream.stdout is not None for stream in streams)
    return [stream.stdout.readline() for stream in streams if stream.stdout is not None]


def stages(lab: Lab) -> dict[str, dict[str, object]]:
    return lab.machine.status["stages"]  # pyright: ignore[reportReturnType]
