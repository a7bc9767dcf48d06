"""Rules about variables that switch something off or open, given through extra_environment."""

from collections.abc import Iterator

from serving.finding import Finding, Rule, Severity, Subject

# variable: (values that matter, severity, what is true)
_SWITCHES: dict[str, tuple[tuple[str, ...], Severity, str]] = {
    "JAX_ENABLE_COMPILATION_CACHE": (("0", "false"), "error", "every boot compiles everything again"),
    "VLLM_DISABLE_COMPILE_CACHE": (("1", "true"), "error", "every boot compiles everything again"),
    "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": (
        ("1", "true"),
        "error",
        "a server whose engine died keeps running and is never restarted",
    ),
    "VLLM_SERVER_DEV_MODE": (("1", "true"), "error", "it opens endpoints that reset and inspect the server"),
    "VLLM_ALLOW_INSECURE_SERIALIZATION": (("1", "true"), "error", "it lets messages carry code"),
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": (("1", "true"), "error", "it lets any client load weights"),
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": (
        ("1", "true"),
        "warning",
        "lengths that the model was not trained for give nonsense",
    ),
    "NEW_MODEL_DESIGN": (
        ("1", "true"),
        "warning",
        "only models with latent attention need it; Gemma 4 has none",
    ),
    "FORCE_MOE_RANDOM_ROUTING": (("1", "true"), "error", "tokens go to random experts; answers are nonsense"),
    "USE_DENSE_MOE": (("1", "true"), "error", "every token runs through every expert"),
}


def switches(s: Subject) -> Iterator[Finding]:
    for name, value in s.engine.extra_environment.items():
        asked = f"engine.extra_environment.{name} is {value}"
        if name in _SWITCHES and value.lower() in _SWITCHES[name][0]:
            _, severity, truth = _SWITCHES[name]
            yield Finding(
                severity,
                f"switch-{name.lower().replace('_', '-')}",
                "engine.extra_environment",
                asked,
                truth,
                "remove it",
            )
        elif name == "JAX_PLATFORMS" and "tpu" not in value and not s.accelerator.is_stand_in:
            yield Finding(
                "error",
                "wrong-platform",
                "engine.extra_environment",
                asked,
                f"JAX would not use the chips of {s.accelerator.name}",
                "remove it",
            )
        elif name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS"):
            yield Finding(
                "warning",
                "compiler-flags",
                "engine.extra_environment",
                asked,
                "it replaces what the image sets and is part of every compile-cache key, so the next boot "
                "compiles everything",
                "remove it unless you mean that",
            )


RULES: tuple[Rule, ...] = (switches,)
