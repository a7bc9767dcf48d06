"""Parts of a rule, which is a generator over a Case, registered for its types."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.fake_gcp.checks import values
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kind import UNKNOWN, Kind, at


@dataclass(frozen=True)
class Case:
    """Inputs of one resource under a provider's configuration."""

    kind: Kind
    inputs: Mapping[str, Any]
    config: values.Config

    def get(self, path: str, default: Any = None) -> Any:
        """Returns the known value at `a.b`; the default where it is not set or not known yet."""
        value = at(self.inputs, path)
        return default if value is None or value == UNKNOWN else value

    def given(self, *paths: str) -> list[str]:
        """Returns those of the paths that are set, known or not."""
        return [path for path in paths if at(self.inputs, path) not in (None, [], {})]

    def variable(self, name: str) -> str:
        """Returns project, region, zone or location; empty where it is not known."""
        value = values.variables(self.kind, self.inputs, self.config).get(name)
        return "" if value in (None, UNKNOWN) else str(value)


V6E_ZONES = {
    # Letters of the zones with v6e, for the regions of the page's US table and two more that it names:
    # https://cloud.google.com/tpu/docs/regions-zones. Other regions are not checked.
    "us-central1": "b",
    "us-east1": "d",
    "us-east4": "ab",
    "us-east5": "abc",
    "us-west1": "c",
    "europe-west4": "a",
    "asia-northeast1": "b",
}


def v6e_zone(machine: str, path: str, zone: Any) -> Iterator[Problem]:
    """Refuse a v6e machine in a zone that is known to have none, in Compute Engine's own words."""
    region, _, letter = str(zone).split("/")[-1].rpartition("-")
    # The page lists no AI zones (us-central1-ai1a), so those are not checked.
    listed = region in V6E_ZONES and len(letter) == 1
    if machine.startswith(("ct6e-", "v6e-")) and listed and letter not in V6E_ZONES[region]:
        there = ", ".join(f"{region}-{each}" for each in V6E_ZONES[region])
        yield path, f"Machine type {machine} does not exist in zone {zone}; in this region it is in {there}."


Rule = Callable[[Case], Iterator[Problem]]
RULES: list[tuple[tuple[str, ...], Rule]] = []


def rule(*tokens: str) -> Callable[[Rule], Rule]:
    """Register a rule for types; for all of them when none is named."""

    def register(function: Rule) -> Rule:
        RULES.append((tokens, function))
        return function

    return register


def exactly_one(case: Case, *paths: str) -> Iterator[Problem]:
    """Refuse anything but exactly one of several inputs."""
    given = case.given(*paths)
    if len(given) != 1:
        found = " and ".join(given) or "none"
        yield (
            given[-1] if given else paths[0],
            f"{case.kind.token} takes exactly one of {', '.join(paths)}; set: {found}.",
        )


def network(text: Any) -> ipaddress.IPv4Network | None:
    """Returns an IPv4 range such as 10.0.0.0/20; None for anything else (also when host bits are set)."""
    try:
        return ipaddress.IPv4Network(text) if "/" in text else None
    except (ValueError, TypeError):
        return None
