"""Which engine a command is about: a phase with a scenario, or a stack's configuration file."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from config.acceptance import acceptance_problems
from config.chat_template import with_chat_template
from config.checks import problems, refuse
from config.provisioning import node_wait_seconds, price_lists
from config.settings import Settings
from config.spot_findings import pod_stop_seconds
from config.stack_file import read
from config.stack_findings import stack_findings
from config.stack_text import yaml_value
from config.targets import FoundationTarget, GkeTarget, TpuVmTarget
from config.traffic.verdict import Verdict, verdict
from serving.compilation import proofs
from serving.compilation.candidate import Candidate
from serving.deploy.release import Release, release
from serving.engine.layers import Layers
from serving.engine.phases import DEFAULT_PHASE, PHASES, SCENARIOS, engine_for, named_phase
from serving.findings import Finding, findings
from serving.hardware.accelerators import ACCELERATORS, DEFAULT_ACCELERATOR, accelerator
from serving.hardware.regions import Provisioning
from serving.memory.budget import budget
from serving.models.catalog import MODELS, model
from serving.startup import cold_start
from serving.startup.cold_start import ColdStart
from serving.startup.timeouts import DEFAULT_LONGEST_REQUEST_SECONDS, Lifecycle, lifecycle


@dataclass(frozen=True)
class Selection:
    """A candidate without a proof, and the name that selected it."""

    name: str
    candidate: Candidate
    settings: Settings | None = None
    """All settings of a stack; None for a phase."""

    @cached_property
    def proved(self) -> Candidate:
        """The candidate with its committed proof. Raises ValueError when the proof's file is broken."""
        return proofs.with_proof(self.candidate)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Findings about the proved candidate, errors first, then those about the stack's other settings."""
        if self.settings is None:
            return findings(self.proved)
        found = settings_findings(self.settings, self.proved)
        if any(finding.severity == "error" for finding in found) or self.load_verdict is None:
            return found
        return (*found, *self.load_verdict.findings)

    @cached_property
    def load_verdict(self) -> Verdict | None:
        """The verdict on the stack's expected load; None for a stack without one.

        Raises ValueError for an engine whose KV cache cannot be computed.
        """
        if self.settings is None or self.settings.expected_load is None:
            return None
        pages = budget(self.proved).pool.pages
        return verdict(self.settings.expected_load, self.proved, pages, self.settings.replicas)

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """The timeouts of the stack's server, or those of a server with a stack file's defaults."""
        estimate = cold_start.estimate(self.candidate)
        if self.settings is None:
            return lifecycle(estimate, DEFAULT_LONGEST_REQUEST_SECONDS)
        return lifecycle_of(self.settings, estimate)


def settings_findings(settings: Settings, proved: Candidate) -> tuple[Finding, ...]:
    """Returns the findings about a stack's engine, errors first, and about its other settings.

    A server has shown what a promoted release does: today's model of its engine must not stop a rollback, and
    nobody can change it in the stack file.
    """
    of_engine = () if settings.promotion else findings(proved)
    return (*of_engine, *stack_findings(settings))


def candidate_of(settings: Settings) -> Candidate:
    """Returns what a stack's settings describe, without a proof.

    Raises ValueError, one sentence a line, also for an acceptance that this engine could not honor.
    """
    candidate = settings.promotion.record.candidate if settings.promotion else _described(settings)
    refuse(acceptance_problems(settings.acceptance, candidate.engine))
    return candidate


def _described(settings: Settings) -> Candidate:
    return Candidate(
        accelerator=accelerator(settings.accelerator),
        model=settings.model_spec,
        engine=engine_for(settings.phase, settings.scenario, settings.engine),
        layers=Layers(settings.phase, settings.scenario, settings.engine, "stack file"),
    )


def lifecycle_of(settings: Settings, estimate: ColdStart) -> Lifecycle:
    """Returns the timeouts of a stack's server, with the wait for capacity of its target.

    The environment of a promoted release holds the engine's ready timeout, which the probes have to allow.
    """
    ready = settings.promotion.record.ready_timeout_seconds if settings.promotion else None
    target = settings.target
    wait = node_wait_seconds(target.capacity) if isinstance(target, GkeTarget | TpuVmTarget) else 0
    return lifecycle(estimate, settings.longest_request_seconds, wait, ready, pod_stop_seconds(settings))


