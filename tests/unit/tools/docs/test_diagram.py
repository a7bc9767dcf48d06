"""The picture of the architecture: condensed from a stack's graph, and of the stacks as they are now."""

import pytest

from tests.inventory.golden import golden
from tools.docs.diagram import PICTURE, SERVING, Condensed

ROOT = "urn:pulumi:prod::tpuserve::pulumi:pulumi:Stack::tpuserve-prod"
URN = "urn:pulumi:prod::tpuserve::{}"
GRAPH = "\n".join(
    [
        "strict digraph {",
        f'    R0 [label="{ROOT}"];',
        *(
            f'    R{number} [label="{URN.format(urn)}"];'
            for number, urn in enumerate(
                (
                    "tpuserve:gcp:Network::net",
                    "tpuserve:gcp:Network$gcp:compute/network:Network::net-vpc",
                    "tpuserve:gcp:Pool::a",
                    "tpuserve:gcp:Pool$gcp:container/nodePool:NodePool::a-pool",
                    "tpuserve:gcp:Pool::b",
                    "tpuserve:gcp:Pool$gcp:container/nodePool:NodePool::b-pool",
                    "kubernetes:core/v1:Namespace::space",
                    "pulumi:providers:gcp::google",
                ),
                start=1,
            )
        ),
        *(
            f'    R{one} -> R{other} [color = "#AA6639"];'
            for one, other in ((1, 0), (2, 1), (3, 0), (4, 3), (5, 0), (6, 5), (7, 0), (8, 0))
        ),
        '    R2 -> R4 [color = "#246C60", label = "network"];',
        '    R4 -> R7 [color = "#246C60"];',
        '    R6 -> R7 [color = "#246C60"];',
        '    R2 -> R7 [color = "#246C60"];',
        "}",
    ]
)


def test_resources_become_components_and_what_is_implied_goes() -> None:
    found = Condensed.of(GRAPH)
    assert found.edges == {("Network", "Pool"), ("Pool", "Namespace")}
    assert {name: (box.names, dict(box.kinds)) for name, box in found.boxes.items()} == {
        "Network": ({"net"}, {"Network": 1}),
        "Pool": ({"a", "b"}, {"NodePool": 2}),
        "Namespace": ({"space"}, {"Namespace": 1}),
    }
    assert [name for name, box in found.boxes.items() if box.in_kubernetes] == ["Namespace"]


def test_components_that_need_each_other_both_ways_are_drawn() -> None:
    text = GRAPH.replace("\n}", '\n    R7 -> R2 [color = "#246C60"];\n}')
    assert {name for edge in Condensed.of(text).edges for name in edge} <= {"Network", "Pool", "Namespace"}


@pytest.mark.parametrize("stack", ["foundation", SERVING])
def test_every_component_is_in_the_picture(stack: str) -> None:
    plan = golden(stack)
    kinds = {key.split("::")[0] for key, entry in plan["resources"].items() if "parent" not in entry}
    components = {kind.rsplit(":", 1)[1] for kind in kinds if kind.startswith("tpuserve:")}
    assert components
    drawn = PICTURE.read_text("utf-8")
    assert [name for name in sorted(components) if f">{name}<" not in drawn] == [], "run `make diagram`"
