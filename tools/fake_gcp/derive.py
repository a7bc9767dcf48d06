"""Generator of `provider.json`, from the real provider's schema and the SDK's text.

    python -m tools.fake_gcp.derive SCHEMA.json --provider "google-beta 8.0.0" --read 2026-11-28

SCHEMA.json holds, by Pulumi's type token, `fields`: for each path without indexes the provider's own flags
Opt, Req, Comp, ForceNew, Set and Default; and `auto` (fields that the provider names itself), `dbr` (the old
thing is deleted first) and `unique` (fields whose other value makes another thing). The file is not part of
this repository; what is derived from it is. With `--check` nothing is written: a table that differs ends
the command with status 1.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.fake_gcp.checks import request
from tools.fake_gcp.checks.shape import join
from tools.fake_gcp.schema import kind, provider, sdk
from tools.fake_gcp.schema.kind import Kind
from tools.fake_gcp.schema.provider import Groups

WORDS = re.compile(r"Possible values are: ((?:`[^`]+`(?:, )?)+)\.")
"""Sentence that the provider's generator writes from the list that its validation takes."""

TRIED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # Lists of resources that no generator wrote; each was tried with google-beta 8.0.0 on 2026-11-28.
    "gcp:container/cluster:Cluster": {
        "datapathProvider": ("DATAPATH_PROVIDER_UNSPECIFIED", "LEGACY_DATAPATH", "ADVANCED_DATAPATH"),
    },
    "gcp:container/nodePool:NodePool": {
        # "expected upgrade_settings.0.strategy to be one of [SURGE BLUE_GREEN], got SHORT_LIVED"
        "upgradeSettings.strategy": ("SURGE", "BLUE_GREEN"),
    },
}


def inputs(of: Kind) -> Iterator[tuple[str, str]]:
    """Yield each input's path, without indexes, and its description; not what the fake cloud refuses."""

    def walk(
        fields: Mapping[str, sdk.Field], texts: Mapping[str, str], path: str, above: tuple[str, ...]
    ) -> Iterator[tuple[str, str]]:
        for name, field in fields.items():
            below = join(path, name)
            if below in of.unsupported:
                continue
            yield below, texts.get(name, "")
            ref = sdk.innermost(field).ref
            if ref and ref not in above:
                nested = sdk.nested(of.module, ref)
                yield from walk(nested, sdk.nested_texts(of.module, ref), below, (*above, ref))

    yield from walk(sdk.resource(of.token) or {}, sdk.texts(of.token), "", ())


def allowed(of: Kind) -> dict[str, str]:
    """Return the words that the provider's validation takes, by input, from the SDK's text and `TRIED`.

    A list with a word that Google's own enum lacks is another input's: the SDK shares some descriptions.
    """
    google = request.enums(of)
    by_input: dict[str, str] = {}
    for path, text in inputs(of):
        listed = WORDS.search(text)
        if listed is None:
            continue
        words = re.findall(r"`([^`]+)`", listed[1])
        if path not in google or set(words) <= {*google[path], "UNSPECIFIED"}:
            by_input[path] = " ".join(words)
    return by_input | {path: " ".join(words) for path, words in TRIED.get(of.token, {}).items()}


def table(of: Kind, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return one type's part of the table, made from its entry in the schema file."""
    fields: Mapping[str, Mapping[str, Any]] = declared["fields"]
    declared_by_sdk = [path for path, _ in inputs(of)]
    given = {path for path, flags in fields.items() if flags.get("Opt") or flags.get("Req")}
    known = [path for path in declared_by_sdk if path in given]

    def those(wanted: Callable[[Mapping[str, Any]], Any]) -> Groups:
        return provider.grouped(path for path in known if wanted(fields[path]))

    result: dict[str, Any] = {
        "named": " ".join(declared["auto"]),
        "deleteFirst": declared["dbr"],
        "unique": " ".join(declared["unique"] or ()),
        "labelsReplace": bool(fields.get("effectiveLabels", {}).get("ForceNew")),
        "replaces": those(lambda flags: flags.get("ForceNew")),
        "filled": those(lambda flags: flags.get("Opt") and flags.get("Comp")),
        "sets": those(lambda flags: flags.get("Set")),
        "defaults": {path: fields[path]["Default"] for path in known if "Default" in fields[path]},
        "values": allowed(of),
        "outputs": provider.grouped(
            path
            for path in fields
            if path not in given and not any(path.startswith(f"{each}.") for each in of.unsupported)
        ),
        "newer": provider.grouped(path for path in declared_by_sdk if path not in fields),
    }
    return {name: value for name, value in result.items() if value}


def main(arguments: list[str] | None = None) -> int:
    """Write the table, or compare with it, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("schema", type=Path)
    parser.add_argument("--provider", required=True, help='name and version, such as "google-beta 8.0.0"')
    parser.add_argument("--read", required=True, help="day on which the schema was read, such as 2026-11-28")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args(arguments)
    schema = json.loads(options.schema.read_text("utf-8"))
    if lacking := sorted(set(kind.every()) - set(schema)):
        parser.error(f"{options.schema} has no {', '.join(lacking)}; a schema with all types is needed.")
    document = {
        "provider": options.provider,
        "sdk": f"pulumi-gcp {sdk.version()}",
        "read": options.read,
        "types": {token: table(of, schema[token]) for token, of in sorted(kind.every().items())},
    }
    text = json.dumps(document, indent=1) + "\n"
    if options.check:
        return int(text != provider.FILE.read_text("utf-8"))
    provider.FILE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
