"""Settings of a server's sidecar: what it accepts, measures, publishes and records.

The sidecar (agent/sidecar) and the restore of the compile cache (agent/compile_cache) read them as one JSON
file.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from config.acceptance import longest_answer, longest_prompt
from config.settings import Settings
from config.targets import TpuVmTarget
from serving.deploy import baked_cache, container_layout
from stacks.plan import Plan


def sidecar_settings(
    settings: Settings, plan: Plan, bucket: str | None, commit: str | None, key_secret: str | None
) -> dict[str, object]:
    """Returns the content of container_layout.SIDECAR_FILE; without a bucket nothing is restored or kept.

    `commit` is the version of this repository that brings the release. `key_secret` is the secret of the API
    key in Secret Manager, as in projects/P/secrets/S; None where the key is not in one.
    """
    engine = plan.candidate.engine
    return {
        "record": {"commit": commit, **plan.record},
        "server": {
            "model": plan.candidate.model.name,
            "max_model_len": engine.max_model_len,
            "max_num_seqs": engine.max_num_seqs,
            "images": plan.candidate.runtime.multimodal,
        },
        "acceptance": _acceptance(settings, plan),
        "store": None if bucket is None else _store(settings, plan, bucket),
        "cache_folder": container_layout.COMPILE_CACHE,
        "status_folder": container_layout.STATUS,
        "api_key_file": container_layout.API_KEY_FILE if settings.authentication == "api-key" else None,
        "api_key_secret": key_secret,
    }


def text(content: Mapping[str, object]) -> str:
    """Returns the file's text."""
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def digest(settings: Settings, plan: Plan) -> str:
    """Returns eight hexadecimal digits that depend on everything but bucket, commit and secret."""
    content = text(sidecar_settings(settings, plan, "", None, None))
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def commit() -> str | None:
    """Returns the commit of this repository; None outside of one, or without git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _acceptance(settings: Settings, plan: Plan) -> dict[str, object]:
    """Returns the acceptance with a ladder that the engine can climb."""
    engine, asked = plan.candidate.engine, settings.acceptance
    ladder = asked.ladder
    return {
        **asked.model_dump(mode="json"),
        "ladder": {
            "concurrency": [each for each in ladder.concurrency if each <= engine.max_num_seqs],
            "prompt_tokens": min(ladder.prompt_tokens, longest_prompt(engine)),
            "output_tokens": min(ladder.output_tokens, longest_answer(engine)),
        },
        "deadline_seconds": plan.lifecycle.acceptance_seconds,
    }


def _store(settings: Settings, plan: Plan, bucket: str) -> dict[str, object]:
    """Returns the names of the objects. A promoted release restores only the archive of its record."""
    own = f"{container_layout.CACHE_ARCHIVES}{plan.fingerprint.digest}.tar"
    tries_baked = isinstance(settings.target, TpuVmTarget) and settings.target.baked_cache
    slice_, model = plan.release.accelerator, plan.candidate.model.name
    return {
        "bucket": bucket,
        "archive": plan.archive.name if plan.archive else own,
        "sha256": plan.archive.sha256 if plan.archive else None,
        "baked": baked_cache.name(plan.fingerprint) if tries_baked else None,
        "publish": not plan.accepted,
        "baseline": f"{container_layout.BASELINES}{slice_}/{model}.json",
        "record": f"{container_layout.RECORDS}{plan.release.name}.json",
        "agent": f"{container_layout.AGENTS}{plan.release.agent_digest}.json",
    }
