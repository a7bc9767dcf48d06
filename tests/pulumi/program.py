"""Pulumi program of a single test, as data, run by the real CLI against the fake cloud.

Importing the gcp SDK costs each command seconds, and its classes only carry names; so these programs register
the same resources by type token. `tests/pulumi/test_standin_sdk.py` shows that the SDK does the same.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests import cli, warm_python
from tools.fake_gcp.cloud import store
from tools.fake_gcp.cloud.console import Console
from tools.fake_gcp.install import install
from tools.fake_gcp.schema import sdk

MAIN = """
import json
import re
from pathlib import Path

import pulumi

VERSION, RESOURCES, PROVIDER = json.loads(Path("program.json").read_text())
made = {}


class Provider(pulumi.ProviderResource):
    def __init__(self):
        super().__init__("gcp", "google", PROVIDER, pulumi.ResourceOptions(version=VERSION))


def resolve(value):
    if isinstance(value, str) and (found := re.fullmatch(r"\\$\\{(\\w+)\\}", value)):
        return made[found[1]].id
    if isinstance(value, dict) and set(value) == {"secret"}:
        return pulumi.Output.secret(value["secret"])
    if isinstance(value, dict):
        return {name: resolve(item) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve(item) for item in value]
    return value


class Thing(pulumi.CustomResource):
    def __init__(self, token, name, props, options):
        super().__init__(token, name, props, options)


provider = Provider()
for name, (token, props, options) in RESOURCES.items():
    after = [made[other] for other in options.pop("depends_on", ())]
    times = {key: pulumi.CustomTimeouts(**options.pop(key)) for key in ("custom_timeouts",) if key in options}
    made[name] = Thing(
        token,
        name,
        resolve(props),
        pulumi.ResourceOptions(provider=provider, version=VERSION, depends_on=after, **times, **options),
    )
"""


@dataclass
class Program:
    """One project with one stack in `folder`; `resources` maps a name to type, inputs and options.

    An input `${net}` is the id of the resource `net`; `{"secret": "x"}` marks a value as secret.
    """

    folder: Path
    config: dict[str, Any] = field(default_factory=lambda: {"project": "acme-tpu-prod", "region": "us-east5"})
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("program", "backend", "google"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        install(self.folder / "home")
        runtime = {"name": "python", "options": {"virtualenv": ".venv", "toolchain": "pip"}}
        self._put("Pulumi.yaml", yaml.safe_dump({"name": "standin", "runtime": runtime}))
        self._put("__main__.py", MAIN)
        (self.folder / "program" / ".venv").symlink_to(warm_python.environment())
        self.pulumi("stack", "init", "test")

    def _put(self, name: str, text: str) -> None:
        (self.folder / "program" / name).write_text(text, encoding="utf-8")

    @property
    def console(self) -> Console:
        """Returns a console for changes behind the program's back."""
        return Console(self.folder / "google", self.config["project"])

    def write(self, resources: dict[str, tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
        """Make these the program's resources, registered in this order."""
        self._put("program.json", json.dumps([sdk.version(), resources, self.config]))

    def pulumi(self, *words: str) -> tuple[int, str]:
        """Run the CLI; return its exit code, and its output with the provider's messages."""
        state = {store.VARIABLE: str(self.folder / "google")}
        return cli.run(
            ["pulumi", *words, "--non-interactive", "--color=never"],
            self.folder / "program",
            {**cli.apart(self.folder), **state, **self.variables},
        )

    def good(self, *words: str) -> str:
        """Run the CLI and return its output; fails the test when the command does."""
        code, shown = self.pulumi(*words)
        assert code == 0, shown
        return shown

    def bad(self, *words: str) -> str:
        """Run the CLI and return its output; fails the test when the command does not."""
        code, shown = self.pulumi(*words)
        assert code != 0, shown
        return shown

    def up(self) -> str:
        """Run `pulumi up`, which must succeed."""
        return self.good("up", "--yes", "--skip-preview")

    def state(self) -> dict[str, dict[str, Any]]:
        """Returns the resources in Pulumi's state, by name."""
        exported = json.loads(self.good("stack", "export"))
        return {item["urn"].split("::")[-1]: item for item in exported["deployment"].get("resources", [])}
