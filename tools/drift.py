"""Reads `pulumi preview --refresh --json` and says, as Markdown, what differs from what the program declares.

Ends with 1 when something differs. Fields that Google writes by itself, and that nobody need look at, are
left out: a report that is never empty is never read.
"""

import json
import sys
from pathlib import Path
from typing import Any

NOISE: dict[str, tuple[str, ...]] = {
    # The autoscaler owns the number of nodes, the release channel their version.
    "gcp:container/nodePool:NodePool": (
        "nodeCount",
        "initialNodeCount",
        "version",
        'nodeConfig.resourceLabels["goog-',
    ),
    "gcp:container/cluster:Cluster": ("nodePools", "nodeVersion", "minMasterVersion"),
    # The load balancer's controller notes its endpoint groups on the Service.
    "kubernetes:core/v1:Service": ('metadata.annotations["cloud.google.com/neg',),
}


def kind(urn: str) -> str:
    """The type token of a resource."""
    return urn.split("::")[2].rsplit("$", 1)[-1]


def differences(step: dict[str, Any]) -> list[str] | None:
    """Paths that differ in one step and are not noise; None when the step changes nothing worth a look."""
    if step["op"] in ("same", "read", "refresh"):
        return None
    paths = sorted(step.get("detailedDiff") or {})
    if not paths:
        return []
    quiet = NOISE.get(kind(step["urn"]), ())
    return [path for path in paths if not path.startswith(quiet)] or None


def report(preview: dict[str, Any]) -> tuple[str, bool]:
    """The report, and whether anything differs."""
    rows: list[str] = []
    for step in preview.get("steps", []):
        paths = differences(step)
        if paths is not None:
            name = step["urn"].rsplit("::", 1)[-1]
            shown = ", ".join(f"`{path}`" for path in paths) or "all of it"
            rows.append(f"| {step['op']} | {kind(step['urn'])} | {name} | {shown} |")
    if not rows:
        return "Everything is as the program declares it.\n", False
    head = ["Google has something else than the program declares. An `up` would do this:", ""]
    table = ["| step | type | name | fields |", "|---|---|---|---|", *rows]
    return "\n".join([*head, *table]) + "\n", True


def main(file: str) -> int:
    """Print the report of a preview's file."""
    text, found = report(json.loads(Path(file).read_text("utf-8")))
    print(text, end="")
    return int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
