"""Pulumi's gRPC messages without its SDK, for the programs that the CLI starts again for every command."""

import importlib.util
import sys
import types
from pathlib import Path


def leave_out_the_sdk() -> None:
    """Let `pulumi.runtime.proto` be imported without `pulumi` itself, whose import takes longest.

    Call it before the first import of `pulumi`, in a process that needs nothing else of it.
    """
    spec = importlib.util.find_spec("pulumi")
    assert spec is not None and spec.submodule_search_locations is not None
    for name, folder in (
        ("pulumi", "."),
        ("pulumi.runtime", "runtime"),
        ("pulumi.runtime.proto", "runtime/proto"),
    ):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(spec.submodule_search_locations[0], folder))]
        sys.modules[name] = package
