"""Which engine a command is about: a phase with a scenario, or a stack's configuration file."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

from config.stack_file import PREFIX, config_value, configuration, yaml_value
from serving.compilation import proofs
from serving.compilation.proofs import Proof
from serving.engine.config import EngineConfig
from serving.engine.phases import DEFAULT_PHASE, PHASES, SCENARIOS, engine_for
from serving.hardware.accelerators import ACCELERATORS, DEFAULT_ACCELERATOR, Accelerator, accelerator
from serving.messages.suggest import nearest
from serving.models.catalog import MODELS, model
from serving.models.spec import ModelSpec
from serving.startup.timeouts import DEFAULT_LONGEST_REQUEST_SECONDS


@dataclass(frozen=True)
class Selection:
    """One engine on one slice, and the name that selected it; `image` where a stack names one."""

    name: str
    accelerator: Accelerator
    model: ModelSpec
    engine: EngineConfig
    longest_request_seconds: int
    image: str | None = None

    @cached_property
    def proof(self) -> Proof | None:
        """What the compiler said of this engine on this slice. Raises ValueError when its file is broken."""
        return proofs.of(self.accelerator, self.model, self.engine)


def from_settings(name: str, settings: Mapping[str, object]) -> Selection:
    """From the keys model, model_revision, accelerator, phase, scenario, engine, image and
    longest_request_seconds; others are not looked at. A model that is not named is the phase's.
    Raises ValueError, one sentence a line."""
    phase = str(settings.get("phase", DEFAULT_PHASE))
    scenario = settings.get("scenario")
    overrides = settings.get("engine", {})
    if not isinstance(overrides, Mapping):
        raise ValueError("engine is not a set of names and values; write it as YAML, not as text.")
    engine = engine_for(
        phase, None if scenario is None else str(scenario), cast(Mapping[str, object], overrides)
    )
    spec = model(str(settings.get("model", PHASES[phase].model)))
    revision, image = (settings.get(key) for key in ("model_revision", "image"))
    return Selection(
        name=name,
        accelerator=accelerator(str(settings.get("accelerator", DEFAULT_ACCELERATOR))),
        model=spec if revision is None else replace(spec, revision=str(revision)),
        image=None if image is None else str(image),
        engine=engine,
        longest_request_seconds=_seconds(
            settings.get("longest_request_seconds", DEFAULT_LONGEST_REQUEST_SECONDS)
        ),
    )


def _seconds(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(
            f"longest_request_seconds is {value}, which is no whole number of seconds; set it to one, such "
            f"as {DEFAULT_LONGEST_REQUEST_SECONDS}."
        ) from None


def from_stack(stack: str, folder: Path) -> Selection:
    """From `folder`/Pulumi.<stack>.yaml. Raises ValueError when there is no such file, with the ones that
    there are, or when its configuration is wrong."""
    file = folder / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        stacks = sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml"))
        near = nearest(stack, stacks)
        advice = f"the nearest is {near}" if near else "choose one of them"
        raise ValueError(f"stack {stack!r} has no file {file.name}: there are {', '.join(stacks)}; {advice}.")
    settings = {
        key.removeprefix(PREFIX): config_value(value)
        for key, value in configuration(file).items()
        if key.startswith(PREFIX)
    }
    target = settings.get("target")
    if isinstance(target, Mapping) and cast(Mapping[str, object], target).get("kind") == "foundation":
        raise ValueError(f"stack {stack!r} is a foundation and serves nothing; name a stack with an engine.")
    return from_settings(stack, settings)


def from_name(name: str, folder: Path) -> Selection:
    """From `phase`, `phase+scenario`, `stack:NAME`, or a stack's name that is no phase."""
    if name.startswith("stack:"):
        return from_stack(name.removeprefix("stack:"), folder)
    phase, plus, scenario = name.partition("+")
    if plus or phase in PHASES or not (folder / f"Pulumi.{phase}.yaml").is_file():
        return from_settings(name, {"phase": phase, "scenario": scenario if plus else None})
    return from_stack(name, folder)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that name one engine; `from_options` reads them."""
    parser.add_argument("--stack", help="read Pulumi.STACK.yaml")
    parser.add_argument("--phase", help=f"one of {', '.join(PHASES)} (default {DEFAULT_PHASE})")
    parser.add_argument("--scenario", help=f"laid over --phase: {', '.join(SCENARIOS)}")
    parser.add_argument("--accelerator", help=f"with --phase: {', '.join(ACCELERATORS)}")
    parser.add_argument("--model", help=f"with --phase: {', '.join(MODELS)}")
    parser.add_argument(
        "--set",
        action="append",
        dest="engine",
        metavar="FIELD=VALUE",
        help="with --phase: an engine field over it, its value in YAML",
    )


_NAMES = ("compare", "stack", "phase", "scenario", "accelerator", "model", "engine")


def from_options(options: argparse.Namespace, folder: Path) -> list[Selection]:
    """What `add_options` took in, with the stacks in `folder`: one engine, or those of --compare where a
    command has it. Raises ValueError for names that go not together, and as the others here do."""
    given = {name: value for name in _NAMES if (value := getattr(options, name, None)) is not None}
    for whole in ("compare", "stack"):
        if whole in given and len(given) > 1:
            other = next(name for name in given if name != whole)
            raise ValueError(
                f"--{'set' if other == 'engine' else other} was given beside --{whole}, which names a whole "
                f"engine; use one of them."
            )
    if "compare" in given:
        return [from_name(name, folder) for name in given["compare"]]
    if "stack" in given:
        return [from_stack(given["stack"], folder)]
    phase, words = given.get("phase", DEFAULT_PHASE), given.get("engine", [])
    name = "+".join([phase, *([given["scenario"]] if "scenario" in given else [])])
    named = [given[key] for key in ("model", "accelerator") if key in given]
    return [
        from_settings(" ".join([name, *named, *words]), {**given, "phase": phase, "engine": overrides(words)})
    ]


def overrides(words: Sequence[str]) -> dict[str, object]:
    """Engine fields from FIELD=VALUE words, the values in YAML. Raises ValueError for a word without `=`, or
    with a mistake in its YAML."""
    result: dict[str, object] = {}
    for word in words:
        field, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--set {word} has no value; write --set {word}=VALUE.")
        try:
            result[field.removeprefix("engine.")] = yaml_value(value)
        except ValueError as reason:
            raise ValueError(
                f"--set {field} has a value that is not YAML ({reason}); mend it, or write text in quotes."
            ) from None
    return result
