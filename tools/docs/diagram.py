"""`make diagram`: docs/architecture.svg, drawn from the graphs that `pulumi stack graph` writes.

The foundation is deployed to the fake Google Cloud; prod's graph is that of its plan, put into a state
of its own. Both are condensed to components, because all resources at once are a hairball.
"""

import html
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import toolchain
from tools.bench.bare import UNKNOWN
from tools.fake_gcp import preview_backend
from tools.support import paths, progress
from tools.support.progress import Refusal, say

SERVING = "prod"
PICTURE = paths.REPOSITORY / "docs" / "architecture.svg"
NODE = re.compile(r'^\s*(\w+) \[label="(.+)"\];$')
EDGE = re.compile(r'^\s*(\w+) -> (\w+) \[color = "(#\w+)"[^]]*\];$')
PARENT = "#AA6639"
"""Color of the CLI's parent edges, child to parent; the others go from what is needed to what needs it."""

STYLE = """
    rankdir=TB; compound=true; nodesep=0.22; ranksep=0.32; fontname="Helvetica"; fontsize=13;
    node [shape=box, style="rounded,filled", fillcolor=white, color="#5f6368", fontname="Helvetica",
          fontsize=11, margin="0.12,0.06"];
    edge [color="#5f6368", arrowsize=0.7];
"""
KUBERNETES = "kubernetes"
REFERENCE = "StackReference"
MOST_NAMES = 4


@dataclass
class Box:
    """One node of the picture: all components of one type in one stack, or resources that have none."""

    title: str
    names: set[str] = field(default_factory=set[str])
    kinds: dict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    in_kubernetes: bool = False

    def label(self) -> str:
        """Title, whose they are when there are several, and what is inside, as Graphviz' HTML."""
        several = f" &#215; {len(self.names)}" if len(self.names) > 1 else ""
        lines = [f"<b>{html.escape(self.title)}</b>{several}"]
        if several:
            named = sorted(self.names)
            more = ", …" if len(named) > MOST_NAMES else ""
            lines.append(f"<i>{', '.join(named[:MOST_NAMES])}{more}</i>")
        inside = [f"{kind} &#215; {n}" if n > 1 else kind for kind, n in sorted(self.kinds.items())]
        inside = [] if [*self.kinds] == [self.title] else inside
        lines += [", ".join(inside[at : at + 3]) for at in range(0, len(inside), 3)]
        return f"<{'<br/>'.join(lines)}>"


@dataclass
class Condensed:
    """The boxes of one stack and the edges between them, without those that others imply."""

    boxes: dict[str, Box]
    edges: set[tuple[str, str]]

    @classmethod
    def of(cls, text: str) -> "Condensed":
        """From what `pulumi stack graph` writes."""
        urns = {found[1]: found[2] for line in text.splitlines() if (found := NODE.match(line))}
        edges = [found.groups() for line in text.splitlines() if (found := EDGE.match(line))]
        parents = {one: other for one, other, color in edges if color == PARENT}

        def top(node: str) -> str:
            while _kind(urns[parents[node]]) != "pulumi:pulumi:Stack":
                node = parents[node]
            return node

        boxes: dict[str, Box] = {}
        where: dict[str, str] = {}
        for node in parents:
            above = urns[top(node)]
            kind, own = _kind(above), _kind(urns[node])
            if kind == "pulumi:providers:gcp":
                continue
            where[node] = _title(kind)
            box = boxes.setdefault(where[node], Box(where[node]))
            box.names.add(above.rsplit("::", 1)[1])
            if not own.startswith("tpuserve:"):
                box.kinds[_title(own)] += 1
            box.in_kubernetes |= own.startswith("kubernetes:")
        needs = {
            (where[one], where[other])
            for one, other, color in edges
            if color != PARENT and one in where and other in where and where[one] != where[other]
        }
        return cls(boxes, _reduced(needs))