def release_of(
    settings: Settings, candidate: Candidate, *, image: str, lifecycle: Lifecycle, agent_digest: str
) -> Release:
    """Returns the promoted release, or the one that the stack file and the agent's files describe."""
    if settings.promotion is not None:
        return settings.promotion.record.server
    return release(candidate, image=image, lifecycle=lifecycle, agent_digest=agent_digest)


def from_settings(name: str, settings: Settings) -> Selection:
    """Returns the engine that a stack's settings describe. Raises ValueError, one sentence a line."""
    return Selection(name, candidate_of(settings), settings)


def from_phase(
    name: str,
    *,
    phase: str = DEFAULT_PHASE,
    scenario: str | None = None,
    accelerator_name: str = DEFAULT_ACCELERATOR,
    model_name: str | None = None,
    engine: Mapping[str, object] = MappingProxyType({}),
) -> Selection:
    """Returns the engine of a phase, with a scenario and single fields laid over it.

    A model that is not named is the phase's. Raises ValueError, one sentence a line.
    """
    config = engine_for(phase, scenario, engine)
    return Selection(
        name=name,
        candidate=Candidate(
            accelerator=accelerator(accelerator_name),
            model=model(model_name or named_phase(phase).model),
            engine=config,
            layers=Layers(phase, scenario, engine, "--set"),
        ),
    )


def from_stack(stack: str, folder: Path) -> Selection:
    """Returns the engine of `folder`/Pulumi.<stack>.yaml, checked as `pulumi preview` checks it.

    Raises ValueError, one sentence a line: for a file that does not exist or is wrong, for a foundation, and
    for what could not work on its target.
    """
    return from_settings(stack, serving_settings(stack, folder))


def serving_settings(stack: str, folder: Path) -> Settings:
    """Returns the settings of a stack that serves. Raises ValueError as `from_stack` does."""
    settings = read(stack, folder)
    if isinstance(settings.target, FoundationTarget):
        raise ValueError(f"stack {stack!r} is a foundation and serves nothing; name a stack with an engine.")
    refuse(problems(settings, placeholders=True))
    return settings


def from_name(name: str, folder: Path) -> Selection:
    """From `phase`, `phase+scenario`, `stack:NAME`, or a stack's name that is no phase."""
    if name.startswith("stack:"):
        return from_stack(name.removeprefix("stack:"), folder)
    phase, plus, scenario = name.partition("+")
    if plus or phase in PHASES or not (folder / f"Pulumi.{phase}.yaml").is_file():
        return from_phase(name, phase=phase, scenario=scenario if plus else None)
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


def add_price_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command that shows a slice's price; `price_list` reads them."""
    parser.add_argument("--region", help="for the price (default: the stack's, or us-east5)")
    parser.add_argument(
        "--provisioning", choices=get_args(Provisioning), help="(default: the stack's, or on-demand)"
    )


def price_list(options: argparse.Namespace, selection: Selection | None = None) -> tuple[str, Provisioning]:
    """Returns the region and the provisioning model of a price: what the options name, else the stack's.

    A ComputeClass has the first of its options.
    """
    target = selection.settings.target if selection and selection.settings else None
    region, provisioning = "us-east5", "on-demand"
    if isinstance(target, GkeTarget | TpuVmTarget):
        region, provisioning = target.region, price_lists(target.capacity)[0]
    return options.region or region, options.provisioning or provisioning


_NAMES = ("compare", "stack", "phase", "scenario", "accelerator", "model", "engine")


def from_options(options: argparse.Namespace, folder: Path) -> list[Selection]:
    """Returns the selection of the options of `add_options`, or two with --compare; stacks are in `folder`.

    Raises ValueError for options that exclude each other, and for everything that `from_settings` and
    `from_stack` reject.
    """
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
        from_phase(
            " ".join([name, *named, *words]),
            phase=phase,
            scenario=given.get("scenario"),
            accelerator_name=given.get("accelerator", DEFAULT_ACCELERATOR),
            model_name=given.get("model"),
            engine=with_chat_template(overrides(words), folder),
        )
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
                f"--set {field} has a value that is not valid YAML ({reason}); fix it, or write text in "
                "quotes."
            ) from None
    return result
