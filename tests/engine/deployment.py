"""The project itself, with its own stack files, deployed by the real CLI to the pretended Google."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from local import paths
from tests.inventory.recorder import deployable, stack_config
from tests.standin.install import install
from tests.standin.program import Program

LINKED = ("Pulumi.yaml", "__main__.py", "agent", "components", "local", "serving", "stacks", ".venv")


@dataclass
class Deployment(Program):
    """A folder with this checkout's program; stacks are made from their files, `stack` is in use."""

    config: dict[str, Any] = field(default_factory=lambda: {"project": "inventory-project"})
    stack: str = "dev"

    def __post_init__(self) -> None:
        for name in ("program", "backend", "google"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        install(self.folder / "home")
        for name in LINKED:
            (self.folder / "program" / name).symlink_to(paths.REPOSITORY / name)

    def add(self, stack: str, changes: Mapping[str, Any]) -> None:
        """Make a stack from its file, with changes of single keys, and use it."""
        self.stack = stack
        self.good("stack", "init", stack)
        self.change(changes)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Write the stack's file anew: as in the repository, with these keys changed; None takes one out."""
        config: dict[str, Any] = {
            key: yaml.safe_load(value) for key, value in deployable(stack_config(self.stack)).items()
        }
        config |= {f"tpuserve:{key}": value for key, value in changes.items()}
        kept = {key: value for key, value in config.items() if value is not None}
        file = self.folder / "program" / f"Pulumi.{self.stack}.yaml"
        document = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
        file.write_text(yaml.safe_dump({**(document or {}), "config": kept}), "utf-8")

    def use(self, stack: str) -> None:
        """Go on with another stack that was made before."""
        self.stack = stack
        self.good("stack", "select", stack)
