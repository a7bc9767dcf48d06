"""Rules about the variables of extra_environment."""

from collections.abc import Iterator

from serving.compilation.candidate import Candidate, Rule
from serving.engine.environment_variables import is_read, nearest_variable, read_on
from serving.messages.finding import VERSION, Finding, Severity

_ON = ("1", "true", "t", "yes", "y", "on")
_OFF = ("0", "false", "f", "no", "n", "off")

# variable: (values that matter, severity, effect). Source: vllm/envs.py, tpu_inference/envs.py,
# jax/_src/config.py, and the code that reads each.
_SWITCHES: dict[str, tuple[tuple[str, ...], Severity, str]] = {
    "JAX_ENABLE_COMPILATION_CACHE": (_OFF, "error", "every boot compiles everything again"),
    "VLLM_DISABLE_COMPILE_CACHE": (_ON, "error", "every boot compiles everything again"),
    "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": (
        _ON,
        "error",
        "a server whose engine died keeps running and is never restarted",
    ),
    "VLLM_SERVER_DEV_MODE": (_ON, "error", "it opens endpoints that reset and inspect the server"),
    "VLLM_ALLOW_INSECURE_SERIALIZATION": (_ON, "error", "it lets messages carry code"),
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": (_ON, "error", "it lets any client load weights"),
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": (
        _ON,
        "warning",
        "lengths that the model was not trained for give nonsense",
    ),
    "NEW_MODEL_DESIGN": (
        _ON,
        "warning",
        "only models with latent attention need it; Gemma 4 has none",
    ),
    "FORCE_MOE_RANDOM_ROUTING": (_ON, "error", "tokens go to random experts; answers are nonsense"),
    "USE_DENSE_MOE": (_ON, "error", "every token runs through every expert"),
}


def switches(candidate: Candidate) -> Iterator[Finding]:
    """Reports switches that harm a server: `_SWITCHES`, the platform of JAX and the compiler's flags.

    JAX_PLATFORMS: jax/_src/config.py. XLA_FLAGS and LIBTPU_INIT_ARGS are part of the key of a compiled
    program (jax/_src/cache_key.py).
    """
    for name, value in candidate.engine.extra_environment.items():
        if name in _SWITCHES and value.lower() in _SWITCHES[name][0]:
            _, severity, truth = _SWITCHES[name]
            yield _finding(candidate, severity, f"switch-{name.lower().replace('_', '-')}", name, truth)
        elif name == "JAX_PLATFORMS" and "tpu" not in value and not candidate.accelerator.is_stand_in:
            truth = f"JAX would not use the chips of {candidate.accelerator.name}"
            yield _finding(candidate, "error", "wrong-platform", name, truth)
        elif name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS"):
            truth = (
                "it replaces what the image sets and is part of every compile-cache key, so the next boot "
                "compiles everything"
            )
            keep = "keep it where you mean that"
            yield _finding(candidate, "warning", "compiler-flags", name, truth, keep)


def _finding(
    candidate: Candidate, severity: Severity, code: str, name: str, truth: str, otherwise: str = ""
) -> Finding:
    value = candidate.engine.extra_environment[name]
    # The value of a variable that nobody reads may be a secret in the wrong place.
    asked = f"engine.extra_environment.{name} is {value if is_read(name) else 'set'}"
    return candidate.finding(
        severity,
        code,
        "extra_environment",
        truth,
        {f"engine.extra_environment.{name}": None},
        otherwise=otherwise,
        asked=asked,
    )


def unread(candidate: Candidate) -> Iterator[Finding]:
    """Reports variables that no package of the server reads (serving/engine/known_names.json)."""
    fields = candidate.engine.fields_by_target("variable")
    for name in candidate.engine.extra_environment:
        if not is_read(name):
            near = nearest_variable(name)
            field = fields.get(near) if near else None
            instead = f"write engine.{field}, or " if field else f"correct it to {near}, or " if near else ""
            yield _finding(
                candidate,
                "warning",
                "variable-not-read",
                name,
                f"no package of the server reads it (packages of {VERSION}, read on {read_on()})",
                f"{instead}keep it if a library below Python reads it",
            )


RULES: tuple[Rule, ...] = (switches, unread)
