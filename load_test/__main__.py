"""`make load-test STACK=… [LADDER=…]`: measures a stack's server under load, beside it in its cluster."""

import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from config import stack_file
from config.targets import GkeTarget, LocalTarget
from load_test import charts, cost, job, manifest
from load_test.ladders import FIXED, Ladder, choose
from load_test.results import Results, duration
from load_test.server import ACCEPTANCE, Server, SidecarSettings, ready_server, sidecar_settings
from load_test.table import table
from operate.access import Access, access
from serving.deploy import container_layout
from serving.messages.arguments import Parser
from tools.support import paths, subprocesses
from tools.support.progress import Refusal, say

SERVERS = f"app.kubernetes.io/name={container_layout.SERVER}"
FOLDER = Path("load-tests")
"""Folder of this clone that gets the charts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when every cell was measured, 1 when not, 2 for a request that is refused."""
    listed = "; ".join(f"{ladder.name}: {ladder.purpose}" for ladder in FIXED.values())
    parser = Parser(prog="make load-test", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--ladder", help=f"{ACCEPTANCE}: the ladder of acceptance (default); {listed}")
    options = parser.parse_args(arguments)
    subprocesses.end_in_order()
    cluster: Access | None = None
    try:
        cluster = _access(options.stack)
        server = ready_server(cluster.items("pods", SERVERS), options.stack)
        sidecar = sidecar_settings(
            json.loads(cluster.kubectl("get", "configmap", server.settings_map, "-o", "json"))
        )
        ladder = choose(options.ladder or _default_ladder(options.stack), server.limits, sidecar.acceptance)
        return _run(cluster, server, sidecar, ladder)
    except ValueError as mistake:
        say(f"\n{mistake}")
        return 2
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. The load test goes on in the cluster: run the same command again to follow it.")
        if cluster is not None:
            say(f"To end it: {cluster.shown} delete job {manifest.NAME}")
        return 130


def _access(stack: str) -> Access:
    """Returns the access to the stack's cluster. Raises ValueError for a stack without one, and Refusal."""
    match stack_file.read(stack, paths.REPOSITORY).target:
        case LocalTarget() | GkeTarget() as target:
            return access(stack, target)
        case other:
            raise ValueError(
                f"STACK={stack} is of kind {other.kind}, and `make load-test` starts a Job in a cluster: "
                "choose a stack on GKE or the local one, or see docs/operations-tpu-vm.md, Load test."
            )


def _default_ladder(stack: str) -> str:
    target = stack_file.read(stack, paths.REPOSITORY).target
    return "local" if isinstance(target, LocalTarget) else ACCEPTANCE


def _run(cluster: Access, server: Server, sidecar: SidecarSettings, ladder: Ladder) -> int:
    policy = json.loads(cluster.kubectl("get", "networkpolicy", container_layout.SERVER, "-o", "json"))
    objects = manifest.objects(
        server,
        ladder,
        namespace=cluster.namespace,
        sidecar=sidecar,
        # What the server may call, because that includes the bucket.
        egress=policy["spec"].get("egress", []),
    )
    say(f"-> {ladder.purpose}: {len(ladder.cells)} cells on release {server.release} of {cluster.stack}")
    job.start(cluster, objects, ladder.name)
    results = Results(cells=ladder.cells)
    job.follow(cluster, results)
    job.remove(cluster)
    _show(cluster, server, ladder, results)
    if results.rejected:
        say(f"\n{len(results.rejected)} cells are rejected: run the same command again to measure these.")
        return 1
    if sidecar.bucket is not None:
        say(f"\nResults: gs://{sidecar.bucket}/{results.object}")
    return 0


def _show(cluster: Access, server: Server, ladder: Ladder, results: Results) -> None:
    """Prints the table, and writes the charts."""
    measured = results.in_order
    if not measured:
        return
    print(table(measured, results.baseline, server.limits.max_num_seqs))
    settings = stack_file.read(cluster.stack, paths.REPOSITORY)
    for line in cost.lines(settings, measured, date.today()):
        print(line)
    spent = sum(result["seconds"] for result in measured)
    title = f"{server.model} on {cluster.stack}, release {server.release}, ladder {ladder.name}"
    assert results.run is not None
    folder = paths.REPOSITORY / FOLDER / server.release / Path(results.run).name
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in charts.charts(title, measured, results.baseline).items():
        (folder / name).write_text(text, "utf-8")
    say(f"\nMeasured in {duration(spent)}. Charts: {folder}")


if __name__ == "__main__":
    sys.exit(main())
