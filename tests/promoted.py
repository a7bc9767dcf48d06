"""Files of an accepted release, as `make promote` writes them, for tests of stacks that name one."""

import json
from pathlib import Path
from typing import Any

from config.promotion import agent_file, record_file
from stacks.plan import Plan

ARCHIVE = {"name": "xla/0123456789abcdef.tar", "sha256": "c" * 64}
ACCEPTED = 1_790_000_000.5


def accepted(plan: Plan) -> dict[str, Any]:
    """Returns the record that the sidecar of an accepted server writes."""
    verdict = {"release": plan.release.name, "state": "accepted", "sentence": "All checks passed."}
    static = {"commit": None, **plan.record}
    return {**static, "archive": ARCHIVE, "accepted": ACCEPTED, "verdict": verdict}


def write(folder: Path, plan: Plan, **changes: Any) -> str:
    """Writes record and agent below `folder`, with `changes` of the record. Returns the release's name."""
    name, digest = plan.release.name, plan.release.agent_digest
    files = {
        record_file(name, folder): {**accepted(plan), **changes},
        agent_file(digest, folder): dict(plan.agent_files),
    }
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return name
