"""Checks that the sidecar makes before a server gets traffic, and what nobody knows without each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Check = Literal[
    "chat",
    "stream",
    "tool_call",
    "json_schema",
    "image",
    "longest_prompt",
    "many_at_once",
    "prompts",
    "compiled",
    "cache_misses",
    "hbm",
    "ladder",
]

WITHOUT: Mapping[Check, str] = MappingProxyType(
    {
        "chat": "a server that answers no chat message gets traffic",
        "stream": "a server whose streams break gets traffic",
        "tool_call": "a server that refuses tools gets traffic",
        "json_schema": "a server whose structured output is no JSON gets traffic",
        "image": "a server that fails at images gets traffic",
        "longest_prompt": "a server that fails at its longest prompt gets traffic",
        "many_at_once": "a server that fails at engine.max_num_seqs requests at once gets traffic",
        "prompts": "wrong answers to acceptance.prompts go unnoticed",
        "compiled": "programs that compile while users wait go unnoticed",
        "cache_misses": "a compile cache that does not fit goes unnoticed",
        "hbm": "less free HBM than planned goes unnoticed",
        "ladder": "a slower release goes unnoticed, and acceptance.limits is not checked",
    }
)
"""Consequence for users when a check is off, for the preview."""