def _kind(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


def _title(kind: str) -> str:
    return f"{KUBERNETES} provider" if kind == "pulumi:providers:kubernetes" else kind.rsplit(":", 1)[1]


def _reduced(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without every edge that a longer way implies."""
    after: dict[str, set[str]] = defaultdict(set)
    for one, other in edges:
        after[one].add(other)

    def beyond(start: str) -> set[str]:
        """All that is reached from a box, itself only where there is a way back."""
        found: set[str] = set()
        ahead = [*after[start]]
        while ahead:
            if (step := ahead.pop()) not in found:
                found.add(step)
                ahead += after[step]
        return found

    return {
        (one, other)
        for one, other in edges
        if not any(other in beyond(step) for step in after[one] - {other})
    }


def picture(foundation: Condensed, serving: Condensed) -> str:
    """The whole of it in Graphviz' language."""

    def boxes(prefix: str, chosen: dict[str, Box]) -> str:
        return "\n".join(f'"{prefix}{name}" [label={box.label()}];' for name, box in sorted(chosen.items()))

    google = {name: box for name, box in serving.boxes.items() if not box.in_kubernetes}
    inside = {name: box for name, box in serving.boxes.items() if box.in_kubernetes}
    google.pop(REFERENCE)
    bridge = {REFERENCE: Box("StackReference: outputs of a foundation")}
    boundary = 'style=dashed; color="{}"; penwidth=1.6; margin=14; labeljust=l;'
    edges = [
        *(f'"f.{one}" -> "f.{other}";' for one, other in sorted(foundation.edges)),
        *(f'"s.{one}" -> "s.{other}";' for one, other in sorted(serving.edges)),
        # From the boundary, not from a box: a state does not say what a stack's outputs are made of.
        f'"f.{max(foundation.boxes)}" -> "s.{REFERENCE}" [ltail=cluster_foundation, style=bold];',
        f'"s.{KUBERNETES} provider" -> "s.Namespace" [lhead=cluster_kubernetes, style=bold];',
    ]
    return "\n".join(
        [
            "digraph {",
            STYLE,
            "subgraph cluster_foundation {",
            'label="stack foundation: outlives every serving stack";' + boundary.format("#1a73e8"),
            boxes("f.", foundation.boxes),
            "}",
            boxes("s.", bridge),
            "subgraph cluster_serving {",
            f'label="stack {SERVING}: one serving stack";' + boundary.format("#188038"),
            boxes("s.", google),
            "subgraph cluster_kubernetes {",
            'label="in its cluster";' + boundary.format("#9aa0a6"),
            boxes("s.", inside),
            "}",
            "}",
            *edges,
            "}",
        ]
    )


def main() -> int:
    """Draw; 1 and a sentence when something is missing."""
    try:
        toolchain.ensure("pulumi")
        with progress.exclusive("offline"):
            fake_cloud = preview_backend.ensure(preview_backend.foundations())
            drawn = picture(*graphs(fake_cloud))
    except Refusal as refusal:
        say(f"\n{refusal}")
        return 1
    try:
        done = subprocess.run(["dot", "-Tsvg"], input=drawn, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        say("Drawing needs Graphviz, and there is no `dot` on PATH: install the package graphviz.")
        return 1
    PICTURE.write_text(done.stdout, "utf-8")
    print(PICTURE.relative_to(paths.REPOSITORY))
    return 0


def graphs(fake_cloud: preview_backend.FakeCloud) -> tuple[Condensed, Condensed]:
    """Of the foundation and of the serving stack. Raises Refusal when the CLI fails."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = preview_backend.FakeCloud(Path(folder))
        plan = json.loads(
            fake_cloud.pulumi(
                *("preview", "--stack", SERVING, "--json"),
                *("--config-file", str(fake_cloud.stack_file(SERVING))),
                folder=paths.REPOSITORY,
            )
        )
        project = scratch.stack_file(SERVING).parent
        chosen = ("--stack", SERVING)
        state = json.loads(scratch.pulumi("stack", "export", *chosen, folder=project))
        state["deployment"]["resources"] = [_made(step["newState"]) for step in plan["steps"]]
        scratch.pulumi("stack", "import", *chosen, folder=project, given=json.dumps(state))
        states = [step["newState"] for step in plan["steps"]]
        # organization/project/stack
        [name] = [state["inputs"]["name"] for state in states if _title(state["type"]) == REFERENCE]
        return (
            _graph(fake_cloud, name.rsplit("/", 1)[1], fake_cloud.folder / "project", Path(folder)),
            _graph(scratch, SERVING, project, Path(folder)),
        )


def _made(planned: dict[str, Any]) -> dict[str, Any]:
    """A planned resource as if it were there: a plan lacks ids, and the engine's own provider."""
    if not planned["custom"]:
        return planned
    made = {**planned, "id": planned.get("id") or UNKNOWN}
    return made if made["type"] != f"pulumi:pulumi:{REFERENCE}" else {**made, "provider": ""}


def _graph(where: preview_backend.FakeCloud, stack: str, project: Path, folder: Path) -> Condensed:
    file = folder / f"{stack}.dot"
    where.pulumi("stack", "graph", str(file), "--stack", stack, folder=project)
    return Condensed.of(file.read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
