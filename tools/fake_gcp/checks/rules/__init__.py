"""Refusals of Google beyond types and patterns, one function for each rule, each with its public source."""

from collections.abc import Mapping
from typing import Any

from tools.fake_gcp.checks import values
from tools.fake_gcp.checks.rules import (
    common,
    container,
    data,
    groups,
    identity,
    network,
    others,
    provider,
    templates,
)
from tools.fake_gcp.checks.rules.base import RULES, Case
from tools.fake_gcp.checks.shape import Problem
from tools.fake_gcp.schema.kind import Kind

__all__ = [
    "common",
    "container",
    "data",
    "groups",
    "identity",
    "network",
    "others",
    "problems",
    "provider",
    "templates",
]


def problems(of: Kind, inputs: Mapping[str, Any], config: values.Config) -> list[Problem]:
    """Returns the sentences of all rules that these inputs break."""
    case = Case(of, inputs, config)
    return [found for tokens, rule in RULES if not tokens or of.token in tokens for found in rule(case)]
