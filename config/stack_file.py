"""The only reader of a stack's configuration, without Pulumi.

`pulumi preview` passes the values that it has read; every other command reads Pulumi.<stack>.yaml. Both use
`parse`, so that all commands refuse the same file with the same sentence.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast

from config.chat_template import with_chat_template
from config.promotion import with_promotion
from config.settings import Settings
from config.stack_text import PREFIX, config_value, configuration
from serving.messages.suggest import nearest


def read(stack: str, folder: Path) -> Settings:
    """Returns the settings in `folder`/Pulumi.<stack>.yaml.

    Raises ValueError, one sentence a line, when there is no such file, or when it cannot be what it says.
    """
    file = folder / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        stacks = sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml"))
        near = nearest(stack, stacks)
        advice = f"the nearest is {near}" if near else "choose one of them"
        raise ValueError(f"stack {stack!r} has no file {file.name}: there are {', '.join(stacks)}; {advice}.")
    values = configuration(file)
    return parse(values, [key for key, value in values.items() if _holds_secret(value)], folder)


def parse(values: Mapping[str, object], secret: Collection[str], folder: Path) -> Settings:
    """Returns the settings among `values`, whose keys have their namespace (`tpuserve:phase`).

    Keys of other namespaces are ignored. `secret` names the keys whose values Pulumi encrypts. Files that a
    value names are read from `folder`. Raises ValueError, one sentence a line, without the value of a secret.
    """
    encrypted = sorted(key for key in secret if key.startswith(PREFIX))
    if encrypted:
        raise ValueError("\n".join(_ENCRYPTED.format(key=key) for key in encrypted))
    given = {key.removeprefix(PREFIX): values[key] for key in sorted(values) if key.startswith(PREFIX)}
    # Eight digits are a release's name and no number.
    texts = {key: value if key == "release" else config_value(value) for key, value in given.items()}
    settings = Settings.parse(texts)
    settings = with_promotion(settings, folder)
    if settings.promotion is not None:
        # Its engine has the text of its template.
        return settings
    engine = with_chat_template(settings.engine, folder)
    return settings if engine == settings.engine else settings.model_copy(update={"engine": engine})


_ENCRYPTED = (
    "{key} is encrypted, but messages and outputs repeat settings, so none may be a secret; remove it with "
    "`pulumi config rm {key}`, and set it again without --secret."
)


def _holds_secret(value: object) -> bool:
    """Returns whether a value, or a part of it, is encrypted: Pulumi writes `secure: CIPHERTEXT` for it."""
    if isinstance(value, Mapping):
        parts = cast(Mapping[object, object], value)
        return list(parts) == ["secure"] or any(_holds_secret(part) for part in parts.values())
    return isinstance(value, list) and any(_holds_secret(part) for part in cast(list[object], value))
